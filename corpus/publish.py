"""From decided rows to the corpus folder: shards, figures, page, card, and the manifest last.

The set steps worked on rows without text; here the texts are joined to what was decided, in one shuffle by ranges of id, and
written. The same tasks count what they write, and those counts must agree with what was read.

    written = write_shards(content)
    manifest = finish(content, written, run)
"""

import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from itertools import groupby
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus import document, manifest
from corpus.cutting import cut
from corpus.dedup.earlier import INDEX
from corpus.dedup.exact import EXACT, SAME_RECORD, SameRecord
from corpus.fused import CRASHED, peak_memory_bytes
from corpus.reading import Reading, merged_metrics
from corpus.recipe import Recipe
from corpus.report.build import build
from corpus.report.card import render_card
from corpus.report.clusters import clusters
from corpus.report.metrics import Metrics
from corpus.report.page import render
from corpus.shards import Shard, place_expression, shard_expression, write_shard
from corpus.step import signal_types
from corpus.storage import Place, json_bytes
from corpus.tasks import guarded
from corpus.work import Work

DOCUMENTS, LEDGER, REJECTED = "documents", "ledger", "rejected"
INDEX_SHARD_ROWS = 250_000  # about 120 MB of Parquet: signatures do not compress
REPORT, PAGE, CARD, RUN = "report.json", "report.html", "README.md", "run.json"
LEDGER_SHARD_ROWS = 1_000_000  # about 60 MB of Parquet

_VERSIONS = (
    "pyspark",
    "pyarrow",
    "numpy",
    "numba",
    "datasketch",
    "fasttext-numpy2",
    "fastwarc",
    "resiliparse",
    "trafilatura",
    "phonenumbers",
)
_DOMAIN = r"^[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^/@]*@)?(?:www\.)?([^/:?#]+)"
_TOP_DOMAINS = 50
_ORIGIN = ("origin.input", "origin.file", "origin.offset")
_ORDER = ("id", *_ORIGIN)  # of rows in a shard of the ledger


@final
@dataclass(frozen=True)
class Content:
    """All that a corpus is made from, once every row is decided."""

    recipe: Recipe
    fingerprint: dict[str, Any]
    reading: Reading
    decided: DataFrame
    facts: dict[str, Any]  # by step, for the report
    work: Work
    corpus: Place


@final
@dataclass(frozen=True)
class Written:
    """What was written: shards by folder, documents and characters by outcome, metrics of the kept documents."""

    shards: dict[str, list[Shard]]
    outcomes: dict[str, dict[str, int]]
    kept: Metrics


def clear(corpus: Place) -> None:
    """Remove a corpus, and nothing else that may lie in its folder."""
    for name in (
        manifest.NAME,
        DOCUMENTS,
        LEDGER,
        REJECTED,
        INDEX,
        REPORT,
        PAGE,
        CARD,
        RUN,
    ):  # the manifest first: then it is no corpus any more
        (corpus / name).remove()


def write_shards(content: Content) -> Written:
    """Documents, rejected documents if the recipe keeps them, and the ledger. Fails loudly where a document was lost."""
    for name in (DOCUMENTS, LEDGER, REJECTED, INDEX):
        (content.corpus / name).remove()
    outcomes = _outcomes(content.decided)
    shards = {DOCUMENTS: _write_documents(content, outcomes, DOCUMENTS)}
    if content.recipe.output.keep_rejected:
        shards[REJECTED] = _write_documents(content, outcomes, REJECTED)
    shards[LEDGER] = _write_ledger(content)
    if content.recipe.output.index:
        shards[INDEX] = _write_index(content)
    kept_rows = sum(shard.rows for shard in shards[DOCUMENTS])
    ledger_rows = sum(shard.rows for shard in shards[LEDGER])
    counted = sum(outcome["documents"] for outcome in outcomes.values())
    kept = outcomes.get(document.KEPT, {"documents": 0})["documents"]
    if not (content.reading.documents == counted == ledger_rows and kept == kept_rows):
        raise AssertionError(
            f"documents were lost: read {content.reading.documents}, decided {counted}, in the ledger {ledger_rows}, "
            f"kept {kept}, written {kept_rows}; the work folder {content.work.place.uri} is left for inquiry"
        )
    folder = content.work.place / "kept"
    paths = [(folder / f"{shard.file}.json").uri for shard in shards[DOCUMENTS] if shard.rows]
    return Written(shards, outcomes, merged_metrics(content.work.spark, content.recipe, paths, folder / "merged"))


