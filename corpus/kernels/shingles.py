"""MinHash signatures over word shingles, equal value for value to datasketch's.

A shingle is n consecutive words, ASCII letters in lower case, joined by one space, as UTF-8. It is hashed with xxHash32 (seed 0), then
as ``datasketch.MinHash(scheme="affine32")`` does: the murmur3 finalizer, and for each permutation ``a * h + b mod 2**32``, of which
the least is kept. Every operand stays uint32, so that the loop over permutations is vectorised; eight shingles go through it at once,
so that a, b and the least values are loaded once for them. Bytes are addressed by unsigned numbers: a signed index may count from the
end, and numba's check for that kept the loads of four or eight bytes apart (380 MB/s of text in place of 130, on one core).

    signatures(text, words, np.full(len(text), 5), permutations=112, seed=1)
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa
from datasketch import LeanMinHash, MinHash

from corpus.kernels.compiled import kernel
from corpus.kernels.text import buffers

_BLOCK = 8  # shingles that the permutations see at once
_SLACK = 16  # bytes behind the joined words, which `xxh32` loads and does not use
_1, _2, _3, _4, _5 = (np.uint32(p) for p in (2654435761, 2246822519, 3266489917, 668265263, 374761393))  # xxHash32's primes


@lru_cache(maxsize=8)
def permutations_of(permutations: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """datasketch's (a, b), two uint32 arrays of shape (permutations,)."""
    a, b = MinHash(num_perm=permutations, seed=seed, scheme="affine32").permutations
    return np.ascontiguousarray(a, np.uint32), np.ascontiguousarray(b, np.uint32)


@lru_cache(maxsize=8)
def header(permutations: int, seed: int) -> bytes:
    """The first 13 bytes of ``LeanMinHash.serialize(byteorder="<")``: seed, minus the number of values, code of the scheme."""
    lean = LeanMinHash(MinHash(num_perm=permutations, seed=seed, scheme="affine32"))
    serialized = bytearray(lean.bytesize("<"))
    lean.serialize(serialized, "<")
    return bytes(serialized[: len(serialized) - 4 * permutations])


def signatures(text: pa.Array, words: pa.ListArray, ngrams: np.ndarray, permutations: int, seed: int) -> pa.Array:
    """Strings and their words (rows,), shingle length by row int64 (rows,) -> serialized LeanMinHash a row, binary.

    Null where the text is null or has fewer words than a shingle.
    """
    data, offsets, valid = buffers(text)
    spans = words.values.to_numpy(zero_copy_only=False) if len(words.values) else np.zeros(0, np.int32)
    ends = words.offsets.to_numpy().astype(np.int64)
    a, b = permutations_of(permutations, seed)
    values, has = _sign(data, offsets, valid, spans.astype(np.int32), ends, ngrams.astype(np.int64), a, b)
    head = np.frombuffer(header(permutations, seed), np.uint8)
    packed = np.concatenate([np.broadcast_to(head, (len(values), len(head))), values.astype("<u4").view(np.uint8)], axis=1)
    width = packed.shape[1]
    rows = np.ascontiguousarray(packed[has])
    lengths = np.where(has, width, 0)
    positions = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    mask = pa.array(has).buffers()[1]
    return pa.Array.from_buffers(pa.binary(), len(has), [mask, pa.py_buffer(positions), pa.py_buffer(rows)], null_count=int((~has).sum()))


def shingle_sets(text: pa.Array, words: pa.ListArray, ngrams: np.ndarray) -> pa.Array:
    """As :func:`signatures`, but all of it: a row's shingles as 32-bit hashes, ascending, each once, little-endian in one binary.

    Two different shingles meet with probability 2**-32: for two texts of 1,000 words each that moves the Jaccard by less than 0.001.
    """
    data, offsets, valid = buffers(text)
    spans = words.values.to_numpy(zero_copy_only=False) if len(words.values) else np.zeros(0, np.int32)
    ends = words.offsets.to_numpy().astype(np.int64)
    hashes, starts, has = _hash_shingles(data, offsets, valid, spans.astype(np.int32), ends, ngrams.astype(np.int64))
    sets = (np.unique(hashes[start:end]).astype("<u4").tobytes() for start, end in zip(starts[:-1], starts[1:], strict=True))
    return pa.array([each if there else None for each, there in zip(sets, has, strict=True)], pa.binary())


