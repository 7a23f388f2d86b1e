"""Articles as MediaWiki renders them (Parsoid's HTML) to the clean text that ``wikitext`` makes of their source.

What a template shows within a sentence stays here, for it is written out; boxes, hatnotes, lists of references and all else that the
reader of wikitext leaves out goes, by role, class, and by Parsoid's word on what made an element. Lines are then tidied by the same rules:
headings without text and sections of references go, items get their dash, formulas stay as TeX.

    article_text(b"<p><b>Tea</b> is a drink.</p><h2>Use</h2><ul><li>Cups</li></ul>") -> "Tea is a drink.\\n\\nUse\\n\\n- Cups"
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal, final

from lxml import etree

from corpus.extraction.wikitext import CUT_SECTIONS, DROPPED, FORMULAS, MARK, tidied

_INVISIBLE = frozenset(
    (
        "style", "script", "link", "meta", "title", "noscript", "template", "figure", "figure-inline", "img", "svg", "video", "audio",
        "map", "form", "input", "button", "select", "textarea", "object", "iframe",
    )
)  # fmt: skip
# What templates and extensions lay around the text, in the class names that the large projects share.
_SCAFFOLDING = frozenset(
    (
        "navbox", "navbox-styles", "vertical-navbox", "sidebar", "infobox", "infobox_v2", "infobox_v3", "bandeau-container", "hatnote",
        "dablink", "rellink", "reflist", "references", "mw-references-wrap", "reference", "mw-ref", "metadata", "ambox", "tmbox",
        "mbox-small", "noprint", "mw-editsection", "mw-empty-elt", "catlinks", "toc", "sistersitebox", "side-box", "portalbox",
        "portal-bar", "authority-control", "gallery", "thumb", "tmulti", "quotebox", "shortdescription", "stub", "geo-default",
        "geo-nondefault", "geo-multi-punct", "geo-inline",
    )
)  # fmt: skip
_BOXES = frozenset(("div", "table", "ul", "ol", "dl", "aside", "center"))  # of a template, they are boxes; other elements are of a sentence
_PARAGRAPHS = _BOXES | {"p", "blockquote", "section", "article", "details", "pre"}
_ITEMS = ("li", "dd", "dt")
_MARKS = ("\n* ", "\n# ", "\n: ")
_HEADINGS = {f"h{level}": "=" * level for level in range(1, 7)}
_SPACE = re.compile(r"[ \t\r\n\f]{2,}|[\t\r\n\f]")  # single spaces stay as they are, unlooked at
_MARKUP = ("*", "#", ":", ";", "=", "|", "-")  # at the beginning of a line they would mean something
_STYLED = re.compile(r"\{\\(?:display|text|script)style\s?(.*)\}", re.DOTALL)
_EXTENSIONS = re.compile(r"mw:Extension/(\w+)")
_MEDIA = re.compile(r"mw:(?:File|Image|Video|Audio)")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


def article_text(page: bytes, *, tables: Literal["cut", "text"] = "cut", cut_sections: frozenset[str] = CUT_SECTIONS) -> str:
    """``page``: HTML in UTF-8, a document or its body; ``tables`` as for wikitext. Empty where nothing is left. Never raises."""
    body = _body(page)
    if body is None:
        return ""
    writer = _Writer(tables, _of_templates(body))
    walk = etree.iterwalk(body, events=("start", "end"))
    for event, element in walk:
        if element is body:
            writer.read(body.text if event == "start" else None)
        elif event == "end":
            writer.leave(element)
        elif not writer.enter(element):
            walk.skip_subtree()
    return tidied("".join(writer.out), writer.kept, cut_sections)


def is_redirect(page: bytes) -> bool:
    return b'"mw:PageProp/redirect"' in page


def is_disambiguation(page: bytes) -> bool:
    return b'"mw:PageProp/disambiguation"' in page


def _body(page: bytes) -> etree._Element | None:
    """Fetches nothing. ``huge_tree``: elements nested to 2048 instead of 256, where libxml2 would drop the rest of the page."""
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        root = etree.fromstring(page.replace(MARK.encode(), b""), parser)
    except (etree.LxmlError, ValueError):
        return None
    return None if root is None else root if (body := root.find("body")) is None else body


def _of_templates(body: etree._Element) -> frozenset[str]:
    """The marks (``about``) of what came of templates alone; where text of the page stands between two of them, the whole has parts."""
    found: set[str] = set()
    for element in body.iterfind(".//*[@about]"):
        about = element.get("about")
        if about and "mw:Transclusion" in (element.get("typeof") or ""):
            parts = _told(element.get("data-mw")).get("parts")
            if isinstance(parts, list) and parts and not any(isinstance(part, str) and part.strip() for part in parts):
                found.add(about)
    return frozenset(found)


@final
@dataclass
class _Writer:
    """Elements as they open and close -> text in the marks of wikitext that ``tidied`` reads."""

    tables: str
    of_templates: frozenset[str]
    out: list[str] = field(default_factory=lambda: ["\n"])
    kept: list[str] = field(default_factory=list)
    skipped: etree._Element | None = None
    cells: int = 0  # a table within a cell is of the line of its row

    def enter(self, element: etree._Element) -> bool:
        """False: what it holds is not read, or is read already."""
        tag = element.tag
        is_dropped = self._is_dropped(element)
        if is_dropped or self._keep(element):
            self.skipped = element
            return False
        if tag in _HEADINGS:
            self._break(2)
            self.out.append(_HEADINGS[tag] + " ")
        elif tag in _ITEMS:
            self._item(element)
        elif tag in ("tr", "caption", "br"):
            self._break(1)
        elif tag in ("td", "th"):
            if not self.out[-1].endswith(("\n", " | ")):
                self.out.append(" | ")
            self.cells += 1
        elif tag in _PARAGRAPHS and not _is_nested_list(element):
            self._break(2)
        self.read(element.text)
        return True

    def leave(self, element: etree._Element) -> None:
        tag = element.tag
        if element is self.skipped:
            self.skipped = None
            if tag in _PARAGRAPHS:
                self._break(2)
        elif tag in _HEADINGS:
            self.out.append(f" {_HEADINGS[tag]}\n\n")
        elif tag in ("td", "th"):
            self.cells -= 1
        elif tag in ("tr", "caption"):
            if self.out[-1] == " | ":
                self.out.pop()
            self._break(1)
        elif tag in _PARAGRAPHS and not _is_nested_list(element):
            self._break(2)
        elif tag in _PARAGRAPHS and (element.tail or "").strip():
            self._break(1)
        self.read(element.tail)

    def _is_dropped(self, element: etree._Element) -> bool:
        tag, get = element.tag, element.attrib.get
        if tag in _INVISIBLE or not isinstance(tag, str) or get("role") in ("note", "navigation"):
            return True
        if tag in _BOXES and get("about") in self.of_templates:
            return True
        kind = get("typeof")
        if tag == "table" and (self.tables == "cut" or "mw:Transclusion" in (kind or "")):
            return True
        if kind and (not DROPPED.isdisjoint(_EXTENSIONS.findall(kind)) or _MEDIA.search(kind)):
            return True
        style, classes = get("style"), get("class")
        if style and _HIDDEN.search(style) and not _is_formula(element):
            return True
        return (classes is not None and not _SCAFFOLDING.isdisjoint(classes.split())) or get("id") == "coordinates"

    def _keep(self, element: etree._Element) -> bool:
        """Formulas and verbatim text are put aside, as they are; of the variants of a word the first is read. False: none of these."""
        if _is_formula(element):
            tex, marks = _tex(element), "$$" if _is_display(element) else "$"
            if tex:
                self._put(f"{marks}{tex}{marks}")
        elif element.tag == "pre":
            self._break(2)
            self._put("".join(element.itertext()).strip())
        elif variant := element.get("data-mw-variant"):
            self.read(_first_variant(_told(variant)))
        else:
            return False
        return True

    def _put(self, content: str) -> None:
        self.out.append(f"{MARK}{len(self.kept)}{MARK}")
        self.kept.append(content)

    def read(self, text: str | None) -> None:
        if not text:
            return
        text = _SPACE.sub(" ", text)
        if self.out[-1].endswith("\n") or self.out[-1] in _MARKS:
            text = text.lstrip(" ")
            if text.startswith(_MARKUP):
                self._put(text[0])
                text = text[1:]
        if text:
            self.out.append(text)

    def _break(self, lines: int) -> None:
        """At least so many ends of line; none behind the mark of an item, and in a table's cell a space."""
        if self.cells:
            self.read(" ")
        elif self.out[-1] not in _MARKS and not self.out[-1].endswith("\n" * lines):
            self.out.append("\n" * lines)

    def _item(self, element: etree._Element) -> None:
        """Of an item in an item that has no text of its own, one mark is left."""
        if self.cells:
            self._break(1)
            return
        if self.out[-1] in _MARKS:
            self.out.pop()
        above = element.getparent()
        kind = above.tag if above is not None else ""
        self.out.append({"ul": "\n* ", "ol": "\n# "}.get(kind, "\n* " if element.tag == "li" else "\n: "))


