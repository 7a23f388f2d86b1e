"""The report in Chromium: readable at three widths, silent, and deaf to what hostile pages say."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from corpus.engine import curate
from corpus.recipe import load
from corpus.report.page import remake
from corpus.storage import Place
from tests.browser import browser, browser_problem
from tests.golden import page, ten, warc

HOSTILE = (
    "<script>document.title='owned'</script>",
    "</pre></blockquote><img src=x onerror=\"document.title='owned'\">",
    '"><svg onload=document.title="owned">',
    "{{ 7*7 }} {% include 'x' %}",
    "\u202egnol si siht\u202c",
)


@pytest.fixture(scope="module")
def report(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a corpus in which everything that a page may decide is hostile: URL, title, text, headers, link."""
    folder = tmp_path_factory.mktemp("hostile")
    pages = ten()
    for number, attack in enumerate(HOSTILE):
        shown = attack.replace("&", "&amp;").replace("<", "&lt;")
        head = f"<html lang='{number}'><head><title>{shown}</title></head>"
        body = f"{head}<body><p>{(shown + ' and a sentence after it. ') * 30}</p></body></html>"
        pages.append(page(f"http://bad.example/{attack}?q={attack}", body))
        pages.append(page(f"http://bad.example/copy{number}/{attack}", body.replace("after it", "after that", 1)))
        pages.append(page(f"http://bad.example/short/{attack}", f"<p>{shown}</p>"))
    (folder / "a.warc.gz").write_bytes(warc(pages)[0])
    recipe = load("web", overrides=["identify_language.min_score=0.0", "output.keep_rejected=true"])
    curate(recipe, [str(folder)], str(folder / "corpus"), spark=spark)
    return folder / "corpus" / "report.html"


@pytest.fixture(autouse=True)
def _chromium() -> None:
    if problem := browser_problem():
        pytest.skip(problem)


@pytest.mark.parametrize("width", [360, 820, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_opens_at_every_width(report: Path, width: int, dark: bool, tmp_path: Path) -> None:
    with browser(width, 900, dark=dark) as driver:
        driver.get(report.as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        assert driver.title != "owned"
        assert "owned" not in driver.title
        assert driver.execute_script("return document.querySelectorAll('script, img, iframe, object, embed, link').length") == 0
        for heading in driver.execute_script("return [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))"):
            assert driver.execute_script(f"return document.querySelector('{heading}') !== null"), heading
        driver.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        requests = [
            entry
            for entry in driver.get_log("performance")
            if '"Network.requestWillBeSent"' in entry["message"] and report.name not in entry["message"]
        ]
        assert requests == []
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        driver.save_screenshot(str(tmp_path / "shot.png"))
    pixels = np.asarray(Image.open(tmp_path / "shot.png").convert("L"), dtype=float)
    assert pixels.std() > 10, "nothing was drawn"
    assert bool(pixels.mean() < 110) == dark


def test_attacks_are_shown_as_text(report: Path) -> None:
    with browser(1200, 900) as driver:
        driver.get(report.as_uri())
        driver.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
        text = driver.execute_script("return document.body.innerText")
        assert "<script>document.title='owned'</script>" in text
        assert "{{ 7*7 }}" in text
        assert "\u202e" not in text
        assert driver.execute_script("return [...document.querySelectorAll('a')].every(a => a.getAttribute('href').startsWith('#'))")


def test_the_policy_of_the_page_lets_nothing_in(report: Path) -> None:
    """Even where an attack got past the escaping: a script, an image and a style sheet that are put into the page are refused."""
    attack = (
        "for (const [tag, of] of [['script', {textContent: 'document.title = \"owned\"'}], ['img', {src: 'http://a.example/x.png'}],"
        " ['link', {rel: 'stylesheet', href: 'http://a.example/x.css'}], ['iframe', {src: 'http://a.example/'}]])"
        " document.body.append(Object.assign(document.createElement(tag), of))"
    )
    with browser(1200, 900) as driver:
        driver.get(report.as_uri())
        driver.execute_script(attack)
        told = [entry["message"] for entry in driver.get_log("browser")]
        assert "owned" not in driver.title
    assert sum("Content Security Policy" in each for each in told) == 4, told


def test_the_page_says_what_the_figures_say(report: Path) -> None:
    told = json.loads((report.parent / "report.json").read_text())
    with browser(1200, 900) as driver:
        driver.get(report.as_uri())
        text = driver.execute_script("return document.body.textContent")
    assert f"{told['read']['documents']:,}" in text
    for reason in told["reasons"]:
        assert reason["reason"] in text
        assert reason["meaning"] in text
    for signal in told["signals"]:
        assert signal["signal"] in text


def test_excerpts_are_bounded(report: Path) -> None:
    told = json.loads((report.parent / "report.json").read_text())
    for listed in told["excerpts"].values():
        assert len(listed) <= 20
        assert all(len(entry["excerpt"].encode()) <= 2048 for entry in listed)


def test_remade_from_its_figures(report: Path) -> None:
    before = report.read_bytes()
    report.unlink()
    assert remake(Place(str(report.parent))).path == str(report)
    assert report.read_bytes() == before


def test_real_pages(spark: SparkSession, shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    curate(load("web"), [str(shared_data("warc-edge"))], str(tmp_path / "corpus"), spark=spark)
    with browser(360, 900) as driver:
        driver.get((tmp_path / "corpus" / "report.html").as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 360
