"""One pass over a batch's bytes that says where patterns for personal data could match at all, so that no regex reads the rest.

Each class of patterns has an anchor: something that every match must hold (an ``@``, seven digits with little between them, a word that
begins like ``passport``), and reaches that say how far before and behind its anchor a match can lie. An anchor widened by its reaches is
a window, windows that touch are one, and the matches inside windows are then exactly those of a scan of the whole text. What an anchor
finds too much, the pattern refuses.

    windows(folded.data, folded.offsets, prefixes(words, suffixes), reaches)  -> rows of (row, class, start, end), in characters
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from corpus.kernels.compiled import kernel

AT, DOT, IPV4, HEX, DIGITS, IBAN, CODE, SECRET, LABEL, STREET, SUFFIX, PLACE, ZIP, DEGREE = range(14)
CLASSES = 14
PROVIDER = 14  # no class but a mark: words that make a DOT of the word ``at`` before them
STREET_REACH = 90  # characters from a digit of a house's number to the word for its street
_GAP = 3  # characters between two digits of one number
_MIN_DIGITS = 7
_MIN_CODE, _MIN_CODE_DIGITS = 8, 4
_OF_THREE = 1 << 16  # where the table for words of three bytes begins
_OTHER, _LETTER, _DIGIT, _MARK, _MULTIBYTE = range(5)


def prefixes(words: Mapping[int, Sequence[str]], suffixes: Sequence[str]) -> np.ndarray:
    """Words' beginnings by class -> a bit mask of classes by hash of the first bytes in lower case: uint16 of shape (131072,).

    A beginning has three bytes or more; of more than four only four are looked at. Words of STREET count where a digit stands not far
    before them, ``suffixes`` (their last three bytes, class SUFFIX) where a space and a digit follow. Hashes that collide make
    windows in vain and nothing else.
    """
    mask = np.zeros(2 * _OF_THREE, np.uint16)
    for number, beginnings in words.items():
        for beginning in beginnings:
            first = (*beginning.lower().encode()[:4], 0)
            if len(first) < 5:
                mask[_OF_THREE + _hash(first[0], first[1], first[2], 0)] |= np.uint16(1 << number)
            else:
                mask[_hash(first[0], first[1], first[2], first[3])] |= np.uint16(1 << number)
    for suffix in suffixes:
        last = suffix.encode()[-3:]
        mask[_OF_THREE + _hash(last[0], last[1], last[2], 0)] |= np.uint16(1 << SUFFIX)
    return mask


def windows(data: np.ndarray, offsets: np.ndarray, mask: np.ndarray, reaches: np.ndarray) -> np.ndarray:
    """Folded UTF-8 -> (row, class, start, end), int64 of shape (windows, 4), in characters, ordered by row.

    ``reaches``: characters before and behind an anchor, shape (14, 2); a class whose reach is negative is not looked for.
    """
    size = 1024 + (len(offsets) - 1) * 32
    while True:
        out = np.zeros((size, 4), np.int64)
        found = _windows(data, offsets, mask, reaches, _byte_kinds(), out)
        if found <= size:
            return out[:found]
        size = found


@lru_cache(maxsize=1)
def _byte_kinds() -> np.ndarray:
    kinds = np.zeros(256, np.uint8)
    kinds[[*range(65, 91), *range(97, 123)]] = _LETTER
    kinds[48:58] = _DIGIT
    kinds[list(b"@:-.")] = _MARK
    kinds[128:] = _MULTIBYTE
    return kinds


@kernel
def _hash(first, second, third, fourth):  # type: ignore[no-untyped-def]
    """Four bytes, letters in lower case (and some marks as others: it costs nothing) -> 16 bits."""
    value = first | 32 | (second | 32) << 8 | (third | 32) << 16 | (fourth | 32) << 24
    value = (value * 2_654_435_761) & 0xFFFFFFFF
    return value >> 16


@kernel
def _is_digit(byte):  # type: ignore[no-untyped-def]
    return 48 <= byte <= 57


@kernel
def _is_letter(byte):  # type: ignore[no-untyped-def]
    return 97 <= (byte | 32) <= 122


@kernel
def _is_hex(byte):  # type: ignore[no-untyped-def]
    return 48 <= byte <= 57 or 97 <= (byte | 32) <= 102


@kernel
def _byte(data, at, start, end):  # type: ignore[no-untyped-def]
    """0 outside of the text."""
    return np.int64(data[at]) if start <= at < end else np.int64(0)


@kernel
def _emit(out, found, last, row, kind, start, end, reaches):  # type: ignore[no-untyped-def]
    """Add an anchor's window, or widen the class' last window of the row that it touches. Returns the number of windows."""
    if reaches[kind, 0] < 0:
        return found
    first, behind = max(0, start - reaches[kind, 0]), end + reaches[kind, 1]
    previous = last[kind]
    if previous >= 0:
        if previous >= len(out):  # no room any more: only count
            return found + 1
        if first <= out[previous, 3]:
            out[previous, 2] = min(out[previous, 2], first)
            out[previous, 3] = max(out[previous, 3], behind)
            return found
    if found < len(out):
        out[found, 0], out[found, 1], out[found, 2], out[found, 3] = row, kind, first, behind
    last[kind] = found
    return found + 1


@kernel
def _windows(data, offsets, mask, reaches, kinds, out):  # type: ignore[no-untyped-def]
    found = 0
    last = np.empty(CLASSES, np.int64)
    ends = np.empty(5, np.int64)  # up to where runs are already looked at: numbers, dotted numbers, colons, hyphens, words
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        last[:] = -1
        ends[:] = start
        word_start, character, last_digit, before = start, -1, -10_000, _OTHER
        for at in range(start, end):
            kind = kinds[data[at]]
            if kind == _MULTIBYTE:
                if data[at] & 0xC0 != 0x80:
                    character += 1
                    if data[at] == 0xC2 and data[at + 1] == 0xB0:
                        found = _emit(out, found, last, row, DEGREE, character, character + 1, reaches)
                word_start, before = at + 1, kind
                continue
            character += 1
            if kind == _LETTER:
                if before != _LETTER:
                    bits = _bits(data, at, end, mask)
                    if bits or data[at] | 32 == 97:
                        found = _word(data, at, start, end, mask, reaches, out, found, last, row, character, last_digit, bits)
            elif kind == _DIGIT:
                last_digit = character
                if before != _DIGIT:
                    found = _digit(data, at, start, end, mask, reaches, out, found, last, row, character, word_start, ends)
            else:
                word_start = at + 1
                if kind == _MARK:
                    found = _mark(data, at, start, end, reaches, out, found, last, row, character, ends)
            before = kind
    return found


@kernel
def _bits(data, at, end, mask):  # type: ignore[no-untyped-def]
    """The classes of the word that begins at ``at``."""
    second = np.int64(data[at + 1]) if at + 1 < end else np.int64(0)
    third = np.int64(data[at + 2]) if at + 2 < end else np.int64(0)
    fourth = np.int64(data[at + 3]) if at + 3 < end else np.int64(0)
    first = np.int64(data[at])
    return mask[_hash(first, second, third, fourth)] | mask[_OF_THREE + _hash(first, second, third, np.int64(0))]


@kernel
def _word(data, at, start, end, mask, reaches, out, found, last, row, character, last_digit, bits):  # type: ignore[no-untyped-def]
    """Anchors at the first letter of a word whose beginning has these bits."""
    first, second, third = np.int64(data[at]), _byte(data, at + 1, start, end), _byte(data, at + 2, start, end)
    if bits:
        for kind in range(CLASSES):
            if bits >> kind & 1 and kind != SUFFIX and (kind != STREET or character - last_digit <= STREET_REACH):
                found = _emit(out, found, last, row, kind, character, character + 1, reaches)
    if first | 32 == 97 and second | 32 == 116 and not _is_letter(third):
        place = at - 1 - (_byte(data, at - 1, start, end) == 32)
        byte = _byte(data, place, start, end)
        if byte == 40 or byte == 91 or byte == 123 or byte == 60:  # ``at`` in brackets
            found = _emit(out, found, last, row, DOT, character, character + 1, reaches)
        fifth, sixth = _byte(data, at + 4, start, end), _byte(data, at + 5, start, end)
        if mask[_hash(_byte(data, at + 3, start, end), fifth, sixth, _byte(data, at + 6, start, end))] >> PROVIDER & 1:
            found = _emit(out, found, last, row, DOT, character, character + 1, reaches)
    return found


@kernel
def _digit(data, at, start, end, mask, reaches, out, found, last, row, character, word_start, ends):  # type: ignore[no-untyped-def]
    """Anchors at a digit: a number, four numbers with dots, a word of letters and digits, the number of a house or of a town."""
    if at >= ends[0]:
        ends[0], digits = _number(data, at, end)
        if digits >= _MIN_DIGITS:
            for kind in (DIGITS, CODE):
                found = _emit(out, found, last, row, kind, character, character + ends[0] - at, reaches)
    if at >= ends[1]:
        behind, dots = at, 0
        while behind < end and (_is_digit(data[behind]) or data[behind] == 46):
            dots += data[behind] == 46
            behind += 1
        ends[1] = behind
        if dots >= 3:
            found = _emit(out, found, last, row, IPV4, character, character + behind - at, reaches)
    if at >= ends[4]:
        behind, letters, digits = at, at - word_start, 0
        while behind < end and (_is_digit(data[behind]) or _is_letter(data[behind])):
            digits += _is_digit(data[behind])
            letters += _is_letter(data[behind])
            behind += 1
        ends[4] = behind
        first = character - (at - word_start)
        if at - word_start == 2 and _is_digit(_byte(data, at + 1, start, end)):
            found = _emit(out, found, last, row, IBAN, first, first + 1, reaches)
        if behind - word_start >= _MIN_CODE and letters and digits >= _MIN_CODE_DIGITS:
            found = _emit(out, found, last, row, CODE, first, first + behind - word_start, reaches)
    if at - 4 >= start and data[at - 1] == 32:
        first, second, third = np.int64(data[at - 4]), np.int64(data[at - 3]), np.int64(data[at - 2])
        if mask[_OF_THREE + _hash(first, second, third, np.int64(0))] >> SUFFIX & 1:
            found = _emit(out, found, last, row, SUFFIX, character, character + 1, reaches)
        if 65 <= second <= 90 and 65 <= third <= 90 and not _is_letter(first):  # the two capitals of a state: CA 90210
            found = _emit(out, found, last, row, ZIP, character, character + 1, reaches)
    return found


@kernel
def _mark(data, at, start, end, reaches, out, found, last, row, character, ends):  # type: ignore[no-untyped-def]
    """Anchors at one of ``@:-.``"""
    byte, before = data[at], _byte(data, at - 1, start, end)
    if byte == 64:
        return _emit(out, found, last, row, AT, character, character + 1, reaches)
    if byte == 46:
        if _is_digit(before) and _is_decimal(data, at, end):
            found = _emit(out, found, last, row, DEGREE, character, character + 1, reaches)
        return found
    if byte == 45 and before == 45 and _byte(data, at + 1, start, end) == 66:  # -----BEGIN
        found = _emit(out, found, last, row, SECRET, max(0, character - 4), character, reaches)
    run = 2 if byte == 58 else 3
    if at >= ends[run] and (byte == 58 or _is_hex(before)):
        behind, marks, pairs = at, 0, 0
        while behind < end and (_is_hex(data[behind]) or data[behind] == byte):
            if data[behind] == byte:
                marks += 1
                pairs += byte == 58 and _byte(data, behind + 1, start, end) == 58
            behind += 1
        ends[run] = behind
        if pairs or marks >= 5:
            found = _emit(out, found, last, row, HEX, character, character + behind - at, reaches)
    return found


@kernel
def _number(data, at, end):  # type: ignore[no-untyped-def]
    """A run of digits with at most three of `` .-/()+`` between two of them -> (its end, how many digits)."""
    behind, digits, gap = at, 0, 0
    while at < end and gap <= _GAP:
        byte = data[at]
        if _is_digit(byte):
            digits, gap, behind = digits + 1, 0, at + 1
        elif byte == 32 or byte == 46 or byte == 45 or byte == 47 or byte == 40 or byte == 41 or byte == 43:
            gap += 1
        else:
            break
        at += 1
    return behind, digits


@kernel
def _is_decimal(data, at, end):  # type: ignore[no-untyped-def]
    """A point with four digits behind it."""
    if at + 4 >= end:
        return False
    return _is_digit(data[at + 1]) and _is_digit(data[at + 2]) and _is_digit(data[at + 3]) and _is_digit(data[at + 4])
