"""Journals and courts: articles in JATS XML, and opinions as CourtListener and the Caselaw Access Project export them.

A file is one document, or a .tar.gz, .zip or .jsonl of them (PubMed Central's bulk packages, CAP's volumes); each file is one split.

    JournalsSource().read(Split(file, 0, file.size_bytes), log)
"""

import codecs
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

import pyarrow as pa

from corpus.extraction import jats, opinions, secure_xml
from corpus.extraction.extracted import BROKEN, ENCRYPTED, NO_TEXT, TOO_LARGE
from corpus.extraction.jats import read_articles
from corpus.extraction.opinions import read_opinion
from corpus.sources.containers import ZIP_MAGIC, is_tar
from corpus.sources.contents import ARTICLES, OPINION_KEYS, OPINIONS, shown_kind
from corpus.sources.files import read_files
from corpus.sources.framing import GZIP_MAGIC
from corpus.sources.source import InputFile, ReadLog, Source, Split

_XML_FAULTS = (secure_xml.BROKEN, secure_xml.ENTITIES, secure_xml.TOO_DEEP)


@final
@dataclass(frozen=True, kw_only=True)
class JournalsSource(Source):
    """JATS articles: .xml, .nxml, .tar.gz and .zip of them. ``license``: of articles that state none."""

    name: str = "journals"
    collection: str = ""
    license: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    max_document_bytes: int = 32 * 2**20  # the largest articles of PubMed Central have some 20 MB
    batch_bytes: int = 16 * 2**20

    reasons = (*_XML_FAULTS, jats.NO_ARTICLE, BROKEN, ENCRYPTED, TOO_LARGE, NO_TEXT)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        name = file.file.lower()
        content = inflated(head)
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            content = content.decode("utf-16", "ignore").encode()
        if is_tar(content) or content.startswith(ZIP_MAGIC):
            return (is_tar(content) or name.endswith(".zip")) and shown_kind(head) in (ARTICLES, "")
        is_xml = content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") and not name.endswith(
            (".html", ".htm", ".xhtml")
        )  # HTML has <article> too
        return name.endswith(".nxml") or (is_xml and (b"<article" in content or b"<pmc-articleset" in content))

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return [(0, max(1, file.size_bytes))]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        yield from read_files(self, split, log, (".xml", ".nxml"), lambda data, name: read_articles(data))


@final
@dataclass(frozen=True, kw_only=True)
class OpinionsSource(Source):
    """Court opinions: .json, .jsonl, .xml, and .zip or .tar.gz of them. ``license``: these exports state none."""

    name: str = "opinions"
    collection: str = ""
    license: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    max_document_bytes: int = 32 * 2**20
    batch_bytes: int = 16 * 2**20

    reasons = (*_XML_FAULTS, opinions.NO_OPINION, BROKEN, ENCRYPTED, TOO_LARGE, NO_TEXT)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        content = inflated(head)
        name = file.file.lower().removesuffix(".gz")
        if is_tar(content) or content.startswith(ZIP_MAGIC):
            return (is_tar(content) or name.endswith(".zip")) and shown_kind(head) == OPINIONS
        start = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
        is_json = name.endswith((".json", ".jsonl", ".ndjson")) and start in (b"{", b"[")
        return is_json and bool(OPINION_KEYS.search(content)) or (start == b"<" and b"<casebody" in content)

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return [(0, max(1, file.size_bytes))]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        yield from read_files(self, split, log, (".xml", ".json"), lambda data, name: read_opinion(data))


def inflated(head: bytes) -> bytes:
    """The first bytes of a file, as they are without gzip."""
    try:
        return zlib.decompressobj(31).decompress(head, 4096) if head.startswith(GZIP_MAGIC) else head
    except zlib.error:
        return b""
