"""How much of a text repeats itself: Gopher's measures, in the three ways that public code counts them.

Lines are what stands between newlines, paragraphs what stands between blank lines; n-grams are of words. Equality is that of 64-bit
hashes. The public implementations disagree on what a duplicate is (on the same 853 pages the 5-gram rule removes 17, 71 or 36):

``datatrove``  copies after the first; n-grams found left to right, skipping n words after a hit, joined without a space; characters
               over all characters of the text. The most frequent n-gram is the first of several, with spaces, even if it stands once.
``dclm``       all copies; each word once that lies in a repeated n-gram; characters over those of all words, of lines over those of all
               lines. The most frequent n-gram is the longest of several, and none if none is repeated.
``paper``      counted as ``dclm``, which takes the paper by its words ("taking care not to count characters that occur in overlapping
               n-grams more than once"); it leaves open whether the first of several copies is a duplicate.
``dolma``      all copies; every repeated n-gram's characters over those of all n-grams; lines and the first of the most frequent n-grams
               over the characters that are no white space (so lines may exceed 1). It has no measure of paragraphs: NaN.

Words are ours in all of them, where datatrove and DCLM take those of a library and dolma what stands between white space.

    repetition(text, words, "datatrove")["top_2gram_chars"]
"""

from typing import Literal

import numpy as np
import pyarrow as pa

from corpus.kernels.characters import SPACE, tables
from corpus.kernels.compiled import kernel
from corpus.kernels.text import buffers, decode

Variant = Literal["paper", "datatrove", "dclm", "dolma"]
_VARIANTS = {"datatrove": 0, "dclm": 1, "paper": 1, "dolma": 2}
KEYS = (
    "duplicate_line_fraction",
    "duplicate_paragraph_fraction",
    "duplicate_line_chars",
    "duplicate_paragraph_chars",
    *(f"top_{n}gram_chars" for n in (2, 3, 4)),
    *(f"duplicate_{n}gram_chars" for n in range(5, 11)),
)


def repetition(text: pa.Array, words: pa.ListArray, variant: Variant) -> dict[str, np.ndarray]:
    """Strings and their words (rows,) -> one float64 array (rows,) for each of KEYS; NaN for null; 0 for a text without words."""
    data, offsets, valid = buffers(text)
    spans = words.values.to_numpy(zero_copy_only=False).astype(np.int32) if len(words.values) else np.zeros(0, np.int32)
    ends = words.offsets.to_numpy().astype(np.int64)
    measured = _measure(data, offsets, valid, spans, ends, tables()[0], _VARIANTS[variant], len(KEYS))
    return {key: np.ascontiguousarray(measured[:, at]) for at, key in enumerate(KEYS)}


@kernel
def _measure(data, offsets, valid, spans, ends, classes, variant, keys):  # type: ignore[no-untyped-def]
    rows = len(valid)
    result = np.full((rows, keys), np.nan)
    for row in range(rows):
        if not valid[row]:
            continue
        start, end = offsets[row], offsets[row + 1]
        characters = characters_of(data, start, end)
        is_ascii = characters == end - start
        visible = _visible(data, start, end, classes) if variant == 2 else characters
        for level in range(2 if variant != 2 else 1):  # lines, paragraphs
            hashes, lengths = pieces_of(data, start, end, level + 1)
            repeated, repeated_characters = copies_of(hashes, lengths, variant != 0)
            result[row, level] = repeated / max(1, len(hashes))
            result[row, level + 2] = repeated_characters / max(1, lengths.sum() if variant == 1 else visible)
        first, last = ends[row], ends[row + 1]
        count = (last - first) // 2
        hashes = np.empty(count, np.uint64)
        lengths = np.empty(count, np.int64)
        for word in range(count):
            at, to = start + spans[first + 2 * word], start + spans[first + 2 * word + 1]
            hashes[word] = hash_bytes(data, at, to)
            lengths[word] = to - at if is_ascii else characters_of(data, at, to)
        _all_ngrams(hashes, lengths, variant, visible, result[row])
    return result


