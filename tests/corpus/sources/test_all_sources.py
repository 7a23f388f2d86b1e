"""Every kind of file in one folder: each is read by its own source, judged by the rules for it, and named in one report."""

import gzip
import inspect
import io
import json
import random
import re
import tarfile
import zipfile
from collections import Counter
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from corpus import document, hashing
from corpus.demo.stories import articles, load
from corpus.engine import curate
from corpus.errors import RecipeError
from corpus.fused import LEDGER, run_split
from corpus.recipe import Recipe, from_data
from corpus.recipe import load as load_recipe
from corpus.refilter import Change
from corpus.sources.listing import examine, find
from corpus.sources.source import ReadLog, Split
from corpus.step import FusedPass
from corpus.storage import Place
from tests.archives import wacz
from tests.conftest import REPOSITORY
from tests.corpus.sources import test_arxiv, test_books, test_journals, test_wikipedia
from tests.golden import page, warc
from tests.road import assert_accounted, documents, ledger
from tests.steps import DropShouting

CODE = '"""Turns the wheel."""\n\n\ndef turn(times: int) -> list[int]:\n    return [{0: time}[0] for time in range(times)]\n'


def stories(count: int) -> list[str]:
    return ["\n\n".join(paragraphs) for _, _, paragraphs in articles(load("en"), count, random.Random("all sources"))]


def zipped(files: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.encode())
            archive.addfile(info, io.BytesIO(content.encode()))
    return out.getvalue()


