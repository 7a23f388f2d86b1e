"""The training page: curves, evaluation, samples and fertility as one HTML file, in the style of the corpus report.

write_page(Path("build/demo/model"), Path("build/demo/evaluation"), corpus_page="../corpus/report.html")
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from corpus.errors import InputError
from corpus.report import plots
from corpus.report.page import style, template
from corpus.storage import locate
from modeling import checkpoint
from modeling.evaluate import EVALUATION, rows
from modeling.recorder import CURVE, VALIDATION
from modeling.train import RUN, read_manifest
from tokenization.shards import TOKENIZER
from tokenization.tokenizer import FERTILITY
from tokenization.tokenizer import read_manifest as read_tokenizer

PAGE = "training.html"
_POINTS = 300  # of a curve: more than a page has pixels for would only weigh


def write_page(model: Path, evaluation: Path, *, corpus_page: str | None = None) -> Path:
    """``training.html`` in the folder of the evaluation; returns where it lies."""
    manifest = read_manifest(model)
    told = _json(evaluation / EVALUATION)
    table = rows(told)
    tokenizer = read_tokenizer(model / TOKENIZER)
    page = template("modeling.resources", "training.html.j2").render(
        evaluation=told,
        headline=next(row for row in reversed(table) if row["group"] == "all"),
        rows=table,
        curves=curves(_lines(model / CURVE), _lines(model / VALIDATION)),
        fertility=_json(model / TOKENIZER / FERTILITY) if "sample" in tokenizer else [],  # a user's own was measured by nobody
        tokenizer=tokenizer,
        model=asdict(checkpoint.read_config(model)),
        train=manifest["fingerprint"]["train"],
        run=_json(model / RUN),
        settings=yaml.safe_dump({name: manifest["fingerprint"][name] for name in ("model", "train")}, sort_keys=False),
        corpus_page=corpus_page,
        plots=plots,
        style=style(),
    )
    place = evaluation / PAGE
    locate(str(place)).write_bytes(page.encode())
    return place


def curves(steps: list[dict[str, Any]], validations: list[dict[str, Any]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Series of points (step, value) for the four plots; long curves thinned to means."""
    loss = {"train": _thinned([(row["step"], row["loss"]) for row in steps])}
    if validations:
        loss["validation"] = [(row["step"], row["loss"]) for row in validations]
    groups = {
        kind: {name: [(row["step"], row[kind][name]["bits_per_byte"]) for row in validations] for name in validations[-1][kind]}
        for kind in ("source", "language")
    }
    return {"loss": loss, **groups, "gradient": {"norm": _thinned([(row["step"], row["gradient_norm"]) for row in steps])}}


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    size = -(-len(points) // _POINTS)
    groups = [points[at : at + size] for at in range(0, len(points), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def _lines(file: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in file.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise InputError("the model lacks its curve", where=str(file), hint="train it again") from error


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            "a file of the model or its evaluation cannot be read", where=str(file), hint="run `gristmill evaluate` again"
        ) from error
