"""The model as Lightning trains it: built and sharded, its loss, its optimizer, its clipping.

The loss of a micro-batch is its summed cross-entropy over the targets of the whole global batch, times what Lightning and DDP divide by:
so accumulation and the number of processes change nothing, even where windows hold different numbers of targets.

    module = Pretraining(config, train, plan, weights=None)
"""

from functools import partial
from pathlib import Path
from typing import Any, final

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from modeling import checkpoint
from modeling.averages import Averages
from modeling.build import build, training_loss
from modeling.config import ModelConfig, TrainConfig
from modeling.data import BatchPlan
from modeling.guard import Guard
from modeling.optimizers import make_optimizer, rate_factor
from modeling.parallel import clip_by_norm, parallelize
from modeling.transformer import Transformer
from modeling.zero import ZeroOptimizer


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

    def final_weights(self, *, writes: bool) -> checkpoint.Copied:
        """Name of a file -> weights: the model, which is the average where there is one; then those that were trained are beside it."""
        trained = checkpoint.gathered(self.model, writes=writes)
        if self.averages is None:
            return {checkpoint.MODEL: trained}
        with self.averages.in_place():
            return {checkpoint.MODEL: checkpoint.gathered(self.model, writes=writes), checkpoint.TRAINED: trained}
