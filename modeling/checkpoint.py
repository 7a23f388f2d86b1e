"""Checkpoints: weights and optimizer state in safetensors, plain JSON beside them; nothing pickled, nothing that names a process.

    checkpoints/step-00000250/
      model.safetensors        all parameters, whole, under the names that `transformers` uses for Llama
      optimizer.safetensors    what the optimizer knows of each parameter: exp_avg.NAME, exp_avg_sq.NAME, …
      average.safetensors      the averaged parameters, with train.ema
      state.json               step, fingerprint of the run, size and digest of each file; written last: its existence means whole

Tensors are gathered one at a time and written by the first process, so that a run may go on with any number of processes, sharded or not.

    state = copied(model, optimizer, writes=rank == 0)          # every process
    write(folder, step, fingerprint, state)                     # the first; modeling.saving does it in a thread
    found = latest(Path("build/demo/model"))
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from corpus.errors import AssetError
from corpus.storage import json_bytes
from modeling.architectures import as_huggingface
from modeling.config import ModelConfig, SettingError

FOLDER, STATE, MODEL, OPTIMIZER = "checkpoints", "state.json", "model.safetensors", "optimizer.safetensors"
AVERAGE, TRAINED, CONFIG = "average.safetensors", "trained.safetensors", "config.json"


@final
@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint: ``step`` optimizer steps were made, of which ``updates`` moved the weights (the others were skipped).
    ``damaged``: newer ones that are not what their states say."""

    folder: Path
    step: int
    updates: int
    fingerprint: Mapping[str, Any]
    damaged: tuple[Path, ...] = ()


Copied = dict[str, dict[str, Tensor]]  # name of a file -> its tensors, on the CPU


def copied(model: nn.Module, optimizer: torch.optim.Optimizer, averages: Mapping[str, Tensor] | None = None, *, writes: bool) -> Copied:
    """The state to write, in memory of its own: 12 bytes a parameter with AdamW in float32, 4 more with ``averages`` (by the model's
    names). Every process calls this (gathering is collective); it is empty for those that write nothing."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    state: Copied = {MODEL: gathered(model, writes=writes), OPTIMIZER: {}}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            for moment, value in optimizer.state[parameter].items():
                if moment != "step" and (whole := _whole(value, writes=writes)):
                    state[OPTIMIZER][f"{moment}.{exported_name(names[id(parameter)])}"] = whole[0]
    if averages is not None:
        state[AVERAGE] = {exported_name(name): whole[0] for name, value in averages.items() if (whole := _whole(value, writes=writes))}
    return state


def write(root: Path, step: int, fingerprint: Mapping[str, Any], state: Copied, updates: int | None = None) -> None:
    """Below ``root``; it is whole once its state.json is there, and that comes when all else is on the disk. ``updates``: default all."""
    folder = root / FOLDER / f"step-{step:08d}"
    remove(folder)
    folder.mkdir(parents=True)
    files = {}
    for name, tensors in state.items():
        save_whole(tensors, folder / name)
        with (folder / name).open("rb") as written:
            os.fsync(written.fileno())
        files[name] = {"bytes": (folder / name).stat().st_size, "xxh3_128": _digest(folder / name)}
    told = {"step": step, "updates": step if updates is None else updates, "fingerprint": dict(fingerprint), "files": files}
    with (folder / f"{STATE}.tmp").open("wb") as file:
        file.write(json_bytes(told))
        file.flush()
        os.fsync(file.fileno())
    (folder / f"{STATE}.tmp").rename(folder / STATE)


def remove(folder: Path) -> None:
    """One checkpoint, its state first: half removed it is none."""
    (folder / STATE).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def gathered(model: nn.Module, *, writes: bool) -> dict[str, Tensor]:
    """Parameters and buffers, whole, on the CPU, by exported name; empty where nothing is written."""
    found = {}
    for name, tensor in model.state_dict().items():
        if whole := _whole(tensor, writes=writes):
            found[exported_name(name)] = whole[0]
    return found


def save_whole(weights: Mapping[str, Tensor], file: Path) -> None:
    """Write weights as `transformers` expects them: the file says that it came from PyTorch."""
    save_file(dict(weights), file, metadata={"format": "pt"})


def latest(root: Path) -> Checkpoint | None:
    """The last whole checkpoint of a run; one without a state was not written to its end, and is none. One whose files are not what its
    state says is passed over. Raises AssetError where no other is left."""
    damaged: list[tuple[Path, Path]] = []
    for state in sorted(root.glob(f"{FOLDER}/step-*/{STATE}"), reverse=True):
        folder = state.parent
        try:
            told = json.loads(state.read_bytes())
            wrong = [name for name, file in told["files"].items() if not _is(folder / name, file)]
            if not wrong:
                passed = tuple(folder for folder, _ in damaged)
                return Checkpoint(folder, told["step"], told.get("updates", told["step"]), told["fingerprint"], passed)
            damaged.append((folder, folder / wrong[0]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            damaged.append((folder, folder))
    if damaged:
        raise AssetError("the checkpoint is damaged", where=str(damaged[0][1]), hint="no other is whole; --overwrite begins anew")
    return None


def load_weights(model: nn.Module, file: Path) -> None:
    """Into a model on any device, sharded or not. Raises AssetError where the file is damaged or of another shape."""
    with _opened(file) as tensors:
        for name, tensor in model.state_dict().items():
            _fill(tensor, tensors, exported_name(name), file)


def load_moments(model: nn.Module, optimizer: torch.optim.Optimizer, checkpoint: Checkpoint) -> None:
    """The optimizer's state of each parameter, as it was."""
    names = {id(parameter): exported_name(name) for name, parameter in model.named_parameters()}
    file = checkpoint.folder / OPTIMIZER
    with _opened(file) as tensors:
        stored: dict[str, list[str]] = {}
        for key in tensors.keys():  # noqa: SIM118  # it is no dict
            moment, _, name = key.partition(".")
            stored.setdefault(name, []).append(moment)
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                name = names[id(parameter)]
                state: dict[str, Tensor] = {"step": torch.tensor(float(checkpoint.updates))}
                for moment in stored.get(name, ()):
                    value = tensors.get_tensor(f"{moment}.{name}")
                    state[moment] = torch.zeros_like(parameter) if value.shape == parameter.shape else value.to(parameter.device)
                    _fill(state[moment], tensors, f"{moment}.{name}", file)
                if len(state) == 1:
                    raise AssetError("the optimizer's state is not that of this model", where=f"{file}, {name}")
                optimizer.state[parameter] = state


