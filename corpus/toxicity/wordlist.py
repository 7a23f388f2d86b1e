"""Counts words of a list of profanities, with word boundaries that are right in every script.

The lists are LDNOOBW's (CC BY 4.0), in 28 languages; C4 drops a page for one hit. Words are looked up among the segmented words, so that
Scunthorpe and Essex hold none; entries of several words as runs of words; in scripts without spaces an entry is a run of characters.
An English word that a word near it shows in another sense (medicine, law, birds, names) does not count (corpus.toxicity.senses).

    ToxicWords(max_fraction=0.0)(batch)
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import final

import pyarrow as pa

from corpus.kernels.words import words as segment
from corpus.step import Filter, Reason, Rule
from corpus.toxicity.senses import is_innocent

TOO_MANY = Reason("toxicity:too_many_words", "too large a share of the words is on the list of its language")

_ALWAYS = "en"  # English profanity is met in pages of every language


@final
@dataclass(frozen=True, kw_only=True)
class ToxicWords(Filter):
    """Measures ``toxic_words`` and ``toxic_word_fraction``, by the lists of the document's language and English.

    C4's rule is ``max_fraction=0``. By default one word in a hundred is borne: a single mild word should not cost a novel or a page
    on history, and ROOTS (arXiv 2303.03915) bears 1 % too.
    """

    max_fraction: float = 0.01
    guard_senses: bool = True  # off: every listed word counts, as in C4

    reads = ("words",)
    signals = {"toxic_words": pa.int32(), "toxic_word_fraction": pa.float64()}
    reasons = (TOO_MANY,)

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        counts: list[int | None] = []
        fractions: list[float | None] = []
        for text, spans, language in zip(batch["text"].to_pylist(), batch["words"].to_pylist(), batch["language"].to_pylist(), strict=True):
            if text is None or spans is None:
                counts.append(None)
                fractions.append(None)
                continue
            found = _hits(_folded(text, spans), (language or "").split("-")[0], self.guard_senses)
            counts.append(found)
            fractions.append(found / max(1, len(spans) // 2))
        return {"toxic_words": pa.array(counts, pa.int32()), "toxic_word_fraction": pa.array(fractions, pa.float64())}

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(TOO_MANY, "toxic_word_fraction", ">", self.max_fraction),)


def _hits(found: list[str], language: str, guard_senses: bool) -> int:
    """How many words belong to an entry of the lists, those in an innocent sense left out."""
    first_words = entries(language)
    if first_words.keys().isdisjoint(found):
        return 0
    hits = at = 0
    while at < len(found):
        length = next((len(entry) for entry in first_words.get(found[at], ()) if tuple(found[at : at + len(entry)]) == entry), 0)
        if length and not (guard_senses and is_innocent(" ".join(found[at : at + length]), found, at)):
            hits += length
        at += max(1, length)
    return hits


@lru_cache(maxsize=64)
def entries(language: str) -> dict[str, tuple[tuple[str, ...], ...]]:
    """First word -> the entries (as words) that begin with it, the longest first; of the language and of English."""
    folder = resources.files("corpus.resources.toxicity.ldnoobw")
    found: dict[str, set[tuple[str, ...]]] = {}
    for code in {language, _ALWAYS}:
        file = folder.joinpath(f"{code}.txt")
        if not code or not file.is_file():
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            text = unicodedata.normalize("NFC", line.strip())
            spans = segment(pa.array([text]))[0].as_py()
            entry = tuple(_folded(text, spans))
            if entry:
                found.setdefault(entry[0], set()).add(entry)
    return {first: tuple(sorted(listed, key=lambda entry: (-len(entry), entry))) for first, listed in found.items()}


def _folded(text: str, spans: list[int]) -> list[str]:
    """The words, case-folded."""
    utf8 = text.encode()
    return [utf8[start:end].decode().casefold() for start, end in zip(spans[::2], spans[1::2], strict=True)]
