"""What a classifier sees of each block of text: its own looks, its place, its ancestors, its neighbours and its page.

Nothing of it depends on a language: lengths are in units (characters, those of Han, Kana and Hangul counted twice), words are those of
class and id, and of the title.

    features, groups = block_features(page.data, page.text, page.nodes, page.blocks, page.marks, keys, scores, bits)

Counts and lengths stand as they are: trees ask only which of two is larger, and a logarithm might differ between machines.
"""

import numpy as np

from corpus.kernels.block_groups import groups_of_blocks, number_groups, room_for_groups, sibling_groups
from corpus.kernels.block_looks import COPIES, HEADING, LOOKS, TITLE_WORDS, looks, title_words
from corpus.kernels.class_words import PATH_COLUMNS, PATH_SUM, paths
from corpus.kernels.compiled import kernel, lean_kernel
from corpus.kernels.page_layout import (
    DEPTH,
    HIDDEN,
    LINK_UNITS,
    NODE,
    PARENT,
    TAG,
    UNITS,
)
from corpus.kernels.tags import NAMES, NUMBERS

_ANCESTORS = (
    "nav", "header", "footer", "aside", "article", "main", "section", "form", "table", "ul", "ol", "dl", "figure", "details", "blockquote",
    "button", "address", "dialog", "custom", "pre",
)  # fmt: skip
_PLACE = (
    "depth", "at_units", "at_blocks", "units_before", "units_after", "blocks_before", "blocks_after", "hidden", "from_h1", "from_heading",
    "to_heading", "from_long", "to_long",
)  # fmt: skip
_PATH = ("path_sum", "path_min", "path_max", "near", "near_before", "own_words")
_LEVELS = 5
_LEVEL = ("units", "link_share", "blocks", "share", "long_share", "words")
_SAME = ("same_count", "same_share", "same_link_share", "same_mean", "tags_count", "tags_share", "tags_link_share")
_NEIGHBOURS = (-3, -2, -1, 1, 2, 3)
_NEIGHBOUR = ("units", "link_share", "heading", "path", "same_path")
_WIDE = ("wide_units", "wide_link_share", "wide_long")
_REPEAT = ("repeat_0", "repeat_1", "repeat_2", "repeat_3", "repeat_most")
_CORE = ("in_50", "in_75", "in_90")
_PAGE = (
    "page_units", "page_blocks", "page_link_share", "page_long", "page_long_share", "page_article", "page_main", "page_list_share",
    "page_table_share", "page_headings", "page_largest_path", "page_html",
)  # fmt: skip
SHOWN_WORDS = 48  # words of the vocabulary that are features of their own

FEATURES = (
    *LOOKS, *(f"in_{name}" for name in _ANCESTORS), *_PLACE, *_PATH,
    *(f"{name}_{level}" for level in range(_LEVELS) for name in _LEVEL), *_SAME,
    *(f"{name}_{at:+d}" for at in _NEIGHBOURS for name in _NEIGHBOUR), *_WIDE, *_REPEAT,
    *_CORE, *_PAGE, *(f"word_{at}" for at in range(SHOWN_WORDS)),
)  # fmt: skip

_ANCESTOR_BIT = np.full(len(NAMES), -1, np.int64)
for _at, _name in enumerate(_ANCESTORS):
    _ANCESTOR_BIT[NUMBERS[_name]] = _at
_ARTICLE, _MAIN = _ANCESTORS.index("article"), _ANCESTORS.index("main")
_UL, _OL, _TABLE_BIT = _ANCESTORS.index("ul"), _ANCESTORS.index("ol"), _ANCESTORS.index("table")
_N_ANCESTORS = len(_ANCESTORS)
_OFFSETS = np.array(_NEIGHBOURS)
_AT_ANCESTORS = len(LOOKS)
_AT_PLACE = _AT_ANCESTORS + _N_ANCESTORS
_AT_PATH = _AT_PLACE + len(_PLACE)
_AT_LEVELS = _AT_PATH + len(_PATH)
_AT_SAME = _AT_LEVELS + _LEVELS * len(_LEVEL)
_AT_NEIGHBOURS = _AT_SAME + len(_SAME)
_AT_WIDE = _AT_NEIGHBOURS + len(_NEIGHBOURS) * len(_NEIGHBOUR)
_AT_REPEAT = _AT_WIDE + len(_WIDE)
_AT_CORE = _AT_REPEAT + len(_REPEAT)
_AT_PAGE = _AT_CORE + len(_CORE)
_AT_WORDS = _AT_PAGE + len(_PAGE)
PATH_GROUP, INNER_GROUP, OUTER_GROUP, TAGS_GROUP = range(4)
_WIDTH = len(FEATURES)
_LONG = 80  # units of text outside links that make a block long


