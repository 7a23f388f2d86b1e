"""Golden WARCs, made by the tests: good ones by warcio's writer, and one for each kind of damage.

content, offsets = warc([page("http://a.example/", "<p>Hello</p>")])
"""

import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from corpus.sources.source import InputFile


@dataclass
class Page:
    """One record of a golden WARC."""

    url: str
    body: bytes
    status: str = "200 OK"
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("Content-Type", "text/html; charset=utf-8")])
    kind: str = "response"
    warc_headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/html"


def page(url: str, body: str | bytes, **fields: object) -> Page:
    return Page(url, body.encode() if isinstance(body, str) else body, **fields)  # type: ignore[arg-type]


def warc(pages: Sequence[Page], *, gzip: bool = True, version: str = "WARC/1.0") -> tuple[bytes, list[int]]:
    """(content, offset of each record); ids and dates are fixed."""
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=gzip, warc_version=version)
    offsets = []
    for number, each in enumerate(pages):
        offsets.append(out.tell())
        own = {
            "WARC-Record-ID": f"<urn:uuid:00000000-0000-0000-0000-{number:012d}>",
            "WARC-Date": "2026-01-01T00:00:00Z",
        } | each.warc_headers
        http = StatusAndHeaders(each.status, each.headers, "HTTP/1.1") if each.kind in ("response", "revisit") else None
        record = writer.create_warc_record(
            each.url,
            each.kind,
            payload=io.BytesIO(each.body),
            http_headers=http,
            warc_headers_dict=own,
            warc_content_type="" if http else each.content_type,
        )
        writer.write_record(record)
    return out.getvalue(), offsets


def ten() -> list[Page]:
    return [
        page(f"http://a.example/{number}", f"<p>Page {number}</p>" + f"<p>{number * 7919} words of it</p>" * 40) for number in range(10)
    ]


def corrupt_member(content: bytes, offsets: Sequence[int], number: int) -> bytes:
    """The record's compressed bytes overwritten in the middle."""
    damaged = bytearray(content)
    middle = (offsets[number] + offsets[number + 1]) // 2
    for at in range(middle - 10, middle + 10):
        damaged[at] ^= 0xFF
    return bytes(damaged)


def whole_file_gzip(pages: Sequence[Page]) -> bytes:
    """All records in one gzip member, as tools write it that do not know better."""
    return gzip.compress(warc(pages, gzip=False)[0], mtime=0)


def archive_in_archive() -> tuple[bytes, list[int]]:
    """A WARC whose second record holds a .warc.gz, stored in its member without compression: it looks like records of the outer file."""
    inner = warc([page(f"http://inner.example/{number}", "<p>inner</p>" * 30) for number in range(5)])[0]
    outer = [page("http://a.example/0", "<p>zero</p>"), page("http://a.example/w", inner, headers=[("Content-Type", "application/gzip")])]
    outer += [page(f"http://a.example/{number}", "<p>more</p>" * 20) for number in range(1, 4)]
    plain, starts = warc(outer, gzip=False)
    members, offsets, at = [], [], 0
    for start, end in zip(starts, [*starts[1:], len(plain)], strict=True):
        level = 0 if start == starts[1] else 6
        compressor = zlib.compressobj(level, zlib.DEFLATED, 31)
        member = compressor.compress(plain[start:end]) + compressor.flush()
        offsets.append(at)
        members.append(member)
        at += len(member)
    return b"".join(members), offsets


def on_disk(folder: Path, name: str, content: bytes) -> InputFile:
    path = folder / name
    path.write_bytes(content)
    return InputFile(0, name, str(path), len(content))
