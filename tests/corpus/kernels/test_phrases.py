"""Phrases counted among words, against plain Python on strings."""

import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels import phrases as kernels
from corpus.kernels.phrases import Fold, count_phrases, find_phrases, phrases
from corpus.kernels.words import words

word = st.one_of(
    st.sampled_from(["a", "b", "A", "ß", "ss", "Σ", "ς", "σ", "İ", "K", "ﬃ", "我", "don't", "c"]), st.from_regex(r"\w{1,3}", fullmatch=True)
)
FOLDS = {"none": str, "lower": lambda text: text.lower().replace("ς", "σ"), "casefold": str.casefold}


def plain(found: list[str], listed: set[tuple[str, ...]]) -> list[tuple[int, tuple[str, ...]]]:
    """(place, phrase)."""
    at, met = 0, []
    while at < len(found):
        here = [phrase for phrase in listed if tuple(found[at : at + len(phrase)]) == phrase]
        longest = max(here, key=len, default=())
        met += [(at, longest)] if longest else []
        at += max(1, len(longest))
    return met


@pytest.mark.parametrize("fold", ["none", "lower", "casefold"])
@given(rows=st.lists(st.lists(word, max_size=12), max_size=4), listed=st.lists(st.lists(word, min_size=1, max_size=3), max_size=6))
def test_phrases_are_counted_and_found(fold: Fold, rows: list[list[str]], listed: list[list[str]]) -> None:
    folded = {tuple(FOLDS[fold](each) for each in phrase) for phrase in listed}
    text = pa.array(["a b", *(" ".join(row) for row in rows)]).slice(1)
    spans = words(text)
    numbers = np.arange(len(rows))[::-1]
    hits, distinct = count_phrases(text, spans, phrases(sorted(folded), fold), numbers, fold)
    for row, *actual in zip(numbers, hits, distinct, strict=True):
        utf8, offsets = text[row].as_py().encode(), spans[row].as_py()
        found = [FOLDS[fold](utf8[start:end].decode()) for start, end in zip(offsets[::2], offsets[1::2], strict=True)]
        expected = plain(found, folded)
        assert actual == [sum(len(phrase) for _, phrase in expected), len({phrase for _, phrase in expected})], (text[row], folded)
        places = find_phrases(text, spans, phrases(sorted(folded), fold), int(row), fold).tolist()
        assert places == [[at, len(phrase)] for at, phrase in expected], (text[row], folded)


def test_the_table_holds_every_character_that_has_two_cases() -> None:
    beyond = map(chr, range(kernels._CASED, sys.maxunicode + 1))
    assert not [character for character in beyond if character.lower() != character or character.casefold() != character]


def test_a_phrase_counts_all_its_words_and_is_told_apart_once() -> None:
    text = pa.array(["How to do it, how TO: how"])
    hits, distinct = count_phrases(text, words(text), phrases([("how",), ("how", "to"), ("nothing",)], "lower"), np.array([0]), "lower")
    assert (hits.tolist(), distinct.tolist()) == ([5], [2])
