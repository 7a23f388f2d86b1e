"""Judging by people: published and hand-worked statistics, votes that outlive a kill, a server that answers its own page only, and
the page by keyboard."""

import csv
import http.client
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.ui import WebDriverWait

from corpus.errors import GristmillError, InputError, ResumeError
from jobs.cli import gristmill
from modeling.judging.agreement import alpha, coincidences, of_coincidences
from modeling.judging.results import export, summarise
from modeling.judging.samples import Item, Sample, pairs, queue, read, singles
from modeling.judging.server import KEY_HEADER, JudgeServer
from modeling.judging.session import Refused, Session
from modeling.judging.strengths import fit, fit_replicates, problem
from modeling.judging.votes import Votes
from modeling.resampling import interval, replicates, wilson
from tests.browser import browser, browser_problem
from tests.conftest import REPOSITORY

PAIR = ("Which continuation is better?",)


def made(systems: int = 2, prompts: int = 3) -> list[Sample]:
    return [
        Sample(system=f"system-{chr(97 + at)}", prompt_id=f"p{prompt}", prompt=f"Prompt {prompt}", text=f"text {prompt} of {at}")
        for prompt in range(prompts)
        for at in range(systems)
    ]


def item(prompt: str, *systems: str) -> Item:
    key = f"{prompt} {sorted(systems)}"
    return Item(key=key, prompt_id=prompt, prompt=prompt, systems=systems, texts=tuple(f"of {system}" for system in systems))


@pytest.fixture
def votes(tmp_path: Path) -> Iterator[Votes]:
    opened = Votes.create(tmp_path / "votes.sqlite", "pairs", PAIR)
    yield opened
    opened.close()


# Agreement. The three examples of Krippendorff (2011), sections A, B and C; 0: no value.
MEG_OWEN = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
BEN_GERRY = [["aabbdcccedda".index(value) for value in row] for row in ("aabbdcccedda", "babbbccceddd")]
FOUR_OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def units_of(rows: list[list[int]], missing: int | None = None) -> list[tuple[str, list[int]]]:
    return [(str(at), [value for value in column if value != missing]) for at, column in enumerate(zip(*rows, strict=True))]


@pytest.mark.parametrize(
    ("rows", "missing", "ordinal", "published"),
    [
        (MEG_OWEN, None, False, 0.095),
        (BEN_GERRY, None, False, 0.692),
        (FOUR_OBSERVERS, 0, False, 0.743),
        (FOUR_OBSERVERS, 0, True, 0.815),
    ],
)
def test_alpha_is_krippendorffs(rows: list[list[int]], missing: int | None, ordinal: bool, published: float) -> None:
    found = alpha(units_of(rows, missing), codes=12, ordinal=ordinal)
    assert found.value == pytest.approx(published, abs=0.0005)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=8), st.booleans())
def test_alpha_is_that_of_pairs_counted_one_by_one(units: list[list[int]], ordinal: bool) -> None:
    """The definition in words: mean distance of two judgements of one unit over that of any two judgements."""
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    counts = Counter(values)

    def distance(a: int, b: int) -> float:
        if not ordinal:
            return float(a != b)
        low, high = sorted((a, b))
        return (sum(counts[code] for code in range(low, high + 1)) - (counts[a] + counts[b]) / 2) ** 2

    found = float(of_coincidences(sum((coincidences(unit, 4) for unit in units), np.zeros((4, 4))), ordinal=ordinal))
    expected = sum(distance(a, b) for a, b in combinations(values, 2))
    if not expected:
        assert np.isnan(found)
        return
    within = sum(2 * distance(a, b) / (len(unit) - 1) for unit in units for a, b in combinations(unit, 2)) / len(values)
    assert found == pytest.approx(1 - within / (2 * expected / (len(values) * (len(values) - 1))))


def test_alpha_of_nothing_to_compare_is_not_defined() -> None:
    assert alpha([("p", [1]), ("q", [2])], codes=3, ordinal=False).value is None
    assert alpha([("p", [1, 1]), ("q", [1, 1])], codes=3, ordinal=True).value is None


