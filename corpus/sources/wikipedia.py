"""Wikipedia and its sisters: the dumps that Wikimedia publishes, page by page to clean text.

`pages-articles(-multistream).xml.bz2`, `.xml.gz` and plain `.xml`, with one revision a page or with all of them; and Enterprise's rendered
articles (``enterprise``). bzip2 is split where its streams begin, plain XML anywhere. Whatever is no article is a row with its reason.

    for batch in WikipediaSource(tables="text").read(split, log): ...
"""

import bz2
import codecs
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Literal, final

import pyarrow as pa

from corpus.extraction import wiki_html
from corpus.extraction.wikitext import WikiNames, article_text
from corpus.sources.bzip2 import STREAM, Bzip2
from corpus.sources.enterprise import Record, is_enterprise, is_one_split, read_record, record_lines
from corpus.sources.framing import GZIP_MAGIC
from corpus.sources.gunzip import Gunzip
from corpus.sources.mediawiki import Chunk, Page, Site, element, pages, read_site
from corpus.sources.rows import Fault, batches, row
from corpus.sources.source import Damage, InputFile, ReadLog, Source, Split
from corpus.sources.warc import parse_date
from corpus.step import Reason

OTHER_NAMESPACE = Reason("wiki:other_namespace", "the page is no article: the value is the number of its namespace")
REDIRECT = Reason("wiki:redirect", "the page only leads to another")
DISAMBIGUATION = Reason("wiki:disambiguation", "the page only tells apart what bears the same name")
LIST = Reason("wiki:list", "the page is a list by its title")
NOT_WIKITEXT = Reason("wiki:not_wikitext", "the page is written in another language than wikitext (a script, a style sheet, data)")
NO_TEXT = Reason("wiki:no_text", "nothing is left of the page but its markup, or its text was deleted")
TOO_LARGE = Reason("wiki:too_large", "the latest revision is larger than the limit in bytes")
CUT_OFF = Reason("wiki:cut_off", "the dump breaks off within the page")

_HEAD_BYTES = 2**20
_BLOCK = 2**20
_END = b"</mediawiki>"
_TAIL_BYTES = 4096  # the last tag and what white space or comment may follow it
_REDIRECT = re.compile(r"\s*#\s*[^\W\d_]{4,20}\s*:?\s*\[\[")
_DISAMBIGUATION = re.compile(
    r"\{\{\s*(?:disambig[a-z]*|dab|hndis|geodis|mathdab|schooldis|shipindex|surname|begriffsklärung|homonymie|desambiguaci[oó]n|"
    r"desambiguação|disambigua|неоднозначность|многозначност|пояснение|aimai|曖昧さ回避|消歧义|消歧義|ujednoznacznienie|doorverwijspagina|"
    r"동음이의|توضيح|פירושונים|anlam ayrımı|rozcestník|förgrening|olika betydelser)\s*[|}]|__DISAMBIG__",
    re.IGNORECASE,
)
_DISAMBIGUATED = re.compile(r"(?:all )?(?:article )?disambiguation pages", re.IGNORECASE)
_LIST = re.compile(
    r"(?:lists? of|outline of|index of|timeline of|liste(?:n)? (?:der|des|von|de|d’|d')|lista (?:de|di|dei|delle|över|над)|список|"
    r"lijst van|"
    r"lista (?:das|dos|de)|daftar|danh sách|seznam|списък) |.+の?一覧$|.+列表$",
    re.IGNORECASE,
)


