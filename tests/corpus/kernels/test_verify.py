"""Similarity and the pairs of a bucket, against datasketch and plain Python."""

import numpy as np
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.verify import join_representatives, joining_pairs, similarity

# few distinct values: then rows of 4 agree in 0 to 4 places
signatures = st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=1, max_size=12).map(
    lambda rows: np.array(rows, np.uint32)
)
thresholds = st.sampled_from([0.25, 0.5, 0.7, 0.75, 1.0])


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


@given(signatures, thresholds)
def test_joining_pairs_have_the_components_and_the_best_of_all_pairs(values: np.ndarray, threshold: float) -> None:
    rows = len(values)
    alike = {(one, other): np.mean(values[one] == values[other]) for one in range(rows) for other in range(one + 1, rows)}
    matching = {pair: found for pair, found in alike.items() if found >= threshold}
    first, second, found = joining_pairs(values, threshold)
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    assert dict(zip(pairs, found.tolist(), strict=True)).items() <= matching.items()
    assert len(pairs) < 2 * rows
    assert components(rows, pairs) == components(rows, list(matching))
    for row in range(rows):
        of_row = [value for pair, value in matching.items() if row in pair]
        of_row_found = [value for pair, value in zip(pairs, found.tolist(), strict=True) if row in pair]
        assert max(of_row_found, default=None) == max(of_row, default=None)


@given(signatures, thresholds, st.integers(1, 4), st.integers(0, 12))
def test_representatives_equal_plain_python_however_the_rows_are_cut(values: np.ndarray, threshold: float, room: int, cut: int) -> None:
    chosen: list[np.ndarray] = []
    expected = []
    for row in values:
        match = next((number for number, other in enumerate(chosen) if np.mean(row == other) >= threshold), -1)
        if match >= 0:
            expected.append((match, np.mean(row == chosen[match])))
        elif len(chosen) < room:
            expected.append((len(chosen), -1.0))
            chosen.append(row)
        else:
            expected.append((-1, 0.0))
    representatives, count, actual = np.zeros((room, 4), np.uint32), 0, []
    for part in (values[:cut], values[cut:]):
        joined, alike, count = join_representatives(part, representatives, count, threshold)
        actual += zip(joined.tolist(), alike.tolist(), strict=True)
    assert actual == expected
    assert count == len(chosen)
