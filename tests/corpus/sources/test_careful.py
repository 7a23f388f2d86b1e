"""A source that crashes costs the record at which it does, or what lies behind it in the split; never the run."""

import json
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
from pyspark.sql import SparkSession

from corpus.engine import curate
from corpus.errors import InputError
from corpus.recipe import from_data, load
from corpus.sources.careful import read_carefully
from corpus.sources.source import Damage, ReadLog, Source, Split
from corpus.sources.tables import JsonlSource
from corpus.sources.warc import WarcSource
from tests.golden import on_disk, ten, warc
from tests.road import assert_accounted, documents
from tests.steps import Brittle


def carefully(source: Source, folder: Path, name: str, content: bytes) -> tuple[list[dict[str, Any]], ReadLog]:
    log = ReadLog()
    file = on_disk(folder, name, content)
    read = [row for batch in read_carefully(source, Split(file, 0, file.size_bytes), log) for row in batch.to_pylist()]
    return read, log


def test_the_record_alone(tmp_path: Path) -> None:
    """Two that crash and one that raises, among four that are read: offsets 6, 20 and 35."""
    lines = ["first", "SEGFAULT here", "third", "ABORT it", "RAISE it", "sixth", "last"]
    read, log = carefully(Brittle(), tmp_path, "a.brittle", "\n".join(lines).encode())
    assert [row["text"] for row in read] == ["first", "third", "sixth", "last"]
    assert log.damages == [
        Damage("a.brittle", 6, 13, "read:crashed"),
        Damage("a.brittle", 26, 8, "read:crashed"),
        Damage("a.brittle", 35, 8, "read:failed"),
    ]
    assert log.records == {"brittle:line": 7}
    assert (log.first, log.next) == (0, 55)


@pytest.mark.parametrize(
    ("before", "line", "what"),
    [(["first", "second"], "BETWEEN", "read:crashed"), (["first"], "BETWEEN, IN PYTHON", "read:failed"), ([], "BETWEEN", "read:crashed")],
)
def test_between_records_it_costs_what_follows(tmp_path: Path, before: list[str], line: str, what: str) -> None:
    content = "\n".join([*before, line, "lost"]).encode()
    read, log = carefully(Brittle(), tmp_path, "a.brittle", content)
    assert [row["text"] for row in read] == before
    assert log.damages == [Damage("a.brittle", 0, len(content), what)]
    assert (log.first, log.next) == (0, None), "the split after it is not begun where this one ends"


def test_what_does_not_crash_is_read_as_ever(tmp_path: Path) -> None:
    content = warc(ten())[0]
    file, told = on_disk(tmp_path, "a.warc.gz", content), ReadLog()
    expected = list(WarcSource(batch_bytes=10_000).read(Split(file, 0, file.size_bytes), told))
    log = ReadLog()
    assert list(read_carefully(WarcSource(batch_bytes=10_000), Split(file, 0, file.size_bytes), log)) == expected
    assert log == told


def test_what_a_user_can_mend_is_raised(tmp_path: Path) -> None:
    before = psutil.Process().children()
    gone = Split(on_disk(tmp_path, "a.jsonl", b"{}"), 0, 2)
    os.unlink(gone.file.uri)
    with pytest.raises(FileNotFoundError):
        list(read_carefully(JsonlSource(), gone, ReadLog()))
    with pytest.raises(InputError, match="no column 'text'"):
        carefully(from_data({**load("text").to_data(), "sources": ["csv"]}).sources[0], tmp_path, "a.csv", b"a,b\n1,2\n")
    assert psutil.Process().children() == before


def test_on_the_road(spark: SparkSession, tmp_path: Path) -> None:
    """Spark tries the task again, and the run ends with the documents that could be read and the damage in its manifest."""
    recipe = from_data(
        {**load("text").to_data(), "sources": ["tests.steps:Brittle"], "steps": ["segment_words"], "corpus": []}, allow=["tests"]
    )
    (tmp_path / "a.brittle").write_text("\n".join(["first", "SEGFAULT", "third", "RAISE"]))
    (tmp_path / "b.brittle").write_text("another")
    curate(recipe, [str(tmp_path / "a.brittle"), str(tmp_path / "b.brittle")], str(tmp_path / "corpus"), spark=spark)
    assert_accounted(tmp_path / "corpus")
    assert sorted(row["text"] for row in documents(tmp_path / "corpus")) == ["another", "first", "third"]
    damages = json.loads((tmp_path / "corpus" / "manifest.json").read_bytes())["damages"]
    assert [(each["file"], each["offset"], each["what"]) for each in damages["listed"]] == [
        ("a.brittle", 6, "read:crashed"),
        ("a.brittle", 21, "read:failed"),
    ]