# Strengths.
def test_two_systems_have_a_closed_form() -> None:
    """7 wins to 3: γ ratio 7 / 3, so logs of half its logarithm each way."""
    assert fit(np.array([[0.0, 7.0], [3.0, 0.0]])) == pytest.approx([np.log(7 / 3) / 2, -np.log(7 / 3) / 2])


@given(st.lists(st.integers(1, 20), min_size=12, max_size=12))
def test_strengths_are_the_maximum_that_a_general_optimiser_finds(counts: list[int]) -> None:
    wins = np.zeros((4, 4))
    wins[~np.eye(4, dtype=bool)] = np.array(counts) / 2

    def loss(logs: np.ndarray) -> float:
        return float((wins * np.logaddexp(0, logs[None, :] - logs[:, None])).sum() + logs.mean() ** 2)

    found = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    assert fit(wins) == pytest.approx(found - found.mean(), abs=1e-5)


def test_what_cannot_be_ranked_is_told_in_one_line() -> None:
    islands = np.zeros((4, 4))
    islands[0, 1] = islands[1, 0] = islands[2, 3] = islands[3, 2] = 1
    assert problem(islands, ["a", "b", "c", "d"]) == "no chain of votes links c, d with a: nothing can be ranked across"
    unbeaten = np.array([[0, 3, 2], [0, 0, 1], [0, 1, 0.0]])
    assert problem(unbeaten, ["a", "b", "c"]) == "a never lost or tied against b, c: strengths have no finite maximum"
    unbeaten[1, 0] = 0.5
    assert problem(unbeaten, ["a", "b", "c"]) is None


def test_a_replicate_without_a_defeat_has_a_finite_strength() -> None:
    """6 to 0 with half a vote more at the fitted 3 : 1, so 6.375 to 0.125."""
    fitted = fit(np.array([[0.0, 6.0], [2.0, 0.0]]))
    found = fit_replicates(np.array([[[0.0, 6.0], [0.0, 0.0]]]), fitted)
    assert found[0, 0] - found[0, 1] == pytest.approx(np.log(6.375 / 0.125))


# The bootstrap.
def test_replicates_draw_as_many_as_there_are_evenly_and_always_the_same() -> None:
    drawn = replicates(50)
    assert (drawn.sum(1) == 50).all()
    assert np.abs(drawn.mean(0) - 1).max() < 0.2, "each is drawn about once; the deviation of the mean of 1,000 is 0.03"
    assert (replicates(50) == drawn).all()


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    """60 of 100: 0.6 ± 1.96 · sqrt(0.24 / 100) = (0.504, 0.696)."""
    values = np.repeat([1.0, 0.0], [60, 40])
    assert interval(replicates(100) @ values / 100) == pytest.approx((0.504, 0.696), abs=0.012)


def test_wilson() -> None:
    """8 of 10, as in Newcombe's (1998) reckoning by hand: (0.490, 0.943)."""
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-5)


# Samples and their order.
@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("", "no samples"),
        ('{"system": "a", "prompt": "p", "text": "t"}\nnot json', "this is no JSON: {file}, line 2"),
        ('{"system": "a", "prompt": "p"}', "this is no sample: {file}, line 1"),
        ("[1]", "this is no sample: {file}, line 1"),
        ('{"system": "a", "prompt": "p", "text": "t"}\n' * 2, "a second text of a system for a prompt: {file}, line 2"),
        (
            '{"system": "a", "prompt_id": 1, "prompt": "p", "text": "t"}\n{"system": "b", "prompt_id": "1", "prompt": "q", "text": "t"}',
            "two prompts of the same prompt_id: {file}, line 2 (1)",
        ),
        ('{"system": "a", "prompt": "p", "text": "t"}\n{"system": "b", "prompt": "p", "text": "t"}', "no prompt has different texts"),
    ],
)
def test_samples_that_cannot_be_judged(tmp_path: Path, lines: str, told: str) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_text(lines)
    ran = CliRunner().invoke(gristmill, ["judge", str(file), "--votes", str(tmp_path / "v")])
    assert isinstance(ran.exception, GristmillError)
    assert told.format(file=file) in str(ran.exception)
    assert not (tmp_path / "v").exists()


