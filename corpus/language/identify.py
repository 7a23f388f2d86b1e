"""Language by fastText's lid.176 or a model of the user's, short texts with a second opinion, and script by counting letters.

IdentifyLanguage(languages=("de", "fr"))(batch)["language"]
IdentifyLanguage(model="glotlid.bin")(batch)     # GlotLID, OpenLID: labels like eng_Latn become our codes
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, final

import fasttext
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import document
from corpus.kernels.words import dominant_scripts
from corpus.language.codes import code
from corpus.language.model import load
from corpus.language.profiles import second_opinion
from corpus.step import DocumentStep, Reason, reject, step_name

NOT_WANTED = Reason("language:not_wanted", "the language is not among those asked for")
UNSURE = Reason("language:unsure", "the language could not be told with the score asked for")
MODEL, BOTH = "model", "model and profiles"

_TOP, _CANDIDATES = 3, 8  # the right label is among eight for 97 of 100 of Tatoeba's sentences

Labels = list[tuple[str, float]]


@final
@dataclass(frozen=True, kw_only=True)
class IdentifyLanguage(DocumentStep):
    """Sets ``language``, ``language_score``, ``languages`` (the top three) and ``script``.

    ``min_score`` 0.65 is FineWeb's (arXiv 2406.17557). ``languages`` empty: all are wanted. The first 2,000 characters gave the same
    label as the whole text on 200 of 200 pages, three times as fast. Scores are rounded to 4 digits, equal ones ordered by code: the
    same on every machine.

    Of texts under ``short_characters`` lid.176 is asked for eight candidates, and profiles of languages decide with it (see
    ``profiles``); ``language_by`` says who decided. 0: lid.176 alone. ``model``: a fastText file of the user's in its place, without a
    second opinion; several labels of one language (two scripts) count together.
    """

    languages: tuple[str, ...] = ()
    min_score: float = 0.65
    max_characters: int = 2000
    short_characters: int = 200
    model: str = ""

    signals = {"language_by": pa.string()}
    reasons = (NOT_WANTED, UNSURE)

    def assets(self) -> tuple[str, ...]:
        return (self.model,) if self.model else ()

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = [(text or "")[: self.max_characters].replace("\n", " ") for text in batch["text"].to_pylist()]
        told, by = identify(texts, self.model, 0 if self.model else self.short_characters)
        best = [labels[0] if labels else (None, 0.0) for labels in told]
        scores = np.array([score for _, score in best], dtype=np.float32)
        batch = document.with_column(batch, "language", [language for language, _ in best])
        batch = document.with_column(batch, "language_score", pa.array(scores))
        listed = [[{"language": language, "score": score} for language, score in labels] for labels in told]
        batch = document.with_column(batch, "languages", listed)
        batch = document.with_column(batch, "script", dominant_scripts(batch["text"]))
        batch = document.with_signals(batch, {"language_by": pa.array(by, pa.string())})
        name = step_name(type(self))
        if self.languages:
            wanted = pc.fill_null(pc.is_in(batch["language"], pa.array(self.languages)), False)
            batch = reject(batch, name, NOT_WANTED, ~wanted.to_numpy(zero_copy_only=False))
        return reject(batch, name, UNSURE, scores < self.min_score, scores.astype(float), self.min_score)


def identify(texts: Sequence[str], model: str = "", short_characters: int = 0) -> tuple[list[Labels], list[str | None]]:
    """Texts without line breaks -> for each the top three (code, score), the best first, and who decided; none and null for a text without
    a letter that the model knows. Raises AssetError for a model that is none.
    """
    classifier = load(model) if model else _model()
    short = [0 < len(text) < short_characters for text in texts]
    told = [predict(text, _CANDIDATES if is_short or model else _TOP, classifier) for text, is_short in zip(texts, short, strict=True)]
    asked = [row for row, is_short in enumerate(short) if is_short and told[row]]
    for row, labels in zip(asked, second_opinion([texts[row] for row in asked], [told[row] for row in asked]), strict=True):
        told[row] = labels
    by = [None if not labels else BOTH if is_short else MODEL for is_short, labels in zip(short, told, strict=True)]
    return [labels[:_TOP] for labels in told], by


def predict(text: str, top: int, classifier: Any) -> Labels:
    """The top labels of a model as (code, score), the best first; empty for a text without a letter that the model knows."""
    if not text.strip():
        return []
    # classifier.f is the C++ object: its predict gives (score, label) pairs, and the Python wrapper around it is 3 times slower
    found: list[tuple[float, str]] = classifier.f.predict(text + "\n", top, 0.0, "strict")
    scores: dict[str, float] = {}
    for score, label in found:
        if language := code(label):
            scores[language] = scores.get(language, 0.0) + float(score)
    pairs = ((language, round(min(1.0, score), 4)) for language, score in scores.items())
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


@lru_cache(maxsize=1)
def _model() -> Any:
    with resources.as_file(resources.files("corpus.resources.lid176").joinpath("lid.176.ftz")) as path:
        return fasttext.load_model(str(path))
