"""How often runs of n characters or words come again in a text, and how much of it is no letter: ROOTS' measures.

    recurrence(text, words, characters=10, words_in_turn=10) -> shares (of frequent runs of characters, …)

Runs are equal where 64 bits of their hash are. The plain definitions stand in ``tests/corpus/kernels/test_recurrence.py``.
"""

import math

import numpy as np
import pyarrow as pa

from corpus.kernels.characters import LETTER, MARK, UNIT, tables
from corpus.kernels.compiled import kernel
from corpus.kernels.repetition import characters_of, hash_bytes
from corpus.kernels.text import buffers, decode


def recurrence(text: pa.Array, words: pa.ListArray, characters: int, words_in_turn: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Strings and their words (rows,) -> three float64 arrays (rows,), NaN for null and 0 for a text that is shorter than a run.

    The first: of the d different runs of characters those that stand more than once, the most frequent first, but no more than the
    square root of d; their places over all places. The second: places of word runs that stand more than once, over all places. The
    third: code points that are neither letter nor mark, over all.
    """
    data, offsets, valid = buffers(text)
    spans = words.values.to_numpy(zero_copy_only=False).astype(np.int32) if len(words.values) else np.zeros(0, np.int32)
    measured = _measure(data, offsets, valid, spans, words.offsets.to_numpy().astype(np.int64), tables()[0], characters, words_in_turn)
    first, second, third = (np.ascontiguousarray(measured[:, at]) for at in range(3))
    return first, second, third


@kernel
def _measure(data, offsets, valid, spans, ends, classes, characters, words_in_turn):  # type: ignore[no-untyped-def]
    result = np.full((len(valid), 3), np.nan)
    for row in range(len(valid)):
        if not valid[row]:
            continue
        start, end = offsets[row], offsets[row + 1]
        codes = np.empty(characters_of(data, start, end), np.uint64)
        at, special = start, 0
        for place in range(len(codes)):
            code, at = decode(data, at, end)
            special += classes[code] != LETTER and classes[code] != MARK and classes[code] != UNIT
            codes[place] = np.uint64(code + 1)
        result[row, 2] = special / max(1, len(codes))
        counts, different = _counts(codes, characters)
        places = max(1, len(codes) - characters + 1)
        ordered = np.sort(counts)[::-1]
        result[row, 0] = ordered[: int(math.sqrt(different))].sum() / places
        first, last = ends[row], ends[row + 1]
        keys = np.empty((last - first) // 2, np.uint64)
        for word in range(len(keys)):
            keys[word] = hash_bytes(data, start + spans[first + 2 * word], start + spans[first + 2 * word + 1])
        result[row, 1] = _counts(keys, words_in_turn)[0].sum() / max(1, len(keys) - words_in_turn + 1)
    return result


@kernel
def _counts(keys, n):  # type: ignore[no-untyped-def]
    """(how often each run of n keys stands that stands more than once, how many different runs there are)."""
    runs = len(keys) - n + 1
    if runs < 1:
        return np.zeros(0, np.int64), 0
    size = 16
    while size < 2 * runs:
        size *= 2
    table, times = np.empty(size, np.uint64), np.zeros(size, np.int64)
    base, power, rolling = np.uint64(0x9E3779B97F4A7C15), np.uint64(1), np.uint64(0)
    for at in range(n):
        rolling = np.uint64(rolling * base + keys[at])
        power = np.uint64(power * base)
    different, repeated = 0, 0
    for at in range(runs):
        if at:
            rolling = np.uint64(rolling * base + keys[at + n - 1] - power * keys[at - 1])
        key = np.uint64((rolling ^ (rolling >> np.uint64(32))) * np.uint64(0xC4CEB9FE1A85EC53))
        key = np.uint64(key ^ (key >> np.uint64(29)))
        slot = np.int64(key & np.uint64(size - 1))
        while times[slot] and table[slot] != key:
            slot = (slot + 1) & (size - 1)
        table[slot] = key
        times[slot] += 1
        different += times[slot] == 1
        repeated += times[slot] == 2
    counts = np.empty(repeated, np.int64)
    used = 0
    for slot in range(size):
        if times[slot] > 1:
            counts[used] = times[slot]
            used += 1
    return counts, different
