"""The words of an element's class, id, role and the like, and what a vocabulary says of them.

``class="post-content mainText"`` has the words post, content, main, text; digits and single letters are dropped, since they number
things. Role and itemprop are salted: ``role="main"`` is another word than ``class="main"``.

    hashes, owners = words_of(page.data, page.nodes)
"""

import numpy as np

from corpus.kernels.compiled import kernel, lean_kernel
from corpus.kernels.page_layout import PARENT, SPAN, TAG

_FNV = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_SALTS = np.array([0, 0, 1, 2, 0], np.uint64)  # class, id, role, itemprop, data-testid
_MAX_BYTES = 300  # of one attribute: utility classes run to thousands

# Columns of what the path down to an element says: sums and extremes of its words' scores, the nearest two elements that say anything.
PATH_SUM, PATH_MIN, PATH_MAX, NEAR, NEAR_BEFORE, OWN = range(6)
PATH_COLUMNS = 6


@lean_kernel
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


def word_table(hashes: np.ndarray, scores: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A vocabulary as slots by hash: keys uint64, 0 for none; scores float32; bits uint64, one for each word shown to the forests."""
    size = 1 << (4 * len(hashes) + 4).bit_length()
    keys, values, bits = np.zeros(size, np.uint64), np.zeros(size, np.float32), np.zeros(size, np.uint64)
    for value, score, bit in zip(hashes.tolist(), scores, shown.tolist(), strict=True):
        slot = value % size
        while keys[slot]:
            slot = (slot + 1) % size
        keys[slot], values[slot], bits[slot] = value, score, 1 << bit if bit >= 0 else 0
    return keys, values, bits


@lean_kernel
def paths(data, nodes, keys, scores, bits, told, seen, signatures):  # type: ignore[no-untyped-def]
    """What the words on the path from the root to each element say.

    ``keys``, ``scores``, ``bits``: as ``word_table`` gives them. Written, a row an element: ``told`` (PATH_COLUMNS), ``seen``, the bits of
    the words on the path; ``signatures`` (2), hashes of the path of tags, without and with its own classes.
    """
    mask = np.uint64(len(keys) - 1)
    for node in range(len(nodes)):
        parent = nodes[node, PARENT]
        tag = np.uint64(nodes[node, TAG])
        if parent >= 0:
            for column in range(PATH_COLUMNS):
                told[node, column] = told[parent, column]
            told[node, OWN] = 0
            seen[node] = seen[parent]
            signatures[node, 0] = (signatures[parent, 0] ^ tag) * _PRIME
        else:
            for column in range(PATH_COLUMNS):
                told[node, column] = 0
            seen[node] = 0
            signatures[node, 0] = (_FNV ^ tag) * _PRIME
        signature = signatures[node, 0]
        total, lowest, highest, known = 0.0, 0.0, 0.0, False
        for which in range(5):
            at, end = nodes[node, SPAN + 2 * which], nodes[node, SPAN + 2 * which + 1]
            end = min(end, at + _MAX_BYTES)
            while at < end:
                value, at = _next_word(data, at, end, _SALTS[which])
                if value == 0:
                    break
                if which == 0:
                    signature = (signature ^ value) * _PRIME
                slot = value & mask
                while keys[slot] != 0 and keys[slot] != value:
                    slot = (slot + np.uint64(1)) & mask
                if keys[slot] == value:
                    score = scores[slot]
                    total += score
                    lowest, highest = min(lowest, score), max(highest, score)
                    known = True
                    seen[node] |= bits[slot]
        signatures[node, 1] = signature
        if known:
            told[node, OWN] = total
            told[node, PATH_SUM] += total
            told[node, PATH_MIN] = min(told[node, PATH_MIN], lowest)
            told[node, PATH_MAX] = max(told[node, PATH_MAX], highest)
            told[node, NEAR_BEFORE] = told[node, NEAR]
            told[node, NEAR] = total
