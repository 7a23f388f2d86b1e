"""Golden vectors of the published filters: our own texts, values worked out by hand, both sides of each threshold.

Shares are compared as fractions: 15 / 100 is the double nearest to 0.15, so a text that just meets a threshold meets it exactly.
"""

from fractions import Fraction
from typing import Any

import pytest

from corpus.quality.c4 import C4Lines, C4Paragraph
from corpus.quality.fineweb import FinewebQuality
from corpus.quality.gopher import GopherQuality
from corpus.quality.repetition import GopherRepetition
from corpus.step import DocumentStep
from tests.corpus.test_steps import reasons, run


def judged(step: DocumentStep, text: str, language: str = "en") -> tuple[list[str], dict[str, Any]]:
    """(the faults without their family, the measured values)."""
    batch = run(step, text, language=language)
    values = {name.removeprefix("signals."): batch[name][0].as_py() for name in batch.schema.names if name.startswith("signals.")}
    return [code.partition(":")[2] for code in reasons(batch)[0]], values


def row(*counted: tuple[str, int]) -> str:
    """Each word so many times."""
    return " ".join(word for word, count in counted for _ in range(count))


FIVE = row(("the", 1), ("of", 1), ("river", 3))  # 5 words, of them 2 stop words
GOOD = row(("the", 1), ("of", 1), ("river", 48))  # 50 words, (3 + 2 + 48 * 5) / 50 = 4.9 characters on average
NAMES = ("paper", "datatrove", "dclm", "dolma")
EVERY, NONE = "paper datatrove dclm dolma", ""

