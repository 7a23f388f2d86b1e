"""FineWeb's own three rules (arXiv 2406.17557, section 3.6), and what its code adds.

FinewebQuality(variant="datatrove")(batch)
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pyarrow as pa

from corpus import document
from corpus.kernels.lines import line_counts
from corpus.language.words import CHARACTER
from corpus.step import Filter, Reason, Rule

TOO_FEW_PUNCTUATED = Reason("fineweb:too_few_punctuated_lines", "too small a share of the lines ends with punctuation")
TOO_MANY_DUPLICATES = Reason("fineweb:duplicate_line_chars", "too much of the text lies in repeated lines")
TOO_MANY_SHORT = Reason("fineweb:too_many_short_lines", "too large a share of the lines is short")
TOO_MANY_NEWLINES = Reason("fineweb:too_many_newlines", "too many line ends for its words")


@final
@dataclass(frozen=True, kw_only=True)
class FinewebQuality(Filter):
    """Thresholds are the paper's. ``datatrove``, its code, departs in three: repeated lines from 0.01 on, not 0.1; a line of just 30
    characters is short, where the paper has "shorter than 30"; and a fourth rule, more than 0.3 newlines a word.

    A line of 30 characters is no short one where a character is a word (Chinese, Thai, …): there the rule does not apply, as in FineWeb-2.
    """

    variant: Literal["paper", "datatrove"] = "paper"
    max_unpunctuated: float = 0.12  # fails at or below
    min_duplicate_line_chars: float | None = None  # fails at or above; None: 0.1, or 0.01 in the variant datatrove
    min_short_lines: float = 0.67  # fails at or above
    short_line_characters: int = 30  # a line of fewer is short; in the variant datatrove one of as many too
    max_newlines_a_word: float = 0.3  # only in the variant datatrove

    reads = ("words",)
    signals = {
        "punctuated_lines": pa.float64(),
        "line_duplicate_chars": pa.float64(),
        "short_lines": pa.float64(),
        "newlines_a_word": pa.float64(),
    }
    reasons = (TOO_FEW_PUNCTUATED, TOO_MANY_DUPLICATES, TOO_MANY_SHORT, TOO_MANY_NEWLINES)

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        counts = line_counts(batch["text"], batch["words"], short=self.short_line_characters - (self.variant == "paper"))
        lines = np.maximum(counts["lines"], 1)
        by_character = np.array([unit == CHARACTER for unit in batch[document.SIGNAL + "word_unit"].to_pylist()], dtype=bool)
        return {
            "punctuated_lines": pa.array(counts["terminal_lines"] / lines),
            "line_duplicate_chars": pa.array(counts["duplicate_line_characters"] / np.maximum(counts["line_characters"], 1)),
            "short_lines": pa.array(counts["short_lines"] / lines, mask=by_character),
            "newlines_a_word": pa.array(counts["newlines"] / np.maximum(counts["words"], 1)),
        }

    def rules(self) -> tuple[Rule, ...]:
        is_code = self.variant == "datatrove"
        duplicates = self.min_duplicate_line_chars
        if duplicates is None:
            duplicates = 0.01 if is_code else 0.1
        return (
            Rule(TOO_FEW_PUNCTUATED, "punctuated_lines", "<=", self.max_unpunctuated),
            Rule(TOO_MANY_DUPLICATES, "line_duplicate_chars", ">=", duplicates),
            Rule(TOO_MANY_SHORT, "short_lines", ">=", self.min_short_lines),
            *((Rule(TOO_MANY_NEWLINES, "newlines_a_word", ">", self.max_newlines_a_word),) if is_code else ()),
        )
