"""C4's walk over lines: those that fail are left out, and the sentences of what is left are counted.

kept, dropped = keep_lines(pa.array(["Two words.\\n\\n\\nHere are some more words."]), 3, 1000, ends="")
kept -> ["Here are some more words."], dropped -> [[0, 1, 0]]
"""

import numpy as np
import pyarrow as pa

from corpus.kernels.characters import SPACE, tables
from corpus.kernels.compiled import kernel
from corpus.kernels.lines import members
from corpus.kernels.text import buffers, decode, strings
from corpus.kernels.words import count_words

NEWLINE, FULL_STOP = 10, 46
UNPUNCTUATED, FEW_WORDS, LONG_WORD = range(3)


def keep_lines(text: pa.Array, min_words: int, max_word_length: int, ends: str) -> tuple[pa.Array, np.ndarray]:
    """Strings (rows,) -> the text of the lines that stay, and int64 (rows, 3): how many fell to each rule, the first that they fail.

    The rules: the last character is one of ``ends`` and the line does not end with three full stops (only where ``ends`` is not
    empty); at least ``min_words`` words; no run without white space of more than ``max_word_length`` characters. Lines lose the white
    space at their ends; of several empty ones in turn one stays, none at the beginning and end of the text.
    """
    data, offsets, valid = buffers(text)
    written, bounds, dropped = _keep(data, offsets, valid, tables()[0], min_words, max_word_length, members(ends), bool(ends))
    return strings(written, bounds, valid), dropped


def count_sentences(text: pa.Array, ends: str, closed: str, closers: str, lines_end: bool = True) -> np.ndarray:
    """Strings (rows,) -> int64 (rows,): how many sentences end, with a character of ``closed``, or with one of ``ends`` before white
    space, one of ``closers``, or the end; or (``lines_end``) with the line, where something else than white space and closers is left
    of it."""
    data, offsets, valid = buffers(text)
    return _sentences(data, offsets, valid, tables()[0], members(ends), members(closed), members(closers), lines_end)


@kernel
def _keep(data, offsets, valid, classes, min_words, max_word_length, ends, punctuated):  # type: ignore[no-untyped-def]
    rows = len(valid)
    written = np.empty(offsets[rows] - offsets[0], np.uint8)
    bounds = np.zeros(rows + 1, np.int32)
    dropped = np.zeros((rows, 3), np.int64)
    used = 0
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        begin, empty_lines = used, 0
        while valid[row] and at < end:
            start, stop, last, longest, at = _line(data, at, end, classes)
            if start == stop:
                empty_lines += 1
                continue
            fault = -1
            if punctuated and (not ends[last] or _ends_with_dots(data, start, stop)):
                fault = UNPUNCTUATED
            elif count_words(data, start, stop, classes, min_words) < min_words:
                fault = FEW_WORDS
            elif longest > max_word_length:
                fault = LONG_WORD
            if fault >= 0:
                dropped[row, fault] += 1
                continue
            if used > begin:
                for _ in range(2 if empty_lines else 1):
                    written[used] = NEWLINE
                    used += 1
            empty_lines = 0
            for place in range(start, stop):
                written[used] = data[place]
                used += 1
        bounds[row + 1] = used
    return written[:used], bounds, dropped


@kernel
def _line(data, at, end, classes):  # type: ignore[no-untyped-def]
    """(first byte that is no white space, the byte after the last, the last character, characters of the longest run without
    white space, where the next line begins)."""
    start, stop, last, run, longest = at, at, -1, 0, 0
    while at < end:
        code, after = decode(data, at, end)
        if code == NEWLINE:
            return start, stop, last, longest, after
        if classes[code] == SPACE:
            run = 0
        else:
            if last < 0:
                start = at
            stop, last, run = after, code, run + 1
            longest = max(longest, run)
        at = after
    return start, stop, last, longest, at


@kernel
def _ends_with_dots(data, start, stop):  # type: ignore[no-untyped-def]
    return stop - start >= 3 and data[stop - 1] == FULL_STOP and data[stop - 2] == FULL_STOP and data[stop - 3] == FULL_STOP


@kernel
def _sentences(data, offsets, valid, classes, ends, closed, closers, lines_end):  # type: ignore[no-untyped-def]
    rows = len(valid)
    counts = np.zeros(rows, np.int64)
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        begun = False
        while valid[row] and at < end:
            code, at = decode(data, at, end)
            if code == NEWLINE:
                counts[row] += begun and lines_end
                begun = False
            elif closed[code]:
                counts[row] += 1
                begun = False
            elif ends[code]:
                following = decode(data, at, end)[0] if at < end else np.int64(NEWLINE)
                begun = not (classes[following] == SPACE or closers[following])
                counts[row] += not begun
            elif classes[code] != SPACE and not closers[code]:
                begun = True
        counts[row] += begun and lines_end
    return counts
