"""MinHash signatures over word shingles, equal value for value to datasketch's.

A shingle is n consecutive words, ASCII letters in lower case, joined by one space, as UTF-8. It is hashed with xxHash32 (seed 0), then
as ``datasketch.MinHash(scheme="affine32")`` does: the murmur3 finalizer, and for each permutation ``a * h + b mod 2**32``, of which
the least is kept. Every operand stays uint32, so that the loop over permutations is vectorised.

    signatures(text, words, np.full(len(text), 5), permutations=112, seed=1)
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa
from datasketch import LeanMinHash, MinHash

from corpus.kernels.compiled import kernel
from corpus.kernels.text import buffers

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
    joined, starts, stops = _room(offsets, ends, rows)
    for row in range(rows):
        count = (ends[row + 1] - ends[row]) // 2
        ngram = ngrams[row]
        if not valid[row] or count < ngram:
            continue
        has[row] = True
        _join(data, offsets[row], spans, ends[row], count, joined, starts, stops)
        signature = values[row]
        for word in range(count - ngram + 1):
            hashed = _fmix32(xxh32(joined, starts[word], stops[word + ngram - 1]))
            for k in range(permutations):
                value = np.uint32(a[k] * hashed + b[k])
                if value < signature[k]:
                    signature[k] = value
    return values, has


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
    return np.empty(longest, np.uint8), np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)


@kernel
def _join(data, base, spans, first, count, joined, starts, stops):  # type: ignore[no-untyped-def]
    """The words of a row into ``joined``: ASCII in lower case, a space after each."""
    used = 0
    for word in range(count):
        starts[word] = used
        for at in range(spans[first + 2 * word], spans[first + 2 * word + 1]):
            byte = data[base + at]
            joined[used] = byte + 32 if 65 <= byte <= 90 else byte
            used += 1
        stops[word] = used
        joined[used] = 32
        used += 1


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
    low = np.uint32(data[at]) | np.uint32(np.uint32(data[at + 1]) << np.uint32(8))
    high = np.uint32(np.uint32(data[at + 2]) << np.uint32(16)) | np.uint32(np.uint32(data[at + 3]) << np.uint32(24))
    return np.uint32(low | high)


@kernel
def _lane(accumulator, word):  # type: ignore[no-untyped-def]
    return np.uint32(_rotate(np.uint32(accumulator + np.uint32(word * _2)), 13) * _1)


@kernel
def xxh32(data, start, end):  # type: ignore[no-untyped-def]
    """xxHash32 with seed 0 of ``data[start:end]``; https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md."""
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
    while at + 4 <= end:
        h = np.uint32(_rotate(np.uint32(h + np.uint32(_word32(data, at) * _3)), 17) * _4)
        at += 4
    while at < end:
        h = np.uint32(_rotate(np.uint32(h + np.uint32(np.uint32(data[at]) * _5)), 11) * _1)
        at += 1
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(15))) * _2)
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(13))) * _3)
    return np.uint32(h ^ (h >> np.uint32(16)))
