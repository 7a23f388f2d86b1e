"""Articles of journals in JATS XML (PubMed Central's, .xml or .nxml) to text.

Kept are the abstract and the body, section by section with headings, formulas as TeX where the article gives it. Tables, figures,
references and all back matter are cut and counted. The licence is what ``<license>`` links to, as its SPDX identifier.

    read_articles(Path("PMC5828200.nxml").read_bytes())[0].url  # "https://doi.org/10.18632/oncotarget.24369"
"""

import re
from collections import Counter
from datetime import datetime
from typing import final

from lxml import etree

from corpus.extraction.extracted import NO_TEXT, Extracted, date_of, joined
from corpus.extraction.secure_xml import XmlFault, entity_text, local_name, parse
from corpus.rights import license_of
from corpus.step import Reason

NO_ARTICLE = Reason("jats:no_article", "the XML holds no article")

_CUT = {"table-wrap", "table-wrap-group", "table", "fig", "fig-group", "ref-list", "supplementary-material", "media", "graphic", "fn-group"}
_UNSEEN = {"label", "inline-graphic", "object-id", "fn", "alt-text", "private-char", "contrib-group", "kwd-group"}
_BLOCKS = {
    "p", "title", "sec", "list", "list-item", "def-list", "def-item", "term", "def", "disp-quote", "boxed-text", "statement", "abstract",
    "disp-formula", "verse-group", "verse-line", "speech", "code", "preformat", "disp-formula-group", "attrib", "body",
}  # fmt: skip
_FORMULAS = {"inline-formula", "disp-formula", "math", "tex-math"}
_CITED_BY_NUMBER = re.compile(r"^[\s\[(]*\d[\d\s,;–—-]*[\])\s]*$")
_TEX_BODY = re.compile(r"\\begin\{document\}(.*?)\\end\{document\}", re.DOTALL)
_HREF = "{http://www.w3.org/1999/xlink}href"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DATES = ("epub", "pub", "ppub", "epub-ppub", "collection")  # the first that has a year


def read_articles(data: bytes) -> list[Extracted]:
    """The articles of a file: one as a rule, several in a set (``pmc-articleset``)."""
    try:
        root = parse(data)
    except XmlFault as fault:
        return [Extracted(fault=fault.reason)]
    articles = [root] if local_name(root) == "article" else list(root.iter("{*}article"))
    return [_article(article) for article in articles] or [Extracted(fault=NO_ARTICLE)]


def _article(article: etree._Element) -> Extracted:
    meta = article.find("{*}front/{*}article-meta")
    body = article.find("{*}body")
    writer = _Writer()
    if meta is not None:
        for abstract in meta.iterfind("{*}abstract"):
            if abstract.get("abstract-type") in (None, "", "summary", "executive-summary"):
                if abstract.find("{*}title") is None:
                    writer.blocks.append("Abstract")
                writer.block(abstract)
    if body is not None:
        writer.block(body)
    for name in ("ref-list", "app-group", "ack"):
        writer.counted[f"jats:{name}"] += len(article.findall(f"{{*}}back/{{*}}{name}"))
    text = joined(writer.blocks)
    ids = {} if meta is None else {part.get("pub-id-type"): _plain(part) for part in meta.iterfind("{*}article-id")}
    doi = ids.get("doi", "")
    title = None if meta is None else meta.find("{*}title-group/{*}article-title")
    return Extracted(
        text=text,
        title=None if title is None else " ".join(_inline(title, Counter()).split()) or None,
        url=f"https://doi.org/{doi}" if doi else None,
        date=None if meta is None else _date(meta),
        language=(article.get(_LANGUAGE) or "").lower().partition("-")[0] or None,
        license=None if meta is None else _license(meta),
        key=doi or ids.get("pmc", "") or ids.get("pmcid", "") or ids.get("pmid", ""),
        counted={name: count for name, count in writer.counted.items() if count},
        fault=None if text else NO_TEXT,
    )


