"""Runs of words found in a table, against plain Python over lists of words."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.ngrams import Table, find, run_hashes, word_hashes
from corpus.kernels.words import words

texts = st.lists(st.text(alphabet=st.sampled_from("aAbBéÉЖж我 \n."), max_size=60), min_size=1, max_size=5)


def lowered(text: str) -> list[str]:
    utf8 = text.encode()
    spans = words(pa.array([text]))[0].as_py()
    return [utf8[start:end].decode().lower() for start, end in zip(spans[::2], spans[1::2], strict=True)]


@given(
    texts,
    st.text(alphabet=st.sampled_from("aAbBéЖ我 "), max_size=40),
    st.sets(st.integers(1, 5), min_size=1, max_size=3),
    st.integers(0, 2),
)
def test_finds_what_plain_python_finds(rows: list[str], known: str, lengths: set[int], skip: int) -> None:
    source = lowered(known)
    runs = {tuple(source[at : at + length]) for length in lengths for at in range(len(source) - length + 1)}
    column = pa.array([known])
    hashes, ends = word_hashes(column, words(column))
    table = Table.of(np.concatenate([run_hashes(hashes, 0, ends[1], length) for length in lengths]), tuple(lengths))
    assert len(table.hashes) == len(runs)
    column = pa.array(rows)
    segmented = words(column)
    column, segmented = column.slice(min(skip, len(rows))), segmented.slice(min(skip, len(rows)))
    row, word, length, _ = find(*word_hashes(column, segmented), table)
    actual = set(zip(row.tolist(), word.tolist(), length.tolist(), strict=True))
    expected = set()
    for number, text in enumerate(rows[skip:]):
        found = lowered(text)
        expected |= {(number, at, n) for n in lengths for at in range(len(found) - n + 1) if tuple(found[at : at + n]) in runs}
    assert actual == expected


def test_an_empty_table_and_null_texts() -> None:
    column = pa.array(["a b c", None, ""])
    found = find(*word_hashes(column, words(column)), Table.of(np.zeros(0, np.uint64), ()))
    assert [len(each) for each in found] == [0, 0, 0, 0]
