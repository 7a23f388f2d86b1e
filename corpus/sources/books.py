"""Books: Project Gutenberg's plain texts, EPUBs, and the source trees of Standard Ebooks (`content.opf` beside `text/*.xhtml`,
or the pages alone).

A book is one row, its chapters one after another with their headings. The title page, imprint and table of contents go.

    for batch in BooksSource().read(split, log): ...
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import pyarrow as pa

from corpus.errors import InputError
from corpus.extraction.books import (
    MENTIONS,
    PAGE_OF_BOOK,
    Package,
    UnsafeXml,
    chapter_text,
    gutenberg_book,
    package_of_pages,
    package_path,
    read_package,
)
from corpus.sources.archives import Bounds, is_zip, members, safe_path
from corpus.sources.rows import Fault, batches, row
from corpus.sources.source import InputFile, ReadLog, Source, Split
from corpus.sources.warc import parse_date
from corpus.step import Reason
from corpus.storage import Place

NO_TEXT = Reason("books:no_text", "nothing is left of the book but its frame")
TOO_LARGE = Reason("books:too_large", "the book is larger than the limit in bytes")
BAD_PACKAGE = Reason("books:bad_package", "the archive has no readable package file, or that defines XML entities")
ENCRYPTED = Reason("books:encrypted", "the book's pages are encrypted")
NO_MARKERS = Reason("books:no_markers", "a text of Project Gutenberg without the marks between which the book stands")

_EPUB = b"application/epub+zip"
_TITLE_PAGE = "titlepage.xhtml"
_PAGE_ENDINGS = (".xhtml", ".html", ".htm")


@final
@dataclass(frozen=True, kw_only=True)
class BooksSource(Source):
    """``max_document_bytes``: of a book's text file, or of an EPUB's pages together; the longest novels have 10 MB. Gutenberg's texts are
    in the public domain of the United States, which SPDX has no name for: ``gutenberg_license`` is what their rows say."""

    name: str = "books"
    collection: str = ""
    gutenberg_license: str = "LicenseRef-PublicDomain-US"
    max_document_bytes: int = 32 * 2**20
    batch_bytes: int = 16 * 2**20

    reasons = (NO_TEXT, TOO_LARGE, BAD_PACKAGE, ENCRYPTED, NO_MARKERS)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        """Raises InputError for a page of a book, which is not read by itself."""
        if is_zip(head):
            return _EPUB in head[:200] or file.file.lower().endswith(".epub")
        if file.file.lower().endswith(".opf"):
            return b"<package" in head
        if f"/{file.file}".endswith(f"/{_TITLE_PAGE}"):  # pages without their package file: this one stands for all
            return b'epub:type="titlepage"' in head and not (Place(_folder(_folder(file.uri))) / "content.opf").exists()
        if file.file.lower().endswith(_PAGE_ENDINGS) and PAGE_OF_BOOK in head:
            raise InputError("a page of a book", hint="it is read with the others, where their package file or title page lies")
        return file.file.lower().endswith(".txt") and MENTIONS in head.lower()

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return [(0, max(1, file.size_bytes))]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        log.read_bytes += split.file.size_bytes
        name = split.file.file.lower()
        kinds = {".opf": self._tree, ".txt": self._text, "/titlepage.xhtml": self._pages}
        read = next((read for ending, read in kinds.items() if f"/{name}".endswith(ending)), self._epub)
        made = log.parse(split.file.file, 0, split.file.size_bytes, read, split.file, log)
        yield from batches([made] if made else [], "books", self.batch_bytes)

    def _text(self, file: InputFile, log: ReadLog) -> dict[str, Any]:
        if file.size_bytes > self.max_document_bytes:
            return self._rejected(file, (TOO_LARGE, file.size_bytes, self.max_document_bytes))
        book = gutenberg_book(file.place.read_bytes())
        fault: Fault | None = None if book.has_markers else (NO_MARKERS, None, None)
        if not fault and not book.text.strip():
            fault = (NO_TEXT, None, None)
        return row(
            self,
            file,
            key=(book.number or "", book.title or ""),
            offset=0,
            text=book.text,
            fault=fault,
            record_id=book.number,
            url=f"https://www.gutenberg.org/ebooks/{book.number}" if book.number else None,
            title=book.title,
            language=book.language,
            charset_source=book.charset_source,
            license=self.gutenberg_license or None,
            labels={"author": book.author} if book.author else None,
        )

    def _epub(self, file: InputFile, log: ReadLog) -> dict[str, Any]:
        bounds = Bounds(member_bytes=self.max_document_bytes, archive_bytes=16 * self.max_document_bytes, members=20_000)
        files: dict[str, bytes] = {}
        within = ReadLog()
        total = 0
        with file.place.open() as stream:
            for member in members(stream, file.file, bounds, within):
                path = safe_path(member.path)
                if path is None:
                    within.records["archive:unsafe_path"] += 1
                elif path.lower().endswith((".xml", ".opf", ".xhtml", ".html", ".htm")):
                    total += member.size
                    if member.content is None or total > 2 * self.max_document_bytes:
                        return self._rejected(file, (TOO_LARGE, member.size, self.max_document_bytes))
                    files[path] = member.content
        log.records.update(within.records)
        log.damages.extend(within.damages)
        if within.records["archive:over_the_bounds"]:
            return self._rejected(file, (TOO_LARGE, None, self.max_document_bytes))
        try:
            path = safe_path(package_path(files.get("META-INF/container.xml", b"")) or "")
            package = read_package(files[path], path) if path in files else None
        except UnsafeXml:
            package = None
        if package is None:
            return self._rejected(file, (BAD_PACKAGE, None, None))
        locked = files.get("META-INF/encryption.xml", b"")
        if any(page.rpartition("/")[2].encode() in locked for page in package.spine):
            return self._rejected(file, (ENCRYPTED, None, None))
        return self._book(package, lambda page: files.get(page), file, log)

    def _tree(self, file: InputFile, log: ReadLog) -> dict[str, Any]:
        """The pages lie beside the package file; none is looked for above its folder."""
        if file.size_bytes > self.max_document_bytes:
            return self._rejected(file, (TOO_LARGE, file.size_bytes, self.max_document_bytes))
        try:
            package = read_package(file.place.read_bytes())
        except UnsafeXml:
            return self._rejected(file, (BAD_PACKAGE, None, None))
        return self._book(package, self._beside(file), file, log)

    def _pages(self, file: InputFile, log: ReadLog) -> dict[str, Any]:
        """The pages that lie beside a title page of Standard Ebooks, in the order of their names."""
        folder, beside = Place(_folder(file.uri)), self._beside(file)
        names = [name for info in folder.files() if "/" not in (name := info.path.removeprefix(f"{folder.path}/"))]
        imprint = b"".join(beside(f"{name}.xhtml") or b"" for name in ("imprint", "colophon"))
        pages = [name for name in names if name.endswith(".xhtml")]
        return self._book(package_of_pages(beside(_TITLE_PAGE) or b"", imprint, pages), beside, file, log)

    def _beside(self, file: InputFile) -> Callable[[str], bytes | None]:
        folder = Place(_folder(file.uri))

        def page(path: str) -> bytes | None:
            place = folder / path
            try:
                return place.read_bytes() if 0 < (place.info().size or 0) <= self.max_document_bytes else None
            except OSError:
                return None

        return page

    def _book(self, package: Package, page: Callable[[str], bytes | None], file: InputFile, log: ReadLog) -> dict[str, Any]:
        """Notes stand last, wherever the spine has them."""
        chapters: list[str] = []
        size = 0
        fault: Fault | None = None
        for path in sorted(package.spine, key=lambda path: bool(re.search(r"(?:end|foot)notes?\.x?html?$", path, re.IGNORECASE))):
            content = page(path)
            if content is None:
                log.records["books:missing_page"] += 1
                continue
            size += len(content)
            if size > self.max_document_bytes:
                fault = (TOO_LARGE, size, self.max_document_bytes)
                break
            chapters.append(chapter_text(content))
        text = "\n\n".join(chapter for chapter in chapters if chapter)
        if not fault and not text.strip():
            fault = (NO_TEXT, None, None)
        address = next((told for told in (package.identifier, package.source) if told and "://" in told), None)
        return row(
            self,
            file,
            key=(package.identifier or "", package.title or "", package.author or ""),
            offset=0,
            text=text,
            fault=fault,
            record_id=package.identifier,
            url=address[address.index("http") :] if address and "http" in address else None,
            title=package.title,
            date=parse_date(package.date or ""),
            language=package.language,
            license=package.license,
            labels={"author": package.author} if package.author else None,
        )

    def _rejected(self, file: InputFile, fault: Fault) -> dict[str, Any]:
        return row(self, file, key=(file.sha256 or file.file,), offset=0, fault=fault)


def _folder(uri: str) -> str:
    return uri.rpartition("/")[0]
