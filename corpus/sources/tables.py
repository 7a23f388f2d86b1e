"""Tables with a text column: JSON lines (plain, gzip, zstd) and Parquet.

A line that is no JSON object costs itself alone: it is logged with its offset. Plain JSON lines are split at newlines, Parquet by
row groups; compressed lines are one split.

    JsonlSource(text_field="content").read(split, log)
"""

import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, final

import pyarrow as pa
import pyarrow.parquet as pq
from fastwarc.stream_io import ZstdReader

from corpus import document, hashing
from corpus.errors import InputError
from corpus.sources.framing import GZIP_MAGIC
from corpus.sources.gunzip import Gunzip
from corpus.sources.source import Damage, InputFile, ReadLog, Source, Split
from corpus.sources.warc import parse_date
from corpus.step import Reason

NO_TEXT = Reason("table:no_text", "the record has no text in its text field")
TOO_LARGE = Reason("table:too_large", "the line is longer than the limit in bytes")

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_PARQUET_MAGIC = b"PAR1"
_BLOCK = 64 * 1024
_ZSTD_BLOCK = 4096  # Arrow keeps nothing of a read in which it meets damage: what that costs of the lines before it
_ROWS = 1024
_NO_VALUE = (ValueError, OverflowError, KeyError, pa.ArrowException)


@dataclass(frozen=True, kw_only=True)
class TableSource(Source):
    """What sources of tables have in common: which column holds what. ``key_field`` names what tells two records with the same text apart
    (an id), if there is one; ``label_fields``: access label -> the column that it is read from (``{confidential: secrecy_level}``), beside
    a column ``labels``.
    """

    name: str
    collection: str = ""
    text_field: str = "text"
    key_field: str = "id"
    url_field: str = "url"
    title_field: str = "title"
    date_field: str = "date"
    language_field: str = "language"
    license_field: str = "license"
    label_fields: dict[str, str] = field(default_factory=dict)


@final
@dataclass(frozen=True, kw_only=True)
class JsonlSource(TableSource):
    """One JSON object a line."""

    name: str = "jsonl"
    max_document_bytes: int = 16 * 2**20
    batch_bytes: int = 16 * 2**20
    split_bytes: int = 128 * 2**20

    reasons = (NO_TEXT, TOO_LARGE)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        try:
            if head.startswith(GZIP_MAGIC):
                head = zlib.decompressobj(31).decompress(head, 4096)
            elif head.startswith(_ZSTD_MAGIC):
                head = ZstdReader(io.BytesIO(head)).read(64)
        except (OSError, zlib.error):
            return False
        name = file.file.lower()
        is_named = any(ending in name for ending in (".jsonl", ".ndjson", ".json"))
        first, newline, _ = head.lstrip(b"\xef\xbb\xbf \r\n\t").partition(b"\n")
        is_lines = ".jsonl" in name or ".ndjson" in name or not newline or first.rstrip().endswith(b"}")  # else one object over many lines
        return is_named and first.startswith(b"{") and is_lines

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        if file.file.lower().endswith((".gz", ".zst", ".zstd")):
            return [(0, max(1, file.size_bytes))]
        starts = range(0, max(1, file.size_bytes), self.split_bytes)
        return [(start, max(1, min(start + self.split_bytes, file.size_bytes))) for start in starts]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        rows: list[dict[str, Any]] = []
        held = 0
        with split.file.place.open() as stream:
            for offset, line, length in lines_of(stream, split, self.max_document_bytes, log):
                row = log.parse(split.file.file, offset, length, self._row, offset, line, length, split.file, log)
                if row:
                    rows.append(row)
                    held += length if row["text"] else 1
                if held >= self.batch_bytes or len(rows) == _ROWS:
                    yield table_batch(rows)
                    rows, held = [], 0
        if rows:
            yield table_batch(rows)

    def _row(self, offset: int, line: bytes, length: int, file: InputFile, log: ReadLog) -> dict[str, Any] | None:
        fault = None
        fields: Any = {}
        if not line and length > self.max_document_bytes:
            fault = (TOO_LARGE, length, self.max_document_bytes)
        elif not line.strip():
            return None
        else:
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError):
                fields = None
            if not isinstance(fields, dict):
                log.damages.append(Damage(file.file, offset, length, "json:bad_line"))
                return None
        return table_row(self, file, offset, fields, fault)


