"""A parser that crashes costs the record, wherever it stands in its batch."""

import faulthandler
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pyspark.sql import SparkSession

from corpus import document
from corpus.engine import curate
from corpus.fused import carefully
from corpus.recipe import from_data, load
from corpus.step import FusedPass
from tests.golden import page, ten, warc
from tests.road import assert_accounted, content, ledger
from tests.steps import Crashes, DropShouting


@pytest.fixture(autouse=True)
def _quiet_children() -> Iterator[None]:
    """pytest would print the stack of every child that is meant to crash."""
    faulthandler.disable()
    yield
    faulthandler.enable()


@pytest.mark.parametrize("texts", [["a SEGFAULT"], ["x", "ABORT", "y", "z", "LOUD", "a SEGFAULT"], ["x", "LOUD", None], ["ABORT"] * 3])
def test_the_guilty_alone_are_lost(texts: list[str | None]) -> None:
    fused = FusedPass([Crashes(), DropShouting()])
    batch = document.new_batch(id=[str(at) for at in range(len(texts))], text=texts, title=["t"] * len(texts))
    done = [row for part in carefully(fused, batch) for row in part.to_pylist()]
    innocent = [at for at, text in enumerate(texts) if not text or not {"SEGFAULT", "ABORT"} & set(text.split())]
    expected = {row["id"]: row for part in fused(batch.take(innocent)) for row in part.to_pylist()} if innocent else {}
    assert {row["id"]: row for row in done if row["id"] in expected} == expected
    crashed = [row for row in done if row["id"] not in expected]
    assert sorted(int(row["id"]) for row in crashed) == [at for at in range(len(texts)) if at not in innocent]
    assert all([fault["reason"] for fault in row["failed"]] == ["extract:crashed"] for row in crashed)
    assert all(row["text"] is None and row["title"] is None for row in crashed)


def test_an_error_of_python_is_raised_as_ever() -> None:
    with pytest.raises(KeyError):
        list(carefully(FusedPass([Crashes()]), document.new_batch(id=["1"], text=["x"]).select(["id", "failed"])))


def test_nothing_is_left_behind() -> None:
    batch = document.new_batch(id=["1", "2"], text=["x", "ABORT"])
    before, children = os.listdir("/proc/self/fd"), psutil.Process().children()
    for _ in range(3):
        list(carefully(FusedPass([Crashes()]), batch))
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert psutil.Process().children() == children


def test_on_the_road(spark: SparkSession, tmp_path: Path) -> None:
    """The run ends well, and but for the one record its documents are those of a run without the record."""
    data = load("extract").to_data()
    data["steps"].insert(0, "tests.steps:Crashes")
    recipe = from_data(data, allow=["tests"])
    good = ten()
    bad = page("http://a.example/bad", "<p>SEGFAULT</p>")
    for name, pages in (("good", good), ("both", [*good, bad])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.warc.gz").write_bytes(warc(pages)[0])
        curate(recipe, [str(tmp_path / name)], str(tmp_path / f"{name}.corpus"), spark=spark)
    assert_accounted(tmp_path / "both.corpus")
    outcomes = {row["url"]: (row["outcome"], row["step"]) for row in ledger(tmp_path / "both.corpus")}
    assert outcomes.pop("http://a.example/bad") == ("extract:crashed", "fused_pass")
    assert set(outcomes.values()) == {("kept", None)}
    documents = [{k: v for k, v in content(tmp_path / f"{name}.corpus").items() if k.startswith("documents")} for name in ("good", "both")]
    assert documents[0] == documents[1]
