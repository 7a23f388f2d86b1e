"""Train, validation and test, by hash of the cluster: copies of a text are never on both sides.

SplitByCluster(validation=0.01)(table, work)
"""

from dataclasses import dataclass
from typing import final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus import hashing
from corpus.step import CorpusStep, Workspace

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@final
@dataclass(frozen=True, kw_only=True)
class SplitByCluster(CorpusStep):
    """Sets ``split`` of the documents that are still on the road. ``salt`` draws another split of the same sizes."""

    validation: float = 0.005
    test: float = 0.005
    salt: str = "split"

    def __post_init__(self) -> None:
        if self.validation < 0 or self.test < 0 or self.validation + self.test >= 1:
            raise ValueError("validation and test must be shares that leave something to train on")

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        chosen = F.udf(self.of, "string", useArrow=True)(F.coalesce("cluster_id", "id"))
        return documents.withColumn("split", F.when(F.col("outcome").isNull(), chosen))

    def of(self, key: str) -> str:
        """The split of a cluster (or of a document that is in none)."""
        place = hashing.fraction(key, self.salt)
        if place < self.validation:
            return VALIDATION
        return TEST if place < self.validation + self.test else TRAIN
