"""Which items of an evaluation stand in the text that the model was trained on, word for word.

The corpus' own definition (``corpus.decontamination``): runs of 13 words, as GPT-3 counted (Brown et al. 2020, appendix C), in lower case
and without punctuation; a shorter item is looked for whole, and one of fewer than five words not at all. The training split is decoded
from its tokens, a few MB at a time; what is held is the evaluation's runs, 40 bytes each.

    overlap = find_overlap({"piqa": [["How do I ready a cage?", "Provide it with …"]]}, split, tokenizer)
    overlap["piqa"].shares          # of each item the share of its runs that were found; NaN where it is too short to tell
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pyarrow as pa

from corpus.decontamination import Items
from corpus.kernels.ngrams import find, word_hashes
from corpus.kernels.words import words
from tokenization.shards import TokenSplit
from tokenization.tokenizer import Tokenizer

NGRAM, MOSTLY = 13, 0.2  # Llama 2's appendix A.6 calls clean what less than a fifth of is found elsewhere
_BATCH_TOKENS = 1 << 20


@final
@dataclass(frozen=True)
class Overlap:
    """``shares``: float64 (items,), of an item's runs that stand in the training text; NaN where it has none to look for."""

    shares: np.ndarray

    @property
    def is_touched(self) -> np.ndarray:
        """One run or more was found: GPT-3's mark."""
        return np.nan_to_num(self.shares) > 0

    @property
    def is_mostly(self) -> np.ndarray:
        """A fifth of the runs or more."""
        return np.nan_to_num(self.shares) >= MOSTLY

    def facts(self) -> dict[str, Any]:
        """``items``, ``too_short`` to tell, ``touched``, ``mostly``, and ``touched_share`` of those that could be told."""
        told = int(np.isfinite(self.shares).sum())
        return {
            "items": len(self.shares),
            "too_short": len(self.shares) - told,
            "touched": int(self.is_touched.sum()),
            "mostly": int(self.is_mostly.sum()),
            "touched_share": float(self.is_touched.sum() / told) if told else None,
        }


def find_overlap(
    sets: Mapping[str, Sequence[Sequence[str]]], split: TokenSplit, tokenizer: Tokenizer, told: Callable[[int, int], None] | None = None
) -> dict[str, Overlap]:
    """``sets``: name -> the texts of each item. ``told``: (tokens read, all)."""
    items = Items.of((name, enumerate(each)) for name, each in sets.items())
    found = np.zeros(len(items.table.hashes), bool)
    if len(found):
        for read, texts in _training_texts(split, tokenizer):
            array = pa.array(texts, pa.string())
            found[np.unique(find(*word_hashes(array, words(array)), items.table)[3])] = True
            if told:
                told(read, split.tokens)
    held = np.bincount(items.items, np.repeat(found, np.diff(items.starts)), minlength=len(items.labels)) / np.maximum(1, items.runs)
    known = dict(zip(items.labels, held.tolist(), strict=True))
    return {name: Overlap(np.array([known.get(f"{name}:{at}", np.nan) for at in range(len(each))])) for name, each in sets.items()}


def _training_texts(split: TokenSplit, tokenizer: Tokenizer) -> Iterator[tuple[int, list[str]]]:
    """(ids read so far, the texts of some documents), in order."""
    texts: list[str] = []
    first = 0
    for begin, index in split.indexes(["tokens"]):
        at = begin
        for tokens in index["tokens"].to_pylist():
            texts.append(tokenizer.decode(split.read(at, at + tokens)))
            at += tokens
            if at - first >= _BATCH_TOKENS:
                yield at, texts
                texts, first = [], at
    if texts:
        yield split.tokens, texts
