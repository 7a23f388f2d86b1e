"""A finished model's folder: what is written when the last step is made, and the manifest by which others know it.

made = finish(output, tokens, model, fingerprint, module.final_weights(writes=True), run)
read_manifest(Path("build/demo/model"))["parameters"]
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from corpus.errors import InputError
from corpus.storage import json_bytes
from modeling import checkpoint
from modeling.config import ModelConfig
from modeling.curves import CURVE, VALIDATION, cut, read_rows
from modeling.saving import best as best_checkpoint
from modeling.suspects import STOPPED
from tokenization.shards import TOKENIZER, TokenFolder, TokenSplit
from tokenization.tokenizer import EXPORT_CONFIG, EXPORTED

FORMAT = "gristmill model 1"
MANIFEST, RUN = "manifest.json", "run.json"
BEST = "best"


def finish(
    output: Path, tokens: TokenFolder, model: ModelConfig, fingerprint: Mapping[str, Any],
    weights: Mapping[str, Mapping[str, torch.Tensor]], run: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Write the model, and ``best/`` where a checkpoint was better on validation than the last step; the manifest, last, is returned."""
    (output / STOPPED).unlink(missing_ok=True)
    losses = {row["step"]: row["loss"] for row in read_rows(output / VALIDATION)}
    best = best_checkpoint(output, output / VALIDATION)
    step = best and int(best.name.removeprefix("step-"))
    if best and step and not losses[max(losses)] <= losses[step]:  # which is false of nan, too
        (output / BEST).mkdir(exist_ok=True)
        files = [best / name for name in (checkpoint.MODEL, checkpoint.AVERAGE) if (best / name).exists()]
        checkpoint.save_whole({name: value for file in files for name, value in load_file(file).items()}, output / BEST / checkpoint.MODEL)
        for name in (CURVE, VALIDATION):
            shutil.copyfile(output / name, output / BEST / name)
            cut(output / BEST / name, step)
        _describe(output / BEST, tokens, model, fingerprint, {**run, "best_of": step, "validation_loss": losses[step]})
    for name, tensors in weights.items():
        checkpoint.save_whole(tensors, output / name)
    made = _describe(output, tokens, model, fingerprint, run)
    shutil.rmtree(output / checkpoint.FOLDER, ignore_errors=True)
    return made


def _describe(
    folder: Path, tokens: TokenFolder, model: ModelConfig, fingerprint: Mapping[str, Any], run: Mapping[str, Any]
) -> dict[str, Any]:
    """All that makes a model of the weights that lie in ``folder``; the manifest, which is returned, last."""
    checkpoint.write_config(folder, model)
    shutil.copytree(tokens.path / TOKENIZER, folder / TOKENIZER, dirs_exist_ok=True)
    carried = [name for name in (EXPORTED, EXPORT_CONFIG) if (folder / TOKENIZER / name).exists()]  # a user's own may lack them
    for name in carried:
        shutil.copyfile(folder / TOKENIZER / name, folder / name)
    (folder / RUN).write_bytes(json_bytes(run))
    manifest = {
        "format": FORMAT,
        "fingerprint": dict(fingerprint),
        "parameters": model.parameters,
        "files": {name: checkpoint.sha256(folder / name) for name in (checkpoint.MODEL, checkpoint.CONFIG, *carried[:1])},
        "parents": [{"tokens": tokens.digest}, *tokens.manifest["parents"]],
    }
    (folder / MANIFEST).write_bytes(json_bytes(manifest))
    return manifest


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


def training_split(folder: Path, tokens: str) -> TokenSplit:
    """Of the tokens that the model in ``folder`` was trained on. Raises InputError where those in ``tokens`` are others."""
    opened = TokenFolder.open(tokens)
    if {"tokens": opened.digest} not in read_manifest(folder)["parents"]:
        raise InputError("the model was trained on other tokens", where=str(folder), hint=f"not those in {tokens}")
    return opened.split("train")
