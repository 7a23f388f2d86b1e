"""What the driver is told of the splits: little, however many there are."""

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from corpus import reading
from corpus.fused import METRICS, merge_metrics, run_split
from corpus.recipe import load
from corpus.sources.source import Split
from corpus.step import signal_types
from corpus.storage import Place
from tests.corpus.sources.reading import input_file
from tests.golden import ten, warc


def test_metrics_are_added_up_in_rounds(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine files, two at a time: five, three, two are left after each round; the sum is that of all at once."""
    recipe, path = load("web"), tmp_path / "a.warc.gz"
    path.write_bytes(warc(ten())[0])
    file = input_file(path)
    folders = [Place(str(tmp_path / f"split-{number}")) for number in range(9)]
    for folder in folders:
        run_split(Split(file, 0, file.size_bytes), recipe, folder)
    paths = [(folder / METRICS).uri for folder in folders]
    monkeypatch.setattr(reading, "_MERGED_AT_ONCE", 2)
    merged = reading.merged_metrics(spark, recipe, paths, Place(str(tmp_path / "merged")))
    assert json.dumps(merged.to_json()) == json.dumps(merge_metrics(iter(paths), signal_types(recipe.steps)).to_json())
    assert merged.counter("source")["web"] == 9 * merge_metrics(iter(paths[:1]), signal_types(recipe.steps)).counter("source")["web"] > 0
    assert [len(list((tmp_path / "merged" / f"metrics-{each}").iterdir())) for each in range(3)] == [5, 3, 2]
