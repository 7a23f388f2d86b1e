"""Semantic duplicates on Spark, by an embedding that the test can foresee."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame

from corpus.dedup.semantic import SemanticDuplicates
from corpus.errors import RecipeError
from corpus.recipe import from_data
from corpus.storage import Place
from corpus.work import Work
from tests.corpus.dedup.conftest import row, with_texts

STEP = SemanticDuplicates(embed="tests.steps:embed", threshold=0.99, clusters=2, batch_documents=2)
# 1 0 0 leads: b is within 0.99 of a, c of b but not of a (cosines .995, .995, .980); d, e: the longer leads; f has no direction
TEXTS = {
    "a": "1 0 0 and the longest of all texts",
    "b": "1 0.1 0 somewhat shorter than a",
    "c": "1 0.2 0 shorter again",
    "d": "0 0 1 short",
    "e": "0 0 2 longer than d",
    "f": "0 0 0 nowhere",
    "g": "1 0 0 was rejected before",
    "x": "9 9 9 a copy of e",
}


def decided(frame: DataFrame) -> dict[str, dict[str, Any]]:
    return {each["id"]: each.asDict(recursive=True) for each in frame.collect()}


def test_each_that_goes_is_alike_the_one_that_stays(table: Callable[..., DataFrame], work: Work, tmp_path: Path) -> None:
    rows = [row(name, text) for name, text in TEXTS.items() if name not in "gx"]
    rows.append(row("g", TEXTS["g"], outcome="gopher:too_few_words", step="gopher_quality"))
    rows.append(row("x", TEXTS["x"], outcome="dedup:exact", step="exact_duplicates", duplicate_of="d"))
    found = decided(STEP(table(rows), with_texts(work, TEXTS)))
    assert {name: (each["outcome"], each["duplicate_of"]) for name, each in found.items()} == {
        "a": (None, None),
        "b": ("dedup:semantic", "a"),
        "c": (None, None),
        "d": ("dedup:semantic", "e"),
        "e": (None, None),
        "f": (None, None),
        "g": ("gopher:too_few_words", None),
        "x": ("dedup:exact", "e"),  # it follows the document that stood for it
    }
    assert found["b"]["value"] == pytest.approx(1 / 1.01**0.5, abs=1e-4)
    assert (found["b"]["step"], found["b"]["threshold"]) == ("semantic_duplicates", 0.99)
    assert (found["e"]["cluster_id"], found["e"]["cluster_size"], found["c"]["cluster_size"]) == ("d", 3, 1)
    assert STEP.findings(with_texts(work, TEXTS))["semantic"]["documents"] == 5
    again = replace(with_texts(work, TEXTS), place=Place(str(tmp_path / "again")))
    assert decided(STEP(table(rows, partitions=7), again)) == found


def test_the_function_must_be_allowed() -> None:
    data = {
        "name": "x",
        "sources": ["jsonl"],
        "steps": ["segment_words"],
        "corpus": [{"semantic_duplicates": {"embed": "tests.steps:embed"}}],
    }
    with pytest.raises(RecipeError, match="'tests' is not allowed to run"):
        from_data(data)
    assert from_data(data, allow=["tests"]).corpus[-1] == SemanticDuplicates(embed="tests.steps:embed")
