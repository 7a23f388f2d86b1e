"""The words of an element's class, id, role and the like, and what a vocabulary says of them.

``class="post-content mainText"`` has the words post, content, main, text; digits and single letters are dropped, since they number
things. Role and itemprop are salted: ``role="main"`` is another word than ``class="main"``.

    hashes, owners = words_of(page.data, page.nodes)
"""

import numpy as np

from corpus.kernels.compiled import kernel
from corpus.kernels.page_layout import (
    PARENT,
    SPAN,
    TAG,
)

_FNV = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_SALTS = np.array([0, 0, 1, 2, 0], np.uint64)  # class, id, role, itemprop, data-testid
_MAX_BYTES = 300  # of one attribute: utility classes run to thousands

# Columns of what the path down to an element says: sums and extremes of its words' scores, the nearest two elements that say anything.
PATH_SUM, PATH_MIN, PATH_MAX, NEAR, NEAR_BEFORE, OWN = range(6)
PATH_COLUMNS = 6


@kernel
def _next_word(data, at, end, salt):  # type: ignore[no-untyped-def]
    """(hash of the next word, where the walk goes on); hash 0 where there is none."""
    while at < end:
        value = _FNV ^ salt
        length = 0
        while at < end:
            byte = data[at]
            lower = 97 <= byte <= 122 or byte >= 0x80
            upper = 65 <= byte <= 90
            if not (lower or upper):
                break
            if upper and length > 0 and (97 <= data[at - 1] <= 122 or (at + 1 < end and 97 <= data[at + 1] <= 122)):
                break  # mainText, HTMLText
            value = (value ^ np.uint64(byte | 32 if upper else byte)) * _PRIME
            length += 1
            at += 1
        if length > 1:
            return value, at
        if length == 0:
            at += 1
    return np.uint64(0), at


@kernel
def words_of(data, nodes):  # type: ignore[no-untyped-def]
    """(hashes uint64, elements int32): every word of every element, with repetitions."""
    room = 1024
    hashes, owners = np.empty(room, np.uint64), np.empty(room, np.int32)
    used = 0
    for node in range(len(nodes)):
        for which in range(5):
            at, end = nodes[node, SPAN + 2 * which], nodes[node, SPAN + 2 * which + 1]
            end = min(end, at + _MAX_BYTES)
            while at < end:
                value, at = _next_word(data, at, end, _SALTS[which])
                if value == 0:
                    break
                if used == room:
                    room *= 2
                    more_hashes, more_owners = np.empty(room, np.uint64), np.empty(room, np.int32)
                    more_hashes[:used], more_owners[:used] = hashes, owners
                    hashes, owners = more_hashes, more_owners
                hashes[used], owners[used] = value, node
                used += 1
    return hashes[:used], owners[:used]


@kernel
def paths(data, nodes, vocabulary, scores, shown):  # type: ignore[no-untyped-def]
    """What the words on the path from the root to each element say.

    ``vocabulary``: sorted hashes; ``scores``: one a word, how much it speaks for content; ``shown``: the bit of the word, or -1.
    Returns (elements, PATH_COLUMNS) float32; (elements,) uint64, the bits of the words on the path; and (elements, 2) uint64, hashes of
    the path of tags, without and with the element's own classes.
    """
    count = len(nodes)
    told = np.zeros((count, PATH_COLUMNS), np.float32)
    bits = np.zeros(count, np.uint64)
    signatures = np.zeros((count, 2), np.uint64)
    for node in range(count):
        parent = nodes[node, PARENT]
        tag = np.uint64(nodes[node, TAG])
        if parent >= 0:
            told[node] = told[parent]
            told[node, OWN] = 0
            bits[node] = bits[parent]
            signatures[node, 0] = (signatures[parent, 0] ^ tag) * _PRIME
        else:
            signatures[node, 0] = (_FNV ^ tag) * _PRIME
        signature = signatures[node, 0]
        total, lowest, highest, known = 0.0, 0.0, 0.0, 0
        for which in range(5):
            at, end = nodes[node, SPAN + 2 * which], nodes[node, SPAN + 2 * which + 1]
            end = min(end, at + _MAX_BYTES)
            while at < end:
                value, at = _next_word(data, at, end, _SALTS[which])
                if value == 0:
                    break
                if which == 0:
                    signature = (signature ^ value) * _PRIME
                slot = np.searchsorted(vocabulary, value)
                if slot < len(vocabulary) and vocabulary[slot] == value:
                    score = scores[slot]
                    total += score
                    lowest, highest = min(lowest, score), max(highest, score)
                    known += 1
                    if shown[slot] >= 0:
                        bits[node] |= np.uint64(1) << np.uint64(shown[slot])
        signatures[node, 1] = signature
        if known:
            told[node, OWN] = total
            told[node, PATH_SUM] += total
            told[node, PATH_MIN] = min(told[node, PATH_MIN], lowest)
            told[node, PATH_MAX] = max(told[node, PATH_MAX], highest)
            told[node, NEAR_BEFORE] = told[node, NEAR]
            told[node, NEAR] = total
    return told, bits, signatures
