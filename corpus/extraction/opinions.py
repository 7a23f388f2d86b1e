"""Opinions of courts to text: JSON as CourtListener and the Caselaw Access Project (CAP) export it, and CAP's XML.

Kept are the head matter, and each opinion with its author; page numbers are cut, footnotes stand where the export puts them. These exports
state no licence: opinions of US courts are in the public domain, those of others may not be, so say it with the source's ``license``.

    read_opinion(b'{"case_name": "A v. B", "plain_text": "Affirmed."}')[0].title  # "A v. B"
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lxml import etree

from corpus.extraction.extracted import BROKEN, NO_TEXT, Extracted, date_of, joined
from corpus.extraction.main_content import whole_text
from corpus.extraction.secure_xml import XmlFault, entity_text, local_name, parse
from corpus.kernels.markup import scan
from corpus.step import Reason

NO_OPINION = Reason("opinions:no_opinion", "the record has none of the fields that hold an opinion's text")

# CourtListener's own order of trust is the other way round, for citations' sake: plain text has no markup to lose words in.
_HTML_FIELDS = ("html_with_citations", "html", "html_lawbox", "html_columbia", "html_anon_2020", "xml_harvard")
_MAX_OPINIONS = 1000
_XML_BLOCKS = {"p", "author", "parties", "court", "docketnumber", "decisiondate", "citation", "attorneys", "judges", "opinion", "footnote",
               "summary", "headnotes", "history", "syllabus", "blockquote", "heading", "casebody", "correction", "disposition"}  # fmt: skip


def read_opinion(data: bytes) -> list[Extracted]:
    """One record: a JSON object (or an array of them), or an XML ``casebody``."""
    if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return [_from_xml(data)]
    try:
        told = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return [Extracted(fault=BROKEN)]
    records = told if isinstance(told, list) else [told]
    return [_from_json(each) if isinstance(each, dict) else Extracted(fault=BROKEN) for each in records]


def _from_json(told: Mapping[str, Any]) -> Extracted:
    cluster = told["cluster"] if isinstance(told.get("cluster"), dict) else {}
    text = _courtlistener(told)
    if not text and "casebody" in told:
        text = _caselaw(told["casebody"])
    path = _text(told, "absolute_url") or _text(cluster, "absolute_url")
    path = f"https://www.courtlistener.com{path}" if path.startswith("/") else path
    url = _text(told, "frontend_url") or path or _text(told, "download_url")
    title = next((name for part in (told, cluster) for key in ("case_name", "name", "case_name_full") if (name := _text(part, key))), "")
    date = next((day for part in (told, cluster) for key in ("date_filed", "decision_date") if (day := _day(_text(part, key)))), None)
    identity = told.get("id")
    key = str(identity) if isinstance(identity, (int, str)) and not isinstance(identity, bool) else ""
    return Extracted(text=text, title=title or None, url=url or None, date=date, key=key, fault=None if text else NO_OPINION)


def _courtlistener(told: Mapping[str, Any]) -> str:
    """An opinion, or a cluster with several."""
    parts = told.get("sub_opinions")
    inner = [part for part in parts[:_MAX_OPINIONS] if isinstance(part, dict)] if isinstance(parts, list) else []
    return joined([_opinion(part) for part in (told, *inner)])


def _opinion(told: Mapping[str, Any]) -> str:
    plain = _text(told, "plain_text").strip()
    return plain or next((text for name in _HTML_FIELDS if (text := _of_markup(_text(told, name)))), "")


def _caselaw(body: Any) -> str:
    if isinstance(body, dict) and "data" in body:
        body = body["data"]
    if isinstance(body, str):
        return _of_markup(body)
    if not isinstance(body, dict):
        return ""
    blocks = [_text(body, "head_matter")]
    opinions = body.get("opinions")
    for opinion in opinions[:_MAX_OPINIONS] if isinstance(opinions, list) else []:
        if isinstance(opinion, dict):
            author, text = _text(opinion, "author").strip(), _text(opinion, "text")
            blocks += [author if author and not text.lstrip().startswith(author) else "", text]
    return joined([block.strip() for block in blocks])


def _of_markup(markup: str) -> str:
    """HTML or XML in a JSON string. CourtListener's is a fragment without a frame, so all of it is the text."""
    if not markup.strip():
        return ""
    return whole_text(scan(re.sub(r"<page-number[^>]*>[^<]*</page-number>", " ", markup).encode("utf-8", "replace"))).strip()


def _from_xml(data: bytes) -> Extracted:
    try:
        root = parse(data)
    except XmlFault as fault:
        return Extracted(fault=fault.reason)
    body = root if local_name(root) == "casebody" else next(root.iter("{*}casebody"), None)
    if body is None:
        return Extracted(fault=NO_OPINION)
    parties, day = next(body.iter("{*}parties"), None), next(body.iter("{*}decisiondate"), None)
    blocks: list[str] = []
    _walk(body, [], blocks)
    text = joined(blocks)
    return Extracted(
        text=text,
        title=None if parties is None else " ".join("".join(parties.itertext()).split()) or None,
        date=None if day is None else _day("".join(day.itertext()).strip()),
        fault=None if text else NO_TEXT,
    )


def _walk(element: etree._Element, run: list[str], blocks: list[str]) -> None:
    """Blocks of an XML case in their order; depth is bounded by the parser."""
    run.append(element.text or "")
    for child in element:
        name = local_name(child)
        if name in _XML_BLOCKS:
            _flush(run, blocks)
            _walk(child, run, blocks)
            _flush(run, blocks)
        elif name and name != "page-number":
            _walk(child, run, blocks)
        else:
            run.append(entity_text(child) or ("" if not name else " "))
        run.append(child.tail or "")
    if local_name(element) == "casebody":
        _flush(run, blocks)


def _flush(run: list[str], blocks: list[str]) -> None:
    blocks.append(" ".join("".join(run).split()))
    run.clear()


def _day(text: str) -> datetime | None:
    """ISO, whole or cut (CAP has "1887-04"), or "April 4, 1887"."""
    found = re.match(r"(\d{4})(?:-(\d\d?))?(?:-(\d\d?))?", text)
    if found:
        return date_of(*found.groups())
    try:
        written = datetime.strptime(text.strip(". "), "%B %d, %Y")
    except ValueError:
        return None
    return date_of(written.year, written.month, written.day)


def _text(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key)
    return value if isinstance(value, str) else ""
