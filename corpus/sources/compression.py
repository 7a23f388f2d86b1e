"""Members of compressed files: gzip, bzip2, zstd and lz4 as chains of pieces that each decode on their own.

What decodes before the damage in a member is given out before the damage is told; zlib and FastWARC's readers keep it to themselves.

    member = GZIP.open(Blocks(stream, size), at=0)
    while not member.finished:
        decoded = member.more()  # raises Broken
"""

import bz2
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, final

from fastwarc.stream_io import Lz4Reader, ZstdReader
from isal import isal_zlib

GZIP_MAGIC = b"\x1f\x8b\x08"
_PIECE = 32 * 1024  # compressed bytes inflated at once: at most 32 MiB come out, as deflate cannot pass 1 : 1032
_DECODED = 256 * 1024  # decoded bytes asked of the other formats at once, whose ratio has no bound
_BLOCK = 1024 * 1024
_MAX_DICTIONARY = 64 * 2**20  # ArchiveTeam's have 1 MiB at most
_ZSTD_DICTIONARY = b"\x5d\x2a\x4d\x18"  # the skippable frame that holds it: IIPC, Zstandard Compression for WARC Files 1.0


class Broken(Exception):
    """The stream cannot be read on from here."""

    def __init__(self, what: str):
        self.what = what


@contextmanager
def panics_told() -> Iterator[None]:
    """FastWARC panics on some damage (a dictionary whose tables are broken), with an exception that no ``except Exception`` catches."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise OSError(str(error)) from None
        raise


@final
class Blocks:
    """A stream read at any offset through the two blocks that were read last: looking ahead and coming back costs no second read."""

    def __init__(self, stream: IO[bytes], size: int):
        self.stream = stream
        self.size = size
        self._held: dict[int, bytes] = {}

    def piece(self, at: int, length: int = _PIECE) -> bytes:
        """Up to ``length`` bytes from ``at``, as many as the block has; b"" at the end of the file."""
        number = at // _BLOCK
        if number not in self._held:
            self.stream.seek(number * _BLOCK)
            self._held = dict(list(self._held.items())[-1:])
            self._held[number] = self.stream.read(_BLOCK)
        inside = at - number * _BLOCK
        return self._held[number][inside : inside + min(length, self.size - at)]

    def read(self, at: int, length: int) -> bytes:
        """``length`` bytes from ``at``, fewer at the end of the file."""
        parts = []
        while length > 0 and (part := self.piece(at, length)):
            parts.append(part)
            at += len(part)
            length -= len(part)
        return b"".join(parts)


class Member:
    """One member: ``more`` gives its decoded bytes in turn (some calls none), until ``finished``; ``at`` is where the next begins."""

    at: int
    finished = False

    def more(self) -> bytes:
        raise NotImplementedError


@final
class _Gzip(Member):
    def __init__(self, blocks: Blocks, at: int, dictionary: bytes):
        self.blocks, self.start, self.at = blocks, at, at
        self.inflater = isal_zlib.decompressobj(31)  # ISA-L: 2.5 times as fast as zlib
        self.fault = False

    def more(self) -> bytes:
        piece = self.blocks.piece(self.at)
        if self.fault or not piece:
            raise Broken("gzip:corrupt" if self.fault else "gzip:truncated")
        try:
            decoded = self.inflater.decompress(piece)
        except isal_zlib.error:  # type: ignore[misc]  # its stub calls the class an instance
            self.fault = True
            return self._until_damage(piece)
        self.at += len(piece) - len(self.inflater.unused_data)
        self.finished = self.inflater.eof
        return decoded

    def _until_damage(self, piece: bytes) -> bytes:
        """What the last piece gives before its damage: the member once more, by zlib, and the piece byte by byte."""
        inflater, at = zlib.decompressobj(31), self.start
        decoded = bytearray()
        try:
            while at < self.at:
                again = self.blocks.piece(at)[: self.at - at]
                inflater.decompress(again)
                at += len(again)
            for byte in piece:
                decoded += inflater.decompress(bytes((byte,)))
        except zlib.error:
            pass
        return bytes(decoded)


@final
class _Bzip2(Member):
    """A block of bzip2 comes out whole or not at all, so nothing waits behind the damage."""

    def __init__(self, blocks: Blocks, at: int, dictionary: bytes):
        self.blocks, self.at = blocks, at
        self.decoder = bz2.BZ2Decompressor()
        self.fault = False

    def more(self) -> bytes:
        if self.fault:
            raise Broken("bzip2:corrupt")
        piece = self.blocks.piece(self.at) if self.decoder.needs_input else b""
        if self.decoder.needs_input and not piece:
            raise Broken("bzip2:truncated")
        try:
            decoded = self.decoder.decompress(piece, _DECODED)
        except (OSError, EOFError):
            self.fault = True
            raise Broken("bzip2:corrupt") from None
        self.at += len(piece)
        if self.decoder.eof:
            self.at -= len(self.decoder.unused_data)
            self.finished = True
        return decoded


@final
class _Window(io.RawIOBase):
    """A range of the file as a stream of its own."""

    def __init__(self, blocks: Blocks, start: int, end: int):
        self.blocks, self.start, self.position, self.end = blocks, start, start, end

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position - self.start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: self.start, io.SEEK_CUR: self.position, io.SEEK_END: self.end}[whence]
        self.position = max(self.start, base + offset)
        return self.tell()

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.end - self.position)
        part = self.blocks.read(self.position, left if size < 0 else min(size, left))
        self.position += len(part)
        return part


@final
class _Frame(Member):
    """A frame of zstd or lz4: FastWARC's readers run on from frame to frame, so each is given the bytes of one."""

    def __init__(self, name: str, blocks: Blocks, at: int, end: int | None, reader: Callable[[Any], Any]):
        self.name, self.blocks, self.at = name, blocks, at
        self.end = end
        self.new = lambda: reader(_Window(blocks, at, blocks.size if end is None else end))
        self.given, self.fault = 0, ""
        try:
            with panics_told():
                self.reader = self.new()
        except (OSError, ValueError):
            raise Broken(f"{name}:corrupt") from None

    def more(self) -> bytes:
        if self.fault:
            raise Broken(self.fault)
        try:
            with panics_told():
                decoded = bytes(self.reader.read(_DECODED))
        except (OSError, ValueError):
            self.fault = f"{self.name}:{'corrupt' if self.end is not None else 'truncated'}"
            return self._until_damage()
        self.given += len(decoded)
        if not decoded:
            if self.end is None:
                raise Broken(f"{self.name}:truncated")
            self.at, self.finished = self.end, True
        return decoded

    def _until_damage(self) -> bytes:
        decoded = bytearray()
        try:
            with panics_told():
                reader, left = self.new(), self.given
                while left and (passed := reader.read(min(left, _DECODED))):
                    left -= len(passed)
                while byte := reader.read(1):
                    decoded += byte
        except (OSError, ValueError):
            pass
        return bytes(decoded)


