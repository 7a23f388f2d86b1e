"""Word, PowerPoint and Excel files of 2007 and later: the text of their parts.

read_docx(package).text
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile

from lxml import etree

from corpus.extraction.extracted import BROKEN, Extracted, joined
from corpus.extraction.office import OfficeFault, Package, about_of, finished, sensitivity
from corpus.extraction.secure_xml import local_name

_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_HIDDEN = {"del", "moveFrom", "instrText", "delText", "txbxContent", "footnoteReference", "rPh", "Fallback"}
_LEFT_OUT = (("office:notes", "footnoteReference", "endnoteReference"), ("office:comments", "commentReference"))
_DATE_FORMATS = {*range(14, 23), *range(45, 48)}  # built in: 14 is m/d/yy, 22 m/d/yy h:mm, 45-47 mm:ss
_DATE_CODE = re.compile(r"[ymdhs]", re.IGNORECASE)
_NO_CODE = re.compile(r"\"[^\"]*\"|\\.|\[[^\]]*\]|general", re.IGNORECASE)


def read_docx(package: Package, main: str) -> Extracted:
    """Paragraphs, and tables row by row."""
    body = package.xml(main).find("{*}body")
    if body is None:
        raise OfficeFault(BROKEN)
    for kind, *names in _LEFT_OUT:
        package.counted[kind] += sum(1 for _ in body.iter(*(f"{{*}}{name}" for name in names)))
    return _finished(package, joined(list(_blocks(body, package))))


def _blocks(element: etree._Element, package: Package) -> Iterator[str]:
    for child in element:
        name = local_name(child)
        if name == "p":
            yield _paragraph(child)
            yield from _boxed(child, package)
        elif name == "tbl":
            package.counted["office:tables"] += 1
            yield "\n".join(row for row in (_row(part, package) for part in child.iterfind("{*}tr")) if row)
        elif name in ("sdt", "sdtContent", "ins", "customXml", "smartTag", "moveTo"):
            yield from _blocks(child, package)


def _boxed(paragraph: etree._Element, package: Package) -> Iterator[str]:
    """Text boxes that hang on a paragraph come after it; Word writes each of them twice, the second time for readers of before 2010."""
    for box in paragraph.iter("{*}txbxContent"):
        above = {local_name(each) for each in takewhile(lambda each: each is not paragraph, box.iterancestors())}
        if not above & {"Fallback", "txbxContent", "del", "moveFrom"}:
            yield from _blocks(box, package)


def _row(row: etree._Element, package: Package) -> str:
    cells = [" ".join(block.replace("\n", " ") for block in _blocks(cell, package) if block) for cell in row.iterfind("{*}tc")]
    return "\t".join(cells).strip("\t")


def _paragraph(element: etree._Element) -> str:
    parts: list[str] = []
    _runs(element, parts)
    return re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(parts)).strip()


def _runs(element: etree._Element, parts: list[str]) -> None:
    """Text of w:t and a:t in their order; deleted, hidden and field codes are passed over. Depth is bounded by the parser."""
    for child in element:
        name = local_name(child)
        if name == "t":
            parts.append(child.text or "")
        elif name == "tab":
            parts.append("\t" if local_name(element) != "tabs" else "")
        elif name in ("br", "cr"):
            parts.append("\n")
        elif name == "noBreakHyphen":
            parts.append("-")
        elif name == "r" and child.find("{*}rPr/{*}vanish") is not None:
            continue
        elif name not in _HIDDEN:
            _runs(child, parts)


def read_pptx(package: Package, main: str) -> Extracted:
    """Slides in the order of the show, each with its notes."""
    root = package.xml(main)
    targets = dict(package.related(main, "slide"))
    listed = root.find("{*}sldIdLst")
    ids = [] if listed is None else [slide.get(_RELATION) or slide.get(_STRICT_RELATION) for slide in listed]
    blocks: list[str] = []
    for name in [targets[key] for key in ids if key in targets][: package.limits.parts]:
        slide = package.optional(name)
        if slide is None:
            package.counted["office:broken_part"] += 1
            continue
        package.counted["office:slides"] += 1
        blocks += _slide(slide)
        for _, notes in package.related(name, "notesSlide"):
            page = package.optional(notes)
            blocks += [] if page is None else _slide(page)
    return _finished(package, joined(blocks))


def _slide(root: etree._Element) -> list[str]:
    """Shapes in their order; fields that the program fills (numbers, dates, footers) are left out."""
    blocks: list[str] = []
    for shape in root.iter("{*}sp", "{*}tbl"):
        if local_name(shape) == "tbl":
            rows = (
                " \t".join(" ".join(_drawn(cell)) for cell in row.iterfind("{*}tc")).replace(" \t", "\t") for row in shape.iterfind("{*}tr")
            )
            blocks.append("\n".join(row.strip("\t") for row in rows))
            continue
        holder = shape.find("{*}nvSpPr/{*}nvPr/{*}ph")
        if holder is None or holder.get("type") not in ("sldNum", "dt", "ftr", "hdr", "sldImg"):
            blocks.append("\n".join(_drawn(shape)))
    return blocks


def _drawn(shape: etree._Element) -> list[str]:
    return [text for part in shape.iter("{http://schemas.openxmlformats.org/drawingml/2006/main}p") if (text := _paragraph(part))]


def read_xlsx(package: Package, main: str) -> Extracted:
    """Visible sheets, row by row, cells parted by tabs, under the sheet's name; numbers as stored, dates as ISO."""
    root = package.xml(main)
    targets = dict(package.related(main, "worksheet"))
    strings = [part for _, name in package.related(main, "sharedStrings") for part in _shared(package, name)]
    dates = _date_styles(package, main)
    settings = root.find("{*}workbookPr")
    start = datetime(1904, 1, 1) if settings is not None and settings.get("date1904") in ("1", "true") else datetime(1899, 12, 30)
    blocks: list[str] = []
    for sheet in list(root.iterfind("{*}sheets/{*}sheet"))[: package.limits.parts]:
        name = targets.get(sheet.get(_RELATION) or sheet.get(_STRICT_RELATION) or "")
        if name is None or sheet.get("state") in ("hidden", "veryHidden"):
            package.counted["office:hidden_sheets"] += name is not None
            continue
        rows = list(_sheet(package, name, strings, dates, start))
        package.counted["office:sheets"] += 1
        if rows:
            blocks.append("\n".join([sheet.get("name") or "", *rows]))
    return _finished(package, joined(blocks))


