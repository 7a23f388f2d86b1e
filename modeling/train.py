"""Pretraining with Lightning's Trainer: one device, DDP, FSDP2 or DeepSpeed's ZeRO, resumed at any step, with any number of processes.

model/
  config.json  model.safetensors  tokenizer.json  tokenizer_config.json     what `transformers` loads
  tokenizer/                      what gristmill loads
  curve.jsonl  validation.jsonl   a line a step, a line a validation
  train.html                      both as a page
  checkpoints/  tensorboard/  run.json
  trained.safetensors             with train.ema: the weights whose moving average model.safetensors is
  best/                           the model of the best checkpoint, where validation liked one better than the last step
  stopped.json                    where a run could not go on: the step and its documents
  manifest.json                   written last: fingerprint, digests, parents

result = pretrain("build/demo/tokens", Path("build/demo/model"), model, train, Launch())
"""

import logging
import os
import platform
import shutil
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, final

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy

from corpus.errors import InputError, OutputError, ResumeError
from corpus.version import code_version
from modeling import checkpoint
from modeling.config import ModelConfig, SettingError, TrainConfig
from modeling.curves import CURVE, RATES, VALIDATION, read_rows
from modeling.data import BatchPlan, arrange, batches, plan_batches, reading
from modeling.finished import BEST, MANIFEST, RUN, finish, read_manifest
from modeling.guard import Preempted, Stopped
from modeling.loggers import LOGS, loggers, require
from modeling.module import Pretraining
from modeling.parallel import check_split
from modeling.recorder import Recorder
from modeling.run_page import RUN_PAGE, Run, RunPage, write_run_page
from modeling.suspects import STOPPED, blame, skipped_steps
from modeling.watching import Watcher
from modeling.zero import Zero
from modeling.zero import check as check_zero
from tokenization.packing import Waste
from tokenization.shards import TOKENIZER, TokenFolder
from tokenization.tokenizer import EXPORT_CONFIG, EXPORTED

_BEGUN = (CURVE, VALIDATION, RUN_PAGE, STOPPED, RATES, checkpoint.FOLDER, *LOGS)  # what a run leaves that ended before one
_LAUNCHERS = {"WORLD_SIZE", "SLURM_JOB_ID", "MASTER_ADDR"}  # who starts processes says so: torchrun, SLURM, or a user by hand
_log = logging.getLogger("gristmill")
_VERSIONS = ("torch", "lightning", "numpy", "safetensors")


@final
@dataclass(frozen=True, kw_only=True)
class Launch:
    """On what a run runs; none of it changes what is learned, but for ``precision``.

    ``devices``: processes on this machine, 0 for all GPUs (or one CPU process). Under torchrun, SLURM or TorchDistributor their numbers
    count. ``strategy``: ``ddp``, all of the model on each; ``fsdp``, a share (FSDP2); ``deepspeed``, a share of moments and gradients
    (``modeling.zero``). ``tensor_parallel``: so many compute each matrix together; what is beside that is FSDP2. ``precision`` auto:
    bf16-mixed on a GPU, 32-true on a CPU. ``logs``: of ``modeling.loggers``, beside the curve. ``keep_last``: checkpoints, beside
    the best one.
    """

    devices: int = 0
    nodes: int = 1
    strategy: Literal["ddp", "fsdp", "deepspeed"] = "ddp"
    tensor_parallel: int = 1
    precision: str = "auto"
    compiled: bool = False
    checkpointed: bool = False
    logs: Sequence[str] = ("tensorboard",)
    keep_last: int = 2

    @property
    def on_gpu(self) -> bool:
        return torch.cuda.is_available()

    @property
    def devices_here(self) -> int:
        local = os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE")
        return int(local) if local else self.devices or (torch.cuda.device_count() if self.on_gpu else 1)

    @property
    def processes(self) -> int:
        return int(os.environ.get("WORLD_SIZE") or self.devices_here * self.nodes)

    @property
    def sharded(self) -> bool:
        return self.strategy == "fsdp" or self.tensor_parallel > 1


@final
@dataclass(frozen=True)
class Trained:
    """A finished model folder, how its windows were packed, and whether it was there already. ``leads``: this process is the first.
    ``paused_at``: SIGTERM has ended the run behind that step; all is saved, and the same call goes on."""

    folder: Path
    manifest: Mapping[str, Any]
    waste: Waste
    epochs: float
    resumed: bool
    leads: bool
    paused_at: int | None = None


