"""Nothing that reads or judges a document opens a socket: the fused pass over every source, and every document step, with sockets barred.

Storage that is not local (S3, GCS, HDFS) is Arrow's, which asks the hosts that the user gave; no Python code of ours or of a library
that we call has a reason to reach out.
"""

import io
import json
import socket
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.built_in import BUILT_IN
from corpus.fused import run_split
from corpus.recipe import Recipe, from_data, load
from corpus.sources.source import Split
from corpus.step import DocumentStep
from corpus.storage import Place
from tests.conftest import REPOSITORY
from tests.corpus.sources.reading import input_file
from tests.corpus.sources.test_all_sources import files as all_files
from tests.golden import ten, warc
from tests.processes import gristmill

PROSE = "It was the best of times, and it was the worst of times, the age of wisdom with http://a.example/x.dtd to be seen there."
NEEDS_FILES = {"quality_classifier", "perplexity", "toxicity_classifier", "toxic_sentences", "decontaminate", "leave_out"}  # of the user


@pytest.fixture
def barred(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Sockets that connect or names that are looked up are noted, and refused."""
    met: list[Any] = []

    def refuse(*arguments: Any, **named: Any) -> None:
        met.append(arguments)
        raise OSError("a socket was asked for")

    for name in ("connect", "connect_ex", "sendto"):  # not bind: urllib3, which trafilatura imports, binds to ::1 to see if there is IPv6
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    return met


def test_the_bar_bars(barred: list[Any]) -> None:
    with pytest.raises(OSError, match="a socket was asked for"):
        socket.create_connection(("127.0.0.1", 9))
    assert len(barred) == 1


def run(recipe: Recipe, path: Path, folder: Path) -> dict[str, int]:
    file, head = input_file(path), path.read_bytes()[:4096]
    at = next(at for at, source in enumerate(recipe.sources) if source.accepts(file, head))
    source = recipe.sources[at]
    splits = [Split(file, start, end, at) for start, end in source.splits(file)]
    outcomes = [run_split(split, recipe, Place(str(folder / f"{path.name}-{split.start}"))) for split in splits]
    return {type(source).__name__: sum(outcome.documents for outcome in outcomes)}


def test_every_document_step(barred: list[Any], tmp_path: Path) -> None:
    """Each built-in step that needs no file of the user's, behind those that it reads from, over ten pages."""
    path = tmp_path / "a.warc.gz"
    path.write_bytes(warc(ten())[0])
    first = ["block_urls", "extract_html", "read_rights", "normalize_unicode", "identify_language", "segment_words"]
    met = set()
    for name, place in BUILT_IN.items():
        module, _, kind = place.partition(":")
        if name in NEEDS_FILES or not issubclass(getattr(import_module(module), kind), DocumentStep):
            continue
        steps = first if name in first else [*first, name]
        recipe = from_data({"name": "x", "sources": ["warc"], "steps": steps, "output": {"keep_rejected": True}})
        assert run(recipe, path, tmp_path / name) == {"WarcSource": 10}
        met.add(name)
    assert {"redact_pii", "toxic_words", "require_labels", *first} <= met
    assert not barred


def files(folder: Path) -> list[Path]:
    """One small file for each source of the recipes `company` and `journals`."""
    made = folder / "in"
    made.mkdir()
    types = 'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"'
    word = '<w:document xmlns:w="w"><w:body>' + f"<w:p><w:r><w:t>{PROSE}</w:t></w:r></w:p>" * 9 + "</w:body></w:document>"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types><Override PartName="/word/document.xml" {types}/></Types>')
        archive.writestr("word/document.xml", word)
    doctype = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS" "http://a.example/jats.dtd">'
    contents = {
        "a.docx": packed.getvalue(),
        "a.csv": f"id,text\n1,\"{PROSE}\"\n".encode(),
        "a.jsonl": json.dumps({"text": PROSE}).encode(),
        "a.md": f"# Head\n\n![x](http://a.example/x.png) {PROSE}".encode(),
        "a.html": f"<html><link rel=stylesheet href=http://a.example/x.css><body><p>{PROSE}</p></body></html>".encode(),
        "a.eml": f"From: a@b.example\nSubject: x\nContent-Type: text/html\n\n<img src=http://a.example/x.png><p>{PROSE}</p>".encode(),
        "2024-01-01.json": json.dumps([{"user": "U1", "text": PROSE}]).encode(),
        "a.nxml": f"{doctype}<article><body><p>{PROSE}</p></body></article>".encode(),
        "opinion.json": json.dumps({"case_name": "A v. B", "plain_text": PROSE}).encode(),
    }  # fmt: skip
    for name, data in contents.items():
        (made / name).write_bytes(data)
    pq.write_table(pa.table({"text": [PROSE]}), made / "a.parquet")
    return sorted(made.iterdir())


def test_every_source(barred: list[Any], tmp_path: Path) -> None:
    recipes = {"company": load("company"), "journals": load("journals")}
    read: dict[str, int] = {}
    for path in files(tmp_path):
        recipe = recipes["journals" if path.name in ("a.nxml", "opinion.json") else "company"]
        for name, documents in run(recipe, path, tmp_path).items():
            read[name] = read.get(name, 0) + documents
    assert read == {
        "OfficeSource": 1, "CsvSource": 1, "JsonlSource": 1, "TextFilesSource": 2, "MailSource": 1, "ChatSource": 1, "JournalsSource": 1,
        "OpinionsSource": 1, "ParquetSource": 1,
    }  # fmt: skip
    assert not barred


def test_a_file_for_each_source_of_all_sources(barred: list[Any], tmp_path: Path) -> None:
    """Archives, dumps, papers, books, code: forty files of sixteen sources."""
    recipe, read = load("all_sources"), set()
    for name, (source, data) in all_files().items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        run(recipe, path, tmp_path)
        read.add(source)
    assert read == {source.name for source in recipe.sources}  # type: ignore[attr-defined]
    assert not barred


def test_the_reader_of_pdfs_opens_no_socket_either() -> None:
    """Its child is a process of its own: there the bar is set before PDFium is loaded."""
    pytest.importorskip("pypdfium2")
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise SystemExit('a socket was asked for')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "import pypdfium2 as p, io\n"
        "from corpus.extraction.pdf import read_pdf\n"
        "made = p.PdfDocument.new(); made.new_page(100, 100); out = io.BytesIO(); made.save(out)\n"
        "print(read_pdf(out.getvalue(), 10).fault.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pdf:no_text_layer"


HOOK = """
import os, sys
noted = os.open(os.environ["SOCKETS_MET"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def note(event, asked):
    os.write(noted, f"{os.getpid()} {event} {asked}\\n".encode())
def hook(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        note(event, arguments[1][0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        note(event, arguments[0])
note("began", sys.argv[:1])
sys.addaudithook(hook)
"""


@pytest.mark.long
def test_a_whole_run(tmp_path: Path) -> None:
    """The recipe `company` over a file for each source, with an audit hook in driver and workers: nothing but Spark's own sockets on this
    machine is asked for."""
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    made = [path for path in files(tmp_path) if path.name not in ("a.nxml", "opinion.json")]
    arguments = ["curate", "company", *(part for path in made for part in ("--input", path)), "--output", tmp_path / "corpus"]
    ran = gristmill(*arguments, PYTHONPATH=str(tmp_path), SOCKETS_MET=str(tmp_path / "met"))
    assert ran.returncode == 0, ran.stderr
    met = [line.split(" ", 2) for line in (tmp_path / "met").read_text().splitlines()]
    assert len({process for process, event, _ in met if event == "began"}) >= 2, "the driver, and the daemon whose forks the workers are"
    assert {asked for _, event, asked in met if event != "began"} == {"127.0.0.1"}
