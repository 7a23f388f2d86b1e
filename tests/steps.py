"""Steps of a user's own, outside the package: what a recipe may name with ``--allow tests``."""

import ctypes
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa

from corpus.sources.rows import batches, row
from corpus.sources.source import InputFile, ReadLog, Source, Split
from corpus.step import DocumentStep, Filter, Reason, Rule

TOO_LOUD = Reason("mine:too_loud", "too many capital letters")


@final
@dataclass(frozen=True, kw_only=True)
class DropShouting(Filter):
    """The example of the README."""

    max_upper: float = 0.5

    signals = {"upper_ratio": pa.float64()}
    reasons = (TOO_LOUD,)

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        ratios = [sum(map(str.isupper, text)) / max(1, len(text)) if text else None for text in batch["text"].to_pylist()]
        return {"upper_ratio": pa.array(ratios, pa.float64())}

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(TOO_LOUD, "upper_ratio", ">", self.max_upper),)


@final
@dataclass(frozen=True, kw_only=True)
class FailsOnce(DocumentStep):
    """Raises the first time it is called in a place where ``GRISTMILL_TEST_FAIL`` names a file that is there, and removes the file."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        marker = os.environ.get("GRISTMILL_TEST_FAIL")
        if marker and Path(marker).exists():
            Path(marker).unlink()
            raise RuntimeError("planted: this task fails once")
        return batch


@final
@dataclass(frozen=True, kw_only=True)
class Slow(DocumentStep):
    """Gives a test time to kill the run: waits for each batch as long as ``GRISTMILL_TEST_SLOW`` says, in seconds.

    Adds a byte for each batch to the file that ``GRISTMILL_TEST_CALLS`` names.
    """

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        time.sleep(float(os.environ.get("GRISTMILL_TEST_SLOW", "0")))
        if calls := os.environ.get("GRISTMILL_TEST_CALLS"):
            with open(calls, "ab") as file:
                file.write(b".")
        return batch


@final
@dataclass(frozen=True, kw_only=True)
class Crashes(DocumentStep):
    """Reads address zero, as a faulty parser would, where a payload or text holds ``SEGFAULT``; aborts where it holds ``ABORT``."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        column = "payload" if "payload" in batch.schema.names else "text"
        for value in batch[column].to_pylist():
            body = value.encode() if isinstance(value, str) else value or b""
            if b"SEGFAULT" in body:
                ctypes.string_at(0)
            if b"ABORT" in body:
                os.abort()
        return batch


@final
@dataclass(frozen=True, kw_only=True)
class Brittle(Source):
    """A line is a document; what it says happens while it is read: SEGFAULT, ABORT, RAISE; BETWEEN crashes where no record is."""

    name: str = "brittle"
    collection: str = ""
    batch_bytes: int = 16 * 2**20

    def accepts(self, file: InputFile, head: bytes) -> bool:
        return file.file.endswith(".brittle")

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return [(0, max(1, file.size_bytes))]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        def parsed(line: str) -> str:
            if "SEGFAULT" in line:
                ctypes.string_at(0)
            if "ABORT" in line:
                os.abort()
            if "RAISE" in line:
                raise IndexError(line)
            return line

        def rows() -> Iterator[dict[str, Any]]:
            at = 0
            for line in split.file.place.read_bytes().decode().splitlines():
                if line == "BETWEEN":
                    ctypes.string_at(0)
                if line == "BETWEEN, IN PYTHON":
                    raise IndexError(line)
                text = log.parse(split.file.file, at, len(line), parsed, line)
                if text:
                    yield row(self, split.file, key=(str(at),), offset=at, text=text)
                log.records["brittle:line"] += 1
                at += len(line) + 1
            log.first, log.next = 0, at

        yield from batches(rows(), self.name, self.batch_bytes)


def read_picture(pixels: np.ndarray) -> str:
    """A reader of scans that tells how large the page is drawn, and how much of it is dark; it fails where all of it is."""
    dark = float((pixels < 128).mean())
    assert dark < 1
    return f"A page of {pixels.shape[1]} by {pixels.shape[0]}, {dark:.0%} of it dark.\n" if dark else ""


def embed(texts: list[str]) -> np.ndarray:
    """An embedding that a test can foresee: the first three words, as numbers, are the vector."""
    return np.array([[float(word) for word in text.split()[:3]] for text in texts])
