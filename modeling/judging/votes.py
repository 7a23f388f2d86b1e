"""The votes, in one SQLite file: a row a vote, a row an undo, nothing ever changed or deleted, each on disk before it is answered.

votes = Votes.create(Path("votes.sqlite"), "pairs", ("Which is better?",))
votes.add("anna", item, choice="left", seconds=4.2)
votes.undo("anna")
[vote.status for vote in votes.all()]   # ["undone"]
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, final

from corpus.errors import InputError, OutputError, ResumeError
from modeling.judging.samples import Item

Mode = Literal["pairs", "single"]
Status = Literal["counted", "skipped", "undone"]
FORMAT = "gristmill votes 1"
CHOICES = ("left", "right", "tie", "both_bad")
RATINGS = (1, 2, 3, 4, 5)
# kind is vote, skip or undo; only an undo names another row. FULL: with NORMAL the last votes of a WAL die with the power.
_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE votes (
  number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL CHECK (kind IN ('vote', 'skip', 'undo')), annotator TEXT NOT NULL,
  item TEXT, prompt_id TEXT, systems TEXT, choice TEXT, ratings TEXT, comment TEXT NOT NULL DEFAULT '', seconds REAL, at TEXT NOT NULL,
  undoes INTEGER UNIQUE REFERENCES votes(number), CHECK ((kind = 'undo') = (undoes IS NOT NULL))
);
CREATE INDEX votes_of ON votes (annotator, number);
CREATE TRIGGER no_change BEFORE UPDATE ON votes BEGIN SELECT RAISE(ABORT, 'a vote is never changed'); END;
CREATE TRIGGER no_loss BEFORE DELETE ON votes BEGIN SELECT RAISE(ABORT, 'a vote is never deleted'); END;
"""
_STANDING = "kind <> 'undo' AND number NOT IN (SELECT undoes FROM votes WHERE undoes IS NOT NULL)"


@final
@dataclass(frozen=True, kw_only=True)
class Vote:
    """One row as results and exports see it. ``systems`` as shown, left first; ``choice`` of a pair, ``ratings`` of a single text."""

    number: int
    status: Status
    annotator: str
    item: str
    prompt_id: str
    systems: tuple[str, ...]
    choice: str | None
    ratings: tuple[int, ...] | None
    comment: str
    seconds: float | None
    at: str


