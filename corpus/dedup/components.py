"""Connected components on Spark, by large-star and small-star in turn (Kiveris et al., Connected Components in MapReduce and Beyond, 2014).

No edge comes to the driver: it learns after each round only whether anything is left to do. Rounds grow with the logarithm of the
longest path: pairs take none, the near-copies of a crawl one or two, a path of 200 documents seven.

    roots = components(edges, workspace)
"""

from functools import partial

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from corpus.step import Workspace

_MAX_ROUNDS = 60  # log2 of any graph that fits on disk, twice over


def components(edges: DataFrame, workspace: Workspace) -> DataFrame:
    """Edges (a, b) of strings, a < b -> (id, root) for every id that is not the least of its component; root is the least."""
    stars = edges.select(F.col("b").alias("u"), F.col("a").alias("v"))  # each edge from the greater to the less
    for number in range(_MAX_ROUNDS):
        if not _is_tangled(stars):
            return stars.select(F.col("u").alias("id"), F.col("v").alias("root"))
        stars = workspace.materialise(f"stars-{number:02d}", partial(_round, stars))
    raise AssertionError(f"components did not converge in {_MAX_ROUNDS} rounds")


def _is_tangled(stars: DataFrame) -> bool:
    """Whether a node has two lesser neighbours, or one and a greater one. Else every component is a star around its least node."""
    ends = stars.select(F.col("u").alias("node"), F.lit(1).alias("lesser")).union(stars.select("v", F.lit(0)))
    counted = ends.groupBy("node").agg(F.sum("lesser").alias("lesser"), F.count("*").alias("all"))
    return not counted.where("lesser > 1 or (lesser = 1 and all > 1)").isEmpty()


def _round(stars: DataFrame) -> DataFrame:
    """Edges (u, v), v < u, to others that join the same nodes; never more than before."""
    around = Window.partitionBy("u")
    # large-star: every greater neighbour of a node is joined to the least node around it, itself included
    both = stars.union(stars.select(F.col("v").alias("u"), F.col("u").alias("v")))
    least = both.withColumn("m", F.least("u", F.min("v").over(around)))
    large = least.where("v > u").select(F.col("v").alias("u"), F.col("m").alias("v"))
    # small-star: every lesser neighbour of a node, and the node, are joined to the least of them
    least = large.withColumn("m", F.min("v").over(around))
    joined = F.inline(F.array(F.struct(F.col("u"), F.col("m").alias("v")), F.struct(F.col("v").alias("u"), F.col("m").alias("v"))))
    return least.select(joined).where("u <> v").distinct()
