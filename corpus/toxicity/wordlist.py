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

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.kernels.phrases import Phrases, count_phrases, find_phrases, phrases
from corpus.kernels.words import words as segment
from corpus.step import Filter, Reason, Rule
from corpus.toxicity.senses import NEAR, is_innocent

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
        languages = [(language or "").partition("-")[0] for language in batch["language"].to_pylist()]
        counts = np.zeros(batch.num_rows, np.int32)
        for language in set(languages):
            rows = np.array([row for row, told in enumerate(languages) if told == language])
            counts[rows] = count_phrases(batch["text"], batch["words"], entries(language), rows, "casefold")[0]
        if self.guard_senses:  # few documents hold a listed word
            for row in np.flatnonzero(counts).tolist():
                counts[row] = _guarded(batch, row, entries(languages[row]))
        words = np.diff(batch["words"].offsets.to_numpy()) // 2
        missing = pc.is_null(batch["words"]).to_numpy(zero_copy_only=False)
        return {"toxic_words": pa.array(counts, mask=missing), "toxic_word_fraction": pa.array(counts / np.maximum(words, 1), mask=missing)}

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(TOO_MANY, "toxic_word_fraction", ">", self.max_fraction),)


def _guarded(batch: pa.RecordBatch, row: int, listed: Phrases) -> int:
    """How many words of the document belong to an entry of the lists, those in an innocent sense left out."""
    spans, utf8 = batch["words"][row].values.to_numpy(), batch["text"][row].as_buffer()
    hits = 0
    for at, length in find_phrases(batch["text"], batch["words"], listed, row, "casefold").tolist():
        around = max(0, at - NEAR)
        near = _words(utf8, spans[2 * around : 2 * (at + length + NEAR)].tolist())
        entry = " ".join(near[at - around : at - around + length])
        if not is_innocent(entry, near, at - around):
            hits += length
    return hits


@lru_cache(maxsize=64)
def entries(language: str) -> Phrases:
    """The entries of the language and of English, for the kernel."""
    return phrases(sorted(_listed(language)), "casefold")


@lru_cache(maxsize=64)
def _listed(language: str) -> frozenset[tuple[str, ...]]:
    """The entries of the language and of English, each as the words that it is segmented into, case-folded."""
    folder = resources.files("corpus.resources.toxicity.ldnoobw")
    files = [folder.joinpath(f"{code}.txt") for code in sorted({language, _ALWAYS} - {""})]
    lines = {line.strip() for file in files if file.is_file() for line in file.read_text(encoding="utf-8").splitlines()}
    texts = [unicodedata.normalize("NFC", line) for line in lines]
    found = {_words(text.encode(), spans) for text, spans in zip(texts, segment(pa.array(texts, pa.string())).to_pylist(), strict=True)}
    return frozenset(found - {()})


def _words(utf8: bytes | pa.Buffer, spans: list[int]) -> tuple[str, ...]:
    """The words, case-folded."""
    return tuple(str(utf8[start:end], "utf-8").casefold() for start, end in zip(spans[::2], spans[1::2], strict=True))
