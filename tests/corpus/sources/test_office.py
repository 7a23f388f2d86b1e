"""Office files written by the libraries that others write them with, twenty of a kind; what is locked, old, damaged or hostile."""

import io
import random
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.office import Limits
from corpus.sources.office import OfficeSource, read_office
from tests.corpus.sources.reading import accepts, outcomes, read

WORDS = [
    "Überblick",
    "contract",
    "naïve",
    "合同",
    "данные",
    "report,",
    "“quoted”",
    "A&B",
    "<tag>",
    "budget",
    "2024",
    "&",
    "Söhne",
    "x²",
    "naïveté",
    "clause",
]


def sentences(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) + "." for _ in range(count)]


def docx(seed: int) -> tuple[bytes, str]:
    module = pytest.importorskip("docx")
    document = module.Document()
    heading, *paragraphs, cell = sentences(seed, 5)
    document.add_heading(heading, level=1 + seed % 3)
    for text in paragraphs:
        first, _, rest = text.partition(" ")
        added = document.add_paragraph(style="List Bullet" if seed % 4 == 1 else None)
        added.add_run(first).bold = True  # words in runs of their own must not part
        added.add_run(f" {rest}" if rest else "")
        hidden = added.add_run("unseen")
        hidden.font.hidden = True
    table = document.add_table(rows=2, cols=2)
    for at, text in enumerate((cell, "b", "c", "d")):
        table.cell(at // 2, at % 2).text = text
    document.sections[0].header.paragraphs[0].text = "running head"
    document.core_properties.title = f"Title {seed}"
    document.core_properties.modified = datetime(2020, 5, 1 + seed)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue(), "\n\n".join([heading, *paragraphs, f"{cell}\tb\nc\td"])


def pptx(seed: int) -> tuple[bytes, str]:
    module = pytest.importorskip("pptx")
    shown = module.Presentation()
    expected = []
    for number in range(1 + seed % 3):
        title, first, second, note = sentences(100 * seed + number, 4)
        slide = shown.slides.add_slide(shown.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = f"{first}\n{second}"
        expected += [title, f"{first}\n{second}"]
        if seed % 2:
            slide.notes_slide.notes_text_frame.text = note
            expected.append(note)
    shown.core_properties.title = f"Title {seed}"
    out = io.BytesIO()
    shown.save(out)
    return out.getvalue(), "\n\n".join(expected)


def xlsx(seed: int) -> tuple[bytes, str]:
    module = pytest.importorskip("openpyxl")
    book = module.Workbook()
    sheet = book.active
    sheet.title = f"Data {seed}"
    first, second = sentences(seed, 2)
    sheet.append(["name", "day", "amount", "done"])
    sheet.append([first, date(2021, 3, 4), 17 + seed, True])
    sheet.append([second, datetime(2021, 3, 4, 5, 6, 7), 2.5, None])
    sheet["F5"] = "far"
    book.create_sheet("empty")
    hidden = book.create_sheet("hidden")
    hidden["A1"] = "unseen"
    hidden.sheet_state = "hidden"
    book.properties.title = f"Title {seed}"
    out = io.BytesIO()
    book.save(out)
    rows = ["name\tday\tamount\tdone", f"{first}\t2021-03-04\t{17 + seed}\tTRUE", f"{second}\t2021-03-04 05:06:07\t2.5", "far"]
    return out.getvalue(), "\n".join([f"Data {seed}", *rows])


def odt(seed: int) -> tuple[bytes, str]:
    from_odf = pytest.importorskip("odf.opendocument")
    text, table, dc = (pytest.importorskip(f"odf.{name}") for name in ("text", "table", "dc"))
    teletype = pytest.importorskip("odf.teletype")
    document = from_odf.OpenDocumentText()
    heading, first, second, cell = sentences(seed, 4)
    document.text.addElement(text.H(outlinelevel=1, text=heading))
    spaced = f"{first}  two spaces\tand a tab"
    paragraph = text.P()
    teletype.addTextToElement(paragraph, spaced)
    document.text.addElement(paragraph)
    items = text.List()
    item = text.ListItem()
    item.addElement(text.P(text=second))
    items.addElement(item)
    document.text.addElement(items)
    rows = table.Table(name="T")
    for texts in ((cell, "b"), ("c", "d")):
        row = table.TableRow()
        for each in texts:
            holder = table.TableCell()
            holder.addElement(text.P(text=each))
            row.addElement(holder)
        rows.addElement(row)
    document.text.addElement(rows)
    document.meta.addElement(dc.Title(text=f"Title {seed}"))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue(), "\n\n".join([heading, spaced, second, f"{cell}\tb\nc\td"])


def ods(seed: int) -> tuple[bytes, str]:
    from_odf = pytest.importorskip("odf.opendocument")
    text, table, dc = (pytest.importorskip(f"odf.{name}") for name in ("text", "table", "dc"))
    document = from_odf.OpenDocumentSpreadsheet()
    sheet = table.Table(name=f"Data {seed}")
    lines = [sentences(seed, 3), ["x", "y", "z"]]
    for texts in lines:
        row = table.TableRow()
        for each in texts:
            cell = table.TableCell(valuetype="string")
            cell.addElement(text.P(text=each))
            row.addElement(cell)
        sheet.addElement(row)
    blank = table.TableRow(numberrowsrepeated=1_048_000)
    blank.addElement(table.TableCell(numbercolumnsrepeated=1024))
    sheet.addElement(blank)
    document.spreadsheet.addElement(sheet)
    document.meta.addElement(dc.Title(text=f"Title {seed}"))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue(), "\n".join([f"Data {seed}", *("\t".join(line) for line in lines)])


def odp(seed: int) -> tuple[bytes, str]:
    from_odf = pytest.importorskip("odf.opendocument")
    draw, text, style, dc = (pytest.importorskip(f"odf.{name}") for name in ("draw", "text", "style", "dc"))
    document = from_odf.OpenDocumentPresentation()
    layout = style.PageLayout(name="L")
    document.automaticstyles.addElement(layout)
    document.masterstyles.addElement(style.MasterPage(name="M", pagelayoutname=layout))
    expected = sentences(seed, 2)
    for each in expected:
        page = draw.Page(masterpagename="M")
        frame = draw.Frame(width="100pt", height="50pt")
        box = draw.TextBox()
        box.addElement(text.P(text=each))
        frame.addElement(box)
        page.addElement(frame)
        document.presentation.addElement(page)
    document.meta.addElement(dc.Title(text=f"Title {seed}"))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue(), "\n\n".join(expected)


MAKERS: dict[str, Callable[[int], tuple[bytes, str]]] = {"docx": docx, "pptx": pptx, "xlsx": xlsx, "odt": odt, "ods": ods, "odp": odp}


@pytest.mark.parametrize("kind", MAKERS)
def test_twenty_of_a_kind(kind: str, tmp_path: Path) -> None:
    source = OfficeSource(license="LicenseRef-Company", labels={"confidential": "no"})
    for seed in range(20):
        data, expected = MAKERS[kind](seed)
        path = tmp_path / f"{seed}.{kind}"
        path.write_bytes(data)
        assert accepts(path, source)
        (row,), _ = read(path, source)
        assert row["text"] == expected, (kind, seed)
        assert row["title"] == f"Title {seed}"
        assert row["license"] == "LicenseRef-Company"
        assert row["labels"] == [("confidential", "no")]
        if kind == "docx":
            assert row["date"].date() == date(2020, 5, 1 + seed)


def package(parts: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
TYPES = """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/word/document.xml"
ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
SHEET_TYPES = """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/xl/workbook.xml"
ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"""
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = f"""<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1"
Type="{REL}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"""
BOOK = f'<workbook xmlns="m" xmlns:r="{REL}"><sheets><sheet name="S" r:id="r1"/></sheets></workbook>'


def word(body: str) -> bytes:
    return package({"[Content_Types].xml": TYPES, "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>"})


def test_tracked_changes_and_sensitivity() -> None:
    body = (
        "<w:p><w:r><w:t>Kept</w:t></w:r><w:del><w:r><w:delText> deleted</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t> inserted</w:t></w:r></w:ins><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    custom = '<Properties><property name="MSIP_Label_1-2_Name"><vt:lpwstr xmlns:vt="v">Secret</vt:lpwstr></property></Properties>'
    parts = {"[Content_Types].xml": TYPES, "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>"}
    told = read_office(package({**parts, "docProps/custom.xml": custom}), Limits())
    assert told.text == "Kept inserted"
    assert told.labels == {"sensitivity": "Secret"}


def test_notes_and_comments_are_left_out_and_counted() -> None:
    note = "<w:r><w:footnoteReference w:id='2'/></w:r><w:r><w:endnoteReference w:id='1'/></w:r><w:r><w:commentReference w:id='0'/></w:r>"
    told = read_office(word(f"<w:p><w:r><w:t>Said</w:t></w:r>{note}</w:p>"), Limits())
    assert (told.text, told.counted) == ("Said", {"office:notes": 2, "office:comments": 1})
    text, made = pytest.importorskip("odf.text"), pytest.importorskip("odf.opendocument").OpenDocumentText()
    paragraph = text.P(text="Said")
    cited = text.Note(noteclass="footnote")
    cited.addElement(text.NoteCitation(text="1"))
    body = text.NoteBody()
    body.addElement(text.P(text="elsewhere"))
    cited.addElement(body)
    paragraph.addElement(cited)
    made.text.addElement(paragraph)
    out = io.BytesIO()
    made.save(out)
    told = read_office(out.getvalue(), Limits())
    assert (told.text, told.counted) == ("Said", {"office:notes": 1})


BOX = "<w:txbxContent><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:txbxContent>"


def test_text_boxes_come_once_and_after_their_paragraph() -> None:
    """Word writes a box twice, for itself and for older readers; old files have the second form alone; a box may hold a box."""
    choice = f"<mc:Choice>{BOX.format('Boxed.')}</mc:Choice><mc:Fallback><w:pict>{BOX.format('Boxed.')}</w:pict></mc:Fallback>"
    twice = f"<w:r><mc:AlternateContent xmlns:mc='m'>{choice}</mc:AlternateContent></w:r>"
    nested = BOX.format("Outer</w:t></w:r><w:r><w:pict>" + BOX.format("inner") + "</w:pict></w:r><w:r><w:t>.")
    body = f"<w:p><w:r><w:t>Before </w:t></w:r>{twice}<w:r><w:t>and after.</w:t></w:r></w:p><w:p><w:r><w:pict>{nested}</w:pict></w:r></w:p>"
    deleted = f"<w:p><w:del><w:r><w:pict>{BOX.format('deleted')}</w:pict></w:r></w:del></w:p>"
    assert read_office(word(body + deleted), Limits()).text == "Before and after.\n\nBoxed.\n\nOuter.\n\ninner"


def sheet(rows: int) -> bytes:
    body = "".join(f'<row><c t="inlineStr"><is><t>r{number}</t></is></c></row>' for number in range(rows))
    parts = {"[Content_Types].xml": SHEET_TYPES, "xl/workbook.xml": BOOK, "xl/_rels/workbook.xml.rels": RELATIONS}
    return package({**parts, "xl/worksheets/sheet1.xml": f'<worksheet xmlns="m"><sheetData>{body}</sheetData></worksheet>'})


def test_a_sheet_of_a_million_rows_is_cut() -> None:
    told = read_office(sheet(300_000), Limits(sheet_rows=1000))
    assert told.text.split("\n") == ["S", *(f"r{number}" for number in range(1000))]
    assert told.counted["office:cut_sheets"] == 1


def test_what_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    manifest = "<m:manifest xmlns:m='m'><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>"
    files = {
        "locked.docx": (ole + "EncryptedPackage".encode("utf-16-le"), "file:encrypted"),
        "old.doc": (ole, "office:legacy"),
        "locked.odt": (package({"content.xml": "??", "META-INF/manifest.xml": manifest}), "file:encrypted"),
        "entities.docx": (
            package({"[Content_Types].xml": TYPES, "word/document.xml": f"{bomb}<w:document {W}><w:body>&b;</w:body></w:document>"}),
            "xml:entities",
        ),
        "deep.docx": (word("<w:p>" * 220 + "</w:p>" * 220), "xml:too_deep"),
        "zeros.docx": (word("<w:p/>" + " " * 5_000_000), "file:too_large"),
        "cut.docx": (word("<w:p/>" * 1000)[:300], "file:broken"),
        "other.docx": (package({"x.txt": "x"}), "office:unknown"),
        "slip.docx": (package({"[Content_Types].xml": TYPES.replace("/word/document", "/../../etc/passwd")}), "file:broken"),
        "empty.docx": (word("<w:p/>"), "file:no_text"),
        "text.docx": (b"just text", "file:broken"),
    }
    for name, (data, reason) in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert accepts(path, OfficeSource())
        rows, _ = read(path, OfficeSource(max_unpacked_bytes=2**20))
        assert outcomes(rows) == [reason], name


@pytest.mark.parametrize("kind", ["docx", "odt"])
def test_a_file_under_another_name(kind: str, tmp_path: Path) -> None:
    """What it is stands inside, not in the ending that a download was given."""
    data, expected = MAKERS[kind](3)
    (tmp_path / "download.zip").write_bytes(data)
    assert accepts(tmp_path / "download.zip", OfficeSource())
    assert [row["text"] for row in read(tmp_path / "download.zip", OfficeSource())[0]] == [expected]


@given(st.sampled_from(sorted(MAKERS)), st.data())
def test_damaged_bytes_never_raise(kind: str, data: st.DataObject) -> None:
    whole = _made(kind)
    at = data.draw(st.integers(0, len(whole) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=8))
    read_office(whole[:at] + junk + whole[at + len(junk) :], Limits())
    read_office(whole[:at], Limits())


_MADE: dict[str, bytes] = {}


def _made(kind: str) -> bytes:
    if kind not in _MADE:
        _MADE[kind] = MAKERS[kind](3)[0]
    return _MADE[kind]


@given(st.recursive(st.just(""), lambda inner: st.builds(
    lambda tag, parts: f"<w:{tag}>{''.join(parts)}</w:{tag}>", st.sampled_from(["p", "r", "t", "tbl", "tr", "tc", "sdt", "del", "rPr"]),
    st.lists(inner, max_size=3)), max_leaves=15))  # fmt: skip
def test_elements_in_any_order(body: str) -> None:
    told: Any = read_office(word(body), Limits())
    assert told.fault is None or told.fault.code == "file:no_text"
