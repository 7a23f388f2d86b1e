"""The files in which a site speaks for all its pages: robots.txt, ai.txt, and the TDM Reservation Protocol's tdmrep.json.

site_file("https://a.example/robots.txt") -> "robots"
SiteRules({"robots": "User-agent: CCBot\\nDisallow: /"}, agents=("ccbot",)).opt_outs("https://a.example/x") -> ["robots:ccbot"]
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final
from urllib.parse import urlsplit

from corpus.urls.robots import Robots, matches, path_of

_PATHS = {"/robots.txt": "robots", "/ai.txt": "ai_txt", "/.well-known/tdmrep.json": "tdmrep"}
_NAMES = ("/robots.txt", "/ai.txt", "/tdmrep.json")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_LOCATIONS = 10_000


def site_file(url: str | None) -> str | None:
    """Which of the files the URL names; None: it is a page."""
    if not url or not url.endswith(_NAMES):  # of a hundred thousand pages some ten go on
        return None
    try:
        return _PATHS.get(urlsplit(url).path)
    except ValueError:
        return None


def site_of(url: str | None) -> str | None:
    """Host and port, port left out where it is the scheme's own. A site's http and https are one: robots.txt of the one redirects to the
    other's, and its rules are meant for both.
    """
    try:
        parts = urlsplit((url or "").strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if not host or parts.scheme.lower() not in _DEFAULT_PORTS:
        return None
    return f"{host}:{port}" if port and port not in _DEFAULT_PORTS.values() else host


def rules_of(status: int | None, body: bytes | None) -> str | None:
    """What a record of such a file says: its text; "" where there is no such file (RFC 9309: 4xx, no rules); None: nothing is known."""
    if status is not None and 400 <= status < 500:
        return ""
    if body is None or not (status is None or 200 <= status < 300):
        return None
    return body[: 500 * 1024].decode("utf-8", "replace").replace("\0", "")


@final
@dataclass(frozen=True)
class SiteRules:
    """The files of one site, as text by kind, and the agents in whose place we stand."""

    files: Mapping[str, str]
    agents: Sequence[str]

    def opt_outs(self, url: str) -> list[str]:
        """What the site refuses of this page: ``robots:AGENT``, ``aipref``, ``ai_txt``, ``tdmrep``; sorted."""
        path = path_of(url)
        found = {f"robots:{agent}" for agent in self._robots.refused(self.agents, path)}
        if any(self._robots.may_train(agent, path) is False for agent in self.agents):
            found.add("aipref")
        if self._ai_txt.refused(("spawning-ai", *self.agents), path):
            found.add("ai_txt")
        if next((is_reserved for location, is_reserved in self._locations if matches(location, path)), False):
            found.add("tdmrep")
        return sorted(found)

    @cached_property
    def _robots(self) -> Robots:
        return Robots.parse(self.files.get("robots", ""))

    @cached_property
    def _ai_txt(self) -> Robots:
        return Robots.parse(self.files.get("ai_txt", ""))

    @cached_property
    def _locations(self) -> list[tuple[str, bool]]:
        """(pattern, reserved) in the order of tdmrep.json, of which the first that matches counts. Malformed: none."""
        try:
            entries = json.loads(self.files.get("tdmrep", "") or "[]")
        except (ValueError, RecursionError):
            return []
        entries = entries if isinstance(entries, list) else [entries]
        return [
            (entry["location"], str(entry.get("tdm-reservation")).strip() == "1")
            for entry in entries[:_MAX_LOCATIONS]
            if isinstance(entry, dict) and isinstance(entry.get("location"), str)
        ]