def parquet(**columns: list[str]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def pdf(text: str) -> bytes:
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    out = io.BytesIO()
    made = canvas.Canvas(out, invariant=1)
    for number, sentence in enumerate(text.replace("\n\n", " ").split(". ")):
        made.drawString(40, 800 - 16 * number, f"{sentence}.")
    made.save()
    return out.getvalue()


def docx(text: str) -> bytes:
    made = pytest.importorskip("docx").Document()
    for paragraph in text.split("\n\n"):
        made.add_paragraph(paragraph)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def mail(text: str) -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ann <ann@example.com>", "Ben <ben@example.com>", "The mill"
    made.set_content(text)
    return made.as_bytes()


def html(text: str) -> str:
    return "<html><body><article>" + "".join(f"<p>{each}</p>" for each in text.split("\n\n")) + "</article></body></html>"


def files() -> dict[str, tuple[str, bytes]]:
    """Name -> (the source that is to read it, content)."""
    told = iter(stories(40))
    jats = test_journals.ARTICLE.replace("Mice &alpha; matter.", next(told))
    opinion = lambda: json.dumps({"id": 1, "case_name": "A v. B", "plain_text": next(told)})  # noqa: E731
    slack = lambda: json.dumps([{"user": "U1", "ts": "1", "text": next(told)}])  # noqa: E731
    tex = "\\documentclass{article}\n\\begin{document}\n" + "{}" + "\n\\end{document}\n"
    wiki = test_wikipedia.HEAD + test_wikipedia.page(1, next(told)) + test_wikipedia.TAIL
    marks = "*** {} OF THE PROJECT GUTENBERG EBOOK MILL ***"
    gutenberg = f"The Project Gutenberg eBook of Mill\n\n{marks.format('START')}\n\n{next(told)}\n\n{marks.format('END')}\n"
    book = {"META-INF/container.xml": test_books.CONTAINER, "EPUB/content.opf": test_books.OPF, **test_books.PAGES}
    epub = io.BytesIO()
    with zipfile.ZipFile(epub, "w") as archive:
        for name, content in {"mimetype": "application/epub+zip", **book}.items():
            archive.writestr(name, content)
    return {
        "crawl.warc.gz": ("web", warc([page("http://a.example/1", html(next(told)))])[0]),
        "pages.wacz": ("web", wacz({"archive/a.warc.gz": warc([page("http://a.example/2", html(next(told)))])[0]})),
        "pages.zip": ("web", wacz({"archive/a.warc.gz": warc([page("http://a.example/3", html(next(told)))])[0]})),
        "dewiki-pages-articles.xml": ("wikipedia", wiki),
        "dewiki.xml.gz": ("wikipedia", gzip.compress(wiki)),
        "2401.01234v1.tar.gz": ("arxiv", tarred({"ms.tex": tex.replace("{}", next(told), 1)})),
        "hep-th0001002.gz": ("arxiv", gzip.compress(tex.replace("{}", next(told), 1).encode())),
        "arXiv_src_0001_001.tar": ("arxiv", test_arxiv.tar(test_arxiv.bulk())),
        "2401.01235.pdf": ("pdf", pdf(next(told))),
        "report2024010.pdf": ("pdf", pdf(next(told))),
        "papers.tar.gz": ("pdf", test_arxiv.paper({"one.pdf": pdf(next(told))})),
        "mill.zip": ("github", zipped({"mill-1/": "", "mill-1/.gitignore": "*.o\n", "mill-1/wheel.py": CODE})),
        "mill-2024.0101.tar.gz": ("github", tarred({"mill-1/PKG-INFO": "Name: mill\n", "mill-1/wheel2.py": CODE + "\n# 2\n"})),
        "wheel3.py": ("github", (CODE + "\n# %PDF-1.4 <article> 3\n").encode()),
        "CMakeLists.txt": ("github", b"project(mill)\nadd_library(mill wheel.c)\ninstall(TARGETS mill)\n"),
        "stack.parquet": ("code_parquet", parquet(content=[inspect.getsource(hashing)], path=["a.py"], repo_name=["a/b"], license=["mit"])),
        "texts.parquet": ("parquet", parquet(text=[next(told)])),
        "mill.epub": ("books", epub.getvalue()),
        "book.zip": ("books", epub.getvalue()),
        "pg1.txt": ("books", gutenberg.encode()),
        "PMC1234567.xml": ("journals", jats.encode()),
        "PMC1234567.tar.gz": ("journals", tarred({"PMC1234567/fig.jpg": "x", "PMC1234567/a.nxml": jats.replace("10.1/x", "10.1/y")})),
        "pmc1234568.tar.gz": ("journals", tarred({"a.nxml": jats.replace("10.1/x", "10.1/z")})),
        "articles.zip": ("journals", zipped({"a.xml": jats.replace("10.1/x", "10.1/u")})),
        "one.json": ("opinions", opinion().encode()),
        "opinions-2024010.jsonl.gz": ("opinions", gzip.compress(opinion().encode() + b"\n")),
        "volume.zip": ("opinions", zipped({"json/0001-01.json": opinion()})),
        "volume.tar.gz": ("opinions", tarred({"a/x.json": opinion()})),
        "slack.zip": ("chat", zipped({"users.json": "[]", "general/2024-01-02.json": slack()})),
        "general/2024-01-03.json": ("chat", slack().encode()),
        "lines.jsonl": ("jsonl", json.dumps({"text": next(told) + " case_name: A v. B"}).encode() + b"\n"),
        "lines-2024010.jsonl.gz": ("jsonl", gzip.compress(json.dumps({"text": next(told)}).encode())),
        "letter.docx": ("office", docx(next(told))),
        "letter.zip": ("office", docx(next(told))),
        "note.eml": ("mail", mail(next(told))),
        "all.mbox": ("mail", b"From ann@example.com Tue Jan  2 10:00:00 2024\n" + mail(next(told))),
        "rows.csv": ("csv", ("id,text\n1,\"" + next(told).replace('"', "'") + '"\n').encode()),
        "sales-2024010.csv.gz": ("csv", gzip.compress(("id,text\n1,\"" + next(told).replace('"', "'") + '"\n').encode())),
        "plain.txt": ("text_files", next(told).encode()),
        "README.md": ("text_files", b"# Mill\n\n" + next(told).encode()),
        "page.html": ("text_files", html(next(told)).encode()),
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("all")
    for name, (_, content) in files().items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_bytes(content)
    (made / "package.json").write_text('{\n  "name": "mill"\n}\n')  # no lines of JSON: nobody's
    return made


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe("all_sources", overrides=["split_by_cluster.test=0.2"])


def test_each_kind_is_read_by_its_own_source(folder: Path, recipe: Recipe) -> None:
    names = [source.name for source in recipe.sources]  # type: ignore[attr-defined]
    found = {entry.file.file: entry for entry in (examine(file, recipe.sources) for file in find([str(folder)]))}
    told = {name: names[entry.source] if entry.source >= 0 else None for name, entry in found.items()}
    assert told == {name: source for name, (source, _) in files().items()} | {"package.json": None}
    assert set(told.values()) == {*names, None}


COLUMNS = ("url", "title", "date", "language", "license", "collection", "charset_source")


def test_columns_that_readme_tells_of(folder: Path, recipe: Recipe) -> None:
    """Every source has its line, and fills nothing that stands not there: columns, and labels by their names."""
    table = (REPOSITORY / "README.md").read_text().partition("columns filled by the source")[2].partition("\n\n")[0]
    told: dict[str, set[str]] = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            _, names, columns, _ = line.split("|")
            told |= {name.strip(" `"): set(re.findall(r"`(\w+)`", columns)) for name in names.split(",")}
    told["web"] = told.pop("warc")
    assert set(told) == {source.name for source in recipe.sources}  # type: ignore[attr-defined]
    for entry in (examine(file, recipe.sources) for file in find([str(folder)])):
        if entry.source >= 0:
            source: Any = recipe.sources[entry.source]
            for start, end in source.splits(entry.file):
                for batch in source.read(Split(entry.file, start, end), ReadLog()):
                    for row in batch.to_pylist():
                        filled = {name for name in COLUMNS if row[name] is not None} | {name for name, _ in row["labels"] or ()}
                        assert filled <= told[source.name], (entry.file.file, filled - told[source.name])


def test_the_fused_pass_accounts_for_every_document(folder: Path, recipe: Recipe, tmp_path: Path) -> None:
    rows = []
    for number, entry in enumerate(examine(file, recipe.sources) for file in find([str(folder)])):
        if entry.source < 0:
            continue
        place = Place(str(tmp_path / str(number)))
        [(start, end)] = recipe.sources[entry.source].splits(entry.file)
        outcome = run_split(Split(entry.file, start, end, entry.source), recipe, place)
        assert not outcome.damages_count, (entry.file.file, outcome.damages)
        rows += pq.read_table(f"{place.path}/{LEDGER}").to_pylist()
    kept = Counter(row["source"] for row in rows if row["outcome"] is None)
    names = {source.name for source in recipe.sources}  # type: ignore[attr-defined]
    reasons = Counter((row["source"], row["outcome"]) for row in rows if row["outcome"])
    assert set(kept) == names, (kept, reasons)
    assert not [
        code for source, code in reasons if source in ("github", "code_parquet", "arxiv") and code.startswith(("c4", "gopher", "fine"))
    ]


def test_one_corpus_and_one_report(spark: SparkSession, folder: Path, recipe: Recipe, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    made = load_recipe("all_sources", overrides=["split_by_cluster.test=0.2", "output.keep_rejected=true"])
    curate(made, [str(folder)], str(corpus), spark=spark)
    assert_accounted(corpus)
    report = json.loads((corpus / "report.json").read_bytes())
    told = {row["name"]: row for row in report["sources"]}
    rows = ledger(corpus)
    assert set(told) == {source.name for source in recipe.sources}  # type: ignore[attr-defined]
    assert sum(row["read"] for row in told.values()) == len(rows)
    assert sum(row["kept"] for row in told.values()) == len(documents(corpus)) == Counter(row["outcome"] for row in rows)["kept"]
    assert told["code_parquet"]["licenses"] == [{"name": "MIT", "documents": 1}]
    assert told["web"]["licenses"] == [{"name": "", "documents": told["web"]["kept"]}]
    assert "CC-BY-NC-4.0 <small>" in (corpus / "report.html").read_text()
    code = next(row for row in documents(corpus) if row["title"] == "wheel3.py")
    assert code["text"] == CODE + "\n# %PDF-1.4 <article> 3\n"
    assert code["signals"]["hash_ratio"] is None
    assert code["signals"]["code_lines"] == 7
    assert [each.field for each in Change.of(str(corpus), ["gopher_quality.min_words=60"]).moved] == ["min_words"]
    with pytest.raises(RecipeError, match="no threshold of a filter"):
        Change.of(str(corpus), ["gopher_quality.sources=[web]"])


def test_a_step_that_sees_some_sources() -> None:
    batch = document.new_batch(id=["1", "2", "3"], text=["LOUD", "quiet", "LOUD"], source=["a", "b", None])
    found = pa.Table.from_batches(
        [part.select(["id", "failed"]) for part in FusedPass([DropShouting(max_upper=0.5, sources=("a",))])(batch)]
    ).to_pylist()
    assert {row["id"]: bool(row["failed"]) for row in found} == {"1": True, "2": False, "3": False}


def test_limits_that_cannot_be() -> None:
    base = {"name": "x", "sources": ["jsonl", "csv"]}
    for steps, told in (
        ([{"normalize_unicode": {"sources": ["jsonlines"]}}], "no source of the recipe is called 'jsonlines'.*did you mean 'jsonl'"),
        ([{"segment_words": {"sources": ["csv"]}}], "adds 'words' for later steps"),
        (["segment_words", {"gopher_quality": {"sources": ["csv"]}}, "gopher_quality"], "two steps measure"),
    ):
        with pytest.raises(RecipeError, match=told):
            from_data(base | {"steps": steps})
    from_data(base | {"steps": ["segment_words", {"gopher_quality": {"sources": ["csv"]}}, {"gopher_quality": {"sources": ["jsonl"]}}]})
