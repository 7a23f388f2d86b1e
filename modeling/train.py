"""Pretraining with Lightning's Trainer: one device, DDP or FSDP2, resumed at any step, with any number of processes.

model/
  config.json  model.safetensors  tokenizer.json  tokenizer_config.json     what `transformers` loads
  tokenizer/                      what gristmill loads
  curve.jsonl  validation.jsonl   a line a step, a line a validation
  checkpoints/  tensorboard/  run.json
  manifest.json                   written last: fingerprint, digests, parents

result = pretrain("build/demo/tokens", Path("build/demo/model"), model, train, Launch())
"""

import json
import logging
import os
import platform
import shutil
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, final

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy

from corpus.errors import EnvironmentProblem, InputError, OutputError, ResumeError
from corpus.storage import json_bytes
from corpus.version import code_version
from modeling import checkpoint
from modeling.config import ModelConfig, SettingError, TrainConfig
from modeling.data import arrange, batches, plan_batches, reading
from modeling.module import Pretraining
from modeling.recorder import CURVE, VALIDATION, Recorder, Watcher
from tokenization.packing import Waste
from tokenization.shards import TOKENIZER, TokenFolder
from tokenization.tokenizer import EXPORT_CONFIG, EXPORTED

FORMAT = "gristmill model 1"
MANIFEST, RUN = "manifest.json", "run.json"
_LOGS = ("tensorboard", "wandb")  # folders that loggers begin before the first checkpoint
_VERSIONS = ("torch", "lightning", "numpy", "safetensors")


@final
@dataclass(frozen=True, kw_only=True)
class Launch:
    """On what a run runs; none of it changes what is learned, but for ``precision``.

    ``devices``: processes on this machine, 0 for all GPUs (or one CPU process). Under torchrun, SLURM or TorchDistributor their numbers
    count. ``precision`` auto: bf16-mixed on a GPU, 32-true on a CPU.
    """

    devices: int = 0
    nodes: int = 1
    strategy: Literal["ddp", "fsdp"] = "ddp"
    precision: str = "auto"
    compiled: bool = False
    checkpointed: bool = False
    wandb: bool = False

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


@final
@dataclass(frozen=True)
class Trained:
    """A finished model folder, how its windows were packed, and whether it was there already. ``leads``: this process is the first."""

    folder: Path
    manifest: Mapping[str, Any]
    waste: Waste
    epochs: float
    resumed: bool
    leads: bool


