"""From what a reader of files gives to rows and batches: identity, origin, labels, fault.

rows = (row(self, split.file, entry.offset, entry.name, digest(entry.data), told, log) for ...)
yield from batches(rows, "journals", self.batch_bytes)
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import pyarrow as pa
import xxhash

from corpus import document, hashing
from corpus.extraction.extracted import NO_TEXT, Extracted
from corpus.sources.source import InputFile, ReadLog

_ROWS = 1024


class Named(Protocol):
    """What a row takes from its source. ``license`` and ``labels`` are the owner's word on all its documents; a file's own stands above."""

    @property
    def name(self) -> str: ...
    @property
    def collection(self) -> str: ...
    @property
    def license(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


def digest(data: bytes) -> str:
    """Of a document's bytes: what tells two with the same key apart."""
    return f"xxh3:{xxhash.xxh3_128_hexdigest(data)}"


def row(source: Named, file: InputFile, offset: int, record: str, content: str, told: Extracted, log: ReadLog) -> dict[str, Any]:
    """One document. ``record``: how the file calls it; ``content``: the digest of its bytes. What was left out goes to the log."""
    log.records.update(told.counted)
    text = told.text.replace("\0", "").encode("utf-8", "replace").decode()
    is_text = bool(text.strip()) and told.fault is None
    fault = told.fault or (None if is_text else NO_TEXT)
    labels = {**source.labels, **told.labels}
    return {
        "id": hashing.document_id(source.name, told.key, content),
        "text": text if is_text else None,
        "url": _clean(told.url),
        "title": _clean(told.title),
        "date": told.date,
        "language": _clean(told.language),
        "license": told.license or source.license or None,
        "labels": [(_clean(name), _clean(value)) for name, value in sorted(labels.items())] or None,
        "source": source.name,
        "collection": source.collection or None,
        "origin": {"input": file.input, "file": file.file, "offset": offset, "record_id": _clean(told.key or record)},
        "failed": [{"reason": fault.code, "step": source.name, "value": told.value, "threshold": told.threshold}] if fault else [],
    }


def batches(rows: Iterable[dict[str, Any]], batch_bytes: int) -> Iterator[pa.RecordBatch]:
    """Rows in batches bounded by the characters of their texts."""
    held: list[dict[str, Any]] = []
    size = 0
    for each in rows:
        held.append(each)
        size += len(each["text"] or "")
        if size >= batch_bytes or len(held) == _ROWS:
            yield _batch(held)
            held, size = [], 0
    if held:
        yield _batch(held)


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return document.new_batch(**{name: [each[name] for each in rows] for name in rows[0]})


def _clean(text: str | None) -> str | None:
    """No lone surrogates, which Arrow refuses, nor NUL; "" is nothing."""
    return text.replace("\0", "").encode("utf-8", "replace").decode() or None if text else None
