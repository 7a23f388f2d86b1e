"""PDFs that reportlab wrote: reading order, hyphens, running lines, tables; what is refused; and a reader that may die."""

import io
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import RecipeError
from corpus.extraction.page_text import Glyph, Page, page_blocks
from corpus.recipe import from_data
from corpus.sources.pdf import PdfSource
from corpus.sources.pdf_child import PdfChild
from tests.corpus.sources.reading import accepts, outcomes, read

pdf = pytest.importorskip("corpus.extraction.pdf", reason="pypdfium2 is not installed ")
canvas = pytest.importorskip("reportlab.pdfgen.canvas")
encryption = pytest.importorskip("reportlab.lib.pdfencrypt")

LEFT = [
    "The first column begins here and runs",
    "on with words of many kinds, some cut at",
    "the end of a line, as in compre-",
    "hension, others not.",
]
RIGHT = [
    "The second column is read after the",
    "first, never line by line across the",
    "gutter, and well-known words keep",
    "their hyphens at a line's end: well-",
    "known.",
]
PROSE = ["It was a bright day in April and the clocks", "were striking as they had always done."]


def made(draw: Callable[..., None], pages: int = 1, **options: object) -> bytes:
    out = io.BytesIO()
    page = canvas.Canvas(out, pagesize=(595, 842), invariant=1, **options)
    for number in range(pages):
        page.setFont("Helvetica", 10)
        draw(page, number)
        page.showPage()
    page.save()
    return out.getvalue()


def lines(page: object, texts: list[str], left: float, top: float, pitch: float = 12) -> None:
    for at, text in enumerate(texts):
        page.drawString(left, top - at * pitch, text)  # type: ignore[attr-defined]


def two_columns(page: object, _: int) -> None:
    page.drawString(150, 780, "A title over both columns, in one long line of its own")  # type: ignore[attr-defined]
    lines(page, LEFT, 50, 740)
    lines(page, RIGHT, 320, 740)


def text_of(data: bytes) -> str:
    return pdf.read_pdf(data, 100).text


def test_two_columns_with_a_title_over_both() -> None:
    assert text_of(made(two_columns)).split("\n\n") == [
        "A title over both columns, in one long line of its own",
        "The first column begins here and runs on with words of many kinds, some cut at the end of a line, as in comprehension, "
        "others not.",
        "The second column is read after the first, never line by line across the gutter, and well-known words keep their hyphens at a "
        "line's end: well-known.",
    ]


@pytest.mark.parametrize("gutter", [14, 30, 80])
@pytest.mark.parametrize("rows", [6, 11, 25])
def test_columns_of_many_widths(gutter: int, rows: int) -> None:
    """Twenty lines of words that are all different: each column whole, the left one first."""

    def draw(page: object, _: int) -> None:
        lines(page, [f"left{row} alpha beta gamma delta epsilon" for row in range(rows)], 50, 700)
        lines(page, [f"right{row} zeta eta theta iota kappa" for row in range(rows)], 240 + gutter, 700)

    words = text_of(made(draw)).split()
    order = [word for word in words if word.startswith(("left", "right"))]
    assert order == [f"left{row}" for row in range(rows)] + [f"right{row}" for row in range(rows)]


def test_running_lines_and_page_numbers_go() -> None:
    def draw(page: object, number: int) -> None:
        lines(page, [f"Annual Report 2021, part {number + 1}"], 50, 810)
        lines(page, [f"Chapter {'ABCDEFGH'[number]} begins with a line of its own.", f"{'abcdefgh'[number]} second."], 50, 700)
        lines(page, [f"- {number + 7} -"], 290, 30)

    told = pdf.read_pdf(made(draw, pages=4), 100)
    assert "Annual Report" not in told.text
    assert [f"Chapter {letter} begins" in told.text for letter in "ABCD"] == [True] * 4
    assert not any(f"- {number} -" in told.text for number in range(7, 11))
    assert (told.counted["pdf:running_lines"], told.counted["pdf:page_numbers"]) == (4, 4)


def test_a_paragraph_over_two_pages_is_one() -> None:
    def draw(page: object, number: int) -> None:
        lines(page, [["The sentence is not", "over at its end, it goes"], ["on over the leaf."]][number], 50, 700)

    assert text_of(made(draw, pages=2)) == "The sentence is not over at its end, it goes on over the leaf."


def test_tables_are_left_out_and_counted() -> None:
    def draw(page: object, _: int) -> None:
        lines(page, PROSE, 50, 740)
        for row in range(6):
            for column in range(4):
                page.drawString(60 + column * 120, 680 - row * 14, f"{row * 31 + column}.5")  # type: ignore[attr-defined]
        lines(page, ["After the table the text goes on as before."], 50, 560)

    told = pdf.read_pdf(made(draw), 100)
    assert told.text == " ".join(PROSE) + "\n\nAfter the table the text goes on as before."
    assert (told.counted["pdf:tables"], told.counted["pdf:table_rows"]) == (1, 6)


def test_rotated_stamps_go() -> None:
    def draw(page: object, _: int) -> None:
        lines(page, PROSE, 80, 700)
        page.rotate(90)  # type: ignore[attr-defined]
        page.drawString(200, -30, "arXiv:2101.00001v1")  # type: ignore[attr-defined]

    assert "arXiv" not in text_of(made(draw))


