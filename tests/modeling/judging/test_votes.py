"""Which questions are asked, votes that outlive a kill, and a session that goes on."""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from click.testing import CliRunner

from corpus.errors import GristmillError, InputError, ResumeError
from jobs.cli import gristmill
from modeling.judging.samples import pairs, queue, read, singles
from modeling.judging.session import Refused, Session
from modeling.judging.votes import Votes
from tests.conftest import REPOSITORY
from tests.modeling.judging.items import PAIR, item, made


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