@final
@dataclass(frozen=True, kw_only=True)
class WikipediaSource(Source):
    """``namespaces``: those whose pages are articles (0; Wikisource has 104 besides). ``license``: of all texts, CC-BY-SA-4.0 since June
    2023 for Wikimedia's wikis; set it where a wiki has another. Rendered articles state theirs, which stands above. ``max_page_bytes``:
    MediaWiki itself takes no page over 2 MiB; a line that holds it rendered besides may have four times as many."""

    name: str = "wikipedia"
    collection: str = ""
    license: str = "CC-BY-SA-4.0"
    namespaces: tuple[int, ...] = (0,)
    tables: Literal["cut", "text"] = "cut"
    keep_lists: bool = False
    max_page_bytes: int = 8 * 2**20
    batch_bytes: int = 16 * 2**20
    split_bytes: int = 64 * 2**20

    reasons = (OTHER_NAMESPACE, REDIRECT, DISAMBIGUATION, LIST, NOT_WIKITEXT, NO_TEXT, TOO_LARGE, CUT_OFF)

    def __post_init__(self) -> None:
        if min(self.max_page_bytes, self.batch_bytes, self.split_bytes) < 1:
            raise ValueError("max_page_bytes, batch_bytes and split_bytes must be at least 1")

    def accepts(self, file: InputFile, head: bytes) -> bool:
        if is_enterprise(file.file, head):
            return True
        if STREAM.match(head):  # the beginning of a block of 900 kB, of which nothing can be inflated: then by its name
            try:
                head = bz2.BZ2Decompressor().decompress(head, 4096)
            except (OSError, ValueError):
                return False
            if not head:
                return ".xml" in file.file.lower()
        elif head.startswith(GZIP_MAGIC):
            try:
                head = zlib.decompressobj(31).decompress(head, 4096)
            except zlib.error:
                return False
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            head = head.decode("utf-16", "ignore").encode()
        return b"<mediawiki" in head

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        """Compressed otherwise than with bzip2, a tar, or in UTF-16: one split."""
        size = max(1, file.size_bytes)
        with file.place.open() as stream:
            head = stream.read(512)
        if is_one_split(head) or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return [(0, size)]
        return [(start, min(start + self.split_bytes, size)) for start in range(0, size, self.split_bytes)]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        with split.file.place.open() as stream:
            head = stream.read(4096)
            stream.seek(0)
            if is_enterprise(split.file.file, head):
                yield from batches(self._records(stream, split, log), "wikipedia", self.batch_bytes)
                return
            site = read_site(_head(stream))
            stream.seek(0)
            found = pages(_chunks(stream, split, log), self.max_page_bytes)
            rows = (
                log.parse(split.file.file, page.offset, len(page.revision or b""), self._row, page, site, split.file, log) for page in found
            )
            yield from batches((row for row in rows if row), "wikipedia", self.batch_bytes)

    def _row(self, page: Page, site: Site, file: InputFile, log: ReadLog) -> dict[str, Any]:
        header = page.header.decode("utf-8", "replace")
        revision = (page.revision or b"").decode("utf-8", "replace")
        title, number = element(header, "title"), element(header, "id")
        source = "" if page.too_large else element(revision, "text")
        text, fault = None, self._fault(page, header, revision, source, title, site.project)
        if not fault:
            text = article_text(source, site.names, tables=self.tables)
            fault = None if text else (NO_TEXT, None, None)
        if page.older:
            log.records["wiki:older_revision"] += page.older
        labels = {"project": site.project, "wiki": site.database}
        return row(
            self,
            file,
            key=(site.database or site.address, number, element(revision, "id")),
            offset=page.offset,
            text=text,
            fault=fault,
            record_id=number or None,
            url=site.url(title) if title else None,
            title=title or None,
            date=parse_date(element(revision, "timestamp")),
            language=site.language,
            license=self.license or None,
            labels={name: value for name, value in labels.items() if value},
            collection=site.database,
        )

    def _records(self, stream: IO[bytes], split: Split, log: ReadLog) -> Iterator[dict[str, Any]]:
        """Of Enterprise's dumps. A line that is no record costs itself alone."""
        limit = 4 * self.max_page_bytes
        for offset, line, length in record_lines(stream, split, limit, log):
            if length > limit:
                yield row(self, split.file, key=("",), offset=offset, fault=(TOO_LARGE, length, limit))
            elif line.strip():
                made = log.parse(split.file.file, offset, length, self._record_row, line, offset, length, split.file, log)
                if made:
                    yield made

    def _record_row(self, line: bytes, offset: int, length: int, file: InputFile, log: ReadLog) -> dict[str, Any] | None:
        record = read_record(line)
        if record is None:
            log.damages.append(Damage(file.file, offset, length, "json:bad_line"))
            return None
        found = re.match(r"(https?://[^/]*?([a-z]+)\.org/wiki/)", record.address)
        address, project = found.groups() if found else ("", "")
        page = record.html.encode("utf-8", "replace")
        text, fault = None, self._record_fault(record, page, project)
        if not fault:
            text = wiki_html.article_text(page, tables=self.tables)
            if not page.strip():
                text = article_text(record.wikitext, WikiNames(), tables=self.tables)
            fault = None if text else (NO_TEXT, None, None)
        labels = {"project": project, "wiki": record.database}
        return row(
            self,
            file,
            key=(record.database or address, record.number, record.revision),
            offset=offset,
            text=text,
            fault=fault,
            record_id=record.number or None,
            url=(Site(address=address).url(record.title) if record.title else None) or record.address or None,
            title=record.title or None,
            date=parse_date(record.date),
            language=record.language,
            license=record.license or self.license or None,
            labels={name: value for name, value in labels.items() if value},
            collection=record.database,
        )

    def _record_fault(self, record: Record, page: bytes, project: str) -> Fault | None:
        if record.namespace not in self.namespaces:
            return OTHER_NAMESPACE, record.namespace, None
        if wiki_html.is_redirect(page) or _REDIRECT.match(record.wikitext):
            return REDIRECT, None, None
        marks = "".join(f"{{{{{mark}}}}}" for mark in record.marks)
        is_told = wiki_html.is_disambiguation(page) or any(map(_DISAMBIGUATION.search, (marks, record.wikitext)))
        return self._no_article(is_told or any(map(_DISAMBIGUATED.fullmatch, record.marks)), record.title, project)

    def _fault(self, page: Page, header: str, revision: str, source: str, title: str, project: str) -> Fault | None:
        namespace = element(header, "ns")
        model = element(revision, "model")
        if not page.whole:
            return CUT_OFF, None, None
        if namespace.lstrip("-").isdecimal() and len(namespace) < 10 and int(namespace) not in self.namespaces:
            return OTHER_NAMESPACE, int(namespace), None
        if "<redirect" in header or _REDIRECT.match(source):
            return REDIRECT, None, None
        if model not in ("", "wikitext"):
            return NOT_WIKITEXT, None, None
        if page.too_large:
            return TOO_LARGE, page.too_large, self.max_page_bytes
        return self._no_article(bool(_DISAMBIGUATION.search(source)), title, project)

    def _no_article(self, is_disambiguation: bool, title: str, project: str) -> Fault | None:
        if project == "wiktionary":  # whose entries name surnames and months by the same templates
            return None
        if is_disambiguation or title.lower().endswith("(disambiguation)"):
            return DISAMBIGUATION, None, None
        if not self.keep_lists and _LIST.match(title):
            return LIST, None, None
        return None


