"""The loss without whole logits is PyTorch's own over whole logits, and so are its gradients."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from modeling.losses import linear_cross_entropy


def plainly(
    x: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, share: torch.Tensor, z_loss: float
) -> tuple[torch.Tensor, torch.Tensor]:
    logits = F.linear(x, weight).float()
    nats = F.cross_entropy(logits, targets, reduction="none")
    return (share * (nats + z_loss * torch.logsumexp(logits, -1).square())).sum(), nats


@given(
    rows=st.integers(1, 9), width=st.integers(1, 6), vocabulary=st.integers(1, 12), chunk=st.integers(1, 60),
    z_loss=st.sampled_from([0.0, 1e-4, 0.3]), scale=st.sampled_from([1.0, 4.0]), seed=st.integers(0, 99),
)  # fmt: skip
def test_values_and_gradients(rows: int, width: int, vocabulary: int, chunk: int, z_loss: float, scale: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, weight = torch.randn(rows, width, generator=generator), torch.randn(vocabulary, width, generator=generator)
    targets = torch.randint(0, vocabulary, (rows,), generator=generator)
    share = torch.rand(rows, generator=generator).mul_(2).sub_(0.5).clamp_(min=0)  # some are 0: padding
    told = []
    for ours in (True, False):
        given_x, given_weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
        made = (
            linear_cross_entropy(given_x, given_weight, targets, share, z_loss=z_loss, chunk_values=chunk)
            if ours
            else plainly(given_x, given_weight, targets, share, z_loss)
        )
        (scale * made[0]).backward()
        told.append((*made, given_x.grad, given_weight.grad))
    for one, two in zip(*told, strict=True):
        assert torch.allclose(one, two, atol=1e-5, rtol=1e-4), (one, two)


def test_by_hand() -> None:
    """States of zero make all ids as likely: ln 4 nats each, and a denominator of 4."""
    x, targets = torch.zeros(3, 2), torch.tensor([0, 3, 1])
    loss, nats = linear_cross_entropy(x, torch.ones(4, 2), targets, torch.tensor([0.5, 0.5, 0.0]), z_loss=2.0)
    assert nats.tolist() == pytest.approx([math.log(4)] * 3)
    assert float(loss) == pytest.approx(math.log(4) + 2 * math.log(4) ** 2)


def test_under_autocast_and_without_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(50, 16, generator=generator).requires_grad_(), torch.randn(30, 16, generator=generator).requires_grad_()
    targets, share = torch.randint(0, 30, (50,), generator=generator), torch.full((50,), 0.02)
    exact, _ = plainly(x, weight, targets, share, 0.0)
    of_weight = torch.autograd.grad(exact, weight)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = linear_cross_entropy(x, weight, targets, share, chunk_values=200)
    assert float(loss) == pytest.approx(float(exact), rel=0.01)
    assert torch.allclose(torch.autograd.grad(loss, weight)[0], of_weight, atol=0.02 * float(of_weight.abs().max()))
    with torch.no_grad():
        alone, _ = linear_cross_entropy(x, weight, targets, share)
    assert float(alone) == pytest.approx(float(exact), rel=1e-5)
    assert not alone.requires_grad
