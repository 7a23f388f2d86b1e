"""Records met twice, and texts met twice.

table = ExactDuplicates()(SameRecord()(table, work), work)
"""

from dataclasses import dataclass
from typing import final

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from corpus.dedup.survivors import SurvivorRule
from corpus.step import CorpusStep, Reason, Workspace, step_name

SAME_RECORD = Reason("dedup:same_record", "the same record was met before (a copied file)")
EXACT = Reason("dedup:exact", "another document has the same text, but for case and white space")


@final
@dataclass(frozen=True, kw_only=True)
class SameRecord(CorpusStep):
    """Of rows with one id, one stays: of those that are still on the road, else of all, the first by origin.

    It holds for rejected rows as well, so that every record is counted once for what it is and otherwise as a copy.
    """

    reasons = (SAME_RECORD,)

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        order = [F.col("outcome").isNotNull(), F.col("origin.input"), F.col("origin.file"), F.col("origin.offset")]
        number = F.row_number().over(Window.partitionBy("id").orderBy(*order))
        is_copy = F.col("copy") > 1
        changed = {
            "outcome": F.when(is_copy, SAME_RECORD.code).otherwise(F.col("outcome")),
            "step": F.when(is_copy, step_name(type(self))).otherwise(F.col("step")),
            "value": F.when(~is_copy, F.col("value")),
            "threshold": F.when(~is_copy, F.col("threshold")),
            "duplicate_of": F.when(is_copy, F.col("id")).otherwise(F.col("duplicate_of")),
        }
        return documents.withColumn("copy", number).withColumns(changed).drop("copy")


@final
@dataclass(frozen=True, kw_only=True)
class ExactDuplicates(CorpusStep):
    """Of documents with one ``text_digest``, the survivor stays. Sets ``cluster_id`` (the least id) and ``cluster_size``."""

    survivor: SurvivorRule = SurvivorRule()

    reads = ("text_digest",)
    reasons = (EXACT,)

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        live = F.col("outcome").isNull() & F.col("text_digest").isNotNull()
        # rows that take no part are groups of their own: a null key would put all of them into one task
        group = F.when(live, F.hex("text_digest")).otherwise(F.concat(F.lit("-"), "id", F.lit("-"), F.col("origin.offset")))
        members = Window.partitionBy("group")
        ranked = members.orderBy(*self.survivor.order())
        everyone = ranked.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
        is_copy = live & (F.col("place") > 1)
        return (
            documents.withColumn("group", group)
            .withColumns({"place": F.row_number().over(ranked), "first": F.first("id").over(everyone)})
            .withColumns({"least": F.min("id").over(members), "size": F.count("id").over(members)})
            .withColumns(
                {
                    "cluster_id": F.when(live, F.col("least")),
                    "cluster_size": F.when(live, F.col("size")),
                    "duplicate_of": F.when(is_copy, F.col("first")).otherwise(F.col("duplicate_of")),
                    "step": F.when(is_copy, step_name(type(self))).otherwise(F.col("step")),
                    "outcome": F.when(is_copy, EXACT.code).otherwise(F.col("outcome")),
                }
            )
            .drop("group", "place", "first", "least", "size")
        )
