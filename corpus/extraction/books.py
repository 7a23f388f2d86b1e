"""Books to text: Project Gutenberg's plain texts without header and licence, and the chapters of EPUBs in their reading order.

book = gutenberg_book(content); book.text, book.title, book.number
package = read_package(opf); [chapter_text(read(href)) for href in package.spine]
"""

import html
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final
from urllib.parse import unquote, urlsplit

from lxml import etree

from corpus.extraction.charset import decode, to_utf8
from corpus.extraction.main_content import whole_text
from corpus.kernels.markup import scan
from corpus.rights import license_of

_START = re.compile(
    r"^[ *]{0,6}\*{3} ?START OF (?:THE|THIS) PROJECT GUTENBERG E(?:BOOK|TEXT).{0,300}?\*{3}[ \t]*$|"
    r"^\*{1,4}END[* ]{1,4}THE SMALL PRINT![^\n]{0,200}$",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
_END = re.compile(
    r"^[ *]{0,6}\*{3} ?END OF (?:THE|THIS) PROJECT GUTENBERG|^\s*End of (?:the |this )?Project Gutenberg(?:'s|’s)? |"
    r"^\*\*\* ?START: FULL LICENSE",
    re.MULTILINE | re.IGNORECASE,
)
_FIELD = re.compile(r"^(Title|Author|Language|Release Date|Character set encoding):[ \t]*(.{1,300})$", re.MULTILINE | re.IGNORECASE)
_NUMBER = re.compile(r"\[(?:EBook|Etext) #\s?(\d{1,7})\]", re.IGNORECASE)
_PRODUCED = re.compile(
    r"\A\s*(?:Produced by|E-text prepared by|Transcribed from|This (?:eBook|etext) was (?:produced|prepared))"
    r"[^\n]{0,200}(?:\n[^\n]{1,200}){0,6}\n\n",
    re.IGNORECASE,
)
_HEADER_CHARACTERS = 30_000
MENTIONS = b"project gutenberg"
PAGE_OF_BOOK = b"http://www.idpf.org/2007/ops"  # the namespace of EPUB's own attributes

_CONTAINER = "urn:oasis:names:tc:opendocument:xmlns:container"
_OPF = "http://www.idpf.org/2007/opf"
_DC = "http://purl.org/dc/elements/1.1/"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
# What of a book is no part of its text: by the names of files and the words of epub:type.
_FRAME_NAME = re.compile(
    r"(?:^|[/_-])(?:titlepage|imprint|colophon|uncopyright|copyright|cover|halftitlepage|toc|nav|loi|title|wrap\d*)[^/]{0,12}\.x?html?$",
    re.IGNORECASE,
)
_FRAME_TYPE = re.compile(
    rb"""<(?:body|section)\b[^>]{0,300}?epub:type\s*=\s*["'][^"']{0,200}\b(?:titlepage|imprint|colophon|copyright-page|cover|halftitlepage|toc|landmarks|loi)\b"""
)
_NOTE_MARK = re.compile(rb"""<a\b[^>]{0,500}epub:type\s*=\s*["'][^"']{0,60}\b(?:noteref|backlink)\b[^>]{0,300}>.{0,200}?</a>""", re.DOTALL)


# The names that Standard Ebooks gives to pages, in the order in which they stand; others stand where the chapters do.
_PAGE_KINDS = (
    "dedication", "epigraph", "foreword", "preface", "introduction", "dramatis", "prologue", "letter", "book", "part", "act", "chapter",
    "interlude", "epilogue", "conclusion", "afterword", "appendix", "glossary", "endnotes",
)  # fmt: skip
_TITLE_PAGE = (
    r"<h1\b[^>]{0,200}>(.{1,500}?)</h1>", r"z3998:author[^>]{0,200}>(.{1,500}?)</b>", r"<html\b[^>]{0,500}xml:lang=\"([\w-]{2,20})\""
)  # fmt: skip
_ADDRESS = re.compile(r"https://standardebooks\.org/ebooks/[\w-]{1,100}(?:/[\w-]{1,200}){1,3}")


@final
@dataclass(frozen=True, kw_only=True)
class Book:
    text: str
    title: str | None = None
    author: str | None = None
    language: str | None = None
    number: str | None = None
    charset_source: str | None = None
    has_markers: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Package:
    """What an OPF says: ``spine`` are the paths of the pages in reading order, relative to the root of the archive; notes come last."""

    spine: tuple[str, ...] = ()
    title: str | None = None
    author: str | None = None
    language: str | None = None
    identifier: str | None = None
    date: str | None = None
    license: str | None = None
    source: str | None = None


class UnsafeXml(ValueError):
    """The XML defines entities, or is no XML at all."""


def gutenberg_book(content: bytes) -> Book:
    """Between the markers; all of the text where there are none. The encoding is what the header says, if it holds; else detected."""
    declared = re.search(rb"^Character set encoding:\s*([\w.-]{2,30})", content[:_HEADER_CHARACTERS], re.MULTILINE | re.IGNORECASE)
    charset = declared.group(1).decode().lower() if declared else None
    charset = {"ascii": None, "us-ascii": None, "iso-latin-1": "iso-8859-1", "unicode": None}.get(charset or "", charset)
    text, charset_source = decode(content, charset, False)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    head = text[:_HEADER_CHARACTERS]
    told = {name.lower(): value.strip() for name, value in reversed(_FIELD.findall(head))}
    start = end = None
    for start in _START.finditer(head):  # noqa: B007  the last of them: old files have both kinds
        pass
    body = text[start.end() if start else 0 :]
    end = _END.search(body)
    body = _PRODUCED.sub("", body[: end.start()] if end else body)
    number = _NUMBER.search(head)
    return Book(
        text=re.sub(r"\n{5,}", "\n\n\n\n", body).strip("\n "),
        title=told.get("title"),
        author=told.get("author"),
        language=_language(told.get("language")),
        number=number.group(1) if number else None,
        charset_source=charset_source,
        has_markers=start is not None,
    )


def package_path(container: bytes) -> str | None:
    """META-INF/container.xml -> the path of the OPF. Raises UnsafeXml."""
    found = _xml(container).find(f".//{{{_CONTAINER}}}rootfile")
    return found.get("full-path") if found is not None else None


def read_package(opf: bytes, path: str = "") -> Package:
    """``path``: where the OPF lies; hrefs are relative to it. Raises UnsafeXml."""
    root = _xml(opf)
    items = {item.get("id"): item for item in root.iter(f"{{{_OPF}}}item")}
    pages: list[str] = []
    for reference in root.iter(f"{{{_OPF}}}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _PAGES or "nav" in (item.get("properties") or "").split():
            continue
        href = unquote(urlsplit(item.get("href") or "").path)
        where = posixpath.normpath(posixpath.join(posixpath.dirname(path), href))
        if href and not href.startswith("/") and not where.startswith(("..", "/")) and not _FRAME_NAME.search(where) and where not in pages:
            pages.append(where)
    rights = " ".join(_all(root, "rights"))
    return Package(
        spine=tuple(pages),
        title=_first(root, "title"),
        author=_first(root, "creator"),
        language=_language(_first(root, "language")),
        identifier=_first(root, "identifier"),
        date=_first(root, "date"),
        license=license_of(rights) if rights else None,
        source=_first(root, "source"),
    )


def package_of_pages(title_page: bytes, imprint: bytes, names: Iterable[str]) -> Package:
    """What stands in the pages of Standard Ebooks themselves, where the package file is not there: the order is that of their names."""
    text = title_page.decode("utf-8", "replace")
    title, author, language = (found.group(1) if (found := re.search(pattern, text)) else None for pattern in _TITLE_PAGE)
    address = _ADDRESS.search(imprint.decode("utf-8", "replace"))
    return Package(
        spine=tuple(sorted((name for name in names if not _FRAME_NAME.search(name)), key=_place_of_page)),
        title=_bare(title),
        author=_bare(author),
        language=_language(language),
        identifier=address.group() if address else None,
        license=license_of(imprint.decode("utf-8", "replace")),
    )


def _bare(markup: str | None) -> str | None:
    return " ".join(html.unescape(re.sub(r"<[^<>]{1,300}>", "", markup)).split()) if markup else None


def _place_of_page(name: str) -> tuple[int, list[int], str]:
    """``chapter-2.xhtml`` before ``chapter-10.xhtml``, and behind the preface."""
    kind = re.split(r"[-.]", name, maxsplit=1)[0]
    place = _PAGE_KINDS.index(kind) if kind in _PAGE_KINDS else _PAGE_KINDS.index("chapter")
    return place, [int(number[:9]) for number in re.findall(r"\d+", name)], name


def chapter_text(page: bytes) -> str:
    """All text of a page but marks of notes; empty for pages that are no part of the text (title page, imprint, contents)."""
    content, _ = to_utf8(page, None, True)
    if _FRAME_TYPE.search(content[:20_000]):
        return ""
    return whole_text(scan(_NOTE_MARK.sub(b"", content))).strip()


def _xml(content: bytes) -> etree._Element:
    """Parsed without entities, DTD or network; what defines an entity is refused unparsed."""
    if re.search(rb"<!\s*ENTITY", content, re.IGNORECASE) or content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnsafeXml("it defines entities, or is not UTF-8")
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, dtd_validation=False, recover=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnsafeXml(str(error)) from None
    if root is None:
        raise UnsafeXml("it is empty")
    return root


def _all(root: etree._Element, name: str) -> list[str]:
    return ["".join(element.itertext()).strip() for element in root.iter(f"{{{_DC}}}{name}")]


def _first(root: etree._Element, name: str) -> str | None:
    return next((value[:500] for value in _all(root, name) if value), None)


_NAMES = {
    "english": "en", "french": "fr", "german": "de", "spanish": "es", "italian": "it", "portuguese": "pt", "dutch": "nl", "finnish": "fi",
    "latin": "la", "swedish": "sv", "danish": "da", "norwegian": "no", "chinese": "zh", "japanese": "ja", "russian": "ru", "greek": "el",
    "hungarian": "hu", "polish": "pl", "czech": "cs", "esperanto": "eo", "catalan": "ca", "tagalog": "tl", "welsh": "cy",
}  # fmt: skip


def _language(told: str | None) -> str | None:
    """``English`` -> ``en``, ``en-GB`` -> ``en``; None for what is neither."""
    if not told:
        return None
    first = re.split(r"[,;/ ]", told.strip().lower())[0]
    return _NAMES.get(first) or (first.split("-")[0] if re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]+)*", first) else None)
