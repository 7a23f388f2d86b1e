"""The order of the data: a permutation an epoch, a function of (windows, seed, step), the same for ever and for any processes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import GristmillError
from modeling.config import TrainConfig
from modeling.data import ProcessBatches, plan_batches
from modeling.order import DataOrder, permuted


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**32), epoch=st.integers(0, 5))
def test_a_permutation(size: int, seed: int, epoch: int) -> None:
    assert sorted(permuted(np.arange(size), size, seed=seed, epoch=epoch).tolist()) == list(range(size))


@given(windows=st.integers(1, 500), batch=st.integers(1, 64), seed=st.integers(0, 9), step=st.integers(0, 40))
def test_every_window_once_an_epoch(windows: int, batch: int, seed: int, step: int) -> None:
    order = DataOrder(windows, batch, seed)
    seen = np.concatenate([order.windows_of(each) for each in range(step + 1)])
    for epoch in range(len(seen) // windows):
        assert sorted(seen[epoch * windows : (epoch + 1) * windows].tolist()) == list(range(windows))


def test_frozen() -> None:
    """A model that was begun under this order must be able to go on under it: these numbers may never change."""
    assert DataOrder(1000, 6, 0).windows_of(0).tolist() == FIRST
    assert DataOrder(1000, 6, 7).windows_of(1_000_000).tolist() == LATER


FIRST = [674, 149, 886, 493, 319, 584]
LATER = [836, 786, 12, 596, 181, 887]


def test_it_is_shuffled() -> None:
    """No trace of the stream's order in an epoch, nor of an epoch's in the next: correlations below 3 standard errors."""
    size = 20_000
    first, second = (permuted(np.arange(size), size, seed=0, epoch=epoch) for epoch in (0, 1))
    other = permuted(np.arange(size), size, seed=1, epoch=0)
    for one, two in ((first, np.arange(size)), (first[:-1], first[1:]), (first, second), (first, other)):
        assert abs(np.corrcoef(one, two)[0, 1]) < 3 / np.sqrt(size)


class Counted:
    """Windows of which only the number of targets is asked."""

    count = 64

    def targets(self, numbers: np.ndarray) -> np.ndarray:
        return numbers + 1


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("micro", [1, 2, 16])
def test_processes_and_micro_batches_share_the_global_batch(processes: int, micro: int) -> None:
    train = TrainConfig(steps=9, global_batch_tokens=16 * 8, micro_batch_windows=micro, learning_rate=1, warmup_steps=0)
    plan = plan_batches(train, 8, processes)
    assert plan.windows == 16
    assert plan.micro <= micro
    order = DataOrder(64, 16, 3)
    samplers = [ProcessBatches(Counted(), order, plan, rank=rank, first_step=4, steps=9) for rank in range(processes)]  # type: ignore[arg-type]
    made = [list(sampler) for sampler in samplers]
    assert all(len(each) == len(sampler) == 5 * plan.accumulate for each, sampler in zip(made, samplers, strict=True))
    for step in range(4, 9):
        own = [each[(step - 4) * plan.accumulate : (step - 3) * plan.accumulate] for each in made]
        items = [(number, targets) for batches in own for numbers, targets in batches for number in numbers.tolist()]
        expected = order.windows_of(step)
        assert sorted(number for number, _ in items) == sorted(expected.tolist())
        assert {targets for _, targets in items} == {int((expected + 1).sum())}


def test_a_batch_that_does_not_divide() -> None:
    train = TrainConfig(steps=9, global_batch_tokens=16 * 8, micro_batch_windows=4, learning_rate=1, warmup_steps=0)
    with pytest.raises(GristmillError, match="does not divide into windows of 8 for 3 processes.* a multiple of 24"):
        plan_batches(train, 8, 3)
    with pytest.raises(GristmillError, match="a multiple of 7"):
        plan_batches(train, 7, 1)