def pretrain(
    tokens: str, output: Path, model: ModelConfig, train: TrainConfig, launch: Launch, *, watcher: Watcher, overwrite: bool = False
) -> Trained:
    """Train to the last step and write the model folder, its manifest last; every process of the run calls this.

    Raises SettingError, InputError, AssetError or ResumeError before the first step for what a user can mend, and TrainingStopped where
    the loss or gradient is no number, or all is spikes. SIGTERM saves behind the step that is being made, and returns.
    """
    require(launch.logs)
    if launch.nodes > 1 and not _LAUNCHERS & os.environ.keys():  # it would wait for the others for half an hour
        raise SettingError("nothing has started the other nodes", where="--nodes", hint="start it by torchrun or srun, as README shows")
    folder = TokenFolder.open(tokens)
    if model.vocabulary != folder.manifest["tokenizer"]["vocabulary"]:
        raise SettingError("the model's vocabulary is not the tokenizer's", where=f"{model.vocabulary:,} ids", hint=f"see {tokens}")
    model = replace(model, **{name: getattr(folder.special, name) for name in ("bos", "eos", "pad")})
    check_split(model, launch.tensor_parallel, launch.processes)
    if launch.strategy == "deepspeed":
        check_zero(precision=launch.precision, tensor_parallel=launch.tensor_parallel)
    if (launch.sharded or launch.strategy == "deepspeed") and train.optimizer != "adamw":  # the others measure whole matrices
        raise SettingError(f"{train.optimizer} has no sharded form here", where="train.optimizer", hint="take adamw, or --strategy ddp")
    fingerprint = fingerprint_of(folder, model, train)
    plan = plan_batches(train, model.context_length, launch.processes // launch.tensor_parallel)
    windows, order = arrange(folder.split("train"), model.context_length, train)
    validation = folder.split("validation")
    if not validation.documents:
        raise InputError("the tokens have no validation split", where=tokens, hint="curate with split_by_cluster.validation above 0")
    leads = int(os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or os.environ.get("LOCAL_RANK") or 0) == 0
    resumed = None
    if overwrite:  # the other processes may look before the first has cleared: they do not look
        if leads:
            clear(output)
    else:
        finished = _finished(output, fingerprint)
        if finished:
            return Trained(output, finished, windows.waste(), order.epochs(train.steps), resumed=True, leads=leads)
        resumed = _resumable(output, fingerprint)
    first = resumed.step if resumed else 0
    output.mkdir(parents=True, exist_ok=True)
    module = Pretraining(
        model,
        train,
        plan,
        first_step=first,
        weights=resumed.folder / checkpoint.MODEL if resumed else None,
        sharded=launch.sharded,
        tensor_parallel=launch.tensor_parallel,
        compiled=launch.compiled,
        checkpointed=launch.checkpointed,
    )
    _quieten()
    waste, place, read = windows.waste(), _place(launch, plan.accumulate), folder.split("train")
    run = Run(model=model, train=train, tokens=folder, order=order, windows=windows.count, waste=waste, place=place)
    recorder = Recorder(
        output, fingerprint, validation, RunPage(output, run, watcher), resumed,
        bytes_per_target=read.bytes / max(1, read.tokens - read.documents), keep_last=launch.keep_last,
    )  # fmt: skip
    trainer = Trainer(
        accelerator="gpu" if launch.on_gpu else "cpu",
        devices=launch.devices_here,
        num_nodes=max(1, launch.processes // launch.devices_here),
        strategy=_strategy(launch, plan, train),
        precision=_precision(launch),  # type: ignore[arg-type]
        max_epochs=1,
        accumulate_grad_batches=plan.accumulate,
        use_distributed_sampler=False,  # ours is the order; Lightning's would shuffle it
        callbacks=[recorder],
        logger=loggers(output, launch.logs, settings=fingerprint, first_step=first),
        enable_checkpointing=False,  # ours hold no pickled class
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    leads = trainer.is_global_zero
    started = time.monotonic()
    epochs, rank = order.epochs(train.steps), trainer.global_rank // launch.tensor_parallel
    loader = batches(windows, order, plan, rank=rank, first_step=first, steps=train.steps)
    with module.guard.listening():
        try:
            trainer.fit(module, loader)
        except Stopped as stopped:  # on all processes behind the same step: the first one speaks
            if isinstance(stopped, Preempted) or not leads:
                return Trained(output, {}, waste, epochs, resumed=False, leads=leads, paused_at=stopped.step)
            raise blame(output, folder, stopped, windows, order, reduced=_precision(launch) != "32-true") from stopped
        weights = module.final_weights(writes=leads)
        if not leads:
            return Trained(output, {}, waste, epochs, resumed=False, leads=False)
        seconds = time.monotonic() - started
        write_run_page(output, run, step=train.steps, seconds=seconds)
        facts = {**place, **_run_facts(seconds, train, first), **reading(order, train.steps), "packing": asdict(waste)}
        facts |= {"skipped_steps": skipped_steps(read_rows(output / CURVE), windows, order)}
        made = finish(output, folder, model, fingerprint, weights, facts)
    return Trained(output, made, waste, epochs, resumed=False, leads=True)


def fingerprint_of(tokens: TokenFolder, model: ModelConfig, train: TrainConfig) -> dict[str, Any]:
    """What decides the weights, up to rounding: equal fingerprints may be resumed. Where it ran and in what micro-batches does not."""
    settings = {name: value for name, value in asdict(train).items() if name != "micro_batch_windows"}
    return {"tokens": tokens.digest, "model": asdict(model), "train": settings, "code": code_version("modeling")}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What changed between two fingerprints, a few words each."""
    changed = [] if old.get("tokens") == new["tokens"] else ["the tokens"]
    for part in ("model", "train"):
        changed += [f"{part}.{name}" for name, value in new[part].items() if old.get(part, {}).get(name) != value]
    return changed + ([] if old.get("code") == new["code"] else ["the code version"])


def clear(output: Path) -> None:
    """Remove a model, and nothing else that may lie in the folder; the manifest first: then it is none any more."""
    files = (MANIFEST, checkpoint.MODEL, checkpoint.TRAINED, checkpoint.CONFIG, EXPORTED, EXPORT_CONFIG, CURVE, VALIDATION, RUN_PAGE, RUN)
    for name in (*files, STOPPED, RATES):
        (output / name).unlink(missing_ok=True)
    for name in (checkpoint.FOLDER, BEST, TOKENIZER, *LOGS):
        shutil.rmtree(output / name, ignore_errors=True)


def _finished(output: Path, now: Mapping[str, Any]) -> dict[str, Any] | None:
    if not (output / MANIFEST).exists():
        return None
    there = read_manifest(output)
    changed = differences(there["fingerprint"], now)
    if changed:
        raise ResumeError(f"another model lies there; changed: {', '.join(changed)}", where=str(output), hint="--overwrite replaces it")
    return there


def _resumable(output: Path, now: Mapping[str, Any]) -> checkpoint.Checkpoint | None:
    """The checkpoint to go on from, if this very run was begun there."""
    found = checkpoint.latest(output)
    if found:
        changed = differences(found.fingerprint, now)
        if changed:
            raise ResumeError(
                f"an unfinished run lies there; changed: {', '.join(changed)}", where=str(output), hint="--overwrite starts over"
            )
        for folder in found.damaged:
            _log.warning(f"gristmill: {folder} is damaged: going on from step {found.step:,}")
    elif output.exists() and any(each.name not in _BEGUN for each in output.iterdir()):
        raise OutputError("the output folder holds something else", where=str(output), hint="choose an empty folder, or give --overwrite")
    return found


def _strategy(launch: Launch, plan: BatchPlan, train: TrainConfig) -> Strategy | str:
    if launch.strategy == "deepspeed":
        return Zero(plan, clip_norm=train.clip_norm, precision=_precision(launch))
    if launch.sharded:
        # its defaults on one node are no data parallelism at all: dp=1, tp=all
        together = launch.tensor_parallel
        return ModelParallelStrategy(data_parallel_size=launch.processes // together, tensor_parallel_size=together)
    return "ddp" if launch.processes > 1 else "auto"


def _precision(launch: Launch) -> str:
    return launch.precision if launch.precision != "auto" else "bf16-mixed" if launch.on_gpu else "32-true"


def _quieten() -> None:
    """Lightning's advice on devices and workers is for people who write the loop; ours read the curve."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", module="torch.utils.data")


def _place(launch: Launch, accumulate: int) -> dict[str, Any]:
    """On what it runs: what may differ between two runs that learn the same."""
    names = (*_VERSIONS, "deepspeed") if launch.strategy == "deepspeed" else _VERSIONS
    return {
        "host": platform.node(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "devices": torch.cuda.get_device_name() if launch.on_gpu else "CPU",
        "processes": launch.processes,
        "strategy": "fsdp" if launch.sharded else launch.strategy,
        "tensor_parallel": launch.tensor_parallel,
        "precision": _precision(launch),
        "accumulate": accumulate,
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in names}},
    }


def _run_facts(seconds: float, train: TrainConfig, first: int) -> dict[str, Any]:
    return {
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "steps_of_this_run": train.steps - first,
        "seconds": round(seconds, 3),
        "tokens_per_second": round((train.steps - first) * train.global_batch_tokens / max(1e-9, seconds), 1),
    }
