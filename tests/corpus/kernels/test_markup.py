"""The scanner against plain Python, on pages that no one would write, and on golden ones."""

import html
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.entities import reference, reference_table
from corpus.kernels.markup import MAX_DEPTH, scan
from corpus.kernels.page_layout import DEPTH, HIDDEN, LINK_UNITS, NODE, PARENT, TAG
from corpus.kernels.tags import NAMES, NUMBERS
from tests.corpus.kernels.plain_markup import plain_scan

NAMED = (
    "a b span p div li ul ol dl dt dd table tbody tr td th h1 h2 br hr pre section main head body html title script style svg select "
    "option button template x-y blink textarea iframe caption "
    "optgroup noscript"
)
tags = st.sampled_from(NAMED.split())
attribute = st.sampled_from(
    [
        "",
        " class=a",
        " id='x>y'",
        ' title="<p>"',
        " hidden",
        " style='display: none'",
        "/",
        " a=b/",
        " =c",
        ' class="',
        " STYLE=visibility:hidden",
    ]
)
piece = st.one_of(
    st.builds(lambda tag, more: f"<{tag}{more}>", tags, attribute),
    st.builds(lambda tag, more: f"</{tag}{more}>", tags, st.sampled_from(["", " ", " x", "'"])),
    st.sampled_from([
        "text", " ", "\n", "a b", "&amp;", "&notit;", "&#150;", "&nbsp;", "\xa0", "我", "<!-- x -->", "<!-->", "<!doctype html>", "<?xml?>",
        "<![CDATA[x]]>", "</>", "< ", "<", "&", "<3", "\r\n", "\t", "\0", "<a", "</", "<!--", "--!>", "<p", ">", '"', "é", "😀",
    ]),
)  # fmt: skip
pages = st.lists(piece, max_size=40).map("".join)


def seen(data: bytes) -> tuple[list[tuple[int, ...]], list[tuple[str, int, int]]]:
    page = scan(data)
    elements = [tuple(row) for row in page.nodes[:, [PARENT, TAG, DEPTH, HIDDEN]].tolist()]
    blocks = [(page.block_text(at), int(page.blocks[at, NODE])) for at in range(len(page.blocks))]
    return elements, [(*pair, int(page.blocks[at, LINK_UNITS])) for at, pair in enumerate(blocks)]


def expected(data: bytes) -> tuple[list[tuple[int, ...]], list[tuple[str, int, int]]]:
    walk = plain_scan(data)
    return [(each.parent, NUMBERS[each.name], each.depth, int(each.hidden)) for each in walk.elements], walk.blocks


@given(pages)
def test_equals_plain_python(page: str) -> None:
    assert seen(page.encode()) == expected(page.encode())


@given(st.binary(max_size=80) | st.lists(st.sampled_from(b"<>/!-=\"'& apd\n\0\xc2\xa0"), max_size=60).map(bytes))
def test_any_bytes(data: bytes) -> None:
    """Never out of bounds: on bytes that are no page at all, elements and blocks refer to what is there."""
    page = scan(data)
    assert (page.blocks[:, 0] < page.blocks[:, 1]).all()
    assert (np.diff(page.blocks[:, :2].ravel()) >= 0).all()
    assert (page.nodes[1:, PARENT] < np.arange(1, len(page.nodes))).all()
    assert page.blocks[:, NODE].max(initial=0) < len(page.nodes)


@given(
    st.lists(
        st.sampled_from(["&", "#", "x", "amp", ";", "lt", "not", "it", "notin", "1", "5", "9", "D800", "ff", "1114112", " ", "a", "é"]),
        max_size=8,
    ).map("".join)
)
def test_references_equal_the_library(text: str) -> None:
    data, (keys, codes) = np.frombuffer(text.encode(), np.uint8), reference_table()
    told, at = bytearray(), 0
    while at < len(data):
        after, first, second = reference(data, at, len(data), keys, codes) if data[at] == 38 else (at, 0, 0)
        told += "".join(chr(code) for code in (first, second) if code).encode() if after > at else data[at : at + 1].tobytes()
        at = max(after, at + 1)
    assert told.decode() == html.unescape(text)


def test_every_reference_by_name() -> None:
    for name, characters in html.entities.html5.items():
        if not characters.isspace():
            page = scan(f"<p>&{name} z".encode())
            assert page.block_text(0) == f"{characters} z", name


