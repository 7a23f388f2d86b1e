"""What a page says of itself: title, canonical URL, date of publication, language, and its word on rights.

page = read_metadata(HTMLTree.parse(html), "http://example.com/a")
page = read_marks(scan(html), "http://example.com/a")   # the same from a scan, without a tree
"""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, final
from urllib.parse import urljoin

from resiliparse.parse.html import HTMLTree

from corpus.kernels.markup import Page
from corpus.kernels.page_layout import (
    MARK_HTML,
    MARK_JSON,
    MARK_LICENSE,
    MARK_LINK,
    MARK_META,
    MARK_TIME,
    MARK_TITLE,
)

_MAX_TITLE = 500
_MAX_VALUE = 2000
_MAX_ELEMENTS = 500  # <meta> and <link> elements looked at; pages with more are generated to be
_DATE = re.compile(r"^\s*(\d{4})-(\d{2})-(\d{2})(?!\d)")
_PUBLISHED = (
    "article:published_time",
    "datepublished",
    "dc.date.issued",
    "dc.date",
    "dcterms.issued",
    "dcterms.created",
    "pubdate",
    "date",
)
_NAMING = ("name", "property", "itemprop", "http-equiv")
_ATTRIBUTE = re.compile(r"""([^\s/>=][^\s/>=]*)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s>"'][^\s>]*))?""")
# In an attribute "&copy=1" is no reference, and "&copy;" and "&copy" before anything else are.
_REFERENCE = re.compile(r"&(?:#\d+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*(?:;|(?![=A-Za-z0-9])))")
RIGHTS_NAMES = (
    "robots", "googlebot", "ccbot", "gptbot", "tdm-reservation", "tdm-policy", "license",
    "dc.rights", "dc:rights", "dcterms.license", "dcterms:license", "dcterms.rights", "dcterms:rights",
)  # fmt: skip
# Parts of the names that are read of <meta> and of the relations of <link>; most elements of a head have none, and are not taken apart.
_META_PARTS = (
    "date", "published", "issued", "created", "robots", "googlebot", "ccbot", "gptbot", "tdm-", "license", "rights", "og:title",
    "content-language",
)  # fmt: skip
_LINK_PARTS = ("canonical", "license")
assert all(any(part in name for part in _META_PARTS) for name in (*_PUBLISHED, *RIGHTS_NAMES))


@final
@dataclass(frozen=True)
class PageMetadata:
    """``meta``: (name, value) pairs that bear on rights, names in lower case; ``rel=license`` links among them as ``license``."""

    title: str | None
    canonical_url: str | None
    published: str | None
    language: str | None
    meta: tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True)
class _Elements:
    """The elements that metadata stands in, as attributes by name; scripts of JSON-LD as text. All in the order of the page."""

    title: str | None
    meta: Sequence[Mapping[str, str]]
    link: Sequence[Mapping[str, str]]
    license: Sequence[Mapping[str, str]]
    root: Mapping[str, str]
    json: Sequence[str]
    time: Mapping[str, str]


def read_metadata(tree: HTMLTree, url: str | None) -> PageMetadata:
    """Everything is bounded, and null where it is missing or unsure."""
    document = _root(tree)
    root = document.query_selector("html")
    time = document.query_selector("time[datetime]")
    return _read(
        _Elements(
            title=tree.title,
            meta=[_attributes_of(element, *_NAMING, "content") for element in _elements(tree, "meta")],
            link=[_attributes_of(element, "rel", "href") for element in _elements(tree, "link")],
            license=[_attributes_of(element, "href") for element in document.query_selector_all("a[rel~=license]")[:3]],
            root=_attributes_of(root, "lang", "xml:lang") if root else {},
            json=[element.text for element in document.query_selector_all('script[type="application/ld+json"]')[:5]],
            time=_attributes_of(time, "datetime") if time else {},
        ),
        url,
    )


def read_marks(page: Page, url: str | None) -> PageMetadata:
    """``read_metadata`` from the tags that the scan has marked."""
    found: dict[int, list[str]] = {kind: [] for kind in range(MARK_JSON + 1)}
    for kind, start, end in page.marks.tolist():
        found[kind].append(page.data[start:end].tobytes().decode("utf-8", "replace"))
    root: dict[str, str] = {}
    for tag in found[MARK_HTML]:
        root = {**_attributes(tag), **root}
    return _read(
        _Elements(
            title=html.unescape(found[MARK_TITLE][0]) if found[MARK_TITLE] else None,
            meta=[_attributes(tag) for tag in found[MARK_META] if _may_tell(tag, _META_PARTS)],
            link=[_attributes(tag) for tag in found[MARK_LINK] if _may_tell(tag, _LINK_PARTS)],
            license=[tag for tag in map(_attributes, found[MARK_LICENSE]) if "license" in tag["rel"].split()],
            root=root,
            json=found[MARK_JSON],
            time=_attributes(found[MARK_TIME][0]) if found[MARK_TIME] else {},
        ),
        url,
    )


