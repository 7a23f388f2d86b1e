"""Judges the documents of a stored shard anew, in a task, and leaves the files that the fused pass would have left.

A shard of ``documents/`` is a task; so is a shard of ``ledger/``, for its rows that were rejected: their faults are in the ledger,
their text and signals in ``rejected/``, if they had a text. Faults by any step whose thresholds did not move stay as they are.

    outcome = rejudge_shard(Stored(corpus, recipe, (8,), ("00000.parquet",)), "documents", "00000.parquet", folder)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import document
from corpus.dedup.signature import TextDigest
from corpus.errors import InputError
from corpus.fused import DONE, SplitOutcome, SplitWriter, peak_memory_bytes
from corpus.publish import DOCUMENTS, LEDGER, REJECTED
from corpus.recipe import Recipe
from corpus.step import judge, step_name
from corpus.storage import Place

_CARRIED_ROWS = 10_000  # of the ledger, without text: about 5 MB


@final
@dataclass(frozen=True)
class Stored:
    """A finished corpus, what to make of it, which of its document steps judge anew, and the shards of its rejected documents."""

    corpus: Place
    recipe: Recipe
    moved: tuple[int, ...]
    rejected: tuple[str, ...]


def rejudge_shard(stored: Stored, name: str, file: str, folder: Place) -> SplitOutcome:
    """Read, judge and write one shard of ``documents`` or ``ledger`` into ``folder``; ``done.json`` last."""
    batches = _kept(stored, file) if name == DOCUMENTS else _rejected(stored, file)
    with SplitWriter(stored.recipe, folder) as writer:
        for batch in batches:
            if batch.num_rows:
                writer.write(batch)
    outcome = SplitOutcome(writer.documents, {}, 0, (), 0, 0, None, None, {}, peak_memory_bytes(), writer.sizes())
    (folder / DONE).write_bytes(outcome.to_json().encode())
    return outcome


def judge_anew(batch: pa.RecordBatch, stored: Stored) -> pa.RecordBatch:
    """Working batch with text and signals, ``failed`` as it was -> as the rules of today have it, in the order of the steps."""
    steps = stored.recipe.steps
    place_of = {step_name(type(step)): at for at, step in enumerate(steps)}  # a source has none: its faults come first
    faults = batch["failed"].to_pylist()
    faultless = document.with_column(batch, "failed", [[]] * batch.num_rows)
    for at in stored.moved:
        judged = judge(faultless, step_name(type(steps[at])), steps[at].rules())["failed"].to_pylist()
        faults = [
            [fault for fault in row if place_of.get(fault["step"], -1) < at]
            + anew
            + [fault for fault in row if place_of.get(fault["step"], -1) > at]
            for row, anew in zip(faults, judged, strict=True)
        ]
    return document.with_column(batch, "failed", [_seen(row, stored.recipe) for row in faults])


def _seen(faults: list[Any], recipe: Recipe) -> list[Any]:
    """Without ``keep_rejected`` a document leaves after the step that rejects it, and nobody sees what it would have failed later."""
    return faults if recipe.output.keep_rejected else [fault for fault in faults if fault["step"] == faults[0]["step"]]


def _without_text(faults: list[Any], stored: Stored, identity: str) -> list[Any]:
    """The faults of a document whose text is not stored: it left before the first step that judges anew, or in it by the rule that was
    tightened (``refilter`` lets nothing else through).
    """
    steps = stored.recipe.steps
    first = stored.moved[0] if stored.moved else len(steps)
    place_of = {step_name(type(step)): at for at, step in enumerate(steps)}
    at = place_of.get(faults[0]["step"], -1) if faults else len(steps)
    if at > first or not faults or (at == first and stored.rejected):
        raise InputError("the ledger names a rejected document whose text is missing", where=f"{stored.corpus.uri}: {identity}")
    thresholds = {rule.reason.code: rule.threshold for rule in steps[first].rules()} if at == first else {}
    return [{**fault, "threshold": thresholds.get(fault["reason"], fault["threshold"])} for fault in _seen(faults, stored.recipe)]


def _kept(stored: Stored, file: str) -> Iterator[pa.RecordBatch]:
    for rows in _row_groups(stored.corpus / DOCUMENTS / file):
        yield judge_anew(_working(rows, stored.recipe, [[]] * rows.num_rows), stored)


def _rejected(stored: Stored, file: str) -> Iterator[pa.RecordBatch]:
    """The rows of a ledger shard that were rejected: those with a stored text first, then the others."""
    columns = ["id", "url", "origin", "outcome", "failed"]
    whole = [rows.filter(pc.not_equal(rows["outcome"], document.KEPT)) for rows in _row_groups(stored.corpus / LEDGER / file, columns)]
    if not whole:
        return
    ledger = pa.concat_batches(whole)
    missing = np.ones(ledger.num_rows, dtype=bool)
    if ledger.num_rows:
        keys, bounds = _keys(ledger), pc.min_max(ledger["id"]).as_py()
        for name in stored.rejected:
            for rows in _row_groups(stored.corpus / REJECTED / name, between=(bounds["min"], bounds["max"])):
                at = pc.index_in(_keys(rows), keys)
                rows, at = rows.filter(pc.is_valid(at)), pc.drop_null(at)
                missing[at.to_numpy()] = False
                yield judge_anew(_working(rows, stored.recipe, ledger["failed"].take(at)), stored)
    rest = ledger.filter(pa.array(missing))
    for start in range(0, rest.num_rows, _CARRIED_ROWS):
        rows = rest.slice(start, _CARRIED_ROWS)
        ids = rows["id"].to_pylist()
        faults = [_without_text(row, stored, identity) for row, identity in zip(rows["failed"].to_pylist(), ids, strict=True)]
        yield document.new_batch(id=rows["id"], url=rows["url"], origin=rows["origin"], failed=faults)


def _working(rows: pa.RecordBatch, recipe: Recipe, failed: Any) -> pa.RecordBatch:
    """Stored documents -> the batch that they were when they left the fused pass."""
    columns = {name: rows[name].cast(kind) for name, kind in document.WORKING.items() if name in rows.schema.names}
    batch = document.new_batch(**columns, failed=failed)
    for field in rows.schema.field("signals").type:
        batch = document.with_column(batch, document.SIGNAL + field.name, pc.struct_field(rows["signals"], field.name))
    for step in recipe.steps:
        if isinstance(step, TextDigest):  # the one value that later stages need and no shard holds
            batch = step(batch)
    return batch


def _keys(rows: pa.RecordBatch) -> pa.Array:
    """What tells a row from all others: id and origin."""
    parts = [pc.struct_field(rows["origin"], name).cast(pa.string()) for name in ("input", "file", "offset", "record_id")]
    return pc.binary_join_element_wise(rows["id"], *parts, "\0", null_handling="replace", null_replacement="")


def _row_groups(place: Place, columns: list[str] | None = None, between: tuple[str, str] | None = None) -> Iterator[pa.RecordBatch]:
    """The row groups of a shard, of at most 8 MiB each; ``between``: only those that may hold an id in these bounds."""
    try:
        with place.open() as stream:
            file = pq.ParquetFile(stream)
            for number in range(file.num_row_groups):
                told = file.metadata.row_group(number).column(0).statistics
                if between and told and told.has_min_max and (told.max < between[0] or told.min > between[1]):
                    continue
                yield from file.read_row_group(number, columns).combine_chunks().to_batches()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError("cannot read the shard", where=place.uri, hint=str(error).partition("\n")[0]) from error
