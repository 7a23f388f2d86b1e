"""What a block of text looks like by itself: its length, its links, its punctuation, its words in common with the title.

looks(text, blocks, nodes, title_words(data, marks), out, hashes)   # the first columns of out
"""

import numpy as np

from corpus.kernels.compiled import kernel
from corpus.kernels.page_layout import BOLD_UNITS, BREAKS, END, INLINE, LINK_UNITS, LINKS, MARK_TITLE, NODE, START, TAG, UNITS
from corpus.kernels.stack import IS_HEADING
from corpus.kernels.tags import NAMES, NUMBERS

_PRIME = np.uint64(0x100000001B3)
_FNV = np.uint64(0xCBF29CE484222325)

_OWN = (
    "units", "link_share", "links", "bold_share", "stops", "ends_with_stop", "commas", "digits", "capitals", "symbols", "mean_word",
    "words", "non_ascii", "breaks", "inline", "heading", "in_title", "copies", "first_upper",
)  # fmt: skip
_KINDS = ("p", "li", "td", "th", "dd", "dt", "pre", "blockquote", "figcaption", "div", "button", "label", "caption", "summary", "a")
_KIND_NUMBERS = np.array([NUMBERS[name] for name in _KINDS])
_HEADING_LEVEL = np.array([int(name[1]) if IS_HEADING[at] else 0 for at, name in enumerate(NAMES)])
_TITLE_WORDS = 64
_KINDS_FROM = len(_OWN)
LOOKS = (*_OWN, *(f"is_{name}" for name in _KINDS))


@kernel
def log(value):  # type: ignore[no-untyped-def]
    return np.log2(1.0 + value)


@kernel
def title_words(data, marks):  # type: ignore[no-untyped-def]
    found = np.zeros(_TITLE_WORDS, np.uint64)
    used = 0
    for row in range(len(marks)):
        if marks[row, 0] == MARK_TITLE:
            at, end = marks[row, 1], min(marks[row, 2], marks[row, 1] + 600)
            while at < end and used < _TITLE_WORDS:
                value, at = _word(data, at, end)
                if value != 0:
                    found[used] = value
                    used += 1
            break
    return found[:used]


@kernel
def _word(data, at, end):  # type: ignore[no-untyped-def]
    """(hash of the next run of ASCII letters, digits and bytes beyond ASCII, where it ends); 0 where there is none."""
    while at < end and not _of_word(data[at]):
        at += 1
    value = _FNV
    if at >= end:
        return np.uint64(0), at
    while at < end and _of_word(data[at]):
        byte = data[at]
        value = (value ^ np.uint64(byte | 32 if 65 <= byte <= 90 else byte)) * _PRIME
        at += 1
    return value, at


@kernel
def _of_word(byte):  # type: ignore[no-untyped-def]
    return byte >= 0x80 or 48 <= byte <= 57 or 97 <= (byte | 32) <= 122


@kernel
def looks(text, blocks, nodes, title, out, hashes):  # type: ignore[no-untyped-def]
    """The features of a block alone."""
    for row in range(len(blocks)):
        start, end = blocks[row, START], blocks[row, END]
        units = max(1, blocks[row, UNITS])
        stops = commas = digits = capitals = symbols = wide = 0
        value = _FNV
        for at in range(start, end):
            byte = text[at]
            value = (value ^ np.uint64(byte)) * _PRIME
            if byte >= 0x80:
                wide += 1
                if byte == 0xE3 and at + 2 < end and text[at + 1] == 0x80:  # 。 and 、
                    stops += text[at + 2] == 0x82
                    commas += text[at + 2] == 0x81
                elif byte == 0xEF and at + 2 < end and text[at + 1] == 0xBC:  # ！ ， ？
                    stops += text[at + 2] == 0x81 or text[at + 2] == 0x9F
                    commas += text[at + 2] == 0x8C
                elif byte == 0xE0 and at + 2 < end and text[at + 1] == 0xA5:  # danda
                    stops += text[at + 2] == 0xA4
            elif byte == 46 or byte == 33 or byte == 63:
                stops += at + 1 == end or text[at + 1] <= 32 or text[at + 1] == 34
            elif byte == 44 or byte == 59:
                commas += 1
            elif 48 <= byte <= 57:
                digits += 1
            elif 65 <= byte <= 90:
                capitals += 1
            elif not (97 <= byte <= 122 or byte <= 32):
                symbols += 1
        hashes[row] = value
        words, known, at = 0, 0, start
        while at < end:
            word, at = _word(text, at, end)
            if word != 0:
                words += 1
                if words <= 60:
                    for which in range(len(title)):
                        if title[which] == word:
                            known += 1
                            break
        last = text[end - 1]
        tag = nodes[blocks[row, NODE], TAG]
        out[row, 0] = log(units)
        out[row, 1] = blocks[row, LINK_UNITS] / units
        out[row, 2] = log(blocks[row, LINKS])
        out[row, 3] = blocks[row, BOLD_UNITS] / units
        out[row, 4] = log(stops)
        out[row, 5] = last == 46 or last == 33 or last == 63 or last == 34 or (end - start > 2 and text[end - 3] == 0xE3 and last == 0x82)
        out[row, 6] = commas * 50 / (units + 20)
        out[row, 7] = digits / units
        out[row, 8] = capitals / units
        out[row, 9] = symbols / units
        out[row, 10] = (end - start) / (words + 1)
        out[row, 11] = words
        out[row, 12] = wide / (end - start)
        out[row, 13] = log(blocks[row, BREAKS])
        out[row, 14] = blocks[row, INLINE] * 50 / (units + 20)
        out[row, 15] = _HEADING_LEVEL[tag]
        out[row, 16] = known / min(words, 60) if words > 0 else 0.0
        out[row, 18] = 65 <= text[start] <= 90
        for which in range(len(_KIND_NUMBERS)):
            out[row, _KINDS_FROM + which] = tag == _KIND_NUMBERS[which]
