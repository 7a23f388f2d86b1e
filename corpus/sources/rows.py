"""Rows of the sources that fill the text themselves (dumps, papers, books, a company's files), and batches of them.

rows = (row(source, file, key=("enwiki", "12"), text="Tea is a drink.", offset=0) for …)
rows = (extracted_row(source, file, entry.offset, entry.name, digest(entry.data), read_article(entry.data), log) for …)
yield from batches(rows, "wikipedia", batch_bytes=2**24)
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa
import xxhash

from corpus import document, hashing
from corpus.extraction.extracted import NO_TEXT, Extracted
from corpus.sources.source import InputFile, ReadLog
from corpus.step import Reason

_ROWS = 512
_COLUMNS = ("id", "text", "url", "title", "date", "language", "charset_source", "license", "labels", "source", "collection", "origin")
Fault = tuple[Reason, float | None, float | None]  # the reason, what was measured, the limit


class Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def collection(self) -> str: ...


class Owned(Named, Protocol):
    """``license`` and ``labels`` are the owner's word on all documents of the source; a file's own stands above."""

    @property
    def license(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


def digest(data: bytes) -> str:
    """Of a document's bytes: what tells two with the same key apart."""
    return f"xxh3:{xxhash.xxh3_128_hexdigest(data)}"


def row(
    source: Named,
    file: InputFile,
    *,
    key: tuple[str, ...],
    offset: int,
    content: str | None = None,
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
    """``key``: what the origin says of itself, which makes the id with ``content``, by default the text's digest. A text, or a fault."""
    text = text if text and text.strip() and not fault else None
    return {
        "id": hashing.document_id(source.name, *key, content or hashing.content_digest(text or "").hex()),
        "text": None if text is None else text.encode("utf-8", "replace").decode(),
        "url": _clean(url),
        "title": _clean(title),
        "date": date,
        "language": _clean(language),
        "charset_source": charset_source,
        "license": license,
        "labels": [(_clean(name) or "", _clean(value) or "") for name, value in sorted(labels.items())] if labels else None,
        "source": source.name,
        "collection": source.collection or collection or None,
        "origin": {"input": file.input, "file": file.file, "offset": offset, "record_id": _clean(record_id)},
        "fault": fault,
    }


def extracted_row(source: Owned, file: InputFile, offset: int, record: str, content: str, told: Extracted, log: ReadLog) -> dict[str, Any]:
    """One document. ``record``: how the file calls it; ``content``: the digest of its bytes. What was left out goes to the log."""
    log.records.update(told.counted)
    text = _clean(told.text)
    fault = told.fault or (None if text and text.strip() else NO_TEXT)
    return row(
        source,
        file,
        key=(told.key,),
        offset=offset,
        content=content,
        text=text,
        fault=(fault, told.value, told.threshold) if fault else None,
        record_id=told.key or record or None,
        url=told.url,
        title=told.title,
        date=told.date,
        language=told.language,
        license=told.license or source.license or None,
        labels={**source.labels, **told.labels},
    )


def batches(rows: Iterable[dict[str, Any]], step: str, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    """``step``: the name that faults go under in the ledger."""
    held: list[dict[str, Any]] = []
    characters = 0
    for each in rows:
        held.append(each)
        characters += 1 + len(each["text"] or "")
        if characters >= batch_bytes or len(held) == _ROWS:
            yield _batch(held, step)
            held, characters = [], 0
    if held:
        yield _batch(held, step)


def _batch(rows: list[dict[str, Any]], step: str) -> pa.RecordBatch:
    faults = [each["fault"] for each in rows]
    failed = [[{"reason": fault[0].code, "step": step, "value": fault[1], "threshold": fault[2]}] if fault else [] for fault in faults]
    return document.new_batch(**{name: [each[name] for each in rows] for name in _COLUMNS}, failed=failed)


def _clean(text: str | None) -> str | None:
    """No lone surrogates, which Arrow refuses, nor NUL; "" is nothing."""
    return text.replace("\0", "").encode("utf-8", "replace").decode() or None if text else None
