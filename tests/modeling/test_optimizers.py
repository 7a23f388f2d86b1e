"""Optimizers and schedules: by their papers' equations, without decay where there is to be none, and resumed to the last bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from modeling import checkpoint
from modeling.build import build, token_losses
from modeling.config import ModelConfig, TrainConfig
from modeling.optimizers import Lamb, make_optimizer, rate_factor
from modeling.transformer import Transformer

MODEL = ModelConfig(vocabulary=48, context_length=16, layers=2, width=16, heads=2, kv_heads=1, hidden=32)
TRAIN = TrainConfig(steps=100, global_batch_tokens=64, micro_batch_windows=4, learning_rate=1e-2, warmup_steps=10)
NAMES = ("adamw", "lamb", "adafactor", "muon")


def moved(model: Transformer, optimizer: torch.optim.Optimizer, steps: int, first: int = 0) -> list[float]:
    """Losses of steps on batches that depend on the step alone."""
    losses = []
    for step in range(first, first + steps):
        ids = torch.randint(4, 48, (4, 17), generator=torch.Generator().manual_seed(step % 2))
        loss = token_losses(model, MODEL, ids)[0].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", NAMES)
def test_two_batches_are_learned(name: str) -> None:
    model = build(MODEL, seed=1)
    losses = moved(model, make_optimizer(model, replace(TRAIN, optimizer=name, learning_rate=3e-2, weight_decay=0.0)), 60)  # type: ignore[arg-type]
    assert losses[-1] < 0.6 * losses[0], losses[::10]


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_optimizer_steps_as_an_undisturbed_one(name: str, tmp_path: Path) -> None:
    train = replace(TRAIN, optimizer=name)  # type: ignore[arg-type]
    model = build(MODEL, seed=1)
    optimizer = make_optimizer(model, train)
    moved(model, optimizer, 3)
    checkpoint.write(tmp_path, 3, {}, checkpoint.copied(model, optimizer, writes=True))
    expected = moved(model, optimizer, 3, first=3)
    found = checkpoint.latest(tmp_path)
    assert found is not None
    again = build(MODEL, seed=2, weights=found.folder / checkpoint.MODEL)
    resumed = make_optimizer(again, train)
    checkpoint.load_moments(again, resumed, found)
    assert moved(again, resumed, 3, first=3) == expected
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_step_without_gradients_moves_nothing(name: str) -> None:
    """As a skipped step is made: no weight, no moment, no count of steps; not by decay either."""
    model = build(MODEL, seed=1)
    optimizer = make_optimizer(model, replace(TRAIN, optimizer=name))  # type: ignore[arg-type]

    def state() -> list[torch.Tensor]:
        moments = [value for each in optimizer.state.values() for value in each.values() if isinstance(value, torch.Tensor)]
        return [value.detach().clone() for value in (*model.parameters(), *moments)]

    moved(model, optimizer, 2)
    before = state()
    optimizer.zero_grad(set_to_none=True)
    optimizer.step()
    assert len(before) > len(list(model.parameters()))
    assert all(torch.equal(one, two) for one, two in zip(before, state(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_not_decayed(name: str) -> None:
    """With gradients of zero nothing but decay moves a parameter."""
    model = build(MODEL, seed=1)
    before = {key: value.clone() for key, value in model.named_parameters()}
    optimizer = make_optimizer(model, replace(TRAIN, optimizer=name, weight_decay=0.5))  # type: ignore[arg-type]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for key, value in model.named_parameters():
        assert torch.equal(value, before[key]) == (value.ndim < 2), key
        assert value.norm() <= before[key].norm()


def test_lamb_by_the_equations_of_its_paper() -> None:
    """You et al. 2020, algorithm 2, in numpy and float64, three steps."""
    values, decay, rate, (beta1, beta2), eps = np.array([[0.5, -1.0], [2.0, 0.25]]), 0.1, 0.05, (0.9, 0.99), 1e-6
    parameter = nn.Parameter(torch.tensor(values))
    optimizer = Lamb([{"params": [parameter], "weight_decay": decay}], lr=rate, betas=(beta1, beta2), eps=eps)
    m, v = np.zeros_like(values), np.zeros_like(values)
    for step, scale in enumerate((1.0, -0.5, 2.0), start=1):
        gradient = scale * np.array([[0.1, 0.3], [-0.2, 0.05]])
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
        direction = (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + eps) + decay * values
        values = values - rate * np.linalg.norm(values) / np.linalg.norm(direction) * direction
        np.testing.assert_allclose(parameter.detach().numpy(), values, rtol=1e-12)


def test_muon_moves_the_matrices_of_blocks_alone() -> None:
    """Its step is near to an orthogonal matrix times 0.2 sqrt(the longer side): most singular values alike (five iterations do not lift the
    least of them). The rest is AdamW's.
    """
    models = [build(MODEL, seed=1), build(MODEL, seed=1)]
    before = {key: value.clone() for key, value in models[0].named_parameters()}
    for model, name in zip(models, ("muon", "adamw"), strict=True):
        moved(model, make_optimizer(model, replace(TRAIN, optimizer=name, weight_decay=0.0)), 1)  # type: ignore[arg-type]
    plain = dict(models[1].named_parameters())
    for key, value in models[0].named_parameters():
        if "layers" not in key or value.ndim < 2:
            assert torch.equal(value, plain[key]), key
            continue
        step = torch.linalg.svdvals(value.detach() - before[key])
        size = TRAIN.learning_rate * 0.2 * max(value.shape) ** 0.5
        assert (step > 0.5 * size).sum() > len(step) / 2, (key, step / size)
        assert (step < 1.3 * size).all(), (key, step / size)


def test_schedules_by_hand() -> None:
    def rates(schedule: str, *steps: int) -> list[float]:
        return [rate_factor(step, replace(TRAIN, schedule=schedule, final_rate=0.1)) for step in steps]  # type: ignore[arg-type]

    for schedule in ("cosine", "linear", "inverse_sqrt", "wsd", "constant"):
        assert rates(schedule, 0, 4, 9) == pytest.approx([0.1, 0.5, 1.0]), "warm-up is linear"
    assert rates("linear", 10, 55, 100) == pytest.approx([1.0, 0.55, 0.1])
    assert rates("inverse_sqrt", 39, 89) == pytest.approx([0.5, (10 / 90) ** 0.5])
    assert rates("wsd", 10, 80, 85, 100) == pytest.approx([1.0, 1.0, 0.1 + 0.9 * 0.5, 0.1]), "a quarter of the way down is half the height"
    assert rates("constant", 10, 99) == [1.0, 1.0]
