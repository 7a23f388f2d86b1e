"""The arms of `gristmill ablate --vary`: made by refilter from one corpus, and what cannot be."""

import json
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from corpus.errors import InputError, RecipeError
from corpus.recipe import load
from jobs.varied_arms import _setting, varied
from tests.processes import gristmill


def test_settings_may_be_abbreviated() -> None:
    recipe = load("web")
    assert _setting(recipe, "gopher.min_words") == "gopher_quality.min_words"
    assert _setting(recipe, "near.threshold") == "near_duplicates.threshold"
    assert _setting(recipe, "gopher_quality.min_words") == "gopher_quality.min_words"
    assert _setting(recipe, "gopher.nothing") == "gopher.nothing", "refilter says what is near to it"


@pytest.mark.parametrize("vary", ["gopher.min_words", "gopher.min_words=10", "gopher.min_words=10,10", "dedup=on"])
def test_nothing_to_compare(tmp_path: Path, vary: str) -> None:
    with pytest.raises(RecipeError, match="two values or more"):
        varied("anywhere", vary, tmp_path, master=None, allow=())


@pytest.mark.parametrize(("vary", "error", "told"), [
    ("dedup=on,perhaps", RecipeError, "dedup is on or off"),
    ("dedup=on,off", InputError, "keep_rejected"),
    ("gopher.min_words=10,50", InputError, "keep_rejected"),
    ("extract_html.engine=hybrid,resiliparse", RecipeError, "no threshold of a filter"),
    ("gopher.min_wrods=10,50", RecipeError, "min_wrods"),
])  # fmt: skip
def test_what_cannot_be_varied_is_one_line(small_corpus: Path, tmp_path: Path, vary: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        varied(str(small_corpus), vary, tmp_path, master=None, allow=())


@pytest.mark.long
def test_deduplication_on_and_off(small_corpus: Path, tmp_path: Path) -> None:
    """Through the public command line: the arms are made, the ablation is planned, and its commands are printed."""
    held_out = [part for name in ("validation", "test") for part in ("--set", f"split_by_cluster.{name}=0.1")]
    whole = ["--input", small_corpus.parent / "crawl", "--output", tmp_path / "corpus", "--set", "output.keep_rejected=true", *held_out]
    assert gristmill("curate", "web", *whole).returncode == 0
    ran = gristmill(
        "ablate", tmp_path / "corpus", "--vary", "dedup=on,off", "--budget", "30k-tokens", "--set", "model.context_length=64",
        "--vocab-size", "1500", "--output", tmp_path / "ablation", "--print-commands",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 12
    made = json.loads((tmp_path / "ablation" / "plan.json").read_bytes())["design"]
    assert [arm["name"] for arm in made["arms"]] == ["dedup=on", "dedup=off"]
    counts = [ds.dataset(f"{arm['corpus']}/documents").count_rows() for arm in made["arms"]]
    assert counts[0] < counts[1]
    recipe = json.loads(Path(made["arms"][1]["corpus"], "manifest.json").read_bytes())["fingerprint"]["recipe"]
    assert [next(iter(step)) for step in recipe["corpus"]] == ["split_by_cluster"]
