"""Windows: the stream of a split cut into inputs and targets of the model's context length, before any sampling.

Which window holds which tokens is a function of (token shards, context length, packing) alone; in what order windows are
trained on is another matter (``modeling.order``). Packing per rank, in a buffer, could not be resumed: it would lose or repeat tokens.

    concatenate   the stream is cut every T ids: nothing is padded, nothing but the end is lost, most long documents are cut
    best_fit      whole documents side by side (``tokenization.best_fit``): only those longer than a window are cut, little is padded
    document      one document a window: the rest of a longer one is lost, a shorter one is padded

    windows = pack(tokens.split("train"), context_length=256)
    window = windows.read(7)        # ids int64 (257,), loss mask bool (256,)
    windows.documents(7)            # ids of the documents in it
"""

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np

from corpus.errors import InputError
from tokenization.best_fit import PackedIndex, write_windows
from tokenization.shards import TokenSplit, starts
from tokenization.streams import Stream, stored, streams, whole

CONCATENATE, DOCUMENT, BEST_FIT = "concatenate", "document", "best_fit"
PACKINGS = (CONCATENATE, DOCUMENT, BEST_FIT)


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
    positions in windows that hold no token; ``cut``: the share of documents that are not whole in one window."""

    cropped: float
    padded: float
    cut: float


@final
@dataclass(frozen=True)
class Pieces:
    """What lies in windows, piece by piece in the order of the windows; all int64: ``windows``; ``begins``, where the piece's document
    begins in the split; ``targets``, how many of its ids are targets there."""

    windows: np.ndarray
    begins: np.ndarray
    targets: np.ndarray


class Windows(abc.ABC):
    """A split, or a stream of it, as a sequence of ``count`` windows; ``groups`` names what a window may be of, where that is known."""

    context_length: int
    groups: tuple[str, ...] = ("",)

    @property
    @abc.abstractmethod
    def split(self) -> TokenSplit:
        """What it was cut from."""

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
    def pieces(self, first: int, stop: int) -> Pieces:
        """What lies in the windows [first, stop)."""

    @abc.abstractmethod
    def waste(self) -> Waste:
        """The shares of cropping, padding and cutting."""

    def group_of(self, number: int) -> int:
        """Which of ``groups`` the window is of."""
        return 0

    def documents(self, number: int) -> list[str]:
        """Ids of the documents that have a target in the window, in order."""
        return self.split.rows(self.pieces(number, number + 1).begins)["id"].to_pylist()


@final
@dataclass(frozen=True)
class Concatenated(Windows):
    """Concatenate and split: window ``n`` predicts the ids n·T + 1 to (n + 1)·T of the stream, so that every id but the first is a
    target once. Only the last, incomplete stretch is lost."""

    stream: TokenSplit | Stream
    context_length: int

    @property
    def split(self) -> TokenSplit:
        return self.stream.split if isinstance(self.stream, Stream) else self.stream

    @property
    def count(self) -> int:
        return max(0, self.stream.tokens - 1) // self.context_length

    def read(self, number: int) -> Window:
        start = number * self.context_length
        return Window(self.stream.read(start, start + self.context_length + 1), np.ones(self.context_length, bool))

    def targets(self, numbers: np.ndarray) -> np.ndarray:
        return np.full(numbers.shape, self.context_length)

    def pieces(self, first: int, stop: int) -> Pieces:
        start, end = first * self.context_length + 1, stop * self.context_length + 1
        here, begins = self._documents_in(start, end)
        cuts = np.union1d(here[(here > start) & (here < end)], np.arange(start, end + 1, self.context_length))
        documents = np.searchsorted(here, cuts[:-1], side="right") - 1
        return Pieces((cuts[:-1] - 1) // self.context_length, begins[documents], np.diff(cuts))

    def _documents_in(self, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Where the documents begin that have an id in [start, end): in the stream, and in the split."""
        if isinstance(self.stream, TokenSplit):
            here = self.stream.documents_in(start, end)[:-1]
            return here, here
        first = int(np.searchsorted(self.stream.document_starts, start, side="right")) - 1
        last = int(np.searchsorted(self.stream.document_starts, end - 1, side="right"))
        return np.asarray(self.stream.document_starts[first:last]), np.asarray(self.stream.begins[first:last])

    def waste(self) -> Waste:
        # the first id of a stream is <s>, which nothing precedes: it is no loss that it is no target
        lost = self.stream.tokens - 1 - self.count * self.context_length
        # a document of [begin, end) is whole where its first target, begin + 1, and its last, end - 1, lie in one window
        cut = sum(int((begins // self.context_length != (ends - 2) // self.context_length).sum()) for begins, ends in self._extents())
        return Waste(cropped=lost / max(1, self.stream.tokens), padded=0.0, cut=cut / max(1, self.stream.documents))

    def _extents(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Where documents begin and end in the stream, some at a time."""
        if isinstance(self.stream, Stream):
            yield self.stream.document_starts[:-1], self.stream.document_starts[1:]
            return
        for first, table in self.stream.indexes(["tokens"]):
            found = first + starts(table["tokens"].to_numpy())
            yield found[:-1], found[1:]


@final
@dataclass(frozen=True)
class OneDocument(Windows):
    """One document a window, from its <s>: a longer one is cropped, a shorter one padded with <pad> that no loss is taken of."""

    stream: Stream
    context_length: int

    @property
    def split(self) -> TokenSplit:
        return self.stream.split

    @property
    def count(self) -> int:
        return self.stream.documents

    def read(self, number: int) -> Window:
        start = int(self.stream.document_starts[number])
        length = min(int(self.stream.document_starts[number + 1]) - start, self.context_length + 1)
        ids = np.full(self.context_length + 1, self.split.special.pad, np.int64)
        ids[:length] = self.stream.read(start, start + length)
        return Window(ids, np.arange(self.context_length) < length - 1)

    def targets(self, numbers: np.ndarray) -> np.ndarray:
        begins, ends = self.stream.document_starts[numbers], self.stream.document_starts[numbers + 1]
        return np.asarray(np.minimum(ends - begins - 1, self.context_length))

    def pieces(self, first: int, stop: int) -> Pieces:
        numbers = np.arange(first, stop)
        return Pieces(numbers, np.asarray(self.stream.begins[first:stop]), self.targets(numbers))

    def waste(self) -> Waste:
        lengths = np.diff(self.stream.document_starts)
        held = int(np.minimum(lengths, self.context_length + 1).sum())
        positions = max(1, self.count * (self.context_length + 1))
        cut = int((lengths > self.context_length + 1).sum())
        return Waste(cropped=1 - held / max(1, self.stream.tokens), padded=1 - held / positions, cut=cut / max(1, self.count))


@final
@dataclass(frozen=True)
class BestFit(Windows):
    """Documents side by side, each piece from an <s> (that of its document, where the piece goes on with a long one): so the rest of a
    long document knows nothing of what lay before. Every id but each document's first is a target once."""

    stream: Stream
    context_length: int

    @property
    def split(self) -> TokenSplit:
        return self.stream.split

    @cached_property
    def _index(self) -> PackedIndex:
        def make(folder: Path) -> dict[str, int]:
            return write_windows(self.stream.document_starts, self.context_length, folder)

        return PackedIndex(*stored(self.split, f"best_fit-{self.context_length}-{self.stream.key}", make))

    @property
    def count(self) -> int:
        return self._index.facts["windows"]

    def read(self, number: int) -> Window:
        ids = np.full(self.context_length + 1, self.split.special.pad, np.int64)
        mask = np.zeros(self.context_length, bool)
        place = 0
        for document, at, targets in self._index.pieces_of(number, number + 1).tolist():
            start = int(self.stream.document_starts[document])
            ids[place] = self.stream.read(start, start + 1)[0]
            ids[place + 1 : place + 1 + targets] = self.stream.read(start + at + 1, start + at + 1 + targets)
            mask[place : place + targets] = True
            place += targets + 1
        return Window(ids, mask)

    def targets(self, numbers: np.ndarray) -> np.ndarray:
        return np.asarray(self._index.targets[numbers])

    def pieces(self, first: int, stop: int) -> Pieces:
        mine = self._index.pieces_of(first, stop)
        windows = np.repeat(np.arange(first, stop), np.diff(self._index.offsets[first : stop + 1]))
        return Pieces(windows, np.asarray(self.stream.begins[mine["document"]]), np.asarray(mine["targets"]))

    def waste(self) -> Waste:
        facts = self._index.facts
        padded = 1 - facts["ids"] / max(1, self.count * (self.context_length + 1))
        return Waste(cropped=0.0, padded=padded, cut=facts["cut"] / max(1, self.stream.documents))


@final
@dataclass(frozen=True)
class Grouped(Windows):
    """The windows of several streams of a split, one stream after another: each window holds documents of one of ``groups``."""

    context_length: int
    parts: tuple[Concatenated | OneDocument | BestFit, ...]
    groups: tuple[str, ...]

    @property
    def split(self) -> TokenSplit:
        return self.parts[0].split

    @cached_property
    def firsts(self) -> np.ndarray:
        """The number of each part's first window, and how many there are in all: int64, shape (groups + 1,)."""
        return np.cumsum([0, *(part.count for part in self.parts)])

    @property
    def count(self) -> int:
        return int(self.firsts[-1])

    def group_of(self, number: int) -> int:
        return int(np.searchsorted(self.firsts, number, side="right")) - 1

    def read(self, number: int) -> Window:
        group = self.group_of(number)
        return self.parts[group].read(number - int(self.firsts[group]))

    def targets(self, numbers: np.ndarray) -> np.ndarray:
        groups = np.searchsorted(self.firsts, numbers, side="right") - 1
        found = np.empty(numbers.shape, np.int64)
        for group in np.unique(groups):
            mine = groups == group
            found[mine] = self.parts[group].targets(numbers[mine] - self.firsts[group])
        return found

    def pieces(self, first: int, stop: int) -> Pieces:
        found = []
        for group, part in enumerate(self.parts):
            low, high = (min(max(0, each - int(self.firsts[group])), part.count) for each in (first, stop))
            if low < high:
                each = part.pieces(low, high)
                found.append(Pieces(each.windows + self.firsts[group], each.begins, each.targets))
        return Pieces(*(np.concatenate([getattr(each, name) for each in found]) for name in ("windows", "begins", "targets")))

    def waste(self) -> Waste:
        """Of all parts together: cropped by tokens, padded by windows, cut by documents."""
        wastes = [part.waste() for part in self.parts]
        tokens, documents = ([getattr(part.stream, name) for part in self.parts] for name in ("tokens", "documents"))
        counts = [part.count for part in self.parts]

        def mean(name: str, weights: list[int]) -> float:
            return sum(getattr(waste, name) * weight for waste, weight in zip(wastes, weights, strict=True)) / max(1, sum(weights))

        return Waste(cropped=mean("cropped", tokens), padded=mean("padded", counts), cut=mean("cut", documents))


def pack(split: TokenSplit, context_length: int, packing: str = CONCATENATE) -> Windows:
    """Raises InputError where the split holds too few tokens for a single window."""
    windows = _packed(split, context_length, packing)
    if windows.count == 0:
        raise InputError(
            f"{split.tokens:,} tokens are too few for one window of {context_length:,}",
            where=str(split.folder),
            hint="encode a larger corpus, or take a preset with a shorter context",
        )
    return windows


def pack_groups(split: TokenSplit, context_length: int, packing: str, *, by: str) -> Grouped:
    """The documents of each value of ``by`` ("source" or "language") packed apart; a group may have no window."""
    found = streams(split, by=by)
    parts = tuple(_packed(stream, context_length, packing) for stream in found)
    return Grouped(context_length, parts, tuple(stream.name for stream in found))


def _packed(stream: TokenSplit | Stream, context_length: int, packing: str) -> Concatenated | OneDocument | BestFit:
    assert packing in PACKINGS, packing
    if packing == CONCATENATE:
        return Concatenated(stream, context_length)
    documents = whole(stream) if isinstance(stream, TokenSplit) else stream
    return OneDocument(documents, context_length) if packing == DOCUMENT else BestFit(documents, context_length)
