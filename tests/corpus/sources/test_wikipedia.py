"""Dumps made by another writer of XML and by bzip2 itself: every page once, whatever the splits and the damage."""

import bz2
import gzip
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.fused import run_split
from corpus.recipe import load
from corpus.sources.source import Split
from corpus.sources.wikipedia import WikipediaSource
from corpus.storage import Place
from tests.corpus.sources.reading import accepts, input_file, outcomes, read

ARTICLE = "'''{}''' is a word with \"quotes\" & <b>marks</b>. The river flows to the sea.\n\n== Use ==\nSome use of it.\n[[Category:X]]"


def page(
    number: int,
    text: str = "",
    *,
    title: str = "",
    ns: int = 0,
    redirect: str = "",
    model: str = "wikitext",
    revisions: Sequence[tuple[str, str]] = (),
) -> bytes:
    made = ET.Element("page")
    ET.SubElement(made, "title").text = title or f"Page {number}"
    ET.SubElement(made, "ns").text = str(ns)
    ET.SubElement(made, "id").text = str(number)
    if redirect:
        ET.SubElement(made, "redirect", title=redirect)
    for at, (stamp, words) in enumerate(revisions or [("2026-01-02T03:04:05Z", text or ARTICLE.format(number))]):
        revision = ET.SubElement(made, "revision")
        ET.SubElement(revision, "id").text = str(1000 * number + at)
        ET.SubElement(revision, "timestamp").text = stamp
        contributor = ET.SubElement(revision, "contributor")
        ET.SubElement(contributor, "username").text = "<page>"
        ET.SubElement(revision, "comment").text = "</page> & more"
        ET.SubElement(revision, "model").text = model
        ET.SubElement(revision, "text", {"xml:space": "preserve"}).text = words
    return ET.tostring(made, encoding="utf-8") + b"\n"


HEAD = (
    b'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">\n<siteinfo><sitename>W</sitename>'
    b"<dbname>dewiki</dbname><base>https://de.wikipedia.org/wiki/Hauptseite</base><namespaces>"
    b'<namespace key="6" case="first-letter">Datei</namespace><namespace key="14" case="first-letter">Kategorie</namespace>'
    b"</namespaces></siteinfo>\n"
)
TAIL = b"</mediawiki>\n"


def multistream(pages: list[bytes], each: int = 2) -> bytes:
    groups = [b"".join(pages[at : at + each]) for at in range(0, len(pages), each)]
    return b"".join(map(bz2.compress, [HEAD, *groups, TAIL]))


def test_an_article_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "dewiki-pages-articles.xml"
    path.write_bytes(HEAD + page(7, "Der '''Tee''' ist ein [[Getränk]].[[Datei:A.jpg|mini|Bild]]", title="Tee & Kaffee/Ö") + TAIL)
    assert accepts(path, WikipediaSource())
    [row], log = read(path, WikipediaSource())
    assert row["text"] == "Der Tee ist ein Getränk."
    assert row["title"] == "Tee & Kaffee/Ö"
    assert row["url"] == "https://de.wikipedia.org/wiki/Tee_%26_Kaffee/%C3%96"
    assert (row["language"], row["license"], row["collection"]) == ("de", "CC-BY-SA-4.0", "dewiki")
    assert row["labels"] == [("project", "wikipedia"), ("wiki", "dewiki")]
    assert str(row["date"]).startswith("2026-01-02 03:04:05")
    assert row["origin"] == {"input": 0, "file": path.name, "offset": len(HEAD), "record_id": "7"}
    assert log.damages == []


def test_each_reason(tmp_path: Path) -> None:
    pages = [
        page(1, "Text.", ns=10),
        page(2, "x", redirect="Y"),
        page(3, "#WEITERLEITUNG [[Y]]"),
        page(4, "{{Begriffsklärung}}\n* a"),
        page(5, "* a", title="Liste der Flüsse"),
        page(6, "return {}", model="Scribunto"),
        page(7, "{{only|templates}}"),
        page(8, "x" * 5000),
        page(9),
        page(10)[:300],
    ]
    path = tmp_path / "a.xml"
    path.write_bytes(HEAD + b"".join(pages))
    rows, _ = read(path, WikipediaSource(max_page_bytes=3000))
    reasons = ["other_namespace", "redirect", "redirect", "disambiguation", "list", "not_wikitext", "no_text", "too_large"]
    assert outcomes(rows) == [*(f"wiki:{reason}" for reason in reasons), "ok", "wiki:cut_off"]
    assert rows[0]["failed"][0]["value"] == 10
    kept, _ = read(path, WikipediaSource(keep_lists=True))
    assert outcomes(kept)[4] == "ok"


def test_the_latest_of_many_revisions(tmp_path: Path) -> None:
    history = [("2020-01-01T00:00:00Z", "Old words."), ("2025-01-01T00:00:00Z", "New words."), ("2022-01-01T00:00:00Z", "Between.")]
    path = tmp_path / "history.xml.gz"
    path.write_bytes(gzip.compress(HEAD + page(1, revisions=history) + page(2) + TAIL))
    rows, log = read(path, WikipediaSource())
    assert rows[0]["text"] == "New words."
    assert log.records == {"wiki:older_revision": 2}
    assert len(rows) == 2


