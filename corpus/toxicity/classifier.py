"""A fastText toxicity classifier: on whole documents as a filter, or sentence by sentence, as Dolma removes them (arXiv 2402.00159).

ToxicityClassifier(model="toxic.bin")(batch)
ToxicSentences(model="toxic.bin")(batch)
"""

import re
from dataclasses import dataclass
from typing import final

import numpy as np
import pyarrow as pa

from corpus import document
from corpus.quality.classifier import probabilities
from corpus.step import DocumentStep, Filter, Reason, Rule, judge, step_name

TOXIC = Reason("classifier:toxic", "the classifier gives the text a high probability of being toxic")
TOXIC_SENTENCES = Reason(
    "classifier:toxic_sentences", "too large a share of the text's characters stood in sentences that were removed as toxic"
)

# A sentence with the space behind it: to the end of the line, or to a mark of its end that a space or a line's end follows
# (full-width marks need none). Nothing is lost: the pieces joined are the text.
_SENTENCE = re.compile(r"[^\n.!?。！？…]*(?:[.!?…]+(?![\s\"'”’)\]])[^\n.!?。！？…]*)*(?:[.!?。！？…]+[\"'”’)\]]*)?[^\S\n]*\n*")


@final
@dataclass(frozen=True, kw_only=True)
class ToxicityClassifier(Filter):
    """Measures ``toxicity_score``: the probability of ``label``."""

    model: str
    label: str = "toxic"
    max_score: float = 0.4
    max_characters: int = 10_000

    signals = {"toxicity_score": pa.float64()}
    reasons = (TOXIC,)

    def assets(self) -> tuple[str, ...]:
        return (self.model,)

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        return {"toxicity_score": probabilities(batch["text"].to_pylist(), self.model, self.label, self.max_characters)}

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(TOXIC, "toxicity_score", ">=", self.max_score),)


@final
@dataclass(frozen=True, kw_only=True)
class ToxicSentences(DocumentStep):
    """Removes the sentences whose probability of ``label`` is ``max_score`` (Dolma: 0.4) or more, and measures ``toxic_sentences`` and
    ``toxic_fraction``: their share of the characters. A text that loses more than ``max_fraction`` is no text any more, and is rejected.
    """

    model: str
    label: str = "toxic"
    max_score: float = 0.4
    max_fraction: float = 0.5

    rewrites_text = True
    signals = {"toxic_sentences": pa.int32(), "toxic_fraction": pa.float64()}
    reasons = (TOXIC_SENTENCES,)

    def assets(self) -> tuple[str, ...]:
        return (self.model,)

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(TOXIC_SENTENCES, "toxic_fraction", ">", self.max_fraction),)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch["text"].to_pylist()
        pieces = [sentences(text or "") for text in texts]
        scores = probabilities([piece for row in pieces for piece in row], self.model, self.label, 10_000).to_numpy(zero_copy_only=False)
        rows = np.split(scores >= self.max_score, np.cumsum([len(row) for row in pieces])[:-1])
        kept = [
            "".join(piece for piece, toxic in zip(row, marks, strict=True) if not toxic) for row, marks in zip(pieces, rows, strict=True)
        ]
        fractions = [
            None if text is None else 1 - len(rest) / max(1, len(text)) if text else 0.0 for text, rest in zip(texts, kept, strict=True)
        ]
        batch = document.with_text(batch, [text and rest.rstrip() for text, rest in zip(texts, kept, strict=True)])
        counts = [None if text is None else int(marks.sum()) for text, marks in zip(texts, rows, strict=True)]
        signals = {"toxic_sentences": pa.array(counts, pa.int32()), "toxic_fraction": pa.array(fractions, pa.float64())}
        return judge(document.with_signals(batch, signals), step_name(type(self)), self.rules())


def sentences(text: str) -> list[str]:
    """The text in pieces of a sentence each, with the space behind it; joined they are the text."""
    return [found.group() for found in _SENTENCE.finditer(text) if found.group()]
