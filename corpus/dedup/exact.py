"""Records met twice, and texts met twice.

table = ExactDuplicates()(SameRecord()(table, work), work)
"""

from dataclasses import dataclass
from typing import final

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from corpus.dedup.earlier import MANIFEST, with_earlier
from corpus.dedup.survivors import SurvivorRule, keep_one
from corpus.step import CorpusStep, Reason, Workspace, step_name

SAME_RECORD = Reason("dedup:same_record", "the same record was met more than once (a copied file): another copy is counted for what it is")
EXACT = Reason("dedup:exact", "another document has the same text, but for case and white space")


@final
@dataclass(frozen=True, kw_only=True)
class SameRecord(CorpusStep):
    """Of rows with one id, one stays: of those that are still on the road, else of all, the first by origin.

    It holds for rejected rows as well, so that every record is counted once for what it is and otherwise as a copy. After it an id
    that is on the road is on the road once; the other set steps rely on that.
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
    """Of documents with one ``text_digest``, the survivor stays. Sets cluster_id, cluster_size, duplicate_of.

    It comes before NearDuplicates, which carries these clusters on; short documents, without a signature, have only this.
    ``against``: folders of earlier corpora, made with ``output.index``, whose documents stay and are never read (see ``earlier``).
    """

    survivor: SurvivorRule = SurvivorRule()
    against: tuple[str, ...] = ()

    reads = ("text_digest",)
    reasons = (EXACT,)

    def assets(self) -> tuple[str, ...]:
        return tuple(f"{corpus}/{MANIFEST}" for corpus in self.against)

    def signals(self) -> tuple[str, ...]:
        return self.survivor.signals()

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        group = F.when(F.col("outcome").isNull(), F.hex("text_digest"))
        rows = with_earlier(documents, self.against)
        grouped = rows.withColumns({"group": group, "similarity": F.lit(None).cast("double")})
        return keep_one(grouped, self.survivor, EXACT, step_name(type(self)), workspace.texts)
