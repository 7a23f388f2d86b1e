"""Character references of HTML (``&amp;``, ``&#8212;``) as a table that kernels look up, by the rules of ``html.unescape``.

keys, codes = reference_table()
after, first, second = reference(data, at, end, keys, codes)   # data[at] is "&"
"""

from functools import lru_cache
from html.entities import html5

import numpy as np

from corpus.kernels.compiled import lean_kernel

_SLOTS = 8192  # for 2,231 names
_FNV = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_MASK = np.uint64(_SLOTS - 1)
_LONGEST = 32  # &CounterClockwiseContourIntegral; has 31 letters
REPLACEMENT = 0xFFFD
# What the bytes 80 to 9F mean in windows-1252: pages write &#150; for a dash.
_WINDOWS = np.array(
    [ord(bytes([code]).decode("cp1252")) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else code for code in range(128, 160)]
)


def name_hash(name: bytes) -> np.uint64:
    """FNV-1a, 64 bits: what the kernels compute byte by byte."""
    value = int(_FNV)
    for byte in name:
        value = (value ^ byte) * int(_PRIME) & 0xFFFFFFFFFFFFFFFF
    return np.uint64(value)


@lru_cache(maxsize=1)
def reference_table() -> tuple[np.ndarray, np.ndarray]:
    """Open addressing by hash: keys uint64 (slots,), 0 for none; codes int32 (slots, 3): two code points, and 1 where no ";" is needed."""
    keys, codes = np.zeros(_SLOTS, np.uint64), np.zeros((_SLOTS, 3), np.int32)
    for name in sorted(html5, reverse=True):  # "amp;" before "amp": the second marks the first
        key = name_hash(name.removesuffix(";").encode())
        slot = int(key & _MASK)
        while keys[slot] not in (0, key):
            slot = (slot + 1) % _SLOTS
        keys[slot] = key
        characters = html5[name]
        codes[slot, 0], codes[slot, 1] = ord(characters[0]), ord(characters[1]) if len(characters) > 1 else 0
        codes[slot, 2] |= not name.endswith(";")
    return keys, codes


@lean_kernel
def reference(data, at, end, keys, codes):  # type: ignore[no-untyped-def]
    """(where the text goes on, first code point, second or 0); (``at``, 0, 0) where "&" begins no reference.

    A reference to what is no character gives (after it, 0, 0).
    """
    start = at + 1
    if start < end and data[start] == 35:  # "#"
        return _numeric(data, at, start + 1, end)
    value = _FNV
    after, first, second = at, 0, 0
    position = start
    while position < end and position - start < _LONGEST:
        byte = data[position]
        if not (48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122):
            break
        value = (value ^ np.uint64(byte)) * _PRIME
        position += 1
        slot = value & _MASK
        while keys[slot] != 0 and keys[slot] != value:
            slot = (slot + np.uint64(1)) & _MASK
        if keys[slot] != 0:
            closed = position < end and data[position] == 59  # ";"
            if closed or codes[slot, 2] == 1:
                after, first, second = position + closed, codes[slot, 0], codes[slot, 1]
    return after, first, second


@lean_kernel
def _numeric(data, at, position, end):  # type: ignore[no-untyped-def]
    hexadecimal = position < end and (data[position] == 120 or data[position] == 88)
    if hexadecimal:
        position += 1
    start, value = position, 0
    while position < end:
        byte = np.int64(data[position])
        if 48 <= byte <= 57:
            digit = byte - 48
        elif hexadecimal and 97 <= (byte | 32) <= 102:
            digit = (byte | 32) - 87
        else:
            break
        value = min(value * (16 if hexadecimal else 10) + digit, 0x110000)
        position += 1
    if position == start:
        return at, 0, 0
    if position < end and data[position] == 59:
        position += 1
    if 0x80 <= value < 0xA0:
        value = _WINDOWS[value - 0x80]
    if value == 0 or value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
        return position, REPLACEMENT, 0
    if value < 32 and value != 9 and value != 10 and value != 12 and value != 13:
        return position, 0, 0
    if value == 0x7F or 0xFDD0 <= value <= 0xFDEF or value & 0xFFFE == 0xFFFE:
        return position, 0, 0
    return position, value, 0
