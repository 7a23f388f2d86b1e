"""Files inside archives, one by one and bounded: tar, gzip, zip. Nothing is ever written to disk, so no path of theirs can lead anywhere.

Our own reader of tar goes on behind damage at the next header whose checksum is right, and begins anywhere in the file: large archives are
split. zip is read by Python's, stored and deflated members alone. An archive inside an archive is a member like any other.

    for member in members(stream, "a.tar.gz", Bounds(), log): member.path, member.content
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, final

from corpus.sources.framing import GZIP_MAGIC
from corpus.sources.gunzip import Gunzip
from corpus.sources.source import Damage, ReadLog

ZIP_MAGIC = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
BLOCK = 512
_PIECE = 2**20
_MAX_NAME = 64 * 1024
_OCTAL = re.compile(rb"[ \0]*([0-7]{0,24})[ \0]*")
_PAX = re.compile(rb"(\d{1,7}) (path|size)=")
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError, MemoryError)


@final
@dataclass(frozen=True, kw_only=True)
class Bounds:
    """``member_bytes``: a larger file is passed over, never held. ``archive_bytes``: of all content together, ``members``: their number;
    there the reading of an archive ends, for what is beyond is a bomb."""

    member_bytes: int = 16 * 2**20
    archive_bytes: int = 16 * 2**30
    members: int = 2_000_000


@final
@dataclass(frozen=True)
class Member:
    """``content`` is None where it is too large. ``offset``: of its header in the tar (unpacked), or in the zip."""

    path: str
    content: bytes | None
    size: int
    offset: int


def is_tar(head: bytes) -> bool:
    return len(head) >= BLOCK and _is_header(head[:BLOCK])


def is_zip(head: bytes) -> bool:
    return head.startswith((ZIP_MAGIC, _EMPTY_ZIP))


def inflated(head: bytes, limit: int = 4096) -> bytes:
    """The first bytes of what a gzip member holds; empty where it is none."""
    try:
        return zlib.decompressobj(31).decompress(head, limit)
    except zlib.error:
        return b""


def members(stream: IO[bytes], file: str, bounds: Bounds, log: ReadLog) -> Iterator[Member]:
    """All files of a tar (plain or gzip) or zip; damage, and what is no file, goes into the log."""
    head = stream.read(4)
    stream.seek(0)
    if is_zip(head):
        yield from _zip_members(stream, file, bounds, log)
    elif head.startswith(GZIP_MAGIC):
        yield from TarReader(Forward(Gunzip(stream)), file, bounds, log).members(0, 2**62)
    else:
        yield from TarReader(Seekable(stream), file, bounds, log).members(0, 2**62)


def gunzip(content: bytes, limit: int) -> tuple[bytes | None, bool]:
    """(what a gzip file holds, as far as it can be read, or None where that is more than ``limit`` bytes; whether it is whole)."""
    reader, out = Gunzip(io.BytesIO(content)), bytearray()
    try:
        while block := reader.read(_PIECE):
            out += block
            if len(out) > limit:
                return None, True
    except OSError:
        return bytes(out), False
    return bytes(out), True


def safe_path(path: str) -> str | None:
    """A member's path with ``.`` and ``..`` resolved; None where it is absolute or leads out of the archive."""
    parts: list[str] = []
    if path.startswith(("/", "\\", "~")) or re.match(r"[A-Za-z]:", path) or "\0" in path:
        return None
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or None


@final
class TarReader:
    """Members of a tar whose headers begin in a range. ``first`` and ``next`` as in ReadLog."""

    def __init__(self, stream: "Seekable | Forward", file: str, bounds: Bounds, log: ReadLog):
        self.stream, self.file, self.bounds, self.log = stream, file, bounds, log
        self.first: int | None = None
        self.next: int | None = None

    def members(self, start: int, end: int, exact: bool = True) -> Iterator[Member]:
        at = start if exact else self._find(start)
        name, size_told = "", -1  # of the header before, which only names the next file
        total = count = 0
        is_ended = is_told = False  # zeros stand where a tar ends
        while at < end or name:
            header = self.stream.read_at(at, BLOCK)
            if len(header) < BLOCK:
                if self.first is not None and not is_told and (self.stream.damaged or not is_ended):
                    self.log.damages.append(Damage(self.file, at, len(header), "tar:cut_off"))
                break
            is_ended = not header.strip(b"\0")
            if is_ended:
                at += BLOCK
                continue
            if not _is_header(header):
                found = self._find(at + BLOCK)
                self.log.damages.append(Damage(self.file, at, found - at, "tar:bad_header"))
                at, name, size_told = found, "", -1
                continue
            if self.first is None:
                self.first = at
            size = _number(header[124:136]) if size_told < 0 else size_told
            kind, body = header[156:157], at + BLOCK
            after = body + (size + BLOCK - 1) // BLOCK * BLOCK
            if kind in b"LxgKN" and kind:
                content = self.stream.read_at(body, min(size, _MAX_NAME))
                if kind == b"L":
                    name = content.rstrip(b"\0").decode("utf-8", "replace")
                elif kind == b"x":
                    told = _pax(content)
                    name = told.get("path", name)
                    size_told = int(told["size"]) if told.get("size", "").isdecimal() else -1
            else:
                path = name or _path(header)
                if kind in b"0\0" or kind == b"7":
                    count, total = count + 1, total + size
                    if count > self.bounds.members or total > self.bounds.archive_bytes:
                        self.log.records["archive:over_the_bounds"] += 1
                        break
                    file = self.stream.read_at(body, size) if size <= self.bounds.member_bytes else None
                    if file is not None and len(file) < size:
                        self.log.damages.append(Damage(self.file, body, len(file), "tar:cut_off"))
                        is_told = True
                    else:
                        yield Member(path, file, size, at)
                elif kind != b"5":
                    self.log.records["archive:link_or_device"] += 1
                name, size_told = "", -1
            at = after
        self.next = at

    def _find(self, start: int) -> int:
        """The first header with a right checksum at a whole block from ``start`` on; else the end."""
        at = (start + BLOCK - 1) // BLOCK * BLOCK
        while piece := self.stream.read_at(at, _PIECE):
            for inside in range(0, len(piece) - BLOCK + 1, BLOCK):
                if piece[inside + 257 : inside + 262] == b"ustar" and _is_header(piece[inside : inside + BLOCK]):
                    return at + inside
            at += len(piece)
            if len(piece) % BLOCK:
                break
        return at


