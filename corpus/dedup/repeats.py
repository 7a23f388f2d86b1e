"""Parts of documents that stand more than once, across the whole corpus: found by key on Spark, and cut where they do not stay.

    texts ─runs─> (first, second) keys a document ─count─> keys of several ─join─> what each document loses ─cut─> spans

A key is 128 bits of what a run says. Of all keys only those that stand in several documents leave the count; a document that has one
is read once more, and says which of its bytes go. Which document keeps a run is decided by :func:`rank`, never by the order of files.
As every run that is cut still stands in a document of lower rank, or before in its own, everything that is said outlives the cutting
once (where runs go from all documents it does not, of course), unless its last place is in a document that is rejected as too short.
No task holds more than a batch of texts with their keys; the driver holds nothing.

    documents = cut_repeats(documents, keys, apart, rule, workspace)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus.kernels.pieces import Pieces, spans_of, without
from corpus.kernels.runs import ELSEWHERE, HERE, Runs, look_up, repeated
from corpus.kernels.words import words
from corpus.step import Reason, Workspace
from corpus.tasks import guarded

MOST_SOURCES = 100  # that :func:`rank` has bits for, and more than anybody names
Apart = Callable[[pa.Array], tuple[Pieces, Runs, np.ndarray]]  # texts -> their pieces, runs of them, and pieces of a run by row
ORIGIN = "id string, origin struct<input: int, file: string, offset: bigint, record_id: string>"
KEYS = f"{ORIGIN}, first array<bigint>, second array<bigint>, repeats boolean"
_CUT = "id string, spans array<int>, places bigint, characters_cut bigint, characters bigint, words bigint"


@final
@dataclass(frozen=True, kw_only=True)
class CutRule:
    """Runs that stand in at least ``documents`` documents go but for their first place, or, ``all_copies``, everywhere; ``within``: so
    do the later ones of a single document. Documents that have fewer than ``min_words`` words after that are rejected by ``step``, for
    ``reason``.
    """

    step: str
    reason: Reason
    documents: int = 2
    all_copies: bool = False
    within: bool = True
    min_words: int = 1


def rank(sources: Sequence[str]) -> Column:
    """The order in which documents keep what they share, the least first: by source, in the order of ``sources`` (those not named come
    last), then by the power of two that their length has reached, the longer first (they can spare least and bear most), then by a
    hash of the id. 63 bits; of documents whose 50 bits of hash are equal both keep it.
    """
    by_source = F.lit(len(sources))
    for place, source in reversed(list(enumerate(sources))):
        by_source = F.when(F.col("source") == source, place).otherwise(by_source)
    shortness = F.lit(63) - F.length(F.bin(F.coalesce("characters", F.lit(0))))
    hashed = F.shiftrightunsigned(F.xxhash64("id"), 14)
    return F.shiftleft(by_source.cast("long") * 64 + shortness, 50).bitwiseOR(hashed)


def keys_of(texts: DataFrame, apart: Apart) -> DataFrame:
    """(id, origin, text) -> (id, origin, first, second, repeats): see :func:`key_rows`, of all runs."""

    def over(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            _, found, lengths = apart(batch["text"])
            yield key_rows(batch, found, lengths, np.ones(len(found.first), dtype=bool))

    return texts.select("id", "origin", "text").mapInArrow(guarded(over), KEYS)


def key_rows(batch: pa.RecordBatch, found: Runs, lengths: np.ndarray, chosen: np.ndarray) -> pa.RecordBatch:
    """The keys of the runs where ``chosen``, bool (runs,), each once a row, and whether the row repeats one of them."""
    numbers = np.arange(len(found.earlier))
    once = chosen & (found.earlier == numbers)
    again = chosen & (numbers - found.earlier >= np.repeat(lengths, np.diff(found.bounds)))
    repeats = np.diff(np.concatenate([[0], np.cumsum(again)])[found.bounds]) > 0
    ends = pa.array(np.concatenate([[0], np.cumsum(once)])[found.bounds], pa.int32())
    lists = [pa.ListArray.from_arrays(ends, pa.array(each[once].view(np.int64))) for each in (found.first, found.second)]
    columns = [batch["id"], batch["origin"], *lists, pa.array(repeats)]
    return pa.RecordBatch.from_arrays(columns, ["id", "origin", "first", "second", "repeats"])


def live(documents: DataFrame, sources: Sequence[str]) -> DataFrame:
    """(id, origin, rank) of the documents that are still on the road."""
    return documents.where(F.col("outcome").isNull()).select("id", "origin", rank(sources).alias("rank"))


def cut_repeats(
    documents: DataFrame, keys: DataFrame, apart: Apart, rule: CutRule, sources: Sequence[str], workspace: Workspace
) -> DataFrame:
    """``keys``: as of :func:`key_rows` -> the ledger table with ``cuts`` and ``characters`` as they are without the repeated runs."""
    alive = live(documents, sources)
    held = workspace.materialise("keys", lambda: keys.join(alive, ["id", "origin"]))
    each = held.select("id", "rank", F.inline(F.arrays_zip("first", "second")))
    found = each.groupBy("first", "second").agg(F.count("*").alias("documents"), F.min("rank").alias("least"))
    several = workspace.materialise("repeated", lambda: found.where(F.col("documents") >= rule.documents))
    known = F.collect_list(F.struct("first", "second", (F.col("rank") == F.col("least")).alias("here"))).alias("known")
    hits = each.join(several, ["first", "second"]).groupBy("id").agg(known)
    # a document may repeat itself alone: then its text is looked at with nothing known
    concerned = held.select("id", "origin", "repeats").join(hits, "id", "left").where("known is not null" + " or repeats" * rule.within)
    texts = workspace.texts.select("id", "origin", "text").join(concerned, ["id", "origin"])
    cut = workspace.materialise("cut", lambda: texts.mapInArrow(guarded(_Cut(apart, rule)), _CUT))
    return _decided(documents, cut, rule)


def findings(workspace: Workspace, rule: CutRule) -> dict[str, Any]:
    """``cut``: documents, places and characters that went; documents that were rejected instead; keys that stood in several documents,
    and in how many the most frequent one.
    """
    is_short = F.col("words") < rule.min_words
    counted = {"documents": F.lit(1), "places": F.col("places"), "characters": F.col("characters_cut")}
    counts = [F.sum(F.when(~is_short, value)).alias(name) for name, value in counted.items()]
    told = workspace.reread("cut").agg(*counts, F.sum(is_short.cast("long")).alias("too_short")).first()
    keys = workspace.reread("repeated").agg(F.count("*").alias("keys"), F.max("documents").alias("most")).first()
    assert told
    assert keys
    return {"cut": {name: value or 0 for name, value in {**told.asDict(), **keys.asDict()}.items()}}


@final
@dataclass(frozen=True)
class _Cut:
    """Rows (id, text, known) -> (id, spans, places, characters_cut, characters, words) of those that lose something."""

    apart: Apart
    rule: CutRule

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            text, known = batch["text"], _filled(batch["known"])
            pieces, found, lengths = self.apart(text)
            first, second, here = (
                pc.struct_field(known.values, name).to_numpy(zero_copy_only=False) for name in ("first", "second", "here")
            )
            states = np.where(here, HERE, ELSEWHERE).astype(np.uint8)
            told = look_up(found, first.view(np.uint64), second.view(np.uint64), states, known.offsets.to_numpy().astype(np.int64))
            goes = repeated(found, told, len(pieces.first), lengths, self.rule.within, self.rule.all_copies)
            spans = spans_of(text, pieces, goes)
            loses = pc.greater(pc.list_value_length(spans), 0)
            text, spans = text.filter(loses), spans.filter(loses)
            left = without(text, spans)
            yield pa.RecordBatch.from_pydict(
                {
                    "id": batch["id"].filter(loses),
                    "spans": spans,
                    "places": pc.divide(pc.list_value_length(spans), 2).cast(pa.int64()),
                    "characters_cut": pc.subtract(pc.utf8_length(text), pc.utf8_length(left)).cast(pa.int64()),
                    "characters": pc.utf8_length(left).cast(pa.int64()),
                    "words": pc.divide(pc.list_value_length(words(left)), 2).cast(pa.int64()),
                }
            )


def _filled(lists: pa.ListArray) -> pa.ListArray:
    """Nulls as empty lists."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32()), lists.flatten())


