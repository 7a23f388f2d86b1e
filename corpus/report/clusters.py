"""Clusters of duplicates for the report: how many of each size, and a few of them side by side.

clusters(decided, texts) -> {"sizes": {"2": 310, "3": 12}, "examples": [{"cluster_id": …, "kept": …, "duplicate": …}]}
"""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus import document
from corpus.pii.redact import redact_text, redact_url

EXAMPLES = 20
_EXCERPT_CHARACTERS = 1000
_SIZES = 10_000  # distinct sizes listed: more than that many cannot be read anyway


def clusters(decided: DataFrame, texts: DataFrame) -> dict[str, Any]:
    """``decided``: the ledger table with outcomes and clusters; ``texts``: documents by id, before the set steps."""
    kept = decided.where((F.col("outcome") == document.KEPT) & F.col("cluster_size").isNotNull())
    sizes = kept.groupBy("cluster_size").count().orderBy(F.desc("cluster_size")).limit(_SIZES).collect()
    return {"sizes": {str(row["cluster_size"]): row["count"] for row in sorted(sizes)}, "examples": _examples(decided, kept, texts)}


def _examples(decided: DataFrame, kept: DataFrame, texts: DataFrame) -> list[dict[str, Any]]:
    """The 20 clusters with the smallest ids (they are hashes: a fair sample), each by what was kept and its least like duplicate."""
    survivors = (
        kept.where("cluster_size > 1")
        .select("cluster_id", "cluster_size", F.col("id").alias("kept_id"))
        .orderBy("cluster_id")
        .limit(EXAMPLES)
    )
    dropped = decided.where(F.col("outcome").isin("dedup:near", "dedup:exact", "dedup:semantic") & F.col("cluster_id").isNotNull())
    similarity = F.coalesce("value", F.lit(1.0))
    members = dropped.select("cluster_id", F.struct(similarity.alias("similarity"), F.col("id")).alias("member"))
    pairs = (
        survivors.join(members, "cluster_id")
        .groupBy("cluster_id", "cluster_size", "kept_id")
        .agg(F.min("member").alias("member"))
        .collect()
    )
    wanted = [row["kept_id"] for row in pairs] + [row["member"]["id"] for row in pairs]
    beginning = F.substring("text", 1, _EXCERPT_CHARACTERS + 200)  # room for a value that the cut would halve
    found = texts.where(F.col("id").isin(wanted)).select("id", "url", beginning.alias("text")).collect() if wanted else []
    shown = {row["id"]: _shown(row["id"], row["url"], row["text"]) for row in found}
    return [
        {
            "cluster_id": row["cluster_id"],
            "size": row["cluster_size"],
            "similarity": row["member"]["similarity"],
            "kept": shown[row["kept_id"]],
            "duplicate": shown[row["member"]["id"]],
        }
        for row in sorted(pairs)
        if row["kept_id"] in shown and row["member"]["id"] in shown
    ]


def _shown(identity: str, url: str | None, text: str) -> dict[str, Any]:
    return {"id": identity, "url": redact_url(url) if url else None, "excerpt": redact_text(text)[:_EXCERPT_CHARACTERS]}
