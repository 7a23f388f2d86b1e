"""ZeRO by DeepSpeed (Rajbhandari et al. 2020), stage 2: each process keeps the moments and gradients of its share of the parameters, and
computes their step; the weights are whole everywhere. A process of N holds 4 + 16 / N bytes a parameter (weights; gradients, moments and
another copy of its share of the weights) beside one bucket of gradients, where DDP holds 16.

Of DeepSpeed only the reduction of gradients and the sharing of AdamW are used. The loop stays ours: the loss is scaled, the learning rate
set, and a step judged by its gradient's norm before it is made, as with any other strategy; clipping is DeepSpeed's, by the same formula.
Checkpoints are those of ``modeling.checkpoint``, whole tensors by name, so that a run may go on with any strategy and number of processes.
Needs no GPU: on CPUs it runs over gloo, and so it is tested; on GPUs it was never run. DeepSpeed's own files of a run's state are neither
written nor read.

    Trainer(strategy=Zero(plan, clip_norm=train.clip_norm, precision="32-true"), ...)
"""

import math
import os
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from importlib.util import find_spec
from typing import Any, final

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn

from corpus.errors import EnvironmentProblem
from modeling.config import SettingError
from modeling.data import BatchPlan

_STAGE = 2  # 1 keeps all gradients everywhere; 3 shares the weights too, as FSDP2 does without a package
_BUCKET_ELEMENTS = 50_000_000  # of gradients summed at once: 200 MB of float32; DeepSpeed's default takes 2 GB
_MOMENTS = ("exp_avg", "exp_avg_sq")


def check(*, precision: str, tensor_parallel: int) -> None:
    """Raises SettingError for what DeepSpeed does not do here, EnvironmentProblem where it is not installed."""
    if tensor_parallel > 1:
        raise SettingError("DeepSpeed shares no matrices here", where="--tensor-parallel", hint="take --strategy fsdp")
    if precision == "bf16-true":  # its weights of float32 would be in no checkpoint
        raise SettingError("DeepSpeed keeps the weights in float32 here", where="--precision bf16-true", hint="take bf16-mixed")
    if find_spec("deepspeed") is None:
        raise EnvironmentProblem(
            "deepspeed is not installed", hint="DS_BUILD_OPS=0 pip install --no-build-isolation 'gristmill[deepspeed]' beside torch"
        )


def configuration(plan: BatchPlan, *, clip_norm: float, precision: str) -> dict[str, Any]:
    """What DeepSpeed is told; its own parser refuses batches that are no product of micro-batch, accumulation and processes.

    ``precision`` bf16-mixed is PyTorch's autocast, as with the other strategies, and not DeepSpeed's ``bf16``, which would make the weights
    bfloat16. Gradients are summed in float32 either way: no module is named whose would not.
    """
    told: dict[str, Any] = {
        "train_batch_size": plan.windows,
        "train_micro_batch_size_per_gpu": plan.micro,
        "gradient_accumulation_steps": plan.accumulate,
        "gradient_clipping": clip_norm,
        "zero_optimization": {"stage": _STAGE, "reduce_bucket_size": _BUCKET_ELEMENTS},
    }
    if precision == "bf16-mixed":
        told["torch_autocast"] = {"enabled": True, "dtype": "bfloat16", "lower_precision_safe_modules": []}
    return told