def test_equal_texts_are_no_question_and_equal_prompts_one(tmp_path: Path) -> None:
    rows = [("a", "p", "x"), ("b", "p", "x"), ("c", "p", "y"), ("a", "q", "\ud800")]
    file = tmp_path / "samples.jsonl"
    file.write_text("".join(json.dumps({"system": s, "prompt": p, "text": t, "more": 1}) + "\n\n" for s, p, t in rows))
    samples = read([file])
    assert [each.systems for each in pairs(samples)] == [("a", "c"), ("b", "c")]
    assert [each.texts for each in singles(samples) if each.prompt == "q"] == [("?",)]


def test_each_pair_of_systems_stands_left_as_often_as_right() -> None:
    items = pairs(made(systems=3, prompts=21))
    shown = queue(items, "anna", roster=("anna",), overlap=0)
    sides = Counter(each.systems for each in shown)
    for a, b in combinations(("system-a", "system-b", "system-c"), 2):
        assert abs(sides[a, b] - sides[b, a]) == 1, "21 prompts: 10 and 11"
    assert shown == queue(items[::-1], "anna", roster=("anna", "ben"), overlap=0), "neither files' order nor others change anything"
    assert [each.key for each in shown] != [each.key for each in queue(items, "ben", roster=("anna", "ben"), overlap=0)]


def test_overlap() -> None:
    items, roster = singles(made(systems=2, prompts=200)), ("anna", "ben", "cleo", "dan")
    seen = {name: {each.key for each in queue(items, name, roster=roster, overlap=2)} for name in roster}
    assert set(Counter(key for keys in seen.values() for key in keys).values()) == {2}
    assert all(150 < len(keys) < 250 for keys in seen.values()), "400 texts twice among four: 200 each, give or take 10"
    assert all(len(seen[a] & seen[b]) > 30 for a, b in combinations(roster, 2)), "each two have texts in common: 67 each on average"


