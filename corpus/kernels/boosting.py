"""Fits boosted symmetric trees to weighted rows: all nodes of a level ask the same question, so that ``forest`` needs no branches.

    questions, answers, leaves = fit(bins, labels, weights, trees, depth, rate, ridge, share_of_rows, share_of_features, seed)

Newton steps of the logistic loss over histograms, as in XGBoost (Chen and Guestrin, arXiv 1603.02754); trees of CatBoost's shape; of the
rows a sample in which large gradients are sure to be (Ibragimov and Gusev, arXiv 1910.13204). Chance comes from hashes of the seed alone.
"""

import numpy as np

from corpus.kernels.compiled import kernel
from corpus.kernels.forest import logistic

BINS = 64  # of a feature; a level of five before it makes 32 x 64 sums, which the first cache holds


@kernel
def chance(seed, tree, number):  # type: ignore[no-untyped-def]
    """A fraction in [0, 1) by splitmix64."""
    value = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(tree) * np.uint64(0xD1B54A32D192ED03) + np.uint64(number)
    value *= np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((value ^ (value >> np.uint64(31))) >> np.uint64(11)) / 9007199254740992.0


@kernel
def _sample(slopes, share, seed, tree):  # type: ignore[no-untyped-def]
    """(rows, what each counts): a row is drawn by the size of its gradient, and counts the more the less likely it was."""
    low, high = 0.0, np.abs(slopes).max() + 1e-12
    low_enough = share * len(slopes)
    for _ in range(40):
        middle, expected = (low + high) / 2, 0.0
        for row in range(len(slopes)):
            expected += min(1.0, abs(slopes[row]) / middle)
        if expected > low_enough:
            low = middle
        else:
            high = middle
    rows, counts = np.empty(len(slopes), np.int64), np.empty(len(slopes), np.float64)
    used = 0
    for row in range(len(slopes)):
        likely = min(1.0, abs(slopes[row]) / high)
        if chance(seed, tree, row) < likely:
            rows[used], counts[used] = row, 1.0 / likely
            used += 1
    return rows[:used], counts[:used]


@kernel
def _best_question(sums, leaves, ridge):  # type: ignore[no-untyped-def]
    """(gain, bin): rows of bins above it go right in every leaf. ``sums``: (leaves, BINS, 2) slopes and curvatures."""
    gains = np.zeros(BINS)
    for leaf in range(leaves):
        slope = curve = 0.0
        for at in range(BINS):
            slope += sums[leaf, at, 0]
            curve += sums[leaf, at, 1]
        left_slope = left_curve = 0.0
        whole = slope * slope / (curve + ridge)
        for at in range(BINS - 1):
            left_slope += sums[leaf, at, 0]
            left_curve += sums[leaf, at, 1]
            right = slope - left_slope
            gains[at] += left_slope * left_slope / (left_curve + ridge) + right * right / (max(0.0, curve - left_curve) + ridge) - whole
    best = 0
    for at in range(BINS - 1):
        if gains[at] > gains[best]:
            best = at
    return gains[best], best


@kernel
def _grow(bins, slopes, curves, rows, counts, allowed, depth, ridge):  # type: ignore[no-untyped-def]
    """The questions of one tree, level by level: (features, bins)."""
    features, answers = np.zeros(depth, np.int64), np.zeros(depth, np.int64)
    used = len(rows)
    leaf = np.zeros(used, np.int64)
    slope, curve = np.empty(used), np.empty(used)
    for at in range(used):
        slope[at], curve[at] = slopes[rows[at]] * counts[at], curves[rows[at]] * counts[at]
    sums = np.zeros((1 << max(0, depth - 1), BINS, 2))
    for level in range(depth):
        leaves = 1 << level
        best = -1.0
        for feature in allowed:
            sums[:leaves] = 0
            column = bins[feature]
            for at in range(used):
                to = sums[leaf[at], column[rows[at]]]
                to[0] += slope[at]
                to[1] += curve[at]
            gain, answer = _best_question(sums, leaves, ridge)
            if gain > best:
                best, features[level], answers[level] = gain, feature, answer
        column = bins[features[level]]
        for at in range(used):
            if column[rows[at]] > answers[level]:
                leaf[at] |= leaves
    return features, answers


@kernel
def fit(bins, labels, weights, trees, depth, rate, ridge, share_of_rows, share_of_features, seed):  # type: ignore[no-untyped-def]
    """``bins``: uint8 (features, rows). Returns features and bins asked for, int64 (trees, depth), and leaves float64 (trees, 2^depth).

    The leaf of a row has bit ``level`` set where its bin is above the level's.
    """
    count = len(labels)
    features, answers = np.zeros((trees, depth), np.int64), np.zeros((trees, depth), np.int64)
    leaves = np.zeros((trees, 1 << depth))
    margins, slopes, curves = np.zeros(count), np.zeros(count), np.zeros(count)
    leaf = np.zeros(count, np.int64)
    for tree in range(trees):
        for row in range(count):
            probability = logistic(margins[row])
            slopes[row] = weights[row] * (probability - labels[row])
            curves[row] = weights[row] * probability * (1.0 - probability)
        rows, counts = _sample(slopes, share_of_rows, seed, tree)
        allowed = np.array([at for at in range(len(bins)) if chance(seed + 1000, tree, at) < share_of_features])
        features[tree], answers[tree] = _grow(bins, slopes, curves, rows, counts, allowed, depth, ridge)
        leaf[:] = 0
        for level in range(depth):
            column = bins[features[tree, level]]
            for row in range(count):
                if column[row] > answers[tree, level]:
                    leaf[row] |= 1 << level
        slope, curve = np.zeros(1 << depth), np.zeros(1 << depth)
        for row in range(count):
            slope[leaf[row]] += slopes[row]
            curve[leaf[row]] += curves[row]
        for at in range(1 << depth):
            leaves[tree, at] = -rate * slope[at] / (curve[at] + ridge)
        for row in range(count):
            margins[row] += leaves[tree, leaf[row]]
    return features, answers, leaves
