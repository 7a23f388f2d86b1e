"""Records of a user's JSON-lines file, plain or gzip, with the line that a fault stands in.

for number, record in records(Path("news.jsonl")): record["text"]
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.errors import InputError

_GZIP = b"\x1f\x8b"


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line from 1, object). Raises InputError where the file cannot be read, a line is no JSON, or no object."""
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if line.strip():
            try:
                record = json.loads(line)
                if "\\ud" in line.lower():  # JSON can name half of a character, which no text has
                    json.dumps(record, ensure_ascii=False).encode()
            except UnicodeEncodeError as error:
                raise InputError("half of a character stands alone", where=f"{path}:{number}", hint=str(error)) from error
            except (ValueError, RecursionError) as error:
                raise InputError("this is no JSON", where=f"{path}:{number}", hint=str(error)) from error
            if not isinstance(record, dict):
                raise InputError("a line is no object", where=f"{path}:{number}", hint='each line is {"…": "…"}')
            yield number, record


def text_of(path: Path) -> str:
    """The whole file, inflated where it is gzip, as HumanEval is published. Raises InputError where it is none, or no UTF-8."""
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if content.startswith(_GZIP) else content).decode()
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError("cannot read the file", where=str(path), hint=str(error)) from error
