"""The model as Lightning trains it: built and sharded, its loss, its optimizer, its clipping.

The loss of a micro-batch is its summed cross-entropy over the targets of the whole global batch, times what Lightning and DDP divide by:
so accumulation and the number of processes change nothing, even where windows hold different numbers of targets.

    module = Pretraining(config, train, plan, weights=None)
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from modeling.averages import Averages
from modeling.checkpoint import copy_whole, load_weights
from modeling.config import ModelConfig, TrainConfig
from modeling.data import BatchPlan
from modeling.export import load_huggingface
from modeling.guard import Guard
from modeling.optimizers import make_optimizer, rate_factor
from modeling.parallel import clip_by_norm, parallelize
from modeling.transformer import Transformer, initial
from modeling.zero import ZeroOptimizer


def build(config: ModelConfig, seed: int, *, weights: Path | None = None, shard: Callable[[Transformer], None] | None = None,
          device: torch.device | str = "cpu") -> Transformer:  # fmt: skip
    """The model with its initial weights, or those of a file, or of a folder of `transformers`; sharded before memory is taken, if
    ``shard`` is given."""
    with torch.device("meta"):
        model = Transformer(config)
    if shard:
        shard(model)
    model.to_empty(device=device)
    if weights and not weights.is_dir():
        load_weights(model, weights)
        return model
    state = model.state_dict()
    for name in load_huggingface(model, weights) if weights else state:
        copy_whole(state[name], initial(name, state[name].shape, config, seed))
    return model


def token_losses(model: nn.Module, config: ModelConfig, ids_BT1: Tensor) -> tuple[Tensor, Tensor]:
    """Windows (B, T + 1) -> cross-entropy of each target in nats, and logsumexp of its logits: float32 (B, T)."""
    inputs, targets = ids_BT1[:, :-1], ids_BT1[:, 1:]
    logits_BTV = model(inputs, documents_of(config, inputs)).float()
    nats = F.cross_entropy(logits_BTV.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
    return nats, torch.logsumexp(logits_BTV, -1)


def training_loss(model: Transformer, train: TrainConfig, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """A micro-batch (``modeling.data``) -> (what is to be made small, the cross-entropy alone), as shares of the global batch's mean."""
    share = batch["mask"] / batch["batch_targets"][:, None]
    documents = documents_of(model.config, batch["ids"][:, :-1])
    total, plain = model.loss(batch["ids"], share, documents, z_loss=train.z_loss, mtp_weight=train.mtp_weight)
    return total, plain


def documents_of(config: ModelConfig, inputs_BT: Tensor) -> Tensor | None:
    """The number of each position's document in its window, where they are not to mix."""
    return (inputs_BT == config.bos).cumsum(1) if config.document_mask else None


@final
class Pretraining(LightningModule):
    """``first_step``: how many steps were made before this run began. ``tensor_parallel``: so many neighbouring processes see the same
    windows, and are one of ``plan.processes``. ``checkpointed``: of each block only its input is kept
    for the backward pass, which computes the rest again (Chen et al. 2016).
    """

    def __init__(self, config: ModelConfig, train: TrainConfig, plan: BatchPlan, *, first_step: int = 0, weights: Path | None = None,
                 sharded: bool = False, tensor_parallel: int = 1, compiled: bool = False, checkpointed: bool = False):  # fmt: skip
        super().__init__()
        self.config, self.train_config, self.plan = config, train, plan
        self.guard = Guard(train)
        self.averages: Averages | None = None
        self.step, self.tensor_parallel = first_step, tensor_parallel
        self._weights, self._sharded, self._compiled, self._checkpointed = weights, sharded, compiled, checkpointed
        self.model: nn.Module = nn.Identity()
        self.loss_sum = torch.zeros(())
        self.digest_sum = torch.zeros((), dtype=torch.int64)  # of the windows seen, wrapping: no cut of a batch changes it
        self.loss = self.gradient_norm = 0.0  # of the step that is being made, over all processes
        self.skipped = ""

    def configure_model(self) -> None:
        if isinstance(self.model, Transformer):
            return
        device = self.trainer.strategy.root_device
        mesh = self.device_mesh if self._sharded else None
        shard = None if mesh is None else lambda model: parallelize(model, mesh)
        self.model = build(self.config, self.train_config.seed, weights=self._weights, shard=shard, device=device)
        if self._checkpointed:
            for layer in (*self.model.layers, *self.model.mtp):
                layer.forward = partial(recomputed, layer.forward, use_reentrant=False)  # in place: a wrapper would change the names
        if self._compiled:
            for layer in (*self.model.layers, *self.model.mtp):
                layer.compile()  # in place: torch.compile() would put `_orig_mod` into the names
        self.loss_sum = torch.zeros((), device=device)
        self.digest_sum = torch.zeros((), dtype=torch.int64, device=device)

    @property
    def counts(self) -> bool:
        """Whether what this process sees is counted: of those that compute together the first one's."""
        return self.trainer.global_rank % self.tensor_parallel == 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return make_optimizer(self.model, self.train_config)

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        assert isinstance(self.model, Transformer)
        loss, plain = training_loss(self.model, self.train_config, batch)
        self.loss_sum += plain
        self.digest_sum += batch["digest"].sum()
        return loss * (self.plan.accumulate * self.plan.processes)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            group["lr"] = self.train_config.learning_rate * rate_factor(self.step, self.train_config)

    def configure_gradient_clipping(self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None) -> None:
        if isinstance(optimizer, ZeroOptimizer):
            self.gradient_norm = optimizer.gradient_norm()  # it clips in its step
        else:
            self.gradient_norm = clip_by_norm(self.model.parameters(), self.train_config.clip_norm)
        loss_sum = self.loss_sum if self.counts else torch.zeros_like(self.loss_sum)
        self.loss, self.skipped = self.guard.judge(self.trainer.strategy, self.step + 1, loss_sum, self.gradient_norm)
        if self.skipped:
            optimizer.zero_grad(set_to_none=True)  # without gradients no optimizer moves a weight, a moment or its count of steps
