"""A text as pieces: lines, paragraphs, sentences or words, each with where it lies and a key of what it says; and the text without some.

What a piece says is 128 bits (two hashes of 64) of its code points in a normal form, so that among 1e12 different pieces two meet by
chance with probability 1e-15. Between two pieces there is nothing but white space.

    found = pieces(pa.array(["Share on X!\\n\\nShare on x"]), LINE)
    found.first[0] == found.first[1]
"""

from typing import NamedTuple, final

import numpy as np
import pyarrow as pa

from corpus.kernels.characters import DIGIT, OTHER, PUNCTUATION, SPACE, tables
from corpus.kernels.compiled import kernel
from corpus.kernels.lines import members
from corpus.kernels.ngrams import lower_case, mix
from corpus.kernels.text import buffers, decode, strings
from corpus.kernels.words import words

LINE, PARAGRAPH, SENTENCE = range(3)
_NEWLINE, _ZERO, _BLANK = 10, 48, 32
_NON_JOINER, _JOINER = 0x200C, 0x200D  # of the class of marks, but some pages put them on lines of their own
_ENDS, _CLOSERS = ".!?…", "\"'”’)]»"  # one of these, closing marks, then white space: a sentence ends
_CLOSED = "。！？；｡．։؟۔।॥።፧။"  # these end one wherever they stand


@final
class Pieces(NamedTuple):
    """Pieces of all rows: those of row r are ``bounds[r]:bounds[r + 1]``. ``start`` and ``stop``: bytes from the row's first.

    ``size``: characters of the normal form; of what has none (a line of asterisks) the keys say nothing.
    """

    bounds: np.ndarray  # int64 (rows + 1,)
    start: np.ndarray  # int32 (pieces,)
    stop: np.ndarray  # int32
    first: np.ndarray  # uint64
    second: np.ndarray  # uint64
    size: np.ndarray  # int32


def pieces(text: pa.Array, unit: int) -> Pieces:
    """Strings (rows,) -> their lines, paragraphs or sentences (which end with the line too); none of null.

    The normal form is in lower case, each digit 0, without punctuation and what does not print, each run of white space one space.
    """
    data, offsets, valid = buffers(text)
    marks = members(_ENDS), members(_CLOSED), members(_CLOSERS)
    return Pieces(*_pieces(data, offsets, valid, tables()[0], lower_case(), *marks, unit))


def word_pieces(text: pa.Array) -> Pieces:
    """Strings (rows,) -> their words (``kernels.words``) in lower case, each with the punctuation that stands at it."""
    data, offsets, valid = buffers(text)
    segmented = words(text)
    spans = segmented.values.to_numpy(zero_copy_only=False).astype(np.int32) if len(segmented.values) else np.zeros(0, np.int32)
    return Pieces(*_word_pieces(data, offsets, valid, spans, segmented.offsets.to_numpy().astype(np.int64), tables()[0], lower_case()))


def spans_of(text: pa.Array, found: Pieces, cut: np.ndarray) -> pa.ListArray:
    """The bytes that go with the pieces where ``cut``, bool (pieces,): for each row [start0, end0, start1, …] into its UTF-8, int32.

    Of the white space before and behind a stretch that goes, the longer stays; none at the ends of the text.
    """
    _, offsets, _ = buffers(text)
    spans, ends = _spans(offsets, found.bounds, found.start, found.stop, cut)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(spans, pa.int32()))


def without(text: pa.Array, spans: pa.ListArray) -> pa.Array:
    """Strings and their spans (rows,), ascending and apart -> the strings without them; a null has none."""
    data, offsets, valid = buffers(text)
    flat = spans.values.to_numpy(zero_copy_only=False).astype(np.int64) if len(spans.values) else np.zeros(0, np.int64)
    written, bounds = _without(data, offsets, flat, spans.offsets.to_numpy().astype(np.int64))
    return strings(written, bounds, valid)


@kernel
def _with(first, second, code):  # type: ignore[no-untyped-def]
    """Both keys with one code point more: FNV's step, and a rotation with a multiplication."""
    value = np.uint64(code)
    first = np.uint64(np.uint64(first ^ value) * np.uint64(1099511628211))
    turned = np.uint64(np.uint64(second << np.uint64(23)) | np.uint64(second >> np.uint64(41)))
    second = np.uint64(np.uint64(turned + value) * np.uint64(0x9FB21C651E98DF25))
    return first, second


@kernel
def _pieces(data, offsets, valid, classes, lowered, ends, closed, closers, unit):  # type: ignore[no-untyped-def]
    rows = len(valid)
    room = 64 + (offsets[rows] - offsets[0]) // 8
    extents = np.empty((3, room), np.int32)  # start, stop, size
    keys = np.empty((2, room), np.uint64)
    bounds = np.zeros(rows + 1, np.int64)
    used = 0
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        while valid[row] and at < end:
            start, stop, size, first, second, at = _piece(data, at, end, classes, lowered, ends, closed, closers, unit)
            if start == stop:
                continue
            if used == extents.shape[1]:
                more, more_keys = np.empty((3, 2 * used), np.int32), np.empty((2, 2 * used), np.uint64)
                more[:, :used], more_keys[:, :used] = extents, keys
                extents, keys = more, more_keys
            extents[0, used], extents[1, used], extents[2, used] = start - offsets[row], stop - offsets[row], size
            keys[0, used], keys[1, used] = mix(first), mix(second)
            used += 1
        bounds[row + 1] = used
    return bounds, extents[0, :used], extents[1, :used], keys[0, :used], keys[1, :used], extents[2, :used]


