"""One document a file, or a container of them: what most sources that are no web pages have in common.

yield from read_files(self, split, log, (".xml",), lambda data, name: read_articles(data))
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pyarrow as pa

from corpus.extraction.extracted import Extracted
from corpus.sources.containers import Wanted, entries
from corpus.sources.rows import Owned, batches, digest, extracted_row
from corpus.sources.source import ReadLog, Split


class FileSource(Owned, Protocol):
    """A source of files, with its bounds."""

    @property
    def max_document_bytes(self) -> int: ...
    @property
    def batch_bytes(self) -> int: ...


def read_files(
    source: FileSource, split: Split, log: ReadLog, endings: tuple[str, ...], reader: Callable[[bytes, str], list[Extracted]]
) -> Iterator[pa.RecordBatch]:
    """Every document of the split's file. ``endings``: of a container's members that are read; ``reader``: (bytes, name) -> documents."""

    def rows() -> Iterator[dict[str, Any]]:
        with split.file.place.open() as stream:
            for entry in entries(stream, split.file, Wanted(endings, source.max_document_bytes), log):
                fault = Extracted(fault=entry.fault, value=entry.size, threshold=source.max_document_bytes)
                content = digest(entry.data) if entry.data else f"{split.file.sha256}:{entry.offset}"
                found = (
                    [fault] if entry.fault else log.parse(split.file.file, entry.offset, len(entry.data), reader, entry.data, entry.name)
                )
                for number, told in enumerate(found or ()):
                    yield extracted_row(source, split.file, entry.offset + number, entry.name, f"{content}:{number}", told, log)

    yield from batches(rows(), source.name, source.batch_bytes)
