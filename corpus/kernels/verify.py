"""Similarity of signatures: the share of equal hash values, which estimates the Jaccard similarity of the shingles.

joining_pairs(values, threshold=0.7) -> (first, second, similarity)
"""

import numpy as np

from corpus.kernels.compiled import kernel


@kernel
def similarity(one, other):  # type: ignore[no-untyped-def]
    """Two uint32 arrays of shape (permutations,) -> share of equal values; as ``datasketch.MinHash.jaccard``."""
    equal = 0
    for at in range(len(one)):
        equal += one[at] == other[at]
    return equal / len(one)


@kernel
def joining_pairs(values, threshold):  # type: ignore[no-untyped-def]
    """Signatures uint32 (rows, permutations), all pairs compared -> (first, second, similarity), each (pairs,), first < second.

    Of the pairs at or above the threshold: those that join what was apart until then, in order, and for each row its most similar.
    They have the components of all pairs and every row's best similarity, and are fewer than 2 * rows: 200 copies of a text give
    399 pairs instead of 19,900.
    """
    rows = len(values)
    best, best_of, parent = np.zeros(rows), np.full(rows, -1), np.arange(rows)
    first, second, alike = np.empty(2 * rows, np.int64), np.empty(2 * rows, np.int64), np.empty(2 * rows)
    used = 0
    for one in range(rows):
        for other in range(one + 1, rows):
            found = similarity(values[one], values[other])
            if found < threshold:
                continue
            for row, of in ((one, other), (other, one)):
                if found > best[row]:
                    best[row], best_of[row] = found, of
            low, high = _root(parent, one), _root(parent, other)
            if low != high:
                parent[high] = low
                first[used], second[used], alike[used] = one, other, found
                used += 1
    for row in range(rows):
        if best_of[row] >= 0:
            first[used], second[used], alike[used] = min(row, best_of[row]), max(row, best_of[row]), best[row]
            used += 1
    return first[:used], second[:used], alike[:used]


@kernel
def _root(parent, row):  # type: ignore[no-untyped-def]
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@kernel
def join_representatives(values, representatives, count, threshold):  # type: ignore[no-untyped-def]
    """Rows in turn join the first representative that they match, or become one while there is room.

    ``values`` (rows, permutations); ``representatives`` (room, permutations), of which ``count`` are set, is added to. Returns (number
    of the representative or -1, similarity) of each row, and the new count; a row that became one has its own number and similarity -1.
    """
    joined = np.full(len(values), -1, np.int64)
    alike = np.zeros(len(values))
    for row in range(len(values)):
        for number in range(count):
            found = similarity(values[row], representatives[number])
            if found >= threshold:
                joined[row], alike[row] = number, found
                break
        if joined[row] < 0 and count < len(representatives):
            representatives[count] = values[row]
            joined[row], alike[row] = count, -1.0
            count += 1
    return joined, alike, count
