"""The demo's crawl: what a crawler writes, polite, the same again, and personal data in reserved forms only."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from corpus.demo.crawl import crawl_demo
from corpus.errors import GristmillError
from corpus.pii.detect import find
from corpus.pii.kinds import CARD, EMAIL, IBAN, PHONE


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crawl")
    crawl_demo(folder, pages=60)
    return folder


def records(folder: Path) -> list[tuple[str, str, bytes, dict[str, str]]]:
    found = []
    for path in sorted(folder.glob("*.warc.gz")):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream):
                headers = dict(record.rec_headers.headers)
                found.append((record.rec_type, headers.get("WARC-Target-URI", ""), record.content_stream().read(), headers))
    return found


def test_the_archives_are_what_a_crawler_writes(crawl: Path) -> None:
    kinds = Counter(kind for kind, *_ in records(crawl))
    assert {"warcinfo", "request", "response", "revisit", "metadata"} <= set(kinds)
    ids = [headers["WARC-Record-ID"] for *_, headers in records(crawl)]
    assert len(set(ids)) == len(ids)


def test_the_same_again(crawl: Path, tmp_path: Path) -> None:
    crawl_demo(tmp_path, pages=60)

    def digests(folder: Path) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.warc.gz")}

    assert digests(tmp_path) == digests(crawl)
    before = (tmp_path / "crawl.json").stat().st_mtime_ns
    crawl_demo(tmp_path, pages=60)
    assert (tmp_path / "crawl.json").stat().st_mtime_ns == before, "crawled again although it was whole"
    with pytest.raises(GristmillError):
        crawl_demo(tmp_path, pages=61)


def test_robots_are_obeyed(crawl: Path) -> None:
    urls = {url for kind, url, *_ in records(crawl) if kind == "response"}
    robots = [(url, body) for kind, url, body, _ in records(crawl) if kind == "response" and url.endswith("/robots.txt")]
    assert robots
    for url, body in robots:
        for path in re.findall(r"^Disallow: (\S+)$", body.decode(), re.MULTILINE):
            forbidden = url.removesuffix("/robots.txt") + path
            assert not any(other.startswith(forbidden) for other in urls), forbidden


def test_bounded(crawl: Path) -> None:
    documentation = [url for kind, url, *_ in records(crawl) if kind == "response" and "mill.example" not in url]
    assert 0 < len([url for url in documentation if not url.endswith("robots.txt")]) <= 70
    assert json.loads((crawl / "crawl.json").read_text())


def test_no_path_and_no_address_of_this_machine(crawl: Path) -> None:
    for kind, url, body, _ in records(crawl):
        if kind == "response" and b"\0" not in body:
            text = body.decode("utf-8", "replace")
            assert str(Path.home()) not in text or str(Path.home()) == "/root", url
            assert str(Path(__file__).resolve().parents[3]) not in text, url
            assert not re.search(r"\bat 0x[0-9a-f]{8,16}>", text), url


def test_personal_data_is_reserved(crawl: Path) -> None:
    """On the written site: example.com, 555-01xx, test cards, examples of IBANs."""
    seen: Counter[str] = Counter()
    for kind, url, body, _ in records(crawl):
        if kind != "response" or "mill.example" not in url:
            continue
        text = body.decode("utf-8", "ignore")
        for span in find(text):
            value = text[span.start : span.end]
            seen[span.kind] += 1
            if span.kind == EMAIL:
                assert re.search(r"@(?:[\w-]+\.)*example(?:\.com|\.org|\.net)?$", value), (url, value)
            elif span.kind == PHONE:
                assert re.search("555.?01", value), (url, value)
    assert {EMAIL, PHONE, CARD, IBAN} <= set(seen)


def test_the_written_site_has_eight_languages_of_forty_pages(crawl: Path) -> None:
    hosts = Counter(
        url.split("/")[2].split(".")[0]
        for kind, url, body, _ in records(crawl)
        if kind == "response" and "mill.example" in url and len(body) > 500
    )
    assert {code for code, count in hosts.items() if count >= 40} >= {"en", "de", "fr", "es", "ru", "ar", "hi", "zh"}
