"""Vectors of whole numbers, beside the plain definitions in floating point."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn

from corpus.kernels.vectors import ONE, k_means, lead, nearest, quantized

_ROWS = drawn.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(4)), elements=st.floats(-1e3, 1e3, width=32))


@given(_ROWS)
def test_quantized_is_the_unit_vector(vectors: np.ndarray) -> None:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    assert np.abs(quantized(vectors) / ONE - unit).max() <= 0.5001 / ONE


def test_what_is_no_number_is_nothing() -> None:
    given = np.array([[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0], [3.0, 4.0]])
    assert quantized(given).tolist() == [[0, 0], [0, 0], [0, 0], [19660, 26214]]  # 0.6 and 0.8 of 32,767


@given(_ROWS, _ROWS)
def test_nearest_has_the_largest_product(vectors: np.ndarray, centres: np.ndarray) -> None:
    one, other = quantized(vectors), quantized(centres)
    products = one.astype(np.int64) @ other.astype(np.int64).T
    assert nearest(one, other).tolist() == products.argmax(axis=1).tolist()


@given(_ROWS, st.integers(0, 3), st.sampled_from([0.5, 0.9, 0.999]))
def test_each_follows_the_most_alike_that_leads(vectors: np.ndarray, known: int, threshold: float) -> None:
    whole = quantized(vectors[np.linalg.norm(vectors, axis=1) > 0])
    known = min(known, len(whole))
    leaders: list[int] = []
    expected = []
    for row, vector in enumerate(whole.tolist()):
        length = np.sqrt(float(sum(x * x for x in vector)))
        cosines = [
            sum(x * y for x, y in zip(vector, whole[leads].tolist(), strict=True))
            / (length * np.sqrt(float(np.sum(whole[leads].astype(int) ** 2))))
            for leads in leaders
        ]
        follows = row >= known and max(cosines, default=0.0) >= threshold
        expected.append(leaders[int(np.argmax(cosines))] if follows else -1)
        if not follows:
            leaders.append(row)
    leader, similarity, found = lead(whole, known, threshold)
    assert (leader.tolist(), found.tolist()) == (expected, leaders)
    assert ((similarity >= threshold) == (leader >= 0)).all()


def test_k_means_finds_the_groups() -> None:
    draw = np.random.default_rng(1)
    true = np.repeat(np.eye(3), 50, axis=0)
    vectors = quantized(true + 0.1 * draw.standard_normal(true.shape))[draw.permutation(150)]
    centres = k_means(vectors, 3)
    of = nearest(vectors, centres)
    assert sorted(np.bincount(of).tolist()) == [50, 50, 50]
    assert (np.abs(centres / ONE).max(axis=1) > 0.99).all()
    assert len(k_means(vectors[:1].repeat(5, axis=0), 3)) == 1  # no more centres than different rows
