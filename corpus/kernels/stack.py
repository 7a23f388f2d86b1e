"""Which open elements a tag closes: implied end tags, and the scopes that an end tag cannot leave.

depth = end_tag(nodes, stack, depth, NUMBERS["div"])   # the stack is cut to this depth
"""

import numpy as np

from corpus.kernels.compiled import lean_kernel
from corpus.kernels.tags import BLOCK, CLOSES_P, FLAGS, NAMES, NUMBERS

_TAG = 1  # the column of markup's elements
_A, _P, _LI, _DT, _DD, _OPTION, _OPTGROUP, _SELECT = (
    NUMBERS[name] for name in ("a", "p", "li", "dt", "dd", "option", "optgroup", "select")
)
_TABLE, _TR, _TD, _TH, _CAPTION, _COLGROUP = (NUMBERS[name] for name in ("table", "tr", "td", "th", "caption", "colgroup"))
_THEAD, _TBODY, _TFOOT, _BODY, _HTML, _HEAD = (NUMBERS[name] for name in ("thead", "tbody", "tfoot", "body", "html", "head"))
_ADDRESS, _DIV, _BUTTON, _FORM, _OBJECT = (NUMBERS[name] for name in ("address", "div", "button", "form", "object"))
_TEMPLATE, _SVG, _MARQUEE = (NUMBERS[name] for name in ("template", "svg", "marquee"))

IS_HEADING = np.array([name in ("h1", "h2", "h3", "h4", "h5", "h6") for name in NAMES])
_OF_TABLE = np.array([name in ("table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "colgroup") for name in NAMES])
# A cell closes what ranks 3, a row also what ranks 2, a section of rows all three.
_RANKS = {"td": 3, "th": 3, "caption": 3, "colgroup": 3, "tr": 2, "thead": 1, "tbody": 1, "tfoot": 1}
_RANK = np.array([_RANKS.get(name, 0) for name in NAMES])
_BARS = np.array([name in ("table", "td", "th", "caption", "template", "html", "object", "marquee", "button", "svg") for name in NAMES])


@lean_kernel
def close_implied(nodes, stack, depth, tag):  # type: ignore[no-untyped-def]
    """The depth that the stack is cut to when the element ``tag`` begins. The root always stays."""
    if tag == _LI or tag == _DT or tag == _DD:
        depth = _close_item(nodes, stack, depth, tag)
    elif _RANK[tag] > 0:
        return _close_cell(nodes, stack, depth, tag)
    elif tag == _OPTION or tag == _OPTGROUP:
        if nodes[stack[depth - 1], _TAG] == _OPTION and depth > 1:
            depth -= 1
        if tag == _OPTGROUP and nodes[stack[depth - 1], _TAG] == _OPTGROUP and depth > 1:
            depth -= 1
        return depth
    elif tag == _A:
        at = depth - 1
        while at > 0 and not FLAGS[nodes[stack[at], _TAG]] & BLOCK:
            if nodes[stack[at], _TAG] == _A:
                return at
            at -= 1
        return depth
    elif IS_HEADING[tag] and depth > 1 and IS_HEADING[nodes[stack[depth - 1], _TAG]]:
        depth -= 1
    if FLAGS[tag] & CLOSES_P:
        at = depth - 1
        while at > 0 and not FLAGS[nodes[stack[at], _TAG]] & BLOCK:
            at -= 1
        if at > 0 and nodes[stack[at], _TAG] == _P:
            return at
    return depth


@lean_kernel
def _close_item(nodes, stack, depth, tag):  # type: ignore[no-untyped-def]
    at = depth - 1
    while at > 0:
        open_tag = nodes[stack[at], _TAG]
        if open_tag == tag or (tag != _LI and (open_tag == _DT or open_tag == _DD)):
            return at
        if FLAGS[open_tag] & BLOCK and open_tag != _ADDRESS and open_tag != _DIV and open_tag != _P:
            return depth
        at -= 1
    return depth


@lean_kernel
def _close_cell(nodes, stack, depth, tag):  # type: ignore[no-untyped-def]
    """A cell closes the cell before it, a row the row, a section the section; never beyond the table. Outside of one nothing closes."""
    at = depth - 1
    found = depth
    while at > 0:
        open_tag = nodes[stack[at], _TAG]
        if open_tag == _TABLE or open_tag == _TEMPLATE:
            return found
        if _RANK[open_tag] > 0 and _RANK[open_tag] >= _RANK[tag]:
            found = at
        at -= 1
    return found


@lean_kernel
def end_tag(nodes, stack, depth, tag):  # type: ignore[no-untyped-def]
    """The depth that the stack is cut to at the end tag ``tag``; ``depth`` where nothing in its scope is open."""
    if tag == _HTML or tag == _BODY:
        return depth  # what follows is still the page's
    block = FLAGS[tag] & BLOCK
    at = depth - 1
    while at > 0:
        open_tag = nodes[stack[at], _TAG]
        if open_tag == tag or (IS_HEADING[tag] and IS_HEADING[open_tag]):
            return at
        if block:
            if _OF_TABLE[tag]:
                if open_tag == _TABLE:
                    return depth
            elif _BARS[open_tag]:
                return depth
        elif FLAGS[open_tag] & BLOCK:
            return depth
        at -= 1
    return depth
