"""Words and runs of words looked up in a list, by hash: stop words, profanities.

Words of text and list are compared by 64 bits of their code points, in lower case or case-folded by tables made of Python's own
``lower`` and ``casefold``; the final sigma counts as a sigma, so that no rule of position is needed.

    listed = phrases([("the",), ("how", "to")], fold="lower")
    count_phrases(text, words, listed, np.arange(len(text)), fold="lower") -> (words found, phrases found)
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, final

import numpy as np
import pyarrow as pa

from corpus.kernels.compiled import kernel
from corpus.kernels.text import buffers, decode

Fold = Literal["none", "lower", "casefold"]
_CASED = 0x20000  # beyond it no character has two cases (Unicode 16)
_SIEVE = 2**14  # 16 KiB, which the first cache holds: of a list of 400 one word in 40 passes that is not in it
_EXPANDED = 0x110000  # from here on a number in the table is a place in the expansions
_SIGMAS = ("\u03c2", "\u03c3")


@final
class Phrases(NamedTuple):
    """``first``: hash of the first word of each phrase, sorted, of equal ones the longest first; words of phrase p are
    ``hashes[bounds[p] : bounds[p + 1]]``. ``may``: by the last bits of a word's hash, whether it can begin one at all."""

    first: np.ndarray
    bounds: np.ndarray
    hashes: np.ndarray
    may: np.ndarray


def phrases(listed: Sequence[tuple[str, ...]], fold: Fold) -> Phrases:
    """Compiles a list whose words are folded already: a word that is not will never be met."""
    flat = [word.replace(*_SIGMAS) if fold == "lower" else word for phrase in listed for word in phrase]
    data, offsets, _ = buffers(pa.array(flat, pa.string()))
    hashes = _hash_each(data, offsets, *_table("none"))
    starts = np.concatenate([[0], np.cumsum([len(phrase) for phrase in listed])]).astype(np.int64)
    lengths = np.diff(starts)
    order = np.lexsort((-lengths, hashes[starts[:-1]]))
    bounds = np.concatenate([[0], np.cumsum(lengths[order])]).astype(np.int64)
    places = np.repeat(starts[:-1][order] - bounds[:-1], lengths[order]) + np.arange(len(hashes))
    first = hashes[starts[:-1][order]]
    may = np.zeros(_SIEVE, np.bool_)
    may[first & np.uint64(_SIEVE - 1)] = True
    return Phrases(first, bounds, hashes[places], may)


def count_phrases(text: pa.Array, words: pa.ListArray, listed: Phrases, rows: np.ndarray, fold: Fold) -> tuple[np.ndarray, np.ndarray]:
    """For each of ``rows``, left to right and the longest first: how many words lie in phrases of the list, how many phrases were met.

    Two int64 arrays, (rows,) each; a phrase that is met twice counts once. Words within a phrase begin no other one.
    """
    return _count(*_segmented(text, words), rows.astype(np.int64), *_table(fold), *listed)


def find_phrases(text: pa.Array, words: pa.ListArray, listed: Phrases, row: int, fold: Fold) -> np.ndarray:
    """Where in one row ``count_phrases`` meets them: (phrases, 2) of int64, the number of the first word, and how many words."""
    return _find(*_segmented(text, words), row, *_table(fold), *listed)


