"""A trained model as a plain folder of `transformers`, and such a folder read back.

    export(Path("build/demo/model"), Path("plain"))                      # AutoModelForCausalLM.from_pretrained("plain")
    config = read_huggingface(Path("Qwen3-0.6B-Base"))
    model = build(config, seed=0, weights=Path("Qwen3-0.6B-Base"))       # load_huggingface, for each weight by its name

Names and shapes are the same on both sides: nothing is turned or merged.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from corpus.errors import AssetError, OutputError
from corpus.storage import json_bytes
from modeling.architectures import as_huggingface, from_huggingface
from modeling.checkpoint import CONFIG, MODEL, copy_whole, exported_name, read_config, save_whole
from modeling.config import ModelConfig, SettingError
from tokenization.tokenizer import EXPORT_CONFIG, EXPORTED

INDEX = "model.safetensors.index.json"
_MTP = "model.mtp."
_OVERLOOKED = (".rotary_emb.inv_freq",)  # computed; older folders store it


def export(model: Path, output: Path, *, drop_mtp: bool = False) -> str:
    """Write config, weights and tokenizer of a finished model; the architecture's name. ``drop_mtp``: leave out the heads that look
    further ahead, which change no logits.

    Raises SettingError naming the field that `transformers` has no model for, AssetError, OutputError.
    """
    config = read_config(model)
    told = as_huggingface(config)
    if config.mtp_heads and not drop_mtp:
        raise SettingError(f"{told['model_type']} has no heads that look further ahead", where="model.mtp_heads", hint="--drop-mtp")
    if output.exists() and any(output.iterdir()):
        raise OutputError("the output folder is not empty", where=str(output), hint="choose another")
    with _opened(model / MODEL) as stored:
        weights = {name: stored.get_tensor(name) for name in stored.keys() if not name.startswith(_MTP)}  # noqa: SIM118
    output.mkdir(parents=True, exist_ok=True)
    save_whole(weights, output / MODEL)
    for name in (EXPORTED, EXPORT_CONFIG):
        if (model / name).exists():
            shutil.copyfile(model / name, output / name)
    (output / CONFIG).write_bytes(json_bytes(told))  # last: a folder without it is loaded by nobody
    return str(told["architectures"][0])


def read_huggingface(folder: Path) -> ModelConfig:
    """The model in a plain folder. Raises AssetError where there is none, SettingError naming the field that ours cannot be."""
    try:
        told = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError) as error:
        raise AssetError("there is no readable config.json", where=str(folder), hint=str(error)) from error
    return from_huggingface(told)


def load_huggingface(model: nn.Module, folder: Path) -> list[str]:
    """Weights by name, from one file or the many of an index, into a model on any device, sharded or not; a weight at a time.

    Returns the parameters that such a folder may lack: those of multi-token prediction. Raises AssetError naming what is missing, of
    another shape, or has no place here.
    """
    files = _files(folder)
    wanted = {exported_name(name): tensor for name, tensor in model.state_dict().items()}
    lacking = [name for name in wanted if name not in files]
    if strange := [name for name in lacking if not name.startswith(_MTP)]:
        raise AssetError("a weight of the model is not there", where=f"{folder}, {strange[0]}")
    placeless = [name for name in files if name not in wanted and not name.endswith(_OVERLOOKED) and name != "lm_head.weight"]
    if placeless:
        raise AssetError("a weight has no place in this model", where=f"{folder}, {placeless[0]}")
    for file in sorted(set(files.values())):
        with _opened(folder / file) as stored:
            for name in (name for name in wanted if files.get(name) == file):
                _fill(wanted[name], stored, name, folder / file)
    return [name.removeprefix("model.") for name in lacking]


def _fill(tensor: Any, stored: Any, name: str, file: Path) -> None:
    try:
        value = stored.get_tensor(name)
    except SafetensorError as error:
        raise AssetError("a weight that the index names is not there", where=f"{file}, {name}") from error
    if value.shape != tensor.shape:
        told = f"{tuple(value.shape)}, not {tuple(tensor.shape)}"
        raise AssetError("a weight has another shape than config.json says", where=f"{file}, {name}", hint=told)
    copy_whole(tensor, value)


def _files(folder: Path) -> Mapping[str, str]:
    """Name of a weight -> the file that holds it."""
    if (folder / INDEX).exists():
        try:
            return dict(json.loads((folder / INDEX).read_bytes())["weight_map"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AssetError("an index that cannot be read", where=str(folder / INDEX), hint=str(error)) from error
    with _opened(folder / MODEL) as stored:
        return dict.fromkeys(stored.keys(), MODEL)


def _opened(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt")
    except (OSError, SafetensorError) as error:
        raise AssetError("weights that cannot be read", where=str(file), hint=str(error)) from error
