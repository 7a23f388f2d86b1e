"""Office files (docx, pptx, xlsx, odt, ods, odp) to text, by readers of our own over the zipped XML.

The libraries that write these formats hold a document as a tree of objects and know no bounds; text needs a fraction of the format. Kept
are paragraphs and headings, table rows (cells parted by tabs), slides with their notes. Left out: footnotes and comments, both counted;
deleted and hidden text, headers, footers, pictures, charts; macros and embedded files are never opened. Old binary files (doc, xls, ppt)
are not read; RTF is ``extraction.rtf``'s.

    package = open_package(Path("report.docx").read_bytes(), Limits())
"""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO, final

from lxml import etree

from corpus.extraction.extracted import BROKEN, ENCRYPTED, NO_TEXT, TOO_LARGE, Extracted, date_of
from corpus.extraction.secure_xml import XmlFault, parse
from corpus.sources.containers import ZIP_FAULTS, ZIP_MAGIC, read_member
from corpus.step import Reason

LEGACY = Reason("office:legacy", "a binary file of before 2007 (doc, xls, ppt), which is not read")
NOT_OFFICE = Reason("office:unknown", "a zip that is none of docx, pptx, xlsx, odt, ods, odp")

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")  # the stream in which Office keeps a file with a password
_SENSITIVITY = re.compile(r"^MSIP_Label_.*_Name$")


@final
@dataclass(frozen=True)
class Limits:
    """What one file may unpack to, how much of a sheet is read, and how many parts (slides, sheets) it may have."""

    unpacked_bytes: int = 256 * 2**20
    xml_bytes: int = 48 * 2**20  # of a part that is held as a tree, which takes up to ten times as much
    sheet_rows: int = 20_000
    sheet_cells: int = 200_000
    parts: int = 2000


@final
class Package:
    """The parts of a zipped office file, each read within what is left of the limit. Raises OfficeFault."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits):
        self.archive = archive
        self.limits = limits
        self.left = limits.unpacked_bytes
        self.names = {info.filename.lstrip("/"): info for info in archive.infolist()}
        self.counted: Counter[str] = Counter()

    def bytes(self, name: str) -> bytes:
        info = self.names.get(name)
        if info is None:
            raise OfficeFault(BROKEN)
        limit = min(self.left, self.limits.xml_bytes)
        data, fault = read_member(self.archive, info, limit)
        if fault:
            raise OfficeFault(fault, limit if fault is TOO_LARGE else None)
        self.left -= len(data)
        return data

    def xml(self, name: str) -> etree._Element:
        return parse(self.bytes(name))

    def optional(self, name: str) -> etree._Element | None:
        """A part that may be missing, or broken: it says something about the document, but isn't the document."""
        try:
            return self.xml(name) if name in self.names else None
        except (XmlFault, OfficeFault):
            return None

    def each(self, name: str, tag: str) -> Iterator[etree._Element]:
        """Elements of one kind of a part of any length, one held at a time. Raises OfficeFault."""
        info = self.names.get(name)
        if info is None or info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise OfficeFault(BROKEN)
        try:
            with self.archive.open(info) as stream:
                bounded = _Bounded(stream, self.left)
                for _, element in etree.iterparse(bounded, tag=f"{{*}}{tag}", resolve_entities=False, no_network=True, load_dtd=False):
                    yield element
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
        except (*ZIP_FAULTS, etree.XMLSyntaxError) as error:
            raise OfficeFault(BROKEN) from error

    def related(self, name: str, kind: str) -> Iterator[tuple[str, str]]:
        """(id, part) of what a part of an OOXML file points to, by the last word of the relation's type; nothing outside the file."""
        folder, _, base = name.rpartition("/")
        told = self.optional(f"{folder}/_rels/{base}.rels" if folder else f"_rels/{base}.rels")
        for part in () if told is None else told:
            if (part.get("Type") or "").rpartition("/")[2] == kind and part.get("TargetMode") != "External":
                yield part.get("Id") or "", _resolved(folder, part.get("Target") or "")


@final
class _Bounded:
    """A part as a stream that ends in OfficeFault where it grows over the limit."""

    def __init__(self, stream: IO[bytes], limit: int):
        self.stream, self.limit, self.left = stream, limit, limit

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise OfficeFault(TOO_LARGE, self.limit)
        return data


class OfficeFault(Exception):
    """The file gives no text, for ``reason``."""

    def __init__(self, reason: Reason, threshold: float | None = None):
        super().__init__(reason.code)
        self.reason = reason
        self.threshold = threshold


def open_package(data: bytes, limits: Limits) -> Package:
    """Raises OfficeFault."""
    if data.startswith(OLE_MAGIC):
        raise OfficeFault(ENCRYPTED if _ENCRYPTED_PACKAGE in data else LEGACY)
    if not data.startswith(ZIP_MAGIC):
        raise OfficeFault(BROKEN)
    try:
        return Package(zipfile.ZipFile(io.BytesIO(data)), limits)
    except ZIP_FAULTS as error:
        raise OfficeFault(BROKEN) from error


def finished(text: str, about: Mapping[str, str], labels: Mapping[str, str], counted: Mapping[str, int]) -> Extracted:
    """What was read, with the document's own word on itself: title, modified, created, language."""
    day = next((found for key in ("modified", "created") if (found := _day(about.get(key, "")))), None)
    return Extracted(
        text=text,
        title=about.get("title") or None,
        date=day,
        language=about.get("language", "").lower().partition("-")[0] or None,
        labels=labels,
        counted={name: number for name, number in counted.items() if number},
        fault=None if text.strip() else NO_TEXT,
    )


def about_of(root: etree._Element | None) -> dict[str, str]:
    """Dublin Core fields of docProps/core.xml or meta.xml, by their local names."""
    return (
        {}
        if root is None
        else {part.tag.rpartition("}")[2]: " ".join((part.text or "").split()) for part in root.iter("{*}*") if part.text}
    )


def sensitivity(package: Package) -> dict[str, str]:
    """The label that Office's information protection has put on the file, as the access label ``sensitivity``."""
    custom = package.optional("docProps/custom.xml")
    for part in () if custom is None else custom:
        if _SENSITIVITY.match(part.get("name") or ""):
            return {"sensitivity": "".join(part.itertext()).strip()}
    return {}


def _day(text: str) -> datetime | None:
    found = re.match(r"(\d{4})-(\d\d)-(\d\d)", text)
    return date_of(*found.groups()) if found else None


def _resolved(folder: str, target: str) -> str:
    """A relation's target as the name of a part: ``..`` goes up within the file, and no further."""
    if target.startswith("/"):
        return target.lstrip("/")
    parts = folder.split("/") if folder else []
    for step in target.split("/"):
        if step == "..":
            parts = parts[:-1]
        elif step not in ("", "."):
            parts.append(step)
    return "/".join(parts)