@lean_kernel
def _copies(numbers, groups, sums, out):  # type: ignore[no-untyped-def]
    """How many blocks have the very same text."""
    for group in range(numbers):
        sums[group, 0] = 0
    for row in range(len(groups)):
        sums[groups[row], 0] += 1
    for row in range(len(groups)):
        out[row, COPIES] = sums[groups[row], 0]


@lean_kernel
def _same(blocks, groups, total, sums, out, column):  # type: ignore[no-untyped-def]
    """Blocks of the same group: how many, their share of the page, of links, and their mean length. The largest share is returned."""
    sums[:] = 0
    largest = 0.0
    for row in range(len(blocks)):
        group = groups[row]
        sums[group, 0] += 1
        sums[group, 1] += blocks[row, UNITS]
        sums[group, 2] += blocks[row, LINK_UNITS]
    for row in range(len(blocks)):
        group = groups[row]
        count, units, links = sums[group, 0], sums[group, 1], sums[group, 2]
        out[row, column] = count
        out[row, column + 1] = units / total
        out[row, column + 2] = links / max(1.0, units)
        if column == _AT_SAME:
            out[row, column + 3] = units / count
        largest = max(largest, units / total)
    return largest


@lean_kernel
def _subtrees(nodes, blocks, sums, wider):  # type: ignore[no-untyped-def]
    """``sums`` (elements, 4): units, units in links, blocks, units of long blocks, of each element with all below it. ``wider``: the
    nearest element around each that has more blocks, or is the root; -1 for the root."""
    for row in range(len(blocks)):
        node = blocks[row, NODE]
        sums[node, 0] += blocks[row, UNITS]
        sums[node, 1] += blocks[row, LINK_UNITS]
        sums[node, 2] += 1
        if blocks[row, UNITS] - blocks[row, LINK_UNITS] >= _LONG:
            sums[node, 3] += blocks[row, UNITS] - blocks[row, LINK_UNITS]
    for node in range(len(nodes) - 1, 0, -1):
        for column in range(4):
            sums[nodes[node, PARENT], column] += sums[node, column]
    wider[0] = -1
    for node in range(1, len(nodes)):
        parent = nodes[node, PARENT]
        wider[node] = wider[parent] if parent > 0 and sums[parent, 2] == sums[node, 2] else parent


@lean_kernel
def _ancestors(nodes, blocks, told, sums, wider, counts, core, out):  # type: ignore[no-untyped-def]
    """Kinds of ancestors, and the subtrees around the block: from one level to the next there is more text in it."""
    total, long = max(1.0, sums[0, 0]), max(1.0, sums[0, 3])
    for which, share in enumerate((0.5, 0.75, 0.9)):
        best = 0
        for node in range(len(nodes)):  # document order: the last one found is the deepest
            if sums[node, 3] >= share * long:
                best = node
        core[best, which] = True
    for node in range(len(nodes)):
        parent = nodes[node, PARENT]
        if parent >= 0:
            for bit in range(_N_ANCESTORS):
                counts[node, bit] = counts[parent, bit]
            for which in range(3):
                core[node, which] |= core[parent, which]
        bit = _ANCESTOR_BIT[nodes[node, TAG]]
        if bit >= 0 and counts[node, bit] < 200:
            counts[node, bit] += 1
    for row in range(len(blocks)):
        node = blocks[row, NODE]
        for bit in range(_N_ANCESTORS):
            out[row, _AT_ANCESTORS + bit] = counts[node, bit]
        for which in range(3):
            out[row, _AT_CORE + which] = core[node, which]
        for level in range(_LEVELS):
            column = _AT_LEVELS + level * 6
            out[row, column] = sums[node, 0]
            out[row, column + 1] = sums[node, 1] / max(1.0, sums[node, 0])
            out[row, column + 2] = sums[node, 2]
            out[row, column + 3] = sums[node, 0] / total
            out[row, column + 4] = sums[node, 3] / max(1.0, sums[node, 0])
            out[row, column + 5] = told[node, PATH_SUM]
            node = max(0, wider[node])