def _decided(documents: DataFrame, cut: DataFrame, rule: CutRule) -> DataFrame:
    is_live = F.col("outcome").isNull()
    # rows that take no part get a key that meets no cut: an id may stand on rejected rows too
    marked = documents.withColumn("marked", F.when(is_live, F.col("id")).otherwise(F.concat(F.lit("-"), "id")))
    marks = cut.select(F.col("id").alias("marked"), "spans", F.col("characters").alias("left"), "words")
    joined = marked.join(marks, "marked", "left")
    loses, is_short = F.col("spans").isNotNull(), F.col("words") < rule.min_words
    entry = F.array(F.struct(F.lit(rule.step).alias("step"), F.col("spans").alias("spans")))
    stays = loses & ~is_short
    changed = {
        "cuts": F.when(stays, F.concat(F.coalesce("cuts", F.array().cast(documents.schema["cuts"].dataType)), entry)),
        "characters": F.when(stays, F.col("left")),
        "outcome": F.when(is_short, rule.reason.code),
        "step": F.when(is_short, rule.step),
        "value": F.when(is_short, F.col("words").cast("double")),
        "threshold": F.when(is_short, F.lit(float(rule.min_words))),
    }
    columns = [F.coalesce(changed[name], name).alias(name) if name in changed else F.col(name) for name in documents.columns]
    return joined.select(columns)
