"""Boosted trees and the choice of blocks, against plain Python."""

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.main_content import Forest
from corpus.kernels.block_context import choose

FEATURES = 4
values = st.floats(-4, 4, width=32).map(lambda value: round(value * 4) / 4)  # few of them, so that features meet thresholds exactly
leaf = st.builds(lambda value: {"leaf_value": value}, st.floats(-2, 2))
tree = st.recursive(
    leaf,
    lambda below: st.builds(
        lambda feature, threshold, left, right: {
            "split_feature": feature, "threshold": threshold, "decision_type": "<=", "left_child": left, "right_child": right,
        },
        st.integers(0, FEATURES - 1), values | st.floats(-4, 4), below, below,
    ),
    max_leaves=12,
)  # fmt: skip


def walked(node: dict, row: list[float]) -> float:
    while "leaf_value" not in node:
        node = node["left_child"] if row[node["split_feature"]] <= node["threshold"] else node["right_child"]
    return float(np.float32(node["leaf_value"]))


@given(st.lists(tree, max_size=6), st.lists(st.lists(values, min_size=FEATURES, max_size=FEATURES), min_size=1, max_size=5))
def test_forest_equals_plain_python(trees: list[dict], rows: list[list[float]]) -> None:
    forest = Forest.from_lightgbm({"tree_info": [{"tree_structure": each} for each in trees]})
    expected = [1 / (1 + math.exp(-sum(walked(each, row) for each in trees))) for row in rows]
    assert np.allclose(forest.predict(np.array(rows, np.float32)), expected, rtol=1e-12)


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
