"""Blocks of a page as text: paragraphs apart, list items, table rows and lines of code on lines of their own.

render(page, keep)
"""

import numpy as np

from corpus.kernels.markup import Page
from corpus.kernels.page_layout import (
    NODE,
    PARENT,
    TAG,
)
from corpus.kernels.tags import NUMBERS

_LI, _TR = NUMBERS["li"], NUMBERS["tr"]
_CELLS = np.array([NUMBERS["td"], NUMBERS["th"]])
_CLOSE = np.array([NUMBERS[name] for name in ("li", "dt", "dd", "td", "th", "tr")])  # no empty line between two of these


def render(page: Page, keep: np.ndarray) -> str:
    """The blocks where ``keep`` is true, in their order."""
    chosen = np.flatnonzero(keep)
    if not len(chosen):
        return ""
    owners = page.blocks[chosen, NODE]
    tags = page.nodes[owners, TAG]
    parents = page.nodes[owners, PARENT]
    close = np.isin(tags, _CLOSE)
    cell = np.isin(tags, _CELLS) & (page.nodes[parents, TAG] == _TR)
    pieces: list[str] = []
    for at, row in enumerate(chosen.tolist()):
        if at:
            if cell[at] and cell[at - 1] and parents[at] == parents[at - 1] and owners[at] != owners[at - 1]:
                pieces.append("\t")
            else:
                pieces.append("\n" if close[at] and close[at - 1] else "\n\n")
        if tags[at] == _LI and (not at or owners[at] != owners[at - 1]):
            pieces.append("- ")
        pieces.append(page.block_text(row))
    return "".join(pieces)
