"""The order of the data: which windows the optimizer sees at which step, as a function of (number of windows, seed, step) alone.

No state, no buffer, no rank: a run that was killed, or goes on with another number of processes, sees what it would have seen. Each
epoch is a permutation of its own, computed window by window, so that a trillion tokens need no table.

    order = DataOrder(windows=11_000, global_batch=16, seed=0)
    order.windows_of(step=7)                # int64 (16,)
"""

from dataclasses import dataclass
from typing import final

import numpy as np

_ROUNDS = 6  # of a Feistel network: 4 make a pseudo-random permutation (Luby and Rackoff 1988), more cost little
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@final
@dataclass(frozen=True)
class DataOrder:
    """Positions in the order run on through the epochs: step s sees the positions s·B to (s + 1)·B - 1."""

    windows: int
    global_batch: int
    seed: int

    def windows_of(self, step: int) -> np.ndarray:
        """Numbers of the windows of a step (from 0): int64, shape (global_batch,). None repeats within an epoch."""
        positions = np.arange(step * self.global_batch, (step + 1) * self.global_batch, dtype=np.int64)
        epochs, places = np.divmod(positions, self.windows)
        chosen = np.empty_like(positions)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            chosen[here] = permuted(places[here], self.windows, seed=self.seed, epoch=int(epoch))
        return chosen

    def epochs(self, steps: int) -> float:
        """How often ``steps`` steps go through the data."""
        return steps * self.global_batch / self.windows


def permuted(places: np.ndarray, size: int, *, seed: int, epoch: int) -> np.ndarray:
    """A permutation of range(size), at ``places``: int64 -> int64, the same shape.

    A balanced Feistel network over the next even number of bits, walked until it falls below ``size`` (at most 4 times the size, so
    4 rounds of it on average at the worst).
    """
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    low = np.uint64((1 << int(half)) - 1)
    keys = _mixed(np.arange(_ROUNDS, dtype=np.uint64) + _mixed(np.array([seed], np.uint64)) + np.array([epoch], np.uint64) * _GOLDEN)
    values = places.astype(np.uint64)
    walking = np.ones(values.shape, bool)
    while walking.any():
        left, right = values[walking] >> half, values[walking] & low
        for key in keys:
            left, right = right, left ^ (_mixed(right + key) & low)
        values[walking] = (left << half) | right
        walking = values >= size
    return values.astype(np.int64)


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele et al. 2014): uint64 -> uint64, wrapping."""
    values = values + _GOLDEN
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