def _is_formula(element: etree._Element) -> bool:
    kind, classes = element.get("typeof"), element.get("class")
    is_told = kind is not None and not FORMULAS.isdisjoint(_EXTENSIONS.findall(kind))
    return is_told or (classes is not None and "mwe-math-" in classes) or element.tag == "math"


def _is_nested_list(element: etree._Element) -> bool:
    above = element.getparent()
    return element.tag in ("ul", "ol", "dl") and above is not None and above.tag in _ITEMS


def _tex(element: etree._Element) -> str:
    """What the author wrote, else the annotation or alternative text that the renderer made of it."""
    source = _told(element.get("data-mw")).get("body")
    if isinstance(source, dict) and isinstance(source.get("extsrc"), str):
        return str(source["extsrc"]).strip()
    for each in element.iter("annotation", "math", "img"):
        text = each.get("alttext") or each.get("alt") or "" if each.tag != "annotation" else "".join(each.itertext())
        if text.strip():
            styled = _STYLED.fullmatch(text.strip())
            return (styled.group(1) if styled else text).strip()
    return ""


def _is_display(element: etree._Element) -> bool:
    attributes = _told(element.get("data-mw")).get("attrs")
    if isinstance(attributes, dict) and attributes.get("display") == "block":
        return True
    return any(each.get("display") == "block" or "mwe-math-mathml-display" in (each.get("class") or "") for each in element.iter())


def _first_variant(told: dict[str, Any]) -> str:
    """``{"twoway": [{"l": "zh-hans", "t": "计算机"}, …]}``: the first of the forms."""
    forms = told.get("twoway")
    form = forms[0] if isinstance(forms, list) and forms else told.get("disabled")
    text = form.get("t") if isinstance(form, dict) else None
    return re.sub(r"<[^<>]{0,500}>", "", text) if isinstance(text, str) else ""


def _told(value: str | None) -> dict[str, Any]:
    """An attribute that holds JSON; nothing where it is none."""
    try:
        found = json.loads(value) if value else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
