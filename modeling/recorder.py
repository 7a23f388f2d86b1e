"""What happens beside the steps: the curve, validation, checkpoints, and telling whoever watches.

Trainer(callbacks=[Recorder(...)])
"""

import json
import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, final

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from modeling import checkpoint
from modeling.averages import Averages, not_finite
from modeling.curves import CURVE, VALIDATION, cut
from modeling.guard import NotFinite, Preempted
from modeling.hardware import peak_flops, peak_memory_bytes
from modeling.module import Pretraining
from modeling.optimizers import rate_factor
from modeling.saving import Saver
from modeling.scoring import chunks, score, summary
from modeling.watching import Step, Watcher
from tokenization.shards import TokenSplit


@final
class Recorder(Callback):
    """Writes ``curve.jsonl``, ``validation.jsonl``, TensorBoard and checkpoints below ``folder``; loads the moments of ``resumed``."""

    def __init__(
        self,
        folder: Path,
        fingerprint: Mapping[str, Any],
        validation: TokenSplit,
        watcher: Watcher,
        resumed: checkpoint.Checkpoint | None,
        *,
        bytes_per_target: float,
        keep_last: int = 2,
    ):
        self._folder, self._fingerprint, self._validation = folder, fingerprint, validation
        self._watcher, self._resumed = watcher, resumed
        self._bits = 1 / math.log(2) / bytes_per_target
        damaged = resumed.damaged if resumed else ()
        self._saver = Saver(folder, fingerprint, validation=folder / VALIDATION, keep_last=keep_last, damaged=damaged)
        self._clock = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Pretraining)
        pl_module.guard.listen()
        if self._resumed:
            checkpoint.load_moments(pl_module.model, trainer.optimizers[0], self._resumed)
        if pl_module.train_config.ema:
            pl_module.averages = Averages(pl_module.model, pl_module.train_config.ema)
            if self._resumed:
                checkpoint.load_averages(pl_module.averages.values, self._resumed)
        rows, validated = [], False
        if trainer.is_global_zero:
            rows = cut(self._folder / CURVE, pl_module.step)
            validated = any(row["step"] == pl_module.step for row in cut(self._folder / VALIDATION, pl_module.step))
            self._watcher.begins(pl_module.step, pl_module.train_config.steps)
        rows, validated = trainer.strategy.broadcast((rows, validated))
        pl_module.guard.begin(rows)
        if not validated and pl_module.step % pl_module.train_config.validate_every_steps == 0:
            self._validate(trainer, pl_module)  # before the first step; or a run was ended between a step and its validation
        self._clock = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        assert isinstance(pl_module, Pretraining)
        if (batch_idx + 1) % pl_module.plan.accumulate:
            return
        pl_module.step += 1
        step, train, guard = pl_module.step, pl_module.train_config, pl_module.guard
        pl_module.loss_sum.zero_()
        batch_digest = f"{int(_summed(trainer, pl_module.digest_sum)) & (1 << 64) - 1:016x}"
        pl_module.digest_sum.zero_()
        if pl_module.averages and not pl_module.skipped:
            pl_module.averages.update(guard.updates(step))
        if trainer.is_global_zero:
            self._record(trainer, pl_module, pl_module.loss, batch_digest)
        ending = guard.ending and step < train.steps
        saves = ending or step % train.checkpoint_every_steps == 0 or step == train.steps
        if saves and float(_reduced(trainer, not_finite(pl_module.model))):
            raise NotFinite(step, f"a weight is no number behind step {step:,}")  # or the last whole checkpoint would be a poisoned one
        if not ending and (step % train.validate_every_steps == 0 or step == train.steps):
            self._validate(trainer, pl_module)
        if saves and step < train.steps:
            self._save(trainer, pl_module)
        if ending:
            self._saver.wait()
            raise Preempted(step, f"ended by SIGTERM behind step {step:,}")
        if step % train.validate_every_steps == 0 or step % train.checkpoint_every_steps == 0:
            self._clock = time.monotonic()  # the next step's speed is its own

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saver.wait()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._saver.wait()  # the checkpoint before is to be whole when the run has ended, and tells where it lies

    def _save(self, trainer: Trainer, module: Pretraining) -> None:
        averages = module.averages.values if module.averages else None
        state = checkpoint.copied(module.model, trainer.optimizers[0], averages, writes=trainer.is_global_zero)
        if trainer.is_global_zero:
            self._saver.save(module.step, state, updates=module.guard.updates(module.step))

    def _record(self, trainer: Trainer, module: Pretraining, loss: float, batch: str) -> None:
        now = time.monotonic()
        train = module.train_config
        speed = train.global_batch_tokens / max(1e-9, now - self._clock)
        self._clock = now
        made = Step(
            step=module.step,
            loss=loss,
            learning_rate=train.learning_rate * rate_factor(module.step - 1, train),
            gradient_norm=module.gradient_norm,
            tokens_per_second=speed,
            mfu=_utilisation(module, speed),
            batch=batch,
            bits_per_byte=loss * self._bits,
            memory_bytes=peak_memory_bytes(module.device),
            skipped=module.skipped,
        )
        with (self._folder / CURVE).open("a") as lines:
            lines.write(json.dumps(asdict(made)) + "\n")
        for logger in trainer.loggers:
            logger.log_metrics(
                {name: value for name, value in asdict(made).items() if name != "step" and isinstance(value, int | float)}, step=made.step
            )
        self._watcher.step(made)

    def _validate(self, trainer: Trainer, module: Pretraining) -> None:
        if not self._validation.documents:
            return
        config, train = module.config, module.train_config
        found = chunks(self._validation, config.context_length, tokens=train.validation_tokens)
        rank = trainer.global_rank // module.tensor_parallel
        with module.averages.in_place() if module.averages else nullcontext():
            nats = score(module.model, config, self._validation, found, rank=rank, processes=module.plan.processes)
        nats = _summed(trainer, torch.from_numpy(nats).to(module.device)).cpu().numpy()
        if not trainer.is_global_zero:
            return
        result = summary(self._validation, found[-1].document + 1, nats)
        with (self._folder / VALIDATION).open("a") as lines:
            lines.write(json.dumps({"step": module.step, **result}) + "\n")
        for logger in trainer.loggers:
            logger.log_metrics({f"validation/{name}": result[name] for name in ("loss", "bits_per_byte")}, step=module.step)
        self._watcher.validated(module.step, result)


def _summed(trainer: Trainer, value: torch.Tensor) -> torch.Tensor:
    """Over all processes that see other windows."""
    module = trainer.lightning_module
    assert isinstance(module, Pretraining)
    return _reduced(trainer, value if module.counts else torch.zeros_like(value))


def _reduced(trainer: Trainer, value: torch.Tensor) -> torch.Tensor:
    summed = trainer.strategy.reduce(value.clone(), reduce_op="sum")
    assert isinstance(summed, torch.Tensor)
    return summed


def _utilisation(module: Pretraining, tokens_per_second: float) -> float | None:
    if module.device.type != "cuda":
        return None
    peak = peak_flops(torch.cuda.get_device_name(module.device))
    return peak and tokens_per_second * module.config.flops_per_token / (peak * module.plan.processes * module.tensor_parallel)
