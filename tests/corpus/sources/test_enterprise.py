"""Rendered articles, written here as Parsoid writes them: the text by hand, and what the reader of wikitext makes of their source."""

import gzip
import io
import json
import tarfile
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction import wikitext
from corpus.extraction.wiki_html import article_text
from corpus.recipe import load
from corpus.sources.tables import JsonlSource
from corpus.sources.wikipedia import WikipediaSource
from tests.corpus.sources.reading import accepts, outcomes, read
from tests.corpus.sources.test_wikipedia import HEAD, TAIL, page


def told(**fields: Any) -> str:
    return escape(json.dumps(fields, ensure_ascii=False))


def template(number: int, name: str, *more: object) -> str:
    """The attributes of what came of a template, with text of the page behind it where ``more`` is given."""
    parts = [{"template": {"target": {"wt": name, "href": f"./Template:{name}"}, "params": {}, "i": 0}}, *more]
    return f'about="#mwt{number}" typeof="mw:Transclusion" data-mw="{told(parts=parts)}"'


def math(tex: str, rendered: str, display: str = "") -> str:
    attributes = {"display": display} if display else {}
    data = told(name="math", attrs=attributes, body={"extsrc": tex})
    return f'<span class="mwe-math-element" typeof="mw:Extension/math" about="#mwt9" data-mw="{data}">{mathml(rendered)}</span>'


def mathml(rendered: str) -> str:
    return (
        f'<span class="mwe-math-mathml-inline" style="display: none;"><math alttext="{{\\displaystyle {rendered}}}"><semantics>'
        f'<mrow></mrow><annotation encoding="application/x-tex">{{\\displaystyle {rendered}}}</annotation></semantics></math></span>'
        f'<img src="x.svg" class="mwe-math-fallback-image-inline" alt="{{\\displaystyle {rendered}}}"/>'
    )


