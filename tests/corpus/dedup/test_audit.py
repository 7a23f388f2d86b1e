"""The estimated quality of near-duplicates: against texts whose true similarity is known, and figures worked out by hand."""

import itertools
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame

from corpus.dedup.audit import found_chance, sets_of, wilson
from corpus.dedup.minhash import NearDuplicates
from corpus.kernels.shingles import shingle_sets
from corpus.kernels.words import words as segment
from corpus.work import Work
from tests.corpus.dedup.conftest import row, with_texts, words

Table = Callable[..., DataFrame]


def test_wilson() -> None:
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    assert wilson(81, 263) == [0.2553, 0.3662]
    assert wilson(15, 148) == [0.0624, 0.1605]
    assert wilson(0, 20) == [0.0, 0.1611]
    assert wilson(1, 29) == [0.0061, 0.1718]


def test_the_chance_to_be_found() -> None:
    assert found_chance(1.0, 112, 12, 9, 0.7) == 1.0
    assert found_chance(0.0, 112, 12, 9, 0.7) == 0.0
    assert found_chance(0.5, 2, 2, 1, 0.5) == pytest.approx(0.75)  # one or two of two
    assert found_chance(0.5, 3, 1, 2, 1.0) == pytest.approx(1 / 8)
    assert found_chance(0.5, 4, 2, 2, 0.5) == pytest.approx(7 / 16)  # a band of two agrees: 1 - (3/4)**2


@given(st.lists(st.one_of(st.none(), st.text(alphabet=st.sampled_from("aAbé我 "), max_size=60)), min_size=1, max_size=5), st.integers(1, 4))
def test_shingle_sets_are_what_the_signature_is_made_of(rows: list[str | None], ngram: int) -> None:
    column = pa.array(rows, pa.string())
    actual = shingle_sets(column, segment(column), np.full(len(rows), ngram)).to_pylist()
    for text, found in zip(rows, actual, strict=True):
        spans = [] if text is None else segment(pa.array([text]))[0].as_py()
        told = [(text or "").encode()[start:end].lower() for start, end in zip(spans[::2], spans[1::2], strict=True)]
        shingles = {b" ".join(told[at : at + ngram]) for at in range(len(told) - ngram + 1)}
        assert (None if found is None else len(found) // 4) == (len(shingles) or None)
        if found is not None:
            values = np.frombuffer(found, "<u4")
            assert (np.diff(values.astype(np.int64)) > 0).all()


def edited(draw: np.random.Generator, base: list[str], rate: float) -> str:
    return " ".join(word if draw.random() > rate else f"x{draw.integers(10**6)}" for word in base)


def test_the_sample_says_how_good_the_pairs_are(table: Table, work: Work) -> None:
    """400 pairs from far above the threshold to below it: the figures are those of the true similarities, computed here with sets."""
    draw = np.random.default_rng(3)
    texts = {}
    for family in range(400):
        base = words(family, 200)
        texts[f"{family:03d}a"] = " ".join(base)
        texts[f"{family:03d}b"] = edited(draw, base, 0.0002 * family)
    work = with_texts(work, texts)
    step = NearDuplicates(threshold=0.7, audit=1000)
    step(table([row(name, text) for name, text in texts.items()]), work)
    told = step.findings(work)["audit"]

    def true(one: str, other: str) -> float:
        first, second = ({tuple(each[at : at + 5]) for at in range(196)} for each in (texts[one].split(), texts[other].split()))
        return len(first & second) / len(first | second)

    compared = work.reread("compared").collect()
    verified = [true(each["a"], each["b"]) for each in compared if each["similarity"] >= 0.7]
    turned = [true(each["a"], each["b"]) for each in compared if each["similarity"] < 0.7]
    assert (told["sampled"], told["turned_away"]) == (len(verified), len(turned))
    assert told["mean_jaccard"] == pytest.approx(sum(verified) / len(verified), abs=1e-4)
    assert told["precision"] == pytest.approx(sum(each >= 0.7 for each in verified) / len(verified), abs=1e-4)
    assert told["missed"] == pytest.approx(sum(each >= 0.7 for each in turned) / len(turned), abs=1e-4)
    every = sum(true(f"{family:03d}a", f"{family:03d}b") >= 0.7 for family in range(400))
    recall = sum(each >= 0.7 for each in verified) / every
    assert told["expected_recall"] == pytest.approx(recall, abs=0.05)


def test_verified_by_shingles_the_pairs_are_exact(table: Table, work: Work) -> None:
    draw = np.random.default_rng(4)
    base = words(1, 200)
    texts = {f"{copy:02d}": edited(draw, base, 0.003 * copy) for copy in range(30)}
    texts |= {f"zh{copy}": "早上河里的水很冷我们在岸边走了很久才回家然后一起喝了热茶" * 3 + "好" * copy for copy in range(3)}
    work = with_texts(work, texts)
    step = NearDuplicates(threshold=0.7, verify="shingles", all_pairs=200)
    rows = [row(name, text) for name, text in texts.items()]
    pairs = {(each["a"], each["b"]): each["similarity"] for each in step._compared(table(rows).select("id", "signature"), work).collect()}
    held = {each["id"]: set(np.frombuffer(each["shingles"], "<u4").tolist()) for each in sets_of(work.texts, 5, 10).collect()}
    assert len(held) == 33
    for (a, b), found in pairs.items():
        assert found == len(held[a] & held[b]) / len(held[a] | held[b])
    assert {("zh0", "zh1")} <= pairs.keys()
    by_signature = NearDuplicates(threshold=0.7)._compared(table(rows).select("id", "signature"), work).collect()
    apart = [(each["a"], each["b"]) for each in by_signature if each["similarity"] >= 0.7 and not _alike(held, each["a"], each["b"])]
    assert apart, "the signature alone takes some pairs below the threshold"
    assert not any(pairs.get(pair, 0.0) >= 0.7 for pair in apart)
    decided = {each["id"]: each for each in step(table(rows), work).collect()}
    alike = [pair for pair in itertools.combinations(sorted(held), 2) if _alike(held, *pair)]
    assert any(decided[a]["outcome"] == "dedup:near" or decided[b]["outcome"] == "dedup:near" for a, b in alike)


def _alike(held: dict[str, set[int]], a: str, b: str) -> bool:
    return len(held[a] & held[b]) / len(held[a] | held[b]) >= 0.7
