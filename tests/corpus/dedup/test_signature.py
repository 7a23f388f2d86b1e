"""Signatures against datasketch itself, which is their definition."""

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from datasketch import LeanMinHash, MinHash
from hypothesis import given
from hypothesis import strategies as st

from corpus import document
from corpus.dedup.signature import MinHashSignature, TextDigest
from corpus.kernels.shingles import signatures, xxh32
from corpus.kernels.words import words
from corpus.language.words import SegmentWords

texts = st.lists(st.one_of(st.none(), st.text(alphabet=st.sampled_from("aAbB éЖ我 \n.-'1é😀"), max_size=120)), min_size=1, max_size=6)


def reference(text: str, ngram: int, permutations: int, seed: int) -> list[int] | None:
    """datasketch over the same shingles, made with Python strings."""
    utf8 = text.encode()
    spans = words(pa.array([text]))[0].as_py()
    found = [utf8[start:end].lower() for start, end in zip(spans[::2], spans[1::2], strict=True)]
    if len(found) < ngram:
        return None
    sketch = MinHash(num_perm=permutations, seed=seed, scheme="affine32", hashfunc=lambda b: xxhash.xxh32_intdigest(b))
    sketch.update_batch([b" ".join(found[at : at + ngram]) for at in range(len(found) - ngram + 1)])
    return sketch.hashvalues.tolist()


@given(texts, st.integers(1, 6), st.integers(2, 40), st.integers(1, 5))
def test_values_equal_datasketch(rows: list[str | None], ngram: int, permutations: int, seed: int) -> None:
    column = pa.array(rows, pa.string())
    actual = signatures(column, words(column), np.full(len(rows), ngram), permutations, seed).to_pylist()
    for text, serialized in zip(rows, actual, strict=True):
        expected = None if text is None else reference(text, ngram, permutations, seed)
        if expected is None:
            assert serialized is None
        else:
            lean = LeanMinHash.deserialize(serialized, "<")
            assert (lean.hashvalues.tolist(), lean.seed, lean.scheme) == (expected, seed, "affine32")


@given(st.binary(max_size=80), st.integers(0, 5), st.binary(min_size=16, max_size=16))
def test_xxh32_equals_the_library(data: bytes, skip: int, behind: bytes) -> None:
    buffer = np.frombuffer(data + behind, np.uint8)
    start = min(skip, len(data))
    assert xxh32(buffer, start, len(data)) == xxhash.xxh32_intdigest(data[start:])


def test_serialized_as_lean_min_hash_does() -> None:
    batch = MinHashSignature()(SegmentWords()(document.new_batch(text=["one two three four five six", "too short"])))
    long, short = batch["signature"].to_pylist()
    lean = LeanMinHash.deserialize(long, "<")
    again = bytearray(lean.bytesize("<"))
    lean.serialize(again, "<")
    assert bytes(again) == long
    assert len(long) == 13 + 4 * 112
    assert short is None


def test_sliced_batches_give_the_same() -> None:
    batch = SegmentWords()(document.new_batch(text=["a b c d e f g", "我" * 30, None, "h i j k l m"]))
    whole = MinHashSignature()(batch)["signature"].to_pylist()
    assert MinHashSignature()(batch.slice(1, 3))["signature"].to_pylist() == whole[1:]


def test_digest_sees_neither_case_nor_white_space() -> None:
    batch = TextDigest()(document.new_batch(text=["One  two\nTHREE ", " one two three", "one twothree", None]))
    first, second, third, none = batch["text_digest"].to_pylist()
    assert first == second
    assert first != third
    assert none is None


@pytest.mark.parametrize("wrong", [{"permutations": 1}, {"ngram": 0}])
def test_settings_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        MinHashSignature(**wrong)
