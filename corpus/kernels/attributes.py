"""The attributes of a tag, as spans of bytes; the walk of ``markup`` reads each tag's once.

spans = np.zeros((SPANS, 2), np.int64)
after, closed = read_attributes(data, words, at, end, spans)   # data[spans[A_CLASS, 0] : spans[A_CLASS, 1]] is the class
"""

import numpy as np

from corpus.kernels.compiled import lean_kernel
from corpus.kernels.seek import find
from corpus.kernels.tags import ATTRIBUTES

SPANS = len(ATTRIBUTES)
A_STYLE, A_HIDDEN, A_REL, A_TYPE, A_HREF = (ATTRIBUTES.index(name) for name in ("style", "hidden", "rel", "type", "href"))
_ENDS_NAME = np.array([byte <= 32 or byte in b"/>=" for byte in range(256)])
_LONGEST = max(map(len, ATTRIBUTES))
_NAMES = np.array([list(name.encode().ljust(_LONGEST)) for name in ATTRIBUTES], np.uint8)
_BY_LENGTH = np.full((_LONGEST + 1, 256), -1, np.int64)
for _number, _name in enumerate(ATTRIBUTES):
    assert _BY_LENGTH[len(_name), ord(_name[0])] == -1
    for _first in (_name[0], _name[0].upper()):
        _BY_LENGTH[len(_name), ord(_first)] = _number
_NONE = np.frombuffer(b"display:none", np.uint8)
_INVISIBLE = np.frombuffer(b"visibility:hidden", np.uint8)


@lean_kernel
def read_attributes(data, words, at, end, spans):  # type: ignore[no-untyped-def]
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
        first = at
        at += 1  # "=" may begin a name
        while at < end and not _ENDS_NAME[data[at]]:
            at += 1
        start = stop = name_end = at
        while at < end and data[at] <= 32:
            at += 1
        if at < end and data[at] == 61:
            at += 1
            while at < end and data[at] <= 32:
                at += 1
            start, stop, at = _value(data, words, at, end)
        which = _known(data, first, name_end)
        if which >= 0 and spans[which, 0] == 0:
            spans[which, 0], spans[which, 1] = start, stop
    return end, False


@lean_kernel
def _known(data, first, stop):  # type: ignore[no-untyped-def]
    """The number of the attribute whose name this is, or -1: no two that are read have the same length and first letter."""
    length = stop - first
    if length >= len(_BY_LENGTH):
        return -1
    which = _BY_LENGTH[length, data[first]]
    if which >= 0:
        for at in range(1, length):
            byte = data[first + at]
            if (byte | 32 if 65 <= byte <= 90 else byte) != _NAMES[which, at]:
                return -1
    return which


@lean_kernel
def _value(data, words, at, end):  # type: ignore[no-untyped-def]
    """(start, end of the value at ``at``, where the tag goes on)."""
    if at >= end or data[at] == 62:
        return at, at, at
    quote = data[at]
    start = at
    if quote == 34 or quote == 39:
        start = at + 1
        at = find(data, words, start, end, quote)
        return start, at, min(at + 1, end)
    while at < end and data[at] > 32 and data[at] != 62:
        at += 1
    return start, at, at


@lean_kernel
def span_contains(data, spans, which, wanted):  # type: ignore[no-untyped-def]
    """Whether the value has ``wanted`` (lower case, no letter outside ASCII) in it, in any case."""
    return _contains(data, spans[which, 0], spans[which, 1], wanted)


@lean_kernel
def has_hiding_style(data, start, end):  # type: ignore[no-untyped-def]
    """``display: none`` or ``visibility: hidden`` within a style."""
    return start < end and (_contains(data, start, end, _NONE) or _contains(data, start, end, _INVISIBLE))


@lean_kernel
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
