"""The fused pass as a task runs it: one split from bytes to signals, written to the work folder.

Nothing but a few numbers goes back through Spark: documents, ledger rows and metrics of a split are files in a folder of its
own, and ``done.json``, written last, says that they are whole. A killed run goes on from the splits that are done.

    outcome = run_split(split, recipe, Place("/tmp/work/fused/00000-0000"))

A parser written in C may take the process with it. Then the task is tried again, as Spark does, and this time ``careful``: it is read in a
child process (``sources.careful``), and every batch goes through the steps in one; where that dies, half of the batch, down to the record,
which alone is lost (``extract:crashed``). A task that is tried for the first time pays nothing for it.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Self, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import document
from corpus.pii.redact import redact_url
from corpus.recipe import Recipe
from corpus.report.metrics import Metrics
from corpus.sources.careful import CRASHES, read_carefully
from corpus.sources.source import ReadLog, Split
from corpus.step import FusedPass, Reason, reject, rejected, signal_types
from corpus.storage import Place

DOCUMENTS, LEDGER, METRICS, DONE = "documents.parquet", "ledger.parquet", "metrics.json", "done.json"
SITE_RULES = "site_rules"  # a transient column of sources, on the ledger table where a corpus step reads it
CRASHED = Reason("extract:crashed", "a parser crashed on the document, and took its process with it")
_KEPT_DAMAGES = 1000  # per split, with file and offset; beyond that only counted: 1,000 holes in 128 MB is no archive any more


@final
@dataclass(frozen=True)
class SplitOutcome:
    """What a task says of its split. ``first`` and ``next`` as in ReadLog; ``seconds`` by step; memory of the worker at its peak."""

    documents: int
    records: Mapping[str, int]
    read_bytes: int
    damages: tuple[Mapping[str, Any], ...]
    damages_count: int
    lost_bytes: int
    first: int | None
    next: int | None
    seconds: Mapping[str, float]
    peak_memory_bytes: int
    files: Mapping[str, int] = field(default_factory=dict)  # bytes of what was written, by name: what is shorter is not whole

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        values = json.loads(text)
        return cls(**{**values, "damages": tuple(values["damages"])})


@final
class SplitWriter:
    """Writes batches that have left the fused pass into the folder of their split: documents, ledger rows and metrics, whole or not at all.

    with SplitWriter(recipe, folder) as writer:
        writer.write(batch)
    """

    def __init__(self, recipe: Recipe, folder: Place):
        self.documents = 0
        self._folder, self._keep_rejected, self._signals = folder, recipe.output.keep_rejected, signal_types(recipe.steps)
        self._metrics = Metrics(self._signals)
        self._schema, self._ledger_schema = work_schema(self._signals), pa.schema([*document.LEDGER, *document.FACTS])
        self._keeps_site_rules = any(SITE_RULES in step.reads for step in recipe.corpus)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._folder.make_folder()
        with ExitStack() as stack:
            files = [stack.enter_context((self._folder / name).replace()) for name in (DOCUMENTS, LEDGER)]
            self._texts, self._ledger = (
                stack.enter_context(pq.ParquetWriter(file, schema, compression="zstd", compression_level=1))
                for file, schema in zip(files, (self._schema, self._ledger_schema), strict=True)
            )
            self._stack = stack.pop_all()
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Columns of ``document.WORKING`` and flat ``signals.*``; others are left out."""
        site_rules = batch[SITE_RULES] if self._keeps_site_rules and SITE_RULES in batch.schema.names else None
        batch = _conform(batch, self._signals)
        self.documents += batch.num_rows
        self._metrics.observe_read(batch)
        self._ledger.write_batch(_ledger_rows(batch, site_rules, self._ledger_schema))
        written = _documents(batch, self._schema, self._keep_rejected)
        if written.num_rows:
            self._texts.write_batch(written)

    def sizes(self) -> dict[str, int]:
        """Bytes of each file, once they are written."""
        return {name: (self._folder / name).info().size for name in (DOCUMENTS, LEDGER, METRICS)}

    def __exit__(self, *failure: Any) -> None:
        self._stack.__exit__(*failure)
        if failure[0] is None:
            (self._folder / METRICS).write_bytes(json.dumps(self._metrics.to_json(), sort_keys=True).encode())


