"""Web archives and tables in one recipe: steps for pages leave alone what comes with its text."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus import document
from corpus.extraction.html import ExtractHtml
from corpus.fused import DOCUMENTS, LEDGER, run_split
from corpus.recipe import from_data
from corpus.rights import ReadRights
from corpus.sources.listing import examine, find
from corpus.sources.source import Split
from corpus.storage import Place
from tests.golden import on_disk, page, warc

STEPS = [
    "block_urls",
    "extract_html",
    "read_rights",
    "normalize_unicode",
    "normalize_whitespace",
    {"identify_language": {"min_score": 0.0}},
]
LINE = {"text": "The mill stands by the river.", "title": "Mill", "license": "CC0-1.0", "date": "2026-01-02T00:00:00Z"}


@pytest.mark.parametrize("keep_rejected", [False, True])
def test_pages_and_lines_in_one_recipe(tmp_path: Path, keep_rejected: bool) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    html = (
        "<html><head><title>Page</title><meta name=robots content=noai></head><body><p>The water turns the wheel all day.</p></body></html>"
    )
    pages = [page("http://x.example/1", html), page("http://x.example/2", html, status="404 Not Found")]
    on_disk(folder, "a.warc", warc(pages, gzip=False)[0])
    (folder / "b.jsonl").write_text(json.dumps(LINE) + "\n" + json.dumps({"text": " "}) + "\n")
    settings = {"name": "both", "sources": ["warc", "jsonl"], "steps": STEPS, "output": {"keep_rejected": keep_rejected}}
    recipe = from_data(settings)
    found = [examine(file, recipe.sources) for file in find([str(folder)])]
    assert [entry.source for entry in found] == [0, 1]
    rows, ledger = [], []
    for number, entry in enumerate(found):
        place = Place(str(tmp_path / f"out-{number}"))
        run_split(Split(entry.file, 0, entry.file.size_bytes, entry.source), recipe, place)
        rows += pq.read_table(f"{place.path}/{DOCUMENTS}").to_pylist()
        ledger += pq.read_table(f"{place.path}/{LEDGER}").to_pylist()
    assert [row["outcome"] for row in ledger] == ["http:status", "rights:noai", "table:no_text", None]
    line = next(row for row in rows if row["source"] == "jsonl")
    assert (line["text"], line["title"], line["license"], line["rights"]) == (LINE["text"], "Mill", "CC0-1.0", None)
    assert line["charset_source"] is None
    assert len(rows) == (2 if keep_rejected else 1)


def test_a_page_with_a_null_payload_beside_a_text_in_one_batch() -> None:
    batch = document.new_batch(
        id=["1", "2"],
        text=[None, "Kept as it is."],
        license=[None, "MIT"],
        payload=pa.array([b"<p>Some words of a page, and some more.</p>", None], pa.binary()),
        media_type=["text/html", None],
        http_charset=pa.nulls(2, pa.string()),
        http_headers=pa.array([[{"name": "link", "value": '<https://creativecommons.org/licenses/by/4.0/>; rel="license"'}], None]),
    )
    read = ReadRights()(ExtractHtml()(batch)).to_pylist()
    assert [row["text"] for row in read] == ["Some words of a page, and some more.", "Kept as it is."]
    assert [row["license"] for row in read] == ["CC-BY-4.0", "MIT"]
    assert [row["rights"] is None for row in read] == [False, True]
