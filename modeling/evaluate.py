"""An honest evaluation: the model's bits per byte beside a unigram model's and zstd's on the same text, by language and source.

Bits per byte compare models of different tokenizers, and with compressors; loss and perplexity speak of one tokenizer only.

    evaluation = evaluate(Path("build/demo/model"), "build/demo/tokens", Path("build/demo/evaluation"))
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from corpus.errors import InputError
from corpus.storage import json_bytes, locate
from modeling import checkpoint
from modeling.generate import Sampling, generate
from modeling.module import build
from modeling.scoring import chunks, score, summary
from modeling.train import read_manifest
from modeling.transformer import Transformer
from tokenization.shards import TokenFolder, TokenSplit
from tokenization.tokenizer import Tokenizer

FORMAT, EVALUATION = "gristmill evaluation 1", "evaluation.json"
SPLITS = ("validation", "test")
_ZSTD_LEVEL = 19
_READ_TOKENS = 1 << 22
_SAMPLES, _PROMPT_TOKENS, _SAMPLE_TOKENS = 4, 12, 120


def load_model(folder: Path) -> Transformer:
    """The finished model of a folder, on the GPU if there is one, ready to predict."""
    manifest = read_manifest(folder)
    weights = folder / checkpoint.MODEL
    if not weights.is_file() or checkpoint.sha256(weights) != manifest["files"].get(checkpoint.MODEL):
        raise InputError("the weights are not those that the manifest names", where=str(folder / checkpoint.MODEL), hint="train it again")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return build(checkpoint.read_config(folder), 0, weights=folder / checkpoint.MODEL, device=device).eval()


def evaluate(model_folder: Path, tokens: str, output: Path) -> dict[str, Any]:
    """Score validation and test; writes ``evaluation.json`` and returns its content.

    Raises InputError where model and tokens are of different tokenizers, or there is nothing held out.
    """
    manifest = read_manifest(model_folder)
    folder = TokenFolder.open(tokens)
    tokenizer = folder.tokenizer()
    made_with = next(parent["tokenizer"] for parent in manifest["parents"] if "tokenizer" in parent)
    if made_with != tokenizer.digest:
        raise InputError("model and tokens are of different tokenizers", where=f"{model_folder}, {tokens}", hint="encode with the model's")
    splits = {name: folder.split(name) for name in SPLITS if folder.split(name).documents}
    if not splits:
        raise InputError("the tokens hold neither validation nor test documents", where=tokens, hint="curate with a split")
    model = load_model(model_folder)
    costs = unigram_costs(folder.split("train"), tokenizer.vocabulary)
    found = {name: evaluate_split(model, split, tokenizer, costs) for name, split in splits.items()}
    sampling = Sampling(temperature=0.7)
    evaluation = {
        "format": FORMAT,
        "samples": samples(model, next(iter(splits.values())), tokenizer, sampling),
        "sampling": asdict(sampling),
        "parameters": model.config.parameters,
        "splits": found,
        "parents": [{"model": _digest(model_folder)}, {"tokens": folder.digest}],
    }
    output.mkdir(parents=True, exist_ok=True)
    (locate(str(output)) / EVALUATION).write_bytes(json_bytes(evaluation))
    return evaluation


def evaluate_split(model: Transformer, split: TokenSplit, tokenizer: Tokenizer, costs: np.ndarray) -> dict[str, Any]:
    """``scoring.summary`` of the model, with ``unigram`` and ``zstd`` bits per byte in each group."""
    nats = score(model, model.config, split, chunks(split, model.config.context_length))
    result = summary(split, split.documents, nats)
    starts = split.document_starts
    ids = [split.read(begin, end) for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)]
    unigram = summary(split, split.documents, np.array([costs[each[1:]].sum() for each in ids]))
    texts = [tokenizer.decode(each) for each in ids]
    values = {name: [value or "unknown" for value in split.index[name].to_pylist()] for name in ("language", "source")}
    _add(result, unigram, texts)
    for name, groups in values.items():
        for key in result[name]:
            _add(result[name][key], unigram[name][key], [text for text, group in zip(texts, groups, strict=True) if group == key])
    return result


def samples(model: Transformer, split: TokenSplit, tokenizer: Tokenizer, sampling: Sampling) -> list[dict[str, str]]:
    """The first long documents of the split, begun by themselves and gone on with by the model; the first ones where none is long."""
    starts = split.document_starts
    long = np.diff(starts) > model.config.context_length
    made = []
    for start in starts[:-1][long if long.any() else slice(None)][:_SAMPLES].tolist():
        prompt = tokenizer.decode(split.read(start + 1, min(split.tokens, start + 1 + _PROMPT_TOKENS)))
        made.append({"prompt": prompt, "text": "".join(generate(model, tokenizer, prompt, tokens=_SAMPLE_TOKENS, sampling=sampling))})
    return made


def unigram_costs(split: TokenSplit, vocabulary: int) -> np.ndarray:
    """Nats of each id under the frequencies of the training split, each counted once more than it was seen: float64 (vocabulary,)."""
    counts = np.ones(vocabulary)
    for start in range(0, split.tokens, _READ_TOKENS):
        counts += np.bincount(split.read(start, min(split.tokens, start + _READ_TOKENS)), minlength=vocabulary)
    counts[1] = 0  # <s> is never predicted
    with np.errstate(divide="ignore"):
        return -np.log(counts / counts.sum())


def zstd_bits_per_byte(texts: list[str]) -> float:
    """The texts, joined by newlines, in one frame at level 19, without a dictionary."""
    joined = "\n".join(texts).encode()
    packed = pa.Codec("zstd", compression_level=_ZSTD_LEVEL).compress(joined)
    return 8 * len(packed) / max(1, len(joined))


def rows(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The table: a row for each split, then its languages, then its sources where there are several."""
    table = []
    for name, split in ((name, evaluation["splits"][name]) for name in SPLITS if name in evaluation["splits"]):
        table.append({"split": name, "group": "all", **split})
        for kind in ("language", "source"):
            if len(split[kind]) > 1:
                ordered = sorted(split[kind].items(), key=lambda item: -item[1]["bytes"])
                table += [{"split": name, "group": key if kind == "language" else f"{kind} {key}", **values} for key, values in ordered]
    return table


def _add(result: dict[str, Any], unigram: Mapping[str, Any], texts: list[str]) -> None:
    result["unigram_bits_per_byte"] = unigram["bits_per_byte"]
    result["zstd_bits_per_byte"] = zstd_bits_per_byte(texts)


def _digest(folder: Path) -> str:
    return checkpoint.sha256(folder / "manifest.json")
