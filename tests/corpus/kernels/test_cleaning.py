"""C4's lines and sentences, against plain Python that follows the rules line by line."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.cleaning import count_sentences, keep_lines
from corpus.kernels.lines import TERMINALS
from corpus.kernels.words import words
from corpus.quality import c4
from corpus.quality.c4 import C4Lines
from tests.corpus.test_steps import run

POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
lines = st.one_of(
    st.text(alphabet=st.sampled_from("ab .…\t\u00a0é我。1[]"), max_size=14),
    st.sampled_from(["", " ", "one two three.", "five six seven…", "it goes on...", "we use cookies here", "JavaScript is off",
                     "x" * 9 + " b.", "a[1] b [edit]c.", "java[12]script"]),
)  # fmt: skip
texts = st.lists(lines, max_size=8).map("\n".join)


def plain(text: str, step: C4Lines, min_words: int) -> tuple[str, list[int]]:
    """The text without the lines that fail, and how many failed each rule."""
    dropped = [0] * 5
    kept = []
    for line in text.split("\n"):
        line = re.sub(r"\[\d*\]|\[edit\]|\[citation needed\]", "", line).strip()
        fault = plain_fault(line, step, min_words) if line else None
        if fault is None:
            kept.append(line)
        else:
            dropped[fault] += 1
    return re.sub("\n{3,}", "\n\n", "\n".join(kept)).strip(), dropped


def plain_fault(line: str, step: C4Lines, min_words: int) -> int | None:
    faults = [
        step.terminal_punctuation and (not line.endswith(tuple(set(TERMINALS) - set("…'’"))) or line.endswith("...")),
        len(words(pa.array([line]))[0]) // 2 < min_words,
        any(len(word) > step.max_word_length for word in line.split()),
        step.drop_javascript and "javascript" in line.lower(),
        step.drop_policy and any(phrase in line.lower() for phrase in POLICY),
    ]  # fmt: skip
    return faults.index(True) if True in faults else None


@pytest.mark.parametrize("terminal_punctuation", [True, False])
@pytest.mark.parametrize("phrases", [True, False])
@given(rows=st.lists(texts, min_size=1, max_size=4), min_words=st.integers(0, 3))
def test_lines_that_stay(rows: list[str], min_words: int, terminal_punctuation: bool, phrases: bool) -> None:
    step = C4Lines(
        min_words_a_line=min_words,
        terminal_punctuation=terminal_punctuation,
        max_word_length=8,
        drop_javascript=phrases,
        drop_policy=phrases,
    )
    batch = run(step, *rows)
    expected = [plain(text, step, min_words) for text in rows]
    assert batch["text"].to_pylist() == [kept or text for text, (kept, _) in zip(rows, expected, strict=True)]
    for at, fault in enumerate(("unpunctuated", "few_words", "long_word", "javascript", "policy")):
        assert batch[f"signals.c4_{fault}"].to_pylist() == [dropped[at] for _, dropped in expected], fault
    assert batch["signals.c4_sentences"].to_pylist() == [sentences(kept) for kept, _ in expected]


def sentences(text: str) -> int:
    pieces = [re.split(r"""[.!?…](?=[\s"'”’)\]]|$)|[""" + c4._CLOSED + "]", line) for line in text.split("\n")]
    left = sum(bool(re.sub(r"""[\s"'”’)\]]""", "", each[-1])) for each in pieces)
    return sum(len(each) - 1 for each in pieces) + left


@given(st.lists(st.one_of(st.none(), st.text(alphabet=st.sampled_from('a .!?…。’)\n\u2003"]')), st.text(max_size=20)), max_size=4))
def test_sentences(rows: list[str | None]) -> None:
    column = pa.array(["x.", *rows], pa.string()).slice(1)
    counted = count_sentences(column, c4._SENTENCE_ENDS, c4._CLOSED, c4._CLOSERS)
    assert counted.tolist() == [sentences(text or "") for text in rows]


def test_by_hand() -> None:
    kept, dropped = keep_lines(pa.array(["Two words.\n\n \nHere are some more words. \n\n\n\nHow so, pray?", None]), 3, 1000, ends="")
    assert kept.to_pylist() == ["Here are some more words.\n\nHow so, pray?", None]
    assert dropped.tolist() == [[0, 1, 0], [0, 0, 0]]
    assert count_sentences(pa.array(['He said "No." It cost 3.14 — so? 我們。']), c4._SENTENCE_ENDS, c4._CLOSED, c4._CLOSERS).tolist() == [
        3
    ]
