"""Rows of the sources that fill the text themselves (dumps, papers, repositories, books), and batches of them.

rows = (row(source, file, key=("enwiki", "12"), text="Tea is a drink.", offset=0) for …)
yield from batches(rows, "wikipedia", batch_bytes=2**24)
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from corpus import document, hashing
from corpus.sources.source import InputFile
from corpus.step import Reason

_ROWS = 512
_COLUMNS = ("id", "text", "url", "title", "date", "language", "charset_source", "license", "labels", "source", "collection", "origin")
Fault = tuple[Reason, float | None, float | None]  # the reason, what was measured, the limit


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def collection(self) -> str: ...


def row(
    source: _Named,
    file: InputFile,
    *,
    key: tuple[str, ...],
    offset: int,
    text: str | None = None,
    fault: Fault | None = None,
    record_id: str | None = None,
    url: str | None = None,
    title: str | None = None,
    date: datetime | None = None,
    language: str | None = None,
    charset_source: str | None = None,
    license: str | None = None,
    labels: Mapping[str, str] | None = None,
    collection: str | None = None,
) -> dict[str, Any]:
    """``key``: what the origin says of itself, which with the text makes the id. A row has a text or a fault."""
    text = text if text and text.strip() and not fault else None
    return {
        "id": hashing.document_id(source.name, *key, hashing.content_digest(text or "").hex()),
        "text": None if text is None else text.encode("utf-8", "replace").decode(),
        "url": url,
        "title": title,
        "date": date,
        "language": language,
        "charset_source": charset_source,
        "license": license,
        "labels": sorted(labels.items()) if labels else None,
        "source": source.name,
        "collection": source.collection or collection or None,
        "origin": {"input": file.input, "file": file.file, "offset": offset, "record_id": record_id},
        "fault": fault,
    }


def batches(rows: Iterable[dict[str, Any]], step: str, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    """``step``: the name that faults go under in the ledger."""
    held: list[dict[str, Any]] = []
    characters = 0
    for each in rows:
        held.append(each)
        characters += len(each["text"] or "")
        if characters >= batch_bytes or len(held) == _ROWS:
            yield _batch(held, step)
            held, characters = [], 0
    if held:
        yield _batch(held, step)


def _batch(rows: list[dict[str, Any]], step: str) -> pa.RecordBatch:
    faults = [each["fault"] for each in rows]
    failed = [[{"reason": fault[0].code, "step": step, "value": fault[1], "threshold": fault[2]}] if fault else [] for fault in faults]
    return document.new_batch(**{name: [each[name] for each in rows] for name in _COLUMNS}, failed=failed)