def pretrain(
    tokens: str, output: Path, model: ModelConfig, train: TrainConfig, launch: Launch, *, watcher: Watcher, overwrite: bool = False
) -> Trained:
    """Train to the last step and write the model folder, its manifest last; every process of the run calls this.

    Raises SettingError, InputError, AssetError or ResumeError before the first step for what a user can mend.
    """
    folder = TokenFolder.open(tokens)
    if model.vocabulary != folder.manifest["tokenizer"]["vocabulary"]:
        raise SettingError("the model's vocabulary is not the tokenizer's", where=f"{model.vocabulary:,} ids", hint=f"see {tokens}")
    model = replace(model, **{name: getattr(folder.special, name) for name in ("bos", "eos", "pad")})
    if launch.strategy == "fsdp" and train.optimizer != "adamw":  # the others measure whole matrices, which no process has
        raise SettingError(f"{train.optimizer} has no sharded form here", where="train.optimizer", hint="take adamw, or --strategy ddp")
    fingerprint = fingerprint_of(folder, model, train)
    plan = plan_batches(train, model.context_length, launch.processes)
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
        sharded=launch.strategy == "fsdp",
        compiled=launch.compiled,
        checkpointed=launch.checkpointed,
    )
    _quieten()
    trainer = Trainer(
        accelerator="gpu" if launch.on_gpu else "cpu",
        devices=launch.devices_here,
        num_nodes=max(1, launch.processes // launch.devices_here),
        strategy=_strategy(launch),
        precision=_precision(launch),  # type: ignore[arg-type]
        max_epochs=1,
        accumulate_grad_batches=plan.accumulate,
        use_distributed_sampler=False,  # ours is the order; Lightning's would shuffle it
        callbacks=[Recorder(output, fingerprint, validation, watcher, resumed)],
        logger=_loggers(output, launch),
        enable_checkpointing=False,  # ours hold no pickled class
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    leads = trainer.is_global_zero
    started = time.monotonic()
    trainer.fit(module, batches(windows, order, plan, rank=trainer.global_rank, first_step=first, steps=train.steps))
    weights = checkpoint.gathered(module.model, writes=leads)
    waste, epochs = windows.waste(), order.epochs(train.steps)
    if not leads:
        return Trained(output, {}, waste, epochs, resumed=False, leads=False)
    run = _run_facts(launch, plan.accumulate, time.monotonic() - started, train, first)
    made = _finish(output, folder, model, fingerprint, weights, {**run, **reading(order, train.steps), "packing": asdict(waste)})
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
    for name in (MANIFEST, checkpoint.MODEL, checkpoint.CONFIG, EXPORTED, EXPORT_CONFIG, CURVE, VALIDATION, RUN):
        (output / name).unlink(missing_ok=True)
    for name in (checkpoint.FOLDER, TOKENIZER, *_LOGS):
        shutil.rmtree(output / name, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished model. Raises InputError where there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError("this is no finished model", where=str(folder), hint="run `gristmill pretrain` to its end") from error
    whole = isinstance(manifest, dict) and {"files", "fingerprint", "parents"} <= manifest.keys()
    if not whole or manifest.get("format") != FORMAT:
        raise InputError("this is no model folder", where=str(folder), hint=f"its manifest.json is not of format {FORMAT!r}")
    return manifest


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
    elif output.exists() and any(each.name not in (CURVE, VALIDATION, checkpoint.FOLDER, *_LOGS) for each in output.iterdir()):
        raise OutputError("the output folder holds something else", where=str(output), hint="choose an empty folder, or give --overwrite")
    return found


def _strategy(launch: Launch) -> Strategy | str:
    if launch.strategy == "fsdp":
        # its defaults on one node are no data parallelism at all: dp=1, tp=all
        return ModelParallelStrategy(data_parallel_size=launch.processes, tensor_parallel_size=1)
    return "ddp" if launch.processes > 1 else "auto"


def _precision(launch: Launch) -> str:
    return launch.precision if launch.precision != "auto" else "bf16-mixed" if launch.on_gpu else "32-true"


def _loggers(output: Path, launch: Launch) -> list[Logger]:
    loggers: list[Logger] = [TensorBoardLogger(output, name="tensorboard", version="")]
    if launch.wandb:
        try:
            loggers.append(WandbLogger(project="gristmill", save_dir=output, offline=True))
        except ModuleNotFoundError as error:
            raise EnvironmentProblem("Weights & Biases is not installed", hint="pip install 'gristmill[wandb]'") from error
    return loggers


def _quieten() -> None:
    """Lightning's advice on devices and workers is for people who write the loop; ours read the curve."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", module="torch.utils.data")


def _run_facts(launch: Launch, accumulate: int, seconds: float, train: TrainConfig, first: int) -> dict[str, Any]:
    """What may differ between two runs that learn the same."""
    return {
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "host": platform.node(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "devices": torch.cuda.get_device_name() if launch.on_gpu else "CPU",
        "processes": launch.processes,
        "strategy": launch.strategy,
        "precision": _precision(launch),
        "accumulate": accumulate,
        "steps_of_this_run": train.steps - first,
        "seconds": round(seconds, 3),
        "tokens_per_second": round((train.steps - first) * train.global_batch_tokens / max(1e-9, seconds), 1),
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in _VERSIONS}},
    }


def _finish(
    output: Path, tokens: TokenFolder, model: ModelConfig, fingerprint: Mapping[str, Any], weights: Mapping[str, torch.Tensor],
    run: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    checkpoint.save_whole(weights, output / checkpoint.MODEL)
    checkpoint.write_config(output, model)
    shutil.copytree(tokens.path / TOKENIZER, output / TOKENIZER, dirs_exist_ok=True)
    carried = [name for name in (EXPORTED, EXPORT_CONFIG) if (output / TOKENIZER / name).exists()]  # a user's own may lack them
    for name in carried:
        shutil.copyfile(output / TOKENIZER / name, output / name)
    (output / RUN).write_bytes(json_bytes(run))
    manifest = {
        "format": FORMAT,
        "fingerprint": dict(fingerprint),
        "parameters": model.parameters,
        "files": {name: checkpoint.sha256(output / name) for name in (checkpoint.MODEL, checkpoint.CONFIG, *carried[:1])},
        "parents": [{"tokens": tokens.digest}, *tokens.manifest["parents"]],
    }
    (output / MANIFEST).write_bytes(json_bytes(manifest))
    shutil.rmtree(output / checkpoint.FOLDER, ignore_errors=True)
    return manifest
