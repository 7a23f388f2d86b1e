"""A small, polite crawler of the demo's sites, that records the traffic as crawlers do: into gzip WARCs, by warcio's writer.

It keeps to robots.txt, asks each host one thing at a time, and is bounded by pages. Record ids and dates come from what is fetched and
in which
order, so the same installation gives the same bytes.

    print(crawl_demo(Path("build/demo/crawl"), pages=500))
"""

import hashlib
import io
import json
import re
import socket
import time
import uuid
from base64 import b32encode
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, final
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import xxhash
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from corpus.demo.server import serving
from corpus.demo.site import make_site
from corpus.errors import OutputError
from corpus.manifest import code_version
from corpus.storage import json_bytes

PAGES = 8000  # of the documentation: enough for 3,000 kept documents after the web recipe
AGENT = "gristmill-demo-crawler/1 (+http://mill.example/about)"
_ROTATE_BYTES = 8 * 2**20  # a file of a real crawl holds 1 GB; small ones give every core of a laptop something to do
_MAX_BODY = 200_000  # bytes; longer ones are cut, and marked so
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_LINK = re.compile(rb"""<a\s[^>]{0,500}?href=["']([^"'<>]{1,1000})["']""", re.IGNORECASE)
_NOFOLLOW = re.compile(rb"""<meta\s+name=["']robots["']\s+content=["'][^"']{0,200}nofollow""", re.IGNORECASE)


@final
@dataclass(frozen=True)
class CrawlResult:
    """What a crawl fetched: ``fetched`` by status, WARC files with their sizes, and whether it was there already."""

    output: Path
    fetched: dict[str, int]
    refused_by_robots: int
    files: dict[str, int]
    resumed: bool = False

    def __str__(self) -> str:
        pages = sum(self.fetched.values())
        size = sum(self.files.values()) / 1e6
        known = "crawled before" if self.resumed else "crawled"
        return f"{pages:,} pages {known} into {len(self.files)} WARC files, {size:.1f} MB: {self.output}"


@final
@dataclass
class _Fetched:
    """An answer as it came over the wire: status line, headers, and the body still chunked and compressed."""

    status_line: str
    headers: list[tuple[str, str]]
    body: bytes
    truncated: str = ""

    @property
    def status(self) -> int:
        return int(self.status_line.split()[1])

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


@final
@dataclass
class _Connection:
    """One connection to the loopback server, kept open; ``Host`` says which site is meant, as a crawler's own name resolution would."""

    port: int
    stream: socket.socket | None = None
    reader: IO[bytes] = field(default_factory=io.BytesIO)

    def fetch(self, url: str) -> tuple[bytes, _Fetched]:
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: {AGENT}\r\nAccept: text/html\r\n\r\n".encode()
        if self.stream is None:
            self.stream = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            self.reader = self.stream.makefile("rb")
        self.stream.sendall(request)
        fetched = self._read()
        if fetched.truncated == "disconnect":
            self.close()
        return request, fetched

    def close(self) -> None:
        if self.stream is not None:
            self.reader.close()
            self.stream.close()
            self.stream = None

    def _read(self) -> _Fetched:
        status_line = self.reader.readline().decode("latin-1").strip()
        headers = []
        while header := self.reader.readline().decode("latin-1").strip():
            name, _, value = header.partition(":")
            headers.append((name, value.strip()))
        fetched = _Fetched(status_line, headers, b"")
        if "chunked" in fetched.get("transfer-encoding"):
            raw = io.BytesIO()
            while True:
                line = self.reader.readline()
                size = int(line, 16)
                raw.write(line + self.reader.read(size + 2))
                if size == 0:
                    break
            fetched.body = raw.getvalue()
            return fetched
        announced = int(fetched.get("content-length") or 0)
        fetched.body = self.reader.read(announced)
        if len(fetched.body) < announced:
            fetched.truncated = "disconnect"
        elif len(fetched.body) > _MAX_BODY:
            fetched.body, fetched.truncated = fetched.body[:_MAX_BODY], "length"
        return fetched


