"""The order of the data: which windows the optimizer sees at which step, as a function of (number of windows, seed, step) alone.

No state, no buffer, no rank: a run that was killed, or goes on with another number of processes, sees what it would have seen. Each
epoch is a permutation of its own, computed window by window, so that a trillion tokens need no table. A mixture of sources
(``modeling.mixture``) has such an order for each source, and a pattern that says whose turn it is.

    order = DataOrder(windows=11_000, global_batch=16, seed=0)
    order.windows_of(step=7)                # int64 (16,)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final

import numpy as np
import xxhash

_BLOCK = 1 << 20  # places that are permuted at a time

_ROUNDS = 6  # of a Feistel network: 4 make a pseudo-random permutation (Luby and Rackoff 1988), more cost little
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Order(Protocol):
    """Which windows the optimizer sees at a step."""

    @property
    def global_batch(self) -> int: ...

    def windows_of(self, step: int) -> np.ndarray: ...

    def epochs(self, steps: int) -> float: ...

    def seen(self, steps: int) -> np.ndarray: ...


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
        return at(positions, self.windows, self.seed)

    def epochs(self, steps: int) -> float:
        """How often ``steps`` steps go through the data."""
        return steps * self.global_batch / self.windows

    def seen(self, steps: int) -> np.ndarray:
        """How often each window is seen in the first ``steps`` steps: int64, shape (windows,)."""
        return times(steps * self.global_batch, self.windows, self.seed)


@final
@dataclass(frozen=True)
class Phase:
    """From ``first_step`` on each group has ``weights``, whole numbers, of the places of a pattern that repeats."""

    first_step: int
    weights: tuple[int, ...]

    @cached_property
    def pattern(self) -> np.ndarray:
        """Whose turn it is: int64, shape (sum of weights,). Turn k of group g is due at (k + 1/2) / weight of g; of those due at once the
        first group comes first. So after n places a group with the share s is within 1/2 + s/2 · groups of its n·s turns."""
        groups = np.repeat(np.arange(len(self.weights)), self.weights)
        due = np.concatenate([(2 * np.arange(weight) + 1) / weight for weight in self.weights if weight])  # correctly rounded everywhere
        return groups[np.lexsort((groups, due))]

    @cached_property
    def turns(self) -> np.ndarray:
        """How many turns its group has had in the pattern before each place."""
        turns = np.empty(len(self.pattern), np.int64)
        for group in np.unique(self.pattern):
            mine = self.pattern == group
            turns[mine] = np.arange(mine.sum())
        return turns

    def drawn(self, places: int) -> np.ndarray:
        """How many windows of each group are drawn in the first ``places`` places of the phase: int64, shape (groups,)."""
        rounds, rest = divmod(places, len(self.pattern))
        return rounds * np.array(self.weights, np.int64) + np.bincount(self.pattern[:rest], minlength=len(self.weights))


@final
@dataclass(frozen=True)
class MixedOrder:
    """Groups of windows that are numbered one after another, drawn from by phases; each goes through its own windows epoch after epoch.

    ``names`` and ``counts``: of the groups. A group's order depends on the seed and its name: it stays where another group is added.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    phases: tuple[Phase, ...]
    global_batch: int
    seed: int

    def windows_of(self, step: int) -> np.ndarray:
        """Numbers of the windows of a step (from 0): int64, shape (global_batch,)."""
        number = max(each for each, phase in enumerate(self.phases) if phase.first_step <= step)
        phase = self.phases[number]
        places = np.arange(self.global_batch, dtype=np.int64) + (step - phase.first_step) * self.global_batch
        rounds, rest = np.divmod(places, len(phase.pattern))
        groups = phase.pattern[rest]
        positions = self._before(number)[groups] + rounds * np.array(phase.weights, np.int64)[groups] + phase.turns[rest]
        chosen = np.empty_like(positions)
        for group in np.unique(groups):
            mine = groups == group
            chosen[mine] = self._firsts[group] + at(positions[mine], self.counts[group], self._seed_of(int(group)))
        return chosen

    def drawn(self, steps: int) -> np.ndarray:
        """How many windows of each group the first ``steps`` steps draw: int64, shape (groups,)."""
        number = max(each for each, phase in enumerate(self.phases) if phase.first_step <= steps)
        return self._before(number) + self.phases[number].drawn((steps - self.phases[number].first_step) * self.global_batch)

    def epochs(self, steps: int) -> float:
        """How often ``steps`` steps go through the windows, on average."""
        return steps * self.global_batch / sum(self.counts)

    def epochs_by_group(self, steps: int) -> dict[str, float]:
        """How often they go through those of each group; a group without a window has none."""
        drawn = self.drawn(steps).tolist()
        return {name: number / max(1, count) for name, number, count in zip(self.names, drawn, self.counts, strict=True)}

    def seen(self, steps: int) -> np.ndarray:
        """How often each window is seen in the first ``steps`` steps: int64, shape (windows of all groups,)."""
        drawn = self.drawn(steps).tolist()
        return np.concatenate([times(drawn[group], count, self._seed_of(group)) for group, count in enumerate(self.counts)])

    def _before(self, number: int) -> np.ndarray:
        """Windows of each group drawn in the phases before this one."""
        drawn = np.zeros(len(self.counts), np.int64)
        for phase, following in zip(self.phases[:number], self.phases[1:], strict=False):
            drawn += phase.drawn((following.first_step - phase.first_step) * self.global_batch)
        return drawn

    @cached_property
    def _firsts(self) -> np.ndarray:
        return np.cumsum([0, *self.counts])

    def _seed_of(self, group: int) -> int:
        return self.seed ^ xxhash.xxh3_64_intdigest(self.names[group].encode())


def at(positions: np.ndarray, size: int, seed: int) -> np.ndarray:
    """What stands at these positions of an order that goes through range(size) epoch after epoch: int64, the same shape."""
    epochs, places = np.divmod(positions, size)
    chosen = np.empty_like(positions)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        chosen[here] = permuted(places[here], size, seed=seed, epoch=int(epoch))
    return chosen


def times(positions: int, size: int, seed: int) -> np.ndarray:
    """How often each of range(size) stands in the first ``positions`` of that order: int64, shape (size,)."""
    epochs, rest = divmod(positions, size) if size else (0, 0)
    counted = np.full(size, epochs, np.int64)
    for places in _blocks(rest):
        counted[permuted(places, size, seed=seed, epoch=epochs)] += 1
    return counted


def _blocks(stop: int) -> Iterator[np.ndarray]:
    for first in range(0, stop, _BLOCK):
        yield np.arange(first, min(stop, first + _BLOCK))


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
