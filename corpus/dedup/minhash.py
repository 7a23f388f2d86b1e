"""Near-duplicates by MinHash LSH on Spark: bands, buckets, verified pairs, components, survivors.

    signatures ─bands─> (key, id) ─keys met twice─> buckets ─verify─> edges ─components─> clusters ─rule─> survivors

Two documents are compared where they agree in all rows of a band; what is compared is verified, by signature or by the shingles of
the texts, before it may join clusters, so that chance meetings in a bucket join nothing. Bands and rows are datasketch's optimum for
the threshold. What is shuffled is about 50 bytes a band for each document; signatures (461 bytes) travel only with documents that
share a bucket.

    NearDuplicates(threshold=0.8)(table, work)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from datasketch import MinHashLSH
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from corpus.dedup.audit import Judgement, audit, found_chance, sets_of
from corpus.dedup.components import components
from corpus.dedup.earlier import MANIFEST, is_earlier, refuse_other_signatures, with_earlier
from corpus.dedup.exact import EXACT
from corpus.dedup.survivors import SurvivorRule, keep_one_with_marks
from corpus.errors import RecipeError
from corpus.kernels.verify import alike, join_representatives, joining_pairs
from corpus.step import CorpusStep, Reason, Workspace, step_name
from corpus.tasks import guarded

NEAR = Reason("dedup:near", "another document of its cluster is kept: clusters are joined by pairs that are alike beyond the threshold")

_HEADER_BYTES = 13  # of a serialized LeanMinHash: seed, count, scheme
_MOST_AUDITED = 2000  # pairs: their ids stand in the query that fetches the texts
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

    ``verify``: by ``signature`` the similarity is an estimate, with a standard error of 0.04 at 0.7 and 112 permutations; by ``shingles``
    it is exact, and the texts of all documents that share a bucket with another are read once more. ``ngram`` and ``character_ngram``
    are those of the signature. ``against``: folders of earlier corpora, as of ExactDuplicates. ``audit``: of how many verified pairs,
    and how many turned away, the report tells the truth; 0 for none.
    """

    threshold: float = 0.7
    permutations: int = 112
    bands: int = 0
    rows: int = 0
    all_pairs: int = 200
    representatives: int = 20
    verify: Literal["signature", "shingles"] = "signature"
    ngram: int = 5
    character_ngram: int = 10
    audit: int = 200
    survivor: SurvivorRule = SurvivorRule()
    against: tuple[str, ...] = ()

    reads = ("signature",)
    reasons = (NEAR,)

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError("threshold must lie in (0, 1]")
        if (self.bands == 0) != (self.rows == 0) or self.bands * self.rows > self.permutations or min(self.bands, self.rows) < 0:
            raise ValueError("give bands and rows both, with bands * rows at most permutations, or neither")
        if not 0 <= self.all_pairs <= _MOST_PAIRED or self.representatives < 1:
            raise ValueError(f"all_pairs must lie in 0..{_MOST_PAIRED}, and representatives be at least 1")
        if not 0 <= self.audit <= _MOST_AUDITED or min(self.ngram, self.character_ngram) < 1:
            raise ValueError(f"audit must lie in 0..{_MOST_AUDITED}, ngram and character_ngram be at least 1")
        if self.against and self.verify == "shingles":
            raise ValueError("verify: shingles reads texts, and those of earlier corpora are not read: leave one of the two")
        bands, rows = self.layout()
        half = _half_found(bands, rows)
        if abs(half - self.threshold) > 0.15:  # 20 bands of 450 rows for 450 of 20 find nothing below 0.99
            raise ValueError(f"{bands} bands of {rows} rows find half of the pairs at {half:.2f}, far from the threshold {self.threshold}")

    def layout(self) -> tuple[int, int]:
        """(bands, rows of a band)."""
        return (self.bands, self.rows) if self.bands else _optimum(self.threshold, self.permutations)

    def assets(self) -> tuple[str, ...]:
        return tuple(f"{corpus}/{MANIFEST}" for corpus in self.against)

    def signals(self) -> tuple[str, ...]:
        return self.survivor.signals()

    def facts(self) -> dict[str, object]:
        """``curve``: [similarity, chance to be compared] in steps of 0.05; ``s50``: the similarity at which it is one half."""
        bands, rows = self.layout()
        curve = [[step / 20, round(_compared_chance(step / 20, bands, rows), 6)] for step in range(21)]
        half = round(_half_found(bands, rows), 4)
        return {"permutations": self.permutations, "bands": bands, "rows": rows, "threshold": self.threshold, "s50": half, "curve": curve}

    def findings(self, workspace: Workspace) -> dict[str, Any]:
        """``audit``: how many of a sample of the pairs are what they were taken for (see ``audit.audit``)."""
        bands, rows = self.layout()

        def chance(similarity: float) -> float:
            if self.verify == "shingles":
                return _compared_chance(similarity, bands, rows)
            return found_chance(similarity, self.permutations, bands, rows, self.threshold)

        judgement = Judgement(threshold=self.threshold, ngram=self.ngram, character_ngram=self.character_ngram, sample=self.audit)
        told = audit(workspace.reread("compared"), workspace.texts, judgement, chance) if self.audit else {}
        return {"audit": told} if told else {}

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        refuse_other_signatures(
            self.against, {"permutations": self.permutations, "ngram": self.ngram, "character_ngram": self.character_ngram}
        )
        documents = with_earlier(documents, self.against)
        live = documents.where(F.col("outcome").isNull() & F.col("signature").isNotNull()).select("id", "signature")
        compared = workspace.materialise("compared", lambda: self._compared(live, workspace))
        edges = compared.where(F.col("similarity") >= self.threshold)
        roots = components(edges, workspace)
        ends = edges.select(F.col("a").alias("id"), "similarity").union(edges.select("b", "similarity"))
        best = ends.groupBy("id").agg(F.max("similarity").alias("similarity"))
        marks = best.join(roots, "id", "left").select(F.col("id").alias("marked"), "similarity", F.coalesce("root", "id").alias("root"))
        step, dropped = step_name(type(self)), (EXACT.code, NEAR.code)
        return keep_one_with_marks(documents, marks, dropped, self.survivor, NEAR, step, workspace.texts, self.threshold)

    def _compared(self, live: DataFrame, workspace: Workspace) -> DataFrame:
        """(a, b, similarity) of pairs, a < b, each once: of every bucket as many verified ones as join and rank its documents.

        Of a bucket of up to ``all_pairs`` documents its first two are told in any case: those turned away are for the audit.
        """
        bands, rows = self.layout()
        keys = live.mapInArrow(guarded(partial(_band_keys, bands=bands, rows=rows, permutations=self.permutations)), "key long, id string")
        bucket = Window.partitionBy("key")
        counted = keys.withColumns({"size": F.count("id").over(bucket), "fresh": F.max((~is_earlier()).cast("int")).over(bucket)})
        shared = counted.where("size > 1 and fresh = 1").drop("fresh")  # what earlier corpora share among themselves is decided
        contents = live.withColumnRenamed("signature", "content")
        if self.verify == "shingles":
            candidates = workspace.texts.join(shared.select("id").distinct(), "id", "left_semi")
            contents = sets_of(candidates, self.ngram, self.character_ngram).withColumnRenamed("shingles", "content")
        # a text that is shorter than a shingle of other length than the signature's has none, but its bucket must come whole
        filled = shared.join(contents, "id", "left").withColumn("content", F.coalesce("content", F.lit(b"")))
        buckets = filled.repartition("key").sortWithinPartitions("key", "id")
        compare = _Compare(self.verify == "shingles", self.threshold, self.all_pairs, self.representatives)
        pairs = buckets.select("key", "size", "id", "content").mapInArrow(compare, "a string, b string, similarity double")
        return pairs.groupBy("a", "b").agg(F.max("similarity").alias("similarity"))


