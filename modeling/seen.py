"""From a step back to the documents: which the optimizer saw, in which window, how often until now, and at which address they lay.

All of it is computed from the order; a run writes no list of what it has read.

    documents_of(windows, order, first_step=1199, last_step=1200)       # a row for each piece of a document in those batches
    for rows in seen(windows, order, steps=1200): ...                   # a row for each document, shard by shard
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import manifest
from corpus.errors import InputError
from corpus.storage import Place
from modeling.checkpoint import FOLDER, STATE
from modeling.config import ModelConfig, TrainConfig
from modeling.order import Order
from tokenization.packing import Windows
from tokenization.shards import INDEX, TokenFolder

_BLOCK_WINDOWS = 1 << 16
SEEN = pa.schema([*INDEX, ("targets", pa.int64()), ("times", pa.float64())])


def documents_of(windows: Windows, order: Order, *, first_step: int, last_step: int) -> pa.Table:
    """``step`` (from 1), ``window``, ``targets`` (how many of the document's ids are targets there), and the document's row of the index
    with its ``shard``, for the steps numbered [first_step, last_step) from 0; in the order of the batches."""
    steps, numbers, begins, targets = [], [], [], []
    for step in range(first_step, last_step):
        for number in order.windows_of(step).tolist():
            pieces = windows.pieces(number, number + 1)
            steps += [step + 1] * len(pieces.begins)
            numbers += pieces.windows.tolist()
            begins.append(pieces.begins)
            targets += pieces.targets.tolist()
    rows = windows.split.rows(np.concatenate(begins))
    made = {"step": pa.array(steps, pa.int64()), "window": pa.array(numbers, pa.int64()), "targets": pa.array(targets, pa.int64())}
    return pa.table({**made, **{name: rows[name] for name in rows.column_names}})


def seen(windows: Windows, order: Order, steps: int) -> Iterator[pa.Table]:
    """Every document of the split: :data:`SEEN`, shard by shard. ``targets``: how many of its ids were targets in the first ``steps``
    steps; ``times``: that over how many are in one reading. Holds 8 bytes a window and 24 a document."""
    counts = order.seen(steps)
    starts = windows.split.document_starts
    once, read = (np.zeros(windows.split.documents, np.int64) for _ in range(2))
    for first in range(0, windows.count, _BLOCK_WINDOWS):
        pieces = windows.pieces(first, min(windows.count, first + _BLOCK_WINDOWS))
        documents = np.searchsorted(starts, pieces.begins)
        np.add.at(once, documents, pieces.targets)
        np.add.at(read, documents, pieces.targets * counts[pieces.windows])
    times = read / np.maximum(once, 1)
    first = 0
    for _, index in windows.split.indexes():
        stop = first + index.num_rows
        yield pa.table({**{name: index[name] for name in INDEX.names}, "targets": read[first:stop], "times": times[first:stop]}, SEEN)
        first = stop


def by_source(tables: Iterator[pa.Table], output: pq.ParquetWriter | None = None) -> list[dict[str, Any]]:
    """What :func:`seen` tells, counted by source, in the order of their names; each table goes to ``output`` too."""
    counted: dict[str, np.ndarray] = {}
    for table in tables:
        if output:
            output.write_table(table)
        encoded = table["source"].combine_chunks().fill_null("unknown").dictionary_encode()
        codes = encoded.indices.to_numpy()
        targets, tokens = table["targets"].to_numpy(), table["tokens"].to_numpy()
        for code, name in enumerate(encoded.dictionary.to_pylist()):
            mine = codes == code
            figures = (mine.sum(), (targets[mine] > 0).sum(), tokens[mine].sum(), targets[mine].sum())
            counted[name] = counted.get(name, np.zeros(4, np.int64)) + np.array(figures, np.int64)
    names = ("documents", "seen", "tokens", "targets")
    return [{"source": name, **dict(zip(names, counted[name].tolist(), strict=True))} for name in sorted(counted)]


def with_urls(rows: pa.Table, tokens: TokenFolder, corpus: Place) -> pa.Table:
    """``rows`` (``id``, ``shard``) with ``url``, from the corpus that the tokens were made from: only the shards that are named are read.

    Raises InputError where it is another corpus.
    """
    manifest.read(corpus)
    if hashlib.sha256((corpus / manifest.NAME).read_bytes()).hexdigest() != tokens.manifest["fingerprint"]["corpus"]:
        raise InputError("the tokens were made from another corpus", where=corpus.uri, hint=f"see {tokens.path}")
    urls: dict[str, str | None] = {}
    for shard in sorted(set(rows["shard"].to_pylist())):
        wanted = sorted({name for name, place in zip(rows["id"].to_pylist(), rows["shard"].to_pylist(), strict=True) if place == shard})
        with (corpus / "documents" / f"{shard}.parquet").open() as stream:
            found = pq.read_table(stream, columns=["id", "url"], filters=[("id", "in", wanted)])
        urls.update(zip(found["id"].to_pylist(), found["url"].to_pylist(), strict=True))
    return rows.append_column("url", pa.array([urls.get(name) for name in rows["id"].to_pylist()], pa.string()))


def settings_of(folder: Path, tokens: TokenFolder) -> tuple[ModelConfig, TrainConfig]:
    """What a finished or unfinished run was begun with. Raises InputError where there is none, or it was trained on other tokens."""
    files = [folder / "manifest.json", *sorted(folder.glob(f"{FOLDER}/step-*/{STATE}"), reverse=True)]
    there = [file for file in files if file.exists()]
    if not there:
        raise InputError("this is no model, and no unfinished run with a checkpoint", where=str(folder), hint="give --preset and --set")
    try:
        fingerprint = json.loads(there[0].read_bytes())["fingerprint"]
        made = ModelConfig(**fingerprint["model"]), TrainConfig(**fingerprint["train"], micro_batch_windows=1)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "the run's settings cannot be read by this version", where=str(there[0]), hint="give --preset and --set"
        ) from error
    if fingerprint["tokens"] != tokens.digest:
        raise InputError("the model was trained on other tokens", where=str(folder), hint=f"not those in {tokens.path}")
    return made
