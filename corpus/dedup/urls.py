"""Pages met under the same address: crawls that overlap, and links that differ in nothing that matters.

table = UrlDuplicates()(table, work)
"""

from dataclasses import dataclass
from typing import final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus.dedup.survivors import SurvivorRule, keep_one
from corpus.step import CorpusStep, Reason, Workspace, step_name
from corpus.urls.normal import normal

SAME_URL = Reason("dedup:same_url", "another document has the same URL, but for what tracks visitors or only spells it otherwise")


@final
@dataclass(frozen=True, kw_only=True)
class UrlDuplicates(CorpusStep):
    """Of documents with one normal URL (``urls.normal``), the survivor stays: by default the newest, what the page says now.

    It comes before ExactDuplicates, which sets the clusters anew. Documents without a URL take no part.
    """

    survivor: SurvivorRule = SurvivorRule(prefer=("newest", "longest"))

    reasons = (SAME_URL,)

    def signals(self) -> tuple[str, ...]:
        return self.survivor.signals()

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        form = F.udf(lambda url: None if url is None else normal(url), "string", useArrow=True)
        group = F.when(F.col("outcome").isNull(), form("url"))
        grouped = documents.withColumns({"group": group, "similarity": F.lit(None).cast("double")})
        return keep_one(grouped, self.survivor, SAME_URL, step_name(type(self)), workspace.texts)
