"""Unicode to one form: composed, without control characters and invisible junk, with every mark kept.

NFC, for all scripts: it is what the web is written in, and it changes no letter. NFKC would fold full-width and superscript forms, which
tell things apart in Japanese and in formulas; NFD with its marks stripped (as other pipelines do) makes कुल and कल one word.

    NormalizeUnicode()(batch)["text"]
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, final

import pyarrow as pa

from corpus import document
from corpus.step import DocumentStep

# Controls but tab and newline; BOM; soft hyphen; zero-width space; direction marks and overrides; interlinear and tag characters.
# The joiners U+200C and U+200D stay: Persian, Indic scripts and emoji are written with them.
_JUNK = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_LINES = re.compile("\r\n?|\x85|\u2028|\u2029")


@final
@dataclass(frozen=True, kw_only=True)
class NormalizeUnicode(DocumentStep):
    """Sets ``text`` (and ``title``) in ``form``; line ends become newlines; what is invisible goes."""

    form: Literal["NFC", "NFKC"] = "NFC"

    rewrites_text = True

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        batch = document.with_column(batch, "title", [self._normal(title) for title in batch["title"].to_pylist()])
        return document.with_text(batch, [self._normal(text) for text in batch["text"].to_pylist()])

    def _normal(self, text: str | None) -> str | None:
        if text is None:
            return None
        text = _JUNK.sub("", _LINES.sub("\n", text))
        return text if text.isascii() else unicodedata.normalize(self.form, text)