def lines_of(stream: IO[bytes], split: Split, limit: int, log: ReadLog) -> Iterator[tuple[int, bytes, int]]:
    """(offset, line, length) of the lines that begin in the split; a line of more than ``limit`` bytes comes empty, never held."""
    magic = stream.read(4)
    stream.seek(0)
    is_gzip, is_zstd = magic.startswith(GZIP_MAGIC), magic == _ZSTD_MAGIC
    reader = Gunzip(stream) if is_gzip else pa.CompressedInputStream(stream, "zstd") if is_zstd else stream
    end = 2**62 if is_gzip or is_zstd else split.end
    at = 0
    if split.start > 0:  # the line that crosses into the split belongs to the one before
        stream.seek(split.start - 1)
        at = split.start - 1
        at += Buffered(stream, _BLOCK).line(0)[1]
        stream.seek(at)
    lines = Buffered(reader, _ZSTD_BLOCK if is_zstd else _BLOCK)
    while at < end:
        try:
            line, length = lines.line(limit)
        except OSError:
            if reader is stream:
                raise
            met = max(0, stream.tell() - _BLOCK)  # somewhere in the last block
            log.damages.append(Damage(split.file.file, met, split.file.size_bytes - met, "compression:corrupt"))
            break
        if length == 0:
            break
        yield at, line, length
        log.read_bytes += length
        at += length


@final
@dataclass(frozen=True, kw_only=True)
class ParquetSource(TableSource):
    """Parquet files with a text column. Only the columns that are used are read; a split is a range of row groups."""

    name: str = "parquet"
    max_document_bytes: int = 16 * 2**20
    batch_bytes: int = 16 * 2**20
    row_groups_a_split: int = 8

    reasons = (NO_TEXT, TOO_LARGE)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        """Raises InputError where there is no text column."""
        if not head.startswith(_PARQUET_MAGIC):
            return False
        if (parquet := open_parquet(file)) is not None:
            need_column(self, file, parquet.schema_arrow.names)
        return True

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return parquet_splits(file, self.row_groups_a_split)

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        """``start`` and ``end`` of the split are numbers of row groups; ``offset`` of a document is the number of its row."""
        told = (self.text_field, self.key_field, self.url_field, self.title_field, self.date_field, self.language_field, self.license_field)
        wanted = tuple(dict.fromkeys((*told, "labels", *self.label_fields.values())))
        if (parquet := open_parquet(split.file)) is not None:
            need_column(self, split.file, parquet.schema_arrow.names)
        rows: list[dict[str, Any]] = []
        held = 0
        for number, fields in parquet_rows(split, wanted, log, _ROWS, self.batch_bytes):
            text = fields.get(self.text_field)
            size = len(text) if isinstance(text, str) else 0
            fault = (TOO_LARGE, size, self.max_document_bytes) if size > self.max_document_bytes else None
            rows.append(table_row(self, split.file, number, {**fields, self.text_field: None} if fault else fields, fault))
            held += 0 if fault else size
            if held >= self.batch_bytes or len(rows) == _ROWS:
                yield table_batch(rows)
                rows, held = [], 0
        if rows:
            yield table_batch(rows)


def need_column(source: TableSource, file: InputFile, names: Sequence[str]) -> None:
    """Raises InputError where the table has no text column: in a folder of many tables it is one that is not meant."""
    if source.text_field not in names:
        there = ", ".join(names[:20])
        hint = f"it has {there}; set {source.name}.text_field to the one with the text"
        raise InputError(f"no column {source.text_field!r}", where=file.uri, hint=hint)


def open_parquet(file: InputFile) -> pq.ParquetFile | None:
    """None where it cannot be read: its footer says where everything lies."""
    try:
        return pq.ParquetFile(file.place.open(), pre_buffer=False)
    except (pa.ArrowException, OSError):
        return None


def parquet_splits(file: InputFile, row_groups: int) -> list[tuple[int, int]]:
    """Ranges of row groups."""
    parquet = open_parquet(file)
    groups = parquet.metadata.num_row_groups if parquet else 0
    return [(at, min(at + row_groups, groups)) for at in range(0, max(1, groups), row_groups)]


