"""What a second look at the blocks adds: what a first classifier thought of the blocks around, and the choice of blocks by expected F1.

context = block_context(first, page.nodes, page.blocks, groups)   # groups: of block_features
chosen = choose(probabilities, words, bias)
"""

import numpy as np

from corpus.kernels.block_groups import same_means
from corpus.kernels.compiled import kernel, lean_kernel
from corpus.kernels.page_layout import (
    NODE,
    PARENT,
    UNITS,
)

_OFFSETS = np.array([-5, -4, -3, -2, -1, 1, 2, 3, 4, 5])
_LEVELS = 5
CONTEXT = (
    "first", *(f"first_{at:+d}" for at in _OFFSETS), *(f"first_level_{level}" for level in range(_LEVELS)), "first_near", "first_far",
    "first_page", "first_before", "first_after", "first_most", "first_most_near",
    "first_in_50",
    "first_in_75",
    "first_in_90",
    "first_core_share",
    "first_levels",
    "first_meeting_share", "first_same_path", "first_inner", "first_outer", "first_same_tags",
)  # fmt: skip
_WIDTH = len(CONTEXT)
_AT_LEVELS = 1 + len(_OFFSETS)
_AT_REST = _AT_LEVELS + _LEVELS
_AT_CORE = _AT_REST + 7
_AT_SAME = _AT_CORE + 6


@kernel
def block_context(first, nodes, blocks, groups):  # type: ignore[no-untyped-def]
    """First probabilities (blocks,) -> float32 (blocks, CONTEXT) by columns: of neighbours, subtrees around, groups, page; by units."""
    count = len(blocks)
    out = np.zeros((_WIDTH, count), np.float32).T
    if count == 0:
        return out
    sums = np.zeros((len(nodes), 3))
    ahead = np.zeros((count + 1, 2))
    most = 0.0
    for row in range(count):
        node, units = blocks[row, NODE], blocks[row, UNITS]
        sums[node, 0] += units
        sums[node, 1] += units * first[row]
        sums[node, 2] += 1
        ahead[row + 1, 0] = ahead[row, 0] + units
        ahead[row + 1, 1] = ahead[row, 1] + units * first[row]
        most = max(most, first[row])
    for node in range(len(nodes) - 1, 0, -1):
        for column in range(3):
            sums[nodes[node, PARENT], column] += sums[node, column]
    content = max(1e-6, ahead[count, 1])
    for row in range(count):
        out[row, 0] = first[row]
        for which in range(len(_OFFSETS)):
            other = row + _OFFSETS[which]
            out[row, 1 + which] = first[other] if 0 <= other < count else -0.1
        node = blocks[row, NODE]
        for level in range(_LEVELS):
            out[row, _AT_LEVELS + level] = sums[node, 1] / max(1.0, sums[node, 0])
            above = nodes[node, PARENT]
            while above > 0 and sums[above, 2] == sums[node, 2]:
                above = nodes[above, PARENT]
            if above >= 0:
                node = above
        for which, width in ((0, 5), (1, 20)):
            low, high = max(0, row - width), min(count, row + width + 1)
            out[row, _AT_REST + which] = (ahead[high, 1] - ahead[low, 1]) / max(1.0, ahead[high, 0] - ahead[low, 0])
        out[row, _AT_REST + 2] = ahead[count, 1] / max(1.0, ahead[count, 0])
        out[row, _AT_REST + 3] = ahead[row, 1] / content
        out[row, _AT_REST + 4] = (content - ahead[row + 1, 1]) / content
        out[row, _AT_REST + 5] = most
        near = 0.0
        for other in range(max(0, row - 3), min(count, row + 4)):
            near = max(near, first[other])
        out[row, _AT_REST + 6] = near
    _core(first, nodes, blocks, sums, np.zeros((len(nodes), 3), np.bool_), np.zeros(len(nodes), np.bool_), np.zeros(3, np.int64), out)
    units, of_group = blocks[:, UNITS].astype(np.float64), np.empty((max(count, len(nodes)), 2))
    for which in range(4):
        same_means(first, units, groups[:, which], of_group, out, _AT_SAME + which)
    return out


@lean_kernel
def _core(first, nodes, blocks, sums, within, above_surest, cores, out):  # type: ignore[no-untyped-def]
    """Whether the block is in the smallest element that holds half, 3/4, 9/10 of the content; how far it is from the surest block."""
    for which, share in enumerate((0.5, 0.75, 0.9)):
        for node in range(len(nodes)):  # document order: the last one found is the deepest
            if sums[node, 1] >= share * sums[0, 1]:
                cores[which] = node
        within[cores[which], which] = True
    surest = 0
    for row in range(len(blocks)):
        if blocks[row, UNITS] * first[row] > blocks[surest, UNITS] * first[surest]:
            surest = row
    node = blocks[surest, NODE]
    while node >= 0:
        above_surest[node] = True
        node = nodes[node, PARENT]
    for node in range(1, len(nodes)):
        for which in range(3):
            within[node, which] |= within[nodes[node, PARENT], which]
    for row in range(len(blocks)):
        node = blocks[row, NODE]
        for which in range(3):
            out[row, _AT_CORE + which] = within[node, which]
        out[row, _AT_CORE + 3] = sums[cores[1], 1] / max(1.0, sums[cores[1], 0])
        levels = 0
        while not above_surest[node]:
            above = nodes[node, PARENT]
            levels += sums[above, 2] > sums[node, 2]
            node = above
        out[row, _AT_CORE + 4] = levels
        out[row, _AT_CORE + 5] = sums[node, 1] / max(1.0, sums[node, 0])


@kernel
def choose(probabilities, units, bias):  # type: ignore[no-untyped-def]
    """Which blocks to keep, bool (blocks,), so that the expected F1 over units of text is largest; and that F1.

    To take the blocks above half of the best F1 is the best one can do with what the probabilities say (Lipton, Elkan and
    Naryanaswamy, arXiv 1402.1892); ``bias`` moves the line where they are not quite true.
    """
    order = np.argsort(-probabilities, kind="mergesort")
    wanted = 0.0
    for row in range(len(units)):
        wanted += probabilities[row] * units[row]
    taken = right = best = 0.0
    for at in range(len(order)):
        row = order[at]
        taken += units[row]
        right += probabilities[row] * units[row]
        best = max(best, 2 * right / max(1e-9, taken + wanted))
    keep = np.zeros(len(units), np.bool_)
    for row in range(len(units)):
        keep[row] = probabilities[row] >= best / 2 + bias and probabilities[row] > 0.02
    return keep, best