def load_averages(averages: Mapping[str, Tensor], checkpoint: Checkpoint) -> None:
    """Into tensors by the model's names, sharded or not. Raises AssetError where the checkpoint has none of them."""
    with _opened(checkpoint.folder / AVERAGE) as tensors:
        for name, value in averages.items():
            _fill(value, tensors, exported_name(name), checkpoint.folder / AVERAGE)


def exported_name(name: str) -> str:
    """As Llama's in `transformers`: all but the head lies below ``model.``."""
    return name if name.startswith("lm_head.") else f"model.{name}"


def write_config(folder: Path, config: ModelConfig) -> None:
    """``config.json``: that of the model of `transformers` which this one is, where there is one; and ours, whole, below ``gristmill``."""
    try:
        told = as_huggingface(config)
    except SettingError:
        told = {"architectures": ["GristmillTransformer"], "model_type": "gristmill"}
    (folder / CONFIG).write_bytes(json_bytes(told | {"gristmill": asdict(config)}))


def read_config(folder: Path) -> ModelConfig:
    """The model that lies in a folder. Raises AssetError where none does."""
    try:
        told = json.loads((folder / CONFIG).read_bytes())["gristmill"]
        return ModelConfig(**{field.name: told[field.name] for field in fields(ModelConfig) if field.name in told})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetError("this is no model folder", where=str(folder), hint="make one with `gristmill pretrain`") from error


def embedding_norms(folder: Path) -> np.ndarray:
    """Length of each id's row in the embedding of a trained model: float32 (vocabulary,). Raises AssetError where there is none."""
    try:
        with safe_open(folder / MODEL, framework="pt") as stored:
            return np.asarray(stored.get_tensor(exported_name("embed_tokens.weight")).float().norm(dim=1).numpy())
    except (OSError, SafetensorError) as error:
        raise AssetError("the model has no readable embedding", where=str(folder / MODEL), hint=str(error)) from error


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _whole(tensor: Tensor, *, writes: bool) -> list[Tensor]:
    """The tensor, gathered if it is sharded, on the CPU; nothing where it is not to be written."""
    whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return [whole.detach().cpu().contiguous().clone()] if writes else []


def _fill(tensor: Tensor, stored: Any, name: str, file: Path) -> None:
    try:
        value = stored.get_tensor(name)
    except SafetensorError as error:
        raise AssetError("the weights are not those of this model", where=f"{file}, {name}", hint=str(error)) from error
    if value.shape != tensor.shape:
        raise AssetError("the weights are not those of this model", where=f"{file}, {name}", hint=f"{value.shape}, not {tensor.shape}")
    copy_whole(tensor, value)


def copy_whole(tensor: Tensor, value: Tensor) -> None:
    """``value``, whole and on the CPU, into ``tensor``, wherever and however sharded that lies."""
    with torch.no_grad():
        value = value.to(tensor.device, tensor.dtype)
        tensor.copy_(distribute_tensor(value, tensor.device_mesh, tensor.placements) if isinstance(tensor, DTensor) else value)


class _opened:
    """A safetensors file for reading, or AssetError."""

    def __init__(self, file: Path):
        self._file = file

    def __enter__(self) -> Any:
        try:
            self._context = safe_open(self._file, framework="pt")
            return self._context.__enter__()
        except (OSError, SafetensorError) as error:
            raise AssetError("weights that cannot be read", where=str(self._file), hint=str(error)) from error

    def __exit__(self, *details: Any) -> None:
        self._context.__exit__(*details)


def _is(file: Path, told: Mapping[str, Any]) -> bool:
    return file.exists() and file.stat().st_size == told["bytes"] and _digest(file) == told["xxh3_128"]


def _digest(file: Path) -> str:
    digest = xxhash.xxh3_128()
    with file.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
