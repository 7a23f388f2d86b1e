"""Articles in JATS and court opinions: what is kept, what is cut, licences, containers, and files that mean harm."""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.jats import read_articles
from corpus.extraction.opinions import read_opinion
from corpus.extraction.secure_xml import MAX_DEPTH, XmlFault, parse
from corpus.sources.containers import Wanted, entries
from corpus.sources.journals import JournalsSource, OpinionsSource
from corpus.sources.source import ReadLog
from tests.corpus.sources.reading import accepts, input_file, outcomes, read

ARTICLE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving and Interchange DTD v1.2 20190208//EN" "JATS-archivearticle1.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML" xml:lang="de">
<front><article-meta>
<article-id pub-id-type="pmc">42</article-id><article-id pub-id-type="doi">10.1/x</article-id>
<title-group><article-title>On <italic>mice</italic>
 and men<xref ref-type="fn" rid="f">*</xref></article-title></title-group>
<contrib-group><contrib><name><surname>Doe</surname></name></contrib></contrib-group>
<pub-date pub-type="ppub"><year>2019</year></pub-date><pub-date pub-type="epub"><day>5</day><month>11</month><year>2018</year></pub-date>
<permissions><license xlink:href="https://creativecommons.org/licenses/by-nc/4.0/"><license-p>Open.</license-p></license></permissions>
<abstract><p>Mice &alpha; matter.</p></abstract><abstract abstract-type="graphical"><p>Picture.</p></abstract>
</article-meta></front>
<body>
<sec><title>1. Results</title>
<p>Known<sup><xref ref-type="bibr" rid="b1">1</xref>,<xref ref-type="bibr" rid="b2">2</xref></sup> since
 Smith (<xref ref-type="bibr" rid="b1">2003</xref>), H<sub>2</sub>O and <inline-formula><alternatives>
