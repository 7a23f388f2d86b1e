"""Boosted trees over a matrix of features: the sum of the leaves that each row falls into, tree by tree so that a tree stays in cache.

probabilities = predict(features, forest.feature, forest.threshold, forest.left, forest.leaf, forest.roots)
"""

import numpy as np

from corpus.kernels.compiled import kernel


@kernel
def predict(features, feature, threshold, left, right, leaf, roots):  # type: ignore[no-untyped-def]
    """float32 (rows, features) -> probability of the positive class, float64 (rows,).

    A node sends a row left where its feature is at most the threshold. Children at or above 0 are nodes; below, ``leaf[-1 - child]``.
    ``roots``: the first child of each tree, by the same rule.
    """
    rows = len(features)
    total = np.zeros(rows, np.float64)
    for tree in range(len(roots)):
        root = roots[tree]
        for row in range(rows):
            node = root
            while node >= 0:
                node = left[node] if features[row, feature[node]] <= threshold[node] else right[node]
            total[row] += leaf[-1 - node]
    for row in range(rows):
        total[row] = 1.0 / (1.0 + np.exp(-total[row]))
    return total
