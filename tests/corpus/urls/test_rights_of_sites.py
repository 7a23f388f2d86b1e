"""What a site's files say of its pages, wherever their records lie; and documents that must not come back."""

import hashlib
import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from corpus import document
from corpus.engine import curate
from corpus.errors import AssetError, RecipeError
from corpus.recipe import from_data, load
from corpus.refilter import Change
from corpus.urls.site_files import SiteRules, rules_of, site_file, site_of
from corpus.urls.tombstones import LeaveOut
from tests.corpus.test_steps import reasons
from tests.golden import Page, page, warc
from tests.road import content, documents, ledger

PROSE = "The miller's daughter walked along the river in the morning, and she counted the geese that were sleeping on the bank. "


def test_which_file_of_which_site() -> None:
    assert [site_file(f"https://a.example{path}") for path in ("/robots.txt", "/x/robots.txt", "/.well-known/tdmrep.json", "/ai.txt")] == [
        "robots", None, "tdmrep", "ai_txt",
    ]  # fmt: skip
    urls = ("HTTP://A.example:80/x", "https://a.example", "http://a.example:8080/", "file:///etc/passwd", "http://[bad", None)
    assert [site_of(url) for url in urls] == ["a.example", "a.example", "a.example:8080", None, None, None]
    assert [rules_of(*told) for told in ((200, b"x"), (404, None), (410, b"gone"), (503, b"x"), (301, None), (200, None))] == [
        "x", "", "", None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("tdmrep", ["{", "[1, {}]", '{"location": 3}', "[" * 5000, "null", "7"])
def test_a_file_that_is_none(tdmrep: str) -> None:
    assert SiteRules({"robots": "<html>404", "tdmrep": tdmrep, "ai_txt": "\x00"}, ("gptbot",)).opt_outs("http://a.example/") == []


def test_opt_outs_of_one_site() -> None:
    locations = [{"location": "/free/*", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]  # the first that matches
    files = {
        "robots": "User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\nAllow: /free/\n\nUser-agent: *\nContent-Usage: /blog/ train-ai=n",
        "tdmrep": json.dumps(locations),
        "ai_txt": "User-Agent: *\nDisallow: *.txt\nDisallow: /blog/",
    }
    rules = SiteRules(files, ("gptbot", "ccbot", "claudebot"))
    assert rules.opt_outs("http://a.example/free/a") == []
    assert rules.opt_outs("http://a.example/free/a.txt") == ["ai_txt"]
    assert rules.opt_outs("http://a.example/x") == ["robots:ccbot", "robots:gptbot", "tdmrep"]
    assert rules.opt_outs("http://a.example/blog/x") == ["ai_txt", "aipref", "robots:ccbot", "robots:gptbot", "tdmrep"]


def text_page(url: str, body: str, kind: str = "text/plain", status: str = "200 OK", date: str = "2026-01-01T00:00:00Z") -> Page:
    return page(url, body, status=status, headers=[("Content-Type", kind)], warc_headers={"WARC-Date": date})


def test_on_the_road(spark: SparkSession, tmp_path: Path) -> None:
    """Rules before, after and between their pages, in other files; the latest record counts; the same bytes in another order."""
    pages = [page(f"http://{host}.example/{path}", f"<p>{PROSE * 3} {host} {path}</p>") for host in "abcd" for path in ("x", "blog/y")]
    closed = "User-agent: GPTBot\nDisallow: /"
    reserved = '[{"location": "/blog/", "tdm-reservation": 1}]'
    files = {
        "2.warc.gz": [text_page("https://a.example/robots.txt", closed), *pages[:3]],
        "1.warc.gz": [
            *pages[3:],
            text_page("http://b.example/.well-known/tdmrep.json", reserved, "application/json"),
            text_page("http://c.example/robots.txt", closed, date="2026-01-03T00:00:00Z"),
            text_page("http://d.example/robots.txt", "", status="404 Not Found", date="2026-01-03T00:00:00Z"),
        ],
        "3.warc.gz": [text_page(f"http://{host}.example/robots.txt", rules) for host, rules in (("c", ""), ("d", closed))],
    }
    number = 0
    for name, each in files.items():
        for record in each:
            number += 1
            record.warc_headers["WARC-Record-ID"] = f"<urn:uuid:00000000-0000-0000-0001-{number:012d}>"
        (tmp_path / name).write_bytes(warc(each)[0])
    data = load("extract").to_data()
    recipe = from_data({**data, "corpus": ["exact_duplicates", "site_rights"]} | {"steps": [*data["steps"], "text_digest"]})
    inputs = [str(tmp_path / name) for name in sorted(files)]
    made = curate(recipe, inputs, str(tmp_path / "one"), spark=spark)
    outcomes = {row["url"]: row["outcome"] for row in ledger(tmp_path / "one") if row["url"].endswith(("x", "y"))}
    assert outcomes == {
        "http://a.example/x": "rights:robots", "http://a.example/blog/y": "rights:robots",
        "http://b.example/x": "kept", "http://b.example/blog/y": "rights:tdmrep",
        "http://c.example/x": "rights:robots", "http://c.example/blog/y": "rights:robots",
        "http://d.example/x": "kept", "http://d.example/blog/y": "kept",
    }  # fmt: skip
    report = json.loads((tmp_path / "one" / "report.json").read_bytes())
    assert report["facts"]["site_rights"]["opt_outs"] == [{"name": "robots:gptbot", "documents": 4}, {"name": "tdmrep", "documents": 1}]
    assert "robots:gptbot" in (tmp_path / "one" / "report.html").read_text()
    assert made.manifest["reasons"]["rights:robots"]
    assert {row["site_opt_outs"] for row in documents(tmp_path / "one")} == {None}
    curate(recipe, inputs[::-1], str(tmp_path / "two"), spark=spark)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    for respect, rejected in ((["tdmrep"], ["rights:tdmrep"]), ([], [])):  # what the others say is recorded all the same
        only = from_data(recipe.to_data(), overrides=[f"site_rights.respect={respect}"])
        curate(only, inputs, str(tmp_path / f"only{len(respect)}"), spark=spark)
        assert [row["outcome"] for row in ledger(tmp_path / f"only{len(respect)}") if row["outcome"].startswith("rights:")] == rejected
        told = [opt_out for row in documents(tmp_path / f"only{len(respect)}") for opt_out in row["site_opt_outs"] or ()]
        assert sorted(told) == ["robots:gptbot"] * 4 + ["tdmrep"] * (1 - len(respect))
    with pytest.raises(RecipeError, match="which a corpus does not hold"):
        Change.of(str(tmp_path / "one"), ["site_rights.respect=[]"])


def test_tombstones(tmp_path: Path) -> None:
    listed = tmp_path / "removed.txt"
    identity, record = "0123456789abcdef" * 2, "urn:uuid:00000000-0000-0000-0000-00000000000A"
    digest = hashlib.sha256(b"secret").hexdigest()
    lines = [
        "# asked for",
        "gone.example",
        "https://www.a.example/page#part  # by its author",
        identity.upper(),
        f"<{record}>",
        f"sha256:{digest}",
    ]
    listed.write_text("\n".join(lines))
    step = LeaveOut(files=(str(listed),))
    rows = [
        ("1", "http://gone.example/x", None, "a"), ("2", "http://www.Gone.example./", None, "a"),
        ("3", "http://notgone.example/", None, "a"),
        ("4", "http://a.example/page?utm_source=x", None, "a"), ("5", "http://a.example/page2", None, "a"), (identity, None, None, "a"),
        ("7", None, f"<{record.lower()}>", "a"), ("8", None, None, "secret"), ("9", None, None, None),
    ]  # fmt: skip
    origins = [{"input": 0, "file": "f", "offset": 0, "record_id": each[2]} for each in rows]
    batch = document.new_batch(
        id=[each[0] for each in rows], url=[each[1] for each in rows], origin=origins, text=[each[3] for each in rows]
    )
    left_out = [each == ["rights:tombstone"] for each in reasons(step(batch))]
    assert left_out == [True, True, False, True, False, True, True, True, False]
    assert step.assets() == (str(listed),)
    listed.with_name("bad.txt").write_text("a.example\nwhat is this?\n")
    with pytest.raises(AssetError, match=r"no tombstone.*bad.txt:2"):
        LeaveOut(files=(str(tmp_path / "bad.txt"),))(batch)
    with pytest.raises(AssetError, match="cannot read the list"):
        LeaveOut(files=(str(tmp_path / "none.txt"),))(batch)
