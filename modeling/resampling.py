"""The bootstrap (Efron 1979) over what was drawn as one: documents, items, prompts with all their votes. The same for the same sizes.

sums = replicates(len(counts)) @ counts          # 1,000 replicates of a sum over prompts
low, high = interval(sums / sums.sum())
ratio_intervals(nats, sizes)                     # of sum(nats) / sum(sizes) over documents, a column at a time
"""

import math
from collections.abc import Iterator

import numpy as np

REPLICATES = 1000
_LEVEL = 0.95
_Z = 1.959964  # the normal quantile of (1 + 0.95) / 2
_BLOCK_WEIGHTS = 1 << 22
FEWEST_UNITS = 5  # two documents of 1.644 and 1.645 bits would say that a language is known to a thousandth
_MOST_UNITS = 20_000  # beyond it neighbours are drawn together: in the order of a hash, a block is a sample like any other


def replicates(groups: int, count: int = REPLICATES) -> np.ndarray:
    """float64 (count, groups): how often each group was drawn in each replicate; always the same for the same sizes.

    PCG64's raw numbers are the same in every version of NumPy; what its Generator makes of them need not be.
    """
    return np.concatenate([np.zeros((0, groups)), *_blocks(groups, count)]) if groups else np.zeros((count, 0))


def ratio_intervals(numerators_UK: np.ndarray, denominators_UK: np.ndarray, count: int = REPLICATES) -> list[list[float] | None]:
    """Units drawn again: for each column k the interval of sum(numerators) / sum(denominators), None where :func:`interval` has none,
    or fewer than five units have a denominator. Rows are units: (units, columns)."""
    units = len(numerators_UK)
    known = (denominators_UK > 0).sum(0)
    if units > _MOST_UNITS:
        cuts = np.arange(_MOST_UNITS) * units // _MOST_UNITS
        numerators_UK, denominators_UK = np.add.reduceat(numerators_UK, cuts), np.add.reduceat(denominators_UK, cuts)
    ratios = []
    for weights in _blocks(len(numerators_UK), count):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append((weights @ numerators_UK) / (weights @ denominators_UK))
    drawn = np.concatenate(ratios) if ratios else np.zeros((0, len(known)))
    found = [interval(drawn[:, at]) if known[at] >= FEWEST_UNITS else None for at in range(len(known))]
    return [None if each is None else list(each) for each in found]


def interval(values: np.ndarray) -> tuple[float, float] | None:
    """The middle 95 % of the replicates (percentile bootstrap); None where fewer than half of them have a value."""
    known = values[np.isfinite(values)]
    if 2 * len(known) < max(1, len(values)):
        return None
    low, high = np.quantile(known, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); trials above 0."""
    share = successes / trials
    middle = share + _Z**2 / (2 * trials)
    half = _Z * math.sqrt(share * (1 - share) / trials + _Z**2 / (4 * trials**2))
    scale = 1 + _Z**2 / trials
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)  # rounding left -0.000 of none


def _blocks(groups: int, count: int) -> Iterator[np.ndarray]:
    """The replicates, some rows at a time."""
    source = np.random.PCG64(groups)
    most = max(1, _BLOCK_WEIGHTS // max(1, groups))
    for first in range(0, count if groups else 0, most):
        mine = min(most, count - first)
        raw = source.random_raw(mine * groups)
        drawn = ((raw >> np.uint64(32)) * np.uint64(groups)) >> np.uint64(32)
        rows = np.repeat(np.arange(mine), groups)
        yield np.bincount(rows * groups + drawn.astype(np.int64), minlength=mine * groups).reshape(mine, groups).astype(np.float64)
