"""Keeps what lies between two percentiles of a stored signal: the best tenth by a classifier, the head of a perplexity, by language.

A threshold that says "the best 10 %" moves with the corpus, so all its documents must have been measured before one is judged. It is
found exactly, by counting the digits of the values from the highest down, as a radix sort would: a few passes of counts, of which no task
and no driver ever holds more than the buckets. The same rows give the same threshold, whatever their order and partitions.

    table = KeepPercentiles(signal="quality_score", min_percentile=90, by=("language",))(table, work)   # DCLM's best tenth
    table = KeepPercentiles(signal="perplexity", max_percentile=30, by=("language",))(table, work)      # the head of cc_net
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, final

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from corpus.step import CorpusStep, Reason, Workspace, step_name

TOO_LOW = Reason("percentile:too_low", "of the documents it is compared with, too few have a lower value of the signal")
TOO_HIGH = Reason("percentile:too_high", "of the documents it is compared with, too many have a lower value of the signal")

_FEW = 100_000  # rows that one task may put in order by comparing them: 10 MB
_ID_DIGITS = 2  # of equal values, 8 hex digits of the id: 4e9 buckets
End = tuple[str, str, int, tuple[int, ...]]  # group, name, rank among the rows whose first digits are these
_THRESHOLDS = "group string, documents long, kept long, low double, low_id string, high double, high_id string"


@final
@dataclass(frozen=True, kw_only=True)
class KeepPercentiles(CorpusStep):
    """Of n documents in ascending order of ``signal``, those of equal value by id, the first floor(n * p / 100) lie below percentile p.
    What lies below ``min_percentile`` is rejected, and what does not lie below ``max_percentile``: two steps that share a percentile divide
    a corpus without remainder, as cc_net's head, middle and tail (arXiv 1911.00359) do at 30 and 60 of the perplexity.

    ``by``: each group has percentiles of its own; one of fewer than ``min_documents`` is left as it is. A document without the signal takes
    no part. ``threshold`` of a rejected one is the value at the percentile. Documents are compared with those that are on the road there:
    put the step after deduplication, or copies count.
    """

    signal: str
    min_percentile: float = 0.0
    max_percentile: float = 100.0
    by: tuple[Literal["language", "source", "collection"], ...] = ()
    min_documents: int = 1

    reasons = (TOO_LOW, TOO_HIGH)

    def __post_init__(self) -> None:
        if not 0 <= self.min_percentile < self.max_percentile <= 100:
            raise ValueError("percentiles lie between 0 and 100, min_percentile below max_percentile")
        if (self.min_percentile, self.max_percentile) == (0, 100):
            raise ValueError("set min_percentile or max_percentile: between 0 and 100 nothing is rejected")
        if len(set(self.by)) < len(self.by):
            raise ValueError("by names a column twice")

    def signals(self) -> tuple[str, ...]:
        return (self.signal,)

    def facts(self) -> dict[str, object]:
        return {"signal": self.signal, "min_percentile": self.min_percentile, "max_percentile": self.max_percentile}

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        live = F.col("outcome").isNull()
        measured = workspace.materialise("measured", lambda: self._measured(documents.where(live), workspace.texts))
        thresholds = workspace.materialise("thresholds", lambda: self._thresholds(measured))
        joined = measured.select(F.col("id").alias("of"), "group", F.col("measure").alias("measured"))
        placed = documents.join(joined, (F.col("id") == F.col("of")) & live, "left").join(F.broadcast(thresholds), "group", "left")
        is_low = live & _is_before("low")
        is_high = live & ~_is_before("high")
        rejected = F.coalesce(is_low | is_high, F.lit(False))
        changed = {
            "outcome": F.when(rejected & is_low, TOO_LOW.code).when(rejected, TOO_HIGH.code).otherwise(F.col("outcome")),
            "step": F.when(rejected, step_name(type(self))).otherwise(F.col("step")),
            "value": F.when(rejected, F.col("measured")).otherwise(F.col("value")),
            "threshold": F.when(rejected & is_low, F.col("low")).when(rejected, F.col("high")).otherwise(F.col("threshold")),
        }
        return placed.withColumns(changed).select(documents.columns)

    def findings(self, workspace: Workspace) -> dict[str, Any]:
        """``percentiles``: [{group, documents, kept, low, high}], the largest group first; low and high: the values there, or null."""
        found = workspace.reread("thresholds").drop("low_id", "high_id").collect()
        return {"percentiles": sorted((each.asDict() for each in found), key=lambda row: (-row["documents"], row["group"]))}

    def _measured(self, documents: DataFrame, texts: DataFrame) -> DataFrame:
        """(id, group, measure, digits): one row a document that has the signal."""
        # -0.0 and 0.0 are one value; NaN is none
        value = (F.col(f"signals.`{self.signal}`").cast("double") + F.lit(0.0)).alias("measure")
        values = texts.select(F.col("id").alias("of"), value).where(F.col("measure").isNotNull() & ~F.isnan("measure"))
        once = values.groupBy("of").agg(F.max("measure").alias("measure"))  # copies of a record have one value
        group = F.concat_ws("/", *(F.coalesce(name, F.lit("-")) for name in self.by)) if self.by else F.lit("all")
        joined = documents.select("id", group.alias("group")).join(once, F.col("id") == F.col("of")).drop("of")
        return joined.withColumn("digits", F.array(*_digits()))

    def _thresholds(self, measured: DataFrame) -> DataFrame:
        counts = {row["group"]: row["documents"] for row in measured.groupBy("group").agg(F.count("*").alias("documents")).collect()}
        cuts = {group: (below(self.min_percentile, rows), below(self.max_percentile, rows)) for group, rows in counts.items()}
        judged = {group: cut for group, cut in cuts.items() if counts[group] >= self.min_documents}
        sought = {(group, "low"): cut[0] for group, cut in judged.items() if cut[0] > 0}
        sought |= {(group, "high"): cut[1] for group, cut in judged.items() if cut[1] < counts[group]}
        found = select(measured, sought)
        rows = []
        for group, documents in counts.items():
            low, high = (found.get((group, bound), (None, None)) for bound in ("low", "high"))
            first, last = judged.get(group, (0, documents))
            rows.append((group, documents, last - first, *low, *high))
        return measured.sparkSession.createDataFrame(rows, _THRESHOLDS).coalesce(1)


def select(measured: DataFrame, sought: dict[tuple[str, str], int], few: int = _FEW) -> dict[tuple[str, str], tuple[float, str]]:
    """``measured``: (id, group, measure, digits). For each (group, name) the row of that rank, from 0, in the order of measure and id ->
    (measure, id). Raises nothing: a rank must be less than the rows of its group.

    Each pass counts the rows that share the digits found so far by their next digit, and finds the digit of the row that is sought.
    """
    open_ends: list[End] = [(group, name, rank, ()) for (group, name), rank in sorted(sought.items())]
    largest = few + 1 if open_ends else 0
    for place in range(3 + _ID_DIGITS):
        if largest <= few:
            break
        found = {(row["of"], row["name"]): row for row in _next_digits(_candidates(measured, open_ends, place), place)}
        open_ends = [
            (group, name, rank - found[group, name]["before"], (*digits, found[group, name]["digit"]))
            for group, name, rank, digits in open_ends
        ]
        largest = max(row["rows"] for row in found.values())
    if not open_ends:
        return {}
    depth = len(open_ends[0][3])
    numbered = F.row_number().over(Window.partitionBy("of", "name").orderBy("measure", "id")) - 1
    rows = _candidates(measured, open_ends, depth).withColumn("number", numbered).where(F.col("number") == F.col("rank")).collect()
    return {(row["of"], row["name"]): (row["measure"], row["id"]) for row in rows}


def _candidates(measured: DataFrame, open_ends: list[End], depth: int) -> DataFrame:
    """The rows whose first ``depth`` digits are those found, with (of, name, rank) of what is sought."""
    ends = measured.sparkSession.createDataFrame(open_ends, "of string, name string, rank long, found array<long>")
    same = F.col("group") == F.col("of")
    if depth:
        same &= F.slice("digits", 1, depth) == F.col("found")
    return measured.join(F.broadcast(ends), same)


def _next_digits(candidates: DataFrame, place: int) -> Iterator[Row]:
    """(of, name, digit, before, rows): the digit under which the rank lies, how many rows lie under lesser digits, and how many there."""
    digit = F.col("digits")[place].alias("digit")
    counts = candidates.groupBy("of", "name", "rank", digit).agg(F.count("*").alias("rows"))
    upward = Window.partitionBy("of", "name").orderBy("digit").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    summed = counts.withColumn("before", F.sum("rows").over(upward) - F.col("rows"))
    yield from summed.where((F.col("before") <= F.col("rank")) & (F.col("rank") < F.col("before") + F.col("rows"))).collect()


def _digits() -> list[Column]:
    """The value's bits in order as digits of 20, 22 and 22 bits, and the first characters of the id, four to a digit."""
    key = F.pandas_udf(ordered, "long")("measure")  # type: ignore[call-overload]
    of_value = [F.shiftright(key, 44), F.shiftright(key, 22).bitwiseAND(2**22 - 1), key.bitwiseAND(2**22 - 1)]
    bytes_of_id = F.rpad(F.hex("id"), 8 * _ID_DIGITS, "0")
    return [*of_value, *(F.conv(F.substring(bytes_of_id, 1 + 8 * at, 8), 16, 10).cast("long") for at in range(_ID_DIGITS))]


def ordered(values: pd.Series) -> pd.Series:
    """Doubles -> 64-bit integers in the same order: the bits of a negative number ascend where it descends."""
    bits = values.to_numpy(np.float64).view(np.int64)
    return pd.Series(np.where(bits < 0, bits ^ np.int64(2**63 - 1), bits))


def below(percentile: float, rows: int) -> int:
    """How many of so many rows lie below a percentile: of its decimal value, which a product of floats would miss by one at times."""
    return int(Fraction(str(percentile)) * rows / 100)


def _is_before(bound: str) -> Column:
    """Whether the row comes before the one at the threshold; null where there is none."""
    value, identity = F.col(bound), F.col(f"{bound}_id")
    return (F.col("measured") < value) | ((F.col("measured") == value) & (F.col("id") < identity))
