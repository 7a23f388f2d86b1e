"""How much of a page's main text was found, and how much else: precision, recall and F1 over runs of four words.

    score("the quick brown fox jumps", "the quick brown fox sleeps") -> Score(precision=0.5, recall=0.5, f1=0.5)

A run counts as often as it stands in the text. A character of a script written without spaces is a word. A text of fewer than four
words is one run.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

_WORD = re.compile(r"[぀-ヿ㐀-鿿豈-﫿฀-๿]|[^\W_぀-ヿ㐀-鿿豈-﫿฀-๿]+")
RUN = 4


class Score(NamedTuple):
    precision: float
    recall: float
    f1: float


def words_of(text: str) -> list[str]:
    """Words in lower case; punctuation is none."""
    return _WORD.findall(text.lower())


def runs_of(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))) if words else Counter()


def score(found: str, wanted: str) -> Score:
    """Nothing found where nothing is wanted is perfect; nothing found where something is, or the reverse, is 0."""
    return score_words(words_of(found), words_of(wanted))


def score_words(found: Sequence[str], wanted: Sequence[str]) -> Score:
    ours, theirs = runs_of(found), runs_of(wanted)
    if not ours or not theirs:
        perfect = float(not ours and not theirs)
        return Score(perfect, perfect, perfect)
    both = (ours & theirs).total()
    precision, recall = both / ours.total(), both / theirs.total()
    return Score(precision, recall, 2 * precision * recall / (precision + recall) if both else 0.0)
