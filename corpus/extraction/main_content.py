"""The engine ``hybrid``: the blocks of a page that a classifier takes for its main text, written out line by line.

    text = main_text(scan(html), load_model())

Two boosted forests look at every block (``kernels.block_features``): the first by itself, the second also at what the first
thought of the blocks around it. The blocks kept are those with the largest expected F1. The weights are
``corpus/resources/extractor/model.npz``; its card says what they were trained on.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Self, final

import numpy as np

from corpus.errors import AssetError
from corpus.extraction.rendering import render
from corpus.kernels.block_context import block_context, choose
from corpus.kernels.block_features import block_features
from corpus.kernels.forest import predict
from corpus.kernels.markup import Page
from corpus.kernels.page_layout import HIDDEN, NODE, UNITS

_PACKAGE, _MODEL = "corpus.resources.extractor", "model.npz"
MAX_BLOCKS = 20_000  # of a page, which take a second and 100 MB; real pages have some 250
_BIAS = 0.0
_LEAST_F1 = 0.2  # a page that promises less has no main text: a menu alone promises 0.04, three words in a paragraph 0.47
_SETTLED = 0.02  # what the first forest puts below this (38 % of blocks) the second never raised above 0.3 in cross-validation


@final
@dataclass(frozen=True)
class Vocabulary:
    """Hashes of words in classes and ids, sorted; how much each speaks for content; the bit of those shown to the forests, or -1."""

    hashes: np.ndarray
    scores: np.ndarray
    shown: np.ndarray

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
    left: np.ndarray
    right: np.ndarray
    leaf: np.ndarray
    roots: np.ndarray

    @classmethod
    def from_lightgbm(cls, dumped: Mapping[str, Any]) -> Self:
        """From ``Booster.dump_model()``. Thresholds are rounded down to float32: with float32 features every comparison stays the same."""
        nodes: list[tuple[int, float, int, int]] = []
        leaves: list[float] = []

        def add(node: Mapping[str, Any]) -> int:
            if "leaf_value" in node:
                leaves.append(node["leaf_value"])
                return -len(leaves)
            assert node["decision_type"] == "<="
            at = len(nodes)
            nodes.append((0, 0.0, 0, 0))
            threshold = np.float32(node["threshold"])
            if float(threshold) > node["threshold"]:
                threshold = np.nextafter(threshold, np.float32(-np.inf))
            nodes[at] = (node["split_feature"], float(threshold), add(node["left_child"]), add(node["right_child"]))
            return at

        roots = [add(tree["tree_structure"]) for tree in dumped["tree_info"]]
        columns = list(zip(*nodes, strict=True)) or [(), (), (), ()]
        return cls(
            feature=np.array(columns[0], np.int16),
            threshold=np.array(columns[1], np.float32),
            left=np.array(columns[2], np.int32),
            right=np.array(columns[3], np.int32),
            leaf=np.array(leaves, np.float32),
            roots=np.array(roots, np.int32),
        )

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float32 (rows, features) -> probabilities float64 (rows,)."""
        return predict(features, self.feature, self.threshold, self.left, self.right, self.leaf, self.roots)


@final
@dataclass(frozen=True)
class Model:
    vocabulary: Vocabulary
    first: Forest
    second: Forest

    def save(self, path: Path) -> None:
        parts = {"vocabulary": self.vocabulary, "first": self.first, "second": self.second}
        arrays = {f"{name}.{field}": value for name, part in parts.items() for field, value in vars(part).items()}
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
        words = self.vocabulary
        features = block_features(page.data, page.text, page.nodes, page.blocks, page.marks, words.hashes, words.scores, words.shown)
        first = self.first.predict(features)
        unsettled = np.flatnonzero(first >= _SETTLED)
        context = block_context(first, page.nodes, page.blocks)
        probabilities = first.copy()
        probabilities[unsettled] = self.second.predict(np.concatenate([features[unsettled], context[unsettled]], axis=1))
        return probabilities


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