def _compared_chance(similarity: float, bands: int, rows: int) -> float:
    """The chance that two documents of this similarity agree in all rows of some band."""
    return float(1 - (1 - similarity**rows) ** bands)


def _half_found(bands: int, rows: int) -> float:
    """The similarity s at which a pair meets in some band with probability 1 - (1 - s^rows)^bands = 1/2."""
    return float((1 - 0.5 ** (1 / bands)) ** (1 / rows))


@lru_cache(maxsize=16)
def _optimum(threshold: float, permutations: int) -> tuple[int, int]:
    """datasketch's: false positives and false negatives, each integrated over similarity, add up to the least."""
    try:
        index = MinHashLSH(threshold=threshold, num_perm=permutations)
    except ValueError as error:  # near 1 the optimum is a single band, which datasketch refuses
        raise ValueError(f"{permutations} permutations make no bands for the threshold {threshold}: lower it, or take more") from error
    return index.b, index.r


def _ragged(contents: pa.Array, skip: int) -> tuple[np.ndarray, np.ndarray]:
    """Binaries without nulls -> all their values after ``skip`` bytes, uint32, and where each row's begin, int64 (rows + 1,)."""
    rows = [content[skip:] for content in contents.to_pylist()]
    return np.frombuffer(b"".join(rows), "<u4"), np.cumsum([0, *(len(row) // 4 for row in rows)], dtype=np.int64)


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


@final
@dataclass(frozen=True)
class _Compare:
    """Rows (key, size, id, content), sorted by key and id, each bucket whole in one partition -> pairs (a, b, similarity).

    Held at a time: one batch, and either ``all_pairs`` rows of a small bucket or ``room`` representatives of a large one.
    """

    by_sets: bool
    threshold: float
    all_pairs: int
    room: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        bucket = _Bucket(None, self)
        for batch in batches:
            keys = batch["key"].to_numpy()
            cuts = [0, *(np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist(), len(keys)]
            pairs: list[tuple[str, str, float]] = []
            for start, end in zip(cuts[:-1], cuts[1:], strict=True):
                if start == end:
                    continue
                if bucket.key != keys[start]:
                    bucket = _Bucket(int(keys[start]), self)
                pairs += bucket.add(batch.slice(start, end - start), int(batch["size"][start].as_py()))
            if pairs:
                a, b, similarity = zip(*pairs, strict=True)
                yield pa.RecordBatch.from_pydict({"a": pa.array(a), "b": pa.array(b), "similarity": pa.array(similarity)})


class _Bucket:
    """The documents of one key, as they come in the order of their ids."""

    def __init__(self, key: int | None, compare: _Compare):
        self.key = key
        self.compare = compare
        self.ids: list[str] = []
        self.values = np.zeros(0, np.uint32)
        self.starts = np.zeros(1, np.int64)

    def add(self, rows: pa.RecordBatch, size: int) -> list[tuple[str, str, float]]:
        """Pairs that the new rows make known; for a small bucket all of them once its last row is there."""
        values, starts = _ragged(rows["content"], 0 if self.compare.by_sets else _HEADER_BYTES)
        ids = [*self.ids, *rows["id"].to_pylist()]
        values = np.concatenate([self.values, values])
        starts = np.concatenate([self.starts, starts[1:] + self.starts[-1]])
        if size > self.compare.all_pairs:
            return self._join(ids, values, starts)
        self.ids, self.values, self.starts = ids, values, starts
        if len(ids) < size:
            return []
        by_sets, threshold = self.compare.by_sets, self.compare.threshold
        found = zip(*joining_pairs(values, starts, by_sets, threshold), strict=True)
        pairs = [(ids[one], ids[other], float(share)) for one, other, share in found]
        share = alike(values, starts, 0, 1, by_sets)
        return pairs if share >= threshold else [*pairs, (ids[0], ids[1], share)]

    def _join(self, ids: list[str], values: np.ndarray, starts: np.ndarray) -> list[tuple[str, str, float]]:
        """The first rows are the representatives there are; those that there are afterwards are all that is held."""
        known = len(self.ids)
        compare = self.compare
        joined, shares, chosen = join_representatives(values, starts, known, compare.room, compare.by_sets, compare.threshold)
        self.ids = [ids[row] for row in chosen]
        self.values = np.concatenate([values[starts[row] : starts[row + 1]] for row in chosen])
        self.starts = np.cumsum([0, *(starts[row + 1] - starts[row] for row in chosen)], dtype=np.int64)
        found = zip(joined.tolist(), ids[known:], shares.tolist(), strict=True)
        return [(self.ids[number], each, share) for number, each, share in found if number >= 0 and share >= 0]