def test_what_is_refused(tmp_path: Path) -> None:
    prose = made(lambda page, _: lines(page, PROSE * 3, 50, 700))
    files = {
        "a": prose,
        "b": made(lambda page, _: lines(page, PROSE, 50, 700), encrypt=encryption.StandardEncryption("secret", canPrint=0)),
        "c": made(lambda page, _: page.rect(10, 10, 500, 700, fill=1)),
        "d": prose[:60],
        "e": b"%PDF-1.7\n" + bytes(range(256)) * 4,
        "f": made(lambda page, _: lines(page, PROSE, 50, 700), pages=4),
    }
    path = tmp_path / "pdfs.tar"
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{name}.pdf")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert accepts(path, PdfSource())
    rows, _ = read(path, PdfSource(max_pages=3))
    found = dict(zip(files, outcomes(rows), strict=True))
    assert found == {
        "a": "ok", "b": "pdf:encrypted", "c": "pdf:no_text_layer", "d": "pdf:broken", "e": "pdf:broken", "f": "pdf:too_many_pages",
    }  # fmt: skip


CRASHES = """
import os, signal, sys
from corpus.extraction.pdf import read_pdf
from corpus.sources.pdf_child import serve
def hostile(data, pages):
    if data == b"segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if data == b"hang":
        while True: pass
    if data == b"memory":
        return len(bytearray(8 * 2**30))
    return read_pdf(data, pages)
serve(hostile)
"""


def scan(page: object, number: int) -> None:
    """Half dark, all white, all dark."""
    page.rect(0, 0, 595, (421, 0, 842)[number], fill=1, stroke=0)  # type: ignore[attr-defined]


def test_a_reader_of_pictures_can_be_plugged_in(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(made(scan, pages=3))
    (tmp_path / "text.pdf").write_bytes(made(two_columns))
    assert outcomes(read(tmp_path / "scan.pdf", PdfSource())[0]) == ["pdf:no_text_layer"]
    rows, log = read(tmp_path / "scan.pdf", PdfSource(ocr="tests.steps:read_picture", ocr_dpi=144))
    assert [row["text"] for row in rows] == ["A page of 1190 by 1684, 50% of it dark."]
    assert log.records == {"pdf:pages": 3, "pdf:ocr_pages": 2, "pdf:ocr_failed": 1}
    plain = read(tmp_path / "text.pdf", PdfSource())[0]
    assert read(tmp_path / "text.pdf", PdfSource(ocr="tests.steps:read_picture"))[0] == plain


def test_the_reader_of_pictures_must_be_allowed_and_there() -> None:
    data = {"name": "x", "sources": [{"pdf": {"ocr": "tests.steps:read_picture"}}], "steps": ["segment_words"]}
    with pytest.raises(RecipeError, match=r"'tests' is not allowed to run: recipe: sources\[0\] pdf.ocr"):
        from_data(data)
    assert from_data(data, allow=["tests"]).sources[0] == PdfSource(ocr="tests.steps:read_picture")
    with pytest.raises(RecipeError, match="cannot import tests.steps:none"):
        from_data({**data, "sources": [{"pdf": {"ocr": "tests.steps:none"}}]}, allow=["tests"])


def test_the_guilty_document_is_counted_and_the_next_one_read() -> None:
    """The child's reader is made to do what PDFium might; process, pipes and limits are the real ones."""
    good = made(lambda page, _: lines(page, PROSE, 50, 700))
    with PdfChild(100, max_cpu_seconds=1, max_memory_bytes=3 * 2**30, serve=CRASHES) as child:
        told = [child.read(data) for data in (good, b"segfault", good, b"hang", b"memory", good)]
    assert [each.fault.code if each.fault else "" for each in told] == ["", "pdf:crashed", "", "pdf:crashed", "pdf:crashed", ""]
    assert told[0].text == told[-1].text != ""


@pytest.fixture(scope="module")
def child() -> Iterator[PdfChild]:
    with PdfChild(100, max_cpu_seconds=60, max_memory_bytes=3 * 2**30) as made_once:
        yield made_once


@given(st.data())
def test_damaged_bytes_cost_a_document(child: PdfChild, data: st.DataObject) -> None:
    """In the child, as sources read: whatever PDFium makes of them, an answer comes."""
    whole = made(two_columns)
    at = data.draw(st.integers(0, len(whole) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=12))
    for damaged in (whole[:at] + junk + whole[at + len(junk) :], whole[:at]):
        told = child.read(damaged)
        assert told.text or told.fault


@given(
    st.lists(
        st.builds(Glyph, st.sampled_from("ab -1."), st.floats(0, 600), st.floats(0, 600), st.floats(0, 800), st.floats(1, 30)), max_size=60
    )
)
def test_no_character_of_prose_is_lost(glyphs: list[Glyph]) -> None:
    """Whatever lies wherever: what is not in a table comes out once."""
    counted: Counter[str] = Counter()
    blocks = page_blocks(Page(600, 800, tuple(glyphs)), counted)
    if not counted["pdf:tables"]:
        met = Counter("".join(blocks).replace(" ", "").replace("-", ""))
        placed = {(glyph.text, glyph.left, glyph.y) for glyph in glyphs}
        given_ = Counter(text for text, _, _ in placed if text not in " -")
        assert all(met[text] <= Counter(glyph.text for glyph in glyphs)[text] for text in met)
        assert set(met) == set(given_)


def test_olmocr_samples(shared_data: Callable[[str], Path]) -> None:
    """Two columns over a reference list, and a page of a book: in order."""
    path = shared_data("lm-text/allenai__olmocr") / "pdfs" / "multi_column_miss.pdf"
    text = " ".join(text_of(path.read_bytes()).split())
    parts = [
        "It now looks like that with vigilance",
        "this leaves BAT to argue why",
        "REFERENCES",
        "Corporate social responsibility (CSR) emerged from a",
        "matter, and the company’s perspective on its own behaviour",
        "The unprecedented expansion of power and influence of TNCs",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
