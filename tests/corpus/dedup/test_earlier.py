"""Two crawls together, or one after the other against the index of the first: the same documents of the second stay."""

import json
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from pyspark.sql import SparkSession

from corpus.dedup.earlier import refuse_other_signatures, with_earlier
from corpus.engine import curate
from corpus.errors import InputError
from corpus.recipe import Recipe, from_data
from tests.corpus.dedup.conftest import words
from tests.road import assert_accounted, ledger


def changed(base: list[str], start: int, count: int) -> list[str]:
    return [*base[:start], *(f"x{start}y{at}" for at in range(count)), *base[start + count :]]


def crawls() -> tuple[dict[str, str], dict[str, str]]:
    """Key -> text. Families are named by a letter; what should become of the second crawl's is in the test."""
    a, b, c, d, e = (words(seed, 200) for seed in (1, 2, 3, 4, 5))
    near = changed(a, 0, 16)
    first = {
        "a-long": " ".join([*a, "and", "more"]),
        "a-near": " ".join(near),
        "b": " ".join(b),
        "short": "too short",
        "alone": " ".join(words(9)),
    }
    first |= {"left": " ".join(changed(e, 0, 16)), "right": " ".join(changed(e, 100, 16))}  # apart: each is like the bridge only
    second = {
        "bridge": " ".join(e),
        "a-of-near": " ".join(changed(near, 100, 16)),  # like a-near, which the first corpus dropped, and not like a-long, which it kept
        "b-copy": " ".join(b).upper(),
        "short-copy": "Too  short",
        "c-one": " ".join(c),
        "c-two": " ".join([*c, "end"]),  # a pair of the second crawl's own
        "d": " ".join(d),
        "short-new": "quite short",
    }
    return first, second


def write(path: Path, texts: dict[str, str], year: int) -> str:
    path.write_text("".join(json.dumps({"id": key, "text": text, "date": f"{year}-01-01T00:00:00Z"}) + "\n" for key, text in texts.items()))
    return str(path)


def recipe(against: tuple[str, ...] = (), **signature: int) -> Recipe:
    settings: dict[str, Any] = {"survivor": {"prefer": ["oldest", "longest"]}, "against": list(against)}
    steps = ["segment_words", "text_digest", {"min_hash_signature": signature}]
    return from_data(
        {"name": "test", "sources": ["jsonl"], "steps": steps, "output": {"index": True},
         "corpus": [{"exact_duplicates": settings}, {"near_duplicates": {**settings, "threshold": 0.7, **signature}}]}
    )  # fmt: skip


def outcomes(corpus: Path) -> dict[str, str]:
    return {row["origin"]["record_id"]: row["outcome"] for row in ledger(corpus)}


def test_together_or_one_after_the_other(spark: SparkSession, tmp_path: Path) -> None:
    first, second = crawls()
    one, two = write(tmp_path / "one.jsonl", first, 2024), write(tmp_path / "two.jsonl", second, 2025)
    curate(recipe(), [one, two], str(tmp_path / "both"), spark=spark)
    curate(recipe(), [one], str(tmp_path / "a"), spark=spark)
    Path(one).unlink()  # no text of the first crawl is needed any more
    for path in (tmp_path / "a" / "documents").iterdir():
        path.unlink()
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    try:
        curate(recipe((str(tmp_path / "a"),)), [two], str(tmp_path / "b"), spark=spark)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "4")
    assert_accounted(tmp_path / "b")
    together, before, after = (outcomes(tmp_path / name) for name in ("both", "a", "b"))
    # a new document that joins two earlier clusters is dropped, and both survivors stay; together they are one cluster
    assert (before.pop("left"), before.pop("right"), after.pop("bridge")) == ("kept", "kept", "dedup:near")
    assert sorted((together.pop("left"), together.pop("right"), together.pop("bridge"))) == ["dedup:near", "dedup:near", "kept"]
    assert {**before, **after} == together
    assert before == {"a-long": "kept", "a-near": "dedup:near", "b": "kept", "short": "kept", "alone": "kept"}
    assert after == {
        "a-of-near": "dedup:near", "b-copy": "dedup:exact", "short-copy": "dedup:exact", "c-one": "dedup:near", "c-two": "kept",
        "d": "kept", "short-new": "kept",
    }  # fmt: skip
    ids = {row["origin"]["record_id"]: row["id"] for name in ("a", "b") for row in ledger(tmp_path / name)}
    of = {row["origin"]["record_id"]: row["duplicate_of"] for row in ledger(tmp_path / "b")}
    # the survivor in the first corpus, not the dropped document that it is like
    assert (of["a-of-near"], of["b-copy"], of["c-one"]) == (ids["a-long"], ids["b"], ids["c-two"])
    index = {row["id"]: row for row in ds.dataset(tmp_path / "b" / "index").to_table().to_pylist()}
    assert index.keys() == {ids[name] for name in ("a-of-near", "bridge", "c-one", "c-two", "d", "short-new")}
    assert index[ids["a-of-near"]]["duplicate_of"] == ids["a-long"]


@pytest.mark.parametrize("settings", [{"permutations": 64}, {"ngram": 7}, {"character_ngram": 4}])
def test_signatures_made_otherwise_are_refused(tmp_path: Path, settings: dict[str, int]) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"fingerprint": {"recipe": recipe(**settings).to_data()}}))
    ours = {"permutations": 112, "ngram": 5, "character_ngram": 10}
    name, value = next(iter(settings.items()))
    with pytest.raises(InputError, match=f"its signatures have {name}={value}, not {ours[name]}"):
        refuse_other_signatures([str(tmp_path)], ours)
    refuse_other_signatures([str(tmp_path)], ours | settings)


def test_what_is_no_earlier_corpus(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no index"):
        with_earlier(spark.createDataFrame([], "id string"), [str(tmp_path)])
    with pytest.raises(InputError, match="no finished corpus"):
        refuse_other_signatures([str(tmp_path)], {})
    assert recipe((str(tmp_path),)).assets() == [f"{tmp_path}/manifest.json"] * 2  # of both steps: their digest is in the fingerprint
