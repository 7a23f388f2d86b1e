"""The attributes of a tag, as spans of bytes; the walk of ``markup`` reads each tag's once.

spans = np.zeros((SPANS, 2), np.int64)
after, closed = read_attributes(data, at, end, spans)   # data[spans[A_CLASS, 0] : spans[A_CLASS, 1]] is the class
"""

import numpy as np

from corpus.kernels.compiled import kernel
from corpus.kernels.tags import ATTRIBUTE_KEYS, ATTRIBUTES

SPANS = len(ATTRIBUTES)
A_STYLE, A_HIDDEN, A_REL, A_TYPE, A_HREF = (ATTRIBUTES.index(name) for name in ("style", "hidden", "rel", "type", "href"))
_FNV = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_NONE = np.frombuffer(b"display:none", np.uint8)
_INVISIBLE = np.frombuffer(b"visibility:hidden", np.uint8)


@kernel
def read_attributes(data, at, end, spans):  # type: ignore[no-untyped-def]
    """(behind the tag's ">", whether there is one). ``spans``: start and end of each known attribute's value; (0, 0) where it is missing.

    ``at``: behind the tag's name. An attribute without a value has an empty span that begins behind its name. The first of two counts.
    """
    for which in range(SPANS):
        spans[which, 0] = spans[which, 1] = 0
    while at < end:
        byte = data[at]
        if byte == 62:
            return at + 1, True
        if byte <= 32 or byte == 47:
            at += 1
            continue
        value = _FNV
        first = at
        while at < end:
            byte = data[at]
            if byte <= 32 or byte == 47 or byte == 62 or (byte == 61 and at > first):
                break
            if 65 <= byte <= 90:
                byte |= 32
            value = (value ^ np.uint64(byte)) * _PRIME
            at += 1
        start = stop = at
        while at < end and data[at] <= 32:
            at += 1
        if at < end and data[at] == 61:
            at += 1
            while at < end and data[at] <= 32:
                at += 1
            start, stop, at = _value(data, at, end)
        for which in range(SPANS):
            if ATTRIBUTE_KEYS[which] == value and spans[which, 0] == 0:
                spans[which, 0], spans[which, 1] = start, stop
    return end, False


@kernel
def _value(data, at, end):  # type: ignore[no-untyped-def]
    """(start, end of the value at ``at``, where the tag goes on)."""
    if at >= end or data[at] == 62:
        return at, at, at
    quote = data[at]
    start = at
    if quote == 34 or quote == 39:
        start = at = at + 1
        while at < end and data[at] != quote:
            at += 1
        return start, at, min(at + 1, end)
    while at < end and data[at] > 32 and data[at] != 62:
        at += 1
    return start, at, at


@kernel
def span_contains(data, spans, which, wanted):  # type: ignore[no-untyped-def]
    """Whether the value has ``wanted`` (lower case, no letter outside ASCII) in it, in any case."""
    return _contains(data, spans[which, 0], spans[which, 1], wanted)


@kernel
def has_hiding_style(data, start, end):  # type: ignore[no-untyped-def]
    """``display: none`` or ``visibility: hidden`` within a style."""
    return start < end and (_contains(data, start, end, _NONE) or _contains(data, start, end, _INVISIBLE))


@kernel
def _contains(data, start, end, wanted):  # type: ignore[no-untyped-def]
    """White space in the value is passed over."""
    for begin in range(start, end - len(wanted) + 1):
        at, met = begin, 0
        while at < end and met < len(wanted):
            byte = data[at]
            if 65 <= byte <= 90:
                byte |= 32
            if byte == wanted[met]:
                met += 1
            elif byte > 32 or met == 0:
                break
            at += 1
        if met == len(wanted):
            return True
    return False
