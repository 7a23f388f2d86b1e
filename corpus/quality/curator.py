"""The heuristics for English of NeMo Curator (config/heuristic_filter_en.yaml), those that no other step of ours has.

CuratorQuality(max_digits=0.2)(batch)
"""

import re
from dataclasses import dataclass
from typing import final

import numpy as np
import pyarrow as pa

from corpus.kernels.cleaning import count_sentences
from corpus.step import Filter, Reason, Rule

TOO_FEW_ALPHANUMERIC = Reason(
    "curator:too_many_other_characters", "too much of the text is neither letter nor digit nor common punctuation"
)
TOO_MANY_DIGITS = Reason("curator:too_many_digits", "too much of the text is digits")
TOO_MANY_URLS = Reason("curator:too_many_urls", "too much of the text is URLs")
TOO_MUCH_WHITE_SPACE = Reason("curator:too_much_white_space", "too much of the text is white space")
TOO_MANY_PARENTHESES = Reason("curator:too_many_parentheses", "too much of the text is parentheses, brackets and braces")
BOILERPLATE = Reason("curator:boilerplate", "too large a share of the paragraphs speaks of terms, policies and cookies")
NO_END_MARKS = Reason("curator:no_end_marks", "too large a share of the sentences has no mark at its end")
LONG_WORD = Reason("curator:long_word", "the text holds a run without white space that is too long for a word")

_URL = re.compile(r"https?://[^\s\"<>]+")
_DIGITS = re.compile(r"\d+")
_PARAGRAPHS = re.compile(r"\n{2,}")
_ALPHANUMERIC = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\n?!,."
_WHITE_SPACE, _PARENTHESES = b" \t\n\r\b", b"(){}[]"
_POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_LOREM = "lorem ipsum"
_ENDS, _CLOSERS = ".!?…", "\"'”’)]"


@final
@dataclass(frozen=True, kw_only=True)
class CuratorQuality(Filter):
    """Thresholds are those of the YAML file; a document fails above them. Shares are of all characters of the text.

    ``max_other`` counts as alphanumeric A-Z, a-z, 0-9, newline and ``? ! , .``: the step is for English. A text with "lorem ipsum" is
    boilerplate as a whole. The file's other rules are ours already: words, their mean length, letters in them, common words, symbols,
    bullets and ellipses are ``gopher_quality``; lines and paragraphs (unique ones at least 0.7, 0.8 of the characters) and n-grams are
    ``gopher_repetition: {variant: datatrove}`` with ``max_duplicate_lines`` 0.3 and ``max_duplicate_line_chars`` 0.2. The file says that
    boilerplate at top or bottom alone condemns a page; its code reads that setting (``remove_if_at_top_or_bottom``) nowhere.
    """

    max_other: float = 0.25
    max_digits: float = 0.15
    max_urls: float = 0.2
    max_white_space: float = 0.25
    max_parentheses: float = 0.1
    max_boilerplate: float = 0.4
    max_without_end_mark: float = 0.85
    max_word_length: int = 1000

    signals = {
        "curator_other": pa.float64(),
        "curator_digits": pa.float64(),
        "curator_urls": pa.float64(),
        "curator_white_space": pa.float64(),
        "curator_parentheses": pa.float64(),
        "curator_boilerplate": pa.float64(),
        "curator_without_end_mark": pa.float64(),
        "curator_longest_word": pa.int32(),
    }
    reasons = (
        TOO_FEW_ALPHANUMERIC,
        TOO_MANY_DIGITS,
        TOO_MANY_URLS,
        TOO_MUCH_WHITE_SPACE,
        TOO_MANY_PARENTHESES,
        BOILERPLATE,
        NO_END_MARKS,
        LONG_WORD,
    )

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        texts = batch["text"].to_pylist()
        shares = [_shares(text) if text else (None,) * 7 for text in texts]
        marked = count_sentences(batch["text"], _ENDS, "", _CLOSERS, lines_end=False)
        everything = count_sentences(batch["text"], _ENDS, "", _CLOSERS)
        columns = {name: [share[at] for share in shares] for at, name in enumerate([*list(self.signals)[:6], list(self.signals)[7]])}
        measured = {name: pa.array(values, self.signals[name]) for name, values in columns.items()}
        measured["curator_without_end_mark"] = pa.array((everything - marked) / np.maximum(everything, 1), mask=everything == 0)
        return measured

    def rules(self) -> tuple[Rule, ...]:
        limits = (
            self.max_other,
            self.max_digits,
            self.max_urls,
            self.max_white_space,
            self.max_parentheses,
            self.max_boilerplate,
            self.max_without_end_mark,
            self.max_word_length,
        )
        return tuple(Rule(reason, signal, ">", limit) for reason, signal, limit in zip(self.reasons, self.signals, limits, strict=True))


def _shares(text: str) -> tuple[float, ...]:
    """The measures of one text, in the order of the signals, but for the sentences."""
    utf8, characters = text.encode(), len(text)
    kept, dark, flat = (len(utf8.translate(None, members)) for members in (_ALPHANUMERIC, _WHITE_SPACE, _PARENTHESES))
    lowered = text.lower()
    boilerplate = 0.0
    if _LOREM in lowered:
        boilerplate = 1.0
    elif any(map(lowered.__contains__, _POLICIES)):
        paragraphs = [each for each in _PARAGRAPHS.split(lowered) if each.strip()]
        boilerplate = sum(any(map(each.__contains__, _POLICIES)) for each in paragraphs) / len(paragraphs)
    return (
        (characters - (len(utf8) - kept)) / characters,
        sum(map(len, _DIGITS.findall(text))) / characters,
        (sum(map(len, _URL.findall(text))) if "http" in text else 0) / characters,
        (len(utf8) - dark) / characters,
        (len(utf8) - flat) / characters,
        boilerplate,
        max(map(len, text.split()), default=0),
    )