def finish(content: Content, written: Written, run: dict[str, Any]) -> dict[str, Any]:
    """Report, page, card, run facts, and last the manifest, which is returned."""
    # As they will be read again: the page is the same when it is remade.
    report, run = (json.loads(json_bytes(value)) for value in (_report(content, written), run))
    files = {
        REPORT: json_bytes(report),
        PAGE: render(report, run).encode(),
        CARD: render_card(report, run).encode(),
        RUN: json_bytes(run),
    }
    for name, body in files.items():
        (content.corpus / name).write_bytes(body)
    made = _manifest(content, written, report)
    (content.corpus / manifest.NAME).write_bytes(json_bytes(made))
    return made


def run_facts(spark: SparkSession, seconds: dict[str, float], reading: Reading, resumed: bool) -> dict[str, Any]:
    """Times, host, versions and memory of this run: what may differ between two runs that write the same corpus."""
    by_step: Counter[str] = Counter()
    for outcome in reading.outcomes:
        by_step.update(outcome.seconds)
    return {
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "host": platform.node(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "master": spark.sparkContext.master,
        "resumed": resumed,
        "seconds": dict(seconds),
        "seconds_by_step": {name: round(value, 3) for name, value in by_step.most_common()},
        "peak_memory_bytes": {
            "driver_python": peak_memory_bytes(),
            "driver_jvm": _jvm_peak_bytes(spark),
            "worker_python": max((outcome.peak_memory_bytes for outcome in reading.outcomes), default=0),
        },
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in _VERSIONS}},
    }


def _outcomes(decided: DataFrame) -> dict[str, dict[str, int]]:
    rows = (
        decided.groupBy("outcome")
        .agg(F.count("*").alias("documents"), F.coalesce(F.sum("characters"), F.lit(0)).alias("characters"))
        .collect()
    )
    return {row["outcome"]: {"documents": row["documents"], "characters": row["characters"]} for row in sorted(rows)}


