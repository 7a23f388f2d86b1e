"""Mixtures: exact shares at any step, an epoch's windows once each, the same from any step on, and what is refused."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import GristmillError
from modeling.config import TrainConfig
from modeling.data import arrange
from modeling.mixture import PATTERN, Mixture, whole_weights
from modeling.order import MixedOrder, Phase
from tests.tokenization.test_packing import split_of

weights = st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any)


@st.composite
def orders(draw: st.DrawFn) -> MixedOrder:
    ends = sorted(draw(st.sets(st.integers(1, 20), max_size=2)))
    phases = tuple(Phase(first, tuple(draw(weights))) for first in [0, *ends])
    counts = tuple(draw(st.lists(st.integers(1, 40), min_size=3, max_size=3)))
    return MixedOrder(("code", "web", "wiki"), counts, phases, draw(st.integers(1, 16)), draw(st.integers(0, 5)))


def groups_of(order: MixedOrder, windows: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.cumsum(order.counts), windows, side="right")


@given(order=orders(), steps=st.integers(1, 30))
def test_each_group_goes_through_its_windows_again_and_again(order: MixedOrder, steps: int) -> None:
    """Step by step, in any order of asking; what was drawn and seen is what the closed forms say."""
    made = {step: order.windows_of(step) for step in reversed(range(steps))}
    stream = np.concatenate([made[step] for step in range(steps)])
    firsts = np.cumsum([0, *order.counts])
    for group, count in enumerate(order.counts):
        mine = stream[groups_of(order, stream) == group] - firsts[group]
        assert order.drawn(steps)[group] == len(mine)
        for epoch in range(len(mine) // count):
            assert sorted(mine[epoch * count : (epoch + 1) * count].tolist()) == list(range(count))
        assert order.epochs_by_group(steps)[order.names[group]] == len(mine) / count
    assert order.seen(steps).tolist() == np.bincount(stream, minlength=sum(order.counts)).tolist()


@given(order=orders(), steps=st.integers(1, 30))
def test_shares_never_drift(order: MixedOrder, steps: int) -> None:
    """After any number of windows a group is within 1/2 + share/2 · groups of its due, phase by phase: by exact fractions."""
    phases = [*order.phases, Phase(10**6, (1, 1, 1))]
    due, slack = [Fraction(0)] * 3, [Fraction(0)] * 3
    counted = np.zeros(3, np.int64)
    for phase, following in zip(phases, phases[1:], strict=False):
        for step in range(phase.first_step, min(steps, following.first_step)):
            groups = groups_of(order, order.windows_of(step))
            counted += np.bincount(groups, minlength=3)
            for group in range(3):
                share = Fraction(phase.weights[group], sum(phase.weights))
                due[group] += share * order.global_batch
                assert abs(counted[group] - due[group]) <= slack[group] + Fraction(1, 2) + share * 3 / 2
                assert phase.weights[group] or group not in groups
        slack = [each + Fraction(1, 2) + Fraction(phase.weights[at], sum(phase.weights)) * 3 / 2 for at, each in enumerate(slack)]


def test_a_pattern_by_hand() -> None:
    """Weights 3 and 1: turns due at 1/6, 1/2, 5/6 and at 1/2; of two at once the first group's comes first."""
    assert Phase(0, (3, 1)).pattern.tolist() == [0, 0, 1, 0]
    assert Phase(0, (0, 2, 1)).pattern.tolist() == [1, 2, 1]


def test_a_group_keeps_its_order_when_another_is_added() -> None:
    few = MixedOrder(("web", "wiki"), (50, 20), (Phase(0, (1, 1)),), 8, 3)
    more = MixedOrder(("code", "web", "wiki"), (9, 50, 20), (Phase(0, (1, 1, 1)),), 12, 3)
    one = np.concatenate([few.windows_of(step) for step in range(5)])
    two = np.concatenate([more.windows_of(step) for step in range(5)]) - 9
    assert one[one < 50].tolist() == two[(two >= 0) & (two < 50)].tolist()
    assert (one[one >= 50]).tolist() == two[two >= 50].tolist()


