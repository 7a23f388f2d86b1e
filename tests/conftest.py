"""What all tests share: one Spark session, the outside data, and the rule about skips.

Outside data is named here and nowhere else: ``$GRISTMILL_TEST_DATA``, else ``../shared/data`` beside the checkout.
"""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from pyspark.sql import SparkSession

from corpus.demo.crawl import crawl_demo
from corpus.engine import curate
from corpus.recipe import load
from corpus.session import session
from tokenization.encode import encode
from tokenization.train import train_tokenizer

REPOSITORY = Path(__file__).resolve().parent.parent
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# No deadline: the first example of a kernel compiles it. Derandomised: a red test is red again.
settings.register_profile("gristmill", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gristmill")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one session of the test process."""
    place = tmp_path_factory.mktemp("spark")
    made = session(
        "tests",
        "local[2]",
        brief=True,
        **{
            "spark.sql.shuffle.partitions": "4",  # the default of 200 costs seconds for each shuffle of a few rows
            "spark.default.parallelism": "4",
            "spark.driver.memory": "2g",  # tables here are small; the rest of the machine is for Python workers
            "spark.sql.warehouse.dir": str(place / "warehouse"),  # or it lands in the checkout
            "spark.local.dir": str(place / "local"),
            "spark.sql.autoBroadcastJoinThreshold": "-1",  # small tables must take the road of large ones: shuffles and merges
        },
    )
    yield made
    made.stop()


@pytest.fixture(scope="session")
def small_corpus(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The magazine in eight languages, crawled and curated with the recipe `web`; a tenth held out, or two documents would be."""
    folder = tmp_path_factory.mktemp("small")
    crawl_demo(folder / "crawl", pages=0)
    recipe = load("web", overrides=["split_by_cluster.validation=0.05", "split_by_cluster.test=0.05"])
    curate(recipe, [str(folder / "crawl")], str(folder / "corpus"), spark=spark)
    return folder / "corpus"


@pytest.fixture(scope="session")
def small_tokens(spark: SparkSession, small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its tokens, by a BPE tokenizer of 1,024 ids."""
    folder = tmp_path_factory.mktemp("tokens")
    train_tokenizer(str(small_corpus), folder / "tokenizer", kind="bpe", vocabulary=1024)
    encode(str(small_corpus), str(folder / "tokenizer"), str(folder / "tokens"), spark=spark)
    return folder / "tokens"


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """``shared_data("warc")`` -> the folder with that outside data; skips where it is absent."""
    root = Path(os.environ.get("GRISTMILL_TEST_DATA") or REPOSITORY.parent / "shared" / "data")

    def find(name: str) -> Path:
        folder = root / name
        if not folder.is_dir():
            pytest.skip(f"no outside data: {folder} (set GRISTMILL_TEST_DATA)")
        return folder

    return find


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _without_skips((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skips itself whole (importorskip) is reported here."""
    return _without_skips((yield))


def _without_skips(report: Report) -> Report:
    """With GRISTMILL_REQUIRE_ALL a skip is a failure: in CI everything that a test needs is there."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("GRISTMILL_REQUIRE_ALL"):
        report.outcome = "failed"
        report.longrepr = f"skipped although GRISTMILL_REQUIRE_ALL is set: {report.longrepr}"
    return report
