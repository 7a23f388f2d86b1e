"""The whole road on the demo's sites: what comes out, and that nothing but the recipe and the input decides it."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from corpus import document, manifest
from corpus.demo.crawl import crawl_demo
from corpus.engine import curate
from corpus.errors import InputError, OutputError, ResumeError
from corpus.recipe import Recipe, from_data, load
from corpus.report.explain import explain
from corpus.storage import Place
from tests.golden import corrupt_member, ten, warc
from tests.road import assert_accounted, content, documents, ledger

# counts.json: the magazine alone (site b) is the same on every machine and Python; its counts move only with the code, and on purpose.


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The magazine, and no page of documentation."""
    folder = tmp_path_factory.mktemp("crawl")
    crawl_demo(folder, pages=0)
    return folder


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load("web", overrides=["split_by_cluster.test=0.1", "output.keep_rejected=true", "warc.split_bytes=200000"])


@pytest.fixture(scope="module")
def corpus(spark: SparkSession, crawl: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "corpus"
    curate(recipe, [str(crawl)], str(folder), spark=spark)
    return folder


def test_every_document_is_accounted_for(corpus: Path) -> None:
    assert_accounted(corpus)
    made = json.loads((corpus / "manifest.json").read_bytes())
    assert made["read"] == sum(outcome["documents"] for outcome in made["outcomes"].values()) == len(ledger(corpus))


def test_the_folder_holds_what_the_house_says(corpus: Path) -> None:
    names = {path.name for path in corpus.iterdir()}
    assert names == {"documents", "ledger", "rejected", "manifest.json", "report.html", "report.json", "README.md", "run.json"}
    assert not corpus.with_name("corpus.work").exists()


def test_frozen_columns(corpus: Path, recipe: Recipe) -> None:
    schema = pq.read_schema(next((corpus / "documents").glob("*.parquet")))
    assert schema.names == [
        "id", "text", "url", "title", "source", "collection", "date", "language", "language_score", "languages", "script", "charset_source",
        "license", "rights", "labels", "origin", "signals", "signature", "cluster_id", "cluster_size", "split",
    ]  # fmt: skip
    ledger_schema = pq.read_schema(next((corpus / "ledger").glob("*.parquet")))
    assert ledger_schema.names == ["id", "url", "origin", "outcome", "failed", "step", "value", "threshold", "duplicate_of"]
    assert ledger_schema.equals(document.ledger_schema())


def test_what_the_demo_plants_is_met(corpus: Path) -> None:
    """One reason at least for each oddity that the magazine holds."""
    outcomes = Counter(row["outcome"] for row in ledger(corpus))
    expected = {
        "http:status", "http:not_text", "http:no_payload", "warc:truncated", "html:no_text", "rights:noindex", "rights:noai",
        "rights:tdm_reserved", "gopher:too_few_words", "toxicity:too_many_words", "dedup:near", "dedup:exact",
    }  # fmt: skip
    assert expected <= set(outcomes), outcomes
    by_url = {row["url"]: row for row in ledger(corpus)}
    assert by_url["http://en.mill.example/noindex.html"]["outcome"] == "rights:noindex"
    assert by_url["http://de.mill.example/angry.html"]["outcome"] == "toxicity:too_many_words"
    languages = Counter(row["language"] for row in documents(corpus))
    assert all(languages[code] >= 40 for code in ("en", "de", "fr", "es", "ru", "ar", "hi", "zh")), languages
    sources = Counter(row["charset_source"] for row in documents(corpus))
    assert {"http", "meta", "detector", "bom"} <= set(sources)


def test_counts_of_each_recipe_on_the_magazine(spark: SparkSession, crawl: Path, corpus: Path, tmp_path: Path) -> None:
    """``web`` on the crawl, ``extract`` on the crawl, and ``text`` on what ``extract`` made."""
    curate(load("extract"), [str(crawl)], str(tmp_path / "extract"), spark=spark)
    curate(load("text"), [str(tmp_path / "extract" / "documents")], str(tmp_path / "text"), spark=spark)
    folders = {"web": corpus, "extract": tmp_path / "extract", "text": tmp_path / "text"}
    counts = {name: dict(sorted(Counter(row["outcome"] for row in ledger(folder)).items())) for name, folder in folders.items()}
    assert counts == json.loads((Path(__file__).parent / "counts.json").read_text())


def test_rejected_documents_are_kept_with_their_signals(corpus: Path) -> None:
    rows = pq.ParquetDataset(corpus / "rejected").read().to_pylist()
    with_text = [row for row in ledger(corpus) if row["outcome"] != "kept"]
    assert 0 < len(rows) <= len(with_text)
    assert all(row["text"] and row["signals"]["words"] is not None for row in rows)


def test_duplicates_never_straddle_a_split(corpus: Path) -> None:
    splits = {row["cluster_id"]: row["split"] for row in documents(corpus)}
    assert set(splits.values()) == {"train", "validation", "test"}


def test_nothing_but_recipe_and_input_decides(
    spark: SparkSession, crawl: Path, recipe: Recipe, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other folder, other order, 7 partitions, and other splits done first: the same bytes."""
    moved = tmp_path / "elsewhere" / "crawl"
    shutil.copytree(crawl, moved)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    try:
        curate(recipe, [str(moved)], str(tmp_path / "corpus"), spark=spark)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert content(tmp_path / "corpus") == content(corpus)


def test_order_of_inputs_and_a_task_that_failed_once(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        pages = [page for page in ten() if name == "x" or page.url[-1] < "4"]
        (tmp_path / name / "a.warc.gz").write_bytes(warc(pages)[0])
    data = load("extract").to_data()
    data["steps"].append("tests.steps:FailsOnce")
    made = from_data(data, allow=["tests"])
    curate(made, [str(tmp_path / "x"), str(tmp_path / "y")], str(tmp_path / "one"), spark=spark)
    marker = tmp_path / "fail"
    marker.touch()
    monkeypatch.setenv("GRISTMILL_TEST_FAIL", str(marker))
    spark.sparkContext.environment["GRISTMILL_TEST_FAIL"] = str(marker)
    try:
        curate(made, [str(tmp_path / "y"), str(tmp_path / "x")], str(tmp_path / "two"), spark=spark)
    finally:
        spark.sparkContext.environment.pop("GRISTMILL_TEST_FAIL")
    assert not marker.exists(), "the task has failed"
    assert content(tmp_path / "one") == content(tmp_path / "two")
    outcomes = Counter(row["outcome"] for row in ledger(tmp_path / "one"))
    assert outcomes == {"kept": 10, "dedup:same_record": 4}


def test_damage_is_in_the_manifest(spark: SparkSession, tmp_path: Path) -> None:
    crawl = tmp_path / "crawl"
    crawl.mkdir()
    whole, offsets = warc(ten())
    (crawl / "bad.warc.gz").write_bytes(corrupt_member(whole, offsets, 2))
    (crawl / "notes.txt").write_text("no archive")
    result = curate(load("extract"), [str(crawl)], str(tmp_path / "corpus"), spark=spark)
    damage = result.manifest["damages"]["listed"][0]
    assert (damage["file"], damage["offset"], damage["what"]) == ("bad.warc.gz", offsets[2], "gzip:corrupt")
    unread = [entry for entry in result.manifest["fingerprint"]["inputs"] if "unread" in entry]
    assert [entry["file"] for entry in unread] == ["notes.txt"]
    assert_accounted(tmp_path / "corpus")


def test_the_same_command_again_does_nothing_and_another_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.warc.gz").write_bytes(warc(ten())[0])
    out = str(tmp_path / "corpus")
    first = curate(load("extract"), [str(tmp_path / "a.warc.gz")], out, spark=spark)
    before = content(tmp_path / "corpus")
    assert not first.resumed
    assert curate(load("extract"), [str(tmp_path / "a.warc.gz")], out, spark=spark).resumed
    with pytest.raises(ResumeError, match=r"the recipe \(steps\)"):
        curate(load("extract", overrides=["extract_html.main_content=false"]), [str(tmp_path / "a.warc.gz")], out, spark=spark)
    (tmp_path / "a.warc.gz").write_bytes(warc(ten()[:5])[0])
    with pytest.raises(ResumeError, match=r"the input \(a.warc.gz\)"):
        curate(load("extract"), [str(tmp_path / "a.warc.gz")], out, spark=spark)
    assert content(tmp_path / "corpus") == before
    again = curate(load("extract"), [str(tmp_path / "a.warc.gz")], out, spark=spark, overwrite=True)
    assert again.manifest["kept"] == 5


def test_what_a_user_can_mend(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("x")
    (tmp_path / "a.warc").write_bytes(b"")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").write_text("precious")
    good = tmp_path / "good.warc.gz"
    good.write_bytes(warc(ten())[0])
    for inputs, output, kind, message in (
        ([tmp_path / "nowhere"], "o", InputError, "no such file or folder"),
        ([tmp_path / "empty"], "o", InputError, "there is no file in it"),
        ([tmp_path / "notes"], "o", InputError, "no readable archive"),
        ([tmp_path / "a.warc"], "o", InputError, "no readable record"),
        ([tmp_path / "*.nothing"], "o", InputError, "nothing matches"),
        ([good], "full", OutputError, "the output folder holds something else"),
        ([good], "good.warc.gz/below", OutputError, "cannot write"),
    ):
        with pytest.raises(kind, match=message):
            curate(load("extract"), [str(path) for path in inputs], str(tmp_path / output), spark=spark)
    assert os.listdir(tmp_path / "full") == ["thesis.doc"]


def test_explain(corpus: Path) -> None:
    rejected = next(row for row in ledger(corpus) if row["outcome"] == "gopher:too_few_words")
    lines = "\n".join(explain(Place(str(corpus)), rejected["url"]).to_lines())
    assert "rejected: gopher:too_few_words in step gopher_quality: measured" in lines
    assert "threshold 50" in lines
    near = next(row for row in ledger(corpus) if row["outcome"] == "dedup:near")
    lines = "\n".join(explain(Place(str(corpus)), near["id"]).to_lines())
    assert f"of {near['duplicate_of']}, which was kept" in lines
    kept = "\n".join(explain(Place(str(corpus)), near["duplicate_of"]).to_lines())
    assert near["id"] in kept
    assert "pass mean_word_length" in kept
    with pytest.raises(InputError, match="no document of this URL or id"):
        explain(Place(str(corpus)), "http://nowhere.example/")


def test_a_table_takes_the_same_road(spark: SparkSession, corpus: Path, tmp_path: Path) -> None:
    """Documents of one corpus as JSON lines and Parquet into another."""
    rows = documents(corpus)[:60]
    with (tmp_path / "a.jsonl").open("w") as lines:
        for row in rows[:30]:
            lines.write(json.dumps({"id": row["id"], "text": row["text"], "url": row["url"]}) + "\n")
        lines.write("this is no JSON\n" + json.dumps({"id": "none"}) + "\n")
    pq.write_table(pq.ParquetDataset(corpus / "documents").read(columns=["id", "text", "url"]).slice(30, 30), tmp_path / "b.parquet")
    result = curate(load("text"), [str(tmp_path / "a.jsonl"), str(tmp_path / "b.parquet")], str(tmp_path / "corpus"), spark=spark)
    assert_accounted(tmp_path / "corpus")
    assert result.manifest["read"] == 61
    assert result.manifest["outcomes"]["table:no_text"]["documents"] == 1
    assert [damage["what"] for damage in result.manifest["damages"]["listed"]] == ["json:bad_line"]
    assert result.manifest["kept"] >= 55


@pytest.mark.parametrize("folder", ["warc", "warc-edge"])
def test_real_archives_through_web(spark: SparkSession, shared_data: Callable[[str], Path], folder: str, tmp_path: Path) -> None:
    result = curate(load("web"), [str(shared_data(folder))], str(tmp_path / "corpus"), spark=spark)
    assert_accounted(tmp_path / "corpus")
    assert result.manifest["read"] > 200 if folder == "warc" else result.manifest["read"] > 50
    assert manifest.read(Place(str(tmp_path / "corpus")))["kept"] == len(documents(tmp_path / "corpus"))