@final
class Votes:
    """An open file of votes; several threads and processes may share it."""

    def __init__(self, file: Path):
        self.file = file
        self._lock = threading.Lock()
        # no thread check: the lock is ours. No isolation level: transactions are begun by hand, as writers.
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = FULL")

    @classmethod
    def create(cls, file: Path, mode: Mode, questions: Sequence[str]) -> "Votes":
        """The file to vote into, made where there is none. Raises ResumeError where one of other questions lies there."""
        asked = {"format": FORMAT, "mode": mode, "questions": json.dumps(list(questions))}
        try:
            file.touch(mode=0o600)  # it holds the secret of the links
            votes = cls(file)
            with votes._writing() as connection:
                if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                    for statement in _SCHEMA.strip().split(";\n"):
                        connection.execute(statement)
                    values = {**asked, "secret": secrets.token_hex(32)}
                    connection.executemany("INSERT INTO about VALUES (?, ?)", values.items())
            about = votes._about()
            votes._connection.execute("PRAGMA journal_mode = WAL")
        except (OSError, sqlite3.OperationalError) as error:
            raise OutputError("cannot write the votes", where=str(file), hint=str(error)) from error
        except sqlite3.DatabaseError as error:
            raise _foreign(file) from error
        if about["mode"] != mode or about["questions"] != asked["questions"]:
            there = f"{about['mode']}: {', '.join(json.loads(about['questions']))}"
            raise ResumeError("the votes there answer other questions", where=str(file), hint=f"{there}; ask these, or name another file")
        return votes

    @classmethod
    def open(cls, file: Path) -> "Votes":
        """A file that is there. Raises InputError where it is none of ours."""
        if not file.is_file():
            raise InputError("no such file of votes", where=str(file), hint="gristmill judge SAMPLES --votes makes one")
        try:
            votes = cls(file)
            votes._about()
        except sqlite3.OperationalError as error:
            raise InputError("cannot read the votes", where=str(file), hint=str(error)) from error
        except sqlite3.DatabaseError as error:
            raise _foreign(file) from error
        return votes

    def close(self) -> None:
        self._connection.close()

    @property
    def mode(self) -> Mode:
        return "pairs" if self._about()["mode"] == "pairs" else "single"

    @property
    def questions(self) -> tuple[str, ...]:
        return tuple(json.loads(self._about()["questions"]))

    @property
    def secret(self) -> bytes:
        """What links and tickets are made with: known to this file alone, so that links stay good when the server starts again."""
        return bytes.fromhex(self._about()["secret"])

    def add(
        self,
        annotator: str,
        item: Item,
        *,
        choice: str | None = None,
        ratings: Sequence[int] | None = None,
        comment: str = "",
        seconds: float | None = None,
    ) -> bool:
        """Record a vote, or a skip where there is neither choice nor ratings. False: a vote of this person on the item stands already."""
        kind = "skip" if choice is None and ratings is None else "vote"
        facts = (item.key, item.prompt_id, json.dumps(item.systems), choice, json.dumps(ratings) if ratings else None, comment, seconds)
        with self._writing() as connection:
            asked = f"SELECT 1 FROM votes WHERE annotator = ? AND item = ? AND {_STANDING}"
            if connection.execute(asked, (annotator, item.key)).fetchone():
                return False
            columns = "item, prompt_id, systems, choice, ratings, comment, seconds, kind, annotator, at"
            connection.execute(f"INSERT INTO votes ({columns}) VALUES (?,?,?,?,?,?,?,?,?,?)", (*facts, kind, annotator, _now()))
        return True

    def undo(self, annotator: str) -> tuple[str, str] | None:
        """Take back the last vote or skip of this person that stands; returns its item and comment."""
        with self._writing() as connection:
            last = f"SELECT number, item, comment FROM votes WHERE annotator = ? AND {_STANDING} ORDER BY number DESC LIMIT 1"
            found = connection.execute(last, (annotator,)).fetchone()
            if found is None:
                return None
            row = (annotator, _now(), found[0])
            connection.execute("INSERT INTO votes (kind, annotator, at, undoes) VALUES ('undo', ?, ?, ?)", row)
        return found[1], found[2]

    def judged(self, annotator: str) -> set[str]:
        """The items that this person has voted on or skipped."""
        asked = f"SELECT item FROM votes WHERE annotator = ? AND {_STANDING}"
        return {item for (item,) in self._read(asked, (annotator,))}

    def all(self) -> list[Vote]:
        """Every vote and skip in the order given, those undone among them."""
        undone = {number for (number,) in self._read("SELECT undoes FROM votes WHERE kind = 'undo'")}
        columns = "number, kind, annotator, item, prompt_id, systems, choice, ratings, comment, seconds, at"
        rows = self._read(f"SELECT {columns} FROM votes WHERE kind <> 'undo' ORDER BY number")
        return [
            Vote(
                number=number,
                status="undone" if number in undone else "skipped" if kind == "skip" else "counted",
                annotator=annotator,
                item=item,
                prompt_id=prompt_id,
                systems=tuple(json.loads(systems)),
                choice=choice,
                ratings=tuple(json.loads(ratings)) if ratings else None,
                comment=comment,
                seconds=seconds,
                at=at,
            )
            for number, kind, annotator, item, prompt_id, systems, choice, ratings, comment, seconds, at in rows
        ]

    def _about(self) -> dict[str, str]:
        if self._read("SELECT 1 FROM sqlite_master WHERE name = 'about'"):
            about = dict(self._read("SELECT key, value FROM about"))
            if about.get("format") == FORMAT:
                return about
        raise _foreign(self.file)

    def _read(self, asked: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._connection.execute(asked, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the file for writing from its beginning: what it reads stays true until it ends."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _foreign(file: Path) -> InputError:
    return InputError("this is no file of votes", where=str(file), hint=f"its format is not {FORMAT!r}; name another")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
