"""What a page says of itself: title, canonical URL, date of publication, language, and its word on rights.

page = read_metadata(HTMLTree.parse(html), "http://example.com/a")
"""

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any, final
from urllib.parse import urljoin

from resiliparse.parse.html import HTMLTree

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
RIGHTS_NAMES = ("robots", "googlebot", "tdm-reservation", "tdm-policy", "license", "dc.rights", "dcterms.license")


@final
@dataclass(frozen=True)
class PageMetadata:
    """``meta``: (name, value) pairs that bear on rights, names in lower case; ``rel=license`` links among them as ``license``."""

    title: str | None
    canonical_url: str | None
    published: str | None
    language: str | None
    meta: tuple[tuple[str, str], ...]


def read_metadata(tree: HTMLTree, url: str | None) -> PageMetadata:
    """Everything is bounded, and null where it is missing or unsure."""
    named: dict[str, str] = {}
    meta: list[tuple[str, str]] = []
    canonical = None
    for element in _elements(tree, "meta"):
        content = (element.getattr("content") or "")[:_MAX_VALUE].strip()
        for key in ("name", "property", "itemprop", "http-equiv"):
            name = (element.getattr(key) or "").strip().lower()
            if name and content:
                named.setdefault(name, content)
                if name in RIGHTS_NAMES:
                    meta.append((name, content))
    for element in _elements(tree, "link"):
        relations = (element.getattr("rel") or "").lower().split()
        target = (element.getattr("href") or "")[:_MAX_VALUE].strip()
        if target and "license" in relations:
            meta.append(("license", target))
        if target and "canonical" in relations and canonical is None:
            canonical = _absolute(url, target)
    for element in _root(tree).query_selector_all("a[rel~=license]")[:3]:
        if target := (element.getattr("href") or "")[:_MAX_VALUE].strip():
            meta.append(("license", target))
    root = _root(tree).query_selector("html")
    language = (root.getattr("lang") or root.getattr("xml:lang") or "") if root else ""
    language = (language or named.get("content-language", "")).split(",")[0].strip().lower()[:35]
    title = " ".join((tree.title or named.get("og:title", "")).split())[:_MAX_TITLE]
    return PageMetadata(title or None, canonical, _published(tree, named), language or None, tuple(meta))


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


def _published(tree: HTMLTree, named: dict[str, str]) -> str | None:
    """An ISO date; from <meta>, else JSON-LD, else the first <time>."""
    for name in _PUBLISHED:
        if name in named and (found := _iso_date(named[name])):
            return found
    for element in _root(tree).query_selector_all('script[type="application/ld+json"]')[:5]:
        try:
            found = _iso_date(str(_date_published(json.loads(element.text[:100_000]))))
        except (ValueError, RecursionError):
            continue
        if found:
            return found
    element = _root(tree).query_selector("time[datetime]")
    return _iso_date(element.getattr("datetime") or "") if element else None


def _date_published(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("datePublished") or _date_published(value.get("@graph"))
    if isinstance(value, list):
        return next((found for inner in value[:50] if (found := _date_published(inner))), None)
    return None


def _iso_date(text: str) -> str | None:
    found = _DATE.match(text)
    if not found:
        return None
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:
        return None
