"""ROOTS' repetition measures against plain Python that counts slices."""

import math
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.recurrence import recurrence
from corpus.kernels.words import words

texts = st.lists(st.text(alphabet=st.sampled_from("ab é我\n"), max_size=80), min_size=1, max_size=4)


def plain(text: str, found: list[str], n: int) -> tuple[float, float]:
    slices = Counter(text[at : at + n] for at in range(len(text) - n + 1))
    again = sorted((count for count in slices.values() if count > 1), reverse=True)
    runs = Counter(tuple(found[at : at + n]) for at in range(len(found) - n + 1))
    frequent = sum(again[: int(math.sqrt(len(slices)))]) / max(1, slices.total())
    return frequent, sum(count for count in runs.values() if count > 1) / max(1, runs.total())


@given(rows=texts, n=st.integers(1, 5))
def test_equals_plain_python(rows: list[str], n: int) -> None:
    column = pa.array(["é x", *rows]).slice(1)
    spans = words(column)
    measured = recurrence(column, spans, n, n)
    for row, text in enumerate(rows):
        utf8, ends = text.encode(), spans[row].as_py()
        found = [utf8[start:end].decode() for start, end in zip(ends[::2], ends[1::2], strict=True)]
        assert measured[2][row] == sum(not each.isalpha() for each in text) / max(1, len(text))
        assert (measured[0][row], measured[1][row]) == pytest.approx(plain(text, found, n))


def test_null_and_empty() -> None:
    column = pa.array([None, ""])
    first, second, _ = recurrence(column, words(column), 10, 10)
    assert [math.isnan(first[0]), math.isnan(second[0]), first[1], second[1]] == [True, True, 0.0, 0.0]
