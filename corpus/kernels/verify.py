"""Similarity of two documents, and which pairs of a bucket join it: by signatures, or by the shingles themselves.

Rows are ragged: ``values[starts[row]:starts[row + 1]]`` is a row. By signature, all have one length, and the share of equal values
estimates the Jaccard similarity; by set (``by_sets``), a row has its shingles' hashes in order, each once, and the similarity is exact.

joining_pairs(values, starts, by_sets=False, threshold=0.7) -> (first, second, similarity)
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
def jaccard(one, other):  # type: ignore[no-untyped-def]
    """Two ascending uint32 arrays without repetition -> shared values / all values; 0 where both are empty."""
    first, second, shared = 0, 0, 0
    while first < len(one) and second < len(other):
        shared += one[first] == other[second]
        lesser, greater = one[first] <= other[second], one[first] >= other[second]
        first += lesser
        second += greater
    return shared / max(1, len(one) + len(other) - shared)


@kernel
def alike(values, starts, one, other, by_sets):  # type: ignore[no-untyped-def]
    """The similarity of two rows."""
    first, second = values[starts[one] : starts[one + 1]], values[starts[other] : starts[other + 1]]
    return jaccard(first, second) if by_sets else similarity(first, second)


@kernel
def joining_pairs(values, starts, by_sets, threshold):  # type: ignore[no-untyped-def]
    """All pairs of rows compared -> (first, second, similarity), each (pairs,), first < second.

    Of the pairs at or above the threshold: those that join what was apart until then, in order, and for each row its most similar.
    They have the components of all pairs and every row's best similarity, and are fewer than 2 * rows: 200 copies of a text give
    399 pairs instead of 19,900.
    """
    rows = len(starts) - 1
    best, best_of, parent = np.zeros(rows), np.full(rows, -1), np.arange(rows)
    first, second, shares = np.empty(2 * rows, np.int64), np.empty(2 * rows, np.int64), np.empty(2 * rows)
    used = 0
    for one in range(rows):
        for other in range(one + 1, rows):
            found = alike(values, starts, one, other, by_sets)
            if found < threshold:
                continue
            for row, of in ((one, other), (other, one)):
                if found > best[row]:
                    best[row], best_of[row] = found, of
            low, high = _root(parent, one), _root(parent, other)
            if low != high:
                parent[high] = low
                first[used], second[used], shares[used] = one, other, found
                used += 1
    for row in range(rows):
        if best_of[row] >= 0:
            first[used], second[used], shares[used] = min(row, best_of[row]), max(row, best_of[row]), best[row]
            used += 1
    return first[:used], second[:used], shares[:used]


@kernel
def _root(parent, row):  # type: ignore[no-untyped-def]
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@kernel
def join_representatives(values, starts, count, room, by_sets, threshold):  # type: ignore[no-untyped-def]
    """Rows in turn join the first representative that they match, or become one while there is room.

    The first ``count`` rows are the representatives there are. Returns (number of the representative or -1, similarity) of each of the
    other rows, and the rows that are representatives now; a row that became one has its own number and similarity -1.
    """
    rows = len(starts) - 1
    chosen = np.zeros(max(room, count), np.int64)
    chosen[:count] = np.arange(count)
    joined = np.full(rows - count, -1, np.int64)
    shares = np.zeros(rows - count)
    for at in range(len(joined)):
        row = at + len(starts) - 1 - len(joined)
        for number in range(count):
            found = alike(values, starts, row, chosen[number], by_sets)
            if found >= threshold:
                joined[at], shares[at] = number, found
                break
        if joined[at] < 0 and count < room:
            chosen[count] = row
            joined[at], shares[at] = count, -1.0
            count += 1
    return joined, shares, chosen[:count]
