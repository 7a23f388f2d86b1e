"""HTML as bytes -> its elements and the blocks of its text, in one walk: no tree of objects, no Python string, linear time.

The rules are those of the HTML standard where they decide what a reader sees: void elements, raw text, implied end tags, scopes of
tables. What is left out: formatting elements are not opened again, and nothing is moved out of a table. A block is a run of text between
two tags that begin or end a block; its text has its references decoded and its white space collapsed, but for ``pre``.

    page = scan(b"<p>One <b>two</b><p>Three")
    page.block_text(1) -> "Three"
"""

import threading
from dataclasses import dataclass
from typing import final

import numpy as np

from corpus.kernels.attributes import A_HIDDEN, A_REL, A_STYLE, A_TYPE, SPANS, has_hiding_style, read_attributes, span_contains
from corpus.kernels.compiled import lean_kernel
from corpus.kernels.entities import reference_table
from corpus.kernels.page_layout import (
    BLOCK_COLUMNS,
    DEPTH,
    END,
    FIRST_BLOCK,
    HIDDEN,
    MARK_HTML,
    MARK_JSON,
    MARK_LICENSE,
    MARK_LINK,
    MARK_META,
    MARK_TIME,
    MARK_TITLE,
    MARKS_KEPT,
    NODE_COLUMNS,
    PARENT,
    S_BLOCKS,
    S_BOX,
    S_DEPTH,
    S_HIDE_AT,
    S_IN_A,
    S_IN_B,
    S_INLINE,
    S_KINDS,
    S_LINKS,
    S_MARKS,
    S_NODES,
    S_OUT,
    S_OVER,
    S_PRE,
    S_SCRIPTLESS,
    S_TEMPLATE,
    SPAN,
    START,
    STATE,
    TAG,
)
from corpus.kernels.seek import LESS, MORE, count, find, whole_words
from corpus.kernels.stack import close_implied, end_tag
from corpus.kernels.tags import BLOCK, FLAGS, HIDES, IN_HEAD, NUMBERS, RAW, VOID, tag_name
from corpus.kernels.visible_text import flush, line_break, read_text

MAX_DEPTH = 512  # what stands deeper belongs to the element at this depth

_A, _BR, _BODY, _HEAD, _HTML, _TITLE, _META, _LINK, _TIME, _SCRIPT = (
    NUMBERS[name] for name in ("a", "br", "body", "head", "html", "title", "meta", "link", "time", "script")
)
_PRE, _LISTING, _B, _STRONG, _HR, _TEMPLATE, _PLAINTEXT, _NOSCRIPT = (
    NUMBERS[name] for name in ("pre", "listing", "b", "strong", "hr", "template", "plaintext", "noscript")
)
_JSON = np.frombuffer(b"application/ld+json", np.uint8)
_LICENSE = np.frombuffer(b"license", np.uint8)


@final
@dataclass(frozen=True)
class Page:
    """``text``: uint8, all blocks one after another; ``nodes`` (elements, NODE_COLUMNS) in document order, a parent before its children;
    ``blocks`` (blocks, BLOCK_COLUMNS); ``marks`` (n, 3); all int32."""

    data: np.ndarray
    text: np.ndarray
    nodes: np.ndarray
    blocks: np.ndarray
    marks: np.ndarray

    def block_text(self, number: int) -> str:
        return self.text[self.blocks[number, START] : self.blocks[number, END]].tobytes().decode("utf-8", "replace")


def scan(html: bytes) -> Page:
    """UTF-8 bytes of a page -> what is in it. Never raises; bytes that are no UTF-8 come out as they are."""
    data = np.frombuffer(html, np.uint8)
    page = _read(data, False)
    if len(page.blocks) < _EMPTY and b"<noscript" in html:
        scriptless = _read(data, True)
        return scriptless if len(scriptless.text) >= _FULL else page
    return page


_EMPTY, _FULL = 3, 1000  # blocks and bytes: a page that is empty without scripts, and full for who has none, as Discourse's forums are


