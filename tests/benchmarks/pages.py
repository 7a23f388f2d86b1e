"""Real pages as WARCs, and their texts: what the benchmarks read.

folder, documents = warcs(copies=5)
texts()
"""

import gzip
import io
import json
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import xxhash
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from tests.benchmarks.sides import BUILD, curate, outside, spent

FILES = 4
_TEXT = re.compile(rb">[^<>]+<")
_WORD = re.compile(rb"[A-Za-z]{4,20}")
_CHANGED = 4  # one word in so many: of 5 words in turn a quarter stay as they were, and no copy is a near-duplicate


def warcs(copies: int) -> tuple[Path, int]:
    """All pages in FILES WARCs, ``copies`` times under other URLs and with other words; the folder and the number of pages."""
    folder = BUILD / f"pages-{copies}"
    done = folder.with_suffix(".json")
    if not done.exists():
        pages = outside("html-extraction")
        print(f"packing the pages of {pages} {copies} times …", flush=True)
        done.write_text(json.dumps(pack(pages, folder, FILES, copies)))
    return folder, int(done.read_text())


def one_warc(copies: int) -> tuple[Path, int]:
    """The same in one file: members of gzip may be put one after another."""
    folder, documents = warcs(copies)
    whole = BUILD / f"whole-{copies}.warc.gz"
    size = sum(part.stat().st_size for part in folder.iterdir())
    if whole.exists() and whole.stat().st_size == size:
        return whole, documents
    with whole.open("wb") as out:
        for part in sorted(folder.iterdir()):
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, out)
    return whole, documents


def texts() -> Path:
    """Parquet with the texts of all pages, rejected ones too: what filters and signatures are measured on."""
    folder = BUILD / "texts"
    if not (folder / "manifest.json").exists():
        print("extracting the pages' texts …", flush=True)
        spent(curate("extract", warcs(1)[0], folder))
    return folder / "documents"


def pack(pages: Path, folder: Path, files: int, copies: int = 1) -> int:
    """All HTML files below ``pages`` (plain or gzip), dealt over ``files`` WARCs; returns how many records were written."""
    folder.mkdir(parents=True, exist_ok=True)
    found = sorted(path for path in pages.rglob("*.htm*") if path.is_file() and path.stat().st_size)
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_pack, pages, folder, found, files, copies), range(files)))
    return len(found) * copies


def _pack(pages: Path, folder: Path, found: list[Path], files: int, copies: int, number: int) -> None:
    with (folder / f"{number}.warc.gz").open("wb") as out:
        writer = WARCWriter(out, gzip=True)
        for at, path in enumerate(found[number::files]):
            body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            for copy in range(copies):
                url = f"http://bench.example/{copy}/{path.relative_to(pages)}"
                _write(writer, url, f"{number}:{at}:{copy}", _perturbed(body, copy))


def _write(writer: WARCWriter, url: str, number: str, body: bytes) -> None:
    http = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
    headers = {"WARC-Record-ID": f"<urn:bench:{number}>", "WARC-Date": "2026-01-01T00:00:00Z"}
    record = writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=http, warc_headers_dict=headers)
    writer.write_record(record)


def _perturbed(html: bytes, copy: int) -> bytes:
    """Of the words between tags some, by hash, become other words of the page: language and length stay what they were."""
    if not copy:
        return html
    words = sorted({word for text in _TEXT.findall(html) for word in _WORD.findall(text)})

    def other(found: re.Match[bytes]) -> bytes:
        place = xxhash.xxh3_64_intdigest(found.group() + b"%d" % found.start(), seed=copy)
        return words[(place // _CHANGED) % len(words)] if place % _CHANGED == 0 else found.group()

    return _TEXT.sub(lambda text: _WORD.sub(other, text.group()), html)
