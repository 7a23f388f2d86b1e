"""Exact and near-duplicates on Spark, clusters and survivors, against what was planted."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datasketch import LeanMinHash, MinHashLSH
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.dedup.exact import ExactDuplicates, SameRecord
from corpus.dedup.minhash import NearDuplicates, _Compare
from corpus.dedup.survivors import SurvivorRule
from corpus.dedup.urls import UrlDuplicates
from corpus.splits import SplitByCluster
from corpus.work import Work
from tests.corpus.dedup.conftest import SCHEMA, row, with_texts, words

Table = Callable[..., DataFrame]


def decided(frame: DataFrame) -> dict[str, dict[str, Any]]:
    return {each["id"]: each.asDict(recursive=True) for each in frame.collect()}


def test_a_record_met_twice_stays_once(table: Table, work: Work) -> None:
    def at(file: str, **fields: Any) -> dict[str, Any]:
        return row("a", "text", **fields, origin={"input": 0, "file": file, "offset": 7, "record_id": None})

    frame = SameRecord()(table([at("z"), at("b", outcome="http:status", step="warc", value=404.0), at("c"), row("x", "other")]), work)
    outcomes = {(each["id"], each["origin"]["file"]): (each["outcome"], each["duplicate_of"], each["value"]) for each in frame.collect()}
    assert outcomes == {
        ("a", "c"): (None, None, None),  # on the road before rejected, then by origin
        ("a", "z"): ("dedup:same_record", "a", None),
        ("a", "b"): ("dedup:same_record", "a", None),
        ("x", "f"): (None, None, None),
    }


def test_exact_duplicates_keep_the_oldest_of_equals(table: Table, work: Work) -> None:
    rows = [
        row("b", "One two", date=datetime(2024, 1, 1, tzinfo=UTC)),
        row("a", "one  TWO", date=datetime(2025, 1, 1, tzinfo=UTC), characters=7),
        row("c", "one two", outcome="gopher:too_few_words"),
        row("d", "different"),
    ]
    found = decided(ExactDuplicates()(table(rows), work))
    assert (found["b"]["outcome"], found["b"]["duplicate_of"], found["b"]["cluster_id"]) == (None, None, "a")
    assert (found["a"]["outcome"], found["a"]["duplicate_of"], found["a"]["cluster_size"]) == ("dedup:exact", "b", 2)
    assert (found["c"]["outcome"], found["c"]["cluster_id"]) == ("gopher:too_few_words", None)
    assert (found["d"]["outcome"], found["d"]["cluster_id"], found["d"]["cluster_size"]) == (None, "d", 1)


def test_of_one_address_the_newest_page_stays(table: Table, work: Work) -> None:
    rows = [
        row("a", "what it said", url="http://www.example.com/page?utm_source=mail", date=datetime(2024, 1, 1, tzinfo=UTC)),
        row("b", "what it says", url="https://example.com/page/", date=datetime(2025, 1, 1, tzinfo=UTC)),
        row("c", "another", url="https://example.com/page?id=2"),
        row("d", "what it said", url=None),
        row("e", "what it said", url=None),
        row("f", "rejected", url="https://example.com/page", outcome="c4:curly_brace", date=datetime(2026, 1, 1, tzinfo=UTC)),
    ]
    found = decided(UrlDuplicates()(table(rows), work))
    assert {name: (each["outcome"], each["duplicate_of"]) for name, each in found.items()} == {
        "a": ("dedup:same_url", "b"), "b": (None, None), "c": (None, None), "d": (None, None), "e": (None, None),
        "f": ("c4:curly_brace", None),
    }  # fmt: skip


def test_the_rule_of_survivors(table: Table, work: Work) -> None:
    rows = [row("a", "same text"), row("b", "same text", source="wikipedia"), row("c", "same  text")]
    rule = SurvivorRule(sources=("wikipedia",), prefer=("shortest",))
    found = decided(ExactDuplicates(survivor=rule)(table(rows), work))
    assert [name for name in "abc" if found[name]["outcome"] is None] == ["b"]


def test_the_survivor_by_a_signal_then_date_then_length_then_id(table: Table, work: Work) -> None:
    """One criterion more decides in each group: source, signal, date, length, id."""
    early, late = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    groups: dict[str, list[tuple[dict[str, Any], float | None]]] = {
        "source": [({"source": "web", "date": early}, 0.9), ({"source": "wikipedia", "date": late}, 0.1)],
        "signal": [({"date": early}, 0.5), ({"date": early}, None), ({"date": late}, 0.6)],
        "date": [({"date": late, "characters": 99}, 0.5), ({"date": None, "characters": 99}, 0.5), ({"date": early}, 0.5)],
        "length": [({"date": early, "characters": 5}, 0.5), ({"date": early, "characters": 6}, 0.5)],
        "id": [({"date": early, "characters": 5}, 0.5), ({"date": early, "characters": 5}, 0.5)],
    }
    rows, measured = [], []
    for name, members in groups.items():
        for at, (fields, value) in enumerate(members):
            rows.append(row(f"{name}{at}", f"text of {name}", **fields))
            measured.append((f"{name}{at}", "", (value,)))
    work = replace(work, texts=work.spark.createDataFrame(measured, "id string, text string, signals struct<quality_score: double>"))
    rule = SurvivorRule(sources=("wikipedia",), prefer=("highest", "oldest", "longest"), signal="quality_score")
    found = decided(ExactDuplicates(survivor=rule)(table(rows), work))
    assert sorted(name for name, each in found.items() if each["outcome"] is None) == ["date2", "id0", "length1", "signal2", "source1"]
    assert list(found["id0"]) == SCHEMA.names


def planted() -> list[dict[str, Any]]:
    """Three near-copies (one of them also an exact copy of another), a pair, singles, a short text and a rejected one."""
    base, pair = words(1), words(2)
    cut = [*base[:190], *words(3, 10)]
    return [
        row("a1", " ".join(base)),
        row("a2", " ".join(cut)),
        row("a3", " ".join([*base, "more"])),
        row("a4", " ".join(base).upper()),
        row("b1", " ".join(pair)),
        row("b2", " ".join([*pair[:150], "changed", *pair[151:]])),
        *(row(f"s{seed}", " ".join(words(100 + seed))) for seed in range(12)),
        row("t1", "too short"),
        row("r1", " ".join(base), outcome="c4:curly_brace"),
    ]


@pytest.mark.parametrize("partitions", [1, 7])
def test_near_duplicates_and_their_exact_copies_are_one_cluster(table: Table, work: Work, partitions: int) -> None:
    rows = planted()
    order = np.random.default_rng(partitions).permutation(len(rows))
    frame = table([rows[at] for at in order], partitions)
    exact = work.materialise("exact", lambda: ExactDuplicates()(frame, work))
    found = decided(NearDuplicates(threshold=0.7)(exact, work))
    assert len(found) == len(rows)
    summary = {name: (each["outcome"], each["duplicate_of"], each["cluster_id"], each["cluster_size"]) for name, each in found.items()}
    longest = max(("a1", "a2", "a3"), key=lambda name: (found[name]["characters"], name))
    for name in ("a1", "a2", "a3", "a4"):
        outcome, of = (None, None) if name == longest else ("dedup:exact" if name == "a4" else "dedup:near", longest)
        assert summary[name] == (outcome, of, "a1", 4)
    assert {summary["b1"][0], summary["b2"][0]} == {None, "dedup:near"}
    assert summary["b1"][2:] == summary["b2"][2:] == ("b1", 2)
    assert summary["s3"] == (None, None, "s3", 1)
    assert summary["t1"] == (None, None, "t1", 1)
    assert summary["r1"] == ("c4:curly_brace", None, None, None)
    near = next(each for each in found.values() if each["outcome"] == "dedup:near")
    assert near["threshold"] == 0.7
    assert near["value"] >= 0.7


def least_of_component(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    least = {name: name for pair in pairs for name in pair}
    for _ in least:
        for one, other in pairs:
            least[one] = least[other] = min(least[one], least[other])
    return least


@pytest.mark.parametrize(("threshold", "permutations"), [(0.7, 112), (0.5, 64), (0.85, 64), (0.3, 16)])
def test_bands_and_rows_are_those_of_datasketch(threshold: float, permutations: int) -> None:
    index = MinHashLSH(threshold=threshold, num_perm=permutations)
    assert NearDuplicates(threshold=threshold, permutations=permutations).layout() == (index.b, index.r)


def test_pairs_are_those_of_datasketch(table: Table, work: Work) -> None:
    """Of the pairs that MinHashLSH proposes and whose signatures agree beyond the threshold, as many as have their components and bests."""
    draw = np.random.default_rng(5)
    texts = {}
    for family in range(12):
        base = words(family, 60)
        for copy in range(3):
            changed = [word if draw.random() > 0.012 * copy else "x" for word in base]
            texts[f"{family:02d}{copy}"] = " ".join(changed)
    rows = [row(name, text) for name, text in texts.items()]
    step = NearDuplicates(threshold=0.7)
    live = table(rows).select("id", "signature")
    actual = {(each["a"], each["b"]): each["similarity"] for each in step._compared(live, work).where("similarity >= 0.7").collect()}
    index = MinHashLSH(threshold=0.7, num_perm=112)
    assert step.layout() == (index.b, index.r)
    sketches = {each["id"]: LeanMinHash.deserialize(each["signature"], "<") for each in rows}
    for name, sketch in sketches.items():
        index.insert(name, sketch)
    expected = {
        (name, other): sketch.jaccard(sketches[other])
        for name, sketch in sketches.items()
        for other in index.query(sketch)
        if name < other and sketch.jaccard(sketches[other]) >= 0.7
    }
    assert actual == pytest.approx({pair: expected[pair] for pair in actual})
    assert least_of_component(actual) == least_of_component(expected)
    for name in least_of_component(expected):
        assert max(found for pair, found in actual.items() if name in pair) == max(
            found for pair, found in expected.items() if name in pair
        )
    assert len(expected) > len(actual) > 10


def test_a_large_bucket_is_joined_to_representatives() -> None:
    """1,000 copies of three templates in one bucket, all pairs bound at 200: every copy finds its template."""
    draw = np.random.default_rng(7)
    templates = draw.integers(0, 2**32, (3, 112), dtype=np.uint32)
    ids, values = [], []
    for number in range(1000):
        changed = templates[number % 3].copy()
        changed[draw.integers(0, 112, 15)] = draw.integers(0, 2**32, 15)
        ids.append(f"{number:05d}")
        values.append(b"\0" * 13 + changed.astype("<u4").tobytes())
    batch = pa.RecordBatch.from_pydict(
        {"key": pa.array([1] * 1000), "size": pa.array([1000] * 1000), "id": pa.array(ids), "content": pa.array(values)}
    )
    slices = [batch.slice(at, 300) for at in range(0, 1000, 300)]
    compare = _Compare(by_sets=False, threshold=0.7, all_pairs=200, room=20)
    edges = [edge for out in compare(iter(slices)) for edge in out.to_pylist()]
    joined = {edge["b"] for edge in edges}
    recall = len(joined) / 997
    assert recall >= 0.97, f"{recall:.3f} of the planted copies found their template"
    assert all(int(edge["a"]) % 3 == int(edge["b"]) % 3 for edge in edges)


def test_a_hot_bucket_costs_what_its_rows_cost(spark: SparkSession, table: Table, work: Work) -> None:
    """100,000 copies: five billion pairs, of which as many are told as there are copies, and one document stays."""
    copies = 100_000
    columns = [F.format_string("%032d", F.col("id")).alias("id"), F.lit(b"\0" * 13 + b"same" * 4).alias("signature")]
    columns += [F.lit(None).cast(field.dataType).alias(field.name) for field in table([]).schema if field.name not in ("id", "signature")]
    rows = spark.range(copies).select(columns).select(table([]).columns)
    step = NearDuplicates(threshold=0.9, permutations=4, bands=1, rows=4)
    found = step(rows, work).groupBy("outcome", "duplicate_of", "cluster_size").count().collect()
    assert {tuple(each) for each in found} == {(None, None, copies, 1), ("dedup:near", f"{0:032d}", copies, copies - 1)}
    assert work.reread("compared").count() == copies - 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 0.0}, "threshold"),
        ({"bands": 14}, "both"),
        ({"bands": 2, "rows": 56}, "far from the threshold"),  # bands and rows confused
        ({"bands": 14, "rows": 9}, "at most permutations"),
    ],
)
def test_layouts_that_cannot_be_meant(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NearDuplicates(**settings)


def test_the_curve_passes_the_threshold() -> None:
    facts = NearDuplicates(threshold=0.7).facts()
    curve = dict(map(tuple, facts["curve"]))  # type: ignore[call-overload]
    assert curve[0.0] == 0
    assert curve[1.0] == 1
    assert curve[0.5] < 0.5 < curve[0.85]


def test_copies_never_straddle_a_split(table: Table, work: Work) -> None:
    rows = [row(f"{number:04d}", "x", cluster_id=f"{number // 3:04d}") for number in range(600)]
    rows.append(row("rejected", "x", outcome="c4:curly_brace"))
    step = SplitByCluster(validation=0.2, test=0.2)
    found = decided(step(table(rows), work))
    for number in range(600):
        assert found[f"{number:04d}"]["split"] == step.of(f"{number // 3:04d}")
    assert found["rejected"]["split"] is None
    assert {each["split"] for each in found.values()} == {"train", "validation", "test", None}
    assert SCHEMA.names == list(found["rejected"])


def test_real_near_duplicates(table: Table, work: Work, shared_data: Callable[[str], Any]) -> None:
    """1,000 articles with planted near-copies (chrisjmccormick): which of the known pairs are found, and what else."""
    folder = shared_data("dedup") / "chrisjmccormick__MinHash"
    articles = next(folder.rglob("articles_1000.train")).read_text().splitlines()
    truth = {frozenset(line.split()) for line in next(folder.rglob("articles_1000.truth")).read_text().splitlines()}
    rows = [row(*line.split(" ", 1)) for line in articles]
    live = table(rows).select("id", "signature")
    texts = with_texts(work, dict(line.split(" ", 1) for line in articles))
    for step in (NearDuplicates(threshold=0.7), NearDuplicates(threshold=0.7, verify="shingles")):
        compared = step._compared(live, texts).where("similarity >= 0.7")
        pairs = {frozenset((each["a"], each["b"])) for each in compared.collect()}
        assert len(pairs & truth) / len(truth) >= 0.95
        assert len(pairs - truth) <= 2
