"""Common Crawl as a small server on the loopback, which answers with every fault that the real one has."""

import gzip
import http.server
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from corpus.errors import InputError, ResumeError
from corpus.sources.commoncrawl import Selection, fetch
from corpus.sources.download import Remote, _retry_after
from corpus.sources.source import InputFile, ReadLog, Split
from corpus.sources.warc import WarcSource
from jobs.cli import gristmill
from tests.golden import ten, warc

SNAPSHOT = "CC-MAIN-2025-30"
WARC = f"crawl-data/{SNAPSHOT}/segments/1/warc/CC-MAIN-00000.warc.gz"
INDEX = f"cc-index/table/cc-main/warc/crawl={SNAPSHOT}/subset=warc/part-00000.gz.parquet"
PAGES = ten()


def mirror(folder: Path) -> Path:
    """Listings, one archive of ten pages and its index: of the pages 0, 2, 4, … German is the main language, of 1 the second one."""
    content, offsets = warc(PAGES)
    ends = [*offsets[1:], len(content)]
    rows = []
    for number, (page, start, end) in enumerate(zip(PAGES, offsets, ends, strict=True)):
        member = gzip.decompress(content[start:end])
        digest = re.search(rb"WARC-Payload-Digest: sha1:(\w+)", member)
        assert digest
        row = {"url": page.url, "url_host_tld": "example", "url_host_registered_domain": "a.example" if number < 8 else "b.example"}
        row |= {"fetch_status": 404 if number == 6 else 200, "content_mime_detected": "image/png" if number == 8 else "text/html"}
        row |= {"content_languages": "deu" if number % 2 == 0 else "eng,deu" if number == 1 else None, "content_digest": digest[1].decode()}
        rows.append(row | {"warc_filename": WARC, "warc_record_offset": start, "warc_record_length": end - start})
    for path, made in (
        (WARC, content),
        (f"crawl-data/{SNAPSHOT}/warc.paths.gz", gzip.compress(f"{WARC}\n".encode())),
        (
            f"crawl-data/{SNAPSHOT}/cc-index-table.paths.gz",
            gzip.compress(f"{INDEX.replace('warc/part', 'robotstxt/part')}\n{INDEX}\n".encode()),
        ),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(made)
    (folder / INDEX).parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / INDEX, row_group_size=3)
    return folder


