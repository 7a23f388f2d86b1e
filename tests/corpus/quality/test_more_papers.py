"""Golden vectors of RefinedWeb's lines, Curator's and ROOTS' measures."""

from fractions import Fraction

import pytest

from corpus.quality.curator import CuratorQuality
from corpus.quality.refinedweb import RefinedwebLines
from corpus.quality.roots import RootsQuality
from tests.corpus.quality.test_papers import judged
from tests.corpus.test_steps import run

PROSE = "\n".join(["The miller walked along the river with all of her geese"] * 10)  # 110 words

# a line -> what is left of it
LINES = {
    "ABCDEfghij of": "ABCDEfghij of",  # 5 of 13 characters
    "ABCDEFgh of": None,  # 6 of 11
    "ABCDEF GHIj kl": None,  # 9 of 14 characters are capitals
    "ABCDE fghi": "ABCDE fghi",  # 5 of 10: not more than half
    "ABCDEF ghi": None,  # 6 of 10
    "ÄÖÜÄÖÜ ghi": None,
    "12345": None, "١٢٣٤٥": None, "12 345": "12 345",  # the white space is no digit
    "12 likes": None, "1.2k Followers": None, "- 3,400 comments -": None, "12 likes it": "12 likes it", "likes 12": "likes 12",
    "word": None, "two words": "two words",
    "You have 3 items in cart now": "You have 3  now",
    "a b c d e f g items in cart": "a b c d e f g ",  # 10 words
    "a b c d e f g h items in cart": "a b c d e f g h items in cart",  # 11
    "Sign-in to go on": " to go on", "Please sign-in first": "Please sign-in first",
    "It goes on Read more...": "It goes on ", "Read more... of it": "Read more... of it",
}  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_lines_of_refinedweb(line: str) -> None:
    left = LINES[line]
    text = run(RefinedwebLines(), f"{PROSE}\n{line}\nThe very end.")["text"][0].as_py()
    assert text == "\n".join([PROSE, *([] if left is None else [left]), "The very end."])


def test_pages_of_refinedweb() -> None:
    """2 words of 40 are 0.05, of 39 more; the words of URLs do not count as removed."""
    forty = "\n".join(["The miller walked along the river with all of her"] * 3 + ["The miller walked along her river by day"])  # 30 + 8
    assert judged(RefinedwebLines(), forty + "\n12 likes")[1]["refinedweb_removed"] == float(Fraction(2, 40))
    assert judged(RefinedwebLines(), forty + "\n12 likes")[0] == []
    assert judged(RefinedwebLines(), forty.removesuffix(" day") + "\n12 likes")[0] == ["too_much_removed"]
    linked = "See http://a.example/one/two/three and www.b.example/four for more of it"
    batch = run(RefinedwebLines(), linked, "word", None)
    assert batch["text"].to_pylist() == ["See and for more of it", "word", None]
    assert [[fault["reason"] for fault in row] for row in batch["failed"].to_pylist()] == [[], ["refinedweb:too_much_removed"], []]


