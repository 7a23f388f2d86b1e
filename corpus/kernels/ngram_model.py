"""What an n-gram model asks of a text, as loops over hashes: its sentences, their n-grams, and the probability of each word.

A sentence is a line: it begins with START, which is never predicted, and ends with END, which is. An n-gram's key is a hash of its words
from the last to the first, so that the key of its ending is met on the way to it.

    tokens, starts = sentences(text, words)
    total, predicted = log_probabilities(tokens, starts, model.order, model.table, model.logs, model.backoffs, model.unknown)
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa

from corpus.kernels.characters import DIGIT, tables
from corpus.kernels.compiled import kernel
from corpus.kernels.ngrams import Table, lower_case, mix, word_hashes
from corpus.kernels.text import buffers

START, END = np.uint64(1), np.uint64(2)
_BASE = np.uint64(0x9E3779B97F4A7C15)


@lru_cache(maxsize=1)
def folding() -> np.ndarray:
    """Code point -> lower case, and 0 for every digit: that a number stands there tells of the text, which one it is does not."""
    folded = lower_case().copy()
    folded[np.flatnonzero(tables()[0][: len(folded)] == DIGIT)] = ord("0")
    return folded


def sentences(text: pa.Array, words: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
    """Strings and their words (rows,) -> hashes of all tokens uint64 (tokens,), and where each row's begin int64 (rows + 1,)."""
    data, offsets, _ = buffers(text)
    hashes, ends = word_hashes(text, words, folding())
    spans = words.flatten().to_numpy(zero_copy_only=False).astype(np.int32)
    return _sentences(data, offsets, spans, ends, hashes)


def grams(tokens: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All n-grams of a length within sentences -> keys, keys of all but the last word, keys of all but the first (uint64, 0 for none),
    and whether they begin with START (bool), each (grams,).
    """
    found = _grams(tokens, length)
    return found[0], found[1], found[2], found[3].astype(bool)


def log_probabilities(
    tokens: np.ndarray, starts: np.ndarray, order: int, table: Table, logs: np.ndarray, backoffs: np.ndarray, unknown: float
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of rows -> the sum of log10 probabilities float64 (rows,), and of how many tokens int64 (rows,).

    ``logs``, ``backoffs``: of the n-grams of the table, float32; ``unknown``: log10 of the probability of a word that is not in it.
    """
    return _log_probabilities(tokens, starts, order, table.hashes, table.starts, table.shift, logs, backoffs, unknown)


@kernel
def _sentences(data, offsets, spans, ends, hashes):  # type: ignore[no-untyped-def]
    rows = len(ends) - 1
    tokens = np.empty(3 * len(hashes), np.uint64)  # at most each word is a line
    starts = np.zeros(rows + 1, np.int64)
    used = 0
    for row in range(rows):
        base = offsets[row]
        for word in range(ends[row], ends[row + 1]):
            opens = word == ends[row]
            if not opens:
                for at in range(base + spans[2 * word - 1], base + spans[2 * word]):
                    if data[at] == 10:
                        opens = True
                        tokens[used] = END
                        used += 1
                        break
            if opens:
                tokens[used] = START
                used += 1
            tokens[used] = hashes[word]
            used += 1
        if ends[row + 1] > ends[row]:
            tokens[used] = END
            used += 1
        starts[row + 1] = used
    return tokens[:used], starts


@kernel
def _longer(key, older):  # type: ignore[no-untyped-def]
    """The key of an n-gram with one word more before it."""
    return mix(np.uint64(np.uint64(key * _BASE) + older))


@kernel
def _grams(tokens, length):  # type: ignore[no-untyped-def]
    found = np.empty((4, len(tokens)), np.uint64)
    used, position = 0, 0
    for at in range(len(tokens)):
        position = 0 if tokens[at] == START else position + 1
        if position < length - 1:
            continue
        key, context, suffix = tokens[at], np.uint64(0), np.uint64(0)
        for back in range(1, length):
            suffix = key
            key = _longer(key, tokens[at - back])
            context = tokens[at - 1] if back == 1 else _longer(context, tokens[at - back])
        found[0, used], found[1, used], found[2, used] = key, context, suffix
        found[3, used] = np.uint64(1) if position == length - 1 else np.uint64(0)
        used += 1
    return found[:, :used]


@kernel
def _log_probabilities(tokens, starts, order, keys, buckets, shift, logs, backoffs, unknown):  # type: ignore[no-untyped-def]
    rows = len(starts) - 1
    totals, predicted = np.zeros(rows), np.zeros(rows, np.int64)
    held, fresh = np.zeros(order + 1), np.zeros(order + 1)  # by length: back-off weights of what ends at the word before, and at this one
    for row in range(rows):
        position = 0
        for at in range(starts[row], starts[row + 1]):
            position = 0 if tokens[at] == START else position + 1
            key, best, log = tokens[at], 0, unknown
            fresh[:] = 0.0
            for length in range(1, min(order, position + 1) + 1):
                if length > 1:
                    key = _longer(key, tokens[at - length + 1])
                place = np.int64(key >> np.uint64(shift))
                number, end = buckets[place], buckets[place + 1]
                while number < end and keys[number] != key:
                    number += 1
                if number == end:
                    break
                best, log = length, np.float64(logs[number])
                fresh[length] = np.float64(backoffs[number])
            if position > 0:
                for length in range(max(best, 1), min(order - 1, position) + 1):
                    log += held[length]
                totals[row] += log
                predicted[row] += 1
            held, fresh = fresh, held
    return totals, predicted
