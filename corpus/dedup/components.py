"""Connected components on Spark, by large-star and small-star in turn (Kiveris et al., Connected Components in MapReduce and Beyond, 2014).

No edge comes to the driver: it sees one number a round, and stops when that no longer changes. Rounds grow with the logarithm of
the longest path.

    roots = components(edges, workspace)
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus.step import Workspace

_MAX_ROUNDS = 60  # log2 of any graph that fits on disk, twice over


def components(edges: DataFrame, workspace: Workspace) -> DataFrame:
    """Edges (a, b) of strings, a < b -> (id, root) for every id that is not the least of its component; root is the least."""
    stars = edges.select(F.col("b").alias("u"), F.col("a").alias("v"))  # each edge from the greater to the less
    before = None
    for number in range(_MAX_ROUNDS):
        stars = workspace.materialise(f"stars-{number:02d}", _round(stars))
        state = tuple(stars.agg(F.count("*"), F.bit_xor(F.xxhash64("u", "v"))).first() or ())
        if state == before:
            return stars.select(F.col("u").alias("id"), F.col("v").alias("root"))
        before = state
    raise AssertionError(f"components did not converge in {_MAX_ROUNDS} rounds")


def _round(stars: DataFrame):  # type: ignore[no-untyped-def]
    return lambda: _small_star(_large_star(stars))


def _large_star(stars: DataFrame) -> DataFrame:
    """Every greater neighbour of a node is joined to the least node around it."""
    both = stars.union(stars.select(F.col("v").alias("u"), F.col("u").alias("v")))
    least = both.groupBy("u").agg(F.min("v").alias("m")).select("u", F.least("u", "m").alias("m"))
    return both.join(least, "u").where("v > u").select(F.col("v").alias("u"), F.col("m").alias("v")).distinct()


def _small_star(stars: DataFrame) -> DataFrame:
    """Every lesser neighbour of a node, and the node, are joined to the least of them."""
    least = stars.groupBy("u").agg(F.min("v").alias("m"))
    around = stars.join(least, "u").where("v <> m").select(F.col("v").alias("u"), F.col("m").alias("v"))
    return around.union(least.select("u", F.col("m").alias("v"))).distinct()