def _head(stream: IO[bytes]) -> bytes:
    """The first MiB of the XML, or less."""
    start = stream.read(4)
    stream.seek(0)
    if start.startswith(GZIP_MAGIC):
        try:
            head = Gunzip(stream).read(_HEAD_BYTES)
        except OSError:
            head = b""
    elif start.startswith(b"BZh"):
        head = next((piece.content for piece in Bzip2(stream, _HEAD_BYTES).pieces(0)), b"")
    else:
        head = stream.read(_HEAD_BYTES)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", "replace").encode("utf-8", "replace")
    return head


def _chunks(stream: IO[bytes], split: Split, log: ReadLog) -> Iterator[Chunk]:
    """The XML from the beginning of the split on, past its end as long as it is asked for; damage is logged where it is met."""
    start = stream.read(4)
    stream.seek(0)
    before = b""
    if start.startswith(b"BZh"):
        chunks = _bzip2_chunks(stream, split, log)
    elif start.startswith(GZIP_MAGIC):
        chunks = _gzip_chunks(stream, split, log)
    else:
        stream.seek(max(0, split.start - len(_END)))
        before = stream.read(min(split.start, len(_END)))
        chunks = _plain_chunks(stream, split, log)
    yield from _to_the_end(_as_utf8(chunks), before, split, log)


