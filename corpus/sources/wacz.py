"""The archives inside a WACZ (Web Archive Collection Zipped 1.1), read where they lie: nothing is written to disk.

WACZ stores its .warc.gz as they are, so their records have true offsets in the file. Zip tools may compress them once more: such an entry
is read through, and its records are numbered from where it begins. Entries whose bytes overlap, or that shrink a compressed archive
a hundredfold, are bombs and are refused. Without a directory at its end the file is searched for gzip members.

    for frame in wacz_frames(stream, split, limit=2**24, log=log): ...
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any, final

from corpus.sources.compression import CODECS, GZIP, Blocks, Broken, Codec, Member, is_skippable
from corpus.sources.framing import Frame, Members, format_of, frames
from corpus.sources.source import Damage, ReadLog, Split

ZIP_MAGIC = b"PK\x03\x04"
_IN_MEMORY = 64 * 2**20  # a compressed archive compressed again is held up to this size; above it each step back costs reading anew
_MAX_RATIO = 100  # of compressing what is compressed
_DECODED = 256 * 1024
_FAULTS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, KeyError, OverflowError)


def wacz_frames(stream: IO[bytes], split: Split, limit: int, log: ReadLog) -> Iterator[Frame]:
    """The records of the entries that begin in the split, in the order of the file. Entries are no chain: the log has no first and next."""
    try:
        directory = zipfile.ZipFile(stream)
        entries = sorted((each for each in directory.infolist() if _is_archive(each.filename)), key=lambda each: each.header_offset)
    except _FAULTS:
        yield from _without_directory(stream, split, limit, log)
        return
    end = 0
    for entry in entries:
        start, taken = entry.header_offset, entry.compress_size
        overlaps, end = start < end, max(end, start + taken)
        if not split.start <= start < split.end:
            continue
        log.read_bytes += taken
        if overlaps:
            log.damages.append(Damage(split.file.file, start, taken, "zip:overlap"))
        else:
            yield from _entry(directory, stream, entry, split, limit, log)


def _is_archive(name: str) -> bool:
    """``archive/`` is where the specification has them; some writers leave the folder out."""
    return not name.endswith("/") and (".warc" in name or ".arc" in name) and not name.startswith(("indexes/", "pages/"))


def _is_compressed(head: bytes) -> bool:
    return any(head.startswith(codec.magic) for codec in CODECS) or is_skippable(head)


def _entry(
    directory: zipfile.ZipFile, stream: IO[bytes], entry: zipfile.ZipInfo, split: Split, limit: int, log: ReadLog
) -> Iterator[Frame]:
    damages: list[Damage] = []
    try:
        with directory.open(entry) as opened:
            head = opened.read(4)
        if entry.compress_type == zipfile.ZIP_STORED and (head.startswith(GZIP.magic) or not _is_compressed(head)):
            yield from _stored(stream, entry, split, limit, log)
        elif _is_compressed(head):
            yield from _compressed_twice(directory, entry, split, limit, damages)
        else:
            yield from _numbered(_through(directory, entry, limit, damages), entry.header_offset)
    except Broken as error:
        damages.append(Damage(entry.filename, 0, entry.compress_size, error.what))
    except _FAULTS:
        damages.append(Damage(entry.filename, 0, entry.compress_size, "zip:corrupt"))
    log.damages += [replace(each, file=split.file.file, offset=entry.header_offset + each.offset) for each in damages]


def _stored(stream: IO[bytes], entry: zipfile.ZipInfo, split: Split, limit: int, log: ReadLog) -> Iterator[Frame]:
    stream.seek(entry.header_offset + 26)
    lengths = stream.read(4)
    start = entry.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    inner = ReadLog()
    file = replace(split.file, file=entry.filename, size_bytes=min(split.file.size_bytes, start + entry.compress_size))
    yield from frames(stream, Split(file, start, file.size_bytes, exact=True), limit, inner)
    log.damages += [replace(each, file=split.file.file) for each in inner.damages]


def _compressed_twice(
    directory: zipfile.ZipFile, entry: zipfile.ZipInfo, split: Split, limit: int, damages: list[Damage]
) -> Iterator[Frame]:
    if entry.file_size > max(1, entry.compress_size) * _MAX_RATIO:
        raise Broken("zip:bomb")
    inner = ReadLog()
    with directory.open(entry) as opened:
        stream: Any = io.BytesIO(opened.read()) if entry.file_size <= _IN_MEMORY else opened
        file = replace(split.file, file=entry.filename, size_bytes=entry.file_size)
        yield from _numbered(frames(stream, Split(file, 0, file.size_bytes), limit, inner), entry.header_offset)
    damages += inner.damages


def _through(directory: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int, damages: list[Damage]) -> Iterator[Frame]:
    """A plain archive that the zip compresses: one member, read from its beginning to its end."""
    with directory.open(entry) as opened:
        _, grammar = format_of(Blocks(io.BytesIO(opened.read(4096)), 4096), 0, entry.filename)
    nothing = Blocks(io.BytesIO(b""), 0)
    chain = Members(nothing, Codec("zip", ZIP_MAGIC, lambda *_: _Deflated(directory, entry)), grammar)
    chain.blocks.size = 1
    yield from chain.unit(0, limit)
    damages += [Damage(entry.filename, 0, min(lost, entry.compress_size), what) for _, lost, what in chain.damages]


def _numbered(found: Iterator[Frame], start: int) -> Iterator[Frame]:
    for number, frame in enumerate(found):
        yield replace(frame, offset=start + number)


@final
class _Deflated(Member):
    def __init__(self, directory: zipfile.ZipFile, entry: zipfile.ZipInfo):
        self.stream = directory.open(entry)
        self.at = 0

    def more(self) -> bytes:
        try:
            decoded = self.stream.read(_DECODED)
        except _FAULTS:
            raise Broken("zip:corrupt") from None
        if not decoded:
            self.at, self.finished = 1, True
        return decoded


def _without_directory(stream: IO[bytes], split: Split, limit: int, log: ReadLog) -> Iterator[Frame]:
    """Cut off, or damaged at its end: WACZ stores gzip members, which are found without it."""
    blocks = Blocks(stream, split.file.size_bytes)
    chain = Members(blocks, GZIP, format_of(blocks, 0, "a.warc.gz")[1])
    if split.start == 0:
        log.damages.append(Damage(split.file.file, split.file.size_bytes, 0, "zip:no_directory"))
    at = split.start if split.exact else chain.find(split.start)
    while at < split.end:
        log.first = at if log.first is None else log.first
        yield from chain.unit(at, limit)
        found = chain.find(chain.end)  # what lies between are the other entries
        log.damages += [Damage(split.file.file, *damage) for damage in chain.damages]
        chain.damages.clear()
        log.next = at = found
