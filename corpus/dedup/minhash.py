"""Near-duplicates by MinHash LSH on Spark: bands, buckets, verified pairs, components, survivors.

    signatures ─bands─> (key, id) ─keys met twice─> buckets ─verify─> edges ─components─> clusters ─rule─> survivors

Two documents are compared where they agree in all rows of a band; what is compared is verified by signature before it may join
clusters, so that chance meetings in a bucket join nothing. Bands and rows are datasketch's optimum for the threshold. What is shuffled
is about 50 bytes a band for each document; signatures (461 bytes) travel only with documents that share a bucket.

    NearDuplicates(threshold=0.8)(table, work)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from corpus.dedup.components import components
from corpus.dedup.exact import EXACT
from corpus.dedup.survivors import SurvivorRule, keep_one
from corpus.errors import RecipeError
from corpus.kernels.verify import join_representatives, joining_pairs
from corpus.step import CorpusStep, Reason, Workspace, step_name
from corpus.tasks import guarded

NEAR = Reason("dedup:near", "another document of its cluster is kept: clusters are joined by pairs that are alike beyond the threshold")

_HEADER_BYTES = 13  # of a serialized LeanMinHash: seed, count, scheme
_MOST_PAIRED = 2000  # rows: two million comparisons, some 0.1 s, and 1 MB of signatures held


@final
@dataclass(frozen=True, kw_only=True)
class NearDuplicates(CorpusStep):
    """Clusters of documents whose signatures agree in at least ``threshold`` of their values; one of each survives.

    The threshold is a choice, not a truth: on page pairs judged by people, exact Jaccard of 5-word shingles separates them with AUC 0.947,
    and 0.8 finds 74 of 120 near-duplicates with 1 of 118 wrong, so that there is room below it. 0.7 lies by the points where the
    published layouts find half of the pairs (FineWeb 0.685, OLMo 3 0.718, RefinedWeb 0.723). ``bands`` and ``rows`` 0: datasketch's
    optimum (false positives and negatives weighed alike), at 0.7 12 bands of 9 rows, which find half at 0.726. ``permutations`` are
    those of the signature.

    In a bucket of up to ``all_pairs`` documents every pair is verified; in a larger one (boilerplate makes millions) documents in the
    order of their ids join the first of at most ``representatives`` that they match. Where a bucket holds more families than that, the
    later ones are found only through their other bands. Sets cluster_id, cluster_size, duplicate_of; ``value`` is the highest
    similarity to another document that was verified.
    """

    threshold: float = 0.7
    permutations: int = 112
    bands: int = 0
    rows: int = 0
    all_pairs: int = 200
    representatives: int = 20
    survivor: SurvivorRule = SurvivorRule()

    reads = ("signature",)
    reasons = (NEAR,)

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError("threshold must lie in (0, 1]")
        if (self.bands == 0) != (self.rows == 0) or self.bands * self.rows > self.permutations or min(self.bands, self.rows) < 0:
            raise ValueError("give bands and rows both, with bands * rows at most permutations, or neither")
        if not 0 <= self.all_pairs <= _MOST_PAIRED or self.representatives < 1:
            raise ValueError(f"all_pairs must lie in 0..{_MOST_PAIRED}, and representatives be at least 1")
        bands, rows = self.layout()
        half = _half_found(bands, rows)
        if abs(half - self.threshold) > 0.15:  # 20 bands of 450 rows for 450 of 20 find nothing below 0.99
            raise ValueError(f"{bands} bands of {rows} rows find half of the pairs at {half:.2f}, far from the threshold {self.threshold}")

    def layout(self) -> tuple[int, int]:
        """(bands, rows of a band)."""
        return (self.bands, self.rows) if self.bands else _optimum(self.threshold, self.permutations)

    def facts(self) -> dict[str, object]:
        """``curve``: [similarity, chance to be compared] in steps of 0.05; ``s50``: the similarity at which it is one half."""
        bands, rows = self.layout()
        curve = [[step / 20, round(1 - (1 - (step / 20) ** rows) ** bands, 6)] for step in range(21)]
        half = round(_half_found(bands, rows), 4)
        return {"permutations": self.permutations, "bands": bands, "rows": rows, "threshold": self.threshold, "s50": half, "curve": curve}

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        live = documents.where(F.col("outcome").isNull() & F.col("signature").isNotNull()).select("id", "signature")
        edges = workspace.materialise("edges", lambda: self._edges(live))
        roots = components(edges, workspace)
        ends = edges.select(F.col("a").alias("id"), "similarity").union(edges.select("b", "similarity"))
        best = ends.groupBy("id").agg(F.max("similarity").alias("similarity"))
        marks = best.join(roots, "id", "left").select(F.col("id").alias("marked"), "similarity", F.coalesce("root", "id").alias("root"))
        return self._decided(documents, marks)

    def _edges(self, live: DataFrame) -> DataFrame:
        """(a, b, similarity) of verified pairs, a < b, each once: of every bucket as many as join and rank its documents."""
        bands, rows = self.layout()
        keys = live.mapInArrow(guarded(partial(_band_keys, bands=bands, rows=rows, permutations=self.permutations)), "key long, id string")
        size = F.count("id").over(Window.partitionBy("key"))
        shared = keys.withColumn("size", size).where("size > 1")
        buckets = shared.join(live, "id").repartition("key").sortWithinPartitions("key", "id")
        verify = partial(_verify, threshold=self.threshold, all_pairs=self.all_pairs, room=self.representatives)
        pairs = buckets.select("key", "size", "id", "signature").mapInArrow(verify, "a string, b string, similarity double")
        return pairs.groupBy("a", "b").agg(F.max("similarity").alias("similarity"))

    def _decided(self, documents: DataFrame, marks: DataFrame) -> DataFrame:
        """Clusters from the marks (marked, similarity, root). Duplicates dropped before follow the document that stood for them."""
        dropped = F.coalesce(F.col("outcome").isin(EXACT.code, NEAR.code), F.lit(False))
        takes_part = F.col("outcome").isNull() | dropped
        stands_for = F.when(dropped, F.col("duplicate_of")).otherwise(F.col("id"))
        # rows that take no part get a key that meets no mark: with null all of them would land in one task
        marked = F.when(takes_part, stands_for).otherwise(F.concat(F.lit("-"), "id"))
        joined = documents.withColumn("marked", marked).join(marks, "marked", "left")
        group = F.when(takes_part, F.coalesce("root", "marked"))
        grouped = joined.withColumn("group", group).select(*documents.columns, "group", "similarity")
        return keep_one(grouped, self.survivor, NEAR, step_name(type(self)), self.threshold)


def _half_found(bands: int, rows: int) -> float:
    """The similarity s at which a pair meets in some band with probability 1 - (1 - s^rows)^bands = 1/2."""
    return float((1 - 0.5 ** (1 / bands)) ** (1 / rows))


@lru_cache(maxsize=16)
def _optimum(threshold: float, permutations: int) -> tuple[int, int]:
    """The bands and rows at which false positives and false negatives, each integrated over similarity, add up to the least.

    datasketch's, which imports SciPy for it: 0.4 s in the driver and in each worker. Chances are polynomials of degree bands * rows
    in the similarity: Gauss' nodes, half as many as permutations, integrate them exactly.
    """
    nodes, weights = np.polynomial.legendre.leggauss(permutations // 2 + 1)
    below, above = threshold * (nodes + 1) / 2, threshold + (1 - threshold) * (nodes + 1) / 2
    least, best = float("inf"), (0, 0)
    for bands in range(1, permutations + 1):
        for rows in range(1, permutations // bands + 1):
            wrong = float(threshold * weights @ (1 - (1 - below**rows) ** bands) + (1 - threshold) * weights @ (1 - above**rows) ** bands)
            if wrong < least:
                least, best = wrong, (bands, rows)
    if best[0] < 2:  # near 1 the optimum is a single band, which finds next to nothing
        raise ValueError(f"{permutations} permutations make no bands for the threshold {threshold}: lower it, or take more")
    return best


def hash_values(signatures: pa.Array) -> np.ndarray:
    """Serialized signatures (rows,) without nulls, all of one length -> uint32 (rows, permutations)."""
    if not len(signatures):
        return np.zeros((0, 0), np.uint32)
    return np.frombuffer(b"".join(signatures.to_pylist()), np.uint8).reshape(len(signatures), -1)[:, _HEADER_BYTES:].copy().view("<u4")


def _band_keys(batches: Iterator[pa.RecordBatch], *, bands: int, rows: int, permutations: int) -> Iterator[pa.RecordBatch]:
    """One row (key, id) for each document and band; the key is 64 bits of the band's number and its values.

    Raises RecipeError for signatures of another length: of shorter ones the last bands would be empty, and alike in all documents.
    """
    width = 4 * rows
    for batch in batches:
        lengths = set(pc.binary_length(batch["signature"]).to_pylist())
        if lengths - {_HEADER_BYTES + 4 * permutations}:
            other = (max(lengths, key=lambda length: abs(length - _HEADER_BYTES - 4 * permutations)) - _HEADER_BYTES) // 4
            raise RecipeError(
                f"signatures have {other} values, not {permutations}",
                where="near_duplicates.permutations",
                hint="give min_hash_signature and near_duplicates the same number",
            )
        keys: list[int] = []
        for serialized in batch["signature"].to_pylist():
            values = serialized[_HEADER_BYTES:]
            keys += [xxhash.xxh3_64_intdigest(values[band * width : (band + 1) * width], seed=band) for band in range(bands)]
        signed = np.array(keys, np.uint64).view(np.int64)
        ids = batch["id"].take(pa.array(np.repeat(np.arange(batch.num_rows), bands)))
        yield pa.RecordBatch.from_pydict({"key": pa.array(signed), "id": ids})


def _verify(batches: Iterator[pa.RecordBatch], *, threshold: float, all_pairs: int, room: int) -> Iterator[pa.RecordBatch]:
    """Rows (key, size, id, signature), sorted by key and id, each bucket whole in one partition -> edges (a, b, similarity).

    Held at a time: one batch, and either ``all_pairs`` rows of a small bucket or ``room`` representatives of a large one.
    """
    bucket = _Bucket(None, room)
    for batch in batches:
        keys = batch["key"].to_numpy()
        values = hash_values(batch["signature"])
        cuts = [0, *(np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist(), len(keys)]
        edges: list[tuple[str, str, float]] = []
        for start, end in zip(cuts[:-1], cuts[1:], strict=True):
            if start == end:
                continue
            if bucket.key != keys[start]:
                bucket = _Bucket(int(keys[start]), room)
            edges += bucket.add(
                batch["id"].slice(start, end - start).to_pylist(),
                values[start:end],
                int(batch["size"][start].as_py()),
                threshold,
                all_pairs,
            )
        if edges:
            a, b, similarity = zip(*edges, strict=True)
            yield pa.RecordBatch.from_pydict({"a": pa.array(a), "b": pa.array(b), "similarity": pa.array(similarity)})


class _Bucket:
    """The documents of one key, as they come in the order of their ids."""

    def __init__(self, key: int | None, room: int):
        self.key = key
        self.room = room
        self.ids: list[str] = []
        self.values: list[np.ndarray] = []
        self.count = 0
        self.representatives = np.zeros((0, 0), np.uint32)

    def add(self, ids: list[str], values: np.ndarray, size: int, threshold: float, all_pairs: int) -> list[tuple[str, str, float]]:
        """Edges that the new rows make known; for a small bucket all of them once its last row is there."""
        if size > all_pairs:
            return self._add_to_large(ids, values, threshold)
        self.ids += ids
        self.values.append(values)
        if len(self.ids) < size:
            return []
        first, second, alike = joining_pairs(np.concatenate(self.values), threshold)
        return [(self.ids[one], self.ids[other], float(found)) for one, other, found in zip(first, second, alike, strict=True)]

    def _add_to_large(self, ids: list[str], values: np.ndarray, threshold: float) -> list[tuple[str, str, float]]:
        if not self.count:
            self.representatives = np.zeros((self.room, values.shape[1]), np.uint32)
        joined, alike, self.count = join_representatives(values, self.representatives, self.count, threshold)
        edges = []
        for row, number in enumerate(joined):
            if number >= 0 and alike[row] < 0:
                self.ids.append(ids[row])
            elif number >= 0:
                edges.append((self.ids[number], ids[row], float(alike[row])))
        return edges
