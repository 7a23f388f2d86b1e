"""The body of an HTTP message as it was sent, back to what it was before: chunks joined, compression undone, within a bound.

decode_body(b"5\\r\\nhello\\r\\n0\\r\\n\\r\\n", "chunked", None, limit=2**24) -> b"hello"
"""

import io
import zlib
from typing import Any

from fastwarc.stream_io import BrotliReader, ZstdReader

from corpus.sources.compression import panics_told

_READERS: dict[str, Any] = {"br": BrotliReader, "zstd": ZstdReader}
_TRANSFER = ("gzip", "x-gzip", "deflate")  # RFC 9112, 7.2
_GZIP_MAGIC = b"\x1f\x8b\x08"


class BadChunks(Exception):
    """The body breaks off within a chunk."""


class BadEncoding(Exception):
    """The content encoding is unknown, or the body is not of it."""


class TooLarge(Exception):
    """The body grew over the limit."""


def decode_body(body: bytes, transfer_encoding: str | None, content_encoding: str | None, limit: int) -> bytes:
    """Raises BadChunks, BadEncoding, TooLarge."""
    for coding in reversed((transfer_encoding or "").lower().split(",")):
        if "chunked" in coding:
            body = join_chunks(body)
        elif coding.strip() in _TRANSFER:  # others name what the crawler has undone already
            body = _decompress(body, coding.strip(), limit)
    for encoding in reversed((content_encoding or "").lower().split(",")):
        body = _decompress(body, encoding.strip(), limit)
    return body


def join_chunks(body: bytes) -> bytes:
    """A chunked body without its sizes and trailers. A body that does not begin with a chunk is taken as it is: some crawlers join
    the chunks and keep the header."""
    joined = bytearray()
    at = 0
    while True:
        line_end = body.find(b"\n", at, at + 1024)
        size_text = body[at:line_end].split(b";")[0].strip() if line_end >= 0 else b""
        try:
            size = int(size_text, 16) if size_text and not size_text.startswith((b"+", b"-")) else -1
        except ValueError:
            size = -1
        if size < 0:
            if at == 0:
                return body
            raise BadChunks
        if size == 0:
            return bytes(joined)
        start = line_end + 1
        if start + size > len(body):
            raise BadChunks
        joined += body[start : start + size]
        at = start + size
        if body[at : at + 2] == b"\r\n":
            at += 2
        elif body[at : at + 1] == b"\n":
            at += 1
        elif at == len(body):
            return bytes(joined)  # all data is there, the last empty chunk is not


def _decompress(body: bytes, encoding: str, limit: int) -> bytes:
    if encoding in ("", "identity", "none", "utf-8"):
        return body
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _inflate(body, limit)
    if encoding not in _READERS:
        raise BadEncoding(encoding)
    if not body:
        return body
    try:
        with panics_told():
            decoded = _READERS[encoding](io.BytesIO(body)).read(limit + 1)
    except (OSError, ValueError) as error:
        raise BadEncoding(encoding) from error
    if len(decoded) > limit:
        raise TooLarge
    return bytes(decoded)


def _inflate(body: bytes, limit: int) -> bytes:
    """gzip, zlib or bare deflate, told apart by content: servers call all three either name. Not compressed at all: as it is. A gzip body
    may be of several members (RFC 1952, 2.2): what caches and log shippers put together."""
    if not body:
        return body
    for window in (47, -15):  # 32 + 15: gzip or zlib by its header; -15: no header
        decoded, left = bytearray(), body
        try:
            while left:
                inflater = zlib.decompressobj(window)
                decoded += inflater.decompress(left, limit + 1 - len(decoded))
                if len(decoded) > limit:
                    raise TooLarge
                if not inflater.eof:
                    raise BadEncoding("breaks off")
                left = inflater.unused_data if inflater.unused_data.startswith(_GZIP_MAGIC) else b""
        except zlib.error:
            if decoded:
                raise BadEncoding("a later member is damaged") from None
            continue
        return bytes(decoded)
    if body.lstrip()[:1] == b"<":  # the crawler has decompressed it and kept the header
        return body
    raise BadEncoding("gzip")
