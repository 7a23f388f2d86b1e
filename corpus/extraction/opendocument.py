"""Text, sheets and slides in OpenDocument (odt, ods, odp): LibreOffice's format.

read_opendocument(package, "text").text
"""

import re
from collections.abc import Iterator

from lxml import etree

from corpus.extraction.extracted import BROKEN, ENCRYPTED, Extracted, joined
from corpus.extraction.office import OfficeFault, Package, about_of, finished
from corpus.extraction.secure_xml import local_name

_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_UNSEEN = {"annotation", "note", "tracked-changes", "title", "desc", "forms", "sequence-decls", "object", "script", "index-title-template"}
_MAX_SPACES = 100


def read_opendocument(package: Package) -> Extracted:
    """Paragraphs and headings, tables row by row; a sheet under its name, as with xlsx."""
    told = package.bytes("META-INF/manifest.xml") if "META-INF/manifest.xml" in package.names else b""
    if b"encryption-data" in told or "encrypted-package" in package.names:
        raise OfficeFault(ENCRYPTED)
    body = package.xml("content.xml").find("{*}body")
    if body is None:
        raise OfficeFault(BROKEN)
    for kind, name in (("office:notes", "note"), ("office:comments", "annotation")):
        package.counted[kind] += sum(1 for _ in body.iter(f"{{*}}{name}"))
    text = joined([block for part in body for block in _blocks(part, package)])
    return finished(text, _about(package), {}, package.counted)


def _about(package: Package) -> dict[str, str]:
    told = about_of(package.optional("meta.xml"))
    return {**told, "modified": told.get("date", ""), "created": told.get("creation-date", "")}


def _blocks(element: etree._Element, package: Package) -> Iterator[str]:
    for child in element:
        name = local_name(child)
        if name in ("p", "h"):
            yield _paragraph(child)
            yield from _framed(child, package)
        elif name == "table":
            yield _table(child, package, is_sheet=local_name(element) == "spreadsheet")
        elif name == "page":
            package.counted["office:slides"] += 1
            yield from _blocks(child, package)
        elif name and name not in _UNSEEN:
            yield from _blocks(child, package)


def _framed(paragraph: etree._Element, package: Package) -> Iterator[str]:
    """Text boxes that hang on a paragraph come after it."""
    for box in paragraph.iter("{*}text-box"):
        if not any(local_name(above) == "text-box" for above in box.iterancestors()):
            yield from _blocks(box, package)


def _table(table: etree._Element, package: Package, is_sheet: bool) -> str:
    package.counted["office:sheets" if is_sheet else "office:tables"] += 1
    rows: list[str] = [table.get(_TABLE + "name") or ""] if is_sheet else []
    cells = 0
    for number, row in enumerate(table.iter(_TABLE + "table-row")):
        if number >= package.limits.sheet_rows or cells >= package.limits.sheet_cells:
            package.counted["office:cut_sheets"] += 1
            break
        values: list[str] = []
        for cell in row.iterchildren(_TABLE + "table-cell", _TABLE + "covered-table-cell"):
            text = " ".join(" ".join(_blocks(cell, package)).split())
            values += [text] * (_repeated(cell, "number-columns-repeated", package.limits.sheet_cells - cells) if text else 1)
            cells += 1
        text = "\t".join(values).strip("\t")
        if text:
            rows += [text] * _repeated(row, "number-rows-repeated", 1000)
    return "\n".join(rows) if len(rows) > is_sheet else ""


def _repeated(element: etree._Element, name: str, most: int) -> int:
    """How often a row or cell stands: a sheet says "the next million are the same" in one attribute."""
    told = element.get(_TABLE + name) or ""
    return max(1, min(int(told[:9]) if told.isascii() and told.isdigit() else 1, most, 1000))


def _paragraph(element: etree._Element) -> str:
    parts: list[str] = []
    _runs(element, parts)
    return re.sub(r" *\n *", "\n", "".join(parts)).strip()


def _runs(element: etree._Element, parts: list[str]) -> None:
    """White space is one space, as in HTML; ``text:s``, ``text:tab`` and ``text:line-break`` are the rest of it."""
    parts.append(_spaced(element.text, parts))
    for child in element:
        name = local_name(child)
        if name == "s":
            told = child.get(_TEXT + "c") or ""
            parts.append(" " * min(int(told[:6]) if told.isascii() and told.isdigit() else 1, _MAX_SPACES))
        elif name == "tab":
            parts.append("\t")
        elif name == "line-break":
            parts.append("\n")
        elif name and name not in _UNSEEN and name not in ("frame", "custom-shape"):
            _runs(child, parts)
        parts.append(_spaced(child.tail, parts))


def _spaced(text: str | None, parts: list[str]) -> str:
    return re.sub(r"[ \t\r\n]+", " ", text or "")