def _read(data: np.ndarray, scriptless: bool) -> Page:
    keys, codes = reference_table()
    text, nodes, blocks, marks = _room(len(data), count(data, LESS))
    stack, spans, state = np.zeros(MAX_DEPTH + 1, np.int64), np.zeros((SPANS, 2), np.int64), np.zeros(STATE, np.int64)
    state[S_SCRIPTLESS] = scriptless
    _scan(data, whole_words(data), keys, codes, text, nodes, blocks, marks, stack, spans, state)
    used = [state[which] for which in (S_OUT, S_NODES, S_BLOCKS, S_MARKS)]
    return Page(data, *(array[:rows].copy() for array, rows in zip((text, nodes, blocks, marks), used, strict=True)))


_ROOMY = (2**20, 2**14)  # bytes and tags of a page whose room is kept for the next one
_kept = threading.local()


def _room(size: int, tags: int) -> tuple[np.ndarray, ...]:
    """What the walk writes into. Of most pages the same again: a quarter of a scan went to the faults of fresh memory."""
    roomy = size <= _ROOMY[0] and tags <= _ROOMY[1]
    if roomy and hasattr(_kept, "room"):
        return _kept.room  # type: ignore[no-any-return]
    size, tags = _ROOMY if roomy else (size, tags)
    text, nodes = np.empty(size + size // 4 + 64, np.uint8), np.empty((tags + 2, NODE_COLUMNS), np.int32)
    room = text, nodes, np.empty((2 * tags + 4, BLOCK_COLUMNS), np.int32), np.empty((MARKS_KEPT.sum(), 3), np.int32)
    if roomy:
        _kept.room = room
    return room


@lean_kernel
def _raw_end(data, words, at, end, name_start, name_end):  # type: ignore[no-untyped-def]
    """Where ``</name`` stands from ``at`` on, else ``end``."""
    length = name_end - name_start
    at = find(data, words, at, end, LESS)
    while at < end:
        if at + 2 + length <= end and data[at + 1] == 47:
            same = True
            for offset in range(length):
                if (data[at + 2 + offset] | 32) != (data[name_start + offset] | 32):
                    same = False
                    break
            if same and (
                at + 2 + length == end or data[at + 2 + length] <= 32 or data[at + 2 + length] == 62 or data[at + 2 + length] == 47
            ):
                return at
        at = find(data, words, at + 1, end, LESS)
    return end


@lean_kernel
def _comment_end(data, words, at, end):  # type: ignore[no-untyped-def]
    """``at``: behind ``<!--``. Where the comment is over."""
    if at < end and data[at] == 62:
        return at + 1
    if at + 1 < end and data[at] == 45 and data[at + 1] == 62:
        return at + 2
    first = at
    while True:
        at = find(data, words, at, end, MORE)
        if at >= end:
            return end
        if at - 2 >= first and data[at - 1] == 45 and data[at - 2] == 45:
            return at + 1
        if at - 3 >= first and data[at - 1] == 33 and data[at - 2] == 45 and data[at - 3] == 45:
            return at + 1
        at += 1


@lean_kernel
def _behind(data, words, at, end):  # type: ignore[no-untyped-def]
    """Behind the next ">"."""
    return min(end, find(data, words, at, end, MORE) + 1)


@lean_kernel
def _mark(marks, state, kind, start, end):  # type: ignore[no-untyped-def]
    if state[S_KINDS + kind] < MARKS_KEPT[kind] and not state[S_TEMPLATE]:
        row = state[S_MARKS]
        marks[row, 0], marks[row, 1], marks[row, 2] = kind, start, end
        state[S_MARKS] = row + 1
        state[S_KINDS + kind] += 1


@lean_kernel
def _popped(nodes, stack, state, depth):  # type: ignore[no-untyped-def]
    """Take the elements above ``depth`` from the stack, and with them what they meant."""
    while state[S_DEPTH] > depth:
        state[S_DEPTH] -= 1
        tag = nodes[stack[state[S_DEPTH]], TAG]
        if tag == _A:
            state[S_IN_A] -= 1
        elif tag == _B or tag == _STRONG:
            state[S_IN_B] -= 1
        elif tag == _PRE or tag == _LISTING:
            state[S_PRE] -= 1
        elif tag == _TEMPLATE:
            state[S_TEMPLATE] -= 1
    if state[S_HIDE_AT] >= depth:
        state[S_HIDE_AT] = -1
    at = depth - 1
    while at > 0 and not FLAGS[nodes[stack[at], TAG]] & BLOCK:
        at -= 1
    state[S_BOX] = stack[max(at, 0)]


@lean_kernel
def _push(nodes, stack, state, tag, spans, hidden):  # type: ignore[no-untyped-def]
    if state[S_DEPTH] >= MAX_DEPTH:
        state[S_OVER] += 1
        return
    row = state[S_NODES]
    parent = stack[state[S_DEPTH] - 1]
    nodes[row, PARENT], nodes[row, TAG], nodes[row, DEPTH] = parent, tag, state[S_DEPTH]
    nodes[row, HIDDEN] = nodes[parent, HIDDEN] or hidden
    nodes[row, FIRST_BLOCK] = state[S_BLOCKS]
    for which in range(5):
        nodes[row, SPAN + 2 * which], nodes[row, SPAN + 2 * which + 1] = spans[which, 0], spans[which, 1]
    state[S_NODES] = row + 1
    stack[state[S_DEPTH]] = row
    if FLAGS[tag] & HIDES and state[S_HIDE_AT] < 0 and not (tag == _NOSCRIPT and state[S_SCRIPTLESS]):
        state[S_HIDE_AT] = state[S_DEPTH]
    state[S_DEPTH] += 1
    if FLAGS[tag] & BLOCK:
        state[S_BOX] = row
    if tag == _A:
        state[S_IN_A] += 1
        state[S_LINKS] += 1
    elif tag == _B or tag == _STRONG:
        state[S_IN_B] += 1
    elif tag == _PRE or tag == _LISTING:
        state[S_PRE] += 1
    elif tag == _TEMPLATE:
        state[S_TEMPLATE] += 1


@lean_kernel
def _start_tag(data, words, at, end, text, nodes, blocks, marks, stack, state, spans):  # type: ignore[no-untyped-def]
    """``at``: behind "<". Where the walk goes on."""
    begin = at - 1
    tag, name_end = tag_name(data, at, end)
    after, closed = read_attributes(data, words, name_end, end, spans)
    if not closed:
        return end  # the standard drops a tag that the end of the file cuts
    flags = FLAGS[tag]
    if tag == _META:
        _mark(marks, state, MARK_META, begin, after)
    elif tag == _LINK:
        _mark(marks, state, MARK_LINK, begin, after)
    elif tag == _HTML:
        _mark(marks, state, MARK_HTML, begin, after)
    elif tag == _TIME and spans[11, 1] > 0:
        _mark(marks, state, MARK_TIME, begin, after)
    elif tag == _A and span_contains(data, spans, A_REL, _LICENSE):
        _mark(marks, state, MARK_LICENSE, begin, after)
    if flags & RAW:
        stop = end if tag == _PLAINTEXT else _raw_end(data, words, after, end, at, name_end)
        if tag == _TITLE and state[S_HIDE_AT] <= 1:  # not one within svg
            _mark(marks, state, MARK_TITLE, after, stop)
        elif tag == _SCRIPT and span_contains(data, spans, A_TYPE, _JSON):
            _mark(marks, state, MARK_JSON, after, stop)
        if flags & BLOCK:
            flush(blocks, state, text)
        return _behind(data, words, stop, end)
    if tag == _HTML or tag == _BODY or tag == _HEAD:
        return _frame_tag(after, tag, text, nodes, blocks, stack, state, spans)
    _leave_head(nodes, stack, state, flags)
    if tag == _BR:
        line_break(text, blocks, state)
        return after
    if flags & BLOCK or tag == _HR:
        flush(blocks, state, text)
    elif state[S_HIDE_AT] < 0:
        state[S_INLINE] += 1
    depth = close_implied(nodes, stack, state[S_DEPTH], tag)
    if depth < state[S_DEPTH]:
        _popped(nodes, stack, state, depth)
    if not flags & VOID:
        hidden = spans[A_HIDDEN, 0] > 0 or has_hiding_style(data, spans[A_STYLE, 0], spans[A_STYLE, 1])
        _push(nodes, stack, state, tag, spans, hidden)
        if tag == _PRE and after < end and data[after] == 10:
            after += 1
    return after


@lean_kernel
def _leave_head(nodes, stack, state, flags):  # type: ignore[no-untyped-def]
    top = nodes[stack[state[S_DEPTH] - 1], TAG]
    if top == _HEAD and not flags & IN_HEAD:
        _popped(nodes, stack, state, state[S_DEPTH] - 1)


@lean_kernel
def _frame_tag(after, tag, text, nodes, blocks, stack, state, spans):  # type: ignore[no-untyped-def]
    """``html``, ``head``, ``body``: once, and in their place; the root is ``html`` from the start."""
    if tag == _HTML:
        for which in range(5):
            if nodes[0, SPAN + 2 * which + 1] == 0:
                nodes[0, SPAN + 2 * which], nodes[0, SPAN + 2 * which + 1] = spans[which, 0], spans[which, 1]
        return after
    if tag == _BODY and state[S_DEPTH] > 1 and nodes[stack[1], TAG] == _HEAD:
        _popped(nodes, stack, state, 1)
    if state[S_DEPTH] == 1 and (tag == _BODY or state[S_BLOCKS] == 0):
        flush(blocks, state, text)
        _push(nodes, stack, state, tag, spans, False)  # a body hidden until a script shows it is not hidden to us
    return after


@lean_kernel
def _scan(data, words, keys, codes, text, nodes, blocks, marks, stack, spans, state):  # type: ignore[no-untyped-def]
    end = len(data)
    nodes[0] = 0
    nodes[0, PARENT], nodes[0, TAG] = -1, _HTML
    state[S_DEPTH] = state[S_NODES] = 1
    state[S_HIDE_AT] = -1
    at = 0
    if end >= 3 and data[0] == 0xEF and data[1] == 0xBB and data[2] == 0xBF:
        at = 3
    while at < end:
        if data[at] == 60 and at + 1 < end:
            following = data[at + 1]
            if 97 <= (following | 32) <= 122:
                at = _start_tag(data, words, at + 1, end, text, nodes, blocks, marks, stack, state, spans)
                continue
            if following == 47:
                at = _end(data, words, at, end, text, nodes, blocks, stack, state, spans)
                continue
            if following == 33 and at + 3 < end and data[at + 2] == 45 and data[at + 3] == 45:
                at = _comment_end(data, words, at + 4, end)
                continue
            if following == 33 or following == 63:
                at = _behind(data, words, at + 2, end)
                continue
        if state[S_HIDE_AT] >= 0:
            at = _hidden_text(data, at, end, nodes, stack, state)
        if at < end and state[S_HIDE_AT] < 0 and not (data[at] == 60 and at + 1 < end and _opens(data[at + 1])):
            at = read_text(data, at, end, text, state, keys, codes)
    flush(blocks, state, text)


@lean_kernel
def _opens(byte):  # type: ignore[no-untyped-def]
    return 97 <= (byte | 32) <= 122 or byte == 47 or byte == 33 or byte == 63


@lean_kernel
def _hidden_text(data, at, end, nodes, stack, state):  # type: ignore[no-untyped-def]
    """Text within what hides it. In ``head`` it begins the body, and the walk goes on where it stands."""
    in_head = nodes[stack[state[S_DEPTH] - 1], TAG] == _HEAD
    start = at
    while at < end and (at == start or data[at] != 60):
        if in_head and data[at] > 32 and data[at] != 60:
            _popped(nodes, stack, state, state[S_DEPTH] - 1)
            return at
        at += 1
    return at


@lean_kernel
def _end(data, words, at, end, text, nodes, blocks, stack, state, spans):  # type: ignore[no-untyped-def]
    """``at``: at "</". Where the walk goes on."""
    if at + 2 >= end:
        return end
    if not 97 <= (data[at + 2] | 32) <= 122:
        return _behind(data, words, at + 2, end)
    tag, name_end = tag_name(data, at + 2, end)
    if name_end < end and data[name_end] == MORE:  # as nearly all end tags
        after = name_end + 1
    else:
        after, closed = read_attributes(data, words, name_end, end, spans)
        if not closed:
            return end
    if FLAGS[tag] & BLOCK:
        flush(blocks, state, text)
    if tag == _BR:
        line_break(text, blocks, state)
        return after
    if state[S_OVER] > 0:
        state[S_OVER] -= 1
        return after
    depth = end_tag(nodes, stack, state[S_DEPTH], tag)
    if depth < state[S_DEPTH]:
        _popped(nodes, stack, state, depth)
    return after
