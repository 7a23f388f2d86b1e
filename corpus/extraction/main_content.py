"""The engine ``hybrid``: the blocks of a page that a classifier takes for its main text, written out line by line.

    text = main_text(scan(html), load_model())

Two boosted forests look at every block (``kernels.block_features``): the first by itself, the second also at what the first
thought of the blocks around it. The blocks kept are those with the largest expected F1. The weights are
``corpus/resources/extractor/model.npz``; its card says what they were trained on.
"""

import io
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Self, final

import numpy as np

from corpus.errors import AssetError
from corpus.extraction.rendering import render
from corpus.kernels.block_context import block_context, choose
from corpus.kernels.block_features import block_features
from corpus.kernels.class_words import word_table
from corpus.kernels.forest import predict
from corpus.kernels.markup import Page
from corpus.kernels.page_layout import HIDDEN, NODE, UNITS

_PACKAGE, _MODEL = "corpus.resources.extractor", "model.npz"
MAX_BLOCKS = 20_000  # of a page, which take a second and 100 MB; real pages have some 250
_BIAS = 0.0
_LEAST_F1 = 0.25  # a page that promises less has no main text: a lone word in a <nav> promises 0.21, three words in a paragraph 0.83


@final
@dataclass(frozen=True)
class Vocabulary:
    """Hashes of words in classes and ids, sorted; how much each speaks for content; the bit of those shown to the forests, or -1."""

    hashes: np.ndarray
    scores: np.ndarray
    shown: np.ndarray

    @cached_property
    def table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return word_table(self.hashes, self.scores, self.shown)

    def features_of(self, page: Page) -> tuple[np.ndarray, np.ndarray]:
        """What ``block_features`` says of a page's blocks, and the groups that they are in."""
        return block_features(page.data, page.text, page.nodes, page.blocks, page.marks, *self.table)  # type: ignore[no-any-return]

    def with_scores_of(self, other: "Vocabulary") -> "Vocabulary":
        """The same words, scored as ``other`` does, 0 where it has none."""
        slots = np.minimum(np.searchsorted(other.hashes, self.hashes), len(other.hashes) - 1)
        scores = np.where(other.hashes[slots] == self.hashes, other.scores[slots], np.float32(0)) if len(other.hashes) else self.scores * 0
        return Vocabulary(self.hashes, scores.astype(np.float32), self.shown)


@final
@dataclass(frozen=True)
class Forest:
    """The arrays of ``kernels.forest.predict``."""

    feature: np.ndarray
    threshold: np.ndarray
    leaf: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 (rows, features) -> probabilities float64 (rows,)."""
        return predict(np.asfortranarray(features), self.feature, self.threshold, self.leaf)


@final
@dataclass(frozen=True)
class Model:
    vocabulary: Vocabulary
    first: Forest
    second: Forest

    def save(self, path: Path) -> None:
        parts = {"vocabulary": self.vocabulary, "first": self.first, "second": self.second}
        arrays: dict[str, Any] = {
            f"{name}.{field}": value for name, part in parts.items() for field, value in vars(part).items() if isinstance(value, np.ndarray)
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as out:
                np.savez_compressed(out, **arrays)
        except OSError as error:
            raise AssetError("cannot write the model", where=str(path), hint=str(error)) from error

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        arrays = np.load(io.BytesIO(content))
        parts: dict[str, dict[str, np.ndarray]] = {}
        for key in arrays.files:
            name, _, field = key.partition(".")
            parts.setdefault(name, {})[field] = arrays[key]
        return cls(Vocabulary(**parts["vocabulary"]), Forest(**parts["first"]), Forest(**parts["second"]))

    def probabilities(self, page: Page) -> np.ndarray:
        """The probability that a block belongs to the main text, float64 (blocks,)."""
        features, groups = self.vocabulary.features_of(page)
        first = self.first.predict(features)
        return self.second.predict(with_context(page, features, groups, first))


def with_context(page: Page, features: np.ndarray, groups: np.ndarray, first: np.ndarray) -> np.ndarray:
    """What the second forest sees."""
    context = block_context(first, page.nodes, page.blocks, groups)
    return np.concatenate([features.T, context.T]).T  # by columns, as both are


@lru_cache(maxsize=1)
def load_model() -> Model:
    return Model.from_bytes(resources.files(_PACKAGE).joinpath(_MODEL).read_bytes())


def main_text(page: Page, model: Model) -> str:
    """The main text of a page, "" where it has none."""
    return render(page, chosen_blocks(page, model))


def chosen_blocks(page: Page, model: Model) -> np.ndarray:
    """Which blocks are the main text, bool (blocks,); none beyond the first MAX_BLOCKS."""
    keep = np.zeros(len(page.blocks), bool)
    if len(page.blocks):
        seen = replace(page, blocks=page.blocks[:MAX_BLOCKS])
        chosen, expected_f1 = choose(model.probabilities(seen), seen.blocks[:, UNITS].astype(np.float64), _BIAS)
        if expected_f1 >= _LEAST_F1:
            keep[: len(chosen)] = chosen
    return keep


def whole_text(page: Page) -> str:
    """All text that a reader sees, frame and all."""
    return render(page, page.nodes[page.blocks[:, NODE], HIDDEN] == 0)
