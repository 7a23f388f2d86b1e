"""The work folder: where set steps leave what they computed, so that a killed run goes on from there.

table = Work(spark, place).materialise("01-exact", lambda: step(table, work))
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, final

from pyspark.sql import DataFrame, SparkSession

from corpus.storage import Place

_SPARK_DONE = "_SUCCESS"  # Spark's own committer writes it last


@final
@dataclass(frozen=True)
class Work:
    """A folder that Spark can read and write, and the session to do it with. A ``corpus.step.Workspace``."""

    spark: SparkSession
    place: Place

    def below(self, name: str) -> Self:
        """A folder of a step's own."""
        return type(self)(self.spark, self.place / name)

    def materialise(self, name: str, make: Callable[[], DataFrame]) -> DataFrame:
        """``make()`` written as Parquet under ``name`` and read back; only read back where it lies whole already."""
        folder = self.place / name
        if not (folder / _SPARK_DONE).exists():
            made = make()
            made.write.mode("overwrite").parquet(spark_path(folder))
            return self.spark.read.schema(made.schema).parquet(spark_path(folder))
        return self.spark.read.parquet(spark_path(folder))


def spark_path(place: Place) -> str:
    """How Spark calls the place: local paths as file: URIs (the default file system of a cluster may be HDFS), S3 as s3a."""
    if place.is_local:
        return f"file://{place.path}"
    return "s3a://" + place.uri[len("s3://") :] if place.uri.startswith("s3://") else place.uri
