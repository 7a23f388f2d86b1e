"""Connected components on Spark against union-find in Python."""

import numpy as np
import pytest
from pyspark.sql import SparkSession

from corpus.dedup.components import components
from corpus.work import Work


def reference(edges: set[tuple[str, str]]) -> dict[str, str]:
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for a, b in edges:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return {node: root(node) for node in parent if root(node) != node}


def path(length: int) -> set[tuple[str, str]]:
    order = np.random.default_rng(0).permutation(length)
    return {tuple(sorted((f"{order[at]:04d}", f"{order[at + 1]:04d}"))) for at in range(length - 1)}  # type: ignore[misc]


def random_graph(nodes: int, edges: int) -> set[tuple[str, str]]:
    pairs = np.random.default_rng(1).integers(0, nodes, (edges, 2))
    return {(f"{min(a, b):04d}", f"{max(a, b):04d}") for a, b in pairs if a != b}


@pytest.mark.parametrize(
    "edges",
    [path(120), {("0000", f"{leaf:04d}") for leaf in range(1, 300)} | {("0500", "0501")}, random_graph(400, 260)],
    ids=["path", "star", "random"],
)
def test_equals_union_find(spark: SparkSession, work: Work, edges: set[tuple[str, str]]) -> None:
    frame = spark.createDataFrame(sorted(edges), "a string, b string")
    actual = {row["id"]: row["root"] for row in components(frame, work).collect()}
    assert actual == reference(edges)


def test_no_edges(spark: SparkSession, work: Work) -> None:
    assert components(spark.createDataFrame([], "a string, b string"), work).collect() == []
