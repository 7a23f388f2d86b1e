"""Who is asked what next, and what an answer must be: the part of `gristmill judge` that knows nothing of HTTP.

session = Session(items, votes, annotators=("anna", "ben"), overlap=0)
state = session.state("anna")                         # {"item": {"ticket": …, "prompt": …, "texts": […]}, "done": 0, …}
session.vote("anna", {"ticket": state["item"]["ticket"], "choice": "left", "seconds": 3.5})
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, final

from modeling.judging.samples import Item, queue, whole
from modeling.judging.votes import CHOICES, RATINGS, Votes

_MAX_COMMENT = 2000  # characters
_MAX_SECONDS = 86_400.0


class Refused(Exception):
    """A request that cannot be: an HTTP status and one sentence for the page."""

    def __init__(self, status: int, what: str):
        self.status = status
        super().__init__(what)


@final
class Session:
    """The queues of all annotators over one file of votes. What was judged is read from the file each time: it is the only state."""

    def __init__(self, items: Sequence[Item], votes: Votes, *, annotators: Sequence[str], overlap: int = 0):
        self._votes = votes
        self._questions, self._paired = votes.questions, votes.mode == "pairs"
        self._secret = votes.secret
        self._queues = {name: queue(items, name, roster=annotators, overlap=overlap) for name in annotators}
        self._by_ticket = {(name, self._ticket(item)): item for name, items in self._queues.items() for item in items}
        self._keys = {self._sign("annotator", name): name for name in annotators}

    def key_of(self, annotator: str) -> str:
        """What the link of this person holds, and each request of theirs must."""
        return self._sign("annotator", annotator)

    def who(self, key: str) -> str | None:
        """The annotator of a key, compared in constant time."""
        return next((name for known, name in self._keys.items() if hmac.compare_digest(known.encode(), key.encode())), None)

    def state(self, annotator: str, *, comment: str = "") -> dict[str, Any]:
        """What the page shows: never a system's name, nor anything that follows from one."""
        judged, asked = self._votes.judged(annotator), self._queues[annotator]
        item = next((item for item in asked if item.key not in judged), None)
        done = sum(item.key in judged for item in asked)
        shown = None if item is None else {"ticket": self._ticket(item), "prompt": item.prompt, "texts": item.texts, "comment": comment}
        facts = {"annotator": annotator, "paired": self._paired, "questions": self._questions}
        return {**facts, "item": shown, "done": done, "total": len(asked), "can_undo": bool(judged)}

    def vote(self, annotator: str, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Record ``choice``, ``ratings`` or ``skip`` for the item of ``ticket``; returns the next state. Raises Refused."""
        item = self._by_ticket.get((annotator, str(answer.get("ticket"))))
        if item is None:
            raise Refused(409, "this is no longer among what is asked")
        comment, seconds = answer.get("comment", ""), answer.get("seconds")
        if not isinstance(comment, str) or len(comment) > _MAX_COMMENT:
            raise Refused(400, f"a comment is text of at most {_MAX_COMMENT:,} characters")
        if not isinstance(seconds, (int, float)) or not 0 <= seconds <= _MAX_SECONDS:  # NaN is not
            seconds = None  # a clock that was set is no reason to lose a vote
        choice, ratings = (None, None) if answer.get("skip") is True else self._judged(answer)
        if not self._votes.add(annotator, item, choice=choice, ratings=ratings, comment=whole(comment.strip()), seconds=seconds):
            raise Refused(409, "this was judged already, in another window")
        return self.state(annotator)

    def undo(self, annotator: str) -> dict[str, Any]:
        """Take the last vote or skip back; the state shows its item again, and its comment. Raises Refused where there is none."""
        undone = self._votes.undo(annotator)
        if undone is None:
            raise Refused(409, "there is nothing to undo")
        state = self.state(annotator, comment=undone[1])
        if state["item"] and self._by_ticket[annotator, state["item"]["ticket"]].key != undone[0]:
            state["item"]["comment"] = ""  # samples were taken away since: what was undone is asked no more
        return state

    def progress(self) -> dict[str, tuple[int, int]]:
        """(done, all) of each annotator."""
        states = {name: self.state(name) for name in self._queues}
        return {name: (state["done"], state["total"]) for name, state in states.items()}

    def _judged(self, answer: Mapping[str, Any]) -> tuple[str | None, list[int] | None]:
        if self._paired:
            if answer.get("choice") not in CHOICES:
                raise Refused(400, f"a choice is one of {', '.join(CHOICES)}")
            return answer["choice"], None
        ratings = answer.get("ratings")
        if (
            not isinstance(ratings, list)
            or len(ratings) != len(self._questions)
            or not all(type(each) is int and each in RATINGS for each in ratings)
        ):
            raise Refused(400, f"ratings are {len(self._questions)} numbers from {RATINGS[0]} to {RATINGS[-1]}")
        return None, ratings

    def _ticket(self, item: Item) -> str:
        """Names the item to the browser. Signed, since the hash itself could be guessed from the texts and the names of systems."""
        return self._sign("item", item.key)

    def _sign(self, kind: str, value: str) -> str:
        return hmac.digest(self._secret, f"{kind}\0{value}".encode(), "sha256").hex()[:32]
