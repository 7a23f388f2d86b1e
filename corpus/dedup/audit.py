"""How good the near-duplicates are: a hash sample of the pairs that were compared, judged by the shingles of their texts.

told = audit(compared, texts, Judgement(threshold=0.7, ngram=5, character_ngram=10, sample=200), chance)
told["precision"], told["expected_recall"]
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus.dedup.signature import shingle_lengths
from corpus.kernels.shingles import shingle_sets
from corpus.kernels.verify import jaccard
from corpus.language.words import SegmentWords


@final
@dataclass(frozen=True, kw_only=True)
class Judgement:
    """When two texts are near-duplicates: the Jaccard similarity of their shingles; and how many pairs are sampled."""

    threshold: float
    ngram: int
    character_ngram: int
    sample: int


def audit(compared: DataFrame, texts: DataFrame, judgement: Judgement, chance: Callable[[float], float]) -> dict[str, Any]:
    """``compared``: pairs (a, b, similarity), verified where that is at least the threshold; ``texts``: (id, text).

    ``precision``: of the verified pairs sampled, the share that is alike beyond the threshold in truth; ``missed``: the same of those
    turned away; each with Wilson's interval of 95 %. ``expected_recall``: ``chance(similarity)`` is that of a pair to be compared and
    verified; a pair found that had a chance of one half stands for two (Horvitz and Thompson), so that those not met are counted too.
    Verified pairs are those that join clusters, and each document's best: not all pairs of a cluster.
    """
    rank, is_verified = F.xxhash64("a", "b"), F.col("similarity") >= judgement.threshold
    sides = [compared.where(which).orderBy(rank, "a", "b").limit(judgement.sample).collect() for which in (is_verified, ~is_verified)]
    pairs = [(row["a"], row["b"]) for side in sides for row in side]
    true = _true(pairs, texts, judgement)
    verified, turned_away = ([true[row["a"], row["b"]] for row in side if (row["a"], row["b"]) in true] for side in sides)
    if not verified:
        return {}
    right = sorted(found for found in verified if found >= judgement.threshold)
    told: dict[str, Any] = {
        "sampled": len(verified),
        "mean_jaccard": round(math.fsum(verified) / len(verified), 4),
        "precision": round(len(right) / len(verified), 4),
        "interval": wilson(len(right), len(verified)),
        "expected_recall": round(len(right) / math.fsum(1 / chance(found) for found in right), 4) if right else None,
    }
    if turned_away:
        wrong = sum(found >= judgement.threshold for found in turned_away)
        told |= {"turned_away": len(turned_away), "missed": round(wrong / len(turned_away), 4)}
        told |= {"missed_interval": wilson(wrong, len(turned_away))}
    return told


def wilson(successes: int, trials: int, z: float = 1.959964) -> list[float]:
    """[low, high] of a share, 95 % by default (Wilson, Probable Inference, 1927): right near 0 and 1 too, where z * sigma is not."""
    share, spread = successes / trials, z * z / trials
    middle = share + spread / 2
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return [round((middle - half) / (1 + spread), 4), round((middle + half) / (1 + spread), 4)]


def found_chance(similarity: float, permutations: int, bands: int, rows: int, threshold: float) -> float:
    """The chance that two signatures agree in all rows of some band, and in at least ``threshold`` of all values.

    Each value agrees with probability ``similarity``. The two are no independent events (a band that agrees is a beginning), so that
    the chance is that of enough agreement, less that of enough without a whole band: products of the bands' polynomials.
    """
    least = math.ceil(threshold * permutations - 1e-9)
    part = _agreements(rows, similarity)[:-1]  # by how many values of a band agree, if not all do
    without = _agreements(permutations - bands * rows, similarity)
    for _ in range(bands):
        longer = [0.0] * (len(without) + len(part) - 1)
        for at, one in enumerate(without):
            for beyond, other in enumerate(part):
                longer[at + beyond] += one * other
        without = longer
    return min(1.0, max(0.0, math.fsum(_agreements(permutations, similarity)[least:]) - math.fsum(without[least:])))


def _agreements(values: int, similarity: float) -> list[float]:
    """The chance that 0, 1, … of ``values`` agree."""
    return [math.comb(values, n) * similarity**n * (1 - similarity) ** (values - n) for n in range(values + 1)]


def sets_of(texts: DataFrame, ngram: int, character_ngram: int) -> DataFrame:
    """(id, text) -> (id, shingles), each id once; those shorter than a shingle are left out. 4 bytes for each different shingle."""
    once = texts.select("id", "text").dropDuplicates(["id"])  # copies of a record have one text
    return once.mapInArrow(partial(_sets, ngram=ngram, character_ngram=character_ngram), "id string, shingles binary")


def _sets(batches: Iterator[pa.RecordBatch], *, ngram: int, character_ngram: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        segmented = SegmentWords()(batch)
        found = shingle_sets(segmented["text"], segmented["words"], shingle_lengths(segmented, ngram, character_ngram))
        yield pa.RecordBatch.from_pydict({"id": batch["id"], "shingles": found}).filter(found.is_valid())


def _true(pairs: Sequence[tuple[str, str]], texts: DataFrame, judgement: Judgement) -> dict[tuple[str, str], float]:
    """The Jaccard similarity of each pair, computed in tasks: no text comes to the driver."""
    if not pairs:
        return {}
    ids = sorted({identity for pair in pairs for identity in pair})
    sets = sets_of(texts.where(F.col("id").isin(ids)), judgement.ngram, judgement.character_ngram)
    wanted = texts.sparkSession.createDataFrame(sorted(set(pairs)), "a string, b string")
    ends = wanted.select(F.posexplode(F.array("a", "b")).alias("side", "id"), "a", "b").join(sets, "id")
    both = ends.groupBy("a", "b").agg(*(F.max(F.when(F.col("side") == side, F.col("shingles"))).alias(f"set{side}") for side in (0, 1)))
    rows = both.where("set0 is not null and set1 is not null").mapInArrow(_jaccards, "a string, b string, jaccard double").collect()
    return {(row["a"], row["b"]): row["jaccard"] for row in rows}


def _jaccards(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        sides = ([np.frombuffer(each, "<u4") for each in batch[name].to_pylist()] for name in ("set0", "set1"))
        found = pa.array([jaccard(one, other) for one, other in zip(*sides, strict=True)], pa.float64())
        yield pa.RecordBatch.from_pydict({"a": batch["a"], "b": batch["b"], "jaccard": found})