def run_split(split: Split, recipe: Recipe, folder: Place, *, careful: bool = False) -> SplitOutcome:
    """Read, process and write one split into ``folder``; ``done.json`` last. ``careful``: in child processes."""
    fused = FusedPass(recipe.steps, recipe.output.keep_rejected)
    log = ReadLog()
    with SplitWriter(recipe, folder) as writer:
        source = recipe.sources[split.source]
        for read in read_carefully(source, split, log) if careful else source.read(split, log):
            for batch in carefully(fused, read) if careful else fused(read):
                writer.write(batch)
    outcome = SplitOutcome(
        documents=writer.documents,
        records=dict(log.records),
        read_bytes=log.read_bytes,
        damages=tuple({**asdict(damage), "input": split.file.input} for damage in log.damages[:_KEPT_DAMAGES]),
        damages_count=len(log.damages),
        lost_bytes=sum(damage.lost_bytes for damage in log.damages),
        first=log.first,
        next=log.next,
        seconds=fused.seconds,
        peak_memory_bytes=peak_memory_bytes(),
        files=writer.sizes(),
    )
    (folder / DONE).write_bytes(outcome.to_json().encode())
    return outcome


def carefully(fused: FusedPass, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """``fused(batch)`` in a child process; rows that crash it come out as rejected, with no more than what the source says of them."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1  # an error of Python's: it is raised again below, in the parent
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as stream:
                for done in fused(batch):
                    with pa.ipc.new_stream(stream, done.schema) as messages:
                        messages.write_batch(done)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        sent = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        source = pa.BufferReader(sent)
        while source.tell() < len(sent):
            yield from pa.ipc.open_stream(source)
    elif -status not in CRASHES:
        yield from fused(batch)
    elif batch.num_rows > 1:
        half = batch.num_rows // 2
        yield from carefully(fused, batch.slice(0, half))
        yield from carefully(fused, batch.slice(half))
    else:
        bare = document.with_column(document.with_text(batch, [None]), "title", [None])  # not redacted: it must not be written anywhere
        yield reject(bare, "fused_pass", CRASHED, np.array([True]))


def work_schema(signals: Mapping[str, pa.DataType]) -> pa.Schema:
    """Documents between the fused pass and the shards: those of the corpus but for what the set steps will say of them."""
    return pa.schema([field for field in document.schema(signals) if field.name not in document.DECIDED])


def peak_memory_bytes() -> int:
    """The most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def merge_metrics(paths: Iterator[str], signals: Mapping[str, pa.DataType]) -> Metrics:
    """The sum of the metrics files."""
    total = Metrics(signals)
    for path in paths:
        total.merge(Metrics.from_json(json.loads(Place(path).read_bytes()), signals))
    return total


def _conform(batch: pa.RecordBatch, signals: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    """All signals of the recipe: null where the document left the road before they were measured. Transient columns go."""
    for name, kind in signals.items():
        if document.SIGNAL + name not in batch.schema.names:
            batch = document.with_column(batch, document.SIGNAL + name, pa.nulls(batch.num_rows, kind))
    return batch.select([*document.WORKING, *(document.SIGNAL + name for name in signals)])


def _ledger_rows(batch: pa.RecordBatch, site_rules: pa.Array | None, schema: pa.Schema) -> pa.RecordBatch:
    """One row a document; ``outcome`` stays null for those that go on to the set steps. No URL leaves unredacted."""
    first = pc.list_element(batch["failed"].filter(pa.array(rejected(batch))), 0)
    position = pc.subtract(pc.cumulative_sum(pa.array(rejected(batch)).cast(pa.int64())), 1)
    position = pc.if_else(pa.array(rejected(batch)), position, None)
    columns = {
        name: batch[name] for name in ("id", "origin", "failed", "source", "collection", "date", "language", "text_digest", "signature")
    }
    for name, member in (("outcome", "reason"), ("step", "step"), ("value", "value"), ("threshold", "threshold")):
        columns[name] = pc.struct_field(first, member).take(position)
    columns["url"] = pa.array([None if url is None else redact_url(url) for url in batch["url"].to_pylist()], pa.string())
    if site_rules is not None:
        columns[SITE_RULES] = site_rules
    columns["characters"] = pc.utf8_length(batch["text"]).cast(pa.int64())
    arrays = [columns[field.name] if field.name in columns else pa.nulls(batch.num_rows, field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _documents(batch: pa.RecordBatch, schema: pa.Schema, keep_rejected: bool) -> pa.RecordBatch:
    """The rows whose text is needed later, signals as one struct."""
    keep = pc.is_valid(batch["text"])
    if not keep_rejected:
        keep = pc.and_(keep, pa.array(~rejected(batch)))
    batch = batch.filter(keep)
    struct = schema.field("signals").type
    values = [batch[document.SIGNAL + field.name] for field in struct]
    signals = pa.StructArray.from_arrays(values, fields=list(struct)) if values else pa.array([{}] * batch.num_rows, struct)
    return pa.RecordBatch.from_arrays([signals if field.name == "signals" else batch[field.name] for field in schema], schema=schema)