@final
class _Writer:
    """Walks blocks in their order; ``counted`` is what it leaves out. Depth is bounded by the parser."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.counted: Counter[str] = Counter()

    def block(self, element: etree._Element) -> None:
        """Runs of inline content become paragraphs, cut where a block stands among them."""
        run: list[str] = [element.text or ""]
        for child in element:
            name = local_name(child)
            if name in _CUT:
                self.counted[f"jats:{name}"] += 1
            elif name in _FORMULAS and name != "disp-formula":
                run.append(_formula(child))
            elif name in _BLOCKS:
                self._flush(run)
                if name == "disp-formula":
                    self.blocks.append(_formula(child))
                else:
                    before = len(self.blocks)
                    self.block(child)
                    if name == "sec" and len(self.blocks) <= before + 1:  # a heading over what was cut
                        del self.blocks[before:]
            elif name not in _UNSEEN:
                run.append(_piece(child, self.counted))
            run.append(child.tail or "")
        self._flush(run)

    def _flush(self, run: list[str]) -> None:
        text = " ".join("".join(run).split())
        if text:
            self.blocks.append(text)
        run.clear()


def _piece(element: etree._Element, counted: Counter[str]) -> str:
    """One inline element. A number of a reference in superscript would grow onto its word ("disease12"): it is cut."""
    name = local_name(element)
    if not name:
        return entity_text(element)
    if name in _FORMULAS:
        return _formula(element)
    if name in _CUT or name in _UNSEEN:
        counted[f"jats:{name}"] += name in _CUT
        return ""
    holds_reference = name in ("sup", "xref") and any(local_name(part) == "xref" for part in element.iter())
    is_superscript = name == "sup" or (name == "xref" and element.find("{*}sup") is not None)
    if holds_reference and is_superscript and _CITED_BY_NUMBER.match("".join(element.itertext())):
        return ""
    return " " if name == "break" else _inline(element, counted)


def _inline(element: etree._Element, counted: Counter[str]) -> str:
    parts = [element.text or ""]
    for child in element:
        parts += [_piece(child, counted), child.tail or ""]
    return "".join(parts)


def _formula(element: etree._Element) -> str:
    """``$…$`` or ``$$…$$`` from the TeX that the article gives; else the characters of the MathML, which say less but not nothing."""
    tex = element if local_name(element) == "tex-math" else element.find(".//{*}tex-math")
    if tex is None:
        notes = [note for note in element.iter("{*}annotation") if "tex" in (note.get("encoding") or "").lower()]
        tex = notes[0] if notes else None
    if tex is None:
        return "".join("".join(element.itertext(with_tail=False)).split())
    source = "".join(tex.itertext())
    found = _TEX_BODY.search(source)
    source = " ".join((found.group(1) if found else source).split()).strip("$ ")
    source = source.removeprefix("\\[").removesuffix("\\]").removeprefix("\\(").removesuffix("\\)").strip()
    mark = "$$" if local_name(element) == "disp-formula" else "$"
    return f"{mark}{source}{mark}" if source else ""


def _date(meta: etree._Element) -> datetime | None:
    told = {part.get("pub-type") or part.get("date-type"): part for part in reversed(meta.findall("{*}pub-date"))}
    for kind in (*_DATES, *told):
        part = told.get(kind)
        found = None if part is None else date_of(*(_plain(part.find(f"{{*}}{unit}")) for unit in ("year", "month", "day")))
        if found:
            return found
    return None


def _license(meta: etree._Element) -> str | None:
    for told in meta.iterfind("{*}permissions/{*}license"):
        links = [part.get(_HREF) or _plain(part) for part in told.iter() if part.get(_HREF) or local_name(part) == "license_ref"]
        for text in (*links, "".join(told.itertext())):
            found = license_of(text)
            if found:
                return found
    return None


def _plain(element: etree._Element | None) -> str:
    return "" if element is None else "".join(element.itertext()).strip()
