"""No host may fill a corpus: of its documents so many stay, chosen by hash.

table = CapHosts(max_documents=10_000)(table, work)
"""

from dataclasses import dataclass
from typing import final

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from corpus import hashing
from corpus.step import CorpusStep, Reason, Workspace, step_name
from corpus.urls.blocklist import host

TOO_MANY_OF_HOST = Reason("url:host_full", "its host has as many documents in the corpus as one may have")


@final
@dataclass(frozen=True, kw_only=True)
class CapHosts(CorpusStep):
    """Of the documents of one host that are still on the road, the ``max_documents`` with the least hash of (salt, id) stay: a sample that
    no order of files and no partition can change, and that grows with the cap. ``www.`` is the host itself; documents without a URL take
    no part. ``value`` of a rejected one is its place among its host's. It comes after deduplication, or copies use up the room.
    """

    max_documents: int
    salt: str = "host"

    reasons = (TOO_MANY_OF_HOST,)

    def __post_init__(self) -> None:
        if self.max_documents < 1:
            raise ValueError("max_documents must be at least 1")

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        site = F.udf(lambda url: None if url is None else host(url).removeprefix("www.") or None, "string", useArrow=True)
        draw = F.udf(lambda identity: hashing.fraction(identity, self.salt), "double", useArrow=True)
        group = F.when(F.col("outcome").isNull(), site("url"))
        # rows that take no part are partitions of their own: with a null key alone all of them would land in one task
        members = Window.partitionBy("group", F.when(F.col("group").isNull(), F.col("id"))).orderBy("draw", "id")
        placed = documents.withColumns({"group": group, "draw": draw("id")}).withColumn("place", F.row_number().over(members))
        is_over = F.col("group").isNotNull() & (F.col("place") > self.max_documents)
        changed = {
            "outcome": F.when(is_over, TOO_MANY_OF_HOST.code).otherwise(F.col("outcome")),
            "step": F.when(is_over, step_name(type(self))).otherwise(F.col("step")),
            "value": F.when(is_over, F.col("place").cast("double")).otherwise(F.col("value")),
            "threshold": F.when(is_over, F.lit(float(self.max_documents))).otherwise(F.col("threshold")),
        }
        return placed.withColumns(changed).drop("group", "draw", "place")