@given(st.integers(1, 9), st.integers(1, 4), st.integers(30, 4000), st.sampled_from(["xml", "bz2", "whole.bz2", "cut.bz2"]))
def test_splits_give_every_page_once(tmp_path_factory: pytest.TempPathFactory, count: int, each: int, split_bytes: int, kind: str) -> None:
    pages = [page(number) for number in range(1, count + 1)]
    xml = HEAD + b"".join(pages) + TAIL
    path = tmp_path_factory.mktemp("wiki") / f"a.xml.{kind}"
    cut = range(0, len(xml), 97 * each)  # streams that end within pages and tags, as parallel compressors make them
    content = {
        "xml": xml,
        "bz2": multistream(pages, each),
        "whole.bz2": bz2.compress(xml),
        "cut.bz2": b"".join(bz2.compress(xml[at : at + cut.step]) for at in cut),
    }
    path.write_bytes(content[kind])
    rows, log = read(path, WikipediaSource(split_bytes=split_bytes))
    whole, _ = read(path, WikipediaSource())
    assert rows == whole
    assert [row["origin"]["record_id"] for row in rows] == [str(number) for number in range(1, count + 1)]
    assert len({(row["id"], row["origin"]["offset"]) for row in rows}) == count
    assert outcomes(rows) == ["ok"] * count
    assert log.damages == []


@given(st.integers(1, 7), st.integers(1, 3), st.integers(1, 4000), st.sampled_from(["xml", "bz2", "whole.bz2", "cut.bz2", "gz", "utf16"]))
def test_a_dump_cut_between_pages_is_told(tmp_path_factory: pytest.TempPathFactory, count: int, each: int, size: int, kind: str) -> None:
    """Once, by the reader of the last part alone, at the end of the file; the pages are those that there are."""
    pages = [page(number) for number in range(1, count + 1)]
    path = tmp_path_factory.mktemp("wiki") / f"a.xml.{kind}"
    for tail in (b"", TAIL, TAIL.rstrip()):
        xml = HEAD + b"".join(pages) + tail
        groups = [b"".join(pages[at : at + each]) for at in range(0, len(pages), each)]
        content = {
            "xml": xml,
            "bz2": b"".join(bz2.compress(part) for part in (HEAD, *groups, tail) if part),
            "whole.bz2": bz2.compress(xml),
            "cut.bz2": b"".join(bz2.compress(xml[at : at + 53 * each]) for at in range(0, len(xml), 53 * each)),
            "gz": gzip.compress(xml[:500]) + gzip.compress(xml[500:]),
            "utf16": xml.decode().encode("utf-16"),
        }
        path.write_bytes(content[kind])
        rows, log = read(path, WikipediaSource(split_bytes=max(size, path.stat().st_size // 40)))
        assert outcomes(rows) == ["ok"] * count
        told = [("xml:cut_off", path.stat().st_size, 0)]
        assert [(each.what, each.offset, each.lost_bytes) for each in log.damages] == ([] if tail else told)


@pytest.mark.parametrize(("kind", "what"), [("gz", "gzip:damaged"), ("bz2", "bzip2:damaged")])
def test_a_cut_that_damage_tells_is_told_once(tmp_path: Path, kind: str, what: str) -> None:
    xml = HEAD + b"".join(page(number) for number in range(1, 200)) + TAIL
    whole = gzip.compress(xml) if kind == "gz" else bz2.compress(xml)
    path = tmp_path / f"a.xml.{kind}"
    path.write_bytes(whole[:-20])
    for split_bytes in (1000, 10**6):
        _, log = read(path, WikipediaSource(split_bytes=split_bytes))
        assert [damage.what for damage in log.damages] == [what]


def test_a_real_dump_cut_between_two_streams_is_told(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    """The pages of a real dump in streams as Wikimedia makes them, of twenty-five, in splits of which most end within a stream."""
    xml = bz2.decompress((shared_data("lm-text/tatuylonen__wikitextprocessor") / "test-pages-articles.xml.bz2").read_bytes())
    ends = [found.end() for found in re.finditer(rb"</page>\s*", xml)][24:100:25]
    parts = [bz2.compress(xml[start:end]) for start, end in pairwise([0, *ends])]
    for end, damages in ((b"</mediawiki>\n", []), (b"", ["xml:cut_off"])):
        for name, content in (
            ("a.xml", xml[: ends[-1]] + end),
            ("a.xml.gz", gzip.compress(xml[: ends[-1]] + end, 1)),
            ("a-multistream.xml.bz2", b"".join(parts) + (bz2.compress(end) if end else b"")),
        ):
            (tmp_path / name).write_bytes(content)
            rows, log = read(tmp_path / name, WikipediaSource(split_bytes=len(content) // 7))
            assert len(rows) == 100
            assert [damage.what for damage in log.damages] == damages


def test_utf16(tmp_path: Path) -> None:
    path = tmp_path / "a.xml.bz2"
    path.write_bytes(bz2.compress((HEAD + page(1, "Слово.") + TAIL).decode().encode("utf-16")))
    assert accepts(path, WikipediaSource())
    assert [row["text"] for row in read(path, WikipediaSource())[0]] == ["Слово."]


def test_a_damaged_stream_costs_itself_alone(tmp_path: Path) -> None:
    pages = [page(number) for number in range(1, 11)]
    content = bytearray(multistream(pages))
    third = [at for at in range(len(content)) if content[at : at + 3] == b"BZh"][3]  # pages 5 and 6
    content[third + 30] ^= 255
    path = tmp_path / "a.xml.bz2"
    path.write_bytes(content)
    for split_bytes in (200, 10**6):
        rows, log = read(path, WikipediaSource(split_bytes=split_bytes))
        assert [row["title"] for row in rows if row["text"]] == [f"Page {number}" for number in (1, 2, 3, 4, 7, 8, 9, 10)]
        assert [(damage.what, damage.offset) for damage in log.damages] == [("bzip2:damaged", third)]


def test_entities_and_bombs_are_text(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    body = page(1, "Before MARK after.").replace(b"MARK", b"&b;&f;&#65;&#x42;&#0;")
    path = tmp_path / "a.xml"
    path.write_bytes(bomb + HEAD + body + TAIL)
    [row], _ = read(path, WikipediaSource())
    assert row["text"] == "Before &b;&f;AB\ufffd after."


def test_a_bomb_stops_at_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "a.xml.bz2"
    huge = page(1, "x").replace(b">x<", b">" + b"y" * 60_000_000 + b"<")
    path.write_bytes(bz2.compress(HEAD + huge + page(2) + TAIL))
    rows, _ = read(path, WikipediaSource(max_page_bytes=10**6))
    assert outcomes(rows) == ["wiki:too_large", "ok"]


@pytest.mark.parametrize("kind", ["xml", "gz", "bz2"])
@given(data=st.data())
def test_damaged_bytes_never_raise(tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject) -> None:
    xml = HEAD + b"".join(page(number) for number in range(1, 4)) + TAIL
    content = bytearray({"xml": xml, "gz": gzip.compress(xml), "bz2": multistream([page(1), page(2)])}[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    path = tmp_path_factory.mktemp("wiki") / f"a.{kind}"
    path.write_bytes(content)
    accepts(path, WikipediaSource())
    rows, _ = read(path, WikipediaSource(split_bytes=500))
    assert all((row["text"] is None) == bool(row["failed"]) for row in rows)


WIKTIONARY = {"ok": 1307, "wiki:no_text": 24, "wiki:other_namespace": 52, "wiki:redirect": 6}


def test_real_entries_of_wiktionary(shared_data: Callable[[str], Path]) -> None:
    """Surnames and months are entries there, by the templates that mark lists elsewhere; definitions stay, tables of translations go."""
    rows, _ = read(shared_data("lm-text/tatuylonen__wikitextprocessor") / "test-pages-articles.xml.bz2", WikipediaSource())
    entry = next(row for row in rows if row["title"] == "thesaurus")
    assert (entry["labels"], entry["language"]) == ([("project", "wiktionary"), ("wiki", "enwiktionary")], "en")
    assert entry["url"] == "https://en.wiktionary.org/wiki/thesaurus"
    parts = ["English", "Etymology", "Noun", "- A publication, usually in the form of a book, that provides synonyms", "Synonyms", "Latin"]
    places = [entry["text"].index(part) for part in parts]
    assert places == sorted(places)
    assert "Translations" not in entry["text"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "piskvorky__gensim/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2",
            {"ok": 96, "wiki:redirect": 99, "wiki:disambiguation": 8},
        ),
        ("piskvorky__gensim/bgwiki-latest-pages-articles-shortened.xml.bz2", {"ok": 1, "wiki:other_namespace": 2}),
        ("dkpro__dkpro-jwpl/aawiki-20260101-pages-meta-current.xml.bz2", {"wiki:other_namespace": 505}),
        ("tatuylonen__wikitextprocessor/test-pages-articles.xml.bz2", WIKTIONARY),
    ],
)
def test_real_dumps(shared_data: Callable[[str], Path], tmp_path: Path, name: str, expected: dict[str, int]) -> None:
    path = shared_data("lm-text") / name
    rows, log = read(path, WikipediaSource())
    found: dict[str, Any] = {reason: outcomes(rows).count(reason) for reason in expected}
    assert found == expected
    assert not log.damages
    with bz2.open(path) as stream:
        content = stream.read()
    tag = "<page>".encode("utf-16-le") if content.startswith(b"\xff\xfe") else b"<page>"
    assert len(rows) == content.count(tag)
    for row in rows:
        assert not any(mark in (row["text"] or "") for mark in ("[[", "'''", "<ref"))  # {{ stands in formulas


def test_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "a.xml.bz2"
    text = " ".join(f"The river number {at} flows through the valley and to the sea, and that is where it ends." for at in range(9))
    path.write_bytes(multistream([page(1, text), page(2, "Short.")]))
    recipe = load("wikipedia")
    outcome = run_split(Split(input_file(path), 0, path.stat().st_size), recipe, Place(str(tmp_path / "out")))
    assert outcome.documents == 2
