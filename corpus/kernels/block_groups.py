"""Blocks and elements that are alike: the same path of tags and classes, or the same tag and class below one parent, as posts, cards and
comments have.

    number_groups(keys, len(keys), room_for_groups(len(keys)), groups)   # like keys, like numbers
"""

import numpy as np

from corpus.kernels.compiled import kernel, lean_kernel
from corpus.kernels.page_layout import NODE, PARENT

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)
LIKE = 3  # siblings of one tag and class that make a group worth telling


@kernel
def room_for_groups(count):  # type: ignore[no-untyped-def]
    """Slots for ``number_groups`` of ``count`` keys."""
    size = 16
    while size < 2 * count:
        size *= 2
    return np.empty(size, np.int32)


@lean_kernel
def number_groups(keys, count, slots, groups):  # type: ignore[no-untyped-def]
    """Like keys of the first ``count`` get one number, by order of appearance. Returns how many; ``slots`` are a power of two above it."""
    slots[:] = -1
    mask = np.uint64(len(slots) - 1)
    used = 0
    for row in range(count):
        slot = (keys[row] * _SPREAD >> _SHIFT) & mask
        while slots[slot] >= 0 and keys[slots[slot]] != keys[row]:
            slot = (slot + np.uint64(1)) & mask
        if slots[slot] < 0:
            slots[slot] = row
            groups[row] = used
            used += 1
        else:
            groups[row] = groups[slots[slot]]
    return used


@lean_kernel
def sibling_groups(nodes, signatures, sums, keys, used, slots, groups, members, of_node, inner, outer):  # type: ignore[no-untyped-def]
    """Groups of elements with text that share parent, tag and class.

    Written: ``members``, how many each group has; ``of_node``, the group of each element, -1 where it has no text; ``inner`` and ``outer``,
    of the groups of LIKE members or more that it is in, the one nearest to it and to the root; -1 for none.
    """
    count = 0
    for node in range(1, len(nodes)):
        if sums[node, 2] > 0:
            keys[count] = (signatures[node, 1] ^ np.uint64(nodes[node, PARENT])) * _SPREAD
            used[count] = node
            count += 1
    number_groups(keys, count, slots, groups)
    of_node[:] = -1
    for at in range(count):
        node, group = used[at], groups[at]
        of_node[node] = group
        members[group] += 1
    inner[0] = outer[0] = -1
    for node in range(1, len(nodes)):
        parent, group = nodes[node, PARENT], of_node[node]
        inner[node], outer[node] = inner[parent], outer[parent]
        if group >= 0 and members[group] >= LIKE:
            inner[node] = group
            if outer[node] < 0:
                outer[node] = group


@lean_kernel
def same_means(values, weights, groups, sums, out, column):  # type: ignore[no-untyped-def]
    """The mean of a value over the blocks of each block's group into a column; its own where it is in none."""
    sums[:] = 0
    for row in range(len(values)):
        if groups[row] >= 0:
            sums[groups[row], 0] += weights[row]
            sums[groups[row], 1] += weights[row] * values[row]
    for row in range(len(values)):
        out[row, column] = sums[groups[row], 1] / max(1.0, sums[groups[row], 0]) if groups[row] >= 0 else values[row]


@lean_kernel
def groups_of_blocks(blocks, of_node, out, column):  # type: ignore[no-untyped-def]
    for row in range(len(blocks)):
        out[row, column] = of_node[blocks[row, NODE]]
