"""The corpus of damage through the fused pass: it ends well, what is not damaged has the same bytes, and what is, is accounted for."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpus.engine import curate
from corpus.fused import DOCUMENTS, LEDGER, SplitOutcome, run_split
from corpus.recipe import load
from corpus.sources.listing import examine, find, number_inputs
from corpus.sources.source import InputFile, Split
from corpus.storage import Place
from tests.archives import FORMATS
from tests.damage.made import ARCHIVES, FIFTH, HARMLESS, PAGES
from tests.golden import on_disk, page, ten, warc
from tests.road import assert_accounted, ledger

EXTRACT = load("extract")
URLS = [each.url for each in ten()]


def through(folder: Path, file: InputFile) -> tuple[dict[str, str], list[dict[str, Any]], SplitOutcome]:
    """(text by URL, ledger, what the task says)."""
    outcome = run_split(Split(file, 0, file.size_bytes), EXTRACT, Place(str(folder / "split")))
    texts = {row["url"]: row["text"] for row in pq.read_table(folder / "split" / DOCUMENTS, columns=["url", "text"]).to_pylist()}
    return texts, pq.read_table(folder / "split" / LEDGER).to_pylist(), outcome


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("good")
    return through(folder, on_disk(folder, "a.warc.gz", warc(ten())[0]))[0]


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_with_damage(tmp_path: Path, good: dict[str, str], name: str) -> None:
    file = on_disk(tmp_path, *ARCHIVES[name]())
    texts, rows, outcome = through(tmp_path, file)
    assert {url: texts[url] for url in URLS if url in texts and url != URLS[FIFTH]} == {
        url: good[url] for url in URLS if url != URLS[FIFTH]
    }
    assert set(texts) <= set(URLS)
    rejected = [row for row in rows if row["outcome"]]
    accounted = rejected or outcome.damages or texts.get(URLS[FIFTH]) == good[URLS[FIFTH]]
    assert accounted or name == "the member is empty", "silent"
    assert all(damage["file"] == file.file and 0 <= damage["offset"] <= file.size_bytes for damage in outcome.damages)
    assert outcome.peak_memory_bytes < 3 * 2**30


@pytest.mark.parametrize("name", HARMLESS)
def test_an_archive_that_is_only_odd(tmp_path: Path, good: dict[str, str], name: str) -> None:
    assert through(tmp_path, on_disk(tmp_path, *HARMLESS[name]()))[0] == good


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_damage(tmp_path: Path, good: dict[str, str], name: str) -> None:
    make, readable = PAGES[name]
    bad = make()
    content, _ = warc([*ten()[:5], bad, *ten()[5:]])
    texts, rows, outcome = through(tmp_path, on_disk(tmp_path, "a.warc.gz", content))
    assert {url: text for url, text in texts.items() if url != bad.url} == good
    told = next(row for row in rows if row["url"] == bad.url)
    assert (told["outcome"] is None) == (bad.url in texts)
    if readable is not None:
        assert (bad.url in texts) == readable, told["outcome"]
    if bad.url in texts:
        texts[bad.url].encode()  # no lone surrogate has come through
        assert "\0" not in texts[bad.url]
    assert outcome.damages == ()


def test_truncated_anywhere(tmp_path: Path, good: dict[str, str]) -> None:
    """Every record before the cut, whatever the place; in the ledger or the damages what the cut went through."""
    content, offsets = warc(ten())
    for size in range(1, len(content), len(content) // 23):
        texts, _, outcome = through(tmp_path, on_disk(tmp_path, "a.warc.gz", content[:size]))
        before = sum(offset <= size for offset in [*offsets[1:], len(content)])
        assert texts == {url: good[url] for url in URLS[:before]}
        assert outcome.damages or size in offsets


ODD_NAMES = [
    *(b"with spaces.warc.gz", b"with\nnewline.warc.gz", "Übung 文.warc.gz".encode(), b"quote'\"$(rm).warc.gz", b"-rf.warc.gz"),
    b"no UTF-8 \xff.warc.gz",
]


def odd_files(folder: Path) -> None:
    folder.mkdir()
    for number, name in enumerate(ODD_NAMES):
        with open(os.path.join(os.fsencode(folder), name), "wb") as out:
            out.write(warc([page(f"http://odd.example/{number}", f"<p>A page in a file with the odd name {number}</p>")])[0])


def test_odd_file_names(tmp_path: Path) -> None:
    odd_files(tmp_path / "odd")
    examined = number_inputs([examine(file, EXTRACT.sources) for file in find([str(tmp_path / "odd")])])
    assert sorted(entry.file.file.encode() for entry in examined) == sorted(name.replace(b"\xff", b"\\xff") for name in ODD_NAMES)
    assert {entry.source for entry in examined} == {0}


def test_names_that_are_no_utf8(tmp_path: Path, good: dict[str, str]) -> None:
    """Files, and a folder of them: they are read as any other, and shown with their bytes escaped."""
    folder = os.path.join(os.fsencode(tmp_path), b"in")
    os.makedirs(os.path.join(folder, b"f\xfcr"))
    for name in (b"bad\xff.warc.gz", b"f\xfcr/a.warc.gz", b"plain.warc.gz"):
        with open(os.path.join(folder, name), "wb") as out:
            out.write(warc(ten())[0])
    found = [examine(file, EXTRACT.sources).file for file in find([str(tmp_path / "in")])]
    assert sorted(file.file for file in found) == ["bad\\xff.warc.gz", "f\\xfcr/a.warc.gz", "plain.warc.gz"]
    for number, file in enumerate(found):
        assert through(tmp_path / str(number), file)[0] == good
    one = os.fsdecode(os.path.join(folder, b"bad\xff.warc.gz"))
    assert [file.file for file in find([one])] == ["bad\\xff.warc.gz"]
    assert [file.file for file in find([os.fsdecode(os.path.join(folder, b"f\xfcr"))])] == ["a.warc.gz"]
    assert [file.file for file in find([one.replace("bad", "*")])] == ["bad\\xff.warc.gz"]


def test_all_the_damage_in_one_folder(spark: Any, tmp_path: Path) -> None:
    """One run over every damaged archive, the odd names, and good archives in every format: it ends, and accounts for all."""
    odd_files(tmp_path / "crawl")
    for number, make in enumerate([*ARCHIVES.values(), *HARMLESS.values()]):
        name, content = make()
        (tmp_path / "crawl" / f"{number:02d}-{name}").write_bytes(content)
    for number, form in enumerate(FORMATS.values()):
        name, content = form(ten())
        (tmp_path / "crawl" / f"good-{number:02d}-{name}").write_bytes(content)
    curate(EXTRACT, [str(tmp_path / "crawl")], str(tmp_path / "corpus"), spark=spark)
    assert_accounted(tmp_path / "corpus")
    kept = {row["url"] for row in ledger(tmp_path / "corpus") if row["outcome"] == "kept"}
    assert kept == {*URLS, *(f"http://odd.example/{number}" for number in range(len(ODD_NAMES)))}
    damages = json.loads((tmp_path / "corpus" / "manifest.json").read_bytes())["damages"]
    assert damages["count"] >= 20
    assert {damage["file"][2:3] for damage in damages["listed"]} == {"-"}
