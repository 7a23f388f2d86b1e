"""The row: what a document is on its way and on disk.

Inside the fused pass a batch is an Arrow ``RecordBatch`` with the columns of :data:`WORKING`, plus transient ones
that steps add (``payload``, ``words``) and one flat column for each measured value, named ``signals.<name>``. At the writer the
flat signals become one struct, and the transient columns are gone.

    batch = document.new_batch(id=["0f…"], url=["http://example.com/"], text=["Hello."])
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

SIGNAL = "signals."

ORIGIN = pa.struct(
    [
        pa.field("input", pa.int32()),  # number of the input, in an order that no path decides (engine.number_inputs)
        pa.field("file", pa.string()),  # relative to that input
        pa.field("offset", pa.int64()),  # bytes from the start of the file as it lies on disk; row number in a table
        pa.field("record_id", pa.string()),
    ]
)
LANGUAGES = pa.list_(pa.struct([pa.field("language", pa.string()), pa.field("score", pa.float32())]))
RIGHTS = pa.struct(
    [
        pa.field("robots", pa.list_(pa.string())),  # directives met in headers and <meta>, sorted: noindex, noai, …
        pa.field("tdm_reserved", pa.bool_()),  # TDM Reservation Protocol: tdm-reservation = 1
        pa.field("tdm_policy", pa.string()),
        pa.field("content_usage", pa.list_(pa.string())),  # AIPREF: the labels that the page's header states, as train-ai=n
    ]
)
LABELS = pa.map_(pa.string(), pa.string())
FAILED = pa.list_(
    pa.struct(
        [
            pa.field("reason", pa.string()),
            pa.field("step", pa.string()),
            pa.field("value", pa.float64()),
            pa.field("threshold", pa.float64()),
        ]
    )
)

# The columns of documents/*.parquet, in order; `signals` stands between `origin` and `signature`.
BEFORE_SIGNALS: tuple[tuple[str, pa.DataType], ...] = (
    ("id", pa.string()),
    ("text", pa.string()),
    ("url", pa.string()),
    ("title", pa.string()),
    ("source", pa.string()),
    ("collection", pa.string()),
    ("date", pa.timestamp("us", tz="UTC")),
    ("language", pa.string()),  # ISO 639 code of the best label, or null
    ("language_score", pa.float32()),
    ("languages", LANGUAGES),  # the top three
    ("script", pa.string()),  # ISO 15924: Latn, Cyrl, …
    ("charset_source", pa.string()),  # bom, http, meta, detector, or null where the text came decoded
    ("license", pa.string()),
    ("rights", RIGHTS),
    ("labels", LABELS),
    ("origin", ORIGIN),
)
AFTER_SIGNALS: tuple[tuple[str, pa.DataType], ...] = (
    ("signature", pa.binary()),  # datasketch.LeanMinHash.serialize(byteorder="<")
    ("cluster_id", pa.string()),
    ("cluster_size", pa.int64()),
    ("split", pa.string()),  # train, validation, test
)
# Columns of the documents of those recipes only that have a corpus step which fills them (``CorpusStep.fills``).
REPEATS = ("repeats", pa.int32())  # of a mixture: how often each is to be read in training
SITE_OPT_OUTS = ("site_opt_outs", pa.list_(pa.string()))  # what the files of its site refuse: robots:gptbot, aipref, …
# Where set steps cut texts: which bytes [start0, end0, start1, …] each step took from the text as it found it, in the order of the steps.
CUTS = ("cuts", pa.list_(pa.struct([pa.field("step", pa.string()), pa.field("spans", pa.list_(pa.int32()))])))

# What every batch of the fused pass has: the document's columns that one document alone can fill, and its faults.
WORKING: dict[str, pa.DataType] = {**dict(BEFORE_SIGNALS), "signature": pa.binary(), "text_digest": pa.binary(), "failed": FAILED}

# One row a document read. The set steps work on this table and never see a text.
LEDGER: tuple[tuple[str, pa.DataType], ...] = (
    ("id", pa.string()),
    ("url", pa.string()),
    ("origin", ORIGIN),
    ("outcome", pa.string()),  # "kept", or the first reason
    ("failed", FAILED),  # all rules failed, in the order of the steps
    ("step", pa.string()),
    ("value", pa.float64()),
    ("threshold", pa.float64()),
    ("duplicate_of", pa.string()),
)
# What the set steps need besides, about the documents that are still on the road.
FACTS: tuple[tuple[str, pa.DataType], ...] = (
    ("source", pa.string()),
    ("collection", pa.string()),
    ("date", pa.timestamp("us", tz="UTC")),
    ("language", pa.string()),
    ("characters", pa.int64()),
    ("text_digest", pa.binary()),
    ("signature", pa.binary()),
    ("cluster_id", pa.string()),
    ("cluster_size", pa.int64()),
    ("split", pa.string()),
    REPEATS,
    ("site_rules", pa.string()),  # the text of a robots.txt, ai.txt or tdmrep.json, "" where it was not found; null for pages
    SITE_OPT_OUTS,
    CUTS,
)
DECIDED = ("cluster_id", "cluster_size", "split", REPEATS[0], SITE_OPT_OUTS[0], CUTS[0])  # columns of a document that the set steps fill

# index/*.parquet: what later crawls are deduplicated against. One row a document that deduplication saw, but for exact copies.
INDEX: tuple[tuple[str, pa.DataType], ...] = (
    ("id", pa.string()),
    ("text_digest", pa.binary()),
    ("signature", pa.binary()),
    ("duplicate_of", pa.string()),  # null where the document itself was kept
)

KEPT = "kept"


def schema(signals: Mapping[str, pa.DataType], *, fills: Collection[str] = ()) -> pa.Schema:
    """The schema of ``documents/*.parquet`` for a recipe that measures ``signals`` (name -> type); ``fills``: names of columns that only
    some recipes have.
    """
    struct = pa.struct([pa.field(name, signals[name]) for name in signals])
    filled = [each for each in (REPEATS, SITE_OPT_OUTS, CUTS) if each[0] in fills]
    return pa.schema([*BEFORE_SIGNALS, ("signals", struct), *AFTER_SIGNALS, *filled])


def ledger_schema() -> pa.Schema:
    """The schema of ``ledger/*.parquet``."""
    return pa.schema(list(LEDGER))


# Transient columns that a source of web archives adds. Batches of other sources have none of them: the fused pass gives them nulls.
PAGE: dict[str, pa.DataType] = {
    "payload": pa.binary(),
    "media_type": pa.string(),
    "http_charset": pa.string(),
    "http_headers": pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())])),
}
STALE_WITH_TEXT = ("words", "lines", "person_spans")  # transient columns of offsets into the text


def new_batch(**columns: Iterable[Any]) -> pa.RecordBatch:
    """Columns of Python values -> a working batch; columns not named are null. For sources and tests.

    A name that is not in :data:`WORKING` is a transient column, its type inferred unless the value is an Arrow array.
    """
    rows = len(next(iter(columns.values())))  # type: ignore[arg-type]
    arrays: dict[str, pa.Array] = {}
    for name, kind in WORKING.items():
        given = columns.pop(name, None)
        if given is None:
            given = [[] for _ in range(rows)] if name == "failed" else [None] * rows
        arrays[name] = given if isinstance(given, pa.Array) else pa.array(given, kind)
    for name, values in columns.items():
        arrays[name] = values if isinstance(values, pa.Array) else pa.array(values)
    return pa.RecordBatch.from_pydict(arrays)


def with_column(batch: pa.RecordBatch, name: str, values: pa.Array | Sequence[Any]) -> pa.RecordBatch:
    """The batch with the column set: in its old place if it was there, at the end if it is new.

    For a column of :data:`WORKING` a sequence is converted to its type.
    """
    array = values if isinstance(values, pa.Array) else pa.array(values, WORKING.get(name))
    at = batch.schema.get_field_index(name)
    return batch.append_column(name, array) if at < 0 else batch.set_column(at, name, array)


def with_text(batch: pa.RecordBatch, text: pa.Array | Sequence[str | None]) -> pa.RecordBatch:
    """A new text. Columns that hold offsets into the old one (:data:`STALE_WITH_TEXT`) go with it."""
    stale = [name for name in STALE_WITH_TEXT if name in batch.schema.names]
    return with_column(batch.drop_columns(stale) if stale else batch, "text", text)


def with_signals(batch: pa.RecordBatch, signals: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """The batch with measured values, name -> array of one value a row (null: the measure does not apply)."""
    for name, values in signals.items():
        batch = with_column(batch, SIGNAL + name, values)
    return batch
