"""Where records begin and end in a WARC file, through damage.

A `.warc.gz` is a chain of gzip members, one a record as a rule; a plain `.warc` is a chain of headers and bodies. Both are cut
here into frames: the bytes of one record, and whether it is whole. After damage reading goes on at the next member (or header)
that is one, and what lies between is logged: other readers stop there, and the rest of the file is lost in silence.

    for frame in frames(stream, split, limit=2**24, log=log): ...
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, final

from isal import isal_zlib

from corpus.sources.source import Damage, ReadLog, Split

GZIP_MAGIC = b"\x1f\x8b\x08"
_PIECE = 32 * 1024  # compressed bytes inflated at once: at most 32 MiB come out, as deflate cannot pass 1 : 1032
_BLOCK = 1024 * 1024
_MAX_HEADER = 64 * 1024
_LENGTH = re.compile(rb"^content-length\s*:\s*(\d{1,18})\s*$", re.IGNORECASE | re.MULTILINE)
_HEADER = re.compile(rb"WARC/\d")
_NEXT_HEADER = re.compile(rb"\n\r?\nWARC/\d")
_HEADER_END = re.compile(rb"\r?\n\r?\n")

CORRUPT, TRUNCATED, NOT_A_RECORD, BAD_LENGTH = "gzip:corrupt", "gzip:truncated", "warc:not_a_record", "warc:bad_length"


@final
@dataclass(frozen=True)
class Frame:
    """One record. ``content`` is header and body, the body left out where it is longer than the limit.

    ``offset`` is where its member (or, in a plain file, its header) begins; in a member that holds several records, plus the
    number of those before it, so that offsets differ. ``whole`` is false where it ends elsewhere than its header says.
    """

    offset: int
    content: bytes
    body_bytes: int
    too_large: bool
    whole: bool


class _Broken(Exception):
    """The stream cannot be read on from here."""

    def __init__(self, what: str):
        self.what = what


def frames(stream: IO[bytes], split: Split, limit: int, log: ReadLog) -> Iterator[Frame]:
    """The records that begin in the split; ``limit``: bytes of a body above which it is passed over, never held."""
    size = split.file.size_bytes
    head = stream.read(3)
    stream.seek(0)
    is_gzip = head == GZIP_MAGIC or (split.file.file.endswith(".gz") and not head.startswith(b"WAR"))
    chain = _GzipChain(stream, size) if is_gzip else _PlainChain(stream, size)
    at = split.start if split.exact or split.start == 0 else chain.find(split.start)
    while at < split.end:
        if log.first is None:
            log.first = at
        broken = ""
        try:
            yield from chain.records(at, limit)
        except _Broken as error:
            broken = error.what
        after = chain.end
        if broken:
            after = chain.find(max(after, at + 1))
            log.damages.append(Damage(split.file.file, chain.damaged_from, after - chain.damaged_from, broken))
        log.next = after
        at = after
    log.read_bytes += max(0, (log.next or 0) - (log.first or 0))


class _Records:
    """Cuts a stream of record bytes into frames. Subclasses give the bytes (``more``)."""

    end: int  # where the chain goes on after ``records``
    damaged_from: int  # where what could not be read begins

    def __init__(self, stream: IO[bytes], size: int):
        self.stream = stream
        self.size = size
        self.buffer = bytearray()

    def more(self) -> bool:
        """Append some bytes to the buffer; false at the end. May raise _Broken."""
        raise NotImplementedError

    def have(self, count: int) -> bool:
        while len(self.buffer) < count:
            if not self.more():
                return False
        return True

    def header(self) -> bytes | None:
        """The header with its empty line, taken from the buffer; None where there is none within 64 KiB."""
        while True:
            found = _HEADER_END.search(self.buffer, 0, _MAX_HEADER)
            if found:
                taken = bytes(self.buffer[: found.end()])
                del self.buffer[: found.end()]
                return taken
            if len(self.buffer) >= _MAX_HEADER or not self.more():
                return None

    def body(self, length: int, limit: int) -> tuple[bytes, bool]:
        """(body, whether all of it was there); a body over the limit is passed over and empty."""
        if length <= limit:
            there = self.have(length)
            taken = bytes(self.buffer[:length])
            del self.buffer[:length]
            return taken, there
        left = length
        while left > 0:
            if not self.buffer and not self.more():
                return b"", False
            passed = min(left, len(self.buffer))
            del self.buffer[:passed]
            left -= passed
        return b"", True

    def skip_line_ends(self) -> bool:
        """Pass over CR, LF and NUL between records; false at the end of the stream."""
        while True:
            stripped = self.buffer.lstrip(b"\r\n\0")
            if stripped:
                self.buffer = bytearray(stripped)
                return True
            self.buffer.clear()
            if not self.more():
                return False


@final
class _GzipChain(_Records):
    """Members of a gzip file; nothing of one member's stream runs on into the next. ISA-L inflates 2.5 times as fast as zlib."""

    def __init__(self, stream: IO[bytes], size: int):
        super().__init__(stream, size)
        self.compressed = b""
        self.compressed_at = 0  # file offset of the first byte of ``compressed``
        self.at = 0  # file offset of the next byte to inflate
        self.inflater = isal_zlib.decompressobj(31)

    def piece(self, at: int) -> bytes:
        """Up to _PIECE bytes of the file from ``at``, through a block that is read once."""
        inside = at - self.compressed_at
        if not 0 <= inside < len(self.compressed):
            self.stream.seek(at)
            self.compressed, self.compressed_at, inside = self.stream.read(_BLOCK), at, 0
        return self.compressed[inside : inside + _PIECE]

    def more(self) -> bool:
        if self.inflater.eof:
            return False
        piece = self.piece(self.at)
        if not piece:
            raise _Broken(TRUNCATED)
        try:
            self.buffer += self.inflater.decompress(piece)
        except isal_zlib.error:  # type: ignore[misc]  # its stub calls the class an instance
            raise _Broken(CORRUPT) from None
        self.at += len(piece) - len(self.inflater.unused_data)
        return True

    def records(self, start: int, limit: int) -> Iterator[Frame]:
        self.at, self.damaged_from, self.end = start, start, start + 1
        self.inflater, self.buffer = isal_zlib.decompressobj(31), bytearray()
        number = 0
        while self.skip_line_ends():
            offset = start + number
            if not _HEADER.match(self.buffer) and self.have(6) and not _HEADER.match(self.buffer):
                self._drain()
                self.damaged_from = start
                raise _Broken(NOT_A_RECORD if number == 0 else BAD_LENGTH)
            header = self.header()
            length = _LENGTH.search(header) if header else None
            if header is None or length is None:
                self._drain()
                raise _Broken(NOT_A_RECORD)
            declared = int(length.group(1))
            body, there = b"", False
            broken: _Broken | None = None
            try:
                body, there = self.body(declared, limit)
                rest = self.skip_line_ends()  # to the end of the member: its checksum is tested there
                there = there and (not rest or bool(_HEADER.match(self.buffer)))
            except _Broken as error:
                broken, there = error, False
            yield Frame(offset, _with_crlf(header) + body, declared, declared > limit, there)
            if broken:
                raise broken
            number += 1
        self.end = self.at

    def _drain(self) -> None:
        """To the end of a member that holds no record, so that its bytes are lost and no others."""
        self.buffer.clear()
        while self.more():
            self.buffer.clear()
        self.end = self.at

    def find(self, start: int) -> int:
        """The first offset >= start where a member begins that holds a record; the file's size if there is none."""
        at = start
        while at < self.size:
            self.stream.seek(at)
            block = self.stream.read(_BLOCK + len(GZIP_MAGIC) - 1)
            inside = block.find(GZIP_MAGIC)
            while inside >= 0:
                if self._holds_a_record(at + inside):
                    return at + inside
                inside = block.find(GZIP_MAGIC, inside + 1)
            at += _BLOCK
        return self.size

    def _holds_a_record(self, at: int) -> bool:
        self.stream.seek(at)
        try:
            return _HEADER.match(zlib.decompressobj(31).decompress(self.stream.read(512), 16).lstrip(b"\r\n")) is not None
        except zlib.error:
            return False


