"""What votes come to, worked by hand, and their exports."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from corpus.errors import GristmillError, InputError
from jobs.cli import gristmill
from modeling.judging.results import export, summarise
from modeling.judging.votes import Votes
from tests.modeling.judging.items import item


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
