"""The scanner of pages once more, in plain Python over regular expressions and lists of open elements: what the kernels are held equal to.

elements, blocks = plain_scan(b"<p>One<p>Two")
blocks[1] -> ("Two", 2)    # text, number of its element
"""

import html
import re
from dataclasses import dataclass, field

from corpus.kernels.markup import MAX_DEPTH
from corpus.kernels.tags import BLOCK, CLOSES_P, FLAGS, HIDES, IN_HEAD, NUMBERS, RAW, VOID

SPACE = b"\t\n\v\f\r "
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
RANKS = {"td": 3, "th": 3, "caption": 3, "colgroup": 3, "tr": 2, "thead": 1, "tbody": 1, "tfoot": 1}
OF_TABLE = ("table", *RANKS)
BARS = ("table", "td", "th", "caption", "template", "html", "object", "marquee", "button", "svg")
_NAME = re.compile(rb"[^\x00- />]*")
_GAP = re.compile(rb"[\x00- /]*")
_ATTRIBUTE = re.compile(rb"([^\x00- />][^\x00- />=]*)[\x00- ]*(=)?")
_SPACES = re.compile(rb"[\x00- ]*")
_BARE = re.compile(rb"[^\x00- >]*")


@dataclass
class Element:
    name: str
    parent: int
    depth: int
    hidden: bool


@dataclass
class Walk:
    elements: list[Element] = field(default_factory=lambda: [Element("html", -1, 0, False)])
    open: list[int] = field(default_factory=lambda: [0])
    blocks: list[tuple[str, int, int]] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    piece: bytearray = field(default_factory=bytearray)
    links: list[int] = field(default_factory=list)  # for each character of the piece: 1 within a link
    space: bool = False
    line: bool = False
    over: int = 0

    def name(self, at: int) -> str:
        return self.elements[self.open[at]].name

    def names(self) -> list[str]:
        return [self.elements[number].name for number in self.open]

    def hides(self) -> bool:
        return any(flag(name, HIDES) for name in self.names())

    def in_pre(self) -> bool:
        return any(name in ("pre", "listing") for name in self.names())

    def flush(self) -> None:
        piece = bytes(self.piece)
        if piece.strip(b" \t\n"):
            box = next((number for number in reversed(self.open) if flag(self.elements[number].name, BLOCK)), 0)
            self.blocks.append((piece.rstrip(b"\n").decode("utf-8", "replace"), box, sum(self.links)))
        self.piece, self.links, self.space, self.line = bytearray(), [], False, False

    def blank(self, byte: int) -> None:
        if self.in_pre() and byte in b" \t\n":
            if self.piece or byte != 10:
                self.piece.append(byte)
        else:
            self.space = True

    def letter(self, character: bytes) -> None:
        if self.line:
            if self.piece and not self.in_pre():
                self.piece += b"\n"
            self.line = False
        elif self.space and self.piece and self.piece[-1:] != b"\n":
            self.piece += b" "
        self.space = False
        self.piece += character
        if "a" in self.names():
            self.links.append(2 if 0xE3 <= character[0] < 0xF0 else 1)

    def text(self, raw: bytes) -> None:
        told = html.unescape(re.sub(rb"[\x00-\x08\x0e-\x1f]", b"", raw).decode("utf-8", "surrogateescape"))
        for character in told:
            if character in "\t\n\v\f\r \xa0":
                self.blank(32 if character == "\xa0" else ord(character))
            else:
                self.letter(character.encode("utf-8", "surrogateescape"))

    def line_break(self) -> None:
        self.space = False
        if self.piece:
            if self.in_pre():
                self.piece += b"\n"
            elif self.line:
                self.flush()
            else:
                self.line = True

    def cut(self, depth: int) -> None:
        del self.open[depth:]

    def push(self, name: str, hidden: bool) -> None:
        if len(self.open) >= MAX_DEPTH:
            self.over += 1
            return
        parent = self.open[-1]
        self.elements.append(Element(name, parent, len(self.open), self.elements[parent].hidden or hidden))
        self.open.append(len(self.elements) - 1)

    def close_implied(self, name: str) -> None:
        depth = len(self.open)
        if name in ("li", "dt", "dd"):
            for at in range(depth - 1, 0, -1):
                there = self.name(at)
                if there == name or (name != "li" and there in ("dt", "dd")):
                    self.cut(at)
                    break
                if flag(there, BLOCK) and there not in ("address", "div", "p"):
                    break
        elif name in RANKS:
            within = []
            for at in range(depth - 1, 0, -1):
                if self.name(at) in ("table", "template"):
                    break
                if RANKS.get(self.name(at), 0) >= RANKS[name]:
                    within.append(at)
            if within:
                self.cut(min(within))
            return
        elif name in ("option", "optgroup"):
            if depth > 1 and self.name(-1) == "option":
                self.cut(depth - 1)
            if name == "optgroup" and len(self.open) > 1 and self.name(-1) == "optgroup":
                self.cut(len(self.open) - 1)
            return
        elif name == "a":
            inline = self.inline_from()
            links = [at for at in range(inline, depth) if self.name(at) == "a"]
            if links:
                self.cut(links[-1])
            return
        elif name in HEADINGS and depth > 1 and self.name(-1) in HEADINGS:
            self.cut(depth - 1)
        if flag(name, CLOSES_P):
            at = self.inline_from() - 1
            if at > 0 and self.name(at) == "p":
                self.cut(at)

    def inline_from(self) -> int:
        """The depth from which on only inline elements are open."""
        at = len(self.open)
        while at > 1 and not flag(self.name(at - 1), BLOCK):
            at -= 1
        return at

    def end(self, name: str) -> None:
        if name in ("html", "body"):
            return
        for at in range(len(self.open) - 1, 0, -1):
            there = self.name(at)
            if there == name or (name in HEADINGS and there in HEADINGS):
                self.cut(at)
                return
            if flag(name, BLOCK):
                if (there == "table") if name in OF_TABLE else (there in BARS):
                    return
            elif flag(there, BLOCK):
                return


