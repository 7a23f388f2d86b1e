"""Documents that say the same in other words, by the embeddings of a model of the user's: SemDeDup (Abbas et al. 2023, arXiv 2303.09540).

    texts ─embed─> vectors ─k-means of a sample─> nearest centre ─by the survivor rule─> each follows a document that stays, or stays

SemDeDup keeps of a cluster's pairs the document farthest from the centre. Here documents come in the order of the survivor rule, and one
that is alike enough to one that stays follows it: so each that goes is within the threshold of the one that it is a duplicate of, and
no chain joins what is not alike. Two documents on either side of a border between centres are not compared. Behind the user's model
all is whole numbers (``kernels.vectors``): neither partitions nor the machine decide.

    SemanticDuplicates(embed="my_package.embedding:embed")(table, work)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, final

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from corpus.dedup.exact import EXACT
from corpus.dedup.minhash import NEAR
from corpus.dedup.survivors import SurvivorRule, keep_one_with_marks
from corpus.errors import RecipeError
from corpus.kernels.vectors import k_means, lead, nearest, quantized
from corpus.step import CODE, CorpusStep, Reason, Workspace, step_name
from corpus.tasks import guarded

SEMANTIC = Reason("dedup:semantic", "another document whose embedding is at least as near as the threshold is kept")

Embed = Callable[[list[str]], np.ndarray]


@final
@dataclass(frozen=True, kw_only=True)
class SemanticDuplicates(CorpusStep):
    """Of documents whose embeddings have a cosine of ``threshold`` or more, the survivor stays.

    ``embed`` names a function, ``package.module:name``, of texts (a list of strings) that returns floats of shape (texts, width); it
    runs in the tasks, on ``batch_documents`` at a time, and must give a text the same vector whatever comes with it. A text whose vector
    is zero or no number takes no part. The threshold depends on the model (SemDeDup's curves lie between 0.9 and 0.99): look at pairs.

    ``clusters``: centres, found by k-means on ``sample`` documents chosen by a hash of their ids. A cluster is compared in one task, each
    document with all that stay: n documents cost up to n²/2 products, so take clusters of some thousands (SemDeDup: 50,000 for 440
    million). It comes behind exact_duplicates and near_duplicates, whose clusters it carries on.
    """

    embed: str = field(metadata={CODE: True})
    threshold: float = 0.95
    clusters: int = 100
    sample: int = 20_000
    batch_documents: int = 64
    survivor: SurvivorRule = SurvivorRule()

    reasons = (SEMANTIC,)

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError("threshold must lie in (0, 1]")
        if min(self.clusters, self.batch_documents) < 1 or not self.clusters <= self.sample <= 1_000_000:
            raise ValueError("clusters and batch_documents must be at least 1, sample at least clusters and at most 1,000,000")
        if ":" not in self.embed:
            raise ValueError("embed names a function: package.module:name")

    def signals(self) -> tuple[str, ...]:
        return self.survivor.signals()

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        live = documents.where(F.col("outcome").isNull())
        texts = workspace.texts.select("id", "text").join(live.select("id"), "id")
        embedded = workspace.materialise("embedded", lambda: texts.mapInArrow(guarded(self._embedded), "id string, vector binary"))
        sampled = embedded.orderBy(F.xxhash64("id"), "id").limit(self.sample).collect()
        if not sampled:
            return documents
        vectors = [np.frombuffer(row["vector"], "<i2") for row in sampled]
        if len({len(vector) for vector in vectors}) > 1:
            raise RecipeError("embeddings of one run have different widths", where=f"semantic_duplicates.embed: {self.embed}")
        centres = k_means(np.array(vectors), self.clusters)

        def assigned(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                centre = nearest(_vectors(batch), centres) if len(batch) else np.zeros(0, np.int64)
                yield pa.RecordBatch.from_arrays([batch["id"], pa.array(centre), batch["vector"]], ["id", "centre", "vector"])

        near = embedded.mapInArrow(guarded(assigned), "id string, centre long, vector binary")
        ranked = self.survivor.ranked(live, workspace.texts).join(near, "id")
        place = F.row_number().over(Window.partitionBy("centre").orderBy(*self.survivor.order()))
        ordered = (
            ranked.select("id", "centre", place.alias("place"), "vector").repartition("centre").sortWithinPartitions("centre", "place")
        )
        found = "centre long, id string, leader string, similarity double"
        led = workspace.materialise(
            "led", lambda: ordered.select("centre", "id", "vector").mapInArrow(guarded(_Lead(self.threshold)), found)
        )
        marks = led.where("leader is not null").select(F.col("id").alias("marked"), "similarity", F.col("leader").alias("root"))
        step, dropped = step_name(type(self)), (EXACT.code, NEAR.code)
        return keep_one_with_marks(documents, marks, dropped, self.survivor, SEMANTIC, step, workspace.texts, self.threshold)

    def findings(self, workspace: Workspace) -> dict[str, Any]:
        """``clusters`` that hold documents, documents in the ``largest``, and ``documents`` that have an embedding."""
        sizes = workspace.reread("led").groupBy("centre").agg(F.count("*").alias("size"))
        told = sizes.agg(F.count("*").alias("clusters"), F.max("size").alias("largest"), F.sum("size").alias("documents")).first()
        assert told
        return {"semantic": {name: value or 0 for name, value in told.asDict().items()}}

    def _embedded(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        module, _, name = self.embed.partition(":")
        embed: Embed = getattr(import_module(module), name)
        for batch in batches:
            for start in range(0, len(batch), self.batch_documents):
                part = batch.slice(start, self.batch_documents)
                given = np.asarray(embed(part["text"].to_pylist()))
                if given.ndim != 2 or len(given) != len(part) or given.dtype.kind != "f":
                    raise RecipeError(
                        f"embed gave {given.dtype} of shape {given.shape} for {len(part)} texts",
                        where=f"semantic_duplicates.embed: {self.embed}",
                        hint="floats of shape (texts, width)",
                    )
                whole = quantized(given)
                there = pa.array(whole.any(axis=1))
                vectors = pa.array([row.astype("<i2").tobytes() for row in whole], pa.binary())
                yield pa.RecordBatch.from_arrays([part["id"].filter(there), vectors.filter(there)], ["id", "vector"])


@final
@dataclass(frozen=True)
class _Lead:
    """Rows (centre, id, vector), each centre whole in one partition and in its order -> (centre, id, leader, similarity).

    Held at a time: one batch, and the vectors of those that lead in one cluster.
    """

    threshold: float

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        at: int | None = None
        ids: list[str] = []
        leading = np.zeros((0, 0), np.int16)
        for batch in batches:
            centres = batch["centre"].to_numpy()
            cuts = [0, *(np.flatnonzero(centres[1:] != centres[:-1]) + 1).tolist(), len(centres)]
            for start, end in zip(cuts[:-1], cuts[1:], strict=True):
                part = batch.slice(start, end - start)
                if not len(part):
                    continue
                if centres[start] != at:
                    at, ids, leading = int(centres[start]), [], np.zeros((0, len(part["vector"][0].as_py()) // 2), np.int16)
                known = len(ids)
                ids, vectors = ids + part["id"].to_pylist(), np.concatenate([leading, _vectors(part)])
                leader, similarity, leaders = lead(vectors, known, self.threshold)
                named = pa.array([ids[row] if row >= 0 else None for row in leader[known:].tolist()], pa.string())
                columns = [part["centre"], part["id"], named, pa.array(similarity[known:])]
                ids, leading = [ids[row] for row in leaders.tolist()], vectors[leaders]
                yield pa.RecordBatch.from_arrays(columns, ["centre", "id", "leader", "similarity"])


def _vectors(batch: pa.RecordBatch) -> np.ndarray:
    """The column ``vector`` as int16 (rows, width)."""
    return np.frombuffer(b"".join(batch["vector"].to_pylist()), "<i2").reshape(len(batch), -1)