def _read(told: _Elements, url: str | None) -> PageMetadata:
    named: dict[str, str] = {}
    meta: list[tuple[str, str]] = []
    canonical = None
    for element in told.meta:
        content = element.get("content", "")[:_MAX_VALUE].strip()
        for key in _NAMING:
            name = element.get(key, "").strip().lower()
            if name and content:
                named.setdefault(name, content)
                if name in RIGHTS_NAMES:
                    meta.append((name, content))
    for element in told.link:
        relations = element.get("rel", "").lower().split()
        target = element.get("href", "")[:_MAX_VALUE].strip()
        if target and "license" in relations:
            meta.append(("license", target))
        if target and "canonical" in relations and canonical is None:
            canonical = _absolute(url, target)
    for element in told.license:
        if target := element.get("href", "")[:_MAX_VALUE].strip():
            meta.append(("license", target))
    for text in told.json:
        if '"license"' in text and (stated := _license(text)):
            meta.append(("license", stated))
    language = told.root.get("lang") or told.root.get("xml:lang") or named.get("content-language", "")
    language = language.split(",")[0].strip().lower()[:35]
    title = " ".join((told.title or named.get("og:title", "")).split())[:_MAX_TITLE]
    return PageMetadata(title or None, canonical, _published(told, named), language or None, tuple(meta))


def _may_tell(tag: str, parts: tuple[str, ...]) -> bool:
    """Whether a part stands in it, or a reference, behind which it might."""
    lower = tag.lower()
    return "&" in lower or any(part in lower for part in parts)


def _attributes(tag: str) -> dict[str, str]:
    """``<meta name=a content="b &amp; c">`` -> {"name": "a", "content": "b & c"}."""
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(tag, tag.find("<") + 1):
        if value[:1] in ('"', "'") and value:
            value = value[1:-1]
        found.setdefault(name.lower(), _REFERENCE.sub(lambda met: html.unescape(met[0]), value) if "&" in value else value)
    return found


def _attributes_of(element: Any, *names: str) -> dict[str, str]:
    return {name: value for name in names if (value := element.getattr(name))}


def _root(tree: HTMLTree) -> Any:
    assert tree.document is not None  # of a tree that was parsed it never is
    return tree.document


def _elements(tree: HTMLTree, name: str) -> list[Any]:
    return list(_root(tree).get_elements_by_tag_name(name))[:_MAX_ELEMENTS]


def _absolute(url: str | None, target: str) -> str | None:
    try:
        joined = urljoin(url or "", target)
    except ValueError:
        return None
    return joined if joined.startswith(("http://", "https://")) else None


def _published(told: _Elements, named: Mapping[str, str]) -> str | None:
    """An ISO date; from <meta>, else JSON-LD, else the first <time>."""
    for name in _PUBLISHED:
        if name in named and (found := _iso_date(named[name])):
            return found
    for text in told.json:
        try:
            found = _iso_date(str(_first(json.loads(text[:100_000]), "datePublished")))
        except (ValueError, RecursionError):
            continue
        if found:
            return found
    return _iso_date(told.time.get("datetime", ""))


def _license(text: str) -> str | None:
    """``license`` of the first thing in JSON-LD that has one: an address, or an object with one."""
    try:
        value = _first(json.loads(text[:100_000]), "license")
    except (ValueError, RecursionError):
        return None
    value = value[0] if isinstance(value, list) and value else value
    value = value.get("@id") or value.get("url") if isinstance(value, dict) else value
    return value[:_MAX_VALUE].strip() if isinstance(value, str) else None


def _first(value: Any, name: str) -> Any:
    """The member of this name of an object, of its ``@graph``, or of the first list entry that has one."""
    if isinstance(value, dict):
        return value.get(name) or _first(value.get("@graph"), name)
    if isinstance(value, list):
        return next((found for inner in value[:50] if (found := _first(inner, name))), None)
    return None


def _iso_date(text: str) -> str | None:
    found = _DATE.match(text)
    if not found:
        return None
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:
        return None
