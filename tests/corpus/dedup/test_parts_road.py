"""Texts that corpus steps have cut, on their way through the whole road: what is written, counted, told, and refused."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pytest
from pyspark.sql import SparkSession

from corpus import document
from corpus.cutting import cut
from corpus.engine import curate
from corpus.errors import RecipeError
from corpus.recipe import from_data
from corpus.refilter import Change
from corpus.report.explain import explain
from corpus.storage import Place
from tests.corpus.dedup.conftest import words
from tests.road import assert_accounted, content, documents, ledger

FOOTER = "Share on X, or print this page!"
RECIPE: dict[str, Any] = {
    "name": "parts",
    "sources": ["jsonl"],
    "steps": ["segment_words", "text_digest"],
    "corpus": [
        "exact_duplicates",
        {"dedup_lines": {"keep": "none", "max_documents": 3, "min_words": 20}},
        {"dedup_substrings": {"length": 20, "min_words": 20}},
        "split_by_cluster",
    ],
    "output": {"keep_rejected": True},
}


def pages() -> dict[str, str]:
    """Eight pages with a footer, of which two share 24 words in the middle of other lines, one copies another, one has little else."""
    passage = " ".join(words(99, 24))
    made = {}
    for number in range(8):
        own = words(number, 90)
        if number in (2, 5):
            own[30:30] = passage.split()
        made[f"page-{number}"] = "\n".join([" ".join(own[:60]), FOOTER, "", " ".join(own[60:])])
    made["copy"] = made["page-1"].upper()
    made["little"] = f"{FOOTER}\nSeven words are all that it has."
    return made


def write(path: Path, given: dict[str, str]) -> str:
    path.write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in given.items()))
    return str(path)


def test_texts_are_cut_counted_and_told(spark: SparkSession, tmp_path: Path) -> None:
    given = pages()
    curate(from_data(RECIPE), [write(tmp_path / "in.jsonl", given)], str(tmp_path / "one"), spark=spark)
    assert_accounted(tmp_path / "one")
    kept = {each["origin"]["record_id"]: each for each in documents(tmp_path / "one")}
    outcomes = {each["origin"]["record_id"]: each for each in ledger(tmp_path / "one")}
    assert {outcomes["copy"]["outcome"], outcomes["page-1"]["outcome"]} == {"dedup:exact", "kept"}
    little = outcomes["little"]
    assert (little["outcome"], little["step"], little["value"], little["threshold"]) == (
        "dedup:little_beside_shared_lines",
        "dedup_lines",
        7.0,
        20.0,
    )
    passage = " ".join(words(99, 24))
    assert sum(passage in each["text"].lower() for each in kept.values()) == 1
    for name, each in kept.items():
        assert FOOTER.lower() not in each["text"].lower()
        assert each["signals"]["words"] == len(each["text"].split())
        entry = pa.array([each["cuts"]], document.CUTS[1])
        assert cut(pa.RecordBatch.from_pydict({"text": pa.array([given[name]]), "cuts": entry}))["text"][0].as_py() == each["text"]
        assert [told["step"] for told in each["cuts"]][0] == "dedup_lines"
    assert sorted(len(each["cuts"]) for each in kept.values()) == [1] * 7 + [2]
    report = json.loads((tmp_path / "one" / "report.json").read_bytes())
    assert report["facts"]["dedup_lines"]["cut"] | {"characters": 0} == {
        "documents": 8, "places": 8, "characters": 0, "too_short": 1, "keys": 1, "most": 9,
    }  # fmt: skip
    assert report["facts"]["dedup_substrings"]["cut"]["documents"] == 1
    gone = sum(report["facts"][step]["cut"]["characters"] for step in ("dedup_lines", "dedup_substrings"))
    assert gone == sum(len(given[name]) - len(each["text"]) for name, each in kept.items())
    assert report["kept"]["characters"] == sum(len(each["text"]) for each in kept.values())
    identity = next(each["id"] for each in kept.values() if len(each["cuts"]) == 2)
    page = (tmp_path / "one" / "report.html").read_text()
    assert "<code>dedup_lines</code> cut" in page
    told = "\n".join(explain(Place(str(tmp_path / "one")), identity).to_lines())
    assert "in 1 places by dedup_lines" in told
    assert "in 1 places by dedup_substrings" in told
    rejected = pa.dataset.dataset(tmp_path / "one" / "rejected").to_table().to_pylist()
    assert given["little"] in [each["text"] for each in rejected]
    with pytest.raises(RecipeError, match="has cut the texts that the corpus holds.*dedup_lines"):
        Change.of(str(tmp_path / "one"), ["dedup_lines.min_words=10"])


@pytest.mark.long
def test_partitions_decide_nothing(spark: SparkSession, tmp_path: Path) -> None:
    inputs = [write(tmp_path / "in.jsonl", pages())]
    curate(from_data(RECIPE), inputs, str(tmp_path / "one"), spark=spark)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    try:
        curate(from_data(RECIPE), inputs, str(tmp_path / "two"), spark=spark)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_recipes_in_which_it_cannot_be_meant() -> None:
    swapped = RECIPE | {"corpus": ["dedup_lines", "near_duplicates"]}
    with pytest.raises(RecipeError, match=r"reads 'signature', which is of the text before dedup_lines cut it.*put it before dedup_lines"):
        from_data(swapped)
    for step, message in (({"keep": "none"}, "would cut every line"), ({"span": 0}, "at least 1"), ({"unit": "word"}, "line")):
        with pytest.raises(RecipeError, match=message):
            from_data(RECIPE | {"corpus": [{"dedup_lines": step}]})
    with pytest.raises(RecipeError, match="length"):
        from_data(RECIPE | {"corpus": [{"dedup_substrings": {"length": 1}}]})
