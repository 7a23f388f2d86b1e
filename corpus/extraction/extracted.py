"""What a reader of files gives: a text and what the file says of itself, or the reason why there is none.

Readers are pure functions, bytes in, :class:`Extracted` out; a source turns one into a row.

    read_article(data)[0].license  # "CC-BY-4.0"
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import final

from corpus.step import Reason

BROKEN = Reason("file:broken", "the file is damaged, or is not what its name says")
ENCRYPTED = Reason("file:encrypted", "the file is protected by a password")
TOO_LARGE = Reason("file:too_large", "the file, or what it unpacks to, is larger than the limit in bytes")
NO_TEXT = Reason("file:no_text", "the file holds no text")


@final
@dataclass(frozen=True, kw_only=True)
class Extracted:
    """``key``: what the origin calls it (a DOI, a message's id, hashed); ``counted``: what was left out, by type, for the read log.

    ``fault`` is the reason why ``text`` is empty, with the value that was measured and the limit that it passed.
    """

    text: str = ""
    title: str | None = None
    url: str | None = None
    date: datetime | None = None
    language: str | None = None
    license: str | None = None
    key: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)
    fault: Reason | None = None
    value: float | None = None
    threshold: float | None = None


def date_of(year: str | int | None, month: str | int | None = None, day: str | int | None = None) -> datetime | None:
    """Parts of a date as they are found -> midnight UTC; what is missing or no number counts as 1; None without a year."""
    try:
        numbers = [int(part) if part else 1 for part in (year, month, day)]
        return datetime(*numbers, tzinfo=UTC) if year else None  # type: ignore[arg-type, misc]
    except (ValueError, OverflowError):
        return date_of(year) if month or day else None


def joined(blocks: list[str]) -> str:
    """Blocks as paragraphs, an empty line between them; empty ones go."""
    return "\n\n".join(block for block in blocks if block)
