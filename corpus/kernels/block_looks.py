"""What a block of text looks like by itself: its length, its links, its punctuation, its words in common with the title.

looks(text, blocks, nodes, title, titles, out, hashes)   # the first columns of out
"""

import numpy as np

from corpus.kernels.compiled import lean_kernel
from corpus.kernels.page_layout import BOLD_UNITS, BREAKS, END, INLINE, LINK_UNITS, LINKS, MARK_TITLE, NODE, START, TAG, UNITS
from corpus.kernels.stack import IS_HEADING
from corpus.kernels.tags import NAMES, NUMBERS

_PRIME = np.uint64(0x100000001B3)
_FNV = np.uint64(0xCBF29CE484222325)

_OWN = (
    "units", "link_share", "links", "bold_share", "stops", "ends_with_stop", "commas", "digits", "capitals", "symbols", "breaks", "inline",
    "heading", "in_title", "copies",
)  # fmt: skip
HEADING, COPIES = _OWN.index("heading"), _OWN.index("copies")
_KINDS = ("p", "li", "td", "th", "dd", "dt", "pre", "blockquote", "figcaption", "div", "button", "label", "caption", "summary", "a")
_KIND_NUMBERS = np.array([NUMBERS[name] for name in _KINDS])
_HEADING_LEVEL = np.array([int(name[1]) if IS_HEADING[at] else 0 for at, name in enumerate(NAMES)])
TITLE_WORDS, _WORDS_LOOKED_UP = 64, 60
# 。 ！ ？ ． ｡ danda … and the full stops of Ethiopic, Khmer and Myanmar
_STOPS = np.array([0x3002, 0xFF01, 0xFF1F, 0xFF0E, 0xFF61, 0x0964, 0x2026, 0x1362, 0x17D4, 0x104B])
_DULL = np.array([97 <= byte <= 122 or byte <= 32 or 0x80 <= byte < 0xC0 for byte in range(256)])
_KINDS_FROM = len(_OWN)
LOOKS = (*_OWN, *(f"is_{name}" for name in _KINDS))


@lean_kernel
def title_words(data, marks, found):  # type: ignore[no-untyped-def]
    """Hashes of the title's first words into ``found``; how many."""
    used = 0
    for row in range(len(marks)):
        if marks[row, 0] == MARK_TITLE:
            at, end = marks[row, 1], min(marks[row, 2], marks[row, 1] + 600)
            while at < end and used < len(found):
                value, at = _word(data, at, end)
                if value != 0:
                    found[used] = value
                    used += 1
            break
    return used


@lean_kernel
def _word(data, at, end):  # type: ignore[no-untyped-def]
    """(hash of the next word, where it ends); 0 where there is none. A character of Han, Kana or Hangul is a word."""
    while at < end and not _of_word(data[at]):
        at += 3 if data[at] == 0xE2 else 1
    if at >= end:
        return np.uint64(0), end
    value = _FNV
    single = 0xE3 <= data[at] < 0xF0
    start = at
    while at < end and _of_word(data[at]):
        byte = data[at]
        if at > start and byte >= 0xC0 and (single or 0xE3 <= byte < 0xF0):
            break
        if single and byte < 0x80:
            break
        value = (value ^ np.uint64(byte | 32 if 65 <= byte <= 90 else byte)) * _PRIME
        at += 1
    return value, at


@lean_kernel
def _of_word(byte):  # type: ignore[no-untyped-def]
    """ASCII letters and digits, and all beyond ASCII but what begins with E2: general punctuation, arrows, signs."""
    return (byte >= 0x80 and byte != 0xE2) or 48 <= byte <= 57 or 97 <= (byte | 32) <= 122


@lean_kernel
def _stop(text, at, end):  # type: ignore[no-untyped-def]
    """Bytes of the mark at ``at`` that ends a sentence, in any of a dozen scripts; 0 if it is none."""
    byte = text[at]
    if byte < 0x80:
        if byte != 46 and byte != 33 and byte != 63:
            return 0
        return 1 if at + 1 == end or text[at + 1] <= 32 or text[at + 1] == 34 or text[at + 1] == 41 or text[at + 1] >= 0x80 else 0
    if at + 1 >= end:
        return 0
    second = text[at + 1]
    if (byte == 0xD8 and second == 0x9F) or (byte == 0xDB and second == 0x94) or (byte == 0xD6 and second == 0x89):  # ؟ ۔ ։
        return 2
    if at + 2 >= end or byte < 0xE0:
        return 0
    code = (np.int64(byte) & 15) << 12 | (np.int64(second) & 63) << 6 | (np.int64(text[at + 2]) & 63)
    for which in range(len(_STOPS)):
        if _STOPS[which] == code:
            return 3
    return 0


