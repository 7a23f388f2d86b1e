"""Blocklists in the forms in which they are published, and the cap of hosts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame

from corpus import document
from corpus.errors import AssetError
from corpus.urls.blocklist import BlockUrls
from corpus.urls.hosts import CapHosts
from corpus.work import Work
from tests.corpus.dedup.conftest import row, table, work  # noqa: F401
from tests.corpus.test_steps import reasons


def found(step: BlockUrls, *urls: str) -> list[str]:
    batch = step(document.new_batch(id=[str(at) for at in range(len(urls))], url=list(urls)))
    return [each[0] if each else "" for each in reasons(batch)]


def test_a_hosts_file(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("# a list\n127.0.0.1 localhost\n::1 ip6-localhost\n0.0.0.0 Bad.example ads.example # both\n\nplain.example\n")
    step = BlockUrls(domain_files=(str(path),), words=(), soft_words=())
    urls = ("http://bad.example/", "http://x.ads.example/", "http://plain.example/", "http://localhost/", "http://good.example/")
    assert found(step, *urls) == ["url:blocked_domain"] * 3 + [""] * 2


def test_a_category_of_ut1(tmp_path: Path) -> None:
    (tmp_path / "adult").mkdir()
    (tmp_path / "adult" / "domains").write_text("bad.example\n192.0.2.7\n")
    (tmp_path / "adult" / "urls").write_text("good.example/bad\nwww.other.example/a/page.html\n")
    step = BlockUrls(categories=(str(tmp_path / "adult"),), words=(), soft_words=())
    assert len(step.assets()) == 2
    urls = {
        "http://www.bad.example/x": "url:blocked_domain", "http://192.0.2.7/": "url:blocked_domain", "http://notbad.example/": "",
        "http://good.example/bad": "url:blocked_url", "https://www.good.example/Bad/deeper?q=1#top": "url:blocked_url",
        "http://good.example/bad?q=1": "url:blocked_url", "http://good.example/badminton": "", "http://good.example/": "",
        "http://other.example/a/page.html": "url:blocked_url", "http://other.example/a/": "",
    }  # fmt: skip
    assert dict(zip(urls, found(step, *urls), strict=True)) == urls
    with pytest.raises(AssetError, match="neither domains nor urls"):
        found(BlockUrls(categories=(str(tmp_path / "none"),)), "http://a.example/")


def test_so_many_of_a_host(table: Callable[..., DataFrame], work: Work) -> None:  # noqa: F811
    rows = [row(f"{number:02d}", url=f"http://{'www.' if number % 2 else ''}a.example/{number}") for number in range(10)]
    rows += [row("b", url="http://b.example/"), row("none", url=None), row("out", url="http://a.example/", outcome="gopher:too_few_words")]
    told = [
        {each["id"]: (each["outcome"], each["threshold"]) for each in CapHosts(max_documents=cap)(table(rows, parts), work).collect()}
        for cap, parts in ((4, 3), (4, 1), (6, 2))
    ]
    assert told[0] == told[1]
    kept = [{identity for identity, (outcome, _) in each.items() if outcome is None} for each in told]
    assert [len(each) for each in kept] == [4 + 2, 4 + 2, 6 + 2]
    assert {"b", "none"} < kept[0] < kept[2]
    assert told[0]["out"] == ("gopher:too_few_words", None)
    assert set(told[0].values()) == {(None, None), ("url:host_full", 4.0), ("gopher:too_few_words", None)}
