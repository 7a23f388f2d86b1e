"""RTF to text, by a reader of our own: one pass over the file, bounded by its length.

The small libraries that do this search whole files with patterns that go back and forth, and end at a number too large. Kept are paragraphs
and table rows (cells parted by tabs), and of the file's own words title and date. Left out, as of other office files: headers, footers,
footnotes, comments, deleted and hidden text, pictures, the instructions of fields.

    read_rtf(rb"{\\rtf1\\ansi Caf\\'e9 \\u8211? open\\par}").text  # "Café – open"
"""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import final

from corpus.extraction.extracted import BROKEN, Extracted, date_of, joined

MAGIC = b"{\\rtf"
_TOKEN = re.compile(rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|[\r\n\0]+|([^\\{}\r\n\0]+)|\\", re.DOTALL)
_MAX_DEPTH = 5000
_LEFT_OUT = frozenset((
    "annotation", "atnauthor", "atndate", "atnid", "atnref", "atrfend", "atrfstart", "author", "bkmkend", "bkmkstart", "category",
    "colortbl", "comment", "company", "datastore", "do", "doccomm", "fldinst", "footer", "footerf", "footerl", "footerr", "footnote",
    "ftncn", "ftnsep", "ftnsepc", "generator", "header", "headerf", "headerl", "headerr", "hlinkbase", "keywords", "latentstyles",
    "listoverridetable", "listtable", "listtext", "manager", "nonshppict", "objdata", "operator", "pict", "pntext", "printim",
    "private", "revtbl", "revtim", "rsidtbl", "rxe", "stylesheet", "subject", "tc", "template", "themedata", "txe", "xe",
))  # fmt: skip
_SIGNS = {
    "line": "\n", "tab": "\t", "emdash": "—", "endash": "–", "emspace": "\u2003", "enspace": "\u2002", "qmspace": "\u2005", "bullet": "•",
    "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "zwj": "\u200d", "zwnj": "\u200c", "ltrmark": "\u200e",
    "rtlmark": "\u200f",
}  # fmt: skip
_SYMBOLS = {b"~": "\xa0", b"_": "\u2011", b"{": "{", b"}": "}", b"\\": "\\", b"\n": "\n", b"\r": "\n"}
# \fcharsetN -> Python's codec (RTF 1.9.1, "Font Table")
_CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip


@final
@dataclass(frozen=True)
class _Group:
    """What ends with the group. ``place``: where its text goes: "" the document, "title", "-" nowhere, "fonts", "created"."""

    place: str = ""
    fallback: int = 1  # characters behind each \u for readers that know no Unicode
    font: int | None = None
    hidden: bool = False
    deleted: bool = False


def read_rtf(data: bytes) -> Extracted:
    """The file's text, title and date. What is behind its last brace is no part of it; one that breaks off is read as far as it goes."""
    if not data.startswith(MAGIC):
        return Extracted(fault=BROKEN)
    reader = _Reader(data)
    return reader.read()


@final
@dataclass
class _Reader:
    data: bytes
    group: _Group = _Group()
    outer: list[_Group] = field(default_factory=list)
    codec: str = "cp1252"
    fonts: dict[int, str] = field(default_factory=dict)
    font: int | None = None  # that the table of fonts is just describing
    pending: bytearray = field(default_factory=bytearray)  # in the codec of the font, which may take two bytes for a character
    skip: int = 0  # characters yet to be passed over behind a \u
    optional: bool = False  # \* stood before: who does not know the word leaves the group out
    written: list[str] = field(default_factory=list)  # of the paragraph
    title: list[str] = field(default_factory=list)
    day: dict[str, str] = field(default_factory=dict)
    cells: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    in_table: bool = False
    blocks: list[str] = field(default_factory=list)

    def read(self) -> Extracted:
        at, counted = 0, Counter[str]()
        while at < len(self.data) and (found := _TOKEN.match(self.data, at)):
            at = found.end()
            word, number, byte, symbol, brace, run = found.groups()
            if run is not None:
                self._bytes(run)
            elif byte is not None:
                self._bytes(bytes.fromhex(byte.decode()))
            elif word is not None:
                at += self._word(word.decode().lower(), None if number is None else int(number))
            elif symbol is not None:
                self._symbol(symbol)
            elif brace == b"{":
                self._flush()
                self.skip = 0
                self.outer.append(self.group)
                if len(self.outer) > _MAX_DEPTH:
                    return Extracted(fault=BROKEN)
            elif brace == b"}":
                self._flush()
                self.skip = 0
                self.group = self.outer.pop()
                if not self.outer:
                    break
        if self.outer:
            counted["rtf:cut_off"] += 1
        self._flush()
        self._paragraph()
        self._table()
        title = " ".join(_whole("".join(self.title)).split()) or None
        created = date_of(*(self.day.get(part) for part in ("yr", "mo", "dy")))
        return Extracted(text=_whole(joined(self.blocks)), title=title, date=created, counted=counted)

    def _word(self, word: str, number: int | None) -> int:
        """Returns how many bytes of the file are to be passed over."""
        self._flush()
        self.skip = 0
        place = self.group.place
        if word == "bin":
            return max(0, number or 0)
        if word == "fonttbl":
            self._into("fonts")
        elif word in ("title", "creatim") and place == "info":
            self._into("created" if word == "creatim" else word)
        elif word == "info":
            self._into("info")
        elif self.optional or word in _LEFT_OUT:
            self._into("-")
        elif place == "fonts":
            self._font(word, number)
        elif place == "created":
            if word in ("yr", "mo", "dy"):
                self.day[word] = str(number or 0)
        elif word == "ansicpg" and number:
            self.codec = _known(f"cp{number}") or self.codec
        elif word in ("mac", "pc", "pca"):
            self.codec = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
        elif word == "u" and number is not None:
            self._write(chr(number % 65536))
            self.skip = self.group.fallback
        elif word == "uc":
            self.group = replace(self.group, fallback=max(0, min(number or 0, 100)))
        elif word == "f":
            self.group = replace(self.group, font=number)
        elif word == "v":
            self.group = replace(self.group, hidden=number != 0)
        elif word == "deleted":
            self.group = replace(self.group, deleted=number != 0)
        elif word == "plain":
            self.group = replace(self.group, hidden=False, deleted=False, font=None)
        elif word in _SIGNS:
            self._write(_SIGNS[word])
        elif not place:
            self._layout(word)
        self.optional = False
        return 0

    def _layout(self, word: str) -> None:
        if word in ("par", "sect", "page"):
            self._paragraph()
        elif word in ("cell", "nestcell"):
            self.cells.append(" ".join("".join(self.written).split()))
            self.written.clear()
        elif word in ("row", "nestrow"):
            self.rows.append("\t".join(self.cells))
            self.cells.clear()
        elif word in ("pard", "intbl"):
            self.in_table = word == "intbl"

    def _into(self, place: str) -> None:
        if self.group.place != "-":
            self.group = replace(self.group, place=place)
        self.optional = False

    def _font(self, word: str, number: int | None) -> None:
        if word == "f":
            self.font = number
        elif word == "fcharset" and self.font is not None and number in _CHARSETS:
            self.fonts[self.font] = _CHARSETS[number]

    def _symbol(self, symbol: bytes) -> None:
        self._flush()
        if symbol == b"*":
            self.optional = True
        elif self.skip:
            self.skip -= 1
        elif symbol in (b"\n", b"\r"):
            self._layout("par" if not self.group.place else "")
        elif symbol in _SYMBOLS:
            self._write(_SYMBOLS[symbol])

    def _bytes(self, run: bytes) -> None:
        passed = min(self.skip, len(run))
        self.skip -= passed
        self.pending += run[passed:]

    def _flush(self) -> None:
        if self.pending:
            codec = self.fonts.get(-1 if self.group.font is None else self.group.font, self.codec)
            self._write(self.pending.decode(codec, "replace"))
            self.pending.clear()

    def _write(self, text: str) -> None:
        if self.group.place == "title":
            self.title.append(text)
        elif not self.group.place and not self.group.hidden and not self.group.deleted:
            self.written.append(text)

    def _paragraph(self) -> None:
        if self.in_table:
            self.written.append(" ")
            return
        text = "".join(self.written).strip()
        self.written.clear()
        if text:
            self._table()
            self.blocks.append(text)

    def _table(self) -> None:
        if self.cells:
            self.rows.append("\t".join(self.cells))
        rows = [each for each in self.rows if each.strip()]
        self.blocks.append("\n".join(rows))
        self.rows.clear()
        self.cells.clear()


def _known(codec: str) -> str | None:
    try:
        "".encode(codec)
    except LookupError:
        return {"cp65001": "utf-8", "cp10000": "mac_roman"}.get(codec)
    return codec


def _whole(text: str) -> str:
    """\\u gives UTF-16: two of them are one character beyond the first 65,536; one alone is none."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
