"""E-mail: mbox files, .eml files, and the folders of a maildir.

An mbox is split at its ``From `` lines: an empty line before, a date behind. A message is one document; a thread's share a label.

    MailSource(labels={"confidential": "yes"}).read(split, log)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, final

import pyarrow as pa

from corpus.extraction.extracted import ENCRYPTED as LOCKED
from corpus.extraction.extracted import NO_TEXT, TOO_LARGE, Extracted
from corpus.extraction.mail import ENCRYPTED, NOTHING_NEW, TOO_NESTED, UNREADABLE, read_message
from corpus.sources.files import read_files
from corpus.sources.rows import batches, digest, extracted_row
from corpus.sources.source import InputFile, ReadLog, Source, Split
from corpus.sources.tables import Buffered

_HEADER = re.compile(
    rb"^(?:from|to|subject|date|received|return-path|delivered-to|message-id|mime-version|x-[a-z-]+):", re.IGNORECASE | re.MULTILINE
)
_FROM = re.compile(rb"^From \S.*\d\d:\d\d")  # address and date: "From " at the head of a sentence has no time behind it, as a rule:
_DATED = re.compile(rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? .*\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b")  # then by its day,
_FIELD = re.compile(rb"[!-9;-~]{1,100}:|>From ")  # or by the header that follows
_MAILDIR = re.compile(r"(?:^|/)(?:cur|new)/[^/]+$")
_BLOCK = 64 * 1024


@final
@dataclass(frozen=True, kw_only=True)
class MailSource(Source):
    """``labels`` are the owner's; each message has ``thread`` besides. A message over ``max_document_bytes`` is counted, not held."""

    name: str = "mail"
    collection: str = ""
    license: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    max_document_bytes: int = 32 * 2**20
    batch_bytes: int = 16 * 2**20
    split_bytes: int = 128 * 2**20

    reasons = (UNREADABLE, TOO_NESTED, ENCRYPTED, NOTHING_NEW, NO_TEXT, TOO_LARGE, LOCKED)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        name = file.file.lower()
        if _is_mbox(head):
            return True
        looks_like_mail = bool(_HEADER.match(head)) and len(_HEADER.findall(head)) >= 2
        return looks_like_mail and (name.endswith((".eml", ".mbox", ".mail")) or bool(_MAILDIR.search(file.file)))

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        if file.file.lower().endswith(".eml") or _MAILDIR.search(file.file):
            return [(0, max(1, file.size_bytes))]
        starts = range(0, max(1, file.size_bytes), self.split_bytes)
        return [(start, max(1, min(start + self.split_bytes, file.size_bytes))) for start in starts]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        with split.file.place.open() as stream:
            is_mbox = _is_mbox(stream.read(4096))
        if not is_mbox:
            if split.start == 0:
                yield from read_files(self, split, log, (".eml",), lambda data, name: [read_message(data)])
            return

        def rows() -> Iterator[dict[str, Any]]:
            with split.file.place.open() as stream:
                for offset, data, length in _messages(stream, split, self.max_document_bytes):
                    log.read_bytes += length
                    told: Extracted | None = Extracted(fault=TOO_LARGE, value=length, threshold=self.max_document_bytes)
                    content = f"{split.file.sha256}:{offset}"
                    if length <= self.max_document_bytes:
                        told, content = log.parse(split.file.file, offset, length, read_message, data), digest(data)
                    if told:
                        yield extracted_row(self, split.file, offset, "", content, told, log)

        yield from batches(rows(), self.name, self.batch_bytes)


def _is_mbox(head: bytes) -> bool:
    first, _, rest = head.partition(b"\n")
    return bool(_FROM.match(first)) and bool(_HEADER.match(rest))


def _messages(stream: IO[bytes], split: Split, limit: int) -> Iterator[tuple[int, bytes, int]]:
    """(offset of its From line, message, length) of those that begin in the split; over the limit: without the message."""
    at = 0
    was_empty = True
    if split.start > 0:
        at, was_empty = _line_start(stream, split.start)
    lines = Buffered(stream, _BLOCK)
    offset: int | None = None
    held: list[bytes] = []
    size = 0
    following = lines.line(limit)
    while True:
        (line, length), following = following, lines.line(limit)
        if not length or (was_empty and _begins(line, following[0])):
            if offset is not None:
                yield offset, b"\n".join(held), size
            held, size, offset = [], 0, None
            if not length or at >= split.end:
                return
            offset = at
        elif offset is not None:
            size += length
            if size <= limit:
                held.append(line[1:] if re.match(rb">+From ", line) else line)
            else:
                held.clear()
        elif at >= split.end:
            return
        was_empty = not line.strip() and length <= 2
        at += length


def _begins(line: bytes, following: bytes) -> bool:
    return bool(_FROM.match(line)) and bool(_DATED.search(line) or _FIELD.match(following))


def _line_start(stream: IO[bytes], start: int) -> tuple[int, bool]:
    """The first line that begins at ``start`` or later, and whether the one before it is empty."""
    back = max(0, start - 3)
    stream.seek(back)
    before = stream.read(start - back)
    if before.endswith(b"\n"):
        stream.seek(start)
        return start, before.endswith((b"\n\n", b"\n\r\n"))
    stream.seek(start)
    at = start + Buffered(stream, _BLOCK).line(0)[1]
    back = max(0, at - 3)
    stream.seek(back)
    before = stream.read(at - back)
    return at, before.endswith((b"\n\n", b"\n\r\n"))
