"""A second opinion on the language of a short text: which sequences of characters it is made of.

fastText sums what it knows of a text's words and parts of words, and of few words that is little: it is right for 40 % of lines under 20
characters. Profiles of languages, learned from other texts than it was, say for each of its candidates how much likelier the text's
sequences of one to four characters are in it than in all languages together (naive Bayes, in sixteenths).

    >>> second_opinion(["ikke noe annet"], [[("da", 0.5), ("no", 0.3)]])[0][0][0]
    'no'
"""

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Self, final

import numpy as np
import pyarrow as pa

from corpus.kernels.profiles import sequences, sums

FOLDER, NAME = "corpus.resources.profiles", "profiles.npz"
_BITS = 15
_STEP = 16  # weights are in sixteenths of a natural logarithm: a byte each
_SMOOTHING = 2000.0  # sequences of all languages together that each profile is mixed with
_TRUST = 0.08  # sequences overlap and depend on each other: ten of them count as one
_FLOOR = 1e-4  # the least that fastText's score counts as


@final
@dataclass(frozen=True)
class Profiles:
    """``languages``: codes, ascending. ``weights``: int8 (buckets, languages)."""

    languages: tuple[str, ...]
    weights: np.ndarray

    @classmethod
    def of(cls, examples: Iterable[tuple[str, str]]) -> Self:
        """(language, text) -> profiles."""
        texts: dict[str, list[str]] = {}
        for language, text in examples:
            texts.setdefault(language, []).append(text)
        languages = tuple(sorted(texts))
        counts = np.zeros((2**_BITS, len(languages)))
        for at, language in enumerate(languages):
            buckets, _ = sequences(pa.array(texts[language], pa.string()), _BITS)
            counts[:, at] = np.bincount(buckets, minlength=2**_BITS)
        # every language weighs the same, however long its text
        background = (counts / counts.sum(axis=0)).mean(axis=1, keepdims=True)
        background = (background + 0.1 / 2**_BITS) / 1.1
        shares = (counts + _SMOOTHING * background) / (counts.sum(axis=0) + _SMOOTHING)
        return cls(languages, np.clip(np.round(np.log(shares / background) * _STEP), -127, 127).astype(np.int8))

    def evidence(self, texts: Sequence[str]) -> np.ndarray:
        """Texts (rows,) -> the logarithm of how much likelier they are in each language than in all together, float64 (rows, languages)."""
        return sums(*sequences(pa.array(texts, pa.string()), _BITS), self.weights) / _STEP

    def to_bytes(self) -> bytes:
        packed = io.BytesIO()
        np.savez_compressed(packed, languages=np.array(self.languages), weights=self.weights)
        return packed.getvalue()


def second_opinion(
    texts: Sequence[str], candidates: Sequence[Sequence[tuple[str, float]]], profiles: Profiles | None = None
) -> list[list[tuple[str, float]]]:
    """Texts and for each fastText's (language, score), the best first -> the same candidates by both opinions, scores rounded to 4 digits.

    What fastText gave the candidates that have a profile is divided among them anew; the others keep their scores.
    """
    profiles = profiles or shipped()
    place = {language: at for at, language in enumerate(profiles.languages)}
    told = []
    for row, listed in zip(profiles.evidence(texts), candidates, strict=True):
        scores = dict(listed)
        known = {each: math.log(score + _FLOOR) + _TRUST * row[place[each]] for each, score in listed if each in place}
        if known:
            shares = {each: math.exp(value - max(known.values())) for each, value in known.items()}
            given = min(1.0, sum(scores[each] for each in known)) / sum(shares.values())
            scores |= {each: round(share * given, 4) for each, share in shares.items()}
        told.append(sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])))
    return told


@lru_cache(maxsize=1)
def shipped() -> Profiles:
    """Those that come with us: see the card beside them."""
    stored = np.load(io.BytesIO(resources.files(FOLDER).joinpath(NAME).read_bytes()), allow_pickle=False)
    return Profiles(tuple(stored["languages"].tolist()), stored["weights"])
