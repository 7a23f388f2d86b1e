"""Pieces of texts, and runs of them, against plain Python; and that no repeated run escapes the sample."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.pieces import LINE, PARAGRAPH, SENTENCE, Pieces, pieces, spans_of, without, word_pieces
from corpus.kernels.runs import near, prints, runs
from corpus.kernels.words import words
from tests.corpus.dedup.plain_repeats import form

texts = st.lists(st.text(alphabet=st.sampled_from("aAbé1٣我.!”, \t\n-\u200b\u200d+"), max_size=40), min_size=1, max_size=4)


def told(text: str, found: Pieces, row: int) -> list[str]:
    utf8 = text.encode()
    places = range(found.bounds[row], found.bounds[row + 1])
    return [utf8[found.start[at] : found.stop[at]].decode() for at in places]


@given(texts, st.integers(0, 1))
def test_lines_and_paragraphs_are_those_of_plain_python(given: list[str], unit: int) -> None:
    found = pieces(pa.array(given), unit)
    forms: dict[tuple[int, int], str] = {}
    for row, text in enumerate(given):
        split = re.split(r"\n" if unit == LINE else r"\n[^\S\n]*(?:\n[^\S\n]*)+", text)
        expected = [part.strip() for part in split if part.strip()]
        assert told(text, found, row) == expected
        for at, part in zip(range(found.bounds[row], found.bounds[row + 1]), expected, strict=True):
            assert found.size[at] == len(form(part))
            key = (int(found.first[at]), int(found.second[at]))
            assert forms.setdefault(key, form(part)) == form(part)
    assert len(set(forms.values())) == len(forms)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two!  Three", ["One.", "Two!", "Three"]),
        ("He said “Go.” Then 3.14 e.g.x went...\nNew line", ["He said “Go.”", "Then 3.14 e.g.x went...", "New line"]),
        ("天气很好。我们走了！」他说。", ["天气很好。", "我们走了！", "」他说。"]),
        ("... !? \n\n", ["...", "!?"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert told(text, pieces(pa.array([text]), SENTENCE), 0) == expected


def test_words_carry_the_punctuation_that_stands_at_them() -> None:
    text = "  \"Well,\" she said — (twice) don't/won't. "
    assert told(text, word_pieces(pa.array([text])), 0) == ['"Well,"', "she", "said —", "(twice)", "don't/", "won't."]


@given(texts, st.data())
def test_what_is_left_is_the_other_pieces(given: list[str], data: st.DataObject) -> None:
    column = pa.array([*given, None])
    for found in (pieces(column, LINE), pieces(column, PARAGRAPH), word_pieces(column)):
        cut = np.array(data.draw(st.lists(st.booleans(), min_size=len(found.first), max_size=len(found.first))), bool)
        spans = spans_of(column, found, cut)
        left = without(column, spans).to_pylist()
        assert left[-1] is None
        for row, text in enumerate(given):
            here = slice(found.bounds[row], found.bounds[row + 1])
            parts, goes = told(text, found, row), cut[here]
            kept = [part for part, gone in zip(parts, goes, strict=True) if not gone]
            assert re.sub(r"\s", "", left[row]) == re.sub(r"\s", "", "".join(kept)) if goes.any() else left[row] == text
            flat = spans[row].as_py()
            assert flat == sorted(flat)
            if len(goes) and goes[0]:
                assert left[row] == left[row].lstrip()
            if len(goes) and goes[-1]:
                assert left[row] == left[row].rstrip()


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=60), min_size=2, max_size=4), st.integers(2, 12))
def test_no_repeated_run_escapes_the_sample(given: list[list[str]], length: int) -> None:
    """Of two equal runs, in one text or in two, each holds a print of the other."""
    column = pa.array([" ".join(each) for each in given])
    found, lengths = word_pieces(column), np.full(len(given), length)
    keys, places, ends = prints(found, lengths)
    every = runs(found, lengths)
    owners = np.repeat(np.arange(len(given)), np.diff(ends))
    met: dict[int, int] = {}
    for key in keys.tolist():
        met[key] = met.get(key, 0) + 1
    repeated = np.array([met[key] > 1 for key in keys.tolist()], bool)
    chosen = np.concatenate([[0], np.cumsum(repeated)])[ends]
    assert (np.diff(chosen) == [repeated[owners == row].sum() for row in range(len(given))]).all()
    held = near(every, lengths, places[repeated], chosen.astype(np.int64))
    times: dict[tuple[int, int], int] = {}
    for key in zip(every.first.tolist(), every.second.tolist(), strict=True):
        times[key] = times.get(key, 0) + 1
    for at, key in enumerate(zip(every.first.tolist(), every.second.tolist(), strict=True)):
        if times[key] > 1:
            assert held[at]
    words_of = [tuple(told) for row, told in enumerate(given) for told in zip(*[given[row][at:] for at in range(length)], strict=False)]
    assert len(times) == len(set(words_of))


def test_the_sample_is_small() -> None:
    """2 of the n - k + 2 places of a window: 2 / 27 at 50 words (Schleimer et al., the density of winnowing)."""
    draw = np.random.default_rng(1)
    column = pa.array([" ".join(map(str, draw.integers(0, 10**9, 20_000)))])
    _, places, _ = prints(word_pieces(column), np.array([50]))
    assert len(words(column)[0]) == 40_000
    assert len(places) / 20_000 == pytest.approx(2 / 27, rel=0.1)
    assert np.diff(places).max() <= 26
