"""Scores by runs of four words, and labels of blocks, on examples worked out by hand."""

import numpy as np
import pytest

from corpus.extraction.labels import label_by_phrases, label_by_text
from corpus.extraction.scoring import score, words_of

TEXT = "Once upon a time there was a mill. The end"


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ("a b c d e", "a b c d f", (0.5, 0.5, 0.5)),  # runs: abcd, bcde against abcd, bcdf
        ("a b c d e f", "a b c d", (1 / 3, 1.0, 0.5)),
        ("a b c d", "A, b. (c) d!", (1.0, 1.0, 1.0)),
        ("a b c d a b c d", "a b c d", (1 / 5, 1.0, 1 / 3)),  # text twice is wrong once
        ("a b", "a b", (1.0, 1.0, 1.0)),
        ("", "", (1.0, 1.0, 1.0)),
        ("", "a b c d", (0.0, 0.0, 0.0)),
        ("a b c d", "", (0.0, 0.0, 0.0)),
        ("我爱你们", "我爱你们好", (1.0, 0.5, 2 / 3)),
    ],
)
def test_score(found: str, wanted: str, expected: tuple[float, float, float]) -> None:
    assert score(found, wanted) == pytest.approx(expected)


def labels(*blocks: str) -> list[float]:
    return label_by_text([words_of(block) for block in blocks], words_of(TEXT)).tolist()


def test_long_blocks_by_the_share_that_is_in_the_text() -> None:
    assert labels("Home and away we go", "Once upon a time there was a mill") == [0.0, 1.0]
    assert labels("Once upon a time nobody else came by") == [0.5]  # four words of eight


def test_short_blocks_by_their_place() -> None:
    assert labels("Once upon a time there was a mill", "The end") == [1.0, 1.0]
    assert labels("The end", "Home and away we go") == [0.0, 0.0]  # in the text, but nothing of the text is near
    assert labels("Once upon a time there was a mill", "Share") == [1.0, 0.0]


def test_phrases() -> None:
    told = label_by_phrases([["the", "mill"], ["share", "this"], ["other"], ["mill", "share", "this"]], ["mill"], ["Share this"])
    assert np.array_equal(told, [1.0, 0.0, np.nan, np.nan], equal_nan=True)
