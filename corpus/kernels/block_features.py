"""What a classifier sees of each block of text: its own looks, its place, its ancestors, its neighbours and its page.

Nothing of it depends on a language: lengths are in units (characters, those of Han, Kana and Hangul counted twice), words are those of
class and id, and of the title.

    features = block_features(page.data, page.text, page.nodes, page.blocks, page.marks, vocabulary, scores, shown)
"""

import numpy as np

from corpus.kernels.block_looks import COPIES, HEADING, LOOKS, log, looks, title_words
from corpus.kernels.class_words import PATH_COLUMNS, PATH_SUM, paths
from corpus.kernels.compiled import kernel
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
_WIDTH = len(FEATURES)
_LONG = 80  # units of text outside links that make a block long


@kernel
def _groups(keys):  # type: ignore[no-untyped-def]
    """Keys (n,) -> the number of each one's group, int64 (n,), by order of hash."""
    order = np.argsort(keys, kind="mergesort")
    groups = np.zeros(len(keys), np.int64)
    number = -1
    for at in range(len(order)):
        if at == 0 or keys[order[at]] != keys[order[at - 1]]:
            number += 1
        groups[order[at]] = number
    return groups


@kernel
def _same(blocks, keys, total, out, column):  # type: ignore[no-untyped-def]
    """Blocks with the same key: how many, their share of the page, of links, and their mean length. The largest share is returned."""
    groups = _groups(keys)
    sums = np.zeros((len(blocks) + 1, 3))
    largest = 0.0
    for row in range(len(blocks)):
        sums[groups[row], 0] += 1
        sums[groups[row], 1] += blocks[row, UNITS]
        sums[groups[row], 2] += blocks[row, LINK_UNITS]
    for row in range(len(blocks)):
        count, units, links = sums[groups[row]]
        out[row, column] = log(count)
        out[row, column + 1] = units / total
        out[row, column + 2] = links / max(1.0, units)
        if column == _AT_SAME:
            out[row, column + 3] = log(units / count)
        largest = max(largest, units / total)
    return largest


@kernel
def _subtrees(nodes, blocks):  # type: ignore[no-untyped-def]
    """(elements, 4) float64: units, units in links, blocks, units of long blocks, of each element with all below it."""
    sums = np.zeros((len(nodes), 4))
    for row in range(len(blocks)):
        node = blocks[row, NODE]
        sums[node, 0] += blocks[row, UNITS]
        sums[node, 1] += blocks[row, LINK_UNITS]
        sums[node, 2] += 1
        if blocks[row, UNITS] - blocks[row, LINK_UNITS] >= _LONG:
            sums[node, 3] += blocks[row, UNITS] - blocks[row, LINK_UNITS]
    for node in range(len(nodes) - 1, 0, -1):
        sums[nodes[node, PARENT]] += sums[node]
    return sums


@kernel
def _ancestors(nodes, blocks, told, sums, out):  # type: ignore[no-untyped-def]
    """Kinds of ancestors, and the subtrees around the block: from one level to the next there is more text in it."""
    counts = np.zeros((len(nodes), _N_ANCESTORS), np.uint8)
    total, long = max(1.0, sums[0, 0]), max(1.0, sums[0, 3])
    core = np.zeros((len(nodes), 3), np.bool_)
    for which, share in enumerate((0.5, 0.75, 0.9)):
        best = 0
        for node in range(len(nodes)):  # document order: the last one found is the deepest
            if sums[node, 3] >= share * long:
                best = node
        core[best, which] = True
    for node in range(len(nodes)):
        parent = nodes[node, PARENT]
        if parent >= 0:
            counts[node] = counts[parent]
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
            out[row, column] = log(sums[node, 0])
            out[row, column + 1] = sums[node, 1] / max(1.0, sums[node, 0])
            out[row, column + 2] = log(sums[node, 2])
            out[row, column + 3] = sums[node, 0] / total
            out[row, column + 4] = sums[node, 3] / max(1.0, sums[node, 0])
            out[row, column + 5] = told[node, PATH_SUM]
            above = nodes[node, PARENT]
            while above > 0 and sums[above, 2] == sums[node, 2]:
                above = nodes[above, PARENT]
            if above >= 0:
                node = above