def flag(name: str, which: int) -> bool:
    return bool(FLAGS[NUMBERS[name]] & which)


def known(name: str) -> str:
    """The name if the scanner knows it, "custom" for one with a hyphen, "" for any other."""
    return name if name in NUMBERS and name != "custom" else "custom" if "-" in name else ""


def plain_scan(data: bytes) -> Walk:
    walk, at = Walk(), 3 if data.startswith(b"\xef\xbb\xbf") else 0
    while at < len(data):
        if data[at : at + 1] == b"<" and re.match(rb"<[A-Za-z/!?]", data[at : at + 2]):
            at = _tag(walk, data, at)
            continue
        stop = data.find(b"<", at + 1)
        stop = len(data) if stop < 0 else stop
        if walk.hides():
            solid = re.search(rb"[^\x00- <]", data[at + (data[at : at + 1] == b"<") : stop]) if walk.name(-1) == "head" else None
            if solid:  # text in the head begins the body
                at += solid.start() + (data[at : at + 1] == b"<")
                walk.cut(len(walk.open) - 1)
                if walk.hides():
                    continue
            else:
                at = stop
                continue
        walk.text(data[at:stop])
        at = stop
    walk.flush()
    return walk


def _find(data: bytes, what: bytes, at: int) -> int:
    found = data.find(what, at)
    return len(data) if found < 0 else found + len(what)


def _tag(walk: Walk, data: bytes, at: int) -> int:
    if data.startswith(b"<!--", at):
        if data.startswith(b">", at + 4) or data.startswith(b"->", at + 4):
            return data.index(b">", at + 4) + 1
        over = re.compile(rb"--!?>").search(data, at + 4)
        return over.end() if over else len(data)
    if data[at + 1] in b"!?":
        return _find(data, b">", at + 2)
    closing = data[at + 1] == 47
    begin = at + 1 + closing
    if begin >= len(data):
        return len(data)
    if closing and not data[begin : begin + 1].isalpha():
        return _find(data, b">", begin)
    raw_name = _NAME.match(data, begin)[0]  # type: ignore[index]
    name = known(raw_name.lower().decode("latin-1"))
    attributes, after = _attributes(data, begin + len(raw_name))
    if after < 0:
        return len(data)
    return _close(walk, name, after) if closing else _open(walk, data, name, raw_name, attributes, after)


def _close(walk: Walk, name: str, after: int) -> int:
    if flag(name, BLOCK):
        walk.flush()
    if name == "br":
        walk.line_break()
    elif walk.over:
        walk.over -= 1
    else:
        walk.end(name)
    return after


def _attributes(data: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    """(attributes, behind ">" or -1)."""
    found: dict[bytes, bytes] = {}
    while True:
        at = _GAP.match(data, at).end()  # type: ignore[union-attr]
        if at >= len(data):
            return found, -1
        if data[at] == 62:
            return found, at + 1
        met = _ATTRIBUTE.match(data, at)
        assert met
        at, value = met.end(), b""
        if met[2]:
            at = _SPACES.match(data, at).end()  # type: ignore[union-attr]
            if data[at : at + 1] in (b'"', b"'") and at < len(data):
                stop = data.find(data[at : at + 1], at + 1)
                stop = len(data) if stop < 0 else stop
                value, at = data[at + 1 : stop], min(stop + 1, len(data))
            else:
                value = _BARE.match(data, at)[0]  # type: ignore[index]
                at += len(value)
        found.setdefault(met[1].lower(), value)


def _open(walk: Walk, data: bytes, name: str, raw_name: bytes, attributes: dict[bytes, bytes], after: int) -> int:
    if flag(name, RAW):
        over = re.compile(rb"</" + re.escape(raw_name) + rb"(?=[\x00- />]|$)", re.IGNORECASE).search(data, after)
        stop = over.start() if over and name != "plaintext" else len(data)
        if flag(name, BLOCK):
            walk.flush()
        return _find(data, b">", stop)
    if name in ("html", "head", "body"):
        if name == "body" and len(walk.open) > 1 and walk.name(1) == "head":
            walk.cut(1)
        if name != "html" and len(walk.open) == 1 and (name == "body" or not walk.blocks):
            walk.flush()
            walk.push(name, False)
        return after
    if walk.name(-1) == "head" and not flag(name, IN_HEAD):
        walk.cut(len(walk.open) - 1)
    if name == "br":
        walk.line_break()
        return after
    if flag(name, BLOCK) or name == "hr":
        walk.flush()
    walk.close_implied(name)
    if not flag(name, VOID):
        style = re.sub(rb"[\x00- ]", b"", attributes.get(b"style", b"")).lower()
        walk.push(name, b"hidden" in attributes or b"display:none" in style or b"visibility:hidden" in style)
        if name == "pre" and data[after : after + 1] == b"\n":
            after += 1
    return after
