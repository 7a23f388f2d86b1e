"""Similarity and the pairs of a bucket, against datasketch and plain Python."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.verify import jaccard, join_representatives, joining_pairs, similarity

# few distinct values: then rows of 4 agree in 0 to 4 places
signatures = st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=1, max_size=12).map(
    lambda rows: np.array(rows, np.uint32)
)
sets = st.lists(st.sets(st.integers(0, 7), max_size=5), min_size=1, max_size=12)
thresholds = st.sampled_from([0.25, 0.5, 0.7, 0.75, 1.0])


def ragged(rows: Sequence[Iterable[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Values of all rows, and where each begins."""
    values = [np.array(sorted(row) if isinstance(row, set) else row, np.uint32) for row in rows]
    return np.concatenate(values), np.cumsum([0, *map(len, values)])


def share(one: Iterable[int], other: Iterable[int]) -> float:
    if isinstance(one, set) and isinstance(other, set):
        return len(one & other) / max(1, len(one | other))
    return float(np.mean(np.array(one) == np.array(other)))


def components(rows: int, pairs: list[tuple[int, int]]) -> list[int]:
    """The least row that each row is joined to."""
    least = list(range(rows))
    for _ in range(rows):
        for one, other in pairs:
            least[one] = least[other] = min(least[one], least[other])
    return least


@given(st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=40), st.data())
def test_similarity_is_datasketch_jaccard(values: list[int], data: st.DataObject) -> None:
    other = [value if data.draw(st.booleans()) else (value + 1) % 2**32 for value in values]
    one, two = (MinHash(num_perm=len(values), scheme="affine32", hashvalues=np.array(each, np.uint32)) for each in (values, other))
    assert similarity(np.array(values, np.uint32), np.array(other, np.uint32)) == one.jaccard(two)


@given(st.sets(st.integers(0, 20)), st.sets(st.integers(0, 20)))
def test_jaccard_is_that_of_sets(one: set[int], other: set[int]) -> None:
    first, second = (np.array(sorted(each), np.uint32) for each in (one, other))
    assert jaccard(first, second) == share(one, other)


@given(st.one_of(signatures.map(list), sets), thresholds)
def test_joining_pairs_have_the_components_and_the_best_of_all_pairs(values: list[Any], threshold: float) -> None:
    rows = len(values)
    alike = {(one, other): share(values[one], values[other]) for one in range(rows) for other in range(one + 1, rows)}
    matching = {pair: found for pair, found in alike.items() if found >= threshold}
    first, second, found = joining_pairs(*ragged(values), isinstance(values[0], set), threshold)
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    assert dict(zip(pairs, found.tolist(), strict=True)).items() <= matching.items()
    assert len(pairs) < 2 * rows
    assert components(rows, pairs) == components(rows, list(matching))
    for row in range(rows):
        of_row = [value for pair, value in matching.items() if row in pair]
        of_row_found = [value for pair, value in zip(pairs, found.tolist(), strict=True) if row in pair]
        assert max(of_row_found, default=None) == max(of_row, default=None)


@given(st.one_of(signatures.map(list), sets), thresholds, st.integers(1, 4), st.integers(0, 12))
def test_representatives_equal_plain_python_however_the_rows_are_cut(values: list[Any], threshold: float, room: int, cut: int) -> None:
    chosen: list[Any] = []
    expected = []
    for row in values:
        match = next((number for number, other in enumerate(chosen) if share(row, other) >= threshold), -1)
        if match >= 0:
            expected.append((match, share(row, chosen[match])))
        elif len(chosen) < room:
            expected.append((len(chosen), -1.0))
            chosen.append(row)
        else:
            expected.append((-1, 0.0))
    held: list[Any] = []
    actual = []
    for part in (values[:cut], values[cut:]):
        rows = [*held, *part]
        if not part:
            continue
        joined, alike, rest = join_representatives(*ragged(rows), len(held), room, isinstance(values[0], set), threshold)
        actual += zip(joined.tolist(), alike.tolist(), strict=True)
        held = [rows[row] for row in rest]
    assert actual == expected
    assert len(held) == len(chosen)
