"""Counts over lines and words that the quality filters divide by one another, in one walk over the bytes.

    counts = line_counts(text, words)
counts["bullet_lines"] / counts["lines"]
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa

from corpus.kernels.characters import LETTER, SPACE, UNIT, tables
from corpus.kernels.compiled import kernel
from corpus.kernels.repetition import characters_of, copies_of, pieces_of
from corpus.kernels.text import buffers, decode

BULLETS = "•‣▶◀◦■□▪▫–-*●○"  # at the beginning of a line
# What ends a sentence, over the scripts: Latin, Armenian, Hebrew, Arabic, Devanagari, Ethiopic, Khmer, Myanmar, Tibetan, CJK; and
# closing quotes.
TERMINALS = ".!?…\"'”’»՞։׃؟۔।॥።፧፨។៕၊။།༎。！？；｡」』．"
SHORT = 30  # characters at most, FineWeb's code
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
    text: pa.Array, words: pa.ListArray, bullets: str = BULLETS, terminals: str = TERMINALS, dots: bool = True, short: int = SHORT
) -> dict[str, np.ndarray]:
    """Strings and their words (rows,) -> an int64 array (rows,) for each of KEYS; zeros for null.

    Lines are those with something but white space. ``dots``: three full stops count as an ellipsis, not only the character.
    ``short``: the characters of a short line, at most.
    """
    data, offsets, valid = buffers(text)
    spans = words.values.to_numpy(zero_copy_only=False).astype(np.int32) if len(words.values) else np.zeros(0, np.int32)
    ends = words.offsets.to_numpy().astype(np.int64)
    counts = _count(data, offsets, valid, spans, ends, tables()[0], members(bullets), members(terminals), dots, short)
    return {key: np.ascontiguousarray(counts[:, at]) for at, key in enumerate(KEYS)}


@lru_cache(maxsize=16)
def members(characters: str) -> np.ndarray:
    """Code point -> whether it is among the characters: bool (0x110000,)."""
    table = np.zeros(0x110000, np.bool_)
    table[[ord(character) for character in characters]] = True
    return table


@kernel
def _count(data, offsets, valid, spans, ends, classes, bullets, terminals, dots, short):  # type: ignore[no-untyped-def]
    rows = len(valid)
    counts = np.zeros((rows, 14), np.int64)
    for row in range(rows):
        if not valid[row]:
            continue
        start, end = offsets[row], offsets[row + 1]
        _count_lines(data, start, end, classes, bullets, terminals, dots, short, counts[row])
        hashes, lengths = pieces_of(data, start, end, 1)
        counts[row, 12] = copies_of(hashes, lengths, False)[1]
        counts[row, 13] = counts[row, 0] - counts[row, 6]
        words = (ends[row + 1] - ends[row]) // 2
        counts[row, 9] = words
        is_ascii = counts[row, 0] == end - start
        characters, alphabetic = np.int64(0), 0
        for word in range(words):
            at = start + spans[ends[row] + 2 * word]
            stop = start + spans[ends[row] + 2 * word + 1]
            characters += stop - at if is_ascii else characters_of(data, at, stop)
            while at < stop:
                code, at = decode(data, at, stop)
                if classes[code] == LETTER or classes[code] == UNIT:
                    alphabetic += 1
                    break
        counts[row, 10], counts[row, 11] = characters, alphabetic
    return counts


@kernel
def _count_lines(data, start, end, classes, bullets, terminals, dots, most_short, counts):  # type: ignore[no-untyped-def]
    """Fills in the first nine of KEYS."""
    characters, newlines, hashes, ellipses = 0, 0, 0, 0
    lines, bulleted, elliptic, terminal, short = 0, 0, 0, 0, 0
    line_characters, first, last, before, before_that = 0, -1, -1, -1, -1
    run = 0  # full stops in turn: three are one ellipsis, the next begins anew
    at = start
    while at <= end:
        code, after = np.int64(10), at + 1
        if at < end:
            code, after = decode(data, at, end)
            characters += 1
            newlines += code == 10
            hashes += code == 35
            run = run + 1 if code == 46 else 0
            if code == 0x2026 or (dots and run == 3):
                ellipses += 1
                run = 0
        if code != 10:
            line_characters += 1
            if classes[code] != SPACE:
                if first < 0:
                    first = code
                before_that, before, last = before, last, code
        else:
            if last >= 0:
                lines += 1
                bulleted += bullets[first]
                elliptic += last == 0x2026 or (dots and last == 46 and before == 46 and before_that == 46)
                terminal += terminals[last]
                short += line_characters <= most_short
            line_characters, first, last, before, before_that = 0, -1, -1, -1, -1
        at = after
    counts[0], counts[1], counts[2], counts[3], counts[4] = characters, lines, bulleted, elliptic, terminal
    counts[5], counts[6], counts[7], counts[8] = short, newlines, hashes, ellipses
