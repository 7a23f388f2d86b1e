"""A fastText classifier as a filter: the user's model, a label, a threshold.

DCLM (arXiv 2406.11794) keeps what such a model puts into the top 10 % of probabilities of "high quality" (for theirs: 0.018112).

    QualityClassifier(model="quality.bin", label="good", min_score=0.2)(batch)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import fasttext
import pyarrow as pa

from corpus.errors import AssetError
from corpus.step import Filter, Reason, Rule
from corpus.storage import locate

LOW_QUALITY = Reason("classifier:low_quality", "the classifier gives the text a low probability of being good")

_MAGIC = (793712314).to_bytes(4, "little")  # fastText's files begin with it; on anything else the library may abort the process


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


@lru_cache(maxsize=4)
def load(path: str) -> Any:
    """A fastText model. Raises AssetError for a file that is none."""
    place = locate(path)
    try:
        with place.open() as stream:
            magic = stream.read(4)
    except OSError as error:
        raise AssetError("cannot read the model", where=path, hint=error.strerror or str(error)) from error
    if magic != _MAGIC:
        raise AssetError("this is no fastText model", where=path, hint="train one with `gristmill train-classifier`")
    try:
        return fasttext.load_model(place.path)
    except (ValueError, RuntimeError, MemoryError) as error:
        raise AssetError("the fastText model is damaged", where=path, hint="train it again") from error