def test_no_text_is_longer_than_the_room_made_for_it() -> None:
    longest = max(html.entities.html5, key=lambda name: len(html.entities.html5[name].encode()) / (len(name) + 1))
    page = scan(b"<p>" + f"&{longest}".encode() * 10_000)
    assert page.block_text(0) == html.entities.html5[longest] * 10_000


GOLDEN = {
    "implied ends": ("<ul><li>one<li>two <b>bold</b></ul><p>a<p>b", [("li", "one"), ("li", "two bold"), ("p", "a"), ("p", "b")]),
    "a table": ("<table><tr><th>k<td>v<tr><td>1<td>2</table>", [("th", "k"), ("td", "v"), ("td", "1"), ("td", "2")]),
    "terms": ("<dl><dt>t<dd>d<dt>u<dd>e</dl>", [("dt", "t"), ("dd", "d"), ("dt", "u"), ("dd", "e")]),
    "white space of code": ("<pre>\ndef f():\n    return 1\n</pre>", [("pre", "def f():\n    return 1")]),
    "white space of prose": ("<p>\n  one \t two\n<b> three</b> </p>", [("p", "one two three")]),
    "no white space within a word": ("<p>H<sub>2</sub>O", [("p", "H2O")]),
    "line breaks": ("<div>a<br>b<br><br>c</div>", [("div", "a\nb"), ("div", "c")]),
    "raw text": ("<script>if (a<b) '</p>'</script><p>x<style>p>a{}</style>y", [("p", "xy")]),
    "a script that never ends": ("<p>x<script>var a = '<p>no</p>'", [("p", "x")]),
    "comments": ("<p>a<!-- <p>no --><!-->b<!--->c", [("p", "abc")]),
    "a quoted end": ('<p title="a>b" class=x>c', [("p", "c")]),
    "references": ("<p>&lt;b&gt; &eacute;&#x41;&#66; &copy 2 &unknown; &", [("p", "<b> éAB © 2 &unknown; &")]),
    "no element at all": ("just text &amp; more", [("html", "just text & more")]),
    "head": ("<head><title>no</title><meta x><p>yes", [("p", "yes")]),
    "options": ("<select><option>no<option>no</select><p>yes", [("p", "yes")]),
    "an end tag beyond its cell": ("<div><table><tr><td>a</div>b</table>c</div>", [("td", "a"), ("td", "b"), ("div", "c")]),
    "nested lists": ("<ul><li>a<ul><li>b</ul><li>c</ul>", [("li", "a"), ("li", "b"), ("li", "c")]),
    "upper case": ("<DIV CLASS=X>a<BR>b</DIV>", [("div", "a\nb")]),
    "custom elements": ("<my-card>a</my-card>b", [("custom", "a"), ("html", "b")]),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    source, wanted = GOLDEN[name]
    page = scan(source.encode())
    assert [(NAMES[page.nodes[row[NODE], TAG]], page.block_text(at)) for at, row in enumerate(page.blocks)] == wanted


@pytest.mark.parametrize(
    "page",
    [
        b"<" * 2**20, b"<a " * 200_000, b"<!--" * 200_000, b"</" * 400_000, b"&" * 2**20, b"<p><b>" * 100_000, b"<table><tr><td>" * 60_000,
        b"<li><div>" * 100_000, b"</div>" * 150_000, b"<div>" * 400 + b"</p></b></li></td>" * 40_000, b"<a x='" * 100_000,
        b"<script>" * 100_000,
        b"<a><div>" * 100_000, b"&#" * 2**19, b"&CounterClockwiseContourIntegra" * 30_000,
    ],
    ids=lambda page: page[:12].decode(),
)  # fmt: skip
def test_hostile_pages_end(page: bytes) -> None:
    """Linear: twice the page takes at most some four times as long, where a quadratic walk of a megabyte would take hours."""
    scan(page[:1000])
    started = time.process_time()
    scan(page)
    assert time.process_time() - started < 20


def test_deep_nesting_is_cut_and_comes_out_right() -> None:
    page = scan(b"<p>before</p>" + b"<div>" * 100_000 + b"deep" + b"</div>" * 100_000 + b"<h1>after</h1>")
    assert [page.block_text(at) for at in range(3)] == ["before", "deep", "after"]
    assert page.nodes[:, DEPTH].max() == MAX_DEPTH - 1
    assert page.nodes[page.blocks[2, NODE], DEPTH] == 1
