"""The bootstrap over prompts: votes on one prompt go together, so whole prompts are drawn again, with replacement (Efron 1979).

sums = replicates(len(counts)) @ counts          # 1,000 replicates of a sum over prompts
low, high = interval(sums / sums.sum())
"""

import math

import numpy as np

REPLICATES = 1000
_LEVEL = 0.95
_Z = 1.959964  # the normal quantile of (1 + 0.95) / 2


def replicates(groups: int, count: int = REPLICATES) -> np.ndarray:
    """float64 (count, groups): how often each group was drawn in each replicate; always the same for the same sizes.

    PCG64's raw numbers are the same in every version of NumPy; what its Generator makes of them need not be.
    """
    raw = np.random.PCG64(groups).random_raw(count * groups)
    drawn = ((raw >> np.uint64(32)) * np.uint64(groups)) >> np.uint64(32)
    rows = np.repeat(np.arange(count), groups)
    return np.bincount(rows * groups + drawn.astype(np.int64), minlength=count * groups).reshape(count, groups).astype(np.float64)


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
    return (middle - half) / scale, (middle + half) / scale