REF = '<sup about="#mwt4" class="mw-ref reference" typeof="mw:Extension/ref" data-mw="{}"><a href="./A#cite_note-1">[1]</a></sup>'
INFOBOX = f'<table class="infobox" {template(1, "Infobox")}><tbody><tr><th>Name</th><td>Tea</td></tr></tbody></table>'
STYLE = f'typeof="mw:Extension/templatestyles mw:Transclusion" data-mw="{told(parts=[{"template": {}}])}"'
NAVBOX = (
    f'<style {STYLE} about="#mwt7">.navbox{{}}</style><div role="navigation" class="navbox" about="#mwt7"><ul><li>Drinks</li></ul></div>'
)
FIGURE = '<figure typeof="mw:File/Thumb"><a href="./File:A.jpg"><img src="a.jpg"/></a><figcaption>A cup</figcaption></figure>'
TABLE = (
    '<table class="wikitable"><caption>Rivers</caption><tbody><tr><th>Name</th><th>Length</th></tr>\n'
    '<tr><td><a href="./Rhine">The Rhine</a></td><td>1,230 km</td></tr>\n<tr><td></td><td>1,094 km</td></tr></tbody></table>'
)
# Name -> what Parsoid makes of it, its wikitext (None: a template that only the rendered page shows), the text of both.
ARTICLES: dict[str, tuple[str, str | None, str]] = {
    "Tea": (
        f"{INFOBOX}<p><b>Tea</b> is a <a rel='mw:WikiLink' href='./Drink'>drink</a> of <i>China</i>.{REF}</p>",
        "{{Infobox|name=Tea}}\n'''Tea''' is a [[drink]] of ''China''.<ref>Smith</ref>",
        "Tea is a drink of China.",
    ),
    "Hatnote": (
        f'<div role="note" class="hatnote navigation-not-searchable" {template(2, "About")}>This article is about A.</div><p>Text.</p>',
        "{{About|A}}\nText.",
        "Text.",
    ),
    "Sections": (
        "<p>One.</p></section><section><h2 id='Use'>Use</h2><p>Two.</p><h3>Empty</h3><h3>Deep</h3><p>Three.</p><h2>Bare</h2>",
        "One.\n== Use ==\nTwo.\n=== Empty ===\n=== Deep ===\nThree.\n== Bare ==",
        "One.\n\nUse\n\nTwo.\n\nDeep\n\nThree.",
    ),
    "References": (
        f'<p>A.{REF}</p><div class="mw-heading mw-heading2"><h2>References</h2><span class="mw-editsection">[edit]</span></div>'
        '<div class="mw-references-wrap" typeof="mw:Extension/references"><ol class="references"><li>Smith.</li></ol></div>'
        "<h3>Deeper</h3><p>gone</p><h2>Next</h2><p>Words.</p>",
        "A.<ref>Smith.</ref>\n== References ==\n<references/>\n=== Deeper ===\ngone\n== Next ==\nWords.",
        "A.\n\nNext\n\nWords.",
    ),
    "Lists": (
        "<p>Kinds:</p>\n<ul><li>green\n<ul><li>mild</li>\n<li>strong</li></ul></li>\n<li>black</li></ul>\n<ol><li>boil</li><li>pour</li></ol>"
        "<dl><dt>Term</dt><dd>said</dd></dl>",
        "Kinds:\n* green\n** mild\n** strong\n* black\n# boil\n# pour\n;Term\n:said",
        "Kinds:\n\n- green\n- mild\n- strong\n- black\n\n- boil\n- pour\n\nTerm\nsaid",
    ),
    "Formulas": (
        f"<p>Mass: {math('E = mc^{2}', 'E=mc^{2}')}, {math('a * b', 'a*b', 'block')} and</p>",
        "Mass: <math>E = mc^{2}</math>, <math display=block>a * b</math> and",
        "Mass: $E = mc^{2}$, $$a * b$$ and",
    ),
    "Annotation": (
        f"<dl><dd><span class='mwe-math-element'>{mathml('x^{2}')}</span>.</dd></dl>"
        f"<p>It is {mathml('y')} or <span class='texhtml'>z</span>.</p>",
        ": <math>x^{2}</math>.\n\nIt is <math>y</math> or {{math|z}}.",
        "$x^{2}$.\n\nIt is $y$ or z.",
    ),
    "Pictures": (
        f"{FIGURE}<p>Cats sleep <span typeof='mw:File'><img src='b.png'/></span>on.</p><ul class='gallery mw-gallery-traditional' "
        'typeof="mw:Extension/gallery" about="#mwt3" data-mw="{}"><li class="gallerybox">A cat</li></ul>',
        "[[File:A.jpg|thumb|A cup]]\nCats sleep [[File:b.png|20px]]on.\n<gallery>A.jpg|A cat</gallery>",
        "Cats sleep on.",
    ),
    "Tables": (f"<p>Before.</p>{TABLE}<p>After.</p>", "Before.\n{|\n|+ Rivers\n|-\n| 1\n|}\nAfter.", "Before.\n\nAfter."),
    "Navigation": (
        f"<p>Text.</p>{NAVBOX}<link rel='mw:PageProp/Category' href='./Category:Drinks'/>",
        "Text.\n{{Drinks}}\n[[Category:Drinks]]",
        "Text.",
    ),
    "Within a sentence": (
        f"<p>It is <span {template(3, 'convert')}>5 kilometres (3.1 mi)</span> long"
        f"<sup class='noprint Inline-Template' {template(4, 'cn')}>[<i>citation needed</i>]</sup>.</p>",
        None,
        "It is 5 kilometres (3.1 mi) long.",
    ),
    "Quotation": (
        f"<p>He said:</p><style {STYLE} about='#mwt6'>q{{}}</style>"
        "<blockquote class='templatequote' about='#mwt6'><p>To be.</p></blockquote>",
        "He said:\n{{quote|To be.}}",
        "He said:\n\nTo be.",
    ),
    "Columns": (
        f"<div class='div-col' {template(5, 'div col', '* a * b')}><ul><li>a</li><li>b</li></ul></div>"
        f"<div class='box-of-a-small-wiki' {template(6, 'Kasten')}><p>gone</p></div>",
        "{{div col}}\n* a\n* b\n{{div col end}}\n{{Kasten}}",
        "- a\n- b",
    ),
    "Verbatim": (
        "<p>Run:</p><div class='mw-highlight' typeof='mw:Extension/syntaxhighlight'><pre># x\n<span>== 1</span>\n  y</pre></div>"
        "<p><span typeof='mw:Nowiki'>[[no link]] ''x''</span> &amp; &lt;b&gt;</p>",
        "Run:\n<syntaxhighlight># x\n== 1\n  y</syntaxhighlight>\n<nowiki>[[no link]] ''x''</nowiki> &amp; &lt;b&gt;",
        "Run:\n\n# x\n== 1\n  y\n\n[[no link]] ''x'' & <b>",
    ),
    "Breaks": ("<p>Line one<br/>line two</p>\n<p>Three</p>", "Line one<br />line two\n\nThree", "Line one\nline two\n\nThree"),
    "Empty brackets": (
        "<p>Asphalt (<span class='geo-inline'>1 N</span>, also <b>bitumen</b>) is black (<span style='display:none'>x</span>).</p>",
        "Asphalt ({{coord|1|N}}, also '''bitumen''') is black ({{x}}).",
        "Asphalt (also bitumen) is black.",
    ),
    "Signs that mean something in wikitext": (
        "<p>#1 of all; = is a sign =</p><ul><li>* starred</li></ul><p><i>Note</i>: <b>x</b></p><p>- a dash</p>",
        None,
        "#1 of all; = is a sign =\n\n- * starred\n\nNote: x\n\n- a dash",
    ),
    "Äpfel/Öl & Ähnliches?": ("<p>Schöne  Äpfel\nund\u00a0Öl.</p>", None, "Schöne Äpfel und\u00a0Öl."),
    "Variants": (
        '<p><span typeof="mw:LanguageVariant" '
        f'data-mw-variant="{told(twoway=[{"l": "zh-hans", "t": "计算机"}, {"l": "zh-hant", "t": "電腦"}])}">'
        "</span>是机器。</p>",
        "-{zh-hans:计算机;zh-hant:電腦}-是机器。",
        "计算机是机器。",
    ),
    "Links": (
        '<p>Go to <a rel="mw:ExtLink" class="external text" href="https://a.example">the site</a> or '
        '<a class="external autonumber" href="x"></a>.</p>',
        "Go to [https://a.example the site] or [http://b.example].",
        "Go to the site or .",
    ),
}  # fmt: skip