# (text, fault, the variants that find it, signal, its value in the variant paper)
GOPHER: list[tuple[str, str, str, str, Fraction]] = [
    (GOOD.removesuffix(" river"), "too_few_words", EVERY, "words", Fraction(49)),
    (GOOD, "too_few_words", NONE, "words", Fraction(50)),
    ("the of " + "river " * 99_998, "too_many_words", NONE, "words", Fraction(100_000)),
    ("the of " + "river " * 99_999, "too_many_words", EVERY, "words", Fraction(100_001)),
    # 25 * 3 + 25 * 3 = 150 characters, 3.0 a word; with one of two 149 / 50 = 2.98. Dolma's median is 3 in both.
    (row(("the", 25), ("and", 25)), "words_too_short", NONE, "mean_word_length", Fraction(3)),
    (row(("the", 25), ("and", 24), ("of", 1)), "words_too_short", "paper datatrove dclm", "mean_word_length", Fraction(149, 50)),
    # 3 + 4 + 47 * 10 + 23 = 500 characters, 10.0 a word; with 24 it is 501 / 50. The median is 10 in both.
    (row(("the", 1), ("that", 1), ("x" * 10, 47), ("y" * 23, 1)), "words_too_long", NONE, "mean_word_length", Fraction(10)),
    (row(("the", 1), ("that", 1), ("x" * 10, 47), ("y" * 24, 1)),
     "words_too_long", "paper datatrove dclm", "mean_word_length", Fraction(501, 50)),
    # mean (26 * 2 + 24 * 11) / 50 = 6.32, but the median of 26 twos among 50 is 2
    (row(("to", 13), ("of", 13), ("x" * 11, 24)), "words_too_short", "dolma", "mean_word_length", Fraction(316, 50)),
    (GOOD + " #" * 5, "too_many_hashes", NONE, "hash_ratio", Fraction(5, 50)),
    (GOOD + " #" * 6, "too_many_hashes", "paper datatrove", "hash_ratio", Fraction(6, 50)),
    (GOOD + " ..." * 5, "too_many_ellipses", NONE, "ellipsis_ratio", Fraction(5, 50)),
    (GOOD + " ..." * 3 + " …" * 3, "too_many_ellipses", "paper datatrove", "ellipsis_ratio", Fraction(6, 50)),
    # 3 # and 3 …: each 0.06; DCLM adds them up and dolma counts the words that hold one: 6 / 50
    (GOOD + " #" * 3 + " …" * 3, "too_many_hashes", NONE, "hash_ratio", Fraction(3, 50)),
    (GOOD + " #" * 3 + " …" * 3, "too_many_symbols", "dclm dolma", "symbol_ratio", Fraction(6, 50)),
    (GOOD + " #" * 3 + " …" * 2, "too_many_symbols", NONE, "symbol_ratio", Fraction(5, 50)),
    # two words of three #: six to DCLM, two to dolma; three full stops are an ellipsis to DCLM, none to dolma
    (GOOD + " ###" * 2, "too_many_symbols", "dclm", "symbol_ratio", Fraction(6, 50)),
    (GOOD + " ..." * 6, "too_many_symbols", "dclm", "symbol_ratio", Fraction(6, 50)),
    # 9 and 19 of 10 and 20 lines begin with a bullet: 0.9 is not over 0.9, 0.95 is. The bullets differ.
    ("\n".join(["- " + FIVE] * 9 + [FIVE]), "too_many_bullet_lines", NONE, "bullet_lines", Fraction(9, 10)),
    ("\n".join(["- " + FIVE] * 19 + [FIVE]), "too_many_bullet_lines", EVERY, "bullet_lines", Fraction(19, 20)),
    ("\n".join(["• " + FIVE] * 19 + [FIVE]), "too_many_bullet_lines", "paper datatrove dclm", "bullet_lines", Fraction(19, 20)),
    ("\n".join(["* " + FIVE] * 19 + [FIVE]), "too_many_bullet_lines", "paper dclm dolma", "bullet_lines", Fraction(19, 20)),
    ("\n".join(["● " + FIVE] * 19 + [FIVE]), "too_many_bullet_lines", "paper dclm", "bullet_lines", Fraction(19, 20)),
    ("\n".join([FIVE + "…"] * 3 + [FIVE] * 7), "too_many_ellipsis_lines", NONE, "ellipsis_lines", Fraction(3, 10)),
    ("\n".join([FIVE + "…"] * 4 + [FIVE] * 6), "too_many_ellipsis_lines", EVERY, "ellipsis_lines", Fraction(4, 10)),
    ("\n".join([FIVE + "..."] * 4 + [FIVE] * 6), "too_many_ellipsis_lines", "paper datatrove dclm", "ellipsis_lines", Fraction(4, 10)),
    # 40 and 39 of 50 words hold a letter
    (row(("the", 1), ("of", 1), ("river", 38), ("1234", 10)), "too_few_alphabetic_words", NONE, "alphabetic_words", Fraction(40, 50)),
    (row(("the", 1), ("of", 1), ("river", 37), ("1234", 11)), "too_few_alphabetic_words", EVERY, "alphabetic_words", Fraction(39, 50)),
    (row(("the", 1), ("river", 49)), "too_few_stop_words", EVERY, "stop_words", Fraction(1)),
    (row(("the", 2), ("river", 48)), "too_few_stop_words", "paper datatrove", "stop_words", Fraction(1)),
    (row(("The", 1), ("Of", 1), ("river", 48)), "too_few_stop_words", "datatrove dolma", "stop_words", Fraction(2)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fault", "found", "signal", "value"), GOPHER, ids=[f"{at}-{each[1]}" for at, each in enumerate(GOPHER)])
def test_gopher_quality(text: str, fault: str, found: str, signal: str, value: Fraction) -> None:
    told = {variant: judged(GopherQuality(variant=variant), text) for variant in NAMES}  # type: ignore[arg-type]
    assert told["paper"][1][signal] == float(value)
    assert [variant for variant, (faults, _) in told.items() if fault in faults] == found.split()


def test_gophers_good_text_has_no_fault() -> None:
    assert {variant: judged(GopherQuality(variant=variant), GOOD)[0] for variant in NAMES} == dict.fromkeys(NAMES, [])  # type: ignore[arg-type]


# text -> signal -> (datatrove, dclm and paper, dolma)
REPETITION: dict[str, dict[str, tuple[Fraction | None, ...]]] = {
    # Three lines of 8 characters, 26 with the newlines, 18 visible. The copy: one after the first, or both.
    "aa bb cc\naa bb cc\ndd ee ff": {
        "duplicate_line_fraction": (Fraction(1, 3), Fraction(2, 3), Fraction(2, 3)),
        "duplicate_line_chars": (Fraction(8, 26), Fraction(16, 24), Fraction(16, 18)),
        "duplicate_paragraph_fraction": (Fraction(0), Fraction(0), None),
        "duplicate_paragraph_chars": (Fraction(0), Fraction(0), None),
    },
    # Paragraphs of 6 characters, 22 with the newlines.
    "one 12\n\none 12\n\ntwo 12": {
        "duplicate_paragraph_fraction": (Fraction(1, 3), Fraction(2, 3), None),
        "duplicate_paragraph_chars": (Fraction(6, 22), Fraction(12, 18), None),
    },
    # "aa bb" stands twice: 5 characters with the space, 4 without; 18 in all, 14 of words.
    "aa bb aa bb cccccc": {"top_2gram_chars": (Fraction(10, 18), Fraction(8, 14), Fraction(8, 14))},
    # "a b" and "ccc ddd" stand twice: the first, or the longest. 23 characters, 16 of words.
    "a b a b ccc ddd ccc ddd": {"top_2gram_chars": (Fraction(6, 23), Fraction(12, 16), Fraction(4, 16))},
    # Nothing stands twice: a run of two words that stands once is 7 characters of 13, or 6 of 11, or no repetition.
    "one two three": {
        "top_2gram_chars": (Fraction(7, 13), Fraction(0), Fraction(6, 11)),
        "top_3gram_chars": (Fraction(13, 13), Fraction(0), Fraction(11, 11)),
        "top_4gram_chars": (Fraction(0), Fraction(0), Fraction(0)),
    },
    # "a b c d e" twice, f between: 21 characters. 5 after the first; 10 of 11 words' characters; 2 of 7 runs of 5.
    "a b c d e f a b c d e": {
        "duplicate_5gram_chars": (Fraction(5, 21), Fraction(10, 11), Fraction(10, 35)),
        "duplicate_6gram_chars": (Fraction(0), Fraction(0), Fraction(0)),
    },
    # Three runs of five: the second is a copy, and the third lies within it; all words lie in one; all runs are copies.
    "a a a a a a a": {"duplicate_5gram_chars": (Fraction(5, 13), Fraction(7, 7), Fraction(15, 15))},
}


@pytest.mark.parametrize("text", REPETITION)
def test_what_repetition_measures(text: str) -> None:
    for signal, (datatrove, dclm, dolma) in REPETITION[text].items():
        expected = {"paper": dclm, "datatrove": datatrove, "dclm": dclm, "dolma": dolma}
        for variant, value in expected.items():
            measured = judged(GopherRepetition(variant=variant), text)[1][signal]  # type: ignore[arg-type]
            assert measured == (None if value is None else float(value)), (variant, signal)


def filled(text: str, characters: int) -> str:
    """The text, and words after it that stand once, to so many characters."""
    number = 0
    while len(text) < characters:
        word = f" w{number:04d}"
        text += word if characters - len(text) >= 2 * len(word) else " v" + "z" * (characters - len(text) - 2)
        number += 1
    return text


@pytest.mark.parametrize(("n", "percent"), [(2, 20), (3, 18), (4, 16)])
def test_thresholds_of_the_most_frequent_run(n: int, percent: int) -> None:
    """Twice a run of 5 * percent characters, spaces counted, is 10 * percent: of 1,000 the threshold itself, of 999 more."""
    run_of_words = " ".join("abcd"[at] * 9 for at in range(n - 1)) + " "
    run_of_words += "e" * (5 * percent - len(run_of_words))
    at, above = (filled(f"{run_of_words} between {run_of_words}", size) for size in (1000, 999))
    assert f"top_{n}gram" not in judged(GopherRepetition(variant="datatrove"), at)[0]
    assert f"top_{n}gram" in judged(GopherRepetition(variant="datatrove"), above)[0]


@pytest.mark.parametrize(("n", "percent"), [(5, 15), (6, 14), (7, 13), (8, 12), (9, 11), (10, 10)])
def test_thresholds_of_repeated_runs(n: int, percent: int) -> None:
    """One copy of n words of 10 * percent characters, without the spaces."""
    words = ["abcdefghi"[at] * 9 for at in range(n - 1)]
    words.append("j" * (10 * percent - 9 * (n - 1)))
    text = f"{' '.join(words)} between {' '.join(words)}"
    assert judged(GopherRepetition(variant="datatrove"), filled(text, 1000))[1][f"duplicate_{n}gram_chars"] == percent / 100
    assert f"duplicate_{n}grams" not in judged(GopherRepetition(variant="datatrove"), filled(text, 1000))[0]
    assert f"duplicate_{n}grams" in judged(GopherRepetition(variant="datatrove"), filled(text, 999))[0]


@pytest.mark.parametrize(("end", "what"), [("\n", "line"), ("\n\n", "paragraph")])
def test_thresholds_of_lines_and_paragraphs(end: str, what: str) -> None:
    once = ["B is one", "C is one", "D is one", "E is one", "F is one", "G is one"]
    # 3 of 10 are copies after the first: 0.30. Counted with the first they are 4. One more of 11: 4 / 11.
    assert f"duplicate_{what}s" not in judged(GopherRepetition(variant="datatrove"), end.join(["A"] * 4 + once))[0]
    assert f"duplicate_{what}s" in judged(GopherRepetition(variant="datatrove"), end.join(["A"] * 5 + once))[0]
    assert f"duplicate_{what}s" in judged(GopherRepetition(variant="dclm"), end.join(["A"] * 4 + once))[0]
    # the copy of 20 characters, of 100 and of 99
    copy = "x" * 20
    for characters, fails in ((100, False), (99, True)):
        text = f"{copy}{end}{copy}{end}" + "y" * (characters - 40 - 2 * len(end))
        assert (f"duplicate_{what}_chars" in judged(GopherRepetition(variant="datatrove"), text)[0]) is fails
    # both copies: 2 * 10 of 100 characters of lines; then 2 * 10 of 99
    for rest, fails in ((80, False), (79, True)):
        text = end.join(["z" * 10, "z" * 10, "y" * rest])
        assert (f"duplicate_{what}_chars" in judged(GopherRepetition(variant="dclm"), text)[0]) is fails


def test_dolma_allows_more_repeated_lines() -> None:
    """Two lines of 15 of 100 visible characters: 0.30, over the others' 0.20; of 99 more than 0.30."""
    at, above = ("\n".join(["z" * 15, "z" * 15, "y" * rest]) for rest in (70, 69))
    assert judged(GopherRepetition(variant="dolma"), at)[1]["duplicate_line_chars"] == 0.3
    assert "duplicate_line_chars" not in judged(GopherRepetition(variant="dolma"), at)[0]
    assert "duplicate_line_chars" in judged(GopherRepetition(variant="dclm"), at)[0]
    assert "duplicate_line_chars" in judged(GopherRepetition(variant="dolma"), above)[0]


def long_lines(ends: int, of: int) -> str:
    return "\n".join(f"This is line {number:03d} and it is not a short one" + "." * (number < ends) for number in range(of))


FINEWEB: list[tuple[str, str, tuple[bool, bool], str, Fraction]] = [
    (long_lines(3, 25), "too_few_punctuated_lines", (True, True), "punctuated_lines", Fraction(3, 25)),  # 0.12: fails at the threshold
    (long_lines(4, 25), "too_few_punctuated_lines", (False, False), "punctuated_lines", Fraction(4, 25)),
    # lines of 29, 30 and 31 characters, 67 of 100: the paper has "shorter than 30", the code up to 30
    *(
        ("\n".join([f"{number:03d}" + "a" * (size - 4) + "." for number in range(67)] + [long_lines(33, 33)]), "too_many_short_lines",
         told, "short_lines", Fraction(67 if told[0] else 0, 100))
        for size, told in ((29, (True, True)), (30, (False, True)), (31, (False, False)))
    ),
    ("\n".join([f"Line {number:02d}." for number in range(66)] + [long_lines(34, 34)]),
     "too_many_short_lines", (False, False), "short_lines", Fraction(66, 100)),
    # copies of 10, 9 and 1 of 100 characters, newlines not counted: the paper's 0.1, the code's 0.01
    ("\n".join(["z" * 9 + "."] * 2 + ["y" * 79 + "."]), "duplicate_line_chars", (True, True), "line_duplicate_chars", Fraction(10, 100)),
    ("\n".join(["z" * 8 + "."] * 2 + ["y" * 81 + "."]), "duplicate_line_chars", (False, True), "line_duplicate_chars", Fraction(9, 100)),
    ("\n".join(["."] * 2 + ["y" * 97 + "."]), "duplicate_line_chars", (False, True), "line_duplicate_chars", Fraction(1, 100)),
    ("\n".join(["."] * 2 + ["y" * 98 + "."]), "duplicate_line_chars", (False, False), "line_duplicate_chars", Fraction(1, 101)),
    # 3 newlines of 10 words are 0.3, of 9 words more
    ("one two\nthree four\nfive six\nseven eight nine ten.", "too_many_newlines", (False, False), "newlines_a_word", Fraction(3, 10)),
    ("one two\nthree four\nfive six\nseven eight nine.", "too_many_newlines", (False, True), "newlines_a_word", Fraction(3, 9)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fault", "found", "signal", "value"), FINEWEB, ids=[f"{at}-{each[1]}" for at, each in enumerate(FINEWEB)])
def test_fineweb(text: str, fault: str, found: tuple[bool, bool], signal: str, value: Fraction) -> None:
    paper, code = judged(FinewebQuality(), text), judged(FinewebQuality(variant="datatrove"), text)
    assert paper[1][signal] == float(value)
    assert (fault in paper[0], fault in code[0]) == found


THREE = "It rained all day long. We sat in the old mill. Nobody came by at all.\n"  # one line, three sentences
# a line -> whether (code, paper) keep it
C4: dict[str, tuple[bool, bool]] = {
    "These are just five words.": (True, True), "These are four words.": (False, True), "Three words here.": (False, True),
    "Two words.": (False, False), "This line has no mark at all": (False, False), "This line asks you for something?": (True, True),
    "This line shouts at you loudly!": (True, True), 'He said "this is the end"': (True, True), "He said “this is the end”": (True, True),
    "He said 'this is the end'": (False, True), "This line trails off a little...": (False, False),
    "This line trails off a little…": (False, False), f"This line has a word {'x' * 1000} here.": (True, True),
    f"This line has a word {'x' * 1001} here.": (False, False), "You must have JavaScript enabled here.": (False, False),
    "Read our Terms of Use before you go.": (False, False), "Read our Privacy Policy before you go.": (False, False),
    "Read our cookie policy before you go.": (False, False), "This site uses cookies to know you.": (False, False),
    "By the use of cookies we know you.": (False, False), "All of us here use cookies daily.": (False, False),
}  # fmt: skip


@pytest.mark.parametrize("line", C4)
def test_lines_of_c4(line: str) -> None:
    told = [line in run(C4Lines(variant=variant), THREE + line)["text"][0].as_py() for variant in ("code", "paper")]  # type: ignore[arg-type]
    assert tuple(told) == C4[line]


def test_pages_of_c4() -> None:
    def faults(text: str) -> list[list[str]]:
        return [judged(C4Lines(variant=variant), text)[0] for variant in ("code", "paper")]  # type: ignore[arg-type]

    two, five = "It rained all day long. We sat in there.", THREE + "Then it rained again here. We went home at last."
    assert faults(two) == [["too_few_sentences"], ["too_few_sentences"]]  # 2 < 3 and 2 < 5
    assert faults(THREE) == [[], ["too_few_sentences"]]  # 3 and 3 < 5
    assert faults(THREE + "Then it rained again here.") == [[], ["too_few_sentences"]]  # 4
    assert faults(five) == [[], []]
    # a brace or lorem ipsum in a line that stays condemns the page; in one that falls before, only by the paper's words
    assert faults(five + "\nThis line has a { in it.") == [["curly_brace"], ["curly_brace"]]
    assert faults(five + "\nfunction() {") == [[], ["curly_brace"]]
    assert faults(five + "\nThis is JavaScript with a { in it.") == [[], ["curly_brace"]]
    assert faults(five + "\nThis cookie policy has a { in it.") == [["curly_brace"], ["curly_brace"]]  # looked for before policies
    assert faults(five + "\nHere Lorem Ipsum stands for the text.") == [["lorem_ipsum"], ["lorem_ipsum"]]
    assert faults(five + "\nlorem ipsum dolor") == [[], ["lorem_ipsum"]]
    cited = "It rained[12] all day[] long here[edit] in the mill[citation needed]. "
    assert judged(C4Lines(), cited * 3)[0] == []
    assert run(C4Lines(), cited * 3)["text"][0].as_py() == ("It rained all day long here in the mill. " * 3).strip()


def test_paragraphs_of_mc4() -> None:
    """Three lines of 200 characters, and one of the three a character short."""
    assert judged(C4Paragraph(), "\n".join(["x" * 200] * 3 + ["y"]))[0] == []
    assert judged(C4Paragraph(), "\n".join(["x" * 200] * 2 + ["x" * 199]))[0] == ["too_few_long_lines"]
