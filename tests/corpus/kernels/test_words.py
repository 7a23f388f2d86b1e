"""Word offsets and scripts against plain Python over ``unicodedata``."""

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.characters import DIGIT, LETTER, MARK, SCRIPTS, UNIT, make_resource, tables
from corpus.kernels.words import dominant_scripts, words

hard = st.text(alphabet=st.one_of(st.sampled_from("aZ09'’-.,· \n我กิकु́😀ж"), st.characters(codec="utf-8")), max_size=60)


def reference(text: str) -> list[str]:
    """The definition in the module's docstring, one character at a time."""
    classes, _ = tables()
    kinds = [int(classes[ord(character)]) for character in text]
    found, at = [], 0
    while at < len(text):
        if kinds[at] not in (LETTER, DIGIT, UNIT):
            at += 1
            continue
        start, last = at, kinds[at]
        at += 1
        while at < len(text):
            if kinds[at] == MARK:
                at += 1
            elif last == UNIT:
                break
            elif kinds[at] in (LETTER, DIGIT):
                last = kinds[at]
                at += 1
            elif at + 1 < len(text) and (
                (text[at] in "'’-‐·" and kinds[at + 1] in (LETTER, DIGIT))
                or (text[at] in ".," and last == DIGIT and kinds[at + 1] == DIGIT)
            ):
                last = kinds[at + 1]
                at += 2
            else:
                break
        found.append(text[start:at])
    return found


def strings(text: str) -> list[str]:
    utf8 = text.encode()
    spans = words(pa.array([text]))[0].as_py()
    return [utf8[start:end].decode() for start, end in zip(spans[::2], spans[1::2], strict=True)]


@given(hard)
def test_equals_the_reference(text: str) -> None:
    assert strings(text) == reference(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 3.14 km, well-kept. Ok", ["It's", "3.14", "km", "well-kept", "Ok"]),
        ("我爱你 ok", ["我", "爱", "你", "ok"]),
        ("ที่นี่", ["ที่", "นี่"]),  # Thai vowels and tones are marks
        ("कुल मिलाकर", ["कुल", "मिलाकर"]),
        ("-- ... 😀 £", []),
        ("1,5 3. a.b", ["1,5", "3", "a", "b"]),
    ],
)
def test_examples(text: str, expected: list[str]) -> None:
    assert strings(text) == expected


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_nulls_and_slices(kind: pa.DataType) -> None:
    column = pa.array(["x", "one two", None, "", "😀 drei"], kind)
    expected = [[0, 3, 4, 7], None, [], [5, 9]]
    assert words(column.slice(1)).to_pylist() == expected
    assert words(column.slice(0, 0)).to_pylist() == []


def test_a_long_line() -> None:
    assert len(words(pa.array(["ab " * 400_000]))[0]) == 800_000


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("hello 我", "Latn"),
        ("привет", "Cyrl"),
        ("我们 ok 他们的", "Hani"),
        ("مرحبا", "Arab"),
        ("123 …", None),
        (None, None),
        ("हिन्दी", "Deva"),
    ],
)
def test_scripts(text: str | None, script: str | None) -> None:
    assert dominant_scripts(pa.array([text], pa.string())).to_pylist() == [script]


def test_the_table_agrees_with_this_python_where_both_know_the_character() -> None:
    classes, scripts = tables()
    for code in (*range(0x3000), *range(0x4E00, 0x5000), *range(0x1F600, 0x1F640)):
        category = unicodedata.category(chr(code))
        if category in ("Ll", "Lu", "Lo"):
            assert classes[code] in (LETTER, UNIT), hex(code)
        assert (classes[code] == DIGIT) == (category[0] == "N" and classes[code] != LETTER and classes[code] != UNIT), hex(code)
    assert SCRIPTS[scripts[ord("q")]] == "Latn"


def test_the_resource_can_be_made_again() -> None:
    assert len(make_resource()) > 1000
