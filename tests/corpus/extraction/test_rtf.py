r"""RTF by hand, from its specification (1.9.1), and written by a small writer of the test's own."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.rtf import read_rtf
from corpus.sources.office import OfficeSource
from tests.corpus.sources.reading import accepts, outcomes, read

FONTS = rb"{\fonttbl{\f0\froman\fcharset0 Times;}{\f1\fnil\fcharset204 Arial;}{\f2\fcharset128 Gothic;}}"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb"One\par Two\par\par Three", "One\n\nTwo\n\nThree"),
        (b"run\r\non over\n lines", "runon over lines"),
        (rb"\b bold\b0 , {\i slanted}", "bold, slanted"),
        (rb"a\tab b\line c", "a\tb\nc"),
        (rb"\{\\\}\~x\_y\-z", "{\\}\u00a0x\u2011yz"),
        (rb"Caf\'e9 \emdash \ldblquote x\rdblquote", "Café —“x”"),
        (rb"\u8364?\u-10179?\u-9085?", "€\U0001f483"),
        (rb"\u-10187?alone", "\ufffdalone"),
        (rb"\uc2\u233 e'x{\uc0\u233 y}\u233\'65\'65z", "éxéyéz"),
        (rb"\f1 \'cf\'f0\'e8\f0 \'e9", "Приé"),
        (rb"\f2 \'83A\'83\'8b", "アル"),
        (rb"seen{\*\unknown\par lost}{\footnote \'e9 lost}{\header lost} too", "seen too"),
        (rb"{\field{\*\fldinst HYPERLINK http://a.example/}{\fldrslt shown}}", "shown"),
        (rb"{\pict\pngblip 89504e47\par 0d0a}text", "text"),
        (rb"{\pict\bin5 }{\\}x}text", "text"),
        (rb"a{\v hidden}b\v hidden\v0 c{\deleted gone}d", "abcd"),
        (rb"\trowd\intbl one\cell two\cell\row\intbl three\cell four\cell\row\pard after", "one\ttwo\nthree\tfour\n\nafter"),
        (rb"\intbl two\par lines\cell x\cell\row\pard", "two lines\tx"),
        (rb"{\info{\title An \'e9tude}{\author Nobody}{\creatim\yr2021\mo3\dy4\hr5}}text", "text"),
    ],
)
def test_text(body: bytes, text: str) -> None:
    assert read_rtf(rb"{\rtf1\ansi\ansicpg1252\deff0" + FONTS + b" " + body + b"}junk behind it").text == text


def test_of_itself() -> None:
    told = read_rtf(rb"{\rtf1\ansi{\info{\title An  \'e9tude}{\author Nobody}{\creatim\yr2021\mo3\dy4\hr5}{\revtim\yr1999}}text}")
    assert (told.title, told.date, told.text, told.counted) == ("An étude", datetime(2021, 3, 4, tzinfo=UTC), "text", {})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (rb"{\rtf1 cut {\b o", "cut o"),
        (rb"{\rtf1 x\bin99999999999 y}", "x"),
        (rb"{\rtf1 x\u99999999999999 y\uc-5\u65 z}", "x"),
        (rb"{\rtf1\ansicpg99999 x\'e9}", "xé"),
        (rb"{\rtf1 x}}}}", "x"),
        (rb"{\rtf1 \'zz x\'4}", "zz x4"),
        (rb"{\rtf1 x\ ".rstrip(), "x"),
    ],
)
def test_damage(data: bytes, text: str) -> None:
    assert read_rtf(data).text.startswith(text)


def test_braces_without_end() -> None:
    assert read_rtf(b"{\\rtf1" + b"{" * 1_000_000).fault is not None


PARTS = [b"{", b"}", b"\\par ", b"\\u1", b"\\'e", b"\\*", b"\\bin9 ", b"\\cell\\row ", b"x"]


@given(st.binary(max_size=300), st.lists(st.sampled_from(PARTS)))
def test_any_bytes(junk: bytes, parts: list[bytes]) -> None:
    told = read_rtf(b"{\\rtf1 " + b"".join(parts) + junk)
    told.text.encode()


def written(paragraphs: list[str]) -> bytes:
    def sign(each: str) -> str:
        units = each.encode("utf-16-le")
        return "".join(f"\\u{int.from_bytes(units[at : at + 2], 'little', signed=True)}?" for at in range(0, len(units), 2))

    text = "\\par\n".join("".join(sign(each) if each in "\\{}" or not " " < each < "\x7f" else each for each in one) for one in paragraphs)
    return b"{\\rtf1\\ansi " + text.encode() + b"}"


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), min_size=1))
def test_what_was_written_is_read(paragraphs: list[str]) -> None:
    assert read_rtf(written(paragraphs)).text == "\n\n".join(paragraphs)


def test_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "letter.doc").write_bytes(written(["Dear Sir,", "no."]))
    (tmp_path / "none.rtf").write_bytes(b"plain words")
    assert all(accepts(path, OfficeSource()) for path in tmp_path.iterdir())
    rows, _ = read(tmp_path / "letter.doc", OfficeSource())
    assert [row["text"] for row in rows] == ["Dear Sir,\n\nno."]
    assert outcomes(read(tmp_path / "none.rtf", OfficeSource())[0]) == ["file:broken"]
