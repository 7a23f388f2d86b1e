"""MediaWiki's export format cut into pages as it streams by: no XML parser, so no entity is defined, no DTD read, no tree built.

The format is a flat list of ``<page>`` elements, in which markup of the text itself is always escaped: the four tags that matter can stand
nowhere else. Of a page with many revisions one is held at a time, and the latest stays.

    for page in pages(chunks, limit=2**24): page.header, page.revision
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import final
from urllib.parse import quote

from corpus.extraction.wikitext import WikiNames

_TOKEN = re.compile(rb"<(/?)(page|revision)>")
_HELD_BACK = 16  # a tag may be cut by the end of a chunk
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_MAX_HEADER = 64 * 1024


@final
@dataclass(frozen=True)
class Chunk:
    """A stretch of XML. ``own``: pages that begin in it are the reader's; ``broken``: it does not follow on the one before;
    ``offset`` of a page in it is ``start``, plus the number of pages before it where ``packed``, else plus its place in the chunk."""

    content: bytes
    start: int
    own: bool = True
    broken: bool = False
    packed: bool = False


@final
@dataclass
class Page:
    """The bytes before the first revision, and those of the latest (None: there is none). ``whole`` is false where the page breaks off."""

    offset: int
    header: bytes = b""
    revision: bytes | None = None
    stamp: tuple[bytes, int] = (b"", 0)
    older: int = 0
    too_large: int = 0  # bytes of the latest revision where that is over the limit
    whole: bool = True


@final
@dataclass(frozen=True, kw_only=True)
class Site:
    """What a dump says of its wiki."""

    database: str = ""
    language: str | None = None
    address: str = ""  # of articles: title comes after it
    project: str = ""  # wikipedia, wiktionary, …
    names: WikiNames = field(default_factory=WikiNames)

    def url(self, title: str) -> str | None:
        """As MediaWiki writes it: spaces are underscores, and ``;@$!*(),/~:`` stay."""
        return self.address + quote(title.replace(" ", "_"), safe=";@$!*(),/~:") if self.address else None


def read_site(head: bytes) -> Site:
    """From the beginning of a dump; what is not told stays empty."""
    cut = head.find(b"</siteinfo>")
    text = head[: cut if cut >= 0 else len(head)].decode("utf-8", "replace")
    base = element(text, "base")
    language = re.search(r'<mediawiki[^>]{0,1000}\sxml:lang="([A-Za-z-]{2,20})"', text)
    hidden = {unescape(name).strip().lower() for name in re.findall(r'<namespace key="(?:-2|6|14)"[^>]{0,100}>([^<]{1,100})<', text)}
    host = re.match(r"https?://[^/]*?([a-z]+)\.org/", base)
    return Site(
        database=element(text, "dbname"),
        language=language.group(1).lower() if language else None,
        address=base.rpartition("/")[0] + "/" if "/" in base else "",
        project=host.group(1) if host else "",
        names=WikiNames(hidden=WikiNames().hidden | hidden),
    )


def pages(chunks: Iterable[Chunk], limit: int) -> Iterator[Page]:
    """The pages that begin in chunks of one's own; ``limit``: bytes of a revision above which it is not held."""
    page: Page | None = None
    held = bytearray()  # of the header or the revision that is being read
    length = 0
    inside = ""  # "page": before and between revisions; "revision"
    buffer = b""
    number, packed_in = 0, -1
    for chunk in chunks:
        if chunk.broken and page:
            page.whole = False
            yield page
            page, inside = None, ""
        if chunk.broken:
            buffer = b""
        before = len(buffer)
        buffer += chunk.content
        at = 0
        for found in _TOKEN.finditer(buffer):
            if inside:
                length += found.start() - at
                held += buffer[at : found.start()] if length <= limit else b""
            at = found.end()
            closing, name = found.groups()
            if name == b"page":
                if page:
                    page.whole = bool(closing)
                    page.header = page.header or bytes(held[:_MAX_HEADER])
                    yield page
                page, inside = None, ""
                if not closing:
                    if not (chunk.own or found.start() < before):
                        return
                    if chunk.packed and chunk.start != packed_in and found.start() >= before:
                        number, packed_in = 0, chunk.start
                    offset = max(0, packed_in) + number if chunk.packed else chunk.start + found.start() - before
                    number += 1
                    page, inside = Page(offset), "page"
            elif page and not closing:
                page.header = page.header or bytes(held[:_MAX_HEADER])
                inside = "revision"
            elif page and inside == "revision":
                _keep_latest(page, bytes(held), length, limit)
                inside = "page"
            held.clear()
            length = 0
        if not page and not chunk.own and len(chunk.content) >= _HELD_BACK:
            return
        keep = max(at, len(buffer) - _HELD_BACK)
        if inside and keep > at:
            length += keep - at
            held += buffer[at:keep] if length <= limit else b""
        buffer = buffer[keep:]
    if page:
        page.whole = False
        yield page


def _keep_latest(page: Page, revision: bytes, length: int, limit: int) -> None:
    found = re.search(rb"<timestamp>([0-9TZ:.+-]{1,40})</timestamp>", revision[:_MAX_HEADER])
    number = re.search(rb"<id>(\d{1,18})</id>", revision[:_MAX_HEADER])
    stamp = (found.group(1) if found else b"", int(number.group(1)) if number else 0)
    if page.revision is not None:
        page.older += 1
        if stamp < page.stamp:
            return
    page.stamp, page.revision, page.too_large = stamp, revision, length if length > limit else 0


def element(text: str, name: str) -> str:
    """The content of the first element of that name; empty where there is none. ``<text/>`` has none."""
    start = text.find(f"<{name}")
    while start >= 0 and text[start + len(name) + 1 : start + len(name) + 2] not in (">", " ", "/"):
        start = text.find(f"<{name}", start + 1)
    if start < 0:
        return ""
    opening = text.find(">", start)
    if opening < 0 or text[opening - 1] == "/":
        return ""
    end = text.find(f"</{name}>", opening)
    return unescape(text[opening + 1 : end if end >= 0 else len(text)])


def unescape(text: str) -> str:
    """XML's five entities and numbers; others, which only a DTD could define, stay as they are."""
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    if found.group(1):
        return _NAMED[found.group(1)]
    number = int(found.group(2)) if found.group(2) else int(found.group(3), 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"