<tex-math>\\documentclass[12pt]{minimal} \\begin{document}$$a^2$$\\end{document}</tex-math><mml:math><mml:mi>a</mml:mi></mml:math>
</alternatives></inline-formula>.<table-wrap><caption><p>Cut.</p></caption><table><tr><td>7</td></tr></table></table-wrap> After.</p>
<disp-formula><mml:math><mml:mi>E</mml:mi><mml:mo>=</mml:mo><mml:mi>m</mml:mi></mml:math></disp-formula>
<list><list-item><p>One</p></list-item><list-item><p>Two</p></list-item></list>
<fig><caption><p>Cut too.</p></caption></fig></sec>
<sec><title>Supplement</title><supplementary-material/></sec>
</body>
<back><ack><p>Thanks.</p></ack><ref-list><ref><mixed-citation>Smith 2003</mixed-citation></ref></ref-list></back>
</article>"""
TEXT = "Abstract\n\nMice α matter.\n\n1. Results\n\nKnown since Smith (2003), H2O and $a^2$. After.\n\nE=m\n\nOne\n\nTwo"
BOMB = b'<?xml version="1.0"?><!DOCTYPE article [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><article><body><p>&b;</p></body></article>'


def test_an_article_to_its_text() -> None:
    (told,) = read_articles(ARTICLE.encode())
    assert told.text == TEXT
    assert told.title == "On mice and men*"
    assert (told.url, told.license, told.language, told.date) == (
        "https://doi.org/10.1/x", "CC-BY-NC-4.0", "de", datetime(2018, 11, 5, tzinfo=UTC),
    )  # fmt: skip
    assert told.counted == {"jats:table-wrap": 1, "jats:fig": 1, "jats:supplementary-material": 1, "jats:ref-list": 1, "jats:ack": 1}


def test_licences() -> None:
    for link, spdx in (
        ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://www.elsevier.com/tdm/userlicense/1.0/", None),
    ):
        (told,) = read_articles(ARTICLE.replace("https://creativecommons.org/licenses/by-nc/4.0/", link).encode())
        assert told.license == spdx


def test_real_articles(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shared_data("lm-text/allenai__s2orc-doc2json") / "jats"
    rows = {path.stem: read(path, JournalsSource())[0] for path in sorted(folder.iterdir())}
    assert {name: (len(found), found[0]["url"], found[0]["license"]) for name, found in rows.items()} == {
        "PMC5828200": (1, "https://doi.org/10.18632/oncotarget.24369", "CC-BY-3.0"),
        "PMC6398430": (1, "https://doi.org/10.1093/beheco/ary157", "CC-BY-4.0"),
        "PMC7417471": (1, "https://doi.org/10.1186/s40580-020-00237-4", "CC-BY-4.0"),
    }
    crows = rows["PMC6398430"][0]["text"]
    assert crows.index("Social complexity arises") < crows.index("INTRODUCTION") < crows.index("DISCUSSION") < crows.index("FUNDING")
    assert "Table 1" not in crows.split("\n")  # captions are cut, sentences that name a table stay
    with tarfile.open(tmp_path / "oa.tar.gz", "w:gz") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, f"PMC/{path.name}")
    packed, log = read(tmp_path / "oa.tar.gz", JournalsSource())
    assert [row["id"] for row in packed] == [found[0]["id"] for found in rows.values()]
    assert not log.damages


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (BOMB, "xml:entities"),
        (BOMB.replace(b'"x"', b'SYSTEM "file:///etc/passwd"'), "xml:entities"),
        (BOMB.decode().replace('<?xml version="1.0"?>', "").encode("utf-16"), "xml:entities"),
        (b"<article>" + b"<sec>" * 300 + b"</sec>" * 300 + b"</article>", "xml:too_deep"),
        (b"<article>" + b"<sec>" * 100_000, "xml:too_deep"),
        (ARTICLE.encode()[:-200], "xml:broken"),
        (b"<html><p>x</p></html>", "jats:no_article"),
        (b"<article><body/></article>", "file:no_text"),
        (b"", "xml:broken"),
    ],
)
def test_xml_that_is_refused(data: bytes, reason: str) -> None:
    (told,) = read_articles(data)
    assert told.fault
    assert told.fault.code == reason


def test_the_deepest_that_is_read() -> None:
    parse(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH)
    with pytest.raises(XmlFault):
        parse(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))


@given(st.integers(0, len(ARTICLE) - 1), st.binary(max_size=6), st.integers(0, 8))
def test_damaged_articles_never_raise(at: int, junk: bytes, cut: int) -> None:
    data = ARTICLE.encode()
    read_articles(data[:at] + junk + data[at + cut :])


COURTLISTENER = {
    "id": 7, "absolute_url": "/opinion/7/a-v-b/", "case_name": "A. v. B.", "date_filed": "1999-04-02", "plain_text": "",
    "html_with_citations": "<p>The judgment is <i>affirmed</i>.</p><p>So ordered.</p>",
}  # fmt: skip
CAP = {
    "id": 9, "name": "C v. D", "decision_date": "1887-04", "frontend_url": "https://cite.case.law/ill/9/",
    "casebody": {"status": "ok", "data": {"head_matter": "C v. D, 1887", "opinions": [{"author": "Justice E:", "text": "We reverse."}]}},
}  # fmt: skip
CASE_XML = b"""<?xml version='1.0' encoding='utf-8'?><casebody xmlns="http://nrs.harvard.edu/urn-3:HLS.Libr.US_Case_Law.Schema.Case_Body:v1">
<parties>F, <em>Appellant</em>, v. G</parties><decisiondate>April 4, 1887.</decisiondate><opinion type="majority"><author>H, J.</author>
<p>The <page-number label="12">*12</page-number>appeal fails.</p></opinion></casebody>"""


def test_opinions(tmp_path: Path) -> None:
    path = tmp_path / "opinions.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, [COURTLISTENER, CAP, {"id": 1}, [1]])).encode() + b"\nno json\n"))
    assert accepts(path, OpinionsSource())
    rows, _ = read(path, OpinionsSource(license="CC0-1.0"))
    assert outcomes(rows) == ["ok", "ok", "opinions:no_opinion", "file:broken", "file:broken"]
    assert rows[0]["text"] == "The judgment is affirmed.\n\nSo ordered."
    assert rows[1]["text"] == "C v. D, 1887\n\nJustice E:\n\nWe reverse."
    assert [(row["title"], row["url"], str(row["date"])[:10]) for row in rows[:2]] == [
        ("A. v. B.", "https://www.courtlistener.com/opinion/7/a-v-b/", "1999-04-02"),
        ("C v. D", "https://cite.case.law/ill/9/", "1887-04-01"),
    ]
    assert rows[0]["license"] == "CC0-1.0"
    (case,) = read_opinion(CASE_XML)
    assert case.text == "F, Appellant, v. G\n\nApril 4, 1887.\n\nH, J.\n\nThe appeal fails."
    assert (case.title, case.date) == ("F, Appellant, v. G", datetime(1887, 4, 4, tzinfo=UTC))


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["casebody", "data", "opinions", "text", "plain_text", "html", "cluster", "sub_opinions", "id", "date_filed"]), inner),
    max_leaves=12))  # fmt: skip
def test_opinions_of_any_shape(told: object) -> None:
    read_opinion(json.dumps(told).encode())


def names_and_data(path: Path, log: ReadLog, wanted: Wanted) -> list[tuple[str, bytes, str]]:
    with path.open("rb") as stream:
        found = entries(stream, input_file(path), wanted, log)
        return [(entry.name, entry.data, entry.fault.code if entry.fault else "") for entry in found]


@given(
    st.lists(st.tuples(st.from_regex(r"[abcé]{1,70}(/[abc]{1,90})?", fullmatch=True), st.binary(max_size=1500)), max_size=6),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.sampled_from(["w", "w:gz"]),
)
def test_tars_as_tarfile_writes_them(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, bytes]], kind: int, mode: str
) -> None:
    path = tmp_path_factory.mktemp("tar") / ("a.tar.gz" if mode == "w:gz" else "a.tar")
    with tarfile.open(path, mode, format=kind) as archive:  # type: ignore[call-overload]
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            try:
                archive.addfile(info, io.BytesIO(data))
            except ValueError:  # ustar has no room for the name
                continue
    with tarfile.open(path) as archive:
        expected = [(info.name, archive.extractfile(info).read(), "") for info in archive if info.isfile()]  # type: ignore[union-attr]
    assert names_and_data(path, ReadLog(), Wanted()) == expected


def test_tars_one_behind_another(tmp_path: Path) -> None:
    """`cat a.tar b.tar`: the zeros at the end of the first are not the end of the file."""
    made = []
    for number in range(2):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            info, data = tarfile.TarInfo(f"PMC{number}.nxml"), f"<article><body><p>Article {number}.</p></body></article>".encode()
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        made.append(out.getvalue())
    (tmp_path / "a.tar").write_bytes(b"".join(made))
    rows, log = read(tmp_path / "a.tar", JournalsSource())
    assert [row["text"] for row in rows] == ["Article 0.", "Article 1."]
    assert not log.damages


def test_an_article_in_utf16(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes('<?xml version="1.0" encoding="UTF-16"?><article><body><p>Füße.</p></body></article>'.encode("utf-16"))
    assert accepts(path, JournalsSource())
    assert [row["text"] for row in read(path, JournalsSource())[0]] == ["Füße."]


def test_hostile_containers(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x.xml", "<a/>")
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/cron.d/x.xml", "<slip/>")
        archive.writestr("nested.zip", inner.getvalue())
        archive.writestr("big.xml", b" " * 5000)
        archive.writestr("readme.md", "no")
    log = ReadLog()
    assert names_and_data(path, log, Wanted((".xml",), 1000)) == [
        ("../../etc/cron.d/x.xml", b"<slip/>", ""),
        ("big.xml", b"", "file:too_large"),
    ]
    assert log.records == {"archive:nested": 1, "archive:other.md": 1}
    assert not list(tmp_path.glob("**/cron.d"))
    bomb = tmp_path / "b.tar.gz"
    with tarfile.open(bomb, "w:gz") as archive:
        info = tarfile.TarInfo("zeros.xml")
        info.size = 66 * 2**20
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    log = ReadLog()
    assert names_and_data(bomb, log, Wanted((".xml",), 2**20)) == []
    assert [damage.what for damage in log.damages] == ["archive:bomb"]


@given(st.integers(0, 4000), st.binary(min_size=1, max_size=4), st.sampled_from(["tar", "tar.gz", "zip"]))
def test_damaged_containers_never_raise(tmp_path_factory: pytest.TempPathFactory, at: int, junk: bytes, kind: str) -> None:
    path = tmp_path_factory.mktemp("damaged") / f"a.{kind}"
    files = {f"{number}.xml": bytes([65 + number]) * 700 for number in range(4)}
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    whole = path.read_bytes()
    at %= len(whole)
    path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    rows, _ = read(path, JournalsSource())
    assert len(rows) <= 8
