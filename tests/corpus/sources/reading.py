"""Reads a file with a source, as one task would, but for the session around it.

rows, log = read(path, JournalsSource())
"""

from pathlib import Path
from typing import Any

from corpus.sources.source import InputFile, ReadLog, Source, Split


def accepted(path: Path, source: Source) -> bool:
    return source.accepts(input_file(path), path.read_bytes()[:4096])


def input_file(path: Path, name: str = "") -> InputFile:
    return InputFile(0, name or path.name, str(path), path.stat().st_size)


def read(path: Path, source: Source, name: str = "") -> tuple[list[dict[str, Any]], ReadLog]:
    file, log = input_file(path, name), ReadLog()
    rows = [row for start, end in source.splits(file) for batch in source.read(Split(file, start, end), log) for row in batch.to_pylist()]
    return rows, log


def reasons(rows: list[dict[str, Any]]) -> list[str]:
    return [row["failed"][0]["reason"] if row["failed"] else "" for row in rows]