@given(st.lists(st.decimals(0, 10, places=3), min_size=1, max_size=6).filter(any))
def test_weights_as_whole_numbers(told: list[Any]) -> None:
    exact = [Fraction(each) for each in told]
    whole = whole_weights(exact)
    assert 0 < sum(whole) <= PATTERN + len(whole)
    for number, each in zip(whole, exact, strict=True):
        assert (number > 0) == (each > 0)
        assert abs(Fraction(number, sum(whole)) - each / sum(exact)) <= Fraction(2, PATTERN)


def test_exact_where_it_can_be() -> None:
    assert whole_weights([Fraction("0.7"), Fraction("0.2"), Fraction("0.1")]) == [7, 2, 1]
    assert whole_weights([Fraction(1, 3), Fraction(0), Fraction(1, 6)]) == [2, 0, 1]
    assert sum(whole_weights([Fraction(123_457), Fraction(1), Fraction(98_765)])) == PATTERN


def train(mixture: Any, **more: Any) -> TrainConfig:
    return TrainConfig(steps=20, global_batch_tokens=8 * 4, micro_batch_windows=4, learning_rate=1, warmup_steps=0, mixture=mixture, **more)


@pytest.mark.parametrize("packing", ["concatenate", "best_fit", "document"])
def test_arranged(tmp_path: Path, packing: Any) -> None:
    """From the settings to the batches: half of the steps three quarters web, then nothing else; a window has one source."""
    split, _ = split_of(tmp_path / "train", [[9, 7, 5] * 8, [12, 11] * 9])
    file = tmp_path / "phases.yaml"
    file.write_text("phases:\n- until: 0.5\n  weights: {w: 3, b: 1}\n- weights: {w: 1}\n")
    windows, order = arrange(split, 4, train(Mixture.read(file).data, packing=packing))
    assert isinstance(order, MixedOrder)
    drawn = [[windows.groups[windows.group_of(number)] for number in order.windows_of(step).tolist()] for step in range(20)]
    assert [(each.count("w"), each.count("b")) for each in drawn] == [(6, 2)] * 10 + [(8, 0)] * 10
    assert order.drawn(20).tolist() == [20, 140, 0], "b, w, x"
    assert order.epochs_by_group(20)["x"] == 0


@pytest.mark.parametrize(
    ("mixture", "told"),
    [
        ("phases: []", "a mapping with a list of phases"),
        ("phases: [{weights: {w: 1}}]\nbye: source", "did you mean 'by'?"),
        ("phases: [{weights: {w: 1}}]\nby: url", "by source or language, not url"),
        ("phases: [{weights: {w: 0}}]", "phase 1 draws from nothing"),
        ("phases: [{weights: {w: -1}}]", "phase 1 are not names with numbers of 0 or more"),
        ("phases: [{until: 0.5, weights: {w: 1}}]", "phase 1 needs no end"),
        ("phases: [{weights: {w: 1}}, {weights: {b: 1}}]", "phase 1 needs one of until and until_tokens"),
        ("phases: [{until: 1.5, weights: {w: 1}}, {weights: {b: 1}}]", "a share of the steps between 0 and 1"),
        ("phases: [{until: 0.5, weights: {w: 1}}, {until: 0.4, weights: {b: 1}}, {weights: {b: 1}}]", "from step 10 to 8 of 20"),
        ("phases: [{until_tokens: 9999, weights: {w: 1}}, {weights: {b: 1}}]", "from step 0 to 313 of 20"),
        ("phases: [{weights: {wikki: 1, w: 1}}]", "no source 'wikki'"),
        ("phases: [{weights: {x: 1}}]", "x has too few tokens for one window of 4"),
        ("phases: [{weights: {b: 1}}]\nmax_epochs: 2", "b would be read 9.41 times, above max_epochs 2"),
        ("{", "cannot be read"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, mixture: str, told: str) -> None:
    """w and b have 9 documents of 8 ids each: 71 targets, 17 windows of 4. 20 steps of 8 windows draw 160: 9.41 epochs of one."""
    split, _ = split_of(tmp_path / "train", [[8, 8, 2], *[[8, 8]] * 8])
    file = tmp_path / "phases.yaml"
    file.write_text(mixture)
    with pytest.raises(GristmillError, match=".") as refused:
        arrange(split, 4, train(Mixture.read(file).data))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
