"""Why a PDF gives no text. Apart from the reader, so that who only names them does not load PDFium into his process.

PdfSource.reasons = (ENCRYPTED, ...)
"""

from corpus.step import Reason

ENCRYPTED = Reason("pdf:encrypted", "the PDF is protected by a password")
NO_TEXT_LAYER = Reason("pdf:no_text_layer", "the pages are pictures: the value is characters a page")
BROKEN = Reason("pdf:broken", "the file is no PDF that PDFium can open")
TOO_MANY_PAGES = Reason("pdf:too_many_pages", "the PDF has more pages than the limit")
UNMAPPED = Reason("pdf:unmapped_text", "the fonts don't say which characters they draw: the value is the share of those that do not")
