"""Checkpoints: weights and optimizer state in safetensors, plain JSON beside them; nothing pickled, nothing that names a process.

    checkpoints/step-00000250/
      model.safetensors        all parameters, whole, under the names that `transformers` uses for Llama
      optimizer.safetensors    what the optimizer knows of each parameter: exp_avg.NAME, exp_avg_sq.NAME, …
      state.json               step, fingerprint of the run, size and digest of each file; written last: its existence means whole

Tensors are gathered one at a time and written by the first process, so that a run may go on with any number of processes, sharded or not.

    save(folder, step, fingerprint, model, optimizer, writes=rank == 0)
    found = latest(Path("build/demo/model"))
"""

import hashlib
import json
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
CONFIG = "config.json"
_KEPT = 2  # a crash while the last is written leaves the one before


@final
@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint: ``step`` optimizer steps were made."""

    folder: Path
    step: int
    fingerprint: Mapping[str, Any]


def save(
    root: Path, step: int, fingerprint: Mapping[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer, *, writes: bool
) -> None:
    """Every process calls this (gathering is collective); the one that ``writes`` writes, and drops checkpoints before the last two."""
    folder = root / FOLDER / f"step-{step:08d}"
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    weights = gathered(model, writes=writes)
    moments = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            for moment, value in optimizer.state[parameter].items():
                if moment != "step" and (whole := _whole(value, writes=writes)):
                    moments[f"{moment}.{exported_name(names[id(parameter)])}"] = whole[0]
    if not writes:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_whole(weights, folder / MODEL)
    save_file(moments, folder / OPTIMIZER)
    files = {name: {"bytes": (folder / name).stat().st_size, "xxh3_128": _digest(folder / name)} for name in (MODEL, OPTIMIZER)}
    (folder / f"{STATE}.tmp").write_bytes(json_bytes({"step": step, "fingerprint": dict(fingerprint), "files": files}))
    (folder / f"{STATE}.tmp").rename(folder / STATE)
    for old in sorted(root.glob(f"{FOLDER}/step-*"))[:-_KEPT]:
        shutil.rmtree(old)


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
    """The last whole checkpoint of a run. Raises AssetError where its files are not what its state says."""
    states = sorted(root.glob(f"{FOLDER}/step-*/{STATE}"))
    if not states:
        return None
    folder = states[-1].parent
    try:
        state = json.loads(states[-1].read_bytes())
        for name, told in state["files"].items():
            if (folder / name).stat().st_size != told["bytes"] or _digest(folder / name) != told["xxh3_128"]:
                raise AssetError(
                    "the checkpoint is damaged", where=str(folder / name), hint=f"remove {folder} to go on from the one before"
                )
        return Checkpoint(folder, state["step"], state["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AssetError("the checkpoint is damaged", where=str(folder), hint="remove it to go on from the one before") from error


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
                state: dict[str, Tensor] = {"step": torch.tensor(float(checkpoint.step))}
                for moment in stored.get(name, ()):
                    value = tensors.get_tensor(f"{moment}.{name}")
                    state[moment] = torch.zeros_like(parameter) if value.shape == parameter.shape else value.to(parameter.device)
                    _fill(state[moment], tensors, f"{moment}.{name}", file)
                if len(state) == 1:
                    raise AssetError("the optimizer's state is not that of this model", where=f"{file}, {name}")
                optimizer.state[parameter] = state


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


def _digest(file: Path) -> str:
    digest = xxhash.xxh3_128()
    with file.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
