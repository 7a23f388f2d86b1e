"""PDF files, alone or in a tar: their text layer, read in a child process that may die without taking the run along.

PdfSource(max_pages=500).read(split, log)

Scans have no text layer. A reader of pictures can be plugged in, a function of the user's that turns a page's pixels (uint8, one grey value
each, shape (height, width)) into text, and which runs in the child too. With ``pdf: {ocr: "my_package.ocr:read"}`` and ``--allow
my_package`` that is, in my_package/ocr.py,

    def read(pixels):
        return pytesseract.image_to_string(Image.fromarray(pixels))
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import final

import pyarrow as pa

from corpus.errors import EnvironmentProblem
from corpus.extraction.extracted import NO_TEXT, TOO_LARGE
from corpus.extraction.pdf_reasons import BROKEN, ENCRYPTED, NO_TEXT_LAYER, TOO_MANY_PAGES, UNMAPPED
from corpus.sources.containers import is_tar
from corpus.sources.contents import PDFS, shown_kind
from corpus.sources.files import read_files
from corpus.sources.journals import inflated
from corpus.sources.pdf_child import CRASHED, PdfChild
from corpus.sources.source import InputFile, ReadLog, Source, Split
from corpus.step import CODE


@final
@dataclass(frozen=True, kw_only=True)
class PdfSource(Source):
    """PDFs say nothing of their licence: ``license`` is the owner's word. Limits are of one document.

    A page takes 30 ms of CPU; ``max_cpu_seconds`` is for files that keep PDFium busy on purpose. With ``ocr`` documents without a text
    layer are drawn at ``ocr_dpi`` and read by it, a second or more a page: give it time.
    """

    name: str = "pdf"
    collection: str = ""
    license: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    max_document_bytes: int = 64 * 2**20
    max_pages: int = 2000
    max_cpu_seconds: int = 240
    max_memory_bytes: int = 3 * 2**30
    batch_bytes: int = 16 * 2**20
    ocr: str = field(default="", metadata={CODE: True})
    ocr_dpi: int = 200

    reasons = (ENCRYPTED, NO_TEXT_LAYER, BROKEN, TOO_MANY_PAGES, UNMAPPED, CRASHED, NO_TEXT, TOO_LARGE)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        content, name = inflated(head), file.file.lower()
        if is_tar(content):  # arXiv's archives of sources hold the papers that came as PDF
            return "arxiv_src" not in name and (shown_kind(head) == PDFS or "pdf" in name)
        begins = content.startswith(b"%PDF-") or (b"%PDF-" in content[:1024] and b"\0" in content)  # a text may speak of PDF
        return begins or name.endswith(".pdf")

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return [(0, max(1, file.size_bytes))]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        if find_spec("pypdfium2") is None:  # else every document would seem to crash its child
            raise EnvironmentProblem("pypdfium2 is not installed", hint="pip install pypdfium2")
        if self.ocr and find_spec(self.ocr.partition(":")[0]) is None:
            raise EnvironmentProblem("the reader of pictures is not installed here", where=self.ocr)
        with PdfChild(self.max_pages, self.max_cpu_seconds, self.max_memory_bytes, ocr=self.ocr, ocr_dpi=self.ocr_dpi) as child:
            yield from read_files(self, split, log, (".pdf",), lambda data, name: [child.read(data)])