@final
class _Recorder:
    """WARC files that are closed and opened anew at _ROTATE_BYTES."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.files: list[Path] = []
        self.stream: IO[bytes] | None = None
        self.seen: dict[str, tuple[str, str]] = {}  # payload digest -> (url, date) of its first record

    def record(self, url: str, number: int, request: bytes, fetched: _Fetched) -> None:
        """Request, response (or revisit) and metadata of one fetch."""
        writer = self._writer()
        date = (_BEGIN + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = "sha1:" + b32encode(hashlib.sha1(fetched.body).digest()).decode()
        headers = StatusAndHeaders(fetched.status_line.partition(" ")[2], fetched.headers, protocol="HTTP/1.1")
        own = self._own("response", url, date) | ({"WARC-Truncated": fetched.truncated} if fetched.truncated else {})
        if fetched.body and digest in self.seen:
            before, before_date = self.seen[digest]
            answer = writer.create_revisit_record(url, digest, before, before_date, http_headers=headers, warc_headers_dict=own)
        else:
            self.seen[digest] = (url, date)
            answer = writer.create_warc_record(
                url, "response", payload=io.BytesIO(fetched.body), http_headers=headers, warc_headers_dict=own
            )
        first, *lines = request.decode("latin-1").strip().split("\r\n")
        asked = StatusAndHeaders(first, [tuple(line.split(": ", 1)) for line in lines], is_http_request=True)
        concurrent = {"WARC-Concurrent-To": own["WARC-Record-ID"]}
        writer.write_record(answer)
        writer.write_record(
            writer.create_warc_record(
                url, "request", payload=io.BytesIO(), http_headers=asked, warc_headers_dict=self._own("request", url, date) | concurrent
            )
        )
        facts = f"outlinks: {len(links_of(url, fetched))}\r\n".encode()
        own = self._own("metadata", url, date) | concurrent
        writer.write_record(
            writer.create_warc_record(
                url, "metadata", payload=io.BytesIO(facts), warc_content_type="application/warc-fields", warc_headers_dict=own
            )
        )

    def close(self) -> dict[str, int]:
        """Give the finished files their names; name -> bytes."""
        if self.stream:
            self.stream.close()
        for temporary in self.files:
            temporary.replace(temporary.with_suffix(""))
        return {temporary.with_suffix("").name: temporary.with_suffix("").stat().st_size for temporary in self.files}

    def _writer(self) -> WARCWriter:
        if self.stream is None or self.stream.tell() >= _ROTATE_BYTES:
            if self.stream:
                self.stream.close()
            self.files.append(self.folder / f"demo-{len(self.files):05d}.warc.gz.open")
            self.stream = self.files[-1].open("wb")
            writer = WARCWriter(self.stream, gzip=True)
            date = _BEGIN.strftime("%Y-%m-%dT%H:%M:%SZ")
            name = self.files[-1].with_suffix("").name
            facts = f"software: {AGENT}\r\nformat: WARC File Format 1.0\r\nisPartOf: gristmill-demo\r\nrobots: classic\r\n".encode()
            own = self._own("warcinfo", name, date) | {"WARC-Filename": name}
            info = writer.create_warc_record(
                "", "warcinfo", payload=io.BytesIO(facts), warc_content_type="application/warc-fields", warc_headers_dict=own
            )
            writer.write_record(info)
            return writer
        return WARCWriter(self.stream, gzip=True)

    @staticmethod
    def _own(kind: str, url: str, date: str) -> dict[str, str]:
        return {"WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{kind} {url} {date}')}>", "WARC-Date": date}


def crawl_demo(
    output: Path,
    *,
    pages: int | None = None,
    seed: int = 0,
    delay_seconds: float = 0.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CrawlResult:
    """Serve both sites and crawl them into ``output``; a finished crawl with the same settings is not repeated.

    ``pages`` bounds the documentation pages (default: PAGES) and with them the crawl; ``delay_seconds`` between two requests to one host.
    """
    settings: dict[str, Any] = {"pages": PAGES if pages is None else pages, "seed": seed, "code": code_version()}
    card = output / "crawl.json"
    if card.exists():
        there = json.loads(card.read_bytes())
        if there["settings"] == settings:
            return CrawlResult(output, there["fetched"], there["refused_by_robots"], there["files"], resumed=True)
        raise OutputError("another crawl lies there", where=str(output), hint="remove it (make clean-demo), or choose another folder")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError("cannot write", where=str(output), hint=error.strerror or "") from error
    site = make_site(settings["pages"], seed)
    recorder = _Recorder(output)
    with serving(site) as port:
        fetched, refused = _crawl(site.seeds, port, recorder, len(site.answers), delay_seconds, progress)
    result = CrawlResult(output, dict(sorted(fetched.items())), refused, recorder.close())
    digest = xxhash.xxh3_128_hexdigest(b"".join((output / name).read_bytes() for name in result.files))
    content = {"settings": settings, "fetched": result.fetched, "refused_by_robots": refused, "files": result.files, "xxh3_128": digest}
    card.write_bytes(json_bytes(content))
    return result


def links_of(url: str, fetched: _Fetched) -> list[str]:
    """Absolute http URLs of a page's links, without fragments; none of a page that says nofollow."""
    if "html" not in fetched.get("content-type") or _NOFOLLOW.search(fetched.body[:4096]) or "nofollow" in fetched.get("x-robots-tag"):
        return []
    joined = (
        urldefrag(urljoin(url, target.decode("ascii", "replace").replace("&amp;", "&"))).url for target in _LINK.findall(fetched.body)
    )
    return [link for link in joined if link.startswith("http://")]


def _crawl(
    seeds: list[str], port: int, recorder: _Recorder, limit: int, delay_seconds: float, progress: Callable[[int, int], None]
) -> tuple[Counter[str], int]:
    """Breadth first from the seeds, in the order in which links are met."""
    connections: dict[str, _Connection] = {}
    robots: dict[str, RobotFileParser] = {}
    queue, known = deque(seeds), set(seeds)
    statuses: Counter[str] = Counter()
    refused = number = 0
    while queue and number < 2 * limit:
        url = queue.popleft()
        host = urlsplit(url).netloc
        connection = connections.setdefault(host, _Connection(port))
        if host not in robots:
            request, answer = connection.fetch(f"http://{host}/robots.txt")
            recorder.record(f"http://{host}/robots.txt", number, request, answer)
            robots[host] = RobotFileParser()
            robots[host].parse(answer.body.decode("utf-8", "replace").splitlines() if answer.status == 200 else [])
            number += 1
        if not robots[host].can_fetch(AGENT, url):
            refused += 1
            continue
        request, answer = connection.fetch(url)
        recorder.record(url, number, request, answer)
        statuses[str(answer.status)] += 1
        number += 1
        found = links_of(url, answer)
        if location := answer.get("location"):
            found.append(urljoin(url, location))
        for link in found:
            if link not in known and urlsplit(link).netloc.endswith(".example"):
                known.add(link)
                queue.append(link)
        if number % 50 == 0:
            progress(number, limit)
        if delay_seconds:
            time.sleep(delay_seconds)
    for connection in connections.values():
        connection.close()
    return statuses, refused
