"""Books made by ebooklib, by zipfile, and by hand: what is kept, in which order, and what a hostile archive comes to."""

import html
import random
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.books import chapter_text, gutenberg_book
from corpus.recipe import load
from corpus.sources.books import BooksSource
from corpus.sources.listing import examine, find
from tests.corpus.sources.reading import accepts, outcomes, read

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
    '<rootfile full-path="EPUB/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
OPF = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier>https://a.example/books/mill</dc:identifier><dc:title>The Mill</dc:title><dc:creator>Ann Other</dc:creator>
<dc:language>en-GB</dc:language>
<dc:date>2020-01-02</dc:date><dc:rights>Licensed CC0 (https://creativecommons.org/publicdomain/zero/1.0/).</dc:rights></metadata>
<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="n" href="text/endnotes.xhtml" media-type="application/xhtml+xml"/>
<item id="two" href="text/two.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="text/o%6ee.xhtml" media-type="application/xhtml+xml"/>
<item id="t" href="text/titlepage.xhtml" media-type="application/xhtml+xml"/>
<item id="up" href="../../../etc/passwd" media-type="application/xhtml+xml"/><item id="i" href="a.png" media-type="image/png"/>
<item id="gone" href="text/gone.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="t"/><itemref idref="nav"/><itemref idref="n"/><itemref idref="one"/><itemref idref="two"/><itemref idref="up"/>
<itemref idref="i"/><itemref idref="gone"/><itemref idref="unknown"/></spine></package>"""


def page(body: str) -> str:
    return f'<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>t</title></head><body>{body}</body></html>'


PAGES = {
    "EPUB/nav.xhtml": page("<nav><ol><li>Contents</li></ol></nav>"),
    "EPUB/text/titlepage.xhtml": page("<h1>The Mill</h1>"),
    "EPUB/text/one.xhtml": page('<h2>I</h2><p>The mill stood<a href="endnotes.xhtml#n1" epub:type="noteref">1</a> still.</p>'),
    "EPUB/text/two.xhtml": page("<h2>II</h2><p>It turned again.</p>"),
    "EPUB/text/endnotes.xhtml": page('<h2>Notes</h2><p>For a year. <a href="one.xhtml" epub:type="backlink">↩</a></p>'),
}


def epub(path: Path, files: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/epub+zip")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_an_epub_by_hand(tmp_path: Path) -> None:
    path = epub(tmp_path / "mill.epub", {"META-INF/container.xml": CONTAINER, "EPUB/content.opf": OPF, **PAGES})
    assert accepts(path, BooksSource())
    [row], log = read(path, BooksSource())
    assert row["text"] == "I\n\nThe mill stood still.\n\nII\n\nIt turned again.\n\nNotes\n\nFor a year."
    assert (row["title"], row["language"], row["license"], row["url"]) == ("The Mill", "en", "CC0-1.0", "https://a.example/books/mill")
    assert row["labels"] == [("author", "Ann Other")]
    assert str(row["date"]).startswith("2020-01-02")
    assert log.records == {"books:missing_page": 1}


def test_an_epub_by_another_writer(tmp_path: Path) -> None:
    ebooklib = pytest.importorskip("ebooklib.epub")
    book = ebooklib.EpubBook()
    book.set_identifier("id1")
    book.set_title("A Book")
    book.set_language("de")
    book.add_author("Someone")
    chapters = []
    for number in (1, 2):
        chapter = ebooklib.EpubHtml(title=f"Kapitel {number}", file_name=f"ch{number}.xhtml", lang="de")
        chapter.content = f"<h1>Kapitel {number}</h1><p>Das Mühlrad dreht sich zum {number}. Mal.</p>"
        book.add_item(chapter)
        chapters.append(chapter)
    book.add_item(ebooklib.EpubNcx())
    book.add_item(ebooklib.EpubNav())
    book.toc = book.spine = chapters
    book.spine = ["nav", *chapters]
    path = tmp_path / "a.epub"
    ebooklib.write_epub(str(path), book)
    [row], _ = read(path, BooksSource())
    assert row["text"] == "Kapitel 1\n\nDas Mühlrad dreht sich zum 1. Mal.\n\nKapitel 2\n\nDas Mühlrad dreht sich zum 2. Mal."
    assert (row["title"], row["language"]) == ("A Book", "de")


def ebook(seed: int) -> tuple[Any, str, str]:
    """A book of ebooklib's: chapters in folders, out of the order of their names; a style sheet, a picture, notes, contents. (book, text,
    language)."""
    ebooklib = pytest.importorskip("ebooklib.epub")
    rng = random.Random(seed)
    language = ("de", "en", "fr", "ru")[seed % 4]
    book = ebooklib.EpubBook()
    book.set_identifier(f"urn:isbn:{seed}")
    book.set_title(f"Book & {seed}")
    book.set_language(language)
    book.add_author(f"Author {seed}")
    book.add_metadata("DC", "rights", ("https://creativecommons.org/licenses/by-sa/4.0/", "All rights reserved.")[seed % 2])
    book.add_item(ebooklib.EpubItem(file_name="style/a.css", media_type="text/css", content="p { color: red }"))
    book.add_item(ebooklib.EpubItem(file_name="images/a.png", media_type="image/png", content=b"\x89PNG"))
    chapters, expected = [], []
    for number in range(1 + seed % 5):
        words = [" ".join(rng.choices(["Mühle", "“quoted”", "naïve", "вода", "A & B", "1 < 2", "水車", "stone."], k=9)) for _ in range(3)]
        folder = ("", "text/", "text of it/")[seed % 3]
        chapter = ebooklib.EpubHtml(title=f"Part {number}", file_name=f"{folder}c{9 - number}.xhtml", lang=language)
        shown = [f"<em>{html.escape(text)}</em>" if seed % 2 else html.escape(text) for text in words]
        mark = '<a epub:type="noteref" href="#n1">1</a>' if seed % 3 == 1 else ""
        picture = '<p><img src="../images/a.png" alt=""/></p>' if seed % 3 else ""
        paragraphs = f"<p>{shown[0]}{mark}</p>{picture}<blockquote><p>{shown[1]}</p></blockquote><ul><li>{shown[2]}</li></ul>"
        chapter.content = f"<h{1 + seed % 2}>Part {number}</h{1 + seed % 2}>{paragraphs}"
        book.add_item(chapter)
        chapters.append(chapter)
        expected += [f"Part {number}", *words[:2], f"- {words[2]}"]
    book.toc = chapters
    book.add_item(ebooklib.EpubNcx())
    book.add_item(ebooklib.EpubNav())
    book.spine = ["nav", *chapters] if seed % 2 else chapters
    return book, "\n\n".join(expected), language


@pytest.mark.parametrize("seed", range(20))
def test_twenty_epubs_by_ebooklib(tmp_path: Path, seed: int) -> None:
    book, expected, language = ebook(seed)
    path = tmp_path / "a.epub"
    pytest.importorskip("ebooklib.epub").write_epub(str(path), book, {"epub3_landmark": seed % 2 == 0, "package_direction": seed % 3 == 0})
    assert accepts(path, BooksSource())
    [row], log = read(path, BooksSource())
    assert row["text"] == expected
    assert (row["title"], row["language"], row["labels"]) == (f"Book & {seed}", language, [("author", f"Author {seed}")])
    assert row["license"] == (None if seed % 2 else "CC-BY-SA-4.0")
    assert not log.damages


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"EPUB/content.opf": OPF.replace("<package", ENTITIES + "<package").replace("The Mill", "&b;&f;")}, "books:bad_package"),
        ({"META-INF/container.xml": ENTITIES + CONTAINER.removeprefix('<?xml version="1.0"?>')}, "books:bad_package"),
        ({"META-INF/container.xml": CONTAINER.replace("EPUB/content.opf", "../../etc/passwd")}, "books:bad_package"),
        ({"META-INF/container.xml": "<not xml"}, "books:bad_package"),
        ({"EPUB/content.opf": OPF.replace("itemref", "other")}, "books:no_text"),
        ({"META-INF/encryption.xml": "<x><CipherReference URI='EPUB/text/one.xhtml'/></x>"}, "books:encrypted"),
        ({"EPUB/text/one.xhtml": page("x" * 200_000)}, "books:too_large"),
        ({"../../evil.xhtml": "x", "/etc/evil.xhtml": "x", "C:\\evil.xhtml": "x"}, "ok"),
        ({"EPUB/text/one.xhtml": ENTITIES + page("<p>One &b; &f;</p>")}, "ok"),
        ({"inner.epub": b"PK\x03\x04" + bytes(100)}, "ok"),
    ],
)
def test_hostile_books(tmp_path: Path, change: Mapping[str, str], reason: str) -> None:
    path = epub(tmp_path / "a.epub", {"META-INF/container.xml": CONTAINER, "EPUB/content.opf": OPF, **PAGES} | dict(change))
    [row], _ = read(path, BooksSource(max_document_bytes=100_000))
    assert outcomes([row]) == [reason]
    assert "root:" not in (row["text"] or "")
    assert "aaaaaaaaaaaaaaaaaaaa" not in (row["text"] or "")


def test_a_zip_bomb(tmp_path: Path) -> None:
    path = epub(
        tmp_path / "a.epub",
        {
            "META-INF/container.xml": CONTAINER,
            "EPUB/content.opf": OPF,
            "EPUB/text/one.xhtml": bytes(80_000_000),
            **{f"{at}.xhtml": bytes(99_000) for at in range(20)},
        },
    )
    assert path.stat().st_size < 200_000
    assert outcomes(read(path, BooksSource(max_document_bytes=100_000))[0]) == ["books:too_large"]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("*** START OF THE PROJECT GUTENBERG EBOOK THE MILL ***", "*** END OF THE PROJECT GUTENBERG EBOOK THE MILL ***"),
        ("*** START OF THIS PROJECT GUTENBERG EBOOK A VERY LONG\nTITLE OF TWO LINES ***", "End of the Project Gutenberg EBook of The Mill"),
        ("*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*", "End of The Project Gutenberg Etext of The Mill"),
        ("***START OF THE PROJECT GUTENBERG EBOOK THE MILL***", "End of Project Gutenberg's The Mill, by Ann"),
    ],
)
@pytest.mark.parametrize(
    ("encoding", "declared"), [("utf-8", "UTF-8"), ("iso-8859-1", "ISO-8859-1"), ("utf-8-sig", "UTF-8"), ("cp1252", "ISO-8859-1")]
)
def test_gutenberg(start: str, end: str, encoding: str, declared: str) -> None:
    text = "Chapter I\r\n\r\nThe mill in the café — it stood still.\r\n\r\nChapter II\r\n\r\nIt turned."
    if encoding == "iso-8859-1":
        text = text.replace("—", "-")
    header = (
        f"Title: The Mill\r\nAuthor: Ann\r\nRelease Date: May, 1999 [EBook #77]\r\nLanguage: French\r\nCharacter set encoding: {declared}"
    )
    whole = (
        f"The Project Gutenberg EBook of The Mill, by Ann\r\n\r\n{header}\r\n\r\n{start}\r\n\r\nProduced by Some One and\r\nAnother\r\n\r\n"
        f"{text}\r\n\r\n{end}\r\n\r\nThis licence is long."
    )
    book = gutenberg_book(whole.encode(encoding))
    assert book.text == text.replace("\r\n", "\n")
    assert (book.title, book.author, book.language, book.number, book.has_markers) == ("The Mill", "Ann", "fr", "77", True)


def test_gutenberg_without_markers_and_other_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("The Project Gutenberg EBook\n\nno marks at all")
    assert outcomes(read(path, BooksSource())[0]) == ["books:no_markers"]
    path.write_text("*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\n*** END OF THE PROJECT GUTENBERG EBOOK X ***")
    assert outcomes(read(path, BooksSource())[0]) == ["books:no_text"]
    assert outcomes(read(path, BooksSource(max_document_bytes=10))[0]) == ["books:too_large"]
    path.write_text("Some notes.")
    assert not accepts(path, BooksSource())


@given(data=st.data())
def test_damaged_bytes_never_raise(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("books")
    whole = epub(folder / "whole.epub", {"META-INF/container.xml": CONTAINER, "EPUB/content.opf": OPF, **PAGES}).read_bytes()
    kind = data.draw(st.sampled_from(["a.epub", "content.opf", "a.txt"]))
    content = bytearray(
        {
            "a.epub": whole,
            "content.opf": OPF.encode(),
            "a.txt": b"*** START OF THE PROJECT GUTENBERG EBOOK ***\nx\n*** END OF THE PROJECT GUTENBERG",
        }[kind]
    )
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    path = folder / kind
    path.write_bytes(content)
    accepts(path, BooksSource())
    [row], _ = read(path, BooksSource())
    assert (row["text"] is None) == bool(row["failed"])


def test_pages_of_the_frame() -> None:
    assert chapter_text(b'<html><body epub:type="frontmatter"><section epub:type="imprint"><p>Made by</p></section></body></html>') == ""


def test_real_gutenberg(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("lm-text") / "GITenberg__Pride-and-Prejudice_1342"
    for name in ("1342.txt", "1342-0.txt", "old/pandp12.txt"):
        [row], _ = read(folder / name, BooksSource())
        text = " ".join(row["text"].split())
        assert text.lower().startswith("pride and prejudice by jane austen chapter 1 it is a truth universally acknowledged")
        assert text.endswith("had been the means of uniting them.")
        assert "Gutenberg" not in text
        assert row["url"] == "https://www.gutenberg.org/ebooks/1342"


@pytest.mark.parametrize(
    ("name", "title", "author", "order"),
    [
        (
            "bram-stoker_dracula",
            "Dracula",
            "Bram Stoker",
            ["Hommy-Beg", "How these papers", "II\n\nJonathan Harker", "\n\nXXVII\n\n"],
        ),
        ("h-g-wells_the-time-machine", "The Time Machine", "H. G. Wells", ["I\n\nThe Time Traveller", "XII\n\n", "Epilogue", "Endnotes"]),
        ("mary-shelley_frankenstein", "Frankenstein", "Mary Shelley", ["Preface", "Letter I\n\n", "I am by birth a Genevese", "Endnotes"]),
    ],
)
def test_pages_without_their_package_file(shared_data: Callable[[str], Path], name: str, title: str, author: str, order: list[str]) -> None:
    """As they lie in Standard Ebooks' folder `text`: one book, its chapters by number, the address and the licence from its own pages."""
    folder = shared_data("lm-text") / "standardebooks" / name
    found = [examine(file, load("all_sources").sources) for file in find([str(folder)])]
    assert [entry.file.file for entry in found if entry.source >= 0] == ["SOURCE.txt", "titlepage.xhtml"]
    assert {entry.why for entry in found if entry.file.file.startswith("chapter")} == {
        "a page of a book: it is read with the others, where their package file or title page lies"
    }
    [row], log = read(folder / "titlepage.xhtml", BooksSource())
    assert (row["title"], row["language"], row["license"], row["labels"]) == (title, "en", "CC0-1.0", [("author", author)])
    assert row["url"] == f"https://standardebooks.org/ebooks/{name.replace('_', '/')}"
    places = [row["text"].index(part) for part in order]
    assert places == sorted(places)
    assert "Standard Ebooks" not in row["text"]
    assert log.records == {}


def test_real_standard_ebooks(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    source = shared_data("lm-text") / "standardebooks" / "h-g-wells_the-time-machine"
    shutil.copytree(source, tmp_path / "text")
    names = ["titlepage", "imprint", *(f"chapter-{number}" for number in range(1, 13)), "epilogue", "endnotes", "colophon"]
    items = "".join(f'<item id="{name}" href="text/{name}.xhtml" media-type="application/xhtml+xml"/>' for name in names)
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    head = OPF[: OPF.index("<manifest>")]
    (tmp_path / "content.opf").write_text(f"{head}<manifest>{items}</manifest><spine>{spine}</spine></package>")
    assert accepts(tmp_path / "content.opf", BooksSource())
    [row], log = read(tmp_path / "content.opf", BooksSource())
    assert row["text"].startswith("I\n\nThe Time Traveller (for so it will be convenient to speak of him)")
    for number in ("II", "XII", "Epilogue", "Endnotes"):
        assert f"\n\n{number}\n\n" in row["text"]
    assert "Standard Ebooks" not in row["text"]
    assert "↩" not in row["text"]
    assert log.records == {}
