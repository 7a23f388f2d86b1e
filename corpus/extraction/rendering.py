"""Blocks of a page as text: paragraphs apart, list items, table rows and lines of code on lines of their own.

render(page, keep)
"""

import numpy as np

from corpus.kernels.compiled import kernel
from corpus.kernels.markup import Page
from corpus.kernels.page_layout import NODE, PARENT, TAG
from corpus.kernels.tags import NAMES, NUMBERS

_LI = NUMBERS["li"]
_ITEM = np.array([name in ("li", "dt", "dd", "td", "th") for name in NAMES])
_CELL = np.array([name in ("td", "th") for name in NAMES])
_PARAGRAPH, _LINE, _TAB = 0, 1, 2
_BETWEEN = ("\n\n", "\n", "\t")


def render(page: Page, keep: np.ndarray) -> str:
    """The blocks where ``keep`` is true, in their order. A row of a table is a line where each of its cells is one block."""
    pieces: list[str] = []
    chosen = np.flatnonzero(keep)
    for row, (between, bullet) in zip(chosen.tolist(), _joints(page.nodes, page.blocks, chosen).tolist(), strict=True):
        if pieces:
            pieces.append(_BETWEEN[between])
        if bullet:
            pieces.append("- ")
        pieces.append(page.block_text(row))
    return "".join(pieces)


@kernel
def _joints(nodes, blocks, chosen):  # type: ignore[no-untyped-def]
    """For each block what stands before it, and whether a list item begins with it: int64 (chosen, 2)."""
    item = np.full(len(nodes), -1, np.int64)  # the innermost item that an element is in
    held = np.zeros(len(nodes), np.int64)  # blocks chosen within an item itself
    for node in range(1, len(nodes)):
        item[node] = node if _ITEM[nodes[node, TAG]] else item[nodes[node, PARENT]]
    for row in chosen:
        if item[blocks[row, NODE]] >= 0:
            held[item[blocks[row, NODE]]] += 1
    found = np.zeros((len(chosen), 2), np.int64)
    before = -1
    for at in range(len(chosen)):
        mine = item[blocks[chosen[at], NODE]]
        if mine >= 0 and mine != before:
            tag = nodes[mine, TAG]
            found[at, 1] = tag == _LI
            if before >= 0:
                found[at, 0] = _LINE
                if _CELL[tag] and _CELL[nodes[before, TAG]]:
                    if held[mine] > 1 or held[before] > 1:
                        found[at, 0] = _PARAGRAPH  # a table that lays out a page
                    elif nodes[mine, PARENT] == nodes[before, PARENT]:
                        found[at, 0] = _TAB
        before = mine
    return found
