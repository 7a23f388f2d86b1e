"""The session's settings that have a price."""

import os
from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import SparkSession


def test_tasks_of_tables_run_in_the_workers_of_all_others(spark: SparkSession) -> None:
    def daemons(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.RecordBatch.from_pydict({"daemon": [os.getppid()] * batch.num_rows})

    plain = spark.sparkContext.parallelize(range(4), 2).map(lambda _: os.getppid()).collect()
    of_tables = [row["daemon"] for row in spark.range(4).mapInArrow(daemons, "daemon long").collect()]
    assert len(set(plain)) == 1
    assert {*of_tables} == {*plain}