@final
@dataclass(frozen=True)
class Codec:
    """``magic`` begins every member, ``probe_bytes`` of which are enough to decode its first bytes."""

    name: str
    magic: bytes
    open: Callable[..., Member]  # (blocks, at, dictionary)

    def head(self, blocks: Blocks, at: int, dictionary: bytes, length: int) -> bytes:
        """The first decoded bytes of the member at ``at``, about ``length``; fewer, or none, where it is broken or is no member."""
        decoded = b""
        if not blocks.piece(at, len(self.magic)).startswith(self.magic[:1]):
            return decoded
        if self is GZIP:  # a bound on what comes out: it is asked at every place that looks like a member
            try:
                return zlib.decompressobj(31).decompress(blocks.read(at, max(512, length)), length)
            except zlib.error:
                return decoded
        try:
            member = self.open(blocks, at, dictionary)
            while len(decoded) < length and not member.finished:
                decoded += member.more()
        except Broken:
            pass
        return decoded


def _zstd(blocks: Blocks, at: int, dictionary: bytes) -> Member:
    end = _zstd_end(blocks, at)
    return _Frame("zstd", blocks, at, end, lambda window: ZstdReader(window, dictionary=dictionary or None))


def _lz4(blocks: Blocks, at: int, dictionary: bytes) -> Member:
    return _Frame("lz4", blocks, at, _lz4_end(blocks, at), Lz4Reader)


GZIP = Codec("gzip", GZIP_MAGIC, _Gzip)
BZIP2 = Codec("bzip2", b"BZh", _Bzip2)
ZSTD = Codec("zstd", b"\x28\xb5\x2f\xfd", _zstd)
LZ4 = Codec("lz4", b"\x04\x22\x4d\x18", _lz4)
CODECS = (GZIP, BZIP2, ZSTD, LZ4)


def is_skippable(magic: bytes) -> bool:
    """Frames of zstd and lz4 that hold no data of the stream (RFC 8878, 3.1.2)."""
    return magic[1:4] == b"\x2a\x4d\x18" and 0x50 <= magic[0] <= 0x5F


def zstd_dictionary(blocks: Blocks) -> bytes:
    """The dictionary at the head of a .warc.zst, itself compressed or not; none, or a broken one: b""."""
    head = blocks.read(0, 8)
    size = int.from_bytes(head[4:], "little")
    if head[:4] != _ZSTD_DICTIONARY or size > _MAX_DICTIONARY:
        return b""
    content = blocks.read(8, size)
    try:
        with panics_told():
            if content.startswith(ZSTD.magic):
                content = bytes(ZstdReader(io.BytesIO(content)).read(_MAX_DICTIONARY))
            ZstdReader(io.BytesIO(b""), dictionary=content)  # whether it is one
            return content
    except (OSError, ValueError):
        return b""


def _zstd_end(blocks: Blocks, at: int) -> int | None:
    """Where the frame ends, found by the sizes of its blocks (RFC 8878, 3.1.1); None where the file ends before."""
    head = blocks.read(at, 5)
    if len(head) < 5 or not head.startswith(ZSTD.magic):
        raise Broken("zstd:corrupt")
    flags = head[4]
    single = flags >> 5 & 1
    at += 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
    while len(told := blocks.read(at, 3)) == 3:
        block = int.from_bytes(told, "little")
        kind, size = block >> 1 & 3, block >> 3
        if kind == 3 or size > 128 * 1024 and kind != 1:
            raise Broken("zstd:corrupt")
        at += 3 + (1 if kind == 1 else size)
        if block & 1:
            at += 4 if flags & 4 else 0
            return at if at <= blocks.size else None
    return None


def _lz4_end(blocks: Blocks, at: int) -> int | None:
    """Where the frame ends, found by the sizes of its blocks (LZ4 Frame Format 1.6); None where the file ends before."""
    head = blocks.read(at, 6)
    if len(head) < 6 or not head.startswith(LZ4.magic):
        raise Broken("lz4:corrupt")
    flags = head[4]
    at += 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    while len(told := blocks.read(at, 4)) == 4:
        size = int.from_bytes(told, "little") & 0x7FFFFFFF
        at += 4
        if size == 0:
            at += 4 if flags & 4 else 0
            return at if at <= blocks.size else None
        if size > 4 * 2**20:
            raise Broken("lz4:corrupt")
        at += size + (4 if flags & 16 else 0)
    return None
