"""Agreement, strengths and intervals: published examples, closed forms, and plain counting."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from modeling.judging.agreement import alpha, coincidences, of_coincidences
from modeling.judging.strengths import fit, fit_replicates, problem
from modeling.resampling import interval, replicates, wilson

# Agreement. The three examples of Krippendorff (2011), sections A, B and C; 0: no value.
MEG_OWEN = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
BEN_GERRY = [["aabbdcccedda".index(value) for value in row] for row in ("aabbdcccedda", "babbbccceddd")]
FOUR_OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def units_of(rows: list[list[int]], missing: int | None = None) -> list[tuple[str, list[int]]]:
    return [(str(at), [value for value in column if value != missing]) for at, column in enumerate(zip(*rows, strict=True))]


@pytest.mark.parametrize(
    ("rows", "missing", "ordinal", "published"),
    [
        (MEG_OWEN, None, False, 0.095),
        (BEN_GERRY, None, False, 0.692),
        (FOUR_OBSERVERS, 0, False, 0.743),
        (FOUR_OBSERVERS, 0, True, 0.815),
    ],
)
def test_alpha_is_krippendorffs(rows: list[list[int]], missing: int | None, ordinal: bool, published: float) -> None:
    found = alpha(units_of(rows, missing), codes=12, ordinal=ordinal)
    assert found.value == pytest.approx(published, abs=0.0005)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=8), st.booleans())
def test_alpha_is_that_of_pairs_counted_one_by_one(units: list[list[int]], ordinal: bool) -> None:
    """The definition in words: mean distance of two judgements of one unit over that of any two judgements."""
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    counts = Counter(values)

    def distance(a: int, b: int) -> float:
        if not ordinal:
            return float(a != b)
        low, high = sorted((a, b))
        return (sum(counts[code] for code in range(low, high + 1)) - (counts[a] + counts[b]) / 2) ** 2

    found = float(of_coincidences(sum((coincidences(unit, 4) for unit in units), np.zeros((4, 4))), ordinal=ordinal))
    expected = sum(distance(a, b) for a, b in combinations(values, 2))
    if not expected:
        assert np.isnan(found)
        return
    within = sum(2 * distance(a, b) / (len(unit) - 1) for unit in units for a, b in combinations(unit, 2)) / len(values)
    assert found == pytest.approx(1 - within / (2 * expected / (len(values) * (len(values) - 1))))


def test_alpha_of_nothing_to_compare_is_not_defined() -> None:
    assert alpha([("p", [1]), ("q", [2])], codes=3, ordinal=False).value is None
    assert alpha([("p", [1, 1]), ("q", [1, 1])], codes=3, ordinal=True).value is None


# Strengths.
def test_two_systems_have_a_closed_form() -> None:
    """7 wins to 3: γ ratio 7 / 3, so logs of half its logarithm each way."""
    assert fit(np.array([[0.0, 7.0], [3.0, 0.0]])) == pytest.approx([np.log(7 / 3) / 2, -np.log(7 / 3) / 2])


@given(st.lists(st.integers(1, 20), min_size=12, max_size=12))
def test_strengths_are_the_maximum_that_a_general_optimiser_finds(counts: list[int]) -> None:
    wins = np.zeros((4, 4))
    wins[~np.eye(4, dtype=bool)] = np.array(counts) / 2

    def loss(logs: np.ndarray) -> float:
        return float((wins * np.logaddexp(0, logs[None, :] - logs[:, None])).sum() + logs.mean() ** 2)

    found = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    assert fit(wins) == pytest.approx(found - found.mean(), abs=1e-5)


def test_what_cannot_be_ranked_is_told_in_one_line() -> None:
    islands = np.zeros((4, 4))
    islands[0, 1] = islands[1, 0] = islands[2, 3] = islands[3, 2] = 1
    assert problem(islands, ["a", "b", "c", "d"]) == "no chain of votes links c, d with a: nothing can be ranked across"
    unbeaten = np.array([[0, 3, 2], [0, 0, 1], [0, 1, 0.0]])
    assert problem(unbeaten, ["a", "b", "c"]) == "a never lost or tied against b, c: strengths have no finite maximum"
    unbeaten[1, 0] = 0.5
    assert problem(unbeaten, ["a", "b", "c"]) is None


def test_a_replicate_without_a_defeat_has_a_finite_strength() -> None:
    """6 to 0 with half a vote more at the fitted 3 : 1, so 6.375 to 0.125."""
    fitted = fit(np.array([[0.0, 6.0], [2.0, 0.0]]))
    found = fit_replicates(np.array([[[0.0, 6.0], [0.0, 0.0]]]), fitted)
    assert found[0, 0] - found[0, 1] == pytest.approx(np.log(6.375 / 0.125))


# The bootstrap.
def test_replicates_draw_as_many_as_there_are_evenly_and_always_the_same() -> None:
    drawn = replicates(50)
    assert (drawn.sum(1) == 50).all()
    assert np.abs(drawn.mean(0) - 1).max() < 0.2, "each is drawn about once; the deviation of the mean of 1,000 is 0.03"
    assert (replicates(50) == drawn).all()


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    """60 of 100: 0.6 ± 1.96 · sqrt(0.24 / 100) = (0.504, 0.696)."""
    values = np.repeat([1.0, 0.0], [60, 40])
    assert interval(replicates(100) @ values / 100) == pytest.approx((0.504, 0.696), abs=0.012)


def test_wilson() -> None:
    """8 of 10, as in Newcombe's (1998) reckoning by hand: (0.490, 0.943)."""
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-5)
