"""Boosted symmetric trees over columns of features: on each level one question for all rows, so that no row takes a branch of its own.

probabilities = predict(features, forest.feature, forest.threshold, forest.leaf)
"""

import numpy as np

from corpus.kernels.compiled import kernel, lean_kernel


@kernel
def predict(features, feature, threshold, leaf):  # type: ignore[no-untyped-def]
    """float32 (rows, features), column after column -> probability of the positive class, float64 (rows,).

    ``feature``, ``threshold``: (trees, levels); ``leaf``: (trees, 2^levels). A row's leaf has bit ``level`` set where its feature is above
    the threshold.
    """
    rows = len(features)
    total, place = np.zeros(rows, np.float64), np.zeros(rows, np.int32)
    _sum(features, feature, threshold, leaf, place, total)
    for row in range(rows):
        total[row] = logistic(total[row])
    return total


@lean_kernel
def _sum(features, feature, threshold, leaf, place, total):  # type: ignore[no-untyped-def]
    rows = len(total)
    for tree in range(len(feature)):
        place[:] = 0
        for level in range(feature.shape[1]):
            column, bar, bit = features[:, feature[tree, level]], threshold[tree, level], np.int32(1 << level)
            for row in range(rows):
                place[row] |= bit if column[row] > bar else np.int32(0)
        for row in range(rows):
            total[row] += leaf[tree, place[row]]


@lean_kernel
def logistic(margin):  # type: ignore[no-untyped-def]
    """1 / (1 + exp(-margin)) to eleven digits by additions and products alone: the exp of two machines may differ in the last bit."""
    part = max(-40.0, min(40.0, -margin)) / 1024.0
    power = 1.0 + part * (1.0 + part / 2 * (1.0 + part / 3 * (1.0 + part / 4 * (1.0 + part / 5 * (1.0 + part / 6)))))
    for _ in range(10):
        power *= power
    return 1.0 / (1.0 + power)
