"""What turns gradients into steps: AdamW, LAMB, Adafactor, Muon; and how the learning rate moves.

No norm, bias or other vector is decayed. State lies in ``optimizer.state[parameter]`` as plain tensors: a checkpoint knows no optimizer.

    optimizer = make_optimizer(model, train)
    rate_factor(step, train)
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from modeling.config import TrainConfig
from modeling.parallel import by_mesh


def rate_factor(step: int, train: TrainConfig) -> float:
    """Learning rate of a step (from 0) as a share of the peak: linear warm-up, then down to ``final_rate``, by ``train.schedule``.

    ``cosine`` (Loshchilov and Hutter 2017); ``linear``; ``inverse_sqrt`` (Vaswani et al. 2017), which has no end; ``wsd``: constant,
    then down over the last ``decay_share`` of the steps as 1 - sqrt (Hägele et al. 2024); ``constant``.
    """
    if step < train.warmup_steps:
        return (step + 1) / train.warmup_steps
    share = min(1.0, (step - train.warmup_steps) / max(1, train.steps - train.warmup_steps))
    left = {
        "cosine": lambda: 0.5 * (1 + math.cos(math.pi * share)),
        "linear": lambda: 1 - share,
        "wsd": lambda: 1 - math.sqrt(max(0.0, step - (1 - train.decay_share) * train.steps) / (train.decay_share * train.steps)),
        "constant": lambda: 1.0,
    }
    if train.schedule == "inverse_sqrt":
        return max(train.final_rate, math.sqrt(max(1, train.warmup_steps) / (step + 1)))
    return train.final_rate + (1 - train.final_rate) * left[train.schedule]()


def make_optimizer(model: nn.Module, train: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of the configuration, with weight decay on matrices and tables alone."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [{"params": decayed, "weight_decay": train.weight_decay}, {"params": others, "weight_decay": 0.0}]
    betas = (train.beta1, train.beta2)
    if train.optimizer == "lamb":
        return Lamb(groups, lr=train.learning_rate, betas=betas)
    if train.optimizer == "adafactor":
        return torch.optim.Adafactor(groups, lr=train.learning_rate)
    if train.optimizer == "muon":
        return MuonBesideAdamW(model, train)
    return _adamw(groups, train)


def _adamw(groups: list[dict[str, Any]], train: TrainConfig) -> torch.optim.AdamW:
    """On a CPU fused: one pass over all that belongs to a weight, where foreach takes a dozen. Sharded tensors are left to foreach."""
    groups = [{**group, "params": alike} for group in groups for alike in by_mesh(group["params"]).values()]
    parameters = [each for group in groups for each in group["params"]]
    fused = all(each.device.type == "cpu" and not isinstance(each, DTensor) for each in parameters)
    return torch.optim.AdamW(groups, lr=train.learning_rate, betas=(train.beta1, train.beta2), fused=fused, foreach=not fused)


@final
class Lamb(torch.optim.Optimizer):
    """LAMB, layer-wise adaptive moments for large batches (You et al. 2020, algorithm 2), with bias correction.

    The step of each parameter is AdamW's direction, decay included, scaled by |parameter| / |direction|; by 1 where either is zero.
    Parameters without decay are not scaled (as in the authors' code): a norm's weight has no length that means something.
    """

    def __init__(self, groups: Iterable[Any], *, lr: float, betas: tuple[float, float], eps: float = 1e-6):
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=torch.tensor(0.0), exp_avg=torch.zeros_like(parameter), exp_avg_sq=torch.zeros_like(parameter))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["exp_avg"].lerp_(gradient, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        made = float(state["step"])
        direction = state["exp_avg"] / (1 - beta1**made)
        direction = direction / ((state["exp_avg_sq"] / (1 - beta2**made)).sqrt() + group["eps"])
        if not group["weight_decay"]:
            parameter.sub_(direction, alpha=group["lr"])
            return
        direction = direction + group["weight_decay"] * parameter
        length, turn = torch.linalg.vector_norm(parameter), torch.linalg.vector_norm(direction)
        ratio = torch.where((length > 0) & (turn > 0), length / turn.clamp_min(1e-30), torch.ones_like(length))
        parameter.sub_(direction * ratio * group["lr"])


@final
class MuonBesideAdamW(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) for the matrices of the blocks, AdamW for embeddings, head and norms, as its authors use it.

    torch's Muon with steps scaled to the size of AdamW's (Liu et al. 2025), so that one learning rate serves both.
    """

    def __init__(self, model: nn.Module, train: TrainConfig):
        inside: list[nn.Parameter] = []
        matrices: list[nn.Parameter] = []
        vectors: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            (vectors if parameter.ndim < 2 else inside if ".layers." in f".{name}" else matrices).append(parameter)
        rate, decay = train.learning_rate, train.weight_decay
        muon = torch.optim.Muon(inside, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
        groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
        adamw = _adamw(groups, train)
        super().__init__([*muon.param_groups, *adamw.param_groups], {})
        self._parts = (muon, adamw)
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        for part, groups_of_it in zip(self._parts, (self.param_groups[:1], self.param_groups[1:]), strict=True):
            part.state, part.param_groups = self.state, groups_of_it  # one state, one learning rate

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss
