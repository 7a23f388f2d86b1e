"""Metadata from the scan's tags: the same as from a tree, on pages written for it and on real ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from resiliparse.parse.html import HTMLTree

from corpus.extraction.metadata import PageMetadata, read_marks, read_metadata
from corpus.kernels.markup import scan
from tests.benchmarks.labelled import labelled_pages

URL = "http://a.example/b/c"
PAGES = {
    "all of it": (
        '<html lang="DE-at, x"><title>A &amp;\n B</title><meta name="Robots" content="noai">'
        '<link rel="canonical" href="../d?a=1&amp;copy=2">'
        '<meta property="article:published_time" content="2024-02-29T10:00"><p><a rel="nofollow license" href="http://l/">l</a>',
        PageMetadata("A & B", "http://a.example/d?a=1&copy=2", "2024-02-29", "de-at", (("robots", "noai"), ("license", "http://l/"))),
    ),
    "nothing": ("<p>x", PageMetadata(None, None, None, None, ())),
    "unquoted": (
        "<META NAME=license CONTENT=CC-BY-4.0><HTML LANG=fr>", PageMetadata(None, None, None, "fr", (("license", "CC-BY-4.0"),)),
    ),
    "og:title, JSON-LD": (
        '<meta property="og:title" content="T"><script type="application/ld+json">{"@graph": [{"datePublished": "2020-01-02"}]}</script>',
        PageMetadata("T", None, "2020-01-02", None, ()),
    ),
    "the first time, a date that is none": (
        '<meta name="date" content="2020-02-30"><time>x</time><time datetime="2021-03-04">y</time><time datetime="2022-03-04">z</time>',
        PageMetadata(None, None, "2021-03-04", None, ()),
    ),
    "a title within a picture": ("<body><div><svg><title>no</title></svg></div>", PageMetadata(None, None, None, None, ())),
    "in a comment": ('<!-- <title>no</title> --><script>"<title>no</title>"</script>', PageMetadata(None, None, None, None, ())),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_read_marks(name: str) -> None:
    html, expected = PAGES[name]
    assert read_marks(scan(html.encode()), URL) == expected


@pytest.mark.parametrize("name", PAGES)
def test_a_tree_says_the_same(name: str) -> None:
    html, expected = PAGES[name]
    assert read_metadata(HTMLTree.parse(html), URL) == expected


def test_real_pages(shared_data: Callable[[str], Path]) -> None:
    pages = 0
    for row in labelled_pages(shared_data("html-extraction")):
        if row["set"] == "adbar":
            break  # as many again, and none differs
        pages += 1
        html = row["html"].replace("\0", "")
        assert read_marks(scan(html.encode("utf-8", "replace")), row["url"]) == read_metadata(HTMLTree.parse(html), row["url"]), row["url"]
    assert pages > 500