@lean_kernel
def _repeats(nodes, blocks, sums, wider, members, of_node, beside, most, out):  # type: ignore[no-untyped-def]
    """How many elements of the same tag and class stand beside the ones around the block: cards, teasers, comments, posts repeat."""
    beside[0] = most[0] = 0
    for node in range(1, len(nodes)):
        parent = nodes[node, PARENT]
        group = of_node[node]
        mine = members[group] if group >= 0 else 0
        most[node] = max(mine, most[parent])
        beside[node] = max(mine, beside[parent]) if parent > 0 and sums[parent, 2] == sums[node, 2] else mine
    for row in range(len(blocks)):
        node = blocks[row, NODE]
        out[row, _AT_REPEAT + 4] = most[node]
        for level in range(4):
            out[row, _AT_REPEAT + level] = beside[node]
            node = max(0, wider[node])


@lean_kernel
def _words(blocks, seen, out):  # type: ignore[no-untyped-def]
    for bit in range(SHOWN_WORDS):
        for row in range(len(blocks)):
            out[row, _AT_WORDS + bit] = (seen[blocks[row, NODE]] >> np.uint64(bit)) & np.uint64(1)


@lean_kernel
def _place(nodes, blocks, out):  # type: ignore[no-untyped-def]
    """Where the block stands on the page, and how far it is to headings and long blocks."""
    count = len(blocks)
    total = 0
    for row in range(count):
        total += blocks[row, UNITS]
    before, h1_at, heading_at, long_at = 0, -1, -1, -1
    for row in range(count):
        node = blocks[row, NODE]
        level = out[row, HEADING]
        if h1_at < 0 and level == 1:
            h1_at = row
        place = _AT_PLACE
        out[row, place] = nodes[node, DEPTH]
        out[row, place + 1] = before / max(1, total)
        out[row, place + 2] = row / count
        out[row, place + 3] = before
        out[row, place + 4] = total - before
        out[row, place + 5] = row
        out[row, place + 6] = count - row
        out[row, place + 7] = nodes[node, HIDDEN]
        out[row, place + 9] = row - heading_at if heading_at >= 0 else 1e6
        out[row, place + 11] = row - long_at if long_at >= 0 else 1e6
        if level > 0:
            heading_at = row
        if blocks[row, UNITS] - blocks[row, LINK_UNITS] >= _LONG:
            long_at = row
        before += blocks[row, UNITS]
    heading_at = long_at = -1
    for row in range(count - 1, -1, -1):
        place = _AT_PLACE
        out[row, place + 8] = 1e6 if h1_at < 0 else row - h1_at
        out[row, place + 10] = heading_at - row if heading_at >= 0 else 1e6
        out[row, place + 12] = long_at - row if long_at >= 0 else 1e6
        if out[row, HEADING] > 0:
            heading_at = row
        if blocks[row, UNITS] - blocks[row, LINK_UNITS] >= _LONG:
            long_at = row


@lean_kernel
def _around(blocks, signatures, told, out):  # type: ignore[no-untyped-def]
    """The nearest blocks, and the mean of the nearest eleven."""
    count = len(blocks)
    for row in range(count):
        node = blocks[row, NODE]
        for which in range(len(_OFFSETS)):
            other = row + _OFFSETS[which]
            column = _AT_NEIGHBOURS + which * 5
            if 0 <= other < count:
                out[row, column] = out[other, 0]
                out[row, column + 1] = out[other, 1]
                out[row, column + 2] = out[other, HEADING]
                out[row, column + 3] = told[blocks[other, NODE], PATH_SUM]
                out[row, column + 4] = signatures[blocks[other, NODE], 1] == signatures[node, 1]
            else:
                out[row, column] = -1
                out[row, column + 1] = -1
        first, last = max(0, row - 5), min(count, row + 6)
        units, links, long = 0, 0, 0
        for other in range(first, last):
            units += blocks[other, UNITS]
            links += blocks[other, LINK_UNITS]
            long += blocks[other, UNITS] - blocks[other, LINK_UNITS] >= _LONG
        out[row, _AT_WIDE] = units / (last - first)
        out[row, _AT_WIDE + 1] = links / max(1, units)
        out[row, _AT_WIDE + 2] = long / (last - first)


