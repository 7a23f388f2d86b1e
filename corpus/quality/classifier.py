"""A fastText classifier as a filter: the user's model, a label, a threshold.

DCLM (arXiv 2406.11794) keeps what such a model puts into the top 10 % of probabilities of "high quality" (for theirs: 0.018112).

    QualityClassifier(model="quality.bin", label="good", min_score=0.2)(batch)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import pyarrow as pa

from corpus.errors import AssetError
from corpus.language.model import load
from corpus.step import Filter, Reason, Rule

LOW_QUALITY = Reason("classifier:low_quality", "the classifier gives the text a low probability of being good")


@final
@dataclass(frozen=True, kw_only=True)
class QualityClassifier(Filter):
    """Measures ``quality_score``: the probability of ``label``. Local model files only: fastText memory-maps nothing else."""

    model: str
    label: str = "good"
    min_score: float = 0.5
    max_characters: int = 10_000

    signals = {"quality_score": pa.float64()}
    reasons = (LOW_QUALITY,)

    def assets(self) -> tuple[str, ...]:
        return (self.model,)

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        return {"quality_score": probabilities(batch["text"].to_pylist(), self.model, self.label, self.max_characters)}

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(LOW_QUALITY, "quality_score", "<", self.min_score),)


def probabilities(texts: Sequence[str | None], model: str, label: str, max_characters: int) -> pa.Array:
    """Texts (rows,) -> probability of the label, float64 (rows,), rounded to 4 digits; null for null."""
    classifier = load(model)
    full = f"__label__{label}"
    if full not in classifier.get_labels():
        known = ", ".join(name.removeprefix("__label__") for name in classifier.get_labels()[:10])
        raise AssetError(f"the model knows no label {label!r}", where=model, hint=f"it knows {known}")
    scores: list[float | None] = []
    for text in texts:
        if text is None:
            scores.append(None)
            continue
        found = classifier.f.predict(text[:max_characters].replace("\n", " ") + "\n", -1, 0.0, "strict")
        scores.append(round(min(1.0, next((score for score, name in found if name == full), 0.0)), 4))
    return pa.array(scores, pa.float64())
