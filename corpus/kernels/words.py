"""Words, once for all: byte offsets that every later step reads, so that no text is segmented twice.

A word is a run of letters, marks and digits; an apostrophe, hyphen, middle dot or (between digits) full stop or comma between two
of them does not end it (``don't``, ``well-kept``, ``3.14``): the word rules of UAX #29 in short. In a script written without
spaces (Han, Kana, Thai, …) each character with its marks is a word of its own. Punctuation and symbols are no words.

    words(pa.array(["It's 3.14 km"])) -> [[0, 4, 5, 9, 10, 12]]
"""

import numpy as np
import pyarrow as pa

from corpus.kernels.characters import DIGIT, LETTER, MARK, SCRIPTS, UNIT, tables
from corpus.kernels.compiled import kernel
from corpus.kernels.text import buffers, decode


def words(text: pa.Array) -> pa.ListArray:
    """Strings (rows,) -> for each row the flattened offsets [start0, end0, start1, …] into its UTF-8, int32; null for null."""
    data, offsets, valid = buffers(text)
    classes, _ = tables()
    spans, ends = _segment(data, offsets, valid, classes)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(spans, pa.int32()), mask=pa.array(~valid))


def dominant_scripts(text: pa.Array) -> pa.Array:
    """Strings (rows,) -> ISO 15924 code of the script that most letters belong to; null where there is no letter."""
    data, offsets, valid = buffers(text)
    numbers = _scripts(data, offsets, valid, tables()[1], len(SCRIPTS))
    return pa.array(SCRIPTS).take(pa.array(numbers, pa.int32(), mask=numbers == 0))


@kernel
def _segment(data, offsets, valid, classes):  # type: ignore[no-untyped-def]
    rows = len(valid)
    # Room for a word in every second byte: what is not written takes no memory, and an array that may grow halves the speed.
    spans = np.empty(offsets[rows] - offsets[0] + rows, np.int32)
    used = 0
    ends = np.zeros(rows + 1, np.int32)
    for row in range(rows):
        if valid[row]:
            base, end = offsets[row], offsets[row + 1]
            at = base
            while at < end:
                if data[at] < 0x80:
                    kind, after = classes[data[at]], at + 1
                else:
                    code, after = decode(data, at, end)
                    kind = classes[code]
                if kind != LETTER and kind != DIGIT and kind != UNIT:
                    at = after
                    continue
                start = at
                at = _end_of_marks(data, after, end, classes) if kind == UNIT else _end_of_word(data, after, end, classes, kind)
                spans[used] = start - base
                spans[used + 1] = at - base
                used += 2
        ends[row + 1] = used
    return spans[:used], ends


@kernel
def count_words(data, at, end, classes, enough):  # type: ignore[no-untyped-def]
    """How many words stand in data[at:end]; counts no further than to ``enough``."""
    count = 0
    while at < end and count < enough:
        code, after = decode(data, at, end)
        kind = classes[code]
        if kind == UNIT:
            at = _end_of_marks(data, after, end, classes)
        elif kind == LETTER or kind == DIGIT:
            at = _end_of_word(data, after, end, classes, kind)
        else:
            at = after
            continue
        count += 1
    return count


@kernel
def _end_of_marks(data, at, end, classes):  # type: ignore[no-untyped-def]
    while at < end:
        code, after = decode(data, at, end)
        if classes[code] != MARK:
            break
        at = after
    return at


@kernel
def _end_of_word(data, at, end, classes, last):  # type: ignore[no-untyped-def]
    """Where the word ends whose first character ended at ``at`` and was of class ``last``."""
    while at < end and data[at] < 0x80:  # the most of most words: decoding them one by one takes 2.5 times as long
        kind = classes[data[at]]
        if kind != LETTER and kind != DIGIT:
            break
        last = kind
        at += 1
    if at < end and (data[at] == 32 or data[at] == 10):
        return at
    while at < end:
        code, after = decode(data, at, end)
        kind = classes[code]
        if kind == LETTER or kind == DIGIT:
            last = kind
            at = after
            continue
        if kind == MARK:
            at = after
            continue
        joins = code == 0x27 or code == 0x2019 or code == 0x2D or code == 0x2010 or code == 0xB7
        in_number = (code == 0x2E or code == 0x2C) and last == DIGIT
        if (joins or in_number) and after < end:
            following, beyond = decode(data, after, end)
            kind = classes[following]
            if kind == DIGIT or (joins and kind == LETTER):
                last = kind
                at = beyond
                continue
        break
    return at


@kernel
def _scripts(data, offsets, valid, scripts, count):  # type: ignore[no-untyped-def]
    rows = len(valid)
    result = np.zeros(rows, np.int32)
    counts = np.zeros(count, np.int64)
    for row in range(rows):
        if not valid[row]:
            continue
        counts[:] = 0
        at, end = offsets[row], offsets[row + 1]
        while at < end:
            code, at = decode(data, at, end)
            counts[scripts[code]] += 1
        best = 0
        for script in range(1, count):
            if counts[script] > 0 and (best == 0 or counts[script] > counts[best]):
                best = script
        result[row] = best
    return result