@kernel
def _sign(data, offsets, valid, spans, ends, ngrams, a, b):  # type: ignore[no-untyped-def]
    rows, permutations = len(valid), len(a)
    values = np.full((rows, permutations), np.uint32(0xFFFFFFFF), np.uint32)
    has = np.zeros(rows, np.bool_)
    hashes = np.empty(_BLOCK, np.uint32)
    joined, starts, stops = _room(offsets, ends, rows)
    for row in range(rows):
        count = (ends[row + 1] - ends[row]) // 2
        ngram = ngrams[row]
        if not valid[row] or count < ngram:
            continue
        has[row] = True
        _join(data, offsets[row], spans, ends[row], count, joined, starts, stops)
        shingles = count - ngram + 1
        for first in range(0, shingles, _BLOCK):
            for each in range(_BLOCK):
                word = min(first + each, shingles - 1)  # the last one again: it changes no minimum
                hashes[each] = _fmix32(xxh32(joined, starts[word], stops[word + ngram - 1]))
            _keep_least(values[row], a, b, hashes)
    return values, has


@kernel
def _keep_least(least, a, b, hashes):  # type: ignore[no-untyped-def]
    """The least value of each permutation so far and of these eight shingles, uint32 (permutations,), in place."""
    h0, h1, h2, h3, h4, h5, h6, h7 = hashes[0], hashes[1], hashes[2], hashes[3], hashes[4], hashes[5], hashes[6], hashes[7]
    for k in range(len(a)):
        x, y = a[k], b[k]
        first = min(min(np.uint32(x * h0 + y), np.uint32(x * h1 + y)), min(np.uint32(x * h2 + y), np.uint32(x * h3 + y)))
        second = min(min(np.uint32(x * h4 + y), np.uint32(x * h5 + y)), min(np.uint32(x * h6 + y), np.uint32(x * h7 + y)))
        least[k] = min(least[k], min(first, second))


