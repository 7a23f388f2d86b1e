"""Text between tags, as a reader sees it: references decoded, white space collapsed but for ``pre``, cut into blocks.

read_text(data, at, end, text, state, keys, codes)   # from one tag to the next
flush(blocks, state, text)                           # a tag that ends the block
"""

import numpy as np

from corpus.kernels.compiled import lean_kernel
from corpus.kernels.entities import reference
from corpus.kernels.page_layout import (
    BOLD_UNITS,
    BREAKS,
    END,
    INLINE,
    LINK_UNITS,
    LINKS,
    NODE,
    S_BLOCKS,
    S_BOLD,
    S_BOX,
    S_BREAKS,
    S_IN_A,
    S_IN_B,
    S_INLINE,
    S_LINE,
    S_LINK_UNITS,
    S_LINKS,
    S_OUT,
    S_PENDING,
    S_PRE,
    S_START,
    S_UNITS,
    START,
    UNITS,
)

_PLAIN = np.array([32 < byte < 128 and byte not in b"&<" for byte in range(256)])


@lean_kernel
def flush(blocks, state, text):  # type: ignore[no-untyped-def]
    """End the block of text, if there is any."""
    out = state[S_OUT]
    while out > state[S_START] and text[out - 1] == 10:
        out -= 1
    if state[S_UNITS] == 0:
        out = state[S_START]  # white space within pre
    if out > state[S_START]:
        row = state[S_BLOCKS]
        blocks[row, START], blocks[row, END], blocks[row, NODE] = state[S_START], out, state[S_BOX]
        blocks[row, UNITS], blocks[row, LINK_UNITS], blocks[row, LINKS] = state[S_UNITS], state[S_LINK_UNITS], state[S_LINKS]
        blocks[row, BOLD_UNITS], blocks[row, BREAKS], blocks[row, INLINE] = state[S_BOLD], state[S_BREAKS], state[S_INLINE]
        state[S_BLOCKS] = row + 1
    state[S_OUT] = out
    state[S_START] = out
    state[S_PENDING] = state[S_UNITS] = state[S_LINK_UNITS] = state[S_BOLD] = state[S_BREAKS] = state[S_LINE] = state[S_INLINE] = 0
    state[S_LINKS] = 0


@lean_kernel
def _emit(text, state, byte):  # type: ignore[no-untyped-def]
    """One byte of visible text that is no white space."""
    out = state[S_OUT]
    if state[S_LINE]:
        if out > state[S_START] and not state[S_PRE]:
            text[out] = 10
            out += 1
        state[S_LINE] = 0
    elif state[S_PENDING] and out > state[S_START] and text[out - 1] != 10:
        text[out] = 32
        out += 1
        state[S_UNITS] += 1
    state[S_PENDING] = 0
    text[out] = byte
    state[S_OUT] = out + 1
    if byte < 0x80 or byte >= 0xC0:
        units = 2 if 0xE3 <= byte < 0xF0 else 1
        state[S_UNITS] += units
        if state[S_IN_A] > 0:
            state[S_LINK_UNITS] += units
        if state[S_IN_B] > 0:
            state[S_BOLD] += units


@lean_kernel
def _emit_space(text, state, byte):  # type: ignore[no-untyped-def]
    if state[S_PRE] and (byte == 32 or byte == 9 or byte == 10):
        if state[S_OUT] > state[S_START] or byte != 10:
            text[state[S_OUT]] = byte
            state[S_OUT] += 1
    else:
        state[S_PENDING] = 1


@lean_kernel
def _emit_code(text, state, code):  # type: ignore[no-untyped-def]
    """A code point that a reference stood for."""
    if code == 0:
        return
    if code == 32 or code == 9 or code == 10 or code == 13 or code == 12 or code == 0xA0:
        _emit_space(text, state, 32 if code == 0xA0 else code)
    elif code < 0x80:
        _emit(text, state, code)
    elif code < 0x800:
        _emit(text, state, 0xC0 | code >> 6)
        _emit(text, state, 0x80 | code & 63)
    elif code < 0x10000:
        _emit(text, state, 0xE0 | code >> 12)
        _emit(text, state, 0x80 | code >> 6 & 63)
        _emit(text, state, 0x80 | code & 63)
    else:
        _emit(text, state, 0xF0 | code >> 18)
        _emit(text, state, 0x80 | code >> 12 & 63)
        _emit(text, state, 0x80 | code >> 6 & 63)
        _emit(text, state, 0x80 | code & 63)


@lean_kernel
def _plain_run(data, at, end, text, state):  # type: ignore[no-untyped-def]
    """What most text is: ASCII with single spaces between its words, copied with the state written once."""
    out, spaces = state[S_OUT], 0
    first = at
    between = 0 if state[S_PRE] else 32
    while at < end:
        byte = data[at]
        if not _PLAIN[byte]:
            if byte != between or at + 1 >= end or not _PLAIN[data[at + 1]]:
                break
            spaces += 1
        text[out] = byte
        out += 1
        at += 1
    state[S_OUT] = out
    state[S_UNITS] += at - first
    if state[S_IN_A] > 0:
        state[S_LINK_UNITS] += at - first - spaces
    if state[S_IN_B] > 0:
        state[S_BOLD] += at - first - spaces
    return at


@lean_kernel
def read_text(data, at, end, text, state, keys, codes):  # type: ignore[no-untyped-def]
    """Text up to the next "<" that is not at ``at``."""
    start = at
    while at < end:
        byte = data[at]
        if _PLAIN[byte]:
            _emit(text, state, byte)
            at = _plain_run(data, at + 1, end, text, state)
            continue
        if byte == 60 and at > start:
            break
        if byte == 38:
            after, first, second = reference(data, at, end, keys, codes)
            if after > at:
                _emit_code(text, state, first)
                _emit_code(text, state, second)
                at = after
                continue
            _emit(text, state, byte)
        elif byte > 32:
            if byte == 0xC2 and at + 1 < end and data[at + 1] == 0xA0:  # no-break space
                _emit_space(text, state, 32)
                at += 1
            else:
                _emit(text, state, byte)
        elif byte == 32 or 9 <= byte <= 13:
            _emit_space(text, state, byte)
        at += 1
    return at


@lean_kernel
def line_break(text, blocks, state):  # type: ignore[no-untyped-def]
    """``br``: a new line; two of them, a new block."""
    state[S_PENDING] = 0
    if state[S_OUT] == state[S_START]:
        return
    if state[S_PRE]:
        text[state[S_OUT]] = 10
        state[S_OUT] += 1
    elif state[S_LINE]:
        flush(blocks, state, text)
    else:
        state[S_LINE] = 1
        state[S_BREAKS] += 1
