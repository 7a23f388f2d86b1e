"""Runs of words, looked up in a table of known runs: one look a word and length, whatever the length of the run.

A word's hash is over its code points in lower case; a run's is a polynomial of its words' hashes (Rabin and Karp), so that prefix sums
give every run of every length. 64 bits: among 1e6 known runs, 1e12 unknown ones meet one by chance with probability 0.05.

    hashes, ends = word_hashes(text, words)
    found = find(hashes, ends, Table.of(run_hashes(hashes, 0, 20, 13), (13,)))
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self, final

import numpy as np
import pyarrow as pa

from corpus.kernels.compiled import kernel
from corpus.kernels.text import buffers, decode

_BASE = np.uint64(0x9E3779B97F4A7C15)
_CASED = 0x1E944  # no code point from here on has a case


@lru_cache(maxsize=1)
def lower_case() -> np.ndarray:
    """Code point -> its lower-case form where that is one code point, else itself; int32 of shape (_CASED,)."""
    lowered = (chr(code).lower() for code in range(_CASED))
    return np.array([ord(each) if len(each) == 1 else code for code, each in enumerate(lowered)], np.int32)


@final
@dataclass(frozen=True)
class Table:
    """Hashes of known runs, sorted, each once; ``starts``: where those begin that share their leading bits, about one each."""

    hashes: np.ndarray  # uint64 (runs,)
    starts: np.ndarray  # int64 (2**bits + 1,)
    shift: int
    lengths: np.ndarray  # int64: of the runs, ascending, in words

    @classmethod
    def of(cls, hashes: np.ndarray, lengths: tuple[int, ...]) -> Self:
        known = np.unique(hashes.astype(np.uint64))
        bits = max(1, int(len(known)).bit_length())
        bounds = np.arange(2**bits, dtype=np.uint64) << np.uint64(64 - bits)
        starts = np.append(np.searchsorted(known, bounds), len(known)).astype(np.int64)
        return cls(known, starts, 64 - bits, np.array(sorted(set(lengths)), np.int64))


def word_hashes(text: pa.Array, words: pa.ListArray, fold: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Strings and their words (rows,) -> hash of each word uint64 (words,), and where each row's begin int64 (rows + 1,).

    ``fold``: what stands for each code point, int32, in place of its lower case.
    """
    data, offsets, _ = buffers(text)
    spans = words.values.to_numpy(zero_copy_only=False) if len(words.values) else np.zeros(0, np.int32)
    ends = words.offsets.to_numpy().astype(np.int64)
    folded = lower_case() if fold is None else fold
    return _word_hashes(data, offsets, spans.astype(np.int32), ends, folded), (ends - ends[0]) // 2


def run_hashes(hashes: np.ndarray, start: int, end: int, length: int) -> np.ndarray:
    """Hashes of all runs of ``length`` words among the words ``start`` to ``end``, uint64 (runs,)."""
    return _run_hashes(hashes[start:end], length)


def find(hashes: np.ndarray, ends: np.ndarray, table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where known runs stand: (row, first word within the row, words of the run, its number in the table), each int64 (finds,)."""
    found = _find(hashes, ends, table.hashes, table.starts, table.shift, table.lengths)
    return found[0], found[1], found[2], found[3]


@kernel
def _word_hashes(data, offsets, spans, ends, lowered):  # type: ignore[no-untyped-def]
    first = ends[0]
    hashes = np.empty((ends[-1] - first) // 2, np.uint64)
    for row in range(len(ends) - 1):
        base = offsets[row]
        for word in range((ends[row] - first) // 2, (ends[row + 1] - first) // 2):
            at, to = base + spans[first + 2 * word], base + spans[first + 2 * word + 1]
            key = np.uint64(14695981039346656037)
            while at < to:
                code, at = decode(data, at, to)
                if code < len(lowered):
                    code = np.int64(lowered[code])
                key = np.uint64(np.uint64(key ^ np.uint64(code)) * np.uint64(1099511628211))
            hashes[word] = mix(key)
    return hashes


@kernel
def _run_hashes(hashes, length):  # type: ignore[no-untyped-def]
    runs = np.empty(max(0, len(hashes) - length + 1), np.uint64)
    for at in range(len(runs)):
        total = np.uint64(0)
        for word in range(at, at + length):
            total = np.uint64(np.uint64(total * _BASE) + hashes[word])
        runs[at] = mix(np.uint64(total ^ np.uint64(length)))
    return runs


@kernel
def _find(hashes, ends, known, starts, shift, lengths):  # type: ignore[no-untyped-def]
    found = np.empty((4, 16), np.int64)
    used = 0
    powers = np.ones(len(lengths), np.uint64)
    for at in range(len(lengths)):
        for _ in range(lengths[at]):
            powers[at] = np.uint64(powers[at] * _BASE)
    for row in range(len(ends) - 1):
        start, count = ends[row], ends[row + 1] - ends[row]
        sums = np.zeros(count + 1, np.uint64)
        for word in range(count):
            sums[word + 1] = np.uint64(np.uint64(sums[word] * _BASE) + hashes[start + word])
        for word in range(count):
            for at in range(len(lengths)):
                length = lengths[at]
                if word + length > count:
                    break
                total = np.uint64(sums[word + length] - np.uint64(sums[word] * powers[at]))
                key = mix(np.uint64(total ^ np.uint64(length)))
                place = np.int64(key >> np.uint64(shift))
                for number in range(starts[place], starts[place + 1]):
                    if known[number] == key:
                        if used == found.shape[1]:
                            grown = np.empty((4, 2 * used), np.int64)
                            grown[:, :used] = found
                            found = grown
                        found[0, used], found[1, used], found[2, used], found[3, used] = row, word, length, number
                        used += 1
    return found[:, :used]


@kernel
def mix(key):  # type: ignore[no-untyped-def]
    """Spreads what tells 64-bit keys apart over all their bits (MurmurHash3's finaliser)."""
    key = np.uint64(key ^ (key >> np.uint64(33)))
    key = np.uint64(key * np.uint64(0xFF51AFD7ED558CCD))
    key = np.uint64(key ^ (key >> np.uint64(33)))
    key = np.uint64(key * np.uint64(0xC4CEB9FE1A85EC53))
    return np.uint64(key ^ (key >> np.uint64(33)))
