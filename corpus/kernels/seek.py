"""The next place of a byte, eight bytes at a step: scripts, comments and values of attributes are four fifths of a page.

words = whole_words(data)
at = find(data, words, at, end, LESS)   # the next "<" from ``at`` on, or ``end``
"""

import numpy as np

from corpus.kernels.compiled import lean_kernel

LESS, MORE = np.uint8(60), np.uint8(62)
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)


def whole_words(data: np.ndarray) -> np.ndarray:
    """The bytes (n,) uint8 as uint64 (n // 8,)."""
    return data[: len(data) // 8 * 8].view(np.uint64)


@lean_kernel
def find(data, words, at, end, wanted):  # type: ignore[no-untyped-def]
    """A word has a zero byte where its difference from its own high bits is 1 (Mycroft's test): no byte of it is looked at by itself."""
    edge = min(end, (at + 7) & ~7)
    while at < edge:
        if data[at] == wanted:
            return at
        at += 1
    if at >= end:
        return end
    pattern = np.uint64(wanted) * _ONES
    word, last = at >> 3, end >> 3
    while word < last:
        value = words[word] ^ pattern
        if (value - _ONES) & ~value & _HIGHS:
            break
        word += 1
    at = word << 3
    while at < end and data[at] != wanted:
        at += 1
    return at


@lean_kernel
def count(data, wanted):  # type: ignore[no-untyped-def]
    """How often a byte is met; a loop that the compiler makes vectors of."""
    found = 0
    for byte in data:
        found += byte == wanted
    return found


def is_utf8(payload: bytes) -> bool:
    """What ``payload.decode("utf-8")`` would say, without making the text."""
    data = np.frombuffer(payload, np.uint8)
    return bool(_is_utf8(data, whole_words(data)))


@lean_kernel
def _is_utf8(data, words):  # type: ignore[no-untyped-def]
    at, end = 0, len(data)
    while at < end:
        byte = data[at]
        if byte < 0x80:
            at += 1
            if at & 7 == 0:
                word = at >> 3
                while word < len(words) and not words[word] & _HIGHS:
                    word += 1
                at = max(at, word << 3)
            continue
        if byte < 0xC2 or byte > 0xF4:
            return False
        more = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
        if at + more >= end:
            return False
        second = data[at + 1]
        # the shortest form alone, no surrogates, nothing above U+10FFFF
        if (
            (byte == 0xE0 and second < 0xA0)
            or (byte == 0xED and second > 0x9F)
            or (byte == 0xF0 and second < 0x90)
            or (byte == 0xF4 and second > 0x8F)
        ):
            return False
        for offset in range(1, more + 1):
            if data[at + offset] & 0xC0 != 0x80:
                return False
        at += more + 1
    return True
