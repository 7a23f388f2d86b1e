"""Lists of stop words, for the rules that ask for some of them.

A rule about stop words is applied to languages that have a list and to no others.

    stop_words("de") -> frozenset({"der", "die", …})
"""

from functools import lru_cache
from importlib import resources


@lru_cache(maxsize=1)
def _lists() -> dict[str, frozenset[str]]:
    text = resources.files("corpus.resources.stopwords").joinpath("stopwords.txt").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {row[0]: frozenset(row[1:]) for row in rows}


def stop_words(language: str | None) -> frozenset[str] | None:
    """The words in lower case; None where there is no list for the language (an ISO 639-1 code)."""
    return _lists().get(language or "")


def languages() -> tuple[str, ...]:
    """The languages that have a list."""
    return tuple(sorted(_lists()))