def _write_documents(content: Content, outcomes: dict[str, dict[str, int]], folder: str) -> list[Shard]:
    """Join the texts to the decisions and write the shards of the kept, or of the rejected documents."""
    is_kept = folder == DOCUMENTS
    characters = sum(outcome["characters"] for code, outcome in outcomes.items() if (code == document.KEPT) is is_kept)
    shards = max(1, -(-characters // content.recipe.output.shard_bytes))
    fills = {name for step in content.recipe.corpus for name in step.fills}
    spark, schema = content.work.spark, document.schema(signal_types(content.recipe.steps), fills=fills)
    wanted = content.decided.where((F.col("outcome") == document.KEPT) if is_kept else (F.col("outcome") != document.KEPT))
    place = F.expr(place_expression(content.recipe.output.together if is_kept else ())).alias("place")
    number = F.expr(shard_expression(shards, "place")).alias("shard")
    decisions = wanted.select(place, "id", "origin", *document.DECIDED, F.lit(False).alias("is_text"))
    texts = content.reading.texts(spark).select(place, "*", F.lit(True).alias("is_text"))
    # No join: Spark may spread the rows of a join as it likes (other partition counts, skew), and a shard must lie in one task.
    rows = texts.unionByName(decisions, allowMissingColumns=True).select("*", number)
    placed = rows.repartition(max(shards, spark.sparkContext.defaultParallelism), "shard")
    ordered = placed.sortWithinPartitions("shard", "place", *_ORIGIN, "id", "is_text")
    kept_metrics = content.work.place / "kept" if is_kept else None
    return _write(ordered, partial(_write_one, schema=schema, metrics=kept_metrics), content.corpus / folder, schema, _decided_texts)


def _decided_texts(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows sorted so that a decision comes right before its text -> the texts that have one, with its columns and without its cuts."""
    last: pa.RecordBatch | None = None
    for batch in batches:
        rows = pa.concat_batches([last, batch]) if last else batch
        last = rows.slice(rows.num_rows - 1)
        texts = np.asarray(rows["is_text"])
        meets = texts[1:] & ~texts[:-1]  # a rejected document may have no text: then what comes next is another's
        for field in _ORDER:
            column, _, child = field.partition(".")
            values = pc.struct_field(rows[column], child) if child else rows[column]
            meets &= pc.equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
        at = np.flatnonzero(meets) + 1
        before = pa.array(at - 1)
        taken = rows.take(pa.array(at))
        for name in document.DECIDED:
            taken = taken.set_column(taken.schema.get_field_index(name), name, rows[name].take(before))
        if len(at):
            yield cut(taken)


def _write_ledger(content: Content) -> list[Shard]:
    schema = document.ledger_schema()
    shards = max(1, -(-content.reading.documents // LEDGER_SHARD_ROWS))
    rows = content.decided.select(F.expr(shard_expression(shards)).alias("shard"), *schema.names)
    ordered = rows.repartition(shards, "shard").sortWithinPartitions("shard", *_ORDER)
    return _write(ordered, partial(_write_one, schema=schema, metrics=None), content.corpus / LEDGER, schema, iter)


def _write_index(content: Content) -> list[Shard]:
    """Of every document that deduplication saw; an exact copy is stood for by its survivor."""
    seen = (F.col("outcome") == document.KEPT) | F.col("cluster_id").isNotNull()
    rows = content.decided.where(seen & ~F.col("outcome").isin(EXACT.code, SAME_RECORD.code))
    schema = pa.schema(list(document.INDEX))
    shards = max(1, -(-content.reading.documents // INDEX_SHARD_ROWS))
    numbered = rows.select(F.expr(shard_expression(shards)).alias("shard"), *schema.names)
    ordered = numbered.repartition(shards, "shard").sortWithinPartitions("shard", "id")
    return _write(ordered, partial(_write_one, schema=schema, metrics=None), content.corpus / INDEX, schema, iter)


def _write_one(batches: Iterator[pa.RecordBatch], folder: Place, number: int, *, schema: pa.Schema, metrics: Place | None) -> Shard:
    """One shard, and beside the work the metrics of what it holds."""
    signals = {field.name: field.type for field in schema.field("signals").type} if metrics else {}
    seen = Metrics(signals)

    def observed() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            typed = pa.Table.from_batches([batch]).select(schema.names).cast(schema).combine_chunks().to_batches()
            for part in typed:
                if metrics:
                    seen.observe_kept(part)
                yield part

    shard = write_shard(observed(), schema, folder, number)
    if metrics:
        metrics.make_folder()
        (metrics / f"{shard.file}.json").write_bytes(json.dumps(seen.to_json(), sort_keys=True).encode())
    return shard


def _write(
    ordered: DataFrame,
    write_one: Callable[[Iterator[pa.RecordBatch], Place, int], Shard],
    folder: Place,
    schema: pa.Schema,
    prepare: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
) -> list[Shard]:
    """Write rows that come sorted by (shard, …), each shard whole in one partition, through ``prepare``; one file a shard."""
    folder.make_folder()

    def over(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number, run in groupby(_by_shard(prepare(batches)), key=lambda part: part[0]):
            shard = write_one((batch for _, batch in run), folder, number)
            yield pa.RecordBatch.from_pydict({"shard": [json.dumps(asdict(shard))]})

    rows = ordered.mapInArrow(guarded(over), "shard string").collect()
    shards = sorted((Shard(**json.loads(row["shard"])) for row in rows), key=lambda shard: shard.file)
    if len({shard.file for shard in shards}) < len(shards):
        raise AssertionError(f"two tasks wrote the same shard of {folder.uri}")
    return shards or [write_shard([], schema, folder, 0)]  # an empty corpus is a corpus: readers find a schema


def _by_shard(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Cut batches where the column ``shard`` changes."""
    for batch in batches:
        encoded = pa.compute.run_end_encode(batch["shard"])
        start = 0
        for number, end in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True):
            yield number, batch.slice(start, end - start)
            start = end


def _report(content: Content, written: Written) -> dict[str, Any]:
    recipe, reading = content.recipe, content.reading
    readable = [entry for entry in reading.examined if entry.source >= 0]
    return build(
        recipe=recipe.to_data(),
        rules=_rules(recipe),
        reasons=_reasons(recipe),
        inputs={
            "files": len(readable),
            "bytes": sum(entry.file.size_bytes for entry in readable),
            "records": reading.records(),
            "unread": [{"file": entry.file.file, "why": entry.why} for entry in reading.examined if entry.source < 0],
            "damages": reading.damages(),
        },
        outcomes=written.outcomes,
        read=reading.metrics,
        kept=written.kept,
        domains=_domains(content.decided),
        clusters=clusters(content.decided, reading.texts(content.work.spark)),
        facts=content.facts,
        splits=_splits(content.decided),
    )


def _rules(recipe: Recipe) -> list[dict[str, Any]]:
    return [
        {
            "step": step,
            "reason": rule.reason.code,
            "meaning": rule.reason.meaning,
            "signal": rule.signal,
            "comparison": rule.comparison,
            "threshold": rule.threshold,
        }
        for step, rule in recipe.rules()
    ]


def _reasons(recipe: Recipe) -> dict[str, str]:
    return {**recipe.reasons(), **{reason.code: reason.meaning for reason in (*SameRecord.reasons, CRASHED)}}


def _domains(decided: DataFrame) -> list[dict[str, Any]]:
    """The 50 domains with the most documents read; ties by name."""
    domain = F.lower(F.regexp_extract("url", _DOMAIN, 1)).alias("domain")
    kept = F.sum(F.when(F.col("outcome") == document.KEPT, 1).otherwise(0)).alias("kept")
    counted = decided.where(F.col("url").isNotNull()).groupBy(domain).agg(F.count("*").alias("read"), kept)
    top = counted.where("domain <> ''").orderBy(F.desc("read"), "domain").limit(_TOP_DOMAINS)
    return [row.asDict() for row in top.collect()]


def _splits(decided: DataFrame) -> dict[str, int]:
    kept = decided.where((F.col("outcome") == document.KEPT) & F.col("split").isNotNull())
    return {row["split"]: row["count"] for row in sorted(kept.groupBy("split").count().collect())}


def _manifest(content: Content, written: Written, report: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": manifest.FORMAT,
        "fingerprint": content.fingerprint,
        "rules": _rules(content.recipe),
        "reasons": _reasons(content.recipe),
        "read": content.reading.documents,
        "kept": written.outcomes.get(document.KEPT, {"documents": 0})["documents"],
        "outcomes": written.outcomes,
        "failed": report.get("failed", {}),
        "records": content.reading.records(),
        "damages": content.reading.damages(),
        "shards": {folder: [asdict(shard) for shard in shards] for folder, shards in written.shards.items()},
        "parents": content.fingerprint.get("parents", []),
    }


def _jvm_peak_bytes(spark: SparkSession) -> int | None:
    """VmHWM of the driver's JVM; None where there is no /proc."""
    jvm: Any = spark.sparkContext._jvm
    try:
        with open(f"/proc/{jvm.java.lang.ProcessHandle.current().pid()}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
    except OSError:
        return None
    return int(fields["VmHWM"].split()[0]) * 1024