@final
class ZeroOptimizer(torch.optim.Optimizer):
    """AdamW as DeepSpeed shares it, seen as an optimizer of the model's own parameters. ``state[parameter]`` is whole, and getting it is
    collective."""

    def __init__(self, engine: Any, adamw: torch.optim.Optimizer, groups: list[dict[str, Any]]):
        super().__init__(groups, {})
        self._engine, self._adamw, self._empty = engine, adamw, True
        zero = engine.optimizer
        for share in zero.single_partition_of_fp32_groups:
            # as AdamW's first step would make it; it is to be there before, so that moments can be loaded
            adamw.state[share] = {"step": torch.tensor(0.0), **{name: torch.zeros_like(share) for name in _MOMENTS}}
        for parameters, share in zip(zero.bit16_groups, zero.single_partition_of_fp32_groups, strict=True):
            _imported().utils.lazy_init_hp_params_optimizer_state(parameters, share, adamw.state)
        adamw.register_step_pre_hook(self._before)
        self.state = _State(adamw)  # type: ignore[assignment]

    def backward(self, loss: Tensor) -> None:
        """Adds this micro-batch's gradients, summed over the processes, to the shares; the engine counts micro-batches itself."""
        self._engine.backward(loss, scale_wrt_gas=False)  # Lightning has divided by the accumulation
        self._empty = False
        if not self._engine.is_gradient_accumulation_boundary():
            self._engine.step()  # counts this micro-batch, and no more

    def gradient_norm(self) -> float:
        """Of all gradients together, before they are clipped, behind the last micro-batch; the same on every process."""
        norm = float(self._engine.optimizer.scaled_global_norm())
        return norm if norm >= 0 else math.nan  # it says -1 of what is no number

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Without gradients a step moves no weight, no moment and no count of steps."""
        self._empty = True

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        loss = closure() if closure is not None else None
        for group, shared in zip(self.param_groups, self._adamw.param_groups, strict=True):
            shared["lr"] = group["lr"]
        self._engine.step()
        return loss

    def _before(self, adamw: torch.optim.Optimizer, *_: Any) -> None:
        if self._empty:
            adamw.zero_grad(set_to_none=True)  # the engine's step then only frees its buffers


@final
class _State:
    """Parameter -> its moments, whole; set, each process keeps its share. Every process gets and sets the same in the same order."""

    def __init__(self, adamw: torch.optim.Optimizer):
        self._adamw = adamw

    def __getitem__(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        get = _imported().utils.safe_get_full_optimizer_state
        return {name: get(parameter, name) for name in _MOMENTS}

    def __setitem__(self, parameter: nn.Parameter, state: Mapping[str, Tensor]) -> None:
        for name in _MOMENTS:
            _imported().utils.safe_set_full_optimizer_state(parameter, state[name], name)
        for share in self._adamw.state.values():
            share["step"].copy_(state["step"])


def shared(module: nn.Module, adamw: torch.optim.Optimizer, told: Mapping[str, Any], device: torch.device) -> tuple[Any, ZeroOptimizer]:
    """DeepSpeed's engine around ``module``, and ``adamw`` shared between the processes, by ``configuration``."""
    groups = [dict(group) for group in adamw.param_groups]  # the engine puts its shares in the parameters' place
    engine, *_ = _imported().initialize(
        Namespace(device_rank=device.index or 0), model=module, optimizer=adamw, config=dict(told), dist_init_required=False
    )
    return engine, ZeroOptimizer(engine, adamw, groups)


@final
class Zero(DDPStrategy):
    """Lightning's processes, as for DDP, and DeepSpeed's engine around the module."""

    def __init__(self, plan: BatchPlan, *, clip_norm: float, precision: str):
        super().__init__()
        self._told = configuration(plan, clip_norm=clip_norm, precision=precision)

    def setup(self, trainer: Trainer) -> None:
        assert self.accelerator is not None
        assert self.lightning_module is not None
        self.accelerator.setup(trainer)
        self.model_to_device()
        self.setup_optimizers(trainer)
        os.environ.setdefault("LOCAL_RANK", str(self.local_rank))  # DeepSpeed wants to be told, though it was
        self.model, optimizer = shared(self.lightning_module, self.optimizers[0], self._told, self.root_device)
        self.optimizers = [optimizer]

    def backward(self, closure_loss: Tensor, optimizer: Any, *args: Any, **kwargs: Any) -> Tensor:
        made = self.optimizers[0]
        assert isinstance(made, ZeroOptimizer)
        made.backward(closure_loss)
        return closure_loss.detach()

    def block_backward_sync(self) -> Any:
        return nullcontext()  # what is kept are shares of sums: nothing can wait

    def teardown(self) -> None:
        self.model, self.optimizers = self.lightning_module, []
        super().teardown()


def _imported() -> Any:
    """DeepSpeed, here, since importing it takes 2 seconds that no other run has to wait."""
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # or it warns that it has found no GPU
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")  # it calls what PyTorch has renamed
    import deepspeed

    if not on_gpu:
        # it would compile, for half a minute, an operation that inference alone calls
        deepspeed.ops.__compatible_ops__ = {}
    return deepspeed