@lean_kernel
def _comma(text, at, end):  # type: ignore[no-untyped-def]
    byte = text[at]
    if byte < 0x80:
        return byte == 44 or byte == 59
    if byte == 0xD8:
        return at + 1 < end and (text[at + 1] == 0x8C or text[at + 1] == 0x9B)  # ، ؛
    if at + 2 >= end:
        return False
    third = text[at + 2]
    return (byte == 0xE3 and text[at + 1] == 0x80 and third == 0x81) or (
        byte == 0xEF and text[at + 1] == 0xBC and (third == 0x8C or third == 0x9B)
    )


@lean_kernel
def _ends_with_stop(text, start, end):  # type: ignore[no-untyped-def]
    """Whether a sentence ends where the block does, but for quotes and brackets that close."""
    while end > start:
        last = text[end - 1]
        if last == 34 or last == 39 or last == 41:
            end -= 1
        elif (
            end - start > 3
            and text[end - 2] == 0x80
            and (
                (text[end - 3] == 0xE2 and (last == 0x9D or last == 0x99))  # ” ’
                or (text[end - 3] == 0xE3 and (last == 0x8D or last == 0x8F))  # 」 』
            )
        ):
            end -= 3
        elif end - start > 2 and text[end - 2] == 0xC2 and last == 0xBB:  # »
            end -= 2
        else:
            break
    found = False
    for length in range(1, 4):
        found |= end - length >= start and _stop(text, end - length, end) == length
    return found


@lean_kernel
def looks(text, blocks, nodes, title, titles, out, hashes):  # type: ignore[no-untyped-def]
    """The first columns of ``out``, but for the copies; ``hashes``: of the whole text of each block."""
    some = np.uint64(0)  # a bit for each word of the title: most words of a page are none of them
    for which in range(titles):
        some |= np.uint64(1) << (title[which] >> np.uint64(58))
    for row in range(len(blocks)):
        start, end = blocks[row, START], blocks[row, END]
        units = max(1, blocks[row, UNITS])
        stops = commas = digits = capitals = symbols = 0
        value = _FNV
        for at in range(start, end):
            byte = text[at]
            value = (value ^ np.uint64(byte)) * _PRIME
            if _DULL[byte]:
                continue
            if 65 <= byte <= 90:
                capitals += 1
            elif 48 <= byte <= 57:
                digits += 1
            elif _stop(text, at, end) > 0:
                stops += 1
            elif _comma(text, at, end):
                commas += 1
            elif byte < 0x80:
                symbols += 1
        hashes[row] = value
        words, known, at = 0, 0, start
        while at < end and words < _WORDS_LOOKED_UP:
            word, at = _word(text, at, end)
            if word != 0:
                words += 1
                if not some >> (word >> np.uint64(58)) & np.uint64(1):
                    continue
                for which in range(titles):
                    if title[which] == word:
                        known += 1
                        break
        tag = nodes[blocks[row, NODE], TAG]
        out[row, 0] = units
        out[row, 1] = blocks[row, LINK_UNITS] / units
        out[row, 2] = blocks[row, LINKS]
        out[row, 3] = blocks[row, BOLD_UNITS] / units
        out[row, 4] = stops
        out[row, 5] = _ends_with_stop(text, start, end)
        out[row, 6] = commas * 50 / (units + 20)
        out[row, 7] = digits / units
        out[row, 8] = capitals / units
        out[row, 9] = symbols / units
        out[row, 10] = blocks[row, BREAKS]
        out[row, 11] = blocks[row, INLINE] * 50 / (units + 20)
        out[row, HEADING] = _HEADING_LEVEL[tag]
        out[row, 13] = known / words if words > 0 else 0.0
        for which in range(len(_KIND_NUMBERS)):
            out[row, _KINDS_FROM + which] = tag == _KIND_NUMBERS[which]