@kernel
def _all_ngrams(hashes, lengths, variant, characters, result):  # type: ignore[no-untyped-def]
    """Fills in result[4:13], n = 2 … 10. A run of n words can only be repeated where its first n - 1 are: most are looked at once."""
    count = len(hashes)
    before = np.zeros(count + 1, np.int64)  # characters of the words before each
    for word in range(count):
        before[word + 1] = before[word] + lengths[word]
    keys = hashes.copy()
    slots = np.empty(count, np.int64)
    live = np.arange(count)
    size = 16
    while size < 2 * count:
        size *= 2
    table, times = np.empty(size, np.uint64), np.empty(size, np.int64)
    for n in range(2, 11):
        grams = count - n + 1
        if grams < 1:
            result[n + 2] = 0.0
            continue
        slots[:] = -1  # of a run that is not repeated
        live = _repeated(hashes, n, live, keys, slots, table, times)
        if n < 5:
            result[n + 2] = _top(n, live, slots, times, before, variant, characters)
        elif variant == 0:
            result[n + 2] = _greedy(n, live, slots, times, before) / max(1, characters)
        elif variant == 1:
            result[n + 2] = _covered(n, live, before) / max(1, before[count])
        else:
            repeated, everything = np.int64(0), np.int64(0)
            for at in range(grams):
                everything += before[at + n] - before[at]
            for at in live:
                repeated += before[at + n] - before[at]
            result[n + 2] = repeated / max(1, everything)


@kernel
def _repeated(hashes, n, live, keys, slots, table, times):  # type: ignore[no-untyped-def]
    """Of the places ``live``, in order, those whose n words stand at another one too; sets their slots, and how often each was met."""
    grams = len(hashes) - n + 1
    size = 16
    while size < 2 * len(live):
        size *= 2
    times[:size] = 0
    for at in live:
        if at >= grams:
            continue
        key = _mix(np.uint64(keys[at] * np.uint64(0x9E3779B97F4A7C15)) ^ hashes[at + n - 1])
        keys[at] = key
        slot = np.int64(key & np.uint64(size - 1))
        while times[slot] > 0 and table[slot] != key:
            slot = (slot + 1) & (size - 1)
        table[slot] = key
        times[slot] += 1
        slots[at] = slot
    kept = np.empty(len(live), np.int64)
    used = 0
    for at in live:
        if at < grams:
            if times[slots[at]] > 1:
                kept[used] = at
                used += 1
            else:
                slots[at] = -1
    return kept[:used]


@kernel
def _top(n, live, slots, times, before, variant, characters):  # type: ignore[no-untyped-def]
    """Share of characters in the most frequent run of n words: of several the first, or (dclm) the longest."""
    most, length = 1, before[n]
    for at in live:
        long = before[at + n] - before[at]
        if times[slots[at]] > most or (variant == 1 and times[slots[at]] == most and long > length):
            most, length = times[slots[at]], long
    if variant == 0:
        return most * (length + n - 1) / max(1, characters)
    if variant == 1:
        return most * length / max(1, before[-1]) if most > 1 else 0.0
    return most * length / max(1, characters)


@kernel
def _visible(data, start, end, classes):  # type: ignore[no-untyped-def]
    """Code points that are no white space."""
    count, at = np.int64(0), start
    while at < end:
        code, at = decode(data, at, end)
        count += classes[code] != SPACE
    return count


@kernel
def _greedy(n, live, slots, times, before):  # type: ignore[no-untyped-def]
    """Characters of the repeated runs that are met from left to right, n words being passed over after each."""
    repeated, free = np.int64(0), 0  # words before `free` are passed over
    for at in live:
        if at < free:
            continue
        if times[slots[at]] < 0:
            repeated += before[at + n] - before[at]
            free = at + n
        else:
            times[slots[at]] = -1  # met
    return repeated


