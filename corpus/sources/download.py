"""Ranges of files from a web server that asks for patience, or from a folder or object store that mirrors it.

Common Crawl answers who asks too much with 403, 429 or 503, and now and then drops a connection: such a request is made again after the
time that Retry-After names, or after 1, 2, 4, … seconds. An answer that holds less than was asked for is never taken for whole.

    Remote("https://data.commoncrawl.org/").read("crawl-data/CC-MAIN-2025-30/warc.paths.gz")
"""

import email.utils
import http.client
import io
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, final

from corpus.errors import InputError
from corpus.sources.compression import Blocks
from corpus.storage import locate

AGENT = "gristmill (https://commoncrawl.org/ subset for a text corpus)"
_LATER = (403, 408, 429, 500, 502, 503, 504)  # Common Crawl's servers say 403 both for too many requests and for what is not there
_DROPPED = (http.client.HTTPException, urllib.error.URLError, ConnectionError, TimeoutError)
_MAX_WAIT = 300.0  # seconds


@final
@dataclass(frozen=True)
class Remote:
    """``base`` is a URL, a folder or an object store; ``attempts`` at each request, with ``sleep`` between them."""

    base: str
    attempts: int = 8
    first_wait: float = 1.0
    timeout: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes [start, start + length) of the file, or all from ``start``; all of them, or InputError."""
        if not self.base.startswith(("http://", "https://")):
            return self._read_place(path, start, length)
        url = self.base.rstrip("/") + "/" + path
        why = ""
        for attempt in range(self.attempts):
            wait = self.first_wait * 2**attempt
            try:
                return _whole_answer(url, start, length, self.timeout)
            except urllib.error.HTTPError as error:
                if error.code not in _LATER:
                    raise InputError(f"the server answers {error.code}", where=url) from None
                why, wait = f"the server answers {error.code}", _retry_after(error.headers.get("Retry-After"), wait)
            except _DROPPED as error:
                why = f"the connection broke ({type(error).__name__})"
            if attempt + 1 < self.attempts:
                self.sleep(min(wait, _MAX_WAIT))
        raise InputError(f"{why}, {self.attempts} times", where=url, hint="the same command goes on from here")

    def size(self, path: str) -> int:
        """Bytes of the whole file: asked for with a range of one byte, which every server that is of use here answers."""
        if not self.base.startswith(("http://", "https://")):
            return self._place(path).info().size or 0
        return _Ranged(self, path).size

    def open(self, path: str) -> IO[bytes]:
        """Seekable, read by ranges of a MiB."""
        if not self.base.startswith(("http://", "https://")):
            return self._place(path).open()
        return io.BufferedReader(_Ranged(self, path), 1)

    def _place(self, path: str):  # type: ignore[no-untyped-def]
        place = locate(self.base) / path
        if not place.exists():
            raise InputError("no such file", where=place.uri)
        return place

    def _read_place(self, path: str, start: int, length: int | None) -> bytes:
        with self._place(path).open() as stream:
            stream.seek(start)
            content = stream.read() if length is None else stream.read(length)
        if length is not None and len(content) != length:
            raise InputError("the file ends within the range", where=f"{path} at {start}")
        return content


def _whole_answer(url: str, start: int, length: int | None, timeout: float) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": AGENT})
    ranged = start > 0 or length is not None
    if ranged:
        request.add_header("Range", f"bytes={start}-{'' if length is None else start + length - 1}")
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        content = answer.read()  # IncompleteRead where fewer bytes come than the header says
        if ranged and answer.status != 206:
            content = content[start : None if length is None else start + length]
        told = re.match(r"bytes (\d+)-(\d+)/", answer.headers.get("Content-Range") or "")
    if length is not None and len(content) != length or (told and int(told.group(1)) != start):
        raise http.client.IncompleteRead(content)
    return bytes(content)


def _retry_after(told: str | None, otherwise: float) -> float:
    """Seconds, as a number or as a date (RFC 9110, 10.2.3)."""
    if told is None:
        return otherwise
    if told.strip().isdigit():
        return float(told)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except (TypeError, ValueError):
        return otherwise


@final
class _Ranged(io.RawIOBase):
    """A remote file as a seekable stream."""

    def __init__(self, remote: Remote, path: str):
        self.remote, self.path, self.at = remote, path, 0
        self.size = self._size()
        self.blocks = Blocks(_At(self), self.size)  # type: ignore[arg-type]

    def _size(self) -> int:
        url = self.remote.base.rstrip("/") + "/" + self.path
        for attempt in range(self.remote.attempts):
            request = urllib.request.Request(url, headers={"User-Agent": AGENT, "Range": "bytes=0-0"})
            wait = self.remote.first_wait * 2**attempt
            try:
                with urllib.request.urlopen(request, timeout=self.remote.timeout) as answer:
                    total = re.search(r"/(\d+)$", answer.headers.get("Content-Range") or "")
                    return int(total.group(1) if total else answer.headers.get("Content-Length") or 0)
            except urllib.error.HTTPError as error:
                if error.code not in _LATER:
                    raise InputError(f"the server answers {error.code}", where=url) from None
                wait = _retry_after(error.headers.get("Retry-After"), wait)
            except _DROPPED:
                pass
            self.remote.sleep(min(wait, _MAX_WAIT))
        raise InputError("the server does not answer", where=url, hint="the same command goes on from here")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = max(0, {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence] + offset)
        return self.at

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def,override]
        part = self.blocks.read(self.at, min(len(buffer), max(0, self.size - self.at)))
        buffer[: len(part)] = part
        self.at += len(part)
        return len(part)


@final
class _At:
    """What Blocks asks of a stream: a place, then bytes."""

    def __init__(self, ranged: _Ranged):
        self.ranged, self.place = ranged, 0

    def seek(self, place: int) -> None:
        self.place = place

    def read(self, length: int) -> bytes:
        length = min(length, self.ranged.size - self.place)
        return self.ranged.remote.read(self.ranged.path, self.place, length) if length > 0 else b""
