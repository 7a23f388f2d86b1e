"""Folders of text: plain files, Markdown, HTML pages; and chat exports.

TextFilesSource(license="CC-BY-4.0").read(split, log)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

import pyarrow as pa

from corpus.extraction.books import PAGE_OF_BOOK
from corpus.extraction.charset import decode, to_utf8
from corpus.extraction.chat import read_chat
from corpus.extraction.extracted import BROKEN, ENCRYPTED, NO_TEXT, TOO_LARGE, Extracted, date_of
from corpus.extraction.main_content import load_model, main_text
from corpus.extraction.metadata import read_marks
from corpus.kernels.markup import scan
from corpus.rights import license_of
from corpus.sources.containers import ZIP_MAGIC
from corpus.sources.files import read_files
from corpus.sources.source import InputFile, ReadLog, Source, Split
from corpus.step import Reason

NOT_TEXT = Reason("text:not_text", "the file holds bytes that no text has")

_PAGES = (".html", ".htm", ".xhtml")
_TEXTS = (".txt", ".text", ".md", ".markdown", ".rst", ".adoc")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_FRONT_MATTER = re.compile(r"\A---\s*\n(.{0,10000}?)\n---\s*(?:\n|\Z)", re.DOTALL)
_CHAT_MEMBER = re.compile(rb"(?:channels|users|\d{4}-\d\d-\d\d)\.json")


@final
@dataclass(frozen=True, kw_only=True)
class TextFilesSource(Source):
    """.txt, .md, .rst as they are (Markdown's front matter gives title, date, licence); .html through the reader of main content."""

    name: str = "text_files"
    collection: str = ""
    license: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    max_document_bytes: int = 8 * 2**20
    batch_bytes: int = 16 * 2**20

    reasons = (NOT_TEXT, BROKEN, ENCRYPTED, NO_TEXT, TOO_LARGE)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        name = file.file.lower()
        is_text = name.endswith(_TEXTS) and not name.endswith("cmakelists.txt")  # code by its name
        return is_text or (name.endswith(_PAGES) and not head.startswith(b"WARC/") and PAGE_OF_BOOK not in head)

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return [(0, max(1, file.size_bytes))]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        yield from read_files(self, split, log, (*_TEXTS, *_PAGES), lambda data, name: [read_text(data, name)])


@final
@dataclass(frozen=True, kw_only=True)
class ChatSource(Source):
    """Slack's export, as a .zip or a folder of it, and plain arrays of messages in .json: a document a channel and day."""

    name: str = "chat"
    collection: str = ""
    license: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    max_document_bytes: int = 32 * 2**20
    batch_bytes: int = 16 * 2**20

    reasons = (BROKEN, ENCRYPTED, NO_TEXT, TOO_LARGE)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        if head.startswith(ZIP_MAGIC):
            return file.file.lower().endswith(".zip") and bool(_CHAT_MEMBER.search(head))
        start = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
        return file.file.lower().endswith(".json") and start == b"[" and bool(re.search(rb'"(?:text|message|content|body)"', head))

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return [(0, max(1, file.size_bytes))]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        def reader(data: bytes, name: str) -> list[Extracted]:
            base = name.rpartition("/")[2]
            if base in ("users.json", "channels.json", "integration_logs.json", "dms.json", "groups.json", "mpims.json", "canvases.json"):
                log.records["chat:index"] += 1
                return []
            return [read_chat(data, name if "/" in name else split.file.file)]

        yield from read_files(self, split, log, (".json",), reader)


def read_text(data: bytes, name: str) -> Extracted:
    """One text file or page."""
    if name.lower().endswith(_PAGES):
        utf8, _ = to_utf8(data, None, True)
        page = scan(utf8)
        told = read_marks(page, None)
        links = [license_of(pair[1]) for pair in told.meta if pair[0] in ("license", "dcterms.license", "dc.rights")]
        day = re.match(r"(\d{4})-(\d\d)-(\d\d)", told.published or "")
        return Extracted(
            text=main_text(page, load_model()),
            title=told.title,
            url=told.canonical_url,
            date=date_of(*day.groups()) if day else None,
            language=told.language,
            license=next((link for link in links if link), None),
        )
    text, _ = decode(data, None, False)
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")) and len(_CONTROL.findall(data)) > len(data) // 100:
        return Extracted(fault=NOT_TEXT)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    front = _FRONT_MATTER.match(text) if name.lower().endswith((".md", ".markdown")) else None
    about = dict(re.findall(r"^(\w+):[ \t]*[\"']?(.*?)[\"']?[ \t]*$", front.group(1), re.MULTILINE)) if front else {}
    heading = re.match(r"\s*# (.+)", text[front.end() :] if front else text) if name.lower().endswith((".md", ".markdown")) else None
    day = re.match(r"(\d{4})-(\d\d)-(\d\d)", about.get("date", ""))
    return Extracted(
        text=(text[front.end() :] if front else text).strip("\n"),
        title=about.get("title") or (heading.group(1).strip() if heading else None),
        date=date_of(*day.groups()) if day else None,
        license=license_of(about.get("license", "")),
    )