# Votes.
def test_undo_is_a_row_and_nothing_changes_or_goes(votes: Votes) -> None:
    one, two = item("p", "a", "b"), item("q", "b", "a")
    assert votes.add("anna", one, choice="left", comment="so", seconds=1.5)
    assert not votes.add("anna", one, choice="right"), "a vote that stands stands"
    assert votes.add("ben", one, choice="tie")
    assert votes.add("anna", two)
    assert votes.judged("anna") == {one.key, two.key}
    assert votes.undo("anna") == (two.key, "")
    assert votes.undo("anna") == (one.key, "so")
    assert votes.undo("anna") is None
    assert votes.add("anna", one, choice="both_bad")
    assert [(vote.annotator, vote.choice, vote.status) for vote in votes.all()] == [
        ("anna", "left", "undone"),
        ("ben", "tie", "counted"),
        ("anna", None, "undone"),
        ("anna", "both_bad", "counted"),
    ]
    with sqlite3.connect(votes.file) as other:
        assert other.execute("SELECT count(*) FROM votes").fetchone() == (6,)
        for statement in ("DELETE FROM votes", "UPDATE votes SET choice = 'left'"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                other.execute(statement)


def test_votes_outlive_a_kill(tmp_path: Path) -> None:
    """Killed right after the last answer, in the middle of the next transaction: all that was answered is there, and no more."""
    code = f"""
import os, signal
from pathlib import Path
from modeling.judging.samples import Item
from modeling.judging.votes import Votes
votes = Votes.create(Path({str(tmp_path / "votes.sqlite")!r}), "pairs", ["Which?"])
for number in range(20):
    votes.add("anna", Item(key=str(number), prompt_id="", prompt="", systems=("a", "b"), texts=("", "")), choice="left")
votes._connection.execute("BEGIN IMMEDIATE")
votes._connection.execute("INSERT INTO votes (kind, annotator, at) VALUES ('vote', 'ben', '')")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == -9
    told = Votes.open(tmp_path / "votes.sqlite").all()
    assert [vote.annotator for vote in told] == ["anna"] * 20


def test_other_questions_and_foreign_files(tmp_path: Path) -> None:
    file = tmp_path / "votes.sqlite"
    first = Votes.create(file, "pairs", PAIR)
    assert Votes.create(file, "pairs", PAIR).secret == first.secret, "links stay good"
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(ResumeError, match="other questions"):
        Votes.create(file, "single", PAIR)
    (tmp_path / "text").write_text("not a database, but long enough to look at" * 30)
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE mine (x)")
    for name in ("text", "other"):
        for opened in (Votes.open, lambda place: Votes.create(place, "pairs", PAIR)):
            with pytest.raises(InputError, match="this is no file of votes"):
                opened(tmp_path / name)
    with pytest.raises(InputError, match="no such file of votes"):
        Votes.open(tmp_path / "none")


# The session.
def test_a_session_asks_all_skips_undoes_and_goes_on(votes: Votes) -> None:
    items = pairs(made(prompts=3))
    session = Session(items, votes, annotators=("anna", "ben"))
    state = session.state("anna")
    assert "system-" not in json.dumps(state)
    assert (state["done"], state["total"], state["can_undo"]) == (0, 3, False)
    first = state["item"]
    state = session.vote("anna", {"ticket": first["ticket"], "choice": "left", "comment": " why\ud800 ", "seconds": float("nan")})
    assert state["done"] == 1
    state = session.vote("anna", {"ticket": state["item"]["ticket"], "skip": True, "seconds": 2})
    state = Session(items, votes, annotators=("anna",)).state("anna")
    assert state["done"] == 2, "a new server goes on"
    assert session.undo("anna")["item"]["comment"] == ""
    again = session.undo("anna")
    assert again["item"] == {**first, "comment": "why?"}
    assert session.state("ben")["done"] == 0
    assert [(vote.status, vote.seconds) for vote in votes.all()] == [("undone", None), ("undone", 2.0)]


def test_answers_that_are_none(votes: Votes, tmp_path: Path) -> None:
    session = Session(pairs(made()), votes, annotators=("anna", "ben"))
    ticket = session.state("anna")["item"]["ticket"]
    for wrong in (
        {"choice": "middle"},
        {"choice": ["left"]},
        {},
        {"choice": "left", "comment": 1},
        {"choice": "left", "comment": "x" * 2001},
    ):
        with pytest.raises(Refused) as refused:
            session.vote("anna", {"ticket": ticket, **wrong})
        assert refused.value.status == 400
    for elsewhere in (None, 1, "x", session.state("ben")["item"]["ticket"] + "x"):
        with pytest.raises(Refused, match="no longer among"):
            session.vote("anna", {"ticket": elsewhere, "choice": "left"})
    single = Votes.create(tmp_path / "single", "single", ("Fluent?", "True?"))
    session = Session(singles(made()), single, annotators=("anna",))
    ticket = session.state("anna")["item"]["ticket"]
    for ratings in ([1], [1, 6], [1, True], "12", None, [1, 2.0]):
        with pytest.raises(Refused, match="2 numbers from 1 to 5"):
            session.vote("anna", {"ticket": ticket, "ratings": ratings})
    assert session.vote("anna", {"ticket": ticket, "ratings": [1, 5]})["done"] == 1
    assert not votes.all()


# HTTP.
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


# Results.
def judged(votes: Votes, rows: str) -> None:
    """A line: annotator prompt left right choice seconds."""
    for row in rows.strip().splitlines():
        annotator, prompt, left, right, choice, seconds = row.split()
        assert votes.add(annotator, item(prompt, left, right), choice=choice, seconds=float(seconds))


ROWS = """
anna p1 x y left 2
anna p2 y x left 4
anna p3 x y tie 9
anna p4 x y left 6
ben  p1 y x right 1
ben  p2 x y left 3
ben  p3 y x both_bad 5
"""


def test_results_worked_by_hand(votes: Votes) -> None:
    """x over y: 4 wins, 2 ties, 1 defeat: 5 of 7, log odds log(5 / 2). Of 5 decided, 4 went left."""
    judged(votes, ROWS)
    votes.add("anna", item("p5", "x", "y"))
    votes.add("ben", item("p5", "x", "y"), choice="right")
    votes.undo("ben")
    told = summarise(votes)
    assert (told["votes"], told["skipped"], told["undone"], told["items"], told["prompts"]) == (7, 1, 1, 4, 4)
    first, second = told["systems"]
    assert (first["system"], first["votes"], first["win_rate"]["value"]) == ("x", 7, pytest.approx(5 / 7))
    assert first["win_rate"]["low"] < 5 / 7 < first["win_rate"]["high"]
    points = 400 / np.log(10) * np.log(5 / 2) / 2
    assert (first["strength"]["value"], second["strength"]["value"]) == (pytest.approx(points), pytest.approx(-points))
    assert told["pairs"] == [{"systems": ["x", "y"], "first": 4, "tie": 1, "both_bad": 1, "second": 1}]
    assert (told["position"]["left"], told["position"]["decided"]) == (4, 5)
    assert [row["median_seconds"] for row in told["annotators"]] == [5.0, 3.0]
    # p1: x x, p2: y x, p3: tie both_bad; p4 has one vote. Nominal: n 6, o differing 4 of 6; counts 3 1 1 1, so 24 of 30 differ: 1 - 5·4/24.
    agreement = told["agreement"][0]
    assert agreement["items"] == 3
    assert agreement["nominal"]["value"] == pytest.approx(1 - 5 * 4 / 24)
    # Ordinal: counts 3 2 1, mid-ranks 1.5 4 5.5; o: x-y twice, so 2·16; all pairs: 2·(3·2·6.25 + 3·1·16 + 2·1·2.25) = 180: 1 - 5·32/180.
    assert agreement["ordinal"]["value"] == pytest.approx(1 - 5 * 32 / 180)


def test_ratings_worked_by_hand(tmp_path: Path) -> None:
    votes = Votes.create(tmp_path / "votes", "single", ("Fluent?", "True?"))
    rows = ["anna p x 5 1", "ben p x 4 1", "anna q x 3 1", "anna p y 1 1", "ben p y 1 1"]
    for annotator, prompt, system, *ratings in map(str.split, rows):
        votes.add(annotator, item(prompt, system), ratings=[int(each) for each in ratings], seconds=1)
    told = summarise(votes)
    means = [(row["question"], row["system"], row["mean"]["value"]) for row in told["systems"]]
    assert means == [("Fluent?", "x", 4.0), ("Fluent?", "y", 1.0), ("True?", "x", 1.0), ("True?", "y", 1.0)]
    assert told["systems"][0]["counts"] == [0, 0, 1, 1, 1]
    fluent, true = told["agreement"]
    assert fluent["nominal"]["value"] == pytest.approx(1 - 3 * 2 / 10)  # 5 4 | 1 1: of 12 ordered pairs 10 differ
    assert true["nominal"]["value"] is None


def test_what_is_not_connected_is_not_ranked(tmp_path: Path, votes: Votes) -> None:
    judged(votes, "anna p1 a b left 1\nanna p2 a b right 1\nanna p1 c d left 1\nanna p2 c d right 1")
    assert all(row["strength"] is None for row in summarise(votes)["systems"])
    ran = CliRunner().invoke(gristmill, ["judge", "--results", str(votes.file)])
    assert ran.exit_code == 0, ran.output
    assert "Not ranked: no chain of votes links c, d with a: nothing can be ranked across." in ran.output


def test_exports(tmp_path: Path, votes: Votes) -> None:
    judged(votes, ROWS)
    votes.add("anna", item("p9", "x", "y"), choice="left", comment='"quoted",\nand more')
    votes.undo("anna")
    for suffix in (".jsonl", ".csv", ".json"):
        ran = CliRunner().invoke(gristmill, ["judge", "--results", str(votes.file), "--export", str(tmp_path / f"out{suffix}")])
        assert ran.exit_code == 0, ran.output
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    with (tmp_path / "out.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert len(rows) == len(table) == 8
    assert rows[-1]["comment"] == table[-1]["comment"] == '"quoted",\nand more'
    assert (rows[-1]["status"], rows[0]["systems"], json.loads(table[0]["systems"])) == ("undone", ["x", "y"], ["x", "y"])
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(json.dumps(summarise(votes)))
    with pytest.raises(GristmillError, match=r"\.jsonl, \.csv or \.json"):
        export(votes, tmp_path / "out.xml")


def test_results_of_no_votes(votes: Votes) -> None:
    with pytest.raises(InputError, match="no vote stands"):
        summarise(votes)


# The page.
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