@kernel
def _piece(data, at, end, classes, lowered, ends, closed, closers, unit):  # type: ignore[no-untyped-def]
    """(first byte that is no white space, the byte after the last, size and keys of the normal form, where to go on) of one piece."""
    start, stop, size = at, at, 0
    first, second = np.uint64(14695981039346656037), np.uint64(0x9E3779B97F4A7C15)
    is_blank, newlines = False, 0
    ended = 0  # 1: by a mark that white space must follow; 2: by one that ends a sentence anyway
    while at < end:
        code, after = decode(data, at, end)
        kind = classes[code]
        if kind == SPACE:
            newlines += code == _NEWLINE
            if newlines > 1 or (newlines == 1 and unit != PARAGRAPH) or (unit == SENTENCE and ended):
                return start, stop, size, first, second, after
            is_blank = size > 0
            at = after
            continue
        if ended == 2 and not (closers[code] or closed[code] or ends[code]):
            return start, stop, size, first, second, at
        if stop == start:
            start = at
        stop, newlines = after, 0
        if unit == SENTENCE:
            ended = 2 if closed[code] else 1 if ends[code] and ended < 2 else ended if closers[code] or ends[code] else 0
        if kind != PUNCTUATION and kind != OTHER and code != _NON_JOINER and code != _JOINER:
            if is_blank:
                first, second = _with(first, second, _BLANK)
                is_blank = False
                size += 1
            if kind == DIGIT:
                code = np.int64(_ZERO)
            elif code < len(lowered):
                code = np.int64(lowered[code])
            first, second = _with(first, second, code)
            size += 1
        at = after
    return start, stop, size, first, second, at


@kernel
def _word_pieces(data, offsets, valid, spans, ends, classes, lowered):  # type: ignore[no-untyped-def]
    rows, count = len(valid), len(spans) // 2
    start, stop, size = np.empty(count, np.int32), np.empty(count, np.int32), np.ones(count, np.int32)
    first, second = np.empty(count, np.uint64), np.empty(count, np.uint64)
    bounds = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        base = offsets[row]
        for piece in range(ends[row] // 2, ends[row + 1] // 2):
            at, to = base + spans[2 * piece], base + spans[2 * piece + 1]
            one, two = np.uint64(14695981039346656037), np.uint64(0x9E3779B97F4A7C15)
            while at < to:
                code, at = decode(data, at, to)
                if code < len(lowered):
                    code = np.int64(lowered[code])
                one, two = _with(one, two, code)
            first[piece], second[piece] = mix(one), mix(two)
            begin = spans[2 * piece]
            if 2 * piece == ends[row]:
                start[piece] = _after_space(data, base, base + begin, classes) - base
            if 2 * piece + 2 == ends[row + 1]:
                stop[piece] = _last_space(data, to, offsets[row + 1], True, classes)[0] - base
            else:
                stop[piece], start[piece + 1] = _last_space(data, to, base + spans[2 * piece + 2], False, classes)
                stop[piece], start[piece + 1] = stop[piece] - base, start[piece + 1] - base
        bounds[row + 1] = ends[row + 1] // 2
    return bounds, start, stop, first, second, size


@kernel
def _after_space(data, at, end, classes):  # type: ignore[no-untyped-def]
    while at < end:
        code, after = decode(data, at, end)
        if classes[code] != SPACE:
            break
        at = after
    return at


@kernel
def _last_space(data, at, end, at_end, classes):  # type: ignore[no-untyped-def]
    """(begin, end) of the last run of white space in data[at:end], ``at_end``: of one that ends there; (end, end) if there is none."""
    begin, behind, before = end, end, False
    while at < end:
        code, after = decode(data, at, end)
        if classes[code] == SPACE:
            if not before:
                begin = at
            behind, before = after, True
        else:
            before = False
        at = after
    if at_end and not before:
        return end, end
    return begin, behind


@kernel
def _spans(offsets, bounds, start, stop, cut):  # type: ignore[no-untyped-def]
    spans = np.empty(2 * cut.sum(), np.int32)
    ends = np.zeros(len(bounds), np.int32)
    used = 0
    for row in range(len(bounds) - 1):
        piece, last = bounds[row], bounds[row + 1]
        while piece < last:
            if not cut[piece]:
                piece += 1
                continue
            begin = piece
            while piece < last and cut[piece]:
                piece += 1
            before = start[begin] - stop[begin - 1] if begin > bounds[row] else 0
            behind = start[piece] - stop[piece - 1] if piece < last else 0
            if begin == bounds[row]:
                spans[used] = 0
            else:
                spans[used] = stop[begin - 1] if behind > before or piece == last else start[begin]
            if piece == last:
                spans[used + 1] = offsets[row + 1] - offsets[row]
            else:
                spans[used + 1] = stop[piece - 1] if behind > before and begin > bounds[row] else start[piece]
            used += 2
        ends[row + 1] = used
    return spans[:used], ends


@kernel
def _without(data, offsets, spans, ends):  # type: ignore[no-untyped-def]
    rows = len(ends) - 1
    written = np.empty(offsets[rows] - offsets[0], np.uint8)
    bounds = np.zeros(rows + 1, np.int32)
    used = 0
    for row in range(rows):
        at = offsets[row]
        for place in range(ends[row], ends[row + 1] + 1, 2):
            to = offsets[row] + spans[place] if place < ends[row + 1] else offsets[row + 1]
            for byte in range(at, to):
                written[used] = data[byte]
                used += 1
            at = offsets[row] + spans[place + 1] if place < ends[row + 1] else to
        bounds[row + 1] = used
    return written[:used], bounds
