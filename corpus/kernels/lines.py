"""Counts over lines and words that the quality filters divide by one another, in one walk over the bytes.

    counts = line_counts(text, words)
counts["bullet_lines"] / counts["lines"]
"""

import numpy as np
import pyarrow as pa

from corpus.kernels.characters import LETTER, SPACE, UNIT, tables
from corpus.kernels.compiled import kernel
from corpus.kernels.repetition import copies_of, pieces_of
from corpus.kernels.text import buffers, decode

BULLETS = "•‣▶◀◦■□▪▫–-*●○"  # at the beginning of a line
# What ends a sentence, over the scripts: Latin, Armenian, Hebrew, Arabic, Devanagari, Ethiopic, Khmer, Myanmar, Tibetan, CJK; and
# closing quotes.
TERMINALS = ".!?…\"'”’»՞։׃؟۔।॥።፧፨។៕၊။།༎。！？；｡」』．"
_SHORT = 30  # characters, FineWeb
KEYS = (
    "characters",
    "lines",
    "bullet_lines",
    "ellipsis_lines",
    "terminal_lines",
    "short_lines",
    "newlines",
    "hashes",
    "ellipses",
    "words",
    "word_characters",
    "alphabetic_words",
    "duplicate_line_characters",
    "line_characters",
)


def line_counts(
    text: pa.Array, words: pa.ListArray, bullets: str = BULLETS, terminals: str = TERMINALS, dots: bool = True
) -> dict[str, np.ndarray]:
    """Strings and their words (rows,) -> an int64 array (rows,) for each of KEYS; zeros for null.

    Lines are those with something but white space. ``dots``: three full stops count as an ellipsis, not only the character.
    """
    data, offsets, valid = buffers(text)
    spans = words.values.to_numpy(zero_copy_only=False).astype(np.int32) if len(words.values) else np.zeros(0, np.int32)
    ends = words.offsets.to_numpy().astype(np.int64)
    counts = _count(data, offsets, valid, spans, ends, tables()[0], _codes(bullets), _codes(terminals), dots)
    return {key: np.ascontiguousarray(counts[:, at]) for at, key in enumerate(KEYS)}


def _codes(characters: str) -> np.ndarray:
    return np.array(sorted(map(ord, characters)), np.int64)


@kernel
def _count(data, offsets, valid, spans, ends, classes, bullets, terminals, dots):  # type: ignore[no-untyped-def]
    rows = len(valid)
    counts = np.zeros((rows, 14), np.int64)
    for row in range(rows):
        if not valid[row]:
            continue
        start, end = offsets[row], offsets[row + 1]
        at = start
        line_characters, first, last, before, before_that = 0, -1, -1, -1, -1
        previous, before_previous = -1, -1
        while at <= end:
            code = 10
            after = at + 1
            if at < end:
                code, after = decode(data, at, end)
                counts[row, 0] += 1
                if code == 35:
                    counts[row, 7] += 1
                if code == 0x2026 or (dots and code == 46 and previous == 46 and before_previous == 46):
                    counts[row, 8] += 1
                    before_previous, previous = -1, -1  # three dots are one ellipsis: the next begins anew
                else:
                    before_previous, previous = previous, code
            if code == 10:
                if at < end:
                    counts[row, 6] += 1
                if last >= 0:
                    counts[row, 1] += 1
                    if _among(first, bullets):
                        counts[row, 2] += 1
                    if last == 0x2026 or (dots and last == 46 and before == 46 and before_that == 46):
                        counts[row, 3] += 1
                    if _among(last, terminals):
                        counts[row, 4] += 1
                    if line_characters <= _SHORT:
                        counts[row, 5] += 1
                line_characters, first, last, before, before_that = 0, -1, -1, -1, -1
            else:
                line_characters += 1
                if classes[code] != SPACE:
                    if first < 0:
                        first = code
                    before_that, before, last = before, last, code
            at = after
        hashes, lengths = pieces_of(data, start, end, 1)
        counts[row, 12] = copies_of(hashes, lengths, False)[1]
        counts[row, 13] = counts[row, 0] - counts[row, 6]
        counts[row, 9] = (ends[row + 1] - ends[row]) // 2
        for word in range(counts[row, 9]):
            at = start + spans[ends[row] + 2 * word]
            stop = start + spans[ends[row] + 2 * word + 1]
            alphabetic = False
            while at < stop:
                code, at = decode(data, at, stop)
                counts[row, 10] += 1
                alphabetic = alphabetic or classes[code] == LETTER or classes[code] == UNIT
            counts[row, 11] += alphabetic
    return counts


@kernel
def _among(code, codes):  # type: ignore[no-untyped-def]
    at = np.searchsorted(codes, code)
    return at < len(codes) and codes[at] == code
