"""Which of several duplicates is kept: one explicit, total order, and what the ledger says of the others.

rule = SurvivorRule(sources=("wikipedia",), prefer=("highest", "longest", "oldest"), signal="quality_score")
keep_one(documents.withColumns({"group": …, "similarity": …}), rule, EXACT, "exact_duplicates", texts)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from corpus.dedup.earlier import is_earlier, survivor, without_earlier
from corpus.step import Reason

Preference = Literal["highest", "lowest", "longest", "shortest", "newest", "oldest"]
_OPPOSITES = (("highest", "lowest"), ("longest", "shortest"), ("newest", "oldest"))


@final
@dataclass(frozen=True, kw_only=True)
class SurvivorRule:
    """First by source, in the order of ``sources`` (those not named come last), then by the preferences in turn, then by id.

    The longest text has the least cut off it; of equal ones the oldest is nearest to the original. ``highest`` and ``lowest`` are by
    ``signal``, a number that some step measures (``quality_score``); a document without it comes last.
    """

    sources: tuple[str, ...] = ()
    prefer: tuple[Preference, ...] = ("longest", "oldest")
    signal: str = ""

    def __post_init__(self) -> None:
        if any({*pair} <= set(self.prefer) for pair in _OPPOSITES) or len(set(self.prefer)) < len(self.prefer):
            raise ValueError("prefer names a preference twice, or its opposite: the second would never decide")
        if bool(self.signal) != bool({"highest", "lowest"} & set(self.prefer)):
            raise ValueError("highest and lowest are by a signal: name it, or neither")

    def signals(self) -> tuple[str, ...]:
        """The signals that it reads."""
        return (self.signal,) if self.signal else ()

    def ranked(self, documents: DataFrame, texts: DataFrame) -> DataFrame:
        """The documents with the column ``rank_signal``, for :meth:`order`; ``texts``: (id, signals)."""
        if not self.signal:
            return documents.withColumn("rank_signal", F.lit(None).cast("double"))
        values = texts.select(F.col("id").alias("of"), F.col(f"signals.{self.signal}").cast("double").alias("rank_signal"))
        once = values.groupBy("of").agg(F.max("rank_signal").alias("rank_signal"))  # copies of a record have one value
        return documents.join(once, F.col("id") == F.col("of"), "left").drop("of")

    def order(self) -> list[Column]:
        """Columns to order by, ascending: the first row survives. Reads source, characters, date, rank_signal and id."""
        by_source = F.lit(len(self.sources))
        for place, source in reversed(list(enumerate(self.sources))):
            by_source = F.when(F.col("source") == source, place).otherwise(by_source)
        orders = {
            "highest": F.desc_nulls_last("rank_signal"),
            "lowest": F.asc_nulls_last("rank_signal"),
            "longest": F.desc_nulls_last("characters"),
            "shortest": F.asc_nulls_last("characters"),
            "newest": F.desc_nulls_last("date"),
            "oldest": F.asc_nulls_last("date"),
        }
        return [by_source.asc(), *(orders[name] for name in self.prefer), F.asc("id")]


def keep_one(
    documents: DataFrame, rule: SurvivorRule, reason: Reason, step: str, texts: DataFrame, threshold: float | None = None
) -> DataFrame:
    """The first live document of each group, by the rule, stays on the road; the other live ones are rejected with ``reason``.

    ``documents``: the ledger table with ``group`` (string; null: the row takes no part) and ``similarity`` (double, becomes ``value``
    of the rejected); both are gone from the result. ``texts``: where the rule finds its signal. Rows of a group that were rejected
    before keep their outcome and follow: they are counted, and ``duplicate_of`` names the survivor. A group in which nothing lives is
    left as it is. Rows of earlier corpora come before the rule, and are gone from the result.
    Sets cluster_id (the least id of the group) and cluster_size (its rows).
    """
    # rows that take no part are partitions of their own: with a null key alone all of them would land in one task
    members = Window.partitionBy("group", F.when(F.col("group").isNull(), F.col("id")))
    ranked = members.orderBy(F.col("outcome").isNotNull(), ~is_earlier(), *rule.order())
    first = F.first(F.struct(survivor().alias("id"), F.col("outcome").isNull().alias("lives")))
    ranks = rule.ranked(documents, texts).withColumns(
        {
            "place": F.row_number().over(ranked),
            "first": first.over(ranked.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)),
            "least": F.min("id").over(members),
            "rows": F.count("id").over(members),
        }
    )
    takes_part = F.col("group").isNotNull() & F.col("first.lives")
    follows = takes_part & (F.col("place") > 1)
    is_copy = follows & F.col("outcome").isNull()

    def set_where(condition: Column, name: str, value: Column) -> Column:
        return F.when(condition, value).otherwise(F.col(name)).alias(name)

    changed = {
        "outcome": set_where(is_copy, "outcome", F.lit(reason.code)),
        "step": set_where(is_copy, "step", F.lit(step)),
        "value": set_where(is_copy, "value", F.col("similarity")),
        "threshold": set_where(is_copy, "threshold", F.lit(threshold).cast("double")),
        "duplicate_of": set_where(follows, "duplicate_of", F.col("first.id")),
        "cluster_id": set_where(takes_part, "cluster_id", F.col("least")),
        "cluster_size": set_where(takes_part, "cluster_size", F.col("rows")),
    }
    return without_earlier(ranks).select(
        [changed.get(name, F.col(name)) for name in documents.columns if name not in ("group", "similarity")]
    )


def keep_one_with_marks(
    documents: DataFrame,
    marks: DataFrame,
    dropped_by: Sequence[str],
    rule: SurvivorRule,
    reason: Reason,
    step: str,
    texts: DataFrame,
    threshold: float,
) -> DataFrame:
    """:func:`keep_one` with groups from ``marks`` (marked, similarity, root): a document without one is alone.

    Duplicates dropped before, for a reason of ``dropped_by``, follow the document that stood for them.
    """
    dropped = F.coalesce(F.col("outcome").isin(*dropped_by), F.lit(False))
    takes_part = F.col("outcome").isNull() | dropped
    stands_for = F.when(dropped, F.col("duplicate_of")).otherwise(F.col("id"))
    # rows that take no part get a key that meets no mark: with null all of them would land in one task
    marked = F.when(takes_part, stands_for).otherwise(F.concat(F.lit("-"), "id"))
    joined = documents.withColumn("marked", marked).join(marks, "marked", "left")
    group = F.when(takes_part, F.coalesce("root", "marked"))
    grouped = joined.withColumn("group", group).select(*documents.columns, "group", "similarity")
    return keep_one(grouped, rule, reason, step, texts, threshold)
