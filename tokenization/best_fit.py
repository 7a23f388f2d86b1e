"""Best-fit packing (Ding et al. 2024, "Fewer Truncations Improve Language Modeling"): whole documents into windows that they fill well.

Only a document longer than a window is cut, into full windows and a rest. Rests and whole documents go, the longest first, each into the
window with the least room that it fits into, or into a new one. All that is held at a time are the pieces of a million documents: after
them begin new windows. Which window gets what is decided before any sampling, by the lengths alone.

    assign(np.array([5, 3, 2, 7], np.int64), room=8)      # pieces by length, 7 5 3 2: windows [1, 1, 2, 0]; 5 and 3 share one
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np

from corpus.kernels.compiled import kernel
from tokenization.streams import mapped

BLOCK_DOCUMENTS = 1 << 20
PIECES = np.dtype([("document", "<i8"), ("at", "<i8"), ("targets", "<i8")])


@final
@dataclass(frozen=True)
class PackedIndex:
    """What :func:`write_windows` wrote, mapped into memory."""

    folder: Path
    facts: dict[str, int]

    @cached_property
    def offsets(self) -> np.ndarray:
        """Of each window's first piece, and the number of all: int64, shape (windows + 1,)."""
        return mapped(self.folder / "offsets")

    @cached_property
    def targets(self) -> np.ndarray:
        """Of each window: int64, shape (windows,)."""
        return mapped(self.folder / "targets")

    @cached_property
    def _pieces(self) -> np.ndarray:
        return mapped(self.folder / "pieces", PIECES)

    def pieces_of(self, first: int, stop: int) -> np.ndarray:
        """Of the windows [first, stop), in their order: :data:`PIECES`."""
        return self._pieces[int(self.offsets[first]) : int(self.offsets[stop])]


def write_windows(document_starts: np.ndarray, context_length: int, folder: Path, *, block: int = BLOCK_DOCUMENTS) -> dict[str, int]:
    """The files of a :class:`PackedIndex`, and its facts: ``windows``; ``ids`` that they hold; documents that are ``cut``."""
    facts = {"windows": 0, "pieces": 0, "ids": 0, "cut": 0}
    with ExitStack() as stack:
        pieces_file, offsets, targets = (stack.enter_context((folder / name).open("wb")) for name in ("pieces", "offsets", "targets"))
        offsets.write(np.zeros(1, "<i8").tobytes())
        for pieces, counts in packed(document_starts, context_length, block):
            ends = np.cumsum(counts)
            offsets.write((facts["pieces"] + ends).astype("<i8").tobytes())
            targets.write(np.add.reduceat(pieces["targets"], ends - counts).astype("<i8").tobytes())
            pieces_file.write(pieces.tobytes())
            facts["windows"] += len(counts)
            facts["pieces"] += len(pieces)
            facts["ids"] += int(pieces["targets"].sum()) + len(pieces)
            facts["cut"] += int((pieces["at"] == context_length).sum())  # every document that is cut has one second piece
    return facts


def packed(document_starts: np.ndarray, context_length: int, block: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pieces in the order of the windows, and how many each window has; a block of documents at a time."""
    for first in range(0, len(document_starts) - 1, block):
        lengths = np.diff(document_starts[first : first + block + 1])
        pieces = cut_pieces(lengths, context_length)
        pieces["document"] += first
        order = np.argsort(-pieces["targets"], kind="stable")  # the longest first; of equals the earlier
        pieces = pieces[order]
        windows, count = _assign(pieces["targets"] + 1, context_length + 1)
        yield pieces[np.argsort(windows, kind="stable")], np.bincount(windows, minlength=count)


def cut_pieces(lengths: np.ndarray, context_length: int) -> np.ndarray:
    """A document of n ids has n - 1 targets: full windows of them, and a rest. :data:`PIECES`, in the order of the documents."""
    targets = np.maximum(lengths - 1, 0)
    parts = -(-targets // context_length)
    pieces = np.empty(int(parts.sum()), PIECES)
    pieces["document"] = np.repeat(np.arange(len(lengths)), parts)
    number = np.arange(len(pieces)) - np.repeat(np.cumsum(parts) - parts, parts)
    pieces["at"] = number * context_length
    pieces["targets"] = np.minimum(context_length, targets[pieces["document"]] - pieces["at"])
    return pieces


def assign(sizes: np.ndarray, room: int) -> np.ndarray:
    """Which window each piece goes into: int64, the shape of ``sizes``, none of which is above ``room``."""
    order = np.argsort(-sizes, kind="stable")
    windows = np.empty(len(sizes), np.int64)
    windows[order] = _assign(sizes[order].astype(np.int64), room)[0]
    return windows


@kernel
def _assign(sizes, room):  # type: ignore[no-untyped-def]
    """Windows with the same room left are a stack, the last changed on top; a tree over the rooms finds the least that suffices."""
    leaves = 1
    while leaves <= room:
        leaves *= 2
    there = np.zeros(2 * leaves, np.bool_)
    top = np.full(room + 1, -1, np.int64)
    below = np.empty(len(sizes), np.int64)
    windows = np.empty(len(sizes), np.int64)
    count = 0
    for piece in range(len(sizes)):
        left = _least(there, leaves, sizes[piece])
        if left < 0:
            window, left = count, room
            count += 1
        else:
            window = top[left]
            top[left] = below[window]
            if top[left] < 0:
                _set(there, leaves, left, False)
        left -= sizes[piece]
        below[window] = top[left]
        top[left] = window
        _set(there, leaves, left, True)
        windows[piece] = window
    return windows, count


@kernel
def _least(there, leaves, at):  # type: ignore[no-untyped-def]
    """The first leaf from ``at`` on that is there, or -1."""
    node = leaves + at
    while not there[node]:
        while node & 1:  # a right child: go up
            node >>= 1
        if node == 0:
            return -1
        node += 1
    while node < leaves:
        node *= 2
        if not there[node]:
            node += 1
    return node - leaves


@kernel
def _set(there, leaves, at, value):  # type: ignore[no-untyped-def]
    node = leaves + at
    there[node] = value
    while node > 1:
        node >>= 1
        there[node] = there[2 * node] or there[2 * node + 1]
