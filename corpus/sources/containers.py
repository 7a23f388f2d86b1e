"""Files in files: a folder's worth of documents in one .tar, .tar.gz, .zip, .gz or .jsonl, opened member by member within bounds.

Nothing is unpacked to disk, so a member's name can lead nowhere. An archive inside an archive is counted and left closed. What a
member or the whole may grow to is bounded: a bomb costs itself, and damage what lies behind it in a stream.

    for entry in entries(stream, file, Wanted((".nxml", ".xml")), log): ...
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, final

from corpus.extraction.extracted import BROKEN, ENCRYPTED, TOO_LARGE
from corpus.sources.framing import GZIP_MAGIC
from corpus.sources.gunzip import Gunzip
from corpus.sources.source import Damage, InputFile, ReadLog
from corpus.sources.tables import Buffered
from corpus.step import Reason

ZIP_MAGIC = b"PK\x03\x04"
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst")
LINES = (".jsonl", ".ndjson")
ZIP_FAULTS = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, struct.error,
              ValueError, KeyError, IndexError, OverflowError, AttributeError, TypeError)  # fmt: skip
_ONE_DOCUMENT = ("[Content_Types].xml", "mimetype")
_BLOCK = 64 * 1024
_MAX_EXPANSION = 200  # XML shrinks to a tenth; deflate cannot pass 1 : 1032
_FREE_BYTES = 64 * 2**20  # below this a member may be as empty as it likes
_MAX_NAME = 64 * 1024  # of a tar's extended header


@final
@dataclass(frozen=True)
class Wanted:
    """Which members are read (by the end of their names; none: all), and how large one may be."""

    endings: tuple[str, ...] = ()
    max_bytes: int = 64 * 2**20


@final
@dataclass(frozen=True)
class Entry:
    """One document's bytes. ``offset``: where it begins in the file, or in what it unpacks to. ``name`` is relative, for reading only."""

    name: str
    offset: int
    data: bytes
    fault: Reason | None = None
    size: int = 0


def is_tar(head: bytes) -> bool:
    """A header of 512 bytes whose checksum is right."""
    return len(head) >= 512 and _checksum_holds(head[:512])


def entries(stream: IO[bytes], file: InputFile, wanted: Wanted, log: ReadLog) -> Iterator[Entry]:
    """The documents in a file; the file itself where it is no container. Never raises for damaged content."""
    log.read_bytes += file.size_bytes
    head = stream.read(512)
    stream.seek(0)
    name = file.file.rpartition("/")[2]
    if head.startswith(ZIP_MAGIC) and name.lower().endswith(".zip"):
        yield from _zipped(stream, file, wanted, log)
        return
    reader: Any = stream
    if head.startswith(GZIP_MAGIC):
        reader = _Peeked(Gunzip(stream), file)
        name = re.sub(r"\.gz$", "", re.sub(r"\.tgz$", ".tar", name, flags=re.IGNORECASE), flags=re.IGNORECASE)
        head = reader.peek(512)
    try:
        if is_tar(head) or (name.lower().endswith(".tar") and not head.strip(b"\0")):  # an empty one is all zeros
            yield from _tarred(reader, wanted, log)
        elif name.lower().endswith(LINES):
            yield from _lines(reader, name, wanted)
        else:
            yield _whole(reader, name, wanted)
    except OSError:  # gzip, from Gunzip
        log.damages.append(Damage(file.file, 0, file.size_bytes, "archive:corrupt"))
    except _Bomb:
        log.damages.append(Damage(file.file, 0, file.size_bytes, "archive:bomb"))
    except _BadTar as error:
        log.damages.append(Damage(file.file, 0, max(0, file.size_bytes - error.at), "archive:bad_member"))


class _Bomb(Exception):
    """The stream unpacks to far more than documents do."""


class _BadTar(Exception):
    """No member begins where one should."""

    def __init__(self, at: int):
        self.at = at


@final
class _Peeked:
    """A stream with a look ahead, which stops a bomb."""

    def __init__(self, stream: Any, file: InputFile):
        self.stream = stream
        self.waiting = b""
        self.left = max(_FREE_BYTES, _MAX_EXPANSION * file.size_bytes)

    def peek(self, size: int) -> bytes:
        try:
            while len(self.waiting) < size and (more := self.stream.read(size)):
                self.waiting += more
        except OSError:  # comes again when it is read
            pass
        return self.waiting

    def read(self, size: int) -> bytes:
        out, self.waiting = self.waiting[:size], self.waiting[size:]
        out = out or self.stream.read(size)
        self.left -= len(out)
        if self.left < 0:
            raise _Bomb
        return out


def _whole(reader: Any, name: str, wanted: Wanted) -> Entry:
    data, size = _take(reader, None, wanted.max_bytes)
    return Entry(name, 0, data, TOO_LARGE if size > wanted.max_bytes else None, size)


def _lines(reader: Any, name: str, wanted: Wanted) -> Iterator[Entry]:
    lines = Buffered(reader, _BLOCK)
    at = 0
    while True:
        line, length = lines.line(wanted.max_bytes)
        if not length:
            return
        if line.strip() or length > wanted.max_bytes:
            yield Entry(name, at, line, TOO_LARGE if length > wanted.max_bytes else None, length)
        at += length