def parquet_rows(split: Split, wanted: tuple[str, ...], log: ReadLog, rows: int, batch_bytes: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number of the row in the file, its fields) of the split's row groups; ``rows`` are decoded at once, or fewer where so many come to
    more than ``batch_bytes``. Damage costs a row group."""
    parquet = open_parquet(split.file)
    if parquet is None:
        log.damages.append(Damage(split.file.file, 0, split.file.size_bytes, "parquet:no_footer"))
        return
    columns = [name for name in wanted if name in parquet.schema_arrow.names]
    sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.metadata.num_row_groups)]
    for group in range(split.start, split.end):
        told = parquet.metadata.row_group(group)
        first, lost = sum(sizes[:group]), sum(told.column(at).total_compressed_size for at in range(told.num_columns))
        log.read_bytes += told.total_byte_size
        at_once = max(1, min(rows, batch_bytes * told.num_rows // max(1, told.total_byte_size)))
        try:
            for batch in parquet.iter_batches(batch_size=at_once, row_groups=[group], columns=columns):
                yield from ((first + at, fields) for at, fields in enumerate(_fields(batch)))
                first += batch.num_rows
        except (pa.ArrowException, OSError):  # what came of the group before stays
            log.damages.append(Damage(split.file.file, told.column(0).data_page_offset, lost, "parquet:corrupt_row_group"))


def _fields(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch; what Python has no value for (a date behind the year 9999, a time zone that is none) becomes null."""
    try:
        return batch.to_pylist()  # type: ignore[no-any-return]
    except _NO_VALUE:
        columns = {name: list(map(_value, batch[name])) for name in batch.schema.names}
        return [{name: column[at] for name, column in columns.items()} for at in range(batch.num_rows)]


def _value(cell: pa.Scalar) -> Any:
    try:
        return cell.as_py()
    except _NO_VALUE:
        is_text = cell.is_valid and (pa.types.is_string(cell.type) or pa.types.is_large_string(cell.type))
        return cell.as_buffer().to_pybytes().decode("utf-8", "replace") if is_text else None


@final
class Buffered:
    """Lines of a stream with a bound on what is held."""

    def __init__(self, stream: Any, block: int):
        self.stream = stream
        self.block = block
        self.buffer = b""
        self.at = 0

    def line(self, limit: int) -> tuple[bytes, int]:
        """(line without its newline, its length with it); longer than ``limit``: (b"", length). Length 0 at the end."""
        parts: list[bytes] = []
        length = 0
        while True:
            if self.at >= len(self.buffer):
                self.buffer, self.at = bytes(self.stream.read(self.block)), 0
                if not self.buffer:
                    break
            found = self.buffer.find(b"\n", self.at)
            to = len(self.buffer) if found < 0 else found + 1
            length += to - self.at
            if length <= limit:
                parts.append(self.buffer[self.at : to])
            else:
                parts = []
            self.at = to
            if found >= 0:
                break
        return b"".join(parts).rstrip(b"\n") if length <= limit else b"", length


def table_row(source: TableSource, file: InputFile, offset: int, fields: dict[str, Any], fault: Any) -> dict[str, Any]:
    """A record of a table as a row, by the column map of its source."""
    text, key = fields.get(source.text_field), fields.get(source.key_field)
    is_text = isinstance(text, str) and bool(text.strip())
    if isinstance(text, str):
        text = text.encode("utf-8", "replace").decode()  # JSON may hold lone surrogates, which are no characters
    return {
        "id": hashing.document_id(source.name, "" if key is None else str(key), hashing.content_digest(str(text) if is_text else "").hex()),
        "text": text if is_text else None,
        "url": _text(fields.get(source.url_field)),
        "title": _text(fields.get(source.title_field)),
        "date": _date(fields.get(source.date_field)),
        "language": _text(fields.get(source.language_field)),
        "license": _text(fields.get(source.license_field)),
        "labels": _labels(fields, source.label_fields) or None,
        "source": source.name,
        "collection": source.collection or None,
        "origin": {"input": file.input, "file": file.file, "offset": offset, "record_id": None if key is None else str(key)},
        "fault": fault or (None if is_text else (NO_TEXT, None, None)),
    }


def _labels(fields: dict[str, Any], mapped: dict[str, str]) -> list[tuple[str, str]]:
    """What the record's own ``labels`` say, and what its columns are mapped to; an empty column is no label."""
    labels = fields.get("labels")
    pairs = labels.items() if isinstance(labels, dict) else labels if isinstance(labels, list) else ()
    own = {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, (tuple, list)) and len(pair) == 2}
    told = {**own, **{label: value for label, column in mapped.items() if (value := fields.get(column)) is not None}}
    return [(_text(label) or "", _text(str(value)) or "") for label, value in told.items() if value is not None and str(value).strip()]


def _date(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return parse_date(str(value))


def _text(value: Any) -> str | None:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def table_batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    faults = [row.pop("fault") for row in rows]
    failed = [[{"reason": fault[0].code, "step": "table", "value": fault[1], "threshold": fault[2]}] if fault else [] for fault in faults]
    return document.new_batch(**{name: [row[name] for row in rows] for name in rows[0]}, failed=failed)
