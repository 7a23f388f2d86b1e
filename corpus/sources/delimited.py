"""CSV and TSV with a header line, in any encoding: a record is a document, by the column map.

Quotes may hold newlines, so that nothing but reading from the start tells where a record begins: a file is one split. A quote that is
never closed would swallow the rest of the file; it costs the line that it stands in, and reading goes on at the next.

    CsvSource(text_field="body", label_fields={"confidential": "secrecy"}).read(split, log)
"""

import codecs
import csv
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import pyarrow as pa

from corpus.extraction.charset import codec_of
from corpus.sources.framing import GZIP_MAGIC
from corpus.sources.gunzip import Gunzip
from corpus.sources.source import Damage, InputFile, ReadLog, Split
from corpus.sources.tables import NO_TEXT, TOO_LARGE, Buffered, TableSource, need_column, table_batch, table_row

_ENDINGS = (".csv", ".tsv", ".tab", ".csv.gz", ".tsv.gz")
_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE = 64 * 1024
_ROWS = 1024
_MAX_LINES = 10_000  # of one record: beyond it a quote was left open
_SEPARATOR = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)  # Excel's first line
BAD_QUOTE, BAD_WIDTH, CORRUPT = "csv:open_quote", "csv:wrong_number_of_fields", "compression:corrupt"


@final
@dataclass(frozen=True, kw_only=True)
class CsvSource(TableSource):
    """``delimiter`` and ``encoding`` are found out where they are left empty. Fields as in ``jsonl``; their names are the header's."""

    name: str = "csv"
    delimiter: str = ""
    encoding: str = ""
    max_document_bytes: int = 16 * 2**20
    batch_bytes: int = 16 * 2**20

    reasons = (NO_TEXT, TOO_LARGE)

    def __post_init__(self) -> None:
        if len(self.delimiter) > 1:
            raise ValueError("delimiter must be one character, or empty to find it out")
        if self.encoding:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise ValueError(f"encoding: nobody knows {self.encoding!r}") from None

    def accepts(self, file: InputFile, head: bytes) -> bool:
        """Raises InputError where there is no text column."""
        if not file.file.lower().endswith(_ENDINGS) or not head.strip() or head.startswith((b"PK\x03\x04", b"%PDF-", b"PAR1")):
            return False
        next(self._records(Split(file, 0, file.size_bytes), ReadLog()), None)
        return True

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return [(0, max(1, file.size_bytes))]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        """``offset`` of a document: bytes from the start of the file as UTF-8 or whatever its bytes are, unpacked if it is packed."""
        rows: list[dict[str, Any]] = []
        held = 0
        for offset, fields, length in self._records(split, log):
            log.read_bytes += length
            fault = (TOO_LARGE, length, self.max_document_bytes) if fields is None else None
            rows.append(table_row(self, split.file, offset, fields or {}, fault))
            held += length
            if held >= self.batch_bytes or len(rows) == _ROWS:
                yield table_batch(rows)
                rows, held = [], 0
        if rows:
            yield table_batch(rows)

    def _records(self, split: Split, log: ReadLog) -> Iterator[tuple[int, dict[str, str] | None, int]]:
        """(offset, fields by the header's names, length); without fields where the record is over the limit."""
        lines = self._lines(split, log)
        header: list[str] = []
        delimiter = self.delimiter
        for offset, text, length in _joined(lines, self.max_document_bytes, split.file, log):
            if text is None:
                yield offset, None, length
                continue
            if not header:
                if told := _SEPARATOR.fullmatch(text.rstrip("\r")):
                    delimiter = delimiter or told.group(1)
                    continue
                delimiter = delimiter or max(_DELIMITERS, key=text.count)
                header = [name.strip() for name in _parsed(text, delimiter)]
                need_column(self, split.file, header)
                continue
            if not text.strip():
                continue
            values = _parsed(text, delimiter)
            if len(values) != len(header):
                log.damages.append(Damage(split.file.file, offset, length, BAD_WIDTH))
                continue
            yield offset, dict(zip(header, values, strict=True)), length

    def _lines(self, split: Split, log: ReadLog) -> Iterator[tuple[int, str | None, int]]:
        """(offset, line, length); no line where it is over the limit."""
        with split.file.place.open() as stream:
            is_gzip = stream.read(3) == GZIP_MAGIC
            stream.seek(0)
            sample = stream.read(_SAMPLE)
            stream.seek(0)
            if is_gzip:
                sample = _inflated(sample)
            encoding = self.encoding or _encoding(sample)
            reader: Any = Gunzip(stream) if is_gzip else stream
            if encoding.replace("_", "-").lower().startswith(("utf-16", "utf-32")):
                reader, encoding = _AsUtf8(reader, encoding), "utf-8"
                sample = sample.replace(b"\0", b"")
            if re.match(rb"[^\r\n]*\r[^\n]", sample):
                reader = _CrAsLf(reader)
            lines = Buffered(reader, _SAMPLE)
            at = 0
            while True:
                try:
                    line, length = lines.line(self.max_document_bytes)
                except OSError:
                    if not is_gzip:
                        raise
                    log.damages.append(Damage(split.file.file, 0, split.file.size_bytes, CORRUPT))
                    return
                if not length:
                    return
                text = None if length > self.max_document_bytes else line.decode(encoding, "replace").replace("\0", "")
                yield at, text.removeprefix("\ufeff") if text and not at else text, length
                at += length


