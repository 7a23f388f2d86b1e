"""A fastText toxicity classifier as a filter; Dolma removes what such a model scores 0.4 or more (arXiv 2402.00159).

ToxicityClassifier(model="toxic.bin")(batch)
"""

from dataclasses import dataclass
from typing import final

import pyarrow as pa

from corpus.quality.classifier import probabilities
from corpus.step import Filter, Reason, Rule

TOXIC = Reason("classifier:toxic", "the classifier gives the text a high probability of being toxic")


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
