"""Kill -9 in the middle, and the same command again: the bytes of an undisturbed run."""

from pathlib import Path

import pytest

from corpus.demo.crawl import crawl_demo
from corpus.recipe import load
from tests.processes import gristmill, kill_when
from tests.road import assert_accounted, content

SPLIT_BYTES = 100_000  # some ten splits: the magazine's WARCs are about 1 MB


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crawl")
    crawl_demo(folder, pages=0)
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "slow.yaml"
    text = load("web", overrides=[f"warc.split_bytes={SPLIT_BYTES}"]).to_yaml()
    path.write_text(text.replace("corpus:\n", "- tests.steps:Slow\ncorpus:\n", 1))
    return path


@pytest.fixture(scope="module")
def undisturbed(crawl: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "corpus"
    arguments = ["curate", recipe, "--input", crawl, "--output", folder, "--allow", "tests", "--master", "local[2]"]
    ran = gristmill(*arguments, GRISTMILL_TEST_CALLS=str(folder.with_name("calls")))
    assert ran.returncode == 0, ran.stderr
    assert_accounted(folder)
    return folder


def calls(file: Path) -> int:
    """How many batches tests.steps:Slow has seen."""
    return file.stat().st_size if file.exists() else 0


@pytest.mark.parametrize("moment", ["fused pass", "dedup"])
def test_killed_and_resumed(crawl: Path, recipe: Path, undisturbed: Path, tmp_path: Path, moment: str) -> None:
    folder = tmp_path / "corpus"
    work = tmp_path / "corpus.work"
    arguments = ["curate", recipe, "--input", crawl, "--output", folder, "--allow", "tests", "--master", "local[2]"]

    def reached() -> bool:
        if moment == "dedup":
            return any(work.glob("*near_duplicates.parts/compared/_whole.json"))
        return len(list(work.glob("fused/*/done.json"))) >= 2

    kill_when(reached, arguments, {"GRISTMILL_TEST_SLOW": "0.5" if moment == "fused pass" else "0"})
    done = list(work.glob("fused/*/done.json"))
    assert not (folder / "manifest.json").exists()
    if moment == "fused pass":
        splits = -(-max(path.stat().st_size for path in crawl.glob("*.warc.gz")) // SPLIT_BYTES)
        assert 2 <= len(done) < splits * len(list(crawl.glob("*.warc.gz")))
    changed = gristmill(*arguments, "--set", "gopher_quality.min_words=40")
    assert changed.returncode == 2
    assert "the recipe (steps)" in changed.stderr
    assert "--overwrite" in changed.stderr
    ran = gristmill(*arguments, GRISTMILL_TEST_CALLS=str(tmp_path / "calls"))
    assert ran.returncode == 0, ran.stderr
    assert content(folder) == content(undisturbed)
    assert not work.exists()
    again = calls(tmp_path / "calls")
    assert (again == 0) if moment == "dedup" else (0 < again < calls(undisturbed.with_name("calls"))), (
        "work that was done is not done again"
    )
