"""Records of a user's JSON-lines file, with the line that a fault stands in.

for number, record in records(Path("news.jsonl")): record["text"]
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.errors import InputError


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line from 1, object). Raises InputError where the file cannot be read, a line is no JSON, or no object."""
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError("this is no JSON", where=f"{path}:{number}", hint=str(error)) from error
            if not isinstance(record, dict):
                raise InputError("a line is no object", where=f"{path}:{number}", hint='each line is {"…": "…"}')
            yield number, record


def text_of(path: Path) -> str:
    """The whole file. Raises InputError where it is none, or no UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read the file", where=str(path), hint=str(error)) from error
