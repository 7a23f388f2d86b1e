"""bzip2 files as chains of streams: where streams begin, and their content piece by piece, through damage.

Wikimedia's multistream dumps hold a stream for each hundred pages. A stream begins with ``BZh`` and a digit, then the mark of a block or of
the end, at a whole byte: ten bytes that stand anywhere by chance once in 2**72.

    for piece in Bzip2(stream, size).pieces(start=0): piece.content, piece.stream
"""

import bz2
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, final

STREAM = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_BLOCK = 64 * 1024
_PIECE = 2**20
_MARK_BYTES = 10


@final
@dataclass(frozen=True)
class Piece:
    """Up to 1 MiB of content. ``stream``: where its stream begins in the file. ``broken``: reading went on elsewhere before this
    piece, ``lost`` bytes of the file from ``damaged_from`` on could not be read."""

    content: bytes
    stream: int
    broken: bool = False
    damaged_from: int = 0
    lost: int = 0


@final
class Bzip2:
    """``next`` is where the stream after the last one read begins."""

    def __init__(self, stream: IO[bytes], size: int):
        self.file = stream
        self.size = size
        self.next = 0

    def find(self, start: int) -> int:
        """The first offset >= start where a stream begins; the size of the file if there is none."""
        at = start
        while at < self.size:
            self.file.seek(at)
            block = self.file.read(_PIECE + _MARK_BYTES - 1)
            if found := STREAM.search(block):
                return at + found.start()
            at += _PIECE
        return self.size

    def pieces(self, start: int) -> Iterator[Piece]:
        """From the stream that begins at ``start`` to the end of the file."""
        at = start
        while at < self.size:
            read_to = at
            decoder = bz2.BZ2Decompressor()
            self.file.seek(at)
            damaged = False
            try:
                while not decoder.eof:
                    packed = b""
                    if decoder.needs_input:
                        packed = self.file.read(_BLOCK)
                        if not packed:
                            damaged = True
                            break
                        read_to += len(packed)
                    content = decoder.decompress(packed, _PIECE)
                    if content:
                        here = self.file.tell()  # the consumer may look elsewhere in the file
                        yield Piece(content, at)
                        self.file.seek(here)
            except (OSError, ValueError, EOFError):
                damaged = True
            if damaged:
                self.next = self.find(at + 1)
                yield Piece(b"", at, True, at, self.next - at)
                at = self.next
                continue
            end = read_to - len(decoder.unused_data)
            self.next = self.find(end)
            if self.next > end and self._is_junk(end, self.next):
                yield Piece(b"", at, True, end, self.next - end)
            at = self.next

    def _is_junk(self, start: int, end: int) -> bool:
        """Zero bytes between streams are padding, of which nothing is lost."""
        self.file.seek(start)
        return bool(self.file.read(min(end - start, _BLOCK)).strip(b"\0"))