@kernel
def _covered(n, live, before):  # type: ignore[no-untyped-def]
    """Characters of the words that lie in a repeated run, each counted once."""
    repeated, covered = np.int64(0), 0  # words before `covered` are counted
    for at in live:
        repeated += before[at + n] - before[max(at, covered)]
        covered = at + n
    return repeated


@kernel
def pieces_of(data, start, end, newlines):  # type: ignore[no-untyped-def]
    """Hash and characters of the pieces between runs of at least ``newlines`` newlines; runs at the ends make no piece."""
    most = (end - start) // (newlines + 1) + 1
    hashes = np.empty(most, np.uint64)
    lengths = np.empty(most, np.int64)
    used = 0
    at = start
    while at < end:
        while at < end and data[at] == 10:
            at += 1
        begin = at
        stop = end
        while at < end:
            if data[at] == 10:
                run = at
                while run < end and data[run] == 10:
                    run += 1
                if run - at >= newlines or run == end:
                    stop = at
                    at = run
                    break
                at = run
            else:
                at += 1
        if begin < stop:
            hashes[used] = hash_bytes(data, begin, stop)
            lengths[used] = characters_of(data, begin, stop)
            used += 1
    return hashes[:used], lengths[:used]


@kernel
def copies_of(hashes, lengths, all_copies):  # type: ignore[no-untyped-def]
    """How many pieces are copies, and their characters: those after the first of their kind, or all of a repeated kind."""
    order = np.argsort(hashes, kind="mergesort")
    pieces, characters = np.int64(0), np.int64(0)
    at = 0
    while at < len(order):
        to = at + 1
        while to < len(order) and hashes[order[to]] == hashes[order[at]]:
            to += 1
        copies = to - at if all_copies and to - at > 1 else to - at - 1
        pieces += copies
        characters += copies * lengths[order[at]]
        at = to
    return pieces, characters


@kernel
def characters_of(data, start, end):  # type: ignore[no-untyped-def]
    """Code points: the bytes that do not continue one."""
    count = np.int64(0)
    for at in range(start, end):
        if data[at] & 0xC0 != 0x80:
            count += 1
    return count


@kernel
def hash_bytes(data, start, end):  # type: ignore[no-untyped-def]
    """64 bits of the bytes: eight at a time through murmur3's finalizer, the length mixed in."""
    key = np.uint64(end - start)
    at = start
    while at + 8 <= end:
        key = _mix(np.uint64(key * np.uint64(0x9E3779B97F4A7C15)) ^ _word64(data, at))
        at += 8
    if at < end:
        word = np.uint64(0)
        for byte in range(end - at):
            word |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
        key = _mix(np.uint64(key * np.uint64(0x9E3779B97F4A7C15)) ^ word)
    return key


@kernel
def _word64(data, at):  # type: ignore[no-untyped-def]
    """Eight bytes, little-endian; written out, so that it compiles to one load."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + 1]) << np.uint64(8)
        | np.uint64(data[at + 2]) << np.uint64(16)
        | np.uint64(data[at + 3]) << np.uint64(24)
        | np.uint64(data[at + 4]) << np.uint64(32)
        | np.uint64(data[at + 5]) << np.uint64(40)
        | np.uint64(data[at + 6]) << np.uint64(48)
        | np.uint64(data[at + 7]) << np.uint64(56)
    )


@kernel
def _mix(key):  # type: ignore[no-untyped-def]
    key = np.uint64(key ^ (key >> np.uint64(33)))
    key = np.uint64(key * np.uint64(0xFF51AFD7ED558CCD))
    key = np.uint64(key ^ (key >> np.uint64(33)))
    key = np.uint64(key * np.uint64(0xC4CEB9FE1A85EC53))
    return np.uint64(key ^ (key >> np.uint64(33)))
