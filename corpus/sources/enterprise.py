"""Wikimedia Enterprise's dumps of rendered articles: a JSON object a line, in the files of a tar.gz.

Called `enwiki-NS0-20230101-ENTERPRISE-HTML.json.tar.gz`. The files in it, unpacked or gzipped by themselves, are read too. They hold
gigabytes: of each a line is held at a time. A tar.gz is one split, for gzip can't be entered in the middle; plain files are split at lines.

    for offset, line, length in record_lines(stream, split, 2**25, log): read_record(line).title
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, final

from corpus.rights import license_of
from corpus.sources.archives import BLOCK, Bounds, Forward, Seekable, TarReader, inflated, is_tar
from corpus.sources.contents import shown_files
from corpus.sources.framing import GZIP_MAGIC
from corpus.sources.gunzip import Gunzip
from corpus.sources.source import ReadLog, Split
from corpus.sources.tables import Buffered, lines_of

_PIECE = 2**20
_ENDINGS = (".ndjson", ".json", ".jsonl")
_NAME = "enterprise-html"
_KEYS = (b'"date_modified"', b'"version"', b'"namespace"', b'"in_language"')


@final
@dataclass(frozen=True, kw_only=True)
class Record:
    """What a line says of its article. ``marks``: the names of its templates and categories, without their namespace."""

    title: str
    number: str
    revision: str
    namespace: int
    address: str
    date: str
    language: str | None
    database: str
    license: str | None
    html: str
    wikitext: str
    marks: tuple[str, ...]


def is_enterprise(name: str, head: bytes) -> bool:
    """Of a file by its first 4 KB, and by its name where these show no more than a JSON object."""
    content = inflated(head) if head.startswith(GZIP_MAGIC) else head
    if is_tar(content):
        inner, content = next(shown_files(head), ("", b""))
        if not inner.lower().endswith(_ENDINGS):
            return False
    if not content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
        return False
    return _NAME in name.lower() or all(key in content for key in _KEYS)


def is_one_split(head: bytes) -> bool:
    return head.startswith(GZIP_MAGIC) or is_tar(head)


def record_lines(stream: IO[bytes], split: Split, limit: int, log: ReadLog) -> Iterator[tuple[int, bytes, int]]:
    """(offset, line, length) of the lines that begin in the split, as ``tables.lines_of`` gives them; in a tar, offsets are those of the
    unpacked archive. Damage and a missing end go into the log."""
    head = stream.read(4096)
    stream.seek(0)
    if not is_tar(inflated(head) if head.startswith(GZIP_MAGIC) else head):
        yield from lines_of(stream, split, limit, log)
        return
    source = Forward(Gunzip(stream)) if head.startswith(GZIP_MAGIC) else Seekable(stream)
    bounds = Bounds(member_bytes=0, archive_bytes=2**62)  # no member is held; their lines are read from where it lies
    for member in TarReader(source, split.file.file, bounds, log).members(0, 2**62):
        if not member.path.lower().endswith(_ENDINGS):
            log.records["wiki:other_file"] += 1
            continue
        at = member.offset + BLOCK
        content = _Content(source, at, at + member.size)
        lines = Buffered(content, _PIECE)
        while True:
            line, length = lines.line(limit)
            if not length or (content.is_cut and len(line) == length):  # the rest of a line is told with the rest of the archive
                break
            yield at, line, length
            log.read_bytes += length
            at += length


@final
class _Content:
    """A member of a tar as a stream; ``is_cut``: the archive ends before the member does."""

    def __init__(self, source: Seekable | Forward, start: int, end: int):
        self.source, self.at, self.end = source, start, end
        self.is_cut = False

    def read(self, size: int) -> bytes:
        wanted = min(size, self.end - self.at)
        piece = self.source.read_at(self.at, wanted) if wanted else b""
        self.is_cut = len(piece) < wanted
        self.at += len(piece)
        return piece


def read_record(line: bytes) -> Record | None:
    """None where the line is no JSON object. What is missing is empty: zeros and empty values are left out by the writer."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    body, namespace = _object(told, "article_body"), _object(told, "namespace").get("identifier", 0)
    return Record(
        title=_text(told.get("name")),
        number=_text(told.get("identifier")),
        revision=_text(_object(told, "version").get("identifier")),
        namespace=namespace if isinstance(namespace, int) and abs(namespace) < 10**9 else 0,
        address=_text(told.get("url")),
        date=_text(told.get("date_modified")),
        language=_text(_object(told, "in_language").get("identifier")).lower() or None,
        database=_text(_object(told, "is_part_of").get("identifier")),
        license=_license(told.get("license")),
        html=_text(body.get("html")),
        wikitext=_text(body.get("wikitext")),
        marks=tuple(_text(each.get("name")).partition(":")[2] for key in ("templates", "categories") for each in _objects(told.get(key))),
    )


def _license(told: Any) -> str | None:
    """``CC-BY-SA-3.0``; of several, one may be chosen."""
    found = [license_of(_text(each.get("url"))) or _text(each.get("identifier")) for each in _objects(told)]
    return " OR ".join(dict.fromkeys(each for each in found if re.fullmatch(r"[A-Za-z0-9.+-]{2,40}", each))) or None


def _object(told: dict[str, Any], key: str) -> dict[str, Any]:
    found = told.get(key)
    return found if isinstance(found, dict) else {}


def _objects(told: Any) -> list[dict[str, Any]]:
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