@final
class _PlainChain(_Records):
    """Headers and bodies one after another, not compressed."""

    def more(self) -> bool:
        block = self.stream.read(_BLOCK if len(self.buffer) > _PIECE else _PIECE)
        self.buffer += block
        return bool(block)

    def records(self, start: int, limit: int) -> Iterator[Frame]:
        """The one record at ``start``: if it does not end where its header says, its end is where the next header is."""
        self.stream.seek(start)
        self.buffer.clear()
        self.damaged_from, self.end = start, self.size
        if not self.skip_line_ends():
            return
        self.have(_PIECE)
        start = self.stream.tell() - len(self.buffer)
        header = self.header() if _HEADER.match(self.buffer) else None
        length = _LENGTH.search(header) if header else None
        if header is None or length is None:
            self.end = start + 1
            raise _Broken(NOT_A_RECORD)
        declared, body_at = int(length.group(1)), start + len(header)
        body, there = self.body(declared, limit)
        following = self.skip_line_ends()
        if there and following:
            self.have(6)
            there = bool(_HEADER.match(self.buffer))
        if there:
            self.end = self.stream.tell() - len(self.buffer)
            yield Frame(start, _with_crlf(header) + body, declared, declared > limit, True)
            return
        self.end = self.find(body_at)
        yield Frame(start, _with_crlf(header), declared, declared > limit, False)
        self.damaged_from = body_at
        self.end = body_at
        raise _Broken(BAD_LENGTH)

    def find(self, start: int) -> int:
        at = max(0, start - 4)
        overlap = 16
        while at < self.size:
            self.stream.seek(at)
            block = self.stream.read(_BLOCK + overlap)
            for found in _NEXT_HEADER.finditer(block):
                place = at + block.index(b"W", found.start())
                if place >= start:
                    return place
            at += _BLOCK
        return self.size


def _with_crlf(header: bytes) -> bytes:
    """Some old writers (ClueWeb09) end lines with LF alone, which FastWARC does not split."""
    return header if b"\r\n" in header else header.replace(b"\n", b"\r\n")
