"""Mixtures: figures worked out by hand, and how often documents are drawn."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from corpus.engine import curate
from corpus.mixing import FINEWEB2, Mix, fill
from corpus.recipe import from_data
from corpus.work import Work
from tests.corpus.dedup.conftest import row, table, work  # noqa: F401
from tests.road import assert_accounted, documents

Table = Callable[..., DataFrame]
amounts = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1)


@given(amounts, st.floats(0, 500))
@example({"a": (1.0, 1.5), "b": (5e-324, 1.0)}, 2.0)
def test_what_is_dealt(groups: dict[str, tuple[float, float]], total: float) -> None:
    """Limits hold, all is dealt that the limits allow, and groups below their limits are in proportion to their shares."""
    shares, limits = ({group: pair[at] for group, pair in groups.items()} for at in (0, 1))
    dealt = fill(shares, limits, total)
    assert all(0 <= dealt[group] <= limits[group] * (1 + 1e-9) for group in groups)
    room = sum(limit for group, limit in limits.items() if shares[group] > 0)
    assert sum(dealt.values()) == pytest.approx(min(total, room), rel=1e-6, abs=1e-6)
    rates = [dealt[group] / shares[group] for group in groups if shares[group] > 1e-9 and dealt[group] < limits[group] * (1 - 1e-9)]
    assert rates == pytest.approx([max(rates, default=0.0)] * len(rates), rel=1e-6, abs=1e-9)
    assert dealt == fill(dict(reversed(shares.items())), limits, total)


def mixed(step: Mix, frame: DataFrame, place: Work) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    found = {each["id"]: each.asDict(recursive=True) for each in step(frame, place).collect()}
    return found, {each["group"]: each for each in step.findings(place)["mixture"]}


def rows() -> list[dict[str, Any]]:
    """400 English pages of 40 characters and 100 German ones, and one that left the road before."""
    web = [row(f"{at:032x}", "x", characters=40, language="en") for at in range(400)]
    german = [row(f"{1000 + at:032x}", "x", characters=40, language="de") for at in range(100)]
    return [*web, *german, row("f" * 32, "x", characters=40, outcome="c4:curly_brace")]


def test_temperature_and_epochs(table: Table, work: Work) -> None:  # noqa: F811
    """4,000 and 1,000 tokens at temperature 2: shares 2 : 1, so that German is read 1.667 times and English 0.833."""
    found, told = mixed(Mix(temperature=2.0), table(rows()), work)
    assert told["web/en"] == {"group": "web/en", "documents": 400, "tokens": 4000, "epochs": 0.833333, "target": 3333, "share": 0.666667}
    assert told["web/de"]["epochs"] == 1.666667
    german = [each["repeats"] for each in found.values() if each["language"] == "de"]
    assert set(german) == {1, 2}
    assert 150 <= sum(german) <= 183, "166.7 expected, with a standard deviation of 4.7"
    lost = [each for each in found.values() if each["outcome"] == "mixing:not_drawn"]
    assert 45 <= len(lost) <= 90, "66.7 of the 400 expected, with a standard deviation of 7.5"
    assert {(each["step"], each["value"], each["repeats"]) for each in lost} == {("mix", 0.833333, None)}
    assert (found["f" * 32]["outcome"], found["f" * 32]["repeats"]) == ("c4:curly_brace", None)
    assert {each["repeats"] for each in found.values() if each["language"] == "en" and each["outcome"] is None} == {1}


def test_budgets_weights_and_the_bound_of_epochs(table: Table, work: Work) -> None:  # noqa: F811
    """10,000 tokens, weights 1 : 8 would have 3,333 and 6,667; German ends at 4 epochs = 4,000, English gets the other 6,000 but 5,000."""
    step = Mix(weights={"web/de": 8.0}, tokens=10_000, budgets={"web/en": 5_000})
    found, told = mixed(step, table(rows(), 7), work)
    assert {group: (each["target"], each["epochs"]) for group, each in told.items()} == {"web/de": (4000, 4.0), "web/en": (5000, 1.25)}
    assert {each["repeats"] for each in found.values() if each["language"] == "de"} == {4}


def test_tokens_by_language_and_no_language(table: Table, work: Work) -> None:  # noqa: F811
    frame = table([row("a", "x", characters=80, language="zh"), row("b", "x", characters=80), row("c", "x", characters=80, source=None)])
    _, told = mixed(Mix(characters_per_token={"": 4.0, "zh": 1.6}), frame, work)
    assert {group: each["tokens"] for group, each in told.items()} == {"web/zh": 50, "web/-": 20, "-/-": 20}


def test_rehydration_by_cluster_size(table: Table, work: Work) -> None:  # noqa: F811
    """FILTERS 2.4: 1 to 1, 2 to 2, 3-4 to 3, 5-99 to 5, 100-999 to 8, 1000 and more to 1."""
    sizes = {"a": None, "b": 1, "c": 2, "d": 3, "e": 4, "f": 5, "g": 99, "h": 100, "i": 999, "j": 1000}
    frame = table([row(name, "x", characters=40, cluster_size=size) for name, size in sizes.items()])
    found, told = mixed(Mix(rehydrate=FINEWEB2), frame, work)
    assert {name: each["repeats"] for name, each in found.items()} == dict(zip("abcdefghij", [1, 1, 2, 3, 3, 5, 5, 8, 8, 1], strict=True))
    assert told["web/-"]["tokens"] == 370


@pytest.mark.parametrize(
    "wrong",
    [{"by": []}, {"temperature": 0.0}, {"weights": {"a": -1.0}}, {"characters_per_token": {"zh": 1.0}}, {"rehydrate": [(2, 1.0)]}],
)
def test_settings_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="by names|cannot be negative|characters_per_token|rehydrate"):
        Mix(**wrong)


def test_on_the_road_and_on_the_report(spark: SparkSession, tmp_path: Path) -> None:
    lines = [json.dumps({"id": str(at), "text": f"text number {at}"}) for at in range(60)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n")
    recipe = from_data(
        {"name": "mixed", "sources": ["jsonl"], "steps": ["segment_words"], "corpus": [{"mix": {"tokens": 100, "by": ["source"]}}]}
    )
    curate(recipe, [str(tmp_path / "in.jsonl")], str(tmp_path / "corpus"), spark=spark)
    assert_accounted(tmp_path / "corpus")
    kept = documents(tmp_path / "corpus")
    assert {each["repeats"] for each in kept} == {1}
    told = json.loads((tmp_path / "corpus" / "report.json").read_text())["facts"]["mix"]["mixture"]
    assert told == [{"group": "jsonl", "documents": 60, "tokens": 208, "epochs": 0.481928, "target": 100, "share": 1.0}]
    assert 15 <= len(kept) <= 43
    assert "The mixture" in (tmp_path / "corpus" / "report.html").read_text()
