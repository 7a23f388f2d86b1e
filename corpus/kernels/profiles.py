"""Sequences of one to four characters, hashed, and what they say together for each of many languages.

Letters in lower case; what stands between words is one space, and a text begins and ends with one: ``der `` is a sequence, ``e1r`` none.

    buckets, starts = sequences(pa.array(["Der Hund"]), bits=15)
    evidence = sums(buckets, starts, weights)     # int8 (2**bits, languages) -> int64 (rows, languages)
"""

import numpy as np
import pyarrow as pa

from corpus.kernels.characters import LETTER, MARK, UNIT, tables
from corpus.kernels.compiled import kernel
from corpus.kernels.ngrams import lower_case, mix
from corpus.kernels.text import buffers, decode

LONGEST = 4


def sequences(text: pa.Array, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Strings (rows,) -> the bucket of each sequence int32 (sequences,), and where each row's begin int64 (rows + 1,)."""
    data, offsets, valid = buffers(text)
    return _sequences(data, offsets, valid, tables()[0], lower_case(), np.uint64(64 - bits))


def sums(buckets: np.ndarray, starts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weights of each row's sequences added up: int64 (rows, languages)."""
    return _sums(buckets, starts, weights)


@kernel
def _sequences(data, offsets, valid, classes, lowered, shift):  # type: ignore[no-untyped-def]
    rows = len(valid)
    found = np.empty(LONGEST * (offsets[rows] - offsets[0] + 2 * rows), np.int32)
    starts = np.zeros(rows + 1, np.int64)
    used = 0
    last = np.zeros(LONGEST, np.int64)  # characters before, the nearest first
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        seen = 0
        if valid[row]:
            while at <= end:
                code = np.int64(32)
                if at < end:
                    code, at = decode(data, at, end)
                    kind = classes[code]
                    if kind != LETTER and kind != UNIT and kind != MARK:
                        code = np.int64(32)
                    elif code < len(lowered):
                        code = np.int64(lowered[code])
                else:
                    at = end + 1
                if seen == 0 and code != 32:  # the space before the text
                    last[0] = 32
                    seen = 1
                if code == 32 and (seen == 0 or last[0] == 32):
                    continue
                for back in range(LONGEST - 1, 0, -1):
                    last[back] = last[back - 1]
                last[0] = code
                seen += 1
                key = np.uint64(14695981039346656037)
                for length in range(min(LONGEST, seen)):
                    key = np.uint64(np.uint64(key ^ np.uint64(last[length])) * np.uint64(1099511628211))
                    found[used] = np.int32(mix(key) >> shift)
                    used += 1
        starts[row + 1] = used
    return found[:used], starts


@kernel
def _sums(buckets, starts, weights):  # type: ignore[no-untyped-def]
    found = np.zeros((len(starts) - 1, weights.shape[1]), np.int64)
    for row in range(len(starts) - 1):
        for at in range(starts[row], starts[row + 1]):
            for language in range(weights.shape[1]):
                found[row, language] += weights[buckets[at], language]
    return found
