"""Windows: the stream of a split cut into inputs and targets of the model's context length, before any sampling.

Which window holds which tokens is a function of (token shards, context length, packing) alone; in what order windows are
trained on is another matter (``modeling.order``). Packing per rank, in a buffer, could not be resumed: it would lose or repeat tokens.

    windows = pack(tokens.split("train"), context_length=256)
    window = windows.read(7)        # ids int64 (257,), loss mask bool (256,)
    windows.documents(7)            # ids of the documents in it
"""

import abc
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from corpus.errors import InputError
from tokenization.shards import TokenSplit
from tokenization.tokenizer import PAD

CONCATENATE, DOCUMENT = "concatenate", "document"
PACKINGS = (CONCATENATE, DOCUMENT)


@final
@dataclass(frozen=True)
class Window:
    """``ids`` int64 (context_length + 1,): inputs are all but the last, targets all but the first. ``mask`` bool (context_length,):
    which targets count."""

    ids: np.ndarray
    mask: np.ndarray


@final
@dataclass(frozen=True)
class Waste:
    """What packing costs. ``cropped``: tokens of the stream that are in no window, as a share of it; ``padded``: the share of
    positions in windows that hold no token."""

    cropped: float
    padded: float


class Windows(abc.ABC):
    """A split as a sequence of ``count`` windows."""

    split: TokenSplit
    context_length: int

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """Number of windows."""

    @abc.abstractmethod
    def read(self, number: int) -> Window:
        """Window ``number``."""

    @abc.abstractmethod
    def targets(self, numbers: np.ndarray) -> np.ndarray:
        """Targets that count in each of these windows: int64, the shape of ``numbers``; known without reading a token."""

    @abc.abstractmethod
    def documents(self, number: int) -> list[str]:
        """Ids of the documents that have a target in the window, in order."""

    @abc.abstractmethod
    def waste(self) -> Waste:
        """The shares of cropping and padding."""


@final
@dataclass(frozen=True)
class Concatenated(Windows):
    """Concatenate and split: window ``n`` predicts the ids n·T + 1 to (n + 1)·T of the stream, so that every id but the first is a
    target once. Only the last, incomplete stretch is lost."""

    split: TokenSplit
    context_length: int

    @property
    def count(self) -> int:
        return max(0, self.split.tokens - 1) // self.context_length

    def read(self, number: int) -> Window:
        start = number * self.context_length
        return Window(self.split.read(start, start + self.context_length + 1), np.ones(self.context_length, bool))

    def targets(self, numbers: np.ndarray) -> np.ndarray:
        return np.full(numbers.shape, self.context_length)

    def documents(self, number: int) -> list[str]:
        first_target = number * self.context_length + 1
        starts = self.split.document_starts
        first = np.searchsorted(starts, first_target, side="right") - 1
        last = np.searchsorted(starts, first_target + self.context_length - 1, side="right") - 1
        return self.split.index["id"].slice(first, last - first + 1).to_pylist()

    def waste(self) -> Waste:
        # the first id of a stream is <s>, which nothing precedes: it is no loss that it is no target
        lost = self.split.tokens - 1 - self.count * self.context_length
        return Waste(cropped=lost / max(1, self.split.tokens), padded=0.0)


@final
@dataclass(frozen=True)
class OneDocument(Windows):
    """One document a window, from its <s>: a longer one is cropped, a shorter one padded with <pad> that no loss is taken of."""

    split: TokenSplit
    context_length: int

    @property
    def count(self) -> int:
        return self.split.documents

    @cached_property
    def _lengths(self) -> np.ndarray:
        return np.minimum(np.diff(self.split.document_starts), self.context_length + 1)

    def read(self, number: int) -> Window:
        start = int(self.split.document_starts[number])
        length = int(self._lengths[number])
        ids = np.full(self.context_length + 1, PAD, np.int64)
        ids[:length] = self.split.read(start, start + length)
        return Window(ids, np.arange(self.context_length) < length - 1)

    def targets(self, numbers: np.ndarray) -> np.ndarray:
        return self._lengths[numbers] - 1

    def documents(self, number: int) -> list[str]:
        return [self.split.index["id"][number].as_py()]

    def waste(self) -> Waste:
        held = int(self._lengths.sum())
        return Waste(cropped=1 - held / max(1, self.split.tokens), padded=1 - held / max(1, self.count * (self.context_length + 1)))


def pack(split: TokenSplit, context_length: int, packing: str = CONCATENATE) -> Windows:
    """Raises InputError where the split holds too few tokens for a single window."""
    assert packing in PACKINGS, packing
    windows: Windows = Concatenated(split, context_length) if packing == CONCATENATE else OneDocument(split, context_length)
    if windows.count == 0:
        raise InputError(
            f"{split.tokens:,} tokens are too few for one window of {context_length:,}",
            where=str(split.folder),
            hint="encode a larger corpus, or take a preset with a shorter context",
        )
    return windows