def _joined(
    lines: Iterator[tuple[int, str | None, int]], limit: int, file: InputFile, log: ReadLog
) -> Iterator[tuple[int, str | None, int]]:
    """Lines to records: a line with an open quote takes the next ones to it, until the quote closes."""
    waiting: list[tuple[int, str | None, int]] = []  # read ahead for a quote that did not close
    while True:
        first = waiting.pop(0) if waiting else next(lines, None)
        if first is None:
            return
        offset, text, length = first
        if text is None or text.count('"') % 2 == 0:
            yield first
            continue
        parts, is_open = [text], True
        taken: list[tuple[int, str | None, int]] = []
        while is_open and length <= limit and len(taken) < _MAX_LINES:
            following = waiting.pop(0) if waiting else next(lines, None)
            if following is None:
                break
            taken.append(following)
            if following[1] is None:
                break
            parts.append(following[1])
            length += following[2]
            is_open = following[1].count('"') % 2 == 0
        if not is_open and length <= limit:
            yield offset, "\n".join(parts), length
        else:
            log.damages.append(Damage(file.file, offset, first[2], BAD_QUOTE))
            waiting = taken + waiting


def _parsed(text: str, delimiter: str) -> list[str]:
    """The fields of one record. The csv module wants lines with their ends; only real ones, no U+2028."""
    csv.field_size_limit(2**31 - 1)  # records are bounded before they come here
    return next(csv.reader(io.StringIO(text.rstrip("\r"), newline=""), delimiter=delimiter), [])


def _encoding(sample: bytes) -> str:
    """By mark, else UTF-8 where the sample is that, else what a detector says of it."""
    for mark, name in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if sample.startswith(mark):
            return "utf-8" if name == "utf-8-sig" else name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # a character cut at the sample's end is none of its faults
        return "utf-8"
    except UnicodeDecodeError:
        return codec_of(sample)


def _inflated(sample: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(sample, _SAMPLE)
    except zlib.error:
        return b""


@final
class _CrAsLf:
    """Lines that end with CR alone, as on a Mac of the last century and in some exports of Excel's."""

    def __init__(self, stream: Any):
        self.stream = stream

    def read(self, size: int) -> bytes:
        return bytes(self.stream.read(size)).replace(b"\r", b"\n")


@final
class _AsUtf8:
    """A stream in an encoding of two or four bytes a character, as UTF-8: lines end at one byte there."""

    def __init__(self, stream: Any, encoding: str):
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder(encoding)("replace")

    def read(self, size: int) -> bytes:
        while True:
            data = bytes(self.stream.read(size))
            text = self.decoder.decode(data, final=not data)
            if text or not data:
                return text.encode("utf-8", "replace")