# (text, fault, whether it is found, signal, value)
CURATOR: list[tuple[str, str, bool, str, float]] = [
    ("a" * 75 + "%" * 25, "too_many_other_characters", False, "curator_other", 0.25),
    ("a" * 74 + "%" * 26, "too_many_other_characters", True, "curator_other", 0.26),
    (
        "aZ9\n?!,." + "é",
        "too_many_other_characters",
        False,
        "curator_other",
        1 / 9,
    ),  # all of the list, and one letter that it does not hold
    ("a" * 85 + "1" * 15, "too_many_digits", False, "curator_digits", 0.15),
    ("a" * 84 + "1" * 16, "too_many_digits", True, "curator_digits", 0.16),
    ("http://a.example/xyz" + " " + "a" * 79, "too_many_urls", False, "curator_urls", 0.2),  # 20 of 100
    ("http://a.example/xyz" + " " + "a" * 78, "too_many_urls", True, "curator_urls", 20 / 99),
    ("a" * 75 + " " * 25, "too_much_white_space", False, "curator_white_space", 0.25),
    ("a" * 74 + " \t\n" + " " * 23, "too_much_white_space", True, "curator_white_space", 0.26),
    ("a" * 90 + "(){}[]()[]", "too_many_parentheses", False, "curator_parentheses", 0.1),
    ("a" * 89 + "(){}[]()[](", "too_many_parentheses", True, "curator_parentheses", 0.11),
    ("Our Privacy Policy.\n\nThis site uses cookies.\n\nA\n\nB\n\nC", "boilerplate", False, "curator_boilerplate", 0.4),  # 2 of 5
    ("Our Privacy Policy.\n\nThis site uses cookies.\n\nA\n\nB", "boilerplate", True, "curator_boilerplate", 0.5),
    ("A\n\nB\n\nC\n\nD\n\nLorem ipsum dolor", "boilerplate", True, "curator_boilerplate", 1.0),
    ("No mark here\n" * 17 + "A mark. " * 3, "no_end_marks", False, "curator_without_end_mark", 0.85),  # 17 of 20 sentences
    ("No mark here\n" * 18 + "A mark. " * 3, "no_end_marks", True, "curator_without_end_mark", 18 / 21),
    ("a" * 1000 + " b", "long_word", False, "curator_longest_word", 1000),
    ("a" * 1001 + " b", "long_word", True, "curator_longest_word", 1001),
]

ROOTS: list[tuple[str, str, bool, str, float]] = [
    # 11 places for runs of ten characters, 10 different ones, of which up to 3 (the square root) may count, but one alone stands twice
    ("abcdefghij" * 2, "repeated_characters", False, "roots_repeated_characters", 2 / 11),
    ("abcdefghij" * 2 + "a", "repeated_characters", True, "roots_repeated_characters", 4 / 12),  # two runs twice, of ten different
    # ten words, six others, the ten again: 2 of 17 runs; ten words three times: all 21 runs stand twice at least
    ("a b c d e f g h i j k l m n o p a b c d e f g h i j", "repeated_words", False, "roots_repeated_words", 2 / 17),
    ("a b c d e f g h i j a b c d e f g h i j a b c d e f g h i j", "repeated_words", True, "roots_repeated_words", 1.0),
    ("a" * 60 + "1 .%" * 10, "special_characters", False, "roots_special_characters", 0.4),
    ("a" * 59 + "1 .%" * 10, "special_characters", True, "roots_special_characters", 40 / 99),
    ("The river " + "mill " * 8, "too_few_stop_words", False, "roots_stop_words", 0.1),
    ("The river " + "mill " * 9, "too_few_stop_words", True, "roots_stop_words", 1 / 11),
    ("mill " * 10, "too_few_words", False, "words", 10),
    ("mill " * 9, "too_few_words", True, "words", 9),
    ("mill " * 100_000, "too_many_words", False, "words", 100_000),
    ("mill " * 100_001, "too_many_words", True, "words", 100_001),
]


@pytest.mark.parametrize(("text", "fault", "found", "signal", "value"), CURATOR, ids=range(len(CURATOR)))
def test_curator(text: str, fault: str, found: bool, signal: str, value: float) -> None:
    faults, values = judged(CuratorQuality(), text)
    assert (fault in faults, values[signal]) == (found, value)


@pytest.mark.parametrize(("text", "fault", "found", "signal", "value"), ROOTS, ids=range(len(ROOTS)))
def test_roots(text: str, fault: str, found: bool, signal: str, value: float) -> None:
    faults, values = judged(RootsQuality(), text)
    assert (fault in faults, values[signal]) == (found, value)


@pytest.mark.parametrize("step", [CuratorQuality(), RootsQuality(), RefinedwebLines()])
def test_nothing_and_less(step: CuratorQuality | RootsQuality | RefinedwebLines) -> None:
    batch = run(step, None, "", " ", "\n\n", "😀")
    assert batch.num_rows == 5
