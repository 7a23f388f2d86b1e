"""Gopher's repetition rules (arXiv 2112.11446, table A1).

GopherRepetition(variant="dclm")(batch)
"""

from dataclasses import dataclass
from typing import final

import pyarrow as pa

from corpus.kernels.repetition import KEYS, Variant, repetition
from corpus.step import Filter, Reason, Rule

DUPLICATE_LINES = Reason("repetition:duplicate_lines", "too large a share of the lines repeats another")
DUPLICATE_PARAGRAPHS = Reason("repetition:duplicate_paragraphs", "too large a share of the paragraphs repeats another")
DUPLICATE_LINE_CHARS = Reason("repetition:duplicate_line_chars", "too much of the text lies in repeated lines")
DUPLICATE_PARAGRAPH_CHARS = Reason("repetition:duplicate_paragraph_chars", "too much of the text lies in repeated paragraphs")
TOP_NGRAM = {n: Reason(f"repetition:top_{n}gram", f"too much of the text is its most frequent run of {n} words") for n in (2, 3, 4)}
DUPLICATE_NGRAM = {
    n: Reason(f"repetition:duplicate_{n}grams", f"too much of the text lies in repeated runs of {n} words") for n in range(5, 11)
}


@final
@dataclass(frozen=True, kw_only=True)
class GopherRepetition(Filter):
    """Thresholds are the paper's; a document fails above them. ``variant``: how copies are counted, see ``kernels.repetition``.

    ``dolma`` departs in two (arXiv 2402.00159): 0.30 for characters in repeated lines, and no rules of paragraphs.
    """

    variant: Variant = "datatrove"
    max_duplicate_lines: float = 0.30
    max_duplicate_paragraphs: float = 0.30
    max_duplicate_line_chars: float | None = None  # None: 0.20, or 0.30 in the variant dolma
    max_duplicate_paragraph_chars: float = 0.20
    max_top_ngram_chars: tuple[float, float, float] = (0.20, 0.18, 0.16)  # n = 2, 3, 4
    max_duplicate_ngram_chars: tuple[float, float, float, float, float, float] = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)  # n = 5 … 10

    reads = ("words",)
    signals = dict.fromkeys(KEYS, pa.float64())
    reasons = (
        DUPLICATE_LINES,
        DUPLICATE_PARAGRAPHS,
        DUPLICATE_LINE_CHARS,
        DUPLICATE_PARAGRAPH_CHARS,
        *TOP_NGRAM.values(),
        *DUPLICATE_NGRAM.values(),
    )

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        measured = repetition(batch["text"], batch["words"], self.variant)
        return {key: pa.array(values, from_pandas=True) for key, values in measured.items()}

    def rules(self) -> tuple[Rule, ...]:
        line_chars = self.max_duplicate_line_chars
        if line_chars is None:
            line_chars = 0.30 if self.variant == "dolma" else 0.20
        rules = (
            Rule(DUPLICATE_LINES, "duplicate_line_fraction", ">", self.max_duplicate_lines),
            Rule(DUPLICATE_PARAGRAPHS, "duplicate_paragraph_fraction", ">", self.max_duplicate_paragraphs),
            Rule(DUPLICATE_LINE_CHARS, "duplicate_line_chars", ">", line_chars),
            Rule(DUPLICATE_PARAGRAPH_CHARS, "duplicate_paragraph_chars", ">", self.max_duplicate_paragraph_chars),
        )
        return (
            *(rules if self.variant != "dolma" else rules[::2]),
            *(Rule(TOP_NGRAM[n], f"top_{n}gram_chars", ">", self.max_top_ngram_chars[n - 2]) for n in TOP_NGRAM),
            *(Rule(DUPLICATE_NGRAM[n], f"duplicate_{n}gram_chars", ">", self.max_duplicate_ngram_chars[n - 5]) for n in DUPLICATE_NGRAM),
        )
