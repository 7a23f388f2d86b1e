"""Counts over lines and words, against plain Python."""

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.kernels.lines import BULLETS, KEYS, TERMINALS, line_counts
from corpus.kernels.words import words

texts = st.one_of(
    st.none(),
    st.text(alphabet=st.sampled_from("ab #\n.…!-•。我ก\tЖ1")),
    st.text(max_size=80),
    st.lists(st.sampled_from(["- one two.", "• three", "four …", "five...", "same line", "", "  ", "# #"]), max_size=12).map("\n".join),
)


def plain(text: str, spans: list[int], dots: bool) -> dict[str, int]:
    lines = [line for line in text.split("\n") if any(not _is_space(character) for character in line)]
    stripped = [_strip(line) for line in lines]
    found = [text.encode()[start:end].decode() for start, end in zip(spans[::2], spans[1::2], strict=True)]
    pieces = [piece for piece in text.split("\n") if piece]
    seen: set[str] = set()
    duplicate = 0
    for piece in pieces:
        duplicate += len(piece) if piece in seen else 0
        seen.add(piece)
    return {
        "characters": len(text),
        "lines": len(lines),
        "bullet_lines": sum(line[0] in BULLETS for line in stripped),
        "ellipsis_lines": sum(line.endswith("…") or (dots and line.endswith("...")) for line in stripped),
        "terminal_lines": sum(line[-1] in TERMINALS for line in stripped),
        "short_lines": sum(len(line) <= 30 for line in lines),
        "newlines": text.count("\n"),
        "hashes": text.count("#"),
        "ellipses": text.count("…") + (text.count("...") if dots else 0),
        "words": len(found),
        "word_characters": sum(map(len, found)),
        "alphabetic_words": sum(any(character.isalpha() for character in word) for word in found),
        "line_characters": len(text) - text.count("\n"),
    }


def _is_space(character: str) -> bool:
    return character.isspace()


def _strip(line: str) -> str:
    return line.strip()


@given(st.lists(texts, min_size=1, max_size=4), st.booleans())
@example(["\U00010140"], False)  # a Greek numeral is no letter
def test_equal_to_plain_python(rows: list[str | None], dots: bool) -> None:
    text = pa.array(rows, pa.string())
    spans = words(text)
    counts = line_counts(text, spans, dots=dots)
    assert set(counts) == set(KEYS)
    for row, value in enumerate(rows):
        expected = plain(value, spans[row].as_py(), dots) if value is not None else dict.fromkeys(KEYS, 0)
        assert {name: int(counts[name][row]) for name in expected} == expected


def test_repeated_lines_count_from_the_second_on() -> None:
    text = pa.array(["one two\nthree\none two\none two"])
    assert line_counts(text, words(text))["duplicate_line_characters"].tolist() == [14]