def _take(reader: Any, size: int | None, limit: int) -> tuple[bytes, int]:
    """(up to ``size`` bytes, none of them where they are more than ``limit``; how many there were)."""
    parts: list[bytes] = []
    length = 0
    while size is None or length < size:
        part = reader.read(_BLOCK if size is None else min(_BLOCK, size - length))
        if not part:
            break
        length += len(part)
        if length <= limit:
            parts.append(bytes(part))
        else:
            parts.clear()
            if size is None:
                break  # a file that is no container: its size is known without reading on
    return b"".join(parts), length


def _tarred(reader: Any, wanted: Wanted, log: ReadLog) -> Iterator[Entry]:
    """ustar, GNU and pax, in one pass: tarfile needs to seek, or holds an extended header of any size."""
    at = 0
    long_name, is_ended = "", False
    while True:
        header, length = _take(reader, 512, 512)
        if not length:
            if not is_ended:  # cut off between two members
                raise _BadTar(at)
            return
        if not header.strip(b"\0"):  # the end of a tar; where two were put together, another begins behind it
            at, is_ended = at + 512, True
            continue
        is_ended = False
        size = _number(header[124:136]) if length == 512 and _checksum_holds(header) else -1
        if size < 0:
            raise _BadTar(at)
        kind = header[156:157]
        padded = -(-size // 512) * 512
        if kind in (b"L", b"x"):
            data, _ = _take(reader, padded, _MAX_NAME)
            found = re.search(rb"\d+ path=([^\n]*)\n", data[:size]) if kind == b"x" else re.match(rb"([^\0]*)", data[:size])
            long_name = found.group(1).decode("utf-8", "replace") if found else long_name
            at += 512 + padded
            continue
        prefix = header[345:500] if header[257:263] == b"ustar\0" else b""
        parts = [part.partition(b"\0")[0].decode("utf-8", "replace") for part in (prefix, header[:100])]
        name = long_name or "/".join(part for part in parts if part)
        is_file = kind in (b"0", b"\0", b"7") and not name.endswith("/")
        is_ours = is_file and _is_wanted(name, wanted, log)
        data, met = _take(reader, padded, wanted.max_bytes + 512 if is_ours else 0)
        if is_ours and size <= wanted.max_bytes:
            yield Entry(name, at, data[:size], BROKEN if met < size else None, size)
        elif is_ours:
            yield Entry(name, at, b"", TOO_LARGE, size)
        if met < padded:
            raise _BadTar(at)
        if kind != b"g":
            long_name = ""
        at += 512 + padded


def _checksum_holds(header: bytes) -> bool:
    told = _number(header[148:156])
    return told > 0 and told == sum(header[:148]) + 8 * 32 + sum(header[156:512])


def _number(field: bytes) -> int:
    """Octal digits, or GNU's base 256; -1 for what is neither."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b"\0 ")
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else 0 if not digits else -1


def _zipped(stream: IO[bytes], file: InputFile, wanted: Wanted, log: ReadLog) -> Iterator[Entry]:
    left = max(_FREE_BYTES, _MAX_EXPANSION * file.size_bytes)
    try:
        archive = zipfile.ZipFile(stream)
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    except ZIP_FAULTS:
        log.damages.append(Damage(file.file, 0, file.size_bytes, "archive:corrupt"))
        return
    if any(info.filename in _ONE_DOCUMENT for info in infos):  # an office file whose name says no more than what it is packed with
        stream.seek(0)
        yield _whole(stream, file.file, wanted)
        return
    for info in infos:
        if info.is_dir() or not _is_wanted(info.filename, wanted, log):
            continue
        data, fault = read_member(archive, info, min(wanted.max_bytes, left))
        left -= len(data)
        if fault is TOO_LARGE and left < wanted.max_bytes:
            log.damages.append(Damage(file.file, info.header_offset, file.size_bytes - info.header_offset, "archive:bomb"))
            return
        yield Entry(info.filename, info.header_offset, data, fault, info.file_size)


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> tuple[bytes, Reason | None]:
    """One member of a zip, inflated up to the limit whatever its header says; or the fault that keeps it closed."""
    if info.flag_bits & 1:
        return b"", ENCRYPTED
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # the others' memory can't be bounded
        return b"", BROKEN
    try:
        with archive.open(info) as member:
            data = member.read(limit + 1)
    except ZIP_FAULTS:
        return b"", BROKEN
    return (b"", TOO_LARGE) if len(data) > limit else (data, None)


def _is_wanted(name: str, wanted: Wanted, log: ReadLog) -> bool:
    """A member to read; what is not is counted by its ending."""
    base = name.lower().rpartition("/")[2]
    ending = re.search(r"\.[a-z0-9]{1,8}$", base)
    if base.endswith(ARCHIVES):
        log.records["archive:nested"] += 1
        return False
    if wanted.endings and not base.endswith(wanted.endings):
        log.records[f"archive:other{ending.group() if ending else ''}"] += 1
        return False
    return True