@kernel
def _repeats(nodes, blocks, signatures, sums, out):  # type: ignore[no-untyped-def]
    """How many elements of the same tag and class stand beside the ones around the block: cards, teasers, comments, posts repeat."""
    keys = np.empty(len(nodes), np.uint64)
    used = np.empty(len(nodes), np.int64)
    count = 0
    for node in range(1, len(nodes)):
        if sums[node, 2] > 0:
            keys[count] = (signatures[node, 1] ^ np.uint64(nodes[node, PARENT])) * np.uint64(0x9E3779B97F4A7C15)
            used[count] = node
            count += 1
    groups = _groups(keys[:count])
    sizes = np.zeros(count + 1, np.int64)
    for at in range(count):
        sizes[groups[at]] += 1
    beside = np.zeros(len(nodes), np.float32)
    most = np.zeros(len(nodes), np.float32)
    for at in range(count):
        node = used[at]
        beside[node] = log(sizes[groups[at]])
        most[node] = max(beside[node], most[nodes[node, PARENT]])
    for row in range(len(blocks)):
        node = blocks[row, NODE]
        out[row, _AT_REPEAT + 4] = most[node]
        for level in range(4):
            out[row, _AT_REPEAT + level] = beside[node]
            above = nodes[node, PARENT]
            while above > 0 and sums[above, 2] == sums[node, 2]:
                out[row, _AT_REPEAT + level] = max(out[row, _AT_REPEAT + level], beside[above])
                above = nodes[above, PARENT]
            if above >= 0:
                node = above


@kernel
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
        out[row, place + 3] = log(before)
        out[row, place + 4] = log(total - before)
        out[row, place + 5] = log(row)
        out[row, place + 6] = log(count - row)
        out[row, place + 7] = nodes[node, HIDDEN]
        out[row, place + 9] = log(row - heading_at) if heading_at >= 0 else 20
        out[row, place + 11] = log(row - long_at) if long_at >= 0 else 20
        if level > 0:
            heading_at = row
        if blocks[row, UNITS] - blocks[row, LINK_UNITS] >= _LONG:
            long_at = row
        before += blocks[row, UNITS]
    heading_at = long_at = -1
    for row in range(count - 1, -1, -1):
        place = _AT_PLACE
        out[row, place + 8] = 30 if h1_at < 0 else (log(row - h1_at) if row >= h1_at else -log(h1_at - row))
        out[row, place + 10] = log(heading_at - row) if heading_at >= 0 else 20
        out[row, place + 12] = log(long_at - row) if long_at >= 0 else 20
        if out[row, HEADING] > 0:
            heading_at = row
        if blocks[row, UNITS] - blocks[row, LINK_UNITS] >= _LONG:
            long_at = row


@kernel
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
        out[row, _AT_WIDE] = log(units / (last - first))
        out[row, _AT_WIDE + 1] = links / max(1, units)
        out[row, _AT_WIDE + 2] = long / (last - first)


@kernel
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
        out[row, at] = log(total)
        out[row, at + 1] = log(count)
        out[row, at + 2] = sums[0, 1] / total
        out[row, at + 3] = log(long)
        out[row, at + 4] = sums[0, 3] / total
        out[row, at + 5] = article / total
        out[row, at + 6] = main / total
        out[row, at + 7] = lists / total
        out[row, at + 8] = tables / total
        out[row, at + 9] = headings / count
        out[row, at + 10] = largest
        out[row, at + 11] = log(len(data) / total)


@kernel
def block_features(data, text, nodes, blocks, marks, vocabulary, scores, shown):  # type: ignore[no-untyped-def]
    """float32 (blocks, FEATURES). ``vocabulary``, ``scores``, ``shown``: as in ``class_words.paths``."""
    count = len(blocks)
    out = np.zeros((count, _WIDTH), np.float32)
    if count == 0:
        return out
    told, bits, signatures = paths(data, nodes, vocabulary, scores, shown)
    hashes = np.zeros(count, np.uint64)
    looks(text, blocks, nodes, title_words(data, marks), out, hashes)
    groups = _groups(hashes)
    copies = np.zeros(count, np.int64)
    for row in range(count):
        copies[groups[row]] += 1
    by_path, by_tags = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    for row in range(count):
        out[row, COPIES] = copies[groups[row]]
        node = blocks[row, NODE]
        by_path[row], by_tags[row] = signatures[node, 1], signatures[node, 0]
        for which in range(PATH_COLUMNS):
            out[row, _AT_PATH + which] = told[node, which]
        for bit in range(SHOWN_WORDS):
            out[row, _AT_WORDS + bit] = (bits[node] >> np.uint64(bit)) & np.uint64(1)
    sums = _subtrees(nodes, blocks)
    total = max(1.0, sums[0, 0])
    largest = _same(blocks, by_path, total, out, _AT_SAME)
    _same(blocks, by_tags, total, out, _AT_SAME + 4)
    _place(nodes, blocks, out)
    _ancestors(nodes, blocks, told, sums, out)
    _repeats(nodes, blocks, signatures, sums, out)
    _around(blocks, signatures, told, out)
    _page(data, blocks, sums, largest, out)
    return out
