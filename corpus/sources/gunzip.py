"""gzip as a stream that gives out all that it holds before its damage, and never more at once than is asked for.

reader = Gunzip(stream)
while block := reader.read(65536): ...
"""

import zlib
from typing import IO, Any, final

_BLOCK = 64 * 1024


@final
class Gunzip:
    """Reads gzip members one after another, and gives out all that was decoded before it raises OSError for damage."""

    def __init__(self, stream: IO[bytes]):
        self.stream = stream
        self.waiting = b""
        self.member: Any = None
        self.fault = ""

    def read(self, size: int) -> bytes:
        out = b""
        while not out and not self.fault:
            self.waiting = self.waiting or self.stream.read(_BLOCK)
            if not self.waiting:
                if self.member is None:
                    return b""
                self.fault = "cut off"
            elif self.member is None:
                self.waiting = self.waiting.lstrip(b"\0")  # some writers pad
                self.member = zlib.decompressobj(31) if self.waiting else None
            else:
                out = self._decoded(size)
        if not out:
            raise OSError(self.fault)
        return out

    def _decoded(self, size: int) -> bytes:
        before = self.member.copy()
        try:
            out = self.member.decompress(self.waiting, size)
        except zlib.error as error:
            self.fault = str(error)
            return _until_damage(before, self.waiting)
        self.waiting = self.member.unused_data if self.member.eof else self.member.unconsumed_tail
        self.member = None if self.member.eof else self.member
        return out


def _until_damage(decoder: Any, data: bytes) -> bytes:
    out = bytearray()
    try:
        for byte in data:
            out += decoder.decompress(bytes([byte]))
    except zlib.error:
        pass
    return bytes(out)