@kernel
def _hash_shingles(data, offsets, valid, spans, ends, ngrams):  # type: ignore[no-untyped-def]
    """Hashes of all shingles, where each row's begin, and whether it has any."""
    rows = len(valid)
    has = np.zeros(rows, np.bool_)
    begins = np.zeros(rows + 1, np.int64)
    hashes = np.empty((ends[-1] - ends[0]) // 2, np.uint32)
    joined, starts, stops = _room(offsets, ends, rows)
    used = 0
    for row in range(rows):
        count = (ends[row + 1] - ends[row]) // 2
        ngram = ngrams[row]
        if valid[row] and count >= ngram:
            has[row] = True
            _join(data, offsets[row], spans, ends[row], count, joined, starts, stops)
            for word in range(count - ngram + 1):
                hashes[used] = xxh32(joined, starts[word], stops[word + ngram - 1])
                used += 1
        begins[row + 1] = used
    return hashes[:used], begins, has


@kernel
def _room(offsets, ends, rows):  # type: ignore[no-untyped-def]
    """Buffers for the joined words of the longest row: bytes, and where words begin and end in them."""
    longest = 0
    for row in range(rows):
        longest = max(longest, offsets[row + 1] - offsets[row] + (ends[row + 1] - ends[row]) // 2 + 1)
    return np.empty(longest + _SLACK, np.uint8), np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)


@kernel
def _join(data, base, spans, first, count, joined, starts, stops):  # type: ignore[no-untyped-def]
    """The words of a row into ``joined``: ASCII in lower case, a space after each."""
    used = 0
    whole = len(data) - 8
    for word in range(count):
        starts[word] = used
        at, end = base + spans[first + 2 * word], base + spans[first + 2 * word + 1]
        if end <= whole:  # eight bytes at once: those behind the word's end are written over by what follows
            for done in range(0, end - at, 8):
                _put64(joined, used + done, _lower64(_word64(data, at + done)))
        else:
            for done in range(end - at):
                byte = data[at + done]
                joined[used + done] = byte + 32 if 65 <= byte <= 90 else byte
        used += end - at
        stops[word] = used
        joined[used] = 32
        used += 1


@kernel
def _lower64(word):  # type: ignore[no-untyped-def]
    """ASCII letters of eight bytes in lower case: bit 7 of a byte is set by adding what takes it from A, or from behind Z, to 128."""
    low = word & np.uint64(0x7F7F7F7F7F7F7F7F)
    from_a, behind_z = low + np.uint64(0x3F3F3F3F3F3F3F3F), low + np.uint64(0x2525252525252525)
    return word | ((from_a & ~behind_z & ~word & np.uint64(0x8080808080808080)) >> np.uint64(2))


@kernel
def _put64(out, at, word):  # type: ignore[no-untyped-def]
    for byte in range(8):
        out[np.uint64(at) + np.uint64(byte)] = np.uint8(word >> np.uint64(8 * byte))


@kernel
def _fmix32(h):  # type: ignore[no-untyped-def]
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h = np.uint32(h ^ (h >> np.uint32(13)))
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@kernel
def _rotate(value, bits):  # type: ignore[no-untyped-def]
    return np.uint32(np.uint32(value << np.uint32(bits)) | np.uint32(value >> np.uint32(32 - bits)))


@kernel
def _word32(data, at):  # type: ignore[no-untyped-def]
    """Four bytes, little-endian: one load of the machine's."""
    at = np.uint64(at)
    low = np.uint32(data[at]) | np.uint32(np.uint32(data[at + np.uint64(1)]) << np.uint32(8))
    high = np.uint32(np.uint32(data[at + np.uint64(2)]) << np.uint32(16)) | np.uint32(np.uint32(data[at + np.uint64(3)]) << np.uint32(24))
    return np.uint32(low | high)


@kernel
def _word64(data, at):  # type: ignore[no-untyped-def]
    return np.uint64(_word32(data, at)) | (np.uint64(_word32(data, at + 4)) << np.uint64(32))


@kernel
def _lane(accumulator, word):  # type: ignore[no-untyped-def]
    return np.uint32(_rotate(np.uint32(accumulator + np.uint32(word * _2)), 13) * _1)


@kernel
def xxh32(data, start, end):  # type: ignore[no-untyped-def]
    """xxHash32 with seed 0 of ``data[start:end]``, which is followed by 16 bytes of anything;
    https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.

    What is left behind the stripes of 16 bytes is hashed without a branch, each step made and taken or left: how many bytes they are
    nothing can predict, and a wrong guess costs more than the six steps.
    """
    length = end - start
    at = start
    if length >= 16:
        v1, v2, v3, v4 = np.uint32(_1 + _2), _2, np.uint32(0), np.uint32(np.uint32(0) - _1)
        while at + 16 <= end:
            v1 = _lane(v1, _word32(data, at))
            v2 = _lane(v2, _word32(data, at + 4))
            v3 = _lane(v3, _word32(data, at + 8))
            v4 = _lane(v4, _word32(data, at + 12))
            at += 16
        h = np.uint32(np.uint32(_rotate(v1, 1) + _rotate(v2, 7)) + np.uint32(_rotate(v3, 12) + _rotate(v4, 18)))
    else:
        h = _5
    h = np.uint32(h + np.uint32(length))
    left = end - at
    for word in range(3):
        stepped = np.uint32(_rotate(np.uint32(h + np.uint32(_word32(data, at + 4 * word) * _3)), 17) * _4)
        h = stepped if left >= 4 * word + 4 else h
    tail = end - left % 4
    for byte in range(3):
        stepped = np.uint32(_rotate(np.uint32(h + np.uint32(np.uint32(data[np.uint64(tail + byte)]) * _5)), 11) * _1)
        h = stepped if left % 4 > byte else h
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(15))) * _2)
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(13))) * _3)
    return np.uint32(h ^ (h >> np.uint32(16)))
