"""Percentiles of a stored signal: the order of doubles, thresholds worked out by hand, ties, groups, and the whole road."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from corpus.engine import curate
from corpus.quality.percentiles import KeepPercentiles, below, ordered, select
from corpus.recipe import from_data
from corpus.refilter import Change, refilter
from corpus.report.explain import explain
from corpus.storage import Place
from corpus.work import Work
from tests.corpus.dedup.conftest import row, table, work  # noqa: F401
from tests.road import assert_accounted, content, ledger

Table = Callable[..., DataFrame]
Scores = Sequence[tuple[str, str | None, float | None]]  # (id, language, score)


@given(st.lists(st.floats(allow_nan=False).map(lambda value: value + 0.0), min_size=2))
def test_bits_have_the_order_of_their_numbers(values: list[float]) -> None:
    keys = ordered(pd.Series(np.array(values))).tolist()
    assert [values[at] for at in np.argsort(keys, kind="stable")] == sorted(values)
    assert len(set(keys)) == len(set(values))


def applied(
    step: KeepPercentiles, frame: DataFrame, place: Work, scores: Scores
) -> dict[str, tuple[str | None, float | None, float | None]]:
    texts = place.spark.createDataFrame([(name, (score,)) for name, _, score in scores], "id string, signals struct<score: double>")
    found = step(frame, replace(place, texts=texts)).collect()
    return {each["id"]: (each["outcome"], each["value"], each["threshold"]) for each in found}


def rows_of(scores: Scores) -> list[dict[str, Any]]:
    return [row(name, language=language) for name, language, _ in scores]


def test_the_best_by_language_ties_by_id(table: Table, work: Work) -> None:  # noqa: F811
    """Of ten German documents the best three, of five English ones floor(3.5) = 3 go: the best two; equal values in the order of ids."""
    german = [("0", 1.0), ("1", 2.0), ("2", 3.0), ("3", 3.0), ("4", 4.0), ("5", 5.0), ("7", 6.0), ("6", 6.0), ("8", 6.0), ("9", 7.0)]
    scores: list[tuple[str, str | None, float | None]] = [(name, "de", score) for name, score in german]
    scores += [("a", "en", -1.0), ("b", "en", -0.0), ("c", "en", 0.0), ("d", "en", 0.5), ("e", "en", 0.25)]
    scores += [("none", "en", None), ("nan", "en", math.nan), ("odd", None, 3.0)]
    rows = [*rows_of(scores), row("gone", language="de", outcome="gopher:too_few_words", value=3.0, threshold=50.0)]
    step = KeepPercentiles(signal="score", min_percentile=70, by=("language",), min_documents=2)
    told = applied(step, table(rows), work, [*scores, ("gone", "de", 99.0)])
    low = "percentile:too_low"
    expected = {name: (low, score, 6.0) for name, score in german[:6]} | {"6": (low, 6.0, 6.0)}
    expected |= {"a": (low, -1.0, 0.25), "b": (low, 0.0, 0.25), "c": (low, 0.0, 0.25), "gone": ("gopher:too_few_words", 3.0, 50.0)}
    assert {name: outcome for name, outcome in told.items() if outcome[0]} == expected
    assert step.findings(work)["percentiles"] == [
        {"group": "de", "documents": 10, "kept": 3, "low": 6.0, "high": None},
        {"group": "en", "documents": 5, "kept": 2, "low": 0.25, "high": None},
        {"group": "-", "documents": 1, "kept": 1, "low": None, "high": None},
    ]
    assert applied(step, table(rows[::-1], 1), replace(work, place=work.place / "again"), [*scores, ("gone", "de", 99.0)]) == told


def test_found_digit_by_digit_as_by_sorting(spark: SparkSession, work: Work) -> None:  # noqa: F811
    """Values that differ in their last bits, many equal ones, and ids that differ in their last character."""
    draw = np.random.default_rng(1)
    values = [*np.nextafter(1.0, draw.choice([0.0, 2.0], 40)), *draw.normal(0, 1e3, 30), *[0.5] * 50]
    rows = [(f"{at % 7:08x}{at:024x}", float(value)) for at, value in enumerate(values)]
    frame = spark.createDataFrame([(name, (value,)) for name, value in rows], "id string, signals struct<score: double>")
    measured = work.materialise("measured", lambda: KeepPercentiles(signal="score", max_percentile=50)._measured(frame.select("id"), frame))
    in_order = sorted((value, name) for name, value in rows)
    sought = {("all", str(rank)): rank for rank in (0, 17, 40, 59, 60, 80, len(rows) - 1)}
    assert select(measured, sought, few=3) == {("all", str(rank)): in_order[rank] for _, rank in sought.items()}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"min_percentile": 40, "max_percentile": 30}, "min_percentile below max_percentile"),
        ({}, "nothing is rejected"),
        ({"min_percentile": 10, "by": ("language", "language")}, "twice"),
    ],
)
def test_settings_that_cannot_be_meant(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        KeepPercentiles(signal="score", **wrong)


def test_on_the_road_and_moved(spark: SparkSession, tmp_path: Path) -> None:
    """The middle and the head of 83 documents; the head made from the middle by refilter is that of a fresh run."""
    lines = [json.dumps({"id": str(at), "text": "word " * (at % 20 + 1) + f"and number {at}"}) for at in range(83)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n")

    def made(name: str, *settings: dict[str, Any]) -> list[str]:
        steps = [{"keep_percentiles": {"signal": "words", **each}} for each in settings]
        data = {"name": "x", "sources": ["jsonl"], "steps": ["segment_words"], "corpus": steps, "output": {"keep_rejected": True}}
        curate(from_data(data), [str(tmp_path / "in.jsonl")], str(tmp_path / name), spark=spark)
        assert_accounted(tmp_path / name)
        return [each["id"] for each in ledger(tmp_path / name) if each["outcome"] == "kept"]

    both = made("both", {"max_percentile": 60.1}, {"min_percentile": 50})
    head = made("head", {"max_percentile": 30}, {"min_percentile": 50})
    assert (len(both), len(head)) == (49 - 24, 24 - 12), "floor(83 * 0.601) = 49, its half 24; floor(83 * 0.3) = 24, its half 12"
    told = json.loads((tmp_path / "both" / "report.json").read_text())["facts"]
    assert [told[name]["percentiles"][0]["documents"] for name in ("keep_percentiles", "keep_percentiles 2")] == [83, 49]
    assert "Kept between the percentiles 0 and 60.1" in (tmp_path / "both" / "report.html").read_text()
    high = next(each for each in ledger(tmp_path / "both") if each["outcome"] == "percentile:too_high")
    assert "percentile:too_high in step keep_percentiles: measured" in "\n".join(
        explain(Place(str(tmp_path / "both")), high["id"]).to_lines()
    )
    refilter(Change.of(str(tmp_path / "both"), ["corpus.0.max_percentile=30"]), str(tmp_path / "moved"), spark=spark)
    shards = [{name: body for name, body in content(tmp_path / folder).items() if "/" in name} for folder in ("moved", "head")]
    assert shards[0] == shards[1]


@given(st.integers(1, 10**6), st.integers(0, 100_000).map(lambda thousandths: thousandths / 1000))
def test_the_part_below_is_exact(rows: int, percentile: float) -> None:
    assert below(percentile, rows) == math.floor(Fraction(round(percentile * 1000), 100_000) * rows)
