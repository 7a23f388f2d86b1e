"""``ablation.html``: the verdict in words first, then what it rests on; one file, no script, light and dark.

write_page(folder)
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from corpus.errors import InputError
from corpus.report.page import style, template
from corpus.storage import locate
from modeling.ablation import plots
from modeling.ablation.design import NULL, POSITIVE
from modeling.ablation.outcome import PRIMARY, RESULT

PAGE, RUN = "ablation.html", "run.json"


def write_page(folder: Path) -> Path:
    """Of a finished ablation; returns where it lies."""
    result, run = _json(folder / RESULT), _json(folder / RUN)
    page = template("modeling.resources", "ablation.html.j2").render(
        result=result,
        run=run,
        design=result["design"],
        texts=[name for name, facts in result["sets"].items() if not facts["task"]],
        tasks=[name for name, facts in result["sets"].items() if facts["task"]],
        curves=curves(result),
        draws=draws(result),
        settings=yaml.safe_dump(
            {name: result["design"][name] for name in ("model", "train", "arms", "tokenizer", "held_out")}, sort_keys=False
        ),
        controls=(NULL, POSITIVE),
        plots=plots,
        style=style(),
    )
    locate(str(folder / PAGE)).write_bytes(page.encode())
    return folder / PAGE


def curves(result: Mapping[str, Any]) -> dict[str, dict[str, list[list[tuple[float, float]]]]]:
    """Plot -> arm -> a line for each seed, of (tokens, bits per byte); the primary outcome first, step 0 left out."""
    batch = result["design"]["train"]["global_batch_tokens"]
    found: dict[str, dict[str, list[list[tuple[float, float]]]]] = {}
    for each in result["curves"]:
        lines = {name: [(step * batch, value) for step, value in line if step] for name, line in each["sets"].items()}
        mean = [(points[0][0], sum(value for _, value in points) / len(points)) for points in zip(*lines.values(), strict=True)]
        for name, line in {PRIMARY: mean, **(lines if len(lines) > 1 else {})}.items():
            found.setdefault(name, {}).setdefault(each["arm"], []).append(line)
    return found


def draws(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each arm: what its runs read and what was left out, summed over seeds."""
    table: dict[str, dict[str, Any]] = {}
    for each in result["draws"]:
        row = table.setdefault(each["arm"], {"arm": each["arm"], "epochs": 0.0})
        row["epochs"] = max(row["epochs"], each["epochs"])
        for name in ("read", "same_id", "same_text", "near_text", "documents", "tokens"):
            row[name] = row.get(name, 0) + each[name]
    return list(table.values())


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError("the ablation is not finished", where=str(file), hint="the same command goes on with it") from error
