"""Embeddings as vectors of whole numbers, so that what is decided by them is the same on every machine.

A unit vector's coordinates are kept in steps of 1/32,767 (int16): sums of products are exact whatever their order, where floats' depend on
the processor's width. An angle moves by less than 0.0006 with 384 coordinates, the square root of whose sum of errors is below 0.0003.

    whole = quantized(embed(texts))
    centres = k_means(whole, clusters=100)
"""

import numpy as np

from corpus.kernels.compiled import kernel

ONE = 32_767  # the length of a vector


def quantized(vectors: np.ndarray) -> np.ndarray:
    """Floats of shape (rows, width) -> int16 of the same shape, each row of length ONE; zeros for a row of zeros or without numbers."""
    return _quantized(np.ascontiguousarray(vectors, np.float64))


def k_means(vectors: np.ndarray, clusters: int, rounds: int = 10) -> np.ndarray:
    """Spherical k-means (Dhillon and Modha 2001): int16 (rows, width) -> centres, int16 (at most clusters, width).

    It begins with the first different rows: give them in an order that means nothing. A centre that nothing is nearest to stays.
    """
    _, first = np.unique(vectors, axis=0, return_index=True)
    centres = vectors[np.sort(first)[:clusters]]
    for _ in range(rounds):
        moved = _quantized(_sums(vectors, nearest(vectors, centres), centres).astype(np.float64))
        if (moved == centres).all():
            break
        centres = moved
    return centres


@kernel
def nearest(vectors, centres):  # type: ignore[no-untyped-def]
    """Of each row the centre with the largest product, the first of equals: int64 (rows,)."""
    found = np.zeros(len(vectors), np.int64)
    for row in range(len(vectors)):
        most = np.int64(-(2**62))
        for number in range(len(centres)):
            product = _product(vectors[row], centres[number])
            if product > most:
                most, found[row] = product, number
    return found


@kernel
def lead(vectors, known, threshold):  # type: ignore[no-untyped-def]
    """Rows in their order, the first ``known`` leaders already -> (of each row its leader, or -1 if it leads; similarity; rows that lead).

    A row follows the leader that it is most alike, the first of equals, if their cosine is at least the threshold; otherwise it leads.
    """
    rows = len(vectors)
    leader, similarity = np.full(rows, -1, np.int64), np.zeros(rows, np.float64)
    leaders, lengths = np.empty(rows, np.int64), np.empty(rows, np.float64)
    count = 0
    for row in range(rows):
        length = np.sqrt(np.float64(_product(vectors[row], vectors[row])))
        if row >= known:
            for number in range(count):
                cosine = _product(vectors[row], vectors[leaders[number]]) / (length * lengths[number])
                if cosine >= threshold and cosine > similarity[row]:
                    leader[row], similarity[row] = leaders[number], cosine
        if leader[row] < 0:
            leaders[count], lengths[count] = row, length
            count += 1
    return leader, similarity, leaders[:count]


@kernel
def _product(one, other):  # type: ignore[no-untyped-def]
    total = np.int64(0)
    for at in range(len(one)):
        total += np.int64(one[at]) * np.int64(other[at])
    return total


@kernel
def _quantized(vectors):  # type: ignore[no-untyped-def]
    whole = np.zeros(vectors.shape, np.int16)
    for row in range(vectors.shape[0]):
        length = 0.0
        for at in range(vectors.shape[1]):
            length += vectors[row, at] * vectors[row, at]
        length = np.sqrt(length)
        if length > 0 and np.isfinite(length):
            for at in range(vectors.shape[1]):
                whole[row, at] = np.int16(np.rint(vectors[row, at] / length * ONE))
    return whole


@kernel
def _sums(vectors, of, centres):  # type: ignore[no-untyped-def]
    """The sum of each centre's rows; the centre itself where it has none."""
    sums, rows = np.zeros(centres.shape, np.int64), np.zeros(len(centres), np.int64)
    for row in range(len(vectors)):
        rows[of[row]] += 1
        for at in range(vectors.shape[1]):
            sums[of[row], at] += vectors[row, at]
    for number in range(len(centres)):
        if rows[number] == 0:
            for at in range(vectors.shape[1]):
                sums[number, at] = centres[number, at]
    return sums
