"""Cross-entropy straight from the last hidden states, a few rows at a time: the logits of a whole batch never exist.

Of 16 windows of 1,024 tokens and 32,000 ids the logits are 2.1 GB, their gradient as much again. Here both are made for some rows, used
and forgotten, and the gradients of states and matrix are ready when the forward pass ends (as Liger Kernel does: Hsu et al. 2024).
PyTorch 2.13 has `linear_cross_entropy` with chunks too, but no weight for each target and no z-loss.

    loss, nats_N = linear_cross_entropy(x_ND, weight_VD, targets_N, share_N, z_loss=1e-4)

Shapes are in the names: N tokens, D width, V vocabulary.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_VALUES = 1 << 24  # logits at a time, on a GPU: 64 MB
# On a CPU 4 MB, which its cache holds while they are made, summed and changed in place: a step of `tiny` takes 0.87 s of a core with it and
# 1.00 s with 64 MB. But 128 rows at the least, since the matrix's gradient is added to once a chunk.
_CACHED_VALUES, _FEWEST_ROWS = 1 << 20, 128


def linear_cross_entropy(
    x_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, share_N: Tensor, *, z_loss: float = 0.0, chunk_values: int = 0
) -> tuple[Tensor, Tensor]:
    """(sum of share · (nats + z_loss · logsumexp²), nats float32 (N,)) for logits x @ weight.T; the loss alone has a gradient.

    z-loss holds the softmax's denominator near 1 (PaLM, Chowdhery et al. 2022). Under autocast the products are in its type, sums and
    softmax in float32 always. ``chunk_values``: logits at a time, 0 for what suits the device.
    """
    if not chunk_values:
        chunk_values = max(_CACHED_VALUES, _FEWEST_ROWS * len(weight_VD)) if x_ND.device.type == "cpu" else CHUNK_VALUES
    loss, nats_N = _LinearCrossEntropy.apply(x_ND, weight_VD, targets_N, share_N, z_loss, chunk_values)
    return loss, nats_N


class _LinearCrossEntropy(torch.autograd.Function):
    """The backward pass multiplies what forward has made by the gradient of a scalar, in place: it runs once."""

    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, share_N: Tensor, z_loss: float, chunk: int) -> Any:
        kind, device = x_ND.dtype, x_ND.device.type
        if torch.is_autocast_enabled(device):
            kind = torch.get_autocast_dtype(device)
        wants_x, wants_weight = ctx.needs_input_grad[:2]
        matrix = weight_VD.to(kind)
        share_N = share_N.float()
        nats_N = torch.empty(len(x_ND), dtype=torch.float32, device=x_ND.device)
        loss = torch.zeros((), dtype=torch.float32, device=x_ND.device)
        of_x = torch.empty_like(x_ND) if wants_x else None
        of_weight = torch.zeros_like(weight_VD, dtype=torch.float32) if wants_weight else None
        rows = max(1, chunk // len(weight_VD))
        with torch.autocast(device, enabled=False):
            for start in range(0, len(x_ND), rows):
                part = slice(start, start + rows)
                x, target, share = x_ND[part].to(kind), targets_N[part, None], share_N[part]
                logits = (x @ matrix.T).float()
                spread = torch.logsumexp(logits, -1)
                nats_N[part] = spread - logits.gather(1, target)[:, 0]
                loss += (share * (nats_N[part] + z_loss * spread.square())).sum()
                if not (wants_x or wants_weight):
                    continue
                slope = logits.sub_(spread[:, None]).exp_().mul_((share * (1 + 2 * z_loss * spread))[:, None])
                slope.scatter_add_(1, target, -share[:, None])
                slope = slope.to(kind)
                if of_x is not None:
                    of_x[part] = slope @ matrix
                if of_weight is not None:
                    if kind == torch.float32:
                        of_weight.addmm_(slope.T, x)
                    else:
                        of_weight += slope.T @ x
        ctx.save_for_backward(of_x, of_weight)
        ctx.kind = weight_VD.dtype
        ctx.mark_non_differentiable(nats_N)
        return loss, nats_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_loss: Tensor, of_nats: Tensor | None) -> Any:
        of_x, of_weight = ctx.saved_tensors
        return (
            None if of_x is None else of_x.mul_(of_loss.to(of_x.dtype)),
            None if of_weight is None else of_weight.mul_(of_loss).to(ctx.kind),
            *[None] * 4,
        )