def html(body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html prefix="mw: http://mediawiki.org/rdf/"><head><meta charset="utf-8"/><title>T</title></head>'
        f'<body class="mw-content-ltr mw-parser-output"><section data-mw-section-id="0">{body}</section></body></html>'
    )


def record(number: int, body: str, *, title: str = "", source: str = "", templates: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """In the order of Enterprise's own fields."""
    name = title or f"Page {number}"
    fields = {
        "name": name,
        "identifier": number,
        "date_modified": "2026-01-02T03:04:05Z",
        "version": {"identifier": 1000 * number},
        "url": f"https://de.wikipedia.org/wiki/{name.replace(' ', '_')}",
        "namespace": {"name": "Article", "identifier": 0},
        "in_language": {"name": "Deutsch", "identifier": "de"},
        "main_entity": {"identifier": "Q1", "url": "http://www.wikidata.org/entity/Q1"},
        "templates": [{"name": f"Vorlage:{each}", "url": "x"} for each in templates],
        "redirects": [{"name": "Alias", "url": "https://de.wikipedia.org/wiki/Alias"}],
        "is_part_of": {"name": "Wikipedia", "identifier": "dewiki"},
        "article_body": {"html": html(body) if body else "", "wikitext": source},
        "license": [{"name": "Creative Commons", "identifier": "CC-BY-SA-3.0", "url": "https://creativecommons.org/licenses/by-sa/3.0/"}],
    }
    return {**fields, **more}


def ndjson(records: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in records)


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as made:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("name", ARTICLES)
def test_by_hand(name: str) -> None:
    body, source, expected = ARTICLES[name]
    assert article_text(html(body).encode()) == expected
    assert article_text(body.encode()) == expected  # without a head
    if source is not None:
        text = wikitext.article_text(source, wikitext.WikiNames())
        assert text.replace("\n\n", "\n") == expected.replace("\n\n", "\n")  # where the lines of the source end, no paragraph does


def test_tables_as_text() -> None:
    assert article_text(html(TABLE + INFOBOX).encode(), tables="text") == "Rivers\nName | Length\nThe Rhine | 1,230 km\n1,094 km"


def test_a_dump(tmp_path: Path) -> None:
    """Two files in it, and one that is none; offsets are those of the unpacked archive, where the lines are found."""
    records = [record(at, body, title=title) for at, (title, (body, _, _)) in enumerate(ARTICLES.items(), 1)]
    path = tmp_path / "dewiki-NS0-20260101-ENTERPRISE-HTML.json.tar.gz"
    files = {"dewiki_0.ndjson": ndjson(records[:7]), "README": b"x", "dewiki_1.ndjson": ndjson(records[7:]).rstrip()}
    path.write_bytes(archive(files))
    assert accepts(path, WikipediaSource())
    rows, log = read(path, WikipediaSource())
    assert [(row["title"], row["text"]) for row in rows] == [(title, text) for title, (_, _, text) in ARTICLES.items()]
    assert (log.records, log.damages) == ({"wiki:other_file": 1}, [])
    unpacked = gzip.decompress(path.read_bytes())
    for row, each in zip(rows, records, strict=True):
        assert unpacked[row["origin"]["offset"] :].startswith(json.dumps(each).encode())


def test_the_columns_are_those_of_the_xml_dump(tmp_path: Path) -> None:
    """The same revision of the same page has the same id, where its text is the same; the licence is the record's own."""
    (tmp_path / "a.xml").write_bytes(HEAD + page(7, "Der '''Tee'''.", title="Tee & Kaffee/Ö") + TAIL)
    stated = record(7, "<p>Der <b>Tee</b>.</p>", title="Tee & Kaffee/Ö")
    (tmp_path / "dewiki_0.ndjson").write_bytes(ndjson([stated, {**stated, "license": []}]))
    assert accepts(tmp_path / "dewiki_0.ndjson", WikipediaSource())
    [expected], _ = read(tmp_path / "a.xml", WikipediaSource())
    rows, _ = read(tmp_path / "dewiki_0.ndjson", WikipediaSource())
    for row, license in zip(rows, ("CC-BY-SA-3.0", "CC-BY-SA-4.0"), strict=True):
        assert row.pop("license") == license
        assert {**row, "origin": None} == {name: value for name, value in expected.items() if name != "license"} | {"origin": None}
        assert row["origin"]["record_id"] == "7"


def test_each_reason(tmp_path: Path) -> None:
    property_of = '<meta property="mw:PageProp/{}"/><p>Text.</p>'
    records = [
        record(1, "<p>Text.</p>", namespace={"identifier": 10}),
        record(2, '<link rel="mw:PageProp/redirect" href="./Y"/>'),
        record(3, "", source="#WEITERLEITUNG [[Y]]"),
        record(4, "<p>A.</p>", templates=("Begriffsklärung",)),
        record(5, property_of.format("disambiguation")),
        record(6, "<p>A.</p>", categories=[{"name": "Category:All article disambiguation pages"}]),
        record(7, "<p>A.</p>", title="Liste der Flüsse"),
        record(8, f"<p></p>{INFOBOX}"),
        record(9, "<p>" + "x" * 5000 + "</p>"),
        record(10, "", source="'''Only''' [[wikitext]]."),
        record(11, "<p>A.</p>", namespace={"name": "Article"}, templates=("Disambiguation needed",)),
        record(12, "<p>A.</p>", templates=("Surname",), url="https://de.wiktionary.org/wiki/A"),
    ]
    path = tmp_path / "a.ndjson"
    path.write_bytes(ndjson(records))
    rows, log = read(path, WikipediaSource(max_page_bytes=1000))
    reasons = ["other_namespace", "redirect", "redirect", *["disambiguation"] * 3, "list", "no_text", "too_large"]
    assert outcomes(rows) == [*(f"wiki:{reason}" for reason in reasons), "ok", "ok", "ok"]
    assert [row["text"] for row in rows[9:]] == ["Only wikitext.", "A.", "A."]
    assert rows[8]["failed"][0]["threshold"] == 4000
    assert outcomes(read(path, WikipediaSource(max_page_bytes=1000, keep_lists=True))[0])[6] == "ok"
    assert log.damages == []


def test_a_damaged_line_costs_itself_alone(tmp_path: Path) -> None:
    lines = ndjson([record(at, f"<p>Text {at}.</p>") for at in range(1, 6)]).splitlines(keepends=True)
    lines[1] = lines[1][:200] + b"\xff\n"
    lines[3] = b"[1]\n"
    for name, content in (("a.json.tar.gz", archive({"a.ndjson": b"".join(lines)})), ("a.ndjson", b"".join(lines))):
        path = tmp_path / name
        path.write_bytes(content)
        rows, log = read(path, WikipediaSource())
        assert [row["text"] for row in rows] == ["Text 1.", "Text 3.", "Text 5."]
        assert [(damage.what, damage.lost_bytes) for damage in log.damages] == [("json:bad_line", len(lines[1])), ("json:bad_line", 4)]


@given(cut=st.integers(1, 100), compressed=st.booleans(), data=st.data())
def test_a_cut_archive_is_told_once(tmp_path_factory: pytest.TempPathFactory, cut: int, compressed: bool, data: st.DataObject) -> None:
    """Cut in gzip's stream, or in the tar before it was compressed: in a line, between two, between two files."""
    records = [record(at, f"<p>Text {at}.</p>") for at in range(1, 9)]
    files = {"a.ndjson": ndjson(records[:4]), "b.ndjson": ndjson(records[4:])}
    whole = archive(files)
    if compressed:
        content = whole[: -10 - cut * 2]
    else:
        tar = gzip.decompress(whole)
        ends = [at for at in range(512, 8000) if tar[at - 1 : at] == b"\n"]  # whole lines
        content = gzip.compress(tar[: data.draw(st.one_of(st.sampled_from(ends), st.integers(2000, 8000)))])
    path = tmp_path_factory.mktemp("cut") / "a-ENTERPRISE-HTML.json.tar.gz"
    path.write_bytes(content)
    rows, log = read(path, WikipediaSource())
    assert [damage.what for damage in log.damages] == ["tar:cut_off"]
    assert [row["text"] for row in rows] == [f"Text {at}." for at in range(1, len(rows) + 1)]


@given(st.integers(1, 3000), st.integers(1, 9))
def test_splits_of_a_plain_file(tmp_path_factory: pytest.TempPathFactory, split_bytes: int, count: int) -> None:
    path = tmp_path_factory.mktemp("lines") / "dewiki_namespace_0_0.ndjson"
    path.write_bytes(ndjson([record(at, f"<p>Text {at}.</p>") for at in range(count)]))
    rows, log = read(path, WikipediaSource(split_bytes=max(split_bytes, path.stat().st_size // 40)))
    assert [row["text"] for row in rows] == [f"Text {at}." for at in range(count)]
    assert log.damages == []


def test_what_is_no_such_dump(tmp_path: Path) -> None:
    other = {"a.jsonl": b'{"text": "x", "version": 1}\n', "a.json.tar.gz": archive({"a.json": b'{"a": 1}'}), "a.ndjson": b"[]"}
    for name, content in other.items():
        (tmp_path / name).write_bytes(content)
        assert not accepts(tmp_path / name, WikipediaSource())
    (tmp_path / "enwiki-NS0-20230101-ENTERPRISE-HTML.json.tar.gz").write_bytes(archive({"enwiki_0.ndjson": b'{"name": "A"}\n'}))
    assert accepts(tmp_path / "enwiki-NS0-20230101-ENTERPRISE-HTML.json.tar.gz", WikipediaSource())
    sources = [type(source) for source in load("all_sources").sources]
    assert sources.index(WikipediaSource) < sources.index(JsonlSource)


@given(st.text("<>/=\"' pulidtrhsabc2&;#*:|\x7f-", max_size=300))
def test_nothing_raises_and_no_mark_stays(body: str) -> None:
    text = article_text(body.encode())
    assert "\x7f" not in text
    assert text == text.strip()


@pytest.mark.parametrize("opening", ["<div>", "<ul><li>", "<table><tr><td>", "<b>", "<dl><dd>"])
def test_deep_nesting_ends(opening: str) -> None:
    assert article_text((opening * 500 + "deep").encode(), tables="text") in ("deep", "- deep")
    assert article_text((opening * 100_000).encode()) == ""
