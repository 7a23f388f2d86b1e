"""RefinedWeb's line-wise corrections (arXiv 2306.01116, appendix G.2), as DCLM published them (arXiv 2406.11794).

RefinedwebLines()(batch)["signals.refinedweb_removed"]
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import document
from corpus.kernels.words import words
from corpus.step import DocumentStep, Reason, Rule, judge, step_name

TOO_MUCH_REMOVED = Reason(
    "refinedweb:too_much_removed", "too many of its words stood in counters, buttons and other lines that are no text"
)

_URL = re.compile(r"\s{0,10}\b(?:(?:https?|ftp)://|www\.)[^\s<>\"]+")
_COUNTED = "likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views|followers"
_COUNTER = re.compile(rf"\W*\d[\d,.]*[kmb]?\s+(?:{_COUNTED})\W*", re.IGNORECASE)
_UPPER = bytes(range(65, 91))
_FAULTS = ("uppercase", "digits", "counter", "few_words")


@final
@dataclass(frozen=True, kw_only=True)
class RefinedwebLines(DocumentStep):
    """Takes URLs out; drops lines of capitals (more than ``max_uppercase`` of the characters), of digits alone, counters ("12k likes") and
    lines of fewer than ``min_words_a_line`` words; cuts calls out of lines of at most ``max_words_of_a_cut_line`` words: ``anywhere``,
    ``at_start``, ``at_end``, whatever their case. A page that lost more than ``max_removed`` of its words to lines and cuts is rejected.

    RefinedWeb's rules on documents are ``gopher_quality: {variant: dclm}`` and ``gopher_repetition: {variant: dclm}``, which come before.
    DCLM finds URLs without ``http`` and ``www`` too, by a list of top-level domains that does not come with us. Words of a line are what
    stands between white space, words of a page are ours.
    """

    strip_urls: bool = True
    max_uppercase: float = 0.5
    drop_digits: bool = True
    drop_counters: bool = True
    min_words_a_line: int = 2
    max_words_of_a_cut_line: int = 10
    anywhere: tuple[str, ...] = ("items in cart",)
    at_start: tuple[str, ...] = ("sign-in",)
    at_end: tuple[str, ...] = ("read more...",)
    max_removed: float = 0.05

    rewrites_text = True
    signals = {f"refinedweb_{fault}": pa.int32() for fault in _FAULTS} | {"refinedweb_removed": pa.float64()}
    reasons = (TOO_MUCH_REMOVED,)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = [text or "" for text in batch["text"].to_pylist()]
        if self.strip_urls:
            texts = [_URL.sub("", text) if "://" in text or "www." in text else text for text in texts]
        cleaned = [self._clean(text) for text in texts]
        before, after = _count_words(texts), _count_words([text for text, _ in cleaned])
        counts = np.array([dropped for _, dropped in cleaned], np.int32).reshape(-1, len(_FAULTS))
        signals = {f"refinedweb_{fault}": pa.array(counts[:, at]) for at, fault in enumerate(_FAULTS)}
        signals["refinedweb_removed"] = pa.array((before - after) / np.maximum(before, 1))
        left = pa.array([text for text, _ in cleaned], pa.string())
        batch = document.with_text(batch, pc.if_else(pc.equal(left, ""), batch["text"], left))  # what is rejected keeps its text
        return judge(document.with_signals(batch, signals), step_name(type(self)), self.rules())

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(TOO_MUCH_REMOVED, "refinedweb_removed", ">", self.max_removed),)

    def _clean(self, text: str) -> tuple[str, tuple[int, ...]]:
        """The text of what stays, and how many lines fell to each fault."""
        dropped = [0] * len(_FAULTS)
        stay = []
        for line in text.split("\n"):
            fault = self._fault(line) if line else -1
            if fault >= 0:
                dropped[fault] += 1
            elif line:
                stay.append(self._cut(line))
            else:
                stay.append(line)
        return re.sub(r"\n{3,}", "\n\n", "\n".join(stay)).strip(), tuple(dropped)

    def _fault(self, line: str) -> int:
        """Index into _FAULTS; -1 for a line that stays."""
        if _uppercase(line) > self.max_uppercase * len(line):
            return 0
        if self.drop_digits and line.isdigit():
            return 1
        if self.drop_counters and _COUNTER.fullmatch(line):
            return 2
        return 3 if len(line.split(None, self.min_words_a_line)) < self.min_words_a_line else -1

    def _cut(self, line: str) -> str:
        """The line without the calls, if it is short."""
        if len(line.split(None, self.max_words_of_a_cut_line + 1)) > self.max_words_of_a_cut_line:
            return line
        return _calls(self.anywhere, self.at_start, self.at_end).sub("", line)


@lru_cache(maxsize=8)
def _calls(anywhere: tuple[str, ...], at_start: tuple[str, ...], at_end: tuple[str, ...]) -> re.Pattern[str]:
    starts, ends = (rf"\A\s*{re.escape(call)}" for call in at_start), (rf"{re.escape(call)}\s*\Z" for call in at_end)
    return re.compile("|".join([*map(re.escape, anywhere), *starts, *ends]) or r"(?!)", re.IGNORECASE)


def _uppercase(line: str) -> int:
    """Upper-case letters, at the speed of bytes where all are ASCII."""
    if line.isascii():
        return len(line) - len(line.encode().translate(None, _UPPER))
    return sum(map(str.isupper, line))


def _count_words(texts: list[str]) -> np.ndarray:
    return pc.list_value_length(words(pa.array(texts, pa.string()))).to_numpy(zero_copy_only=False) // 2
