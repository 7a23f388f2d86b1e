"""Samples from model folders: each continues each prompt, with the same seed; a file for `gristmill judge`.

sample([Path("a"), Path("b")], Path("prompts.txt"), Path("samples.jsonl"), tokens=120)
"""

import json
from collections.abc import Sequence
from pathlib import Path

from corpus.errors import InputError, OutputError
from corpus.storage import locate
from modeling.evaluate import load_model
from modeling.generate import Sampling, generate
from tokenization.shards import TOKENIZER
from tokenization.tokenizer import carried

_TEMPERATURE = 0.7  # that of the samples of `gristmill evaluate`


def sample(models: Sequence[Path], prompts: Path, output: Path, *, tokens: int) -> int:
    """Write a line for each model and each line of ``prompts``; returns how many. A system's name is its folder as given."""
    try:
        lines = [line for line in prompts.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError("cannot read the prompts", where=str(prompts), hint="a text file in UTF-8, a prompt a line") from error
    if not lines:
        raise InputError("no prompts", where=str(prompts), hint="a prompt a line")
    rows = []
    for folder in models:
        model, tokenizer = load_model(folder), carried(folder / TOKENIZER)
        for prompt in dict.fromkeys(lines):
            text = "".join(generate(model, tokenizer, prompt, tokens=tokens, sampling=Sampling(temperature=_TEMPERATURE)))
            rows.append({"system": str(folder), "prompt": prompt, "text": text})
    try:
        locate(str(output)).write_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    except OSError as error:
        raise OutputError("cannot write the samples", where=str(output), hint=str(error)) from error
    return len(rows)
