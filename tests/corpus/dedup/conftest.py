"""Rows of the ledger table, and a work folder."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from corpus import document
from corpus.dedup.signature import MinHashSignature, TextDigest
from corpus.language.words import SegmentWords
from corpus.storage import Place
from corpus.work import Work

SCHEMA = pa.schema([*document.LEDGER, *document.FACTS])


def row(identity: str, text: str = "", **fields: Any) -> dict[str, Any]:
    """A row of the ledger table with digest and signature of the text."""
    batch = document.new_batch(id=[identity], text=[text])
    batch = MinHashSignature()(SegmentWords()(TextDigest()(batch)))
    values: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    values |= {"id": identity, "origin": {"input": 0, "file": "f", "offset": 0, "record_id": None}, "failed": [], "source": "web"}
    values |= {"characters": len(text), "text_digest": batch["text_digest"][0].as_py(), "signature": batch["signature"][0].as_py()}
    return values | fields


@pytest.fixture
def table(spark: SparkSession) -> Callable[..., DataFrame]:
    """``table(rows, partitions=3)`` -> the rows as a DataFrame of the ledger's schema."""

    def make(rows: Sequence[dict[str, Any]], partitions: int = 3) -> DataFrame:
        frame = spark.createDataFrame([tuple(row[name] for name in SCHEMA.names) for row in rows], from_arrow_schema(SCHEMA))
        return frame.repartition(partitions)

    return make


@pytest.fixture
def work(spark: SparkSession, tmp_path: Path) -> Work:
    """A work folder, and no texts: see :func:`with_texts`."""
    return Work(spark, Place(str(tmp_path / "work")), spark.createDataFrame([], "id string, text string"))


def with_texts(work: Work, texts: dict[str, str]) -> Work:
    return replace(work, texts=work.spark.createDataFrame(list(texts.items()), "id string, text string"))


def words(seed: int, count: int = 200) -> list[str]:
    """Random words, the same for a seed."""
    draw = np.random.default_rng(seed)
    return ["".join(chr(97 + letter) for letter in draw.integers(0, 26, draw.integers(2, 9))) for _ in range(count)]
