"""The text layer of a PDF, in reading order, through pypdfium2 (Apache-2.0 or BSD-3; PDFium, BSD-3).

Columns are read one after the other, words cut at line ends are joined, headers and footers (what comes again page after page) and page
numbers go, tables are left out and counted. A scan has no text layer: its pages are drawn for a reader of pictures where one is given
(``corpus.sources.pdf``), else it is rejected. PDFium is native code that meets files from
strangers: sources call this in a child process (``corpus.sources.pdf``), never in their own.

    read_pdf(Path("paper.pdf").read_bytes(), max_pages=2000).text
"""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import final

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from corpus.extraction.extracted import Extracted, date_of, joined
from corpus.extraction.page_text import Glyph, Page, page_blocks, without_running_lines
from corpus.extraction.pdf_reasons import BROKEN, ENCRYPTED, NO_TEXT_LAYER, TOO_MANY_PAGES, UNMAPPED

MIN_CHARACTERS_A_PAGE = 10.0  # a scan with a stamp on it has a few; a title page alone has more
MAX_UNMAPPED = 0.2
_MAX_CHARACTERS = 40_000  # of a page: the densest of newspapers have 30,000
_SPACE = 32
_MAX_PIXELS = 50_000_000  # of a page that is drawn: A3 at 400 dots an inch has 31 million, a hostile one 1.6 billion at 200
Ocr = Callable[[np.ndarray], str]  # grey values, shape (height, width)


def read_pdf(data: bytes, max_pages: int, ocr: Ocr | None = None, dpi: int = 200) -> Extracted:
    """The document's text, title and date; or the reason why there is none."""
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        return Extracted(fault=ENCRYPTED if _needs_password(error) else BROKEN)
    try:
        return _read(document, max_pages, ocr, dpi)
    except pdfium.PdfiumError:
        return Extracted(fault=BROKEN)
    finally:
        document.close()


def _read(document: pdfium.PdfDocument, max_pages: int, ocr: Ocr | None, dpi: int) -> Extracted:
    count = len(document)
    if count > max_pages:
        return Extracted(fault=TOO_MANY_PAGES, value=count, threshold=max_pages)
    counted: Counter[str] = Counter({"pdf:pages": count})
    pages: list[Page] = []
    for number in range(count):
        try:
            pages.append(_Reader(document, number, counted).page())
        except pdfium.PdfiumError:  # a broken page costs itself
            counted["pdf:broken_page"] += 1
    characters = sum(not glyph.text.isspace() for page in pages for glyph in page.glyphs)
    unmapped = sum(glyph.text == "\ufffd" for page in pages for glyph in page.glyphs)
    text = ""
    if not count or characters / count < MIN_CHARACTERS_A_PAGE:
        text = joined([_seen(document, number, ocr, dpi, counted) for number in range(count)] if ocr else [])
    elif unmapped / characters <= MAX_UNMAPPED:
        blocks = [page_blocks(page, counted) for page in without_running_lines(pages, counted)]
        text = joined([block for page in _across_pages(blocks) for block in page])
    else:
        return Extracted(fault=UNMAPPED, value=unmapped / characters, threshold=MAX_UNMAPPED, counted=counted)
    if not text:
        return Extracted(fault=NO_TEXT_LAYER, value=characters / max(1, count), threshold=MIN_CHARACTERS_A_PAGE, counted=counted)
    told = document.get_metadata_dict(skip_empty=True)
    day = re.match(r"D:(\d{4})(\d\d)?(\d\d)?", told.get("CreationDate", ""))
    return Extracted(
        text=text,
        title=" ".join(told.get("Title", "").split()) or None,
        date=date_of(*day.groups()) if day else None,
        counted={name: number for name, number in counted.items() if number},
    )


def _seen(document: pdfium.PdfDocument, number: int, ocr: Ocr, dpi: int, counted: Counter[str]) -> str:
    """What the reader of pictures makes of a page. Where it fails, that is counted."""
    page = document[number]
    try:
        width, height = page.get_size()
        scale = min(dpi / 72, math.sqrt(_MAX_PIXELS / max(1.0, width * height)))
        pixels = page.render(scale=scale, grayscale=True).to_numpy()
        text = ocr(pixels.reshape(pixels.shape[:2]))
        counted["pdf:ocr_pages"] += 1
        return text.strip()
    except Exception:  # whatever a stranger's code raises
        counted["pdf:ocr_failed"] += 1
        return ""
    finally:
        page.close()


def _across_pages(pages: list[list[str]]) -> list[list[str]]:
    """A paragraph that runs over the foot of a page goes on at the head of the next: no end of a sentence, then a small letter."""
    for page, following in zip(pages, pages[1:], strict=False):
        if page and following and following[0][:1].islower() and not re.search(r"[.!?:;]['\")\]]*$", page[-1]):
            first = following.pop(0)
            page[-1] = page[-1][:-1] + first if re.search(r"[a-z]-$", page[-1]) else f"{page[-1]} {first}"
            if not following:
                following[:] = [page.pop()]  # carried on to where the next page can join it
    return pages


@final
class _Reader:
    """One page's characters with their places."""

    def __init__(self, document: pdfium.PdfDocument, number: int, counted: Counter[str]):
        self.page_ = document[number]
        self.text = self.page_.get_textpage()
        self.counted = counted
        self.last: Glyph | None = None

    def page(self) -> Page:
        try:
            width, height = self.page_.get_size()
            count = min(raw.FPDFText_CountChars(self.text.raw), _MAX_CHARACTERS)
            glyphs = [glyph for at in range(count) if (glyph := self._glyph(at))]
            return Page(width, height, tuple(glyphs))
        finally:
            self.text.close()
            self.page_.close()

    def _glyph(self, at: int) -> Glyph | None:
        code = raw.FPDFText_GetUnicode(self.text.raw, at)
        if raw.FPDFText_IsGenerated(self.text.raw, at) == 1:  # line ends that PDFium guesses: places say more; spaces: it knows the fonts
            before = self.last
            return replace(before, text=" ", left=before.right) if code == _SPACE and before else None
        if raw.FPDFText_IsHyphen(self.text.raw, at) == 1:
            code = ord("-")
        if abs(raw.FPDFText_GetCharAngle(self.text.raw, at)) > 0.1:  # radians: stamps along the margin, axes of figures
            self.counted["pdf:rotated_characters"] += 1
            return None
        box, x, y = raw.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
        raw.FPDFText_GetLooseCharBox(self.text.raw, at, box)  # as wide as the character's advance, as high as its font
        raw.FPDFText_GetCharOrigin(self.text.raw, at, x, y)
        if code in (0, 0xFFFE, 0xFFFF) or 0xE000 <= code <= 0xF8FF or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
            text = "\ufffd"
        else:
            text = " " if code < _SPACE else chr(code)
        self.last = Glyph(text, box.left, box.right, y.value, max(1.0, min(200.0, box.top - box.bottom)))
        return self.last


def _needs_password(error: pdfium.PdfiumError) -> bool:
    return "password" in str(error).lower() or "security" in str(error).lower()