def _to_the_end(chunks: Iterator[Chunk], before: bytes, split: Split, log: ReadLog) -> Iterator[Chunk]:
    """Every dump, a part of a larger one too, ends with its last tag; one cut between two pages lacks that alone. Whose own chunk is the
    last of the file asks for it; where a stream of bzip2 begins within the tag, the rest is enough. Damage up to the end is told already.
    """
    tail = before
    last: Chunk | None = None
    for last in chunks:
        tail = (tail + last.content)[-_TAIL_BYTES:]
        yield last
    if last and last.own and not last.broken and _END not in tail and not _END.endswith(tail.rstrip()):
        log.damages.append(Damage(split.file.file, split.file.size_bytes, 0, "xml:cut_off"))


def _bzip2_chunks(stream: IO[bytes], split: Split, log: ReadLog) -> Iterator[Chunk]:
    """Streams that begin in the split are its own."""
    archive = Bzip2(stream, split.file.size_bytes)
    start = 0 if split.start == 0 else split.start if split.exact else archive.find(split.start)
    if start >= split.end:
        return
    log.first = start
    for piece in archive.pieces(start):
        own = piece.stream < split.end
        if own and piece.broken:
            log.damages.append(Damage(split.file.file, piece.damaged_from, piece.lost, "bzip2:damaged"))
        if not own and log.next is None:
            log.next = piece.stream
            log.read_bytes += piece.stream - start
        yield Chunk(piece.content, piece.stream, own, piece.broken, packed=True)
    if log.next is None:
        log.next = archive.next
        log.read_bytes += archive.next - start


def _gzip_chunks(stream: IO[bytes], split: Split, log: ReadLog) -> Iterator[Chunk]:
    """What follows damage is lost: gzip has no marks to go on from."""
    reader, at = Gunzip(stream), 0
    try:
        while block := reader.read(_BLOCK):
            log.read_bytes += len(block)
            yield Chunk(block, at)
            at += len(block)
    except OSError:
        met = max(0, stream.tell() - 64 * 1024)  # somewhere in the last block that was read
        log.damages.append(Damage(split.file.file, met, split.file.size_bytes - met, "gzip:damaged"))
        yield Chunk(b"", at, broken=True)


def _plain_chunks(stream: IO[bytes], split: Split, log: ReadLog) -> Iterator[Chunk]:
    at = split.start
    while True:
        stream.seek(at)
        own = at < split.end
        block = stream.read(min(_BLOCK, split.end - at) if own else _BLOCK)
        if not block:
            return
        log.read_bytes += len(block) if own else 0
        yield Chunk(block, at, own)
        at += len(block)


def _as_utf8(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """UTF-16 with its mark becomes UTF-8; offsets then are those of the chunk."""
    decoder: codecs.IncrementalDecoder | None = None
    is_first = True
    for chunk in chunks:
        if is_first and chunk.content:
            is_first = False
            if chunk.start == 0 and chunk.content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                decoder = codecs.getincrementaldecoder("utf-16")("replace")
        if decoder is None:
            yield chunk
        else:
            content = decoder.decode(chunk.content).encode("utf-8", "replace")
            yield Chunk(content, chunk.start, chunk.own, chunk.broken, packed=True)
