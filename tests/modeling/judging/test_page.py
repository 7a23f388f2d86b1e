"""A server that answers its own page only, and the page by keyboard."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.ui import WebDriverWait

from corpus.errors import GristmillError
from modeling.judging.samples import Sample, pairs, singles
from modeling.judging.server import KEY_HEADER, JudgeServer
from modeling.judging.session import Session
from modeling.judging.votes import Votes
from tests.browser import browser, browser_problem
from tests.modeling.judging.items import PAIR, made


@pytest.fixture
def server(votes: Votes) -> Iterator[JudgeServer]:
    with JudgeServer(Session(pairs(made(prompts=4)), votes, annotators=("anna", "ben")), host="127.0.0.1", port=0) as running:
        Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield running
        running.shutdown()


def ask(server: JudgeServer, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    key = {KEY_HEADER: server.session.key_of("anna"), "Content-Type": "application/json"}
    connection.request(method, path, sent, {**key, **{name.replace("_", "-"): value for name, value in headers.items()}})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if answer.headers.get_content_type() == "application/json" else content, answer.headers


def test_the_calls_of_the_page(server: JudgeServer, votes: Votes) -> None:
    status, state, headers = ask(server, "GET", "/state")
    assert (status, state["annotator"], state["total"]) == (200, "anna", 4)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    answer = {"ticket": state["item"]["ticket"], "choice": "tie", "comment": "", "seconds": 1}
    assert ask(server, "POST", "/vote", answer)[1]["done"] == 1
    assert ask(server, "POST", "/vote", answer)[0] == 409, "sent twice, counted once"
    assert ask(server, "POST", "/undo", {})[1]["item"] == state["item"]
    assert [vote.status for vote in votes.all()] == ["undone"]
    for path in ("/", "/judge.css", "/judge.js"):
        status, content, headers = ask(server, "GET", path)
        assert status == 200
        assert b"http:" not in content, "nothing from elsewhere"
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/state", None, {"Host": "evil.example"}, 421),
        ("GET", "/", None, {"Host": "evil.example:8765"}, 421),
        ("POST", "/vote", {}, {"Host": "127.0.0.1.evil.example"}, 421),
        ("GET", "/state", None, {"Host": "[bad"}, 421),
        ("GET", "/state", None, {"X_Judge_Key": "0" * 32}, 403),
        ("GET", "/state", None, {"X_Judge_Key": "\xe9"}, 403),
        ("POST", "/undo", {}, {"X_Judge_Key": ""}, 403),
        ("POST", "/undo", {}, {"Content_Type": "text/plain"}, 415),
        ("POST", "/vote", b"{", {}, 400),
        ("POST", "/vote", b"[" * 60_000, {}, 400),
        ("POST", "/vote", [1], {}, 400),
        ("POST", "/vote", b"x" * 70_000, {}, 413),
        ("POST", "/vote", None, {"Content_Length": "-1"}, 413),
        ("POST", "/vote", {"ticket": "x", "choice": "left"}, {}, 409),
        ("GET", "/../samples.py", None, {}, 404),
        ("POST", "/votes", {}, {}, 404),
        ("DELETE", "/vote", None, {}, 501),
    ],
)
def test_requests_that_are_turned_away(
    server: JudgeServer, votes: Votes, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    found, content, _ = ask(server, method, path, body, **headers)
    assert found == status
    assert b"Traceback" not in str(content).encode()
    assert not votes.all()


def test_hosts_that_may_be_ours(server: JudgeServer) -> None:
    for host in (f"127.0.0.1:{server.server_port}", "localhost:1", "[::1]:8765", "192.168.1.7"):
        assert server.knows(host), host
    for host in ("", "rebound.example", "localhost.evil.example", "127.0.0.1.nip.io"):
        assert not server.knows(host), host


def test_a_port_that_is_taken(server: JudgeServer, votes: Votes) -> None:
    with pytest.raises(GristmillError, match="cannot serve here"):
        JudgeServer(server.session, host="127.0.0.1", port=server.server_port)


HOSTILE = "<img src=x onerror=\"document.title='owned'\"></div><script>document.title='owned'</script> \u202egnol {{ 7*7 }}"


class Page:
    """What a person does with the page, and sees."""

    def __init__(self, driver: Chrome):
        self.driver = driver

    def wait(self, done: str) -> None:
        WebDriverWait(self.driver, 20).until(lambda _: self.text("count").startswith(done))

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def text(self, element: str) -> str:
        return str(self.driver.execute_script(f"return document.getElementById('{element}').textContent"))


@pytest.fixture
def page(server: JudgeServer, tmp_path: Path) -> Iterator[tuple[Page, Votes, JudgeServer]]:
    if message := browser_problem():
        pytest.skip(message)
    with browser(1200, 900) as driver:
        yield Page(driver), Votes.open(tmp_path / "votes.sqlite"), server


def test_voting_by_keyboard_undo_reload_and_the_end(page: tuple[Page, Votes, JudgeServer]) -> None:
    seen, votes, server = page
    seen.driver.get(server.link("anna"))
    seen.wait("0 of 4")
    first = seen.text("texts")
    seen.press(Keys.ARROW_LEFT)
    seen.wait("1 of 4")
    seen.press("c", "t", "l", Keys.ESCAPE, "t")  # the first t is in the comment, the second a tie
    seen.wait("2 of 4")
    seen.press("u")
    seen.wait("1 of 4")
    assert seen.driver.execute_script("return document.getElementById('comment').value") == "tl"
    seen.press("u")
    seen.wait("0 of 4")
    assert seen.text("texts") == first
    seen.press(Keys.ARROW_RIGHT)
    seen.wait("1 of 4")
    seen.driver.refresh()
    seen.wait("1 of 4")
    seen.press("b")
    seen.wait("2 of 4")
    seen.press("s")
    seen.wait("3 of 4")
    seen.driver.find_element("css selector", "[data-choice=tie]").click()
    seen.wait("4 of 4")
    assert seen.driver.find_element("id", "end").is_displayed()
    assert not any(seen.driver.find_element("id", name).is_displayed() for name in ("main", "choices", "skip"))
    assert [(vote.choice, vote.status) for vote in votes.all()] == [
        ("left", "undone"), ("tie", "undone"), ("right", "counted"), ("both_bad", "counted"), (None, "skipped"), ("tie", "counted"),
    ]  # fmt: skip
    assert all(vote.annotator == "anna" and vote.seconds is not None and vote.seconds < 60 for vote in votes.all())
    assert [entry for entry in seen.driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_server_out_of_reach_loses_no_vote_unseen(page: tuple[Page, Votes, JudgeServer]) -> None:
    seen, votes, server = page
    seen.driver.get(server.link("anna"))
    seen.wait("0 of 4")
    cable = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    seen.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**cable, "offline": True})
    seen.press(Keys.ARROW_LEFT)
    WebDriverWait(seen.driver, 20).until(lambda driver: driver.find_element("id", "problem").is_displayed())
    assert "this is not saved" in seen.text("problem")
    assert not votes.all()
    seen.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**cable, "offline": False})
    seen.press("r")
    seen.wait("1 of 4")
    assert not seen.driver.find_element("id", "problem").is_displayed()
    assert [vote.choice for vote in votes.all()] == ["left"]


@pytest.mark.parametrize(("width", "dark", "single"), [(360, False, False), (360, True, True), (1200, True, False), (1200, False, True)])
def test_the_page_at_every_width(tmp_path: Path, width: int, dark: bool, single: bool) -> None:
    """Hostile texts stay text, nothing scrolls sideways, nothing is asked of elsewhere."""
    if message := browser_problem():
        pytest.skip(message)
    texts = (HOSTILE, "long" * 300, "", "نص عربي مع علامة \u200f")
    samples = [Sample(system=f"secret-{at}", prompt_id="p", prompt=HOSTILE, text=text) for at, text in enumerate(texts)]
    votes = Votes.create(tmp_path / "votes", "single" if single else "pairs", ("Fluent?", "True?") if single else PAIR)
    items = singles(samples) if single else pairs(samples)
    with (
        JudgeServer(Session(items, votes, annotators=("anna",)), host="127.0.0.1", port=0) as server,
        browser(width, 900, dark=dark) as driver,
    ):
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        seen = Page(driver)
        driver.get(server.link("anna"))
        for done in range(len(items)):
            seen.wait(f"{done} of {len(items)}")
            assert driver.execute_script("return document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
            assert "secret-" not in driver.page_source
            assert driver.execute_script("return document.querySelectorAll('img, script:not([src])').length") == 0
            assert "<script>document.title='owned'</script>" in seen.text("prompt-text")
            driver.save_screenshot(str(tmp_path / f"{done}.png"))
            seen.press(*(("2", Keys.BACKSPACE, "1", "5") if single else (Keys.ARROW_RIGHT,)))
        seen.wait(f"{len(items)} of {len(items)}")
        assert driver.title == "All judged"
        sent = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
        urls = [each["params"]["request"]["url"] for each in sent if each["method"] == "Network.requestWillBeSent"]
        assert all(url.startswith((f"http://127.0.0.1:{server.server_port}/", "data:,")) for url in urls), urls
        server.shutdown()
    if single:
        assert {vote.ratings for vote in votes.all()} == {(1, 5)}
