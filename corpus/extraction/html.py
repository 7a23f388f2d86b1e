"""HTML to its main text, through our own classifier of blocks, Resiliparse or trafilatura; plain text as it is.

ExtractHtml(engine="trafilatura")(batch)["text"]
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import trafilatura
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from corpus import document
from corpus.extraction.charset import decode, to_utf8
from corpus.extraction.main_content import load_model, main_text, whole_text
from corpus.extraction.metadata import PageMetadata, read_marks, read_metadata
from corpus.kernels.markup import scan
from corpus.kernels.seek import LESS, count
from corpus.step import DocumentStep, Reason, reject, step_name

NO_TEXT = Reason("html:no_text", "nothing is left of the page but its frame")
TOO_LARGE = Reason("html:too_large", "the page is larger than the limit in bytes")
TOO_DEEP = Reason("html:too_deep", "the page has more tags than the limit")
ENGINE_FAILED = Reason("html:engine_failed", "the extractor gave up on the page")

_META = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))
_NOTHING = PageMetadata(None, None, None, None, ())


@final
@dataclass(frozen=True, kw_only=True)
class ExtractHtml(DocumentStep):
    """Sets ``text``, ``title``, ``charset_source``; measures what the page says of itself; drops ``payload``.

    A row without payload keeps what it has: its source has filled the text itself, and a recipe may hold sources of both kinds.

    ``hybrid``: our classifier of blocks, some 450 pages a second on a core with metadata; Resiliparse: 500 without; trafilatura: 43. F1 on
    held-out pages of seven types (``tests.benchmarks.extraction``): 0.864, 0.811, 0.847; on articles among them 0.951, 0.889, 0.916; on
    forums 0.53, 0.81, 0.81. No time limit, which would make the corpus depend on the machine: pages are bounded by bytes and by tags.
    trafilatura's ``deduplicate`` stays off: its cache spans the process, and gives None from the fourth equal page on.
    """

    engine: Literal["hybrid", "resiliparse", "trafilatura"] = "hybrid"
    main_content: bool = True
    max_html_bytes: int = 8 * 2**20
    max_tags: int = 200_000  # the largest of 2,063 real pages has 41,000

    reads = ("payload", "media_type", "http_charset", "http_headers")
    adds = ("meta",)
    rewrites_text = True
    signals = {"canonical_url": pa.string(), "published": pa.string(), "declared_language": pa.string()}
    reasons = (NO_TEXT, TOO_LARGE, TOO_DEEP, ENGINE_FAILED)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [batch[name].to_pylist() for name in ("payload", "media_type", "http_charset", "http_headers", "url")]
        pages = [self._page(*row) for row in zip(*columns, strict=True)]
        texts = [page[0] for page in pages]
        metadata = [page[1] for page in pages]
        is_page = pc.is_valid(batch["payload"])
        found = {"text": texts, "title": [told.title for told in metadata], "charset_source": [page[2] for page in pages]}
        for name, column in found.items():
            batch = document.with_column(batch, name, pc.if_else(is_page, pa.array(column, pa.string()), batch[name]))
        meta = pa.array([[{"name": name, "value": value} for name, value in told.meta] for told in metadata], _META)
        meta = pc.if_else(is_page, meta, None)
        batch = document.with_column(batch, "meta", meta).drop_columns(["payload"])
        batch = document.with_signals(
            batch,
            {
                "canonical_url": pa.array([told.canonical_url for told in metadata], pa.string()),
                "published": pa.array([told.published for told in metadata], pa.string()),
                "declared_language": pa.array([told.language for told in metadata], pa.string()),
            },
        )
        for reason, threshold in ((TOO_LARGE, self.max_html_bytes), (TOO_DEEP, self.max_tags), (ENGINE_FAILED, None), (NO_TEXT, None)):
            mask = np.array([page[3] is not None and page[3][0] is reason for page in pages], dtype=bool)
            values = np.array([page[3][1] if page[3] else np.nan for page in pages], dtype=float)
            batch = reject(batch, step_name(type(self)), reason, mask, values, threshold)
        return batch

    def _page(self, payload: bytes | None, media_type: str | None, charset: str | None, headers: Any, url: str | None) -> tuple[Any, ...]:
        """(text, metadata, charset source, fault with its value)."""
        if payload is None:
            return None, _NOTHING, None, None
        if len(payload) > self.max_html_bytes:
            return None, _NOTHING, None, (TOO_LARGE, len(payload))
        if media_type == "text/plain":
            text, charset_source = decode(payload, charset, False)
            text, told = text.replace("\0", ""), _NOTHING
        else:
            html, charset_source = to_utf8(payload, charset, True)
            tags = count(np.frombuffer(html, np.uint8), LESS)
            if tags > self.max_tags:
                return None, _NOTHING, charset_source, (TOO_DEEP, tags)
            try:
                text, told = self._extract(html, url)
            except (RuntimeError, ValueError, RecursionError, AssertionError, TypeError, AttributeError):
                return None, _NOTHING, charset_source, (ENGINE_FAILED, np.nan)
        if told.language is None:
            served = next((header["value"] for header in headers or () if header["name"] == "content-language"), "")
            language = served.split(",")[0].strip().lower()[:35] or None
            told = PageMetadata(told.title, told.canonical_url, told.published, language, told.meta)
        if not text.strip():
            return None, told, charset_source, (NO_TEXT, np.nan)
        return text, told, charset_source, None

    def _extract(self, utf8: bytes, url: str | None) -> tuple[str, PageMetadata]:
        if self.engine == "hybrid":
            page = scan(utf8)
            return main_text(page, load_model()) if self.main_content else whole_text(page), read_marks(page, url)
        html = utf8.decode("utf-8").replace("\0", "")
        tree = HTMLTree.parse(html)
        told = read_metadata(tree, url)
        if self.engine == "resiliparse":
            return extract_plain_text(tree, main_content=self.main_content, alt_texts=False, links=False, list_bullets=True), told
        options: dict[str, Any] = {
            "include_comments": False,
            "include_tables": True,
            "deduplicate": False,
            "favor_recall": not self.main_content,
        }
        return trafilatura.extract(html, **options) or "", told