@final
class Seekable:
    damaged = False

    def __init__(self, stream: IO[bytes]):
        self.stream = stream

    def read_at(self, at: int, size: int) -> bytes:
        self.stream.seek(at)
        return self.stream.read(size)


@final
class Forward:
    """Reads on and on; what was read last can be read again, and what is passed over is inflated and dropped."""

    def __init__(self, reader: Any):
        self.reader = reader
        self.held = b""
        self.held_at = 0
        self.damaged = False

    def read_at(self, at: int, size: int) -> bytes:
        while not self.damaged and self.held_at + len(self.held) <= at:
            self.held_at += len(self.held)
            self.held = self._more()
            if not self.held:
                return b""
        parts = [self.held[max(0, at - self.held_at) :]]
        had = len(parts[0])
        while had < size and (block := self._more()):
            parts.append(block)
            had += len(block)
        self.held, self.held_at = b"".join(parts), max(at, self.held_at)
        return self.held[:size]

    def _more(self) -> bytes:
        if self.damaged:
            return b""
        try:
            return bytes(self.reader.read(_PIECE))
        except OSError:
            self.damaged = True
            return b""


def _is_header(header: bytes) -> bool:
    """The sum of its bytes, those of the sum itself as spaces."""
    told = _OCTAL.fullmatch(header[148:156])
    return bool(told and told.group(1)) and int(told.group(1), 8) == sum(header) - sum(header[148:156]) + 8 * 32 if told else False


def _number(field: bytes) -> int:
    """Octal, or binary where the first bit is set; 0 where it is neither."""
    if field[:1] == b"\x80":
        return min(int.from_bytes(field[1:], "big"), 2**60)
    found = _OCTAL.fullmatch(field)
    return int(found.group(1) or b"0", 8) if found else 0


def _path(header: bytes) -> str:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return (prefix + b"/" + name if prefix else name).decode("utf-8", "replace")


def _pax(content: bytes) -> dict[str, str]:
    told: dict[str, str] = {}
    at = 0
    while found := re.match(rb"(\d{1,7}) ([^=]{1,100})=", content[at : at + 200]):
        length = int(found.group(1))
        if length <= found.end():
            break
        told[found.group(2).decode("utf-8", "replace")] = content[at + found.end() : at + length - 1].decode("utf-8", "replace")
        at += length
    return told


def _zip_members(stream: IO[bytes], file: str, bounds: Bounds, log: ReadLog) -> Iterator[Member]:
    total = 0
    try:
        archive = zipfile.ZipFile(stream)
        entries = archive.infolist()
    except _ZIP_FAULTS:
        log.damages.append(Damage(file, 0, max(0, stream.seek(0, io.SEEK_END)), "zip:no_directory"))
        return
    for entry in entries[: bounds.members]:
        if entry.is_dir():
            continue
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            log.records["archive:encrypted_or_unknown_compression"] += 1
            continue
        try:
            with archive.open(entry) as opened:
                content = opened.read(bounds.member_bytes + 1)
        except _ZIP_FAULTS:
            log.damages.append(Damage(file, entry.header_offset, entry.compress_size, "zip:damaged_member"))
            continue
        total += len(content)
        if total > bounds.archive_bytes:
            log.records["archive:over_the_bounds"] += 1
            return
        too_large = len(content) > bounds.member_bytes
        yield Member(entry.filename, None if too_large else content, max(entry.file_size, len(content)), entry.header_offset)
    if len(entries) > bounds.members:
        log.records["archive:over_the_bounds"] += 1
