"""What the tests of sources share: read a file whole, or by its splits, with what was logged.

rows, log = read(path, JournalsSource())
"""

from pathlib import Path
from typing import Any

from corpus.sources.source import InputFile, ReadLog, Source, Split


def input_file(path: Path, root: Path | None = None, name: str = "") -> InputFile:
    return InputFile(0, name or (path.name if root is None else str(path.relative_to(root))), str(path), path.stat().st_size)


def read(path: Path, source: Source, root: Path | None = None, name: str = "") -> tuple[list[dict[str, Any]], ReadLog]:
    """All splits that the source makes of the file, one after another."""
    file, log = input_file(path, root, name), ReadLog()
    rows = [row for start, end in source.splits(file) for batch in source.read(Split(file, start, end), log) for row in batch.to_pylist()]
    return rows, log


def outcomes(rows: list[dict[str, Any]]) -> list[str]:
    return [row["failed"][0]["reason"] if row["failed"] else "ok" for row in rows]


def accepts(path: Path, source: Source) -> bool:
    with path.open("rb") as stream:
        return source.accepts(input_file(path), stream.read(4096))
