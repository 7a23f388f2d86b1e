"""The training page: curves, evaluation, samples and fertility as one HTML file, in the style of the corpus report.

write_page(Path("build/demo/model"), Path("build/demo/evaluation"), corpus_page="../corpus/report.html")
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from corpus.errors import InputError
from corpus.report import plots
from corpus.report.page import style, template
from corpus.storage import locate
from modeling import checkpoint
from modeling.curves import CURVE, VALIDATION
from modeling.evaluate import EVALUATION, rows
from modeling.evaluation import plots as interval_plots
from modeling.evaluation.texts import ordered
from modeling.finished import RUN, read_manifest
from modeling.run_page import run_curves
from tokenization.shards import TOKENIZER
from tokenization.tokenizer import FERTILITY
from tokenization.tokenizer import read_manifest as read_tokenizer

PAGE = "training.html"


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
        likelihood=likelihood_sections(told, _json(model / RUN)["epochs"]),
        curves=run_curves([row for row in _lines(model / CURVE) if not row.get("skipped")], _lines(model / VALIDATION)),
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


def likelihood_sections(told: Mapping[str, Any], epochs: float) -> Markup:
    """Breakdown, texts, tasks, contamination and memorisation of an evaluation, in this order."""
    name, split = next(reversed(list(told["splits"].items())))
    notes = {
        "length": "By the size of the document.",
        "position": "By a token's place in its document; the first ones have little before them.",
        "language": "As identified.",
        "source": "As the corpus names them.",
    }
    breakdown = [{"kind": kind, "note": note, "rows": _bits(kind, split[kind])} for kind, note in notes.items() if len(split[kind]) > 1]
    page = template("modeling.resources", "likelihood.html.j2").render(
        evaluation=told,
        split=name,
        breakdown=breakdown,
        task_rows=[(row["name"], row["accuracy"], row["interval"], row.get("chance")) for row in told["tasks"]],
        group_rows=lambda task: [(name, row["accuracy"], row["interval"], task.get("chance")) for name, row in task["groups"].items()],
        touched=touched(told),
        epochs=epochs,
        range=_range,
        plots=interval_plots,
    )
    return Markup(page)


def touched(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each set that was looked for in the training text: its counts, and its score with and without what was found."""
    sets = [*((name, "bits_per_byte", each) for name, each in told["splits"].items())]
    sets += [(each["name"], "bits_per_byte", each) for each in told["texts"]]
    sets += [(each["name"], "accuracy", each) for each in told["tasks"]]
    table = []
    for name, score, each in sets:
        if found := each["contamination"]:
            without = {side: found[side][score] for side in ("without_touched", "without_mostly")}
            table.append({**found, "name": name, "score": score.replace("_", " "), "all": each[score], **without})
    return table


def _bits(kind: str, groups: Mapping[str, Mapping[str, Any]]) -> list[interval_plots.Row]:
    return [(name, groups[name]["bits_per_byte"], groups[name]["bits_per_byte_interval"], None) for name in ordered(kind, groups)]


def _range(interval: Sequence[float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


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
