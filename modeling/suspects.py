"""From a step that went wrong to the documents of its batch: ``stopped.json`` for a run that ended there, ``run.json`` for one that
skipped it. Addresses need the corpus: ``gristmill batches TOKENS --model MODEL --step STEP --corpus CORPUS`` prints them.

    raise blame(output, tokens, NotFinite(37, "the loss is nan at step 37"), windows, order)
    skipped_steps(rows, windows, order)         # [{"step": 37, "skipped": "loss", "documents": [...], …}, …]
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from corpus.errors import GristmillError
from corpus.storage import json_bytes
from modeling import checkpoint
from modeling.guard import NotFinite, Stopped
from modeling.order import Order
from modeling.seen import documents_of
from tokenization.packing import Windows
from tokenization.shards import TokenFolder

STOPPED = "stopped.json"
_NAMED = 5  # documents in the error's line; all are in the file
_LISTED = 50  # documents of a skipped step in run.json


class TrainingStopped(GristmillError):
    """A run cannot go on: what its steps give is no number, or nothing but spikes."""


def documents(windows: Windows, order: Order, step: int) -> list[dict[str, Any]]:
    """The documents in the batch of ``step`` (from 1), each once, in its order: ``id``, ``source``, ``shard``, ``windows``."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in documents_of(windows, order, first_step=step - 1, last_step=step).to_pylist():
        mine = {"id": row["id"], "source": row["source"], "shard": row["shard"], "windows": []}
        found.setdefault((row["shard"], row["id"]), mine)["windows"].append(row["window"])
    return list(found.values())


def blame(output: Path, tokens: TokenFolder, stopped: Stopped, windows: Windows, order: Order, *, reduced: bool = False) -> TrainingStopped:
    """Write ``stopped.json`` and return the error to raise. ``reduced``: it was computed in less than float32."""
    listed = documents(windows, order, stopped.step)
    told = {"step": stopped.step, "what": stopped.what, "tokens": str(tokens.path), "documents": listed}
    (output / STOPPED).write_bytes(json_bytes(told))
    last = checkpoint.latest(output)
    some = ", ".join(each["id"] for each in listed[:_NAMED]) + (", …" if len(listed) > _NAMED else "")
    step = f"--step {stopped.step}"
    look = f"`gristmill batches {tokens.path} --model {output} {step} --corpus CORPUS` prints their addresses; " if last else ""
    kept = f"{last.folder.name}, the last checkpoint, is from before it" if last else "no checkpoint was written yet"
    mend = "--overwrite begins anew, with a lower train.learning_rate" + (
        "" if isinstance(stopped, NotFinite) else " or a higher train.spike_deviations"
    )
    if reduced:
        mend = f"the same command with --precision 32-true goes on from there, {mend}"
    return TrainingStopped(
        f"{stopped.what}, in a batch of {len(listed):,} documents: {some}", where=str(output / STOPPED), hint=f"{look}{kept}; {mend}"
    )


def skipped_steps(rows: Iterable[Mapping[str, Any]], windows: Windows, order: Order) -> list[dict[str, Any]]:
    """What ``run.json`` tells of the steps that the curve's rows say were skipped."""
    found = []
    for row in rows:
        if row.get("skipped"):
            listed = documents(windows, order, row["step"])
            told = {name: row[name] for name in ("step", "skipped", "loss", "gradient_norm", "batch")}
            found.append({**told, "documents_in_batch": len(listed), "documents": listed[:_LISTED]})
    return found