@dataclass
class Served:
    url: str
    folder: Path
    faults: dict[str, list[str]] = field(default_factory=dict)  # path -> what its next answers are
    asked: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "mirror").mkdir()
    told = Served("", mirror(tmp_path / "mirror"))

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            path, asked = self.path.lstrip("/"), self.headers.get("Range") or ""
            told.asked.append((path, asked))
            fault = told.faults[path].pop(0) if told.faults.get(path) else ""
            if fault.isdigit():
                self.send_response(int(fault))
                if fault == "429":
                    self.send_header("Retry-After", "7")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if not (told.folder / path).is_file():
                return self.send_error(404)
            content = (told.folder / path).read_bytes()
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
            start, end = (int(found[1]), min(int(found[2] or len(content)) + 1, len(content))) if found else (0, len(content))
            body = bytearray(content[start:end])
            if fault == "flip":
                body[len(body) // 2] ^= 1
            self.send_response(206 if found else 200)
            if found:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            if fault == "short":  # says so honestly, and is too short all the same
                body = body[: len(body) // 2]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if fault == "drop" else body)
            self.close_connection = True

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_port}/"
    yield told
    server.shutdown()
    server.server_close()


def rows(path: Path) -> list[dict[str, Any]]:
    file = InputFile(0, path.name, str(path), path.stat().st_size)
    return [row for batch in WarcSource().read(Split(file, 0, file.size_bytes), ReadLog()) for row in batch.to_pylist()]


GERMAN = Selection(snapshot=SNAPSHOT, languages=("deu",), limit=100)


@pytest.mark.parametrize("local", [False, True])
def test_records_by_language(served: Served, tmp_path: Path, local: bool) -> None:
    """0, 2 and 4: page 6 is no answer of status 200, page 8 no text, and page 1 is English above all."""
    manifest = fetch(GERMAN, str(tmp_path / "out"), Remote(str(served.folder) if local else served.url))
    assert [row["url"] for row in rows(tmp_path / "out" / "records-00000.warc.gz")] == [PAGES[number].url for number in (0, 2, 4)]
    assert [item["url"] for item in manifest["fetched"]] == [PAGES[number].url for number in (0, 2, 4)]
    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes())["fetched"] == manifest["fetched"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.json", "plan.json", "records-00000.warc.gz"]


def test_other_selections(served: Served, tmp_path: Path) -> None:
    def urls(name: str, **selected: Any) -> list[str]:
        fetch(Selection(snapshot=SNAPSHOT, **selected), str(tmp_path / name), Remote(served.url))
        return [row["url"] for row in rows(tmp_path / name / "records-00000.warc.gz")]

    assert urls("a", domains=("b.example",), limit=9) == [PAGES[9].url]
    assert urls("b", tlds=("example",), limit=4) == [page.url for page in PAGES[:4]]
    with pytest.raises(InputError, match="no record of the snapshot"):
        urls("c", languages=("ger",), limit=4)


def test_the_news_have_a_listing_and_no_index(served: Served, tmp_path: Path) -> None:
    """CC-NEWS: a listing for each month, and archives whose names hold their time."""
    name = "crawl-data/CC-NEWS/2025/07/CC-NEWS-20250701000000-00001.warc.gz"
    (served.folder / name).parent.mkdir(parents=True)
    (served.folder / name).write_bytes((served.folder / WARC).read_bytes())
    (served.folder / "crawl-data/CC-NEWS/2025/07/warc.paths.gz").write_bytes(gzip.compress(f"{name}\n".encode()))
    fetch(Selection(snapshot="CC-NEWS/2025/07", limit=1), str(tmp_path / "out"), Remote(served.url))
    assert [row["url"] for row in rows(tmp_path / "out" / name.rpartition("/")[2])] == [page.url for page in PAGES]
    with pytest.raises(InputError, match=r"the server answers 404.*CC-NEWS/2025/07/cc-index-table.paths.gz"):
        fetch(Selection(snapshot="CC-NEWS/2025/07", languages=("deu",), limit=1), str(tmp_path / "none"), Remote(served.url))


@pytest.mark.parametrize("faults", [["429"], ["503", "403"], ["drop"], ["short"], ["429", "503", "drop", "short", "flip"]])
def test_every_fault_is_waited_out(served: Served, tmp_path: Path, faults: list[str]) -> None:
    served.faults = {WARC: list(faults), f"crawl-data/{SNAPSHOT}/cc-index-table.paths.gz": ["503"], INDEX: ["503", "drop"]}
    waits: list[float] = []
    manifest = fetch(GERMAN, str(tmp_path / "out"), Remote(served.url, sleep=waits.append), parallel=1)
    assert len(manifest["fetched"]) == 3
    assert [row["payload"] for row in rows(tmp_path / "out" / "records-00000.warc.gz")] == [PAGES[number].body for number in (0, 2, 4)]
    assert (7.0 in waits) == ("429" in faults), "Retry-After is obeyed"


def test_a_record_that_is_not_what_its_digest_says_is_refused(served: Served, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    table = pq.read_table(served.folder / INDEX).to_pylist()
    table[2]["content_digest"] = "A" * 32
    pq.write_table(pa.Table.from_pylist(table), served.folder / INDEX)
    manifest = fetch(GERMAN, str(tmp_path / "out"), Remote(served.url))
    assert [(item["url"], item["refused"]) for item in manifest["refused"]] == [(PAGES[2].url, "digest")]
    assert [row["url"] for row in rows(tmp_path / "out" / "records-00000.warc.gz")] == [PAGES[0].url, PAGES[4].url]


def test_a_server_that_never_answers_is_one_line(served: Served, tmp_path: Path) -> None:
    served.faults = {WARC: ["403"] * 99}
    with pytest.raises(InputError, match="the server answers 403, 3 times"):
        fetch(GERMAN, str(tmp_path / "out"), Remote(served.url, attempts=3, sleep=lambda _: None))
    with pytest.raises(InputError, match="the server answers 404"):
        fetch(Selection(snapshot="CC-MAIN-1999-01", limit=1), str(tmp_path / "none"), Remote(served.url))


def test_a_killed_download_goes_on(served: Served, tmp_path: Path) -> None:
    """What lies there is not asked for again: neither the index nor records; and of a whole archive only what is missing."""
    served.faults = {WARC: ["", "", "404"]}
    with pytest.raises(InputError):
        fetch(GERMAN, str(tmp_path / "out"), Remote(served.url), parallel=1)
    assert not (tmp_path / "out" / "manifest.json").exists()
    served.asked.clear()
    fetch(GERMAN, str(tmp_path / "out"), Remote(served.url), parallel=1)
    assert [path for path, _ in served.asked] == [WARC]
    with pytest.raises(ResumeError):
        fetch(Selection(snapshot=SNAPSHOT, languages=("eng",), limit=3), str(tmp_path / "out"), Remote(served.url))
    whole = (served.folder / WARC).read_bytes()
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / ".CC-MAIN-00000.warc.gz.part").write_bytes(whole[:500])
    served.asked.clear()
    fetch(Selection(snapshot=SNAPSHOT, limit=1), str(tmp_path / "whole"), Remote(served.url))
    assert (tmp_path / "whole" / "CC-MAIN-00000.warc.gz").read_bytes() == whole
    assert served.asked[-1] == (WARC, f"bytes=500-{len(whole) - 1}")


def test_retry_after() -> None:
    assert _retry_after("12", 1.0) == 12.0
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 1.0) == 0.0
    assert _retry_after("soon", 3.0) == _retry_after(None, 3.0) == 3.0


def test_the_command(served: Served, tmp_path: Path) -> None:
    arguments = ["commoncrawl", "--snapshot", SNAPSHOT, "--languages", "deu", "--limit", "2", "--output", str(tmp_path / "out")]
    ran = CliRunner().invoke(gristmill, [*arguments, "--base-url", served.url])
    assert ran.exit_code == 0, ran.output
    assert "2 fetched, 0 refused" in ran.output