def _shared(package: Package, name: str) -> Iterator[str]:
    for item in package.each(name, "si"):
        parts: list[str] = []
        _runs(item, parts)
        yield "".join(parts)


def _sheet(package: Package, name: str, strings: list[str], dates: set[int], start: datetime) -> Iterator[str]:
    cells = 0
    for number, row in enumerate(package.each(name, "row")):
        if number >= package.limits.sheet_rows or cells >= package.limits.sheet_cells:
            package.counted["office:cut_sheets"] += 1
            return
        values = [_cell(cell, strings, dates, start) for cell in row.iterfind("{*}c")]
        cells += len(values)
        text = "\t".join(" ".join(value.split()) for value in values).strip("\t")
        if text:
            yield text


def _cell(cell: etree._Element, strings: list[str], dates: set[int], start: datetime) -> str:
    kind, value = cell.get("t"), cell.findtext("{*}v") or ""
    if kind == "inlineStr":
        parts: list[str] = []
        _runs(cell, parts)
        return "".join(parts)
    if kind == "s":
        at = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else -1
        return strings[at] if 0 <= at < len(strings) else ""
    if kind == "e":
        return ""
    if kind == "b":
        return "TRUE" if value == "1" else "FALSE"
    style = cell.get("s") or ""
    if kind in (None, "n") and value and style.isascii() and style.isdigit() and int(style[:9]) in dates:
        return _date(value, start)
    return value


def _date(value: str, start: datetime) -> str:
    """Days since the start, as ISO: a date, a time or both."""
    try:
        days = float(value)
        moment = start + timedelta(seconds=round(days * 86400))
    except (ValueError, OverflowError):
        return value
    if days < 1:
        return moment.strftime("%H:%M:%S")
    return moment.date().isoformat() if days == int(days) else moment.isoformat(sep=" ")


def _date_styles(package: Package, main: str) -> set[int]:
    """Numbers of the cell styles that show a number as a date."""
    found: set[int] = set()
    for _, name in package.related(main, "styles"):
        root = package.optional(name)
        if root is None:
            continue
        codes = {part.get("numFmtId"): part.get("formatCode") or "" for part in root.iterfind("{*}numFmts/{*}numFmt")}
        for at, style in enumerate(root.iterfind("{*}cellXfs/{*}xf")):
            number = style.get("numFmtId") or ""
            code = _NO_CODE.sub("", codes.get(number, ""))
            if (number in codes and _DATE_CODE.search(code)) or (
                number not in codes and number.isdigit() and int(number[:9]) in _DATE_FORMATS
            ):
                found.add(at)
    return found


def _finished(package: Package, text: str) -> Extracted:
    return finished(text, about_of(package.optional("docProps/core.xml")), sensitivity(package), package.counted)