@lean_kernel
def _page(data, blocks, sums, largest, out):  # type: ignore[no-untyped-def]
    """What holds for all blocks of the page."""
    count = len(blocks)
    article = main = lists = tables = headings = long = 0
    for row in range(count):
        units = blocks[row, UNITS]
        base = _AT_ANCESTORS
        article += units * (out[row, base + _ARTICLE] > 0)
        main += units * (out[row, base + _MAIN] > 0)
        lists += units * (out[row, base + _UL] + out[row, base + _OL] > 0)
        tables += units * (out[row, base + _TABLE_BIT] > 0)
        headings += out[row, HEADING] > 0
        long += units - blocks[row, LINK_UNITS] >= _LONG
    total = max(1.0, sums[0, 0])
    for row in range(count):
        at = _AT_PAGE
        out[row, at] = total
        out[row, at + 1] = count
        out[row, at + 2] = sums[0, 1] / total
        out[row, at + 3] = long
        out[row, at + 4] = sums[0, 3] / total
        out[row, at + 5] = article / total
        out[row, at + 6] = main / total
        out[row, at + 7] = lists / total
        out[row, at + 8] = tables / total
        out[row, at + 9] = headings / count
        out[row, at + 10] = largest
        out[row, at + 11] = len(data) / total


@kernel
def block_features(data, text, nodes, blocks, marks, keys, scores, bits):  # type: ignore[no-untyped-def]
    """(float32 (blocks, FEATURES), a column after another; int32 (blocks, 4): the groups of PATH_GROUP and so on that the block is in).

    ``keys``, ``scores``, ``bits``: as ``class_words.word_table`` gives them.
    """
    count, elements = len(blocks), len(nodes)
    out = np.zeros((_WIDTH, count), np.float32).T
    groups = np.full((count, 4), -1, np.int32)
    if count == 0:
        return out, groups
    told, signatures = np.empty((elements, PATH_COLUMNS), np.float32), np.empty((elements, 2), np.uint64)
    seen = np.empty(elements, np.uint64)
    paths(data, nodes, keys, scores, bits, told, seen, signatures)
    title, hashes = np.empty(TITLE_WORDS, np.uint64), np.empty(count, np.uint64)
    looks(text, blocks, nodes, title, title_words(data, marks, title), out, hashes)
    sums, wider = np.zeros((elements, 4)), np.empty(elements, np.int64)
    _subtrees(nodes, blocks, sums, wider)
    total = max(1.0, sums[0, 0])
    slots, group, of_group = room_for_groups(count), np.empty(count, np.int64), np.empty((count, 3))
    _copies(number_groups(hashes, count, slots, group), group, of_group, out)
    for row in range(count):
        node = blocks[row, NODE]
        hashes[row] = signatures[node, 0]
        for which in range(PATH_COLUMNS):
            out[row, _AT_PATH + which] = told[node, which]
    number_groups(hashes, count, slots, group)
    groups[:, TAGS_GROUP] = group
    _same(blocks, group, total, of_group, out, _AT_SAME + 4)
    for row in range(count):
        hashes[row] = signatures[blocks[row, NODE], 1]
    number_groups(hashes, count, slots, group)
    groups[:, PATH_GROUP] = group
    largest = _same(blocks, group, total, of_group, out, _AT_SAME)
    _place(nodes, blocks, out)
    counts, core = np.zeros((elements, _N_ANCESTORS), np.uint8), np.zeros((elements, 3), np.bool_)
    _ancestors(nodes, blocks, told, sums, wider, counts, core, out)
    members, of_node = np.zeros(elements, np.int64), np.empty(elements, np.int64)
    inner, outer = np.empty(elements, np.int64), np.empty(elements, np.int64)
    sibling_groups(
        nodes, signatures, sums, np.empty(elements, np.uint64), np.empty(elements, np.int64), room_for_groups(elements),
        np.empty(elements, np.int64), members, of_node, inner, outer,
    )  # fmt: skip
    groups_of_blocks(blocks, inner, groups, INNER_GROUP)
    groups_of_blocks(blocks, outer, groups, OUTER_GROUP)
    _repeats(nodes, blocks, sums, wider, members, of_node, np.empty(elements, np.float32), np.empty(elements, np.float32), out)
    _words(blocks, seen, out)
    _around(blocks, signatures, told, out)
    _page(data, blocks, sums, largest, out)
    return out, groups
