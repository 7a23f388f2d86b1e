"""A company's office files: docx, pptx, xlsx, odt, ods, odp, one document a file.

OfficeSource(labels={"confidential": "no"}).read(split, log)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

import pyarrow as pa

from corpus.extraction import secure_xml
from corpus.extraction.extracted import BROKEN, ENCRYPTED, NO_TEXT, TOO_LARGE, Extracted
from corpus.extraction.office import LEGACY, NOT_OFFICE, OLE_MAGIC, Limits, OfficeFault, open_package
from corpus.extraction.ooxml import read_docx, read_pptx, read_xlsx
from corpus.extraction.opendocument import read_opendocument
from corpus.extraction.rtf import MAGIC as RTF_MAGIC
from corpus.extraction.rtf import read_rtf
from corpus.extraction.secure_xml import XmlFault
from corpus.sources.containers import ZIP_MAGIC
from corpus.sources.files import read_files
from corpus.sources.source import InputFile, ReadLog, Source, Split

_ENDINGS = (
    ".rtf",
    ".docx",
    ".docm",
    ".dotx",
    ".pptx",
    ".pptm",
    ".ppsx",
    ".xlsx",
    ".xlsm",
    ".odt",
    ".ott",
    ".ods",
    ".odp",
    ".doc",
    ".xls",
    ".ppt",
)
_OOXML = (("wordprocessingml.document.main", read_docx), ("wordprocessingml.template.main", read_docx), ("presentationml", read_pptx),
          ("spreadsheetml.sheet.main", read_xlsx), ("ms-word.document", read_docx), ("ms-excel.sheet", read_xlsx),
          ("ms-powerpoint", read_pptx))  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True)
class OfficeSource(Source):
    """``license`` and ``labels`` are the owner's word; Office's sensitivity label becomes the access label ``sensitivity``.

    A file may unpack to ``max_unpacked_bytes``; of a sheet ``max_sheet_rows`` are read, and that it was cut is counted.
    """

    name: str = "office"
    collection: str = ""
    license: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    max_document_bytes: int = 64 * 2**20
    max_unpacked_bytes: int = 256 * 2**20
    max_sheet_rows: int = 20_000
    batch_bytes: int = 16 * 2**20

    reasons = (LEGACY, NOT_OFFICE, secure_xml.BROKEN, secure_xml.ENTITIES, secure_xml.TOO_DEEP, BROKEN, ENCRYPTED, TOO_LARGE, NO_TEXT)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        name = file.file.lower()
        if head.startswith(ZIP_MAGIC):
            return name.endswith(_ENDINGS) or b"[Content_Types].xml" in head or b"mimetypeapplication/vnd.oasis.opendocument" in head
        if head.startswith(RTF_MAGIC):
            return True
        return name.endswith(_ENDINGS) and (head.startswith(OLE_MAGIC) or not name.endswith((".doc", ".xls", ".ppt")))

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return [(0, max(1, file.size_bytes))]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        limits = Limits(unpacked_bytes=self.max_unpacked_bytes, sheet_rows=self.max_sheet_rows)
        yield from read_files(self, split, log, _ENDINGS, lambda data, name: [read_office(data, limits)])


def read_office(data: bytes, limits: Limits) -> Extracted:
    """One file's text, whatever it is called: what it is stands inside."""
    if data.startswith(RTF_MAGIC):
        return read_rtf(data)
    try:
        package = open_package(data, limits)
        if "content.xml" in package.names or "encrypted-package" in package.names:
            return read_opendocument(package)
        kinds = package.xml("[Content_Types].xml") if "[Content_Types].xml" in package.names else None
        for part in () if kinds is None else kinds:
            kind = part.get("ContentType") or ""
            for word, reader in _OOXML:
                if word in kind and (kind.endswith("main+xml") or "main" in word):
                    return reader(package, (part.get("PartName") or "").lstrip("/"))
        return Extracted(fault=NOT_OFFICE)
    except XmlFault as fault:
        return Extracted(fault=fault.reason)
    except OfficeFault as fault:
        return Extracted(fault=fault.reason, threshold=fault.threshold)