def _segmented(text: pa.Array, words: pa.ListArray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """UTF-8 and where each row's begins; spans of words and where each row's begin."""
    data, offsets, _ = buffers(text)
    spans = words.values.to_numpy(zero_copy_only=False) if len(words.values) else np.zeros(0, np.int32)
    return data, offsets, spans.astype(np.int32, copy=False), words.offsets.to_numpy().astype(np.int64)


@lru_cache(maxsize=4)
def _table(fold: Fold) -> tuple[np.ndarray, np.ndarray]:
    """Code point -> its folded form, int32 (0x20000,), and expansions int32 (n, 3), -1 where there are fewer."""
    table = np.arange(_CASED, dtype=np.int32)
    expansions: list[list[int]] = []
    for character in _cased() if fold != "none" else ():
        folded = character.lower().replace(*_SIGMAS) if fold == "lower" else character.casefold()
        if len(folded) > 1:
            expansions.append([*map(ord, folded), -1, -1][:3])
        table[ord(character)] = ord(folded) if len(folded) == 1 else _EXPANDED + len(expansions) - 1
    return table, np.array(expansions, np.int32).reshape(-1, 3)


@lru_cache(maxsize=1)
def _cased() -> tuple[str, ...]:
    """The characters that have another form, found by blocks of 256: in most of them there is none."""
    blocks = ("".join(map(chr, range(start, start + 256))) for start in range(0, _CASED, 256))
    return tuple(each for block in blocks if not block == block.lower() == block.casefold() for each in block)


@kernel
def _mixed(key, code):  # type: ignore[no-untyped-def]
    key = np.uint64((key ^ np.uint64(code)) * np.uint64(0x9FB21C651E98DF25))
    return np.uint64(key ^ (key >> np.uint64(29)))


@kernel
def _hash(data, at, end, table, expansions):  # type: ignore[no-untyped-def]
    """64 bits of the folded code points: each is mixed in by a multiplication and a shift."""
    key = np.uint64(0xCBF29CE484222325)
    while at < end:
        code, at = decode(data, at, end)
        folded = np.int64(table[code]) if code < len(table) else code
        if folded < _EXPANDED:
            key = _mixed(key, folded)
        else:
            for place in range(3):
                part = expansions[folded - _EXPANDED, place]
                if part >= 0:
                    key = _mixed(key, part)
    return key


@kernel
def _hash_each(data, offsets, table, expansions):  # type: ignore[no-untyped-def]
    hashes = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(hashes)):
        hashes[row] = _hash(data, offsets[row], offsets[row + 1], table, expansions)
    return hashes


@kernel
def _keys(data, offsets, spans, ends, row, table, expansions):  # type: ignore[no-untyped-def]
    """The hash of each word of a row."""
    keys = np.empty((ends[row + 1] - ends[row]) // 2, np.uint64)
    for word in range(len(keys)):
        span = ends[row] + 2 * word
        keys[word] = _hash(data, offsets[row] + spans[span], offsets[row] + spans[span + 1], table, expansions)
    return keys


@kernel
def _find(data, offsets, spans, ends, row, table, expansions, first, bounds, hashes, may):  # type: ignore[no-untyped-def]
    keys = _keys(data, offsets, spans, ends, row, table, expansions)
    places = np.empty((len(keys), 2), np.int64)
    met = word = 0
    while word < len(keys):
        phrase = _longest(keys, word, first, bounds, hashes) if may[keys[word] & np.uint64(_SIEVE - 1)] else -1
        if phrase < 0:
            word += 1
            continue
        places[met, 0], places[met, 1] = word, bounds[phrase + 1] - bounds[phrase]
        word += places[met, 1]
        met += 1
    return places[:met]


@kernel
def _count(data, offsets, spans, ends, rows, table, expansions, first, bounds, hashes, may):  # type: ignore[no-untyped-def]
    found = np.zeros(len(rows), np.int64)
    distinct = np.zeros(len(rows), np.int64)
    for number in range(len(rows)):
        keys = _keys(data, offsets, spans, ends, rows[number], table, expansions)
        count = len(keys)
        met = np.zeros(len(first), np.bool_)
        word = 0
        while word < count:
            phrase = _longest(keys, word, first, bounds, hashes) if may[keys[word] & np.uint64(_SIEVE - 1)] else -1
            if phrase < 0:
                word += 1
                continue
            length = bounds[phrase + 1] - bounds[phrase]
            found[number] += length
            distinct[number] += not met[phrase]
            met[phrase] = True
            word += length
    return found, distinct


@kernel
def _longest(keys, word, first, bounds, hashes):  # type: ignore[no-untyped-def]
    """The first phrase in the list's order that stands at ``word``; -1 if none does."""
    low, high = 0, len(first)
    while low < high:
        middle = (low + high) // 2
        if first[middle] < keys[word]:
            low = middle + 1
        else:
            high = middle
    while low < len(first) and first[low] == keys[word]:
        length = bounds[low + 1] - bounds[low]
        if word + length <= len(keys):
            same = True
            for at in range(length):
                same = same and hashes[bounds[low] + at] == keys[word + at]
            if same:
                return low
        low += 1
    return -1
