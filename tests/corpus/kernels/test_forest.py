"""Boosted trees, their training and the choice of blocks, against plain Python."""

import itertools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.extraction.main_content import Forest
from corpus.kernels.block_context import choose
from corpus.kernels.boosting import BINS, fit
from corpus.kernels.forest import logistic

FEATURES, LEVELS = 4, 3
values = st.floats(-4, 4, width=32).map(lambda value: round(value * 4) / 4)  # few of them, so that features meet thresholds exactly
tree = st.tuples(
    st.lists(st.integers(0, FEATURES - 1), min_size=LEVELS, max_size=LEVELS),
    st.lists(values | st.just(math.inf), min_size=LEVELS, max_size=LEVELS),
    st.lists(st.floats(-2, 2, width=32), min_size=2**LEVELS, max_size=2**LEVELS),
)


def walked(tree: tuple[list[int], list[float], list[float]], row: list[float]) -> float:
    features, thresholds, leaves = tree
    return leaves[sum(1 << level for level, (feature, bar) in enumerate(zip(features, thresholds, strict=True)) if row[feature] > bar)]


@given(st.lists(tree, min_size=1, max_size=6), st.lists(st.lists(values, min_size=FEATURES, max_size=FEATURES), min_size=1, max_size=40))
def test_forest_equals_plain_python(trees: list[tuple[list[int], list[float], list[float]]], rows: list[list[float]]) -> None:
    features, thresholds, leaves = zip(*trees, strict=True)
    forest = Forest(np.array(features, np.int16), np.array(thresholds, np.float32), np.array(leaves, np.float32))
    expected = [logistic(sum((walked(each, row) for each in trees), 0.0)) for row in rows]
    assert forest.predict(np.array(rows, np.float32)).tolist() == expected


@given(st.floats(-39, 39))
def test_the_logistic_function_without_an_exponential(margin: float) -> None:
    assert math.isclose(logistic(margin), 1 / (1 + math.exp(-margin)), rel_tol=1e-10)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans(), st.sampled_from([0.5, 1.0, 2.0])), min_size=4, max_size=30))
def test_a_tree_of_one_level_asks_the_best_question(rows: list[tuple[int, int, bool, float]]) -> None:
    """With all rows and features drawn, against every question that could be asked."""
    bins = np.array([[row[0] for row in rows], [row[1] for row in rows]], np.uint8)
    labels, weights = np.array([float(row[2]) for row in rows]), np.array([row[3] for row in rows])
    slopes, curves = weights * (0.5 - labels), weights * 0.25  # of the logistic loss where nothing is known

    def gain(feature: int, bar: int) -> float:
        right = bins[feature] > bar
        return float(sum(slopes[side].sum() ** 2 / (curves[side].sum() + 1.0) for side in (right, ~right)))

    feature, answers, leaves = fit(bins, labels, weights, 1, 1, 0.5, 1.0, 1e9, 1.1, 0)
    best = max(gain(at, bar) for at in range(2) for bar in range(BINS - 1))
    assert math.isclose(gain(feature[0, 0], answers[0, 0]), best, rel_tol=1e-9, abs_tol=1e-12)
    right = bins[feature[0, 0]] > answers[0, 0]
    expected = [-0.5 * slopes[side].sum() / (curves[side].sum() + 1.0) for side in (~right, right)]
    assert np.allclose(leaves[0], expected, rtol=1e-9, atol=1e-12)


def test_two_features_that_only_together_tell() -> None:
    """Exclusive or, which one level cannot learn and two can, from a sample of rows."""
    bins = np.array([[at & 1 for at in range(400)], [at >> 1 & 1 for at in range(400)], [at % 7 for at in range(400)]], np.uint8)
    labels = (bins[0] ^ bins[1]).astype(float)
    labels[:8] = 1.0  # so that a first question has something to gain
    feature, answers, leaves = fit(bins, labels, np.ones(400), 60, 3, 0.3, 1.0, 0.5, 1.1, 7)
    place = sum((bins[feature[:, level]] > answers[:, level, None]) << level for level in range(3))
    margins = np.take_along_axis(leaves, place, axis=1).sum(0)
    assert ((margins[8:] > 0) == (labels[8:] > 0)).all()


@given(st.lists(st.tuples(st.sampled_from([0.05, 0.2, 0.4, 0.5, 0.7, 0.9, 1.0]), st.integers(1, 50)), min_size=1, max_size=9))
def test_no_other_choice_of_blocks_has_a_larger_expected_f1(blocks: list[tuple[float, int]]) -> None:
    wanted = sum(probability * words for probability, words in blocks)

    def expected_f1(kept: tuple[tuple[float, int], ...]) -> float:
        taken, right = sum(words for _, words in kept), sum(probability * words for probability, words in kept)
        return 2 * right / (taken + wanted)

    best = max(expected_f1(kept) for size in range(len(blocks) + 1) for kept in itertools.combinations(blocks, size))
    keep, told = choose(np.array([each[0] for each in blocks]), np.array([float(each[1]) for each in blocks]), 0.0)
    assert math.isclose(told, best, rel_tol=1e-9)
    assert math.isclose(expected_f1(tuple(block for block, kept in zip(blocks, keep, strict=True) if kept)), best, rel_tol=1e-9)
