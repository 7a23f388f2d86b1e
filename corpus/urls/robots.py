"""robots.txt by RFC 9309, with the usage preferences that AIPREF and Cloudflare add to it; ``ai.txt`` has the same form.

A group holds for the agents that it names, the group ``*`` for those that none names; of the rules that match a path the longest
counts, and of two equally long ones the one that allows. Matching searches for parts of strings and compiles no regular expression, so
that no file can make it slow.

    rules = Robots.parse("User-agent: GPTBot\\nDisallow: /private/*.html$")
    rules.allows("GPTBot", "/private/a.html") -> False
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self, final
from urllib.parse import urlsplit

from corpus.urls.preferences import may_train, most_restrictive

MAX_CHARACTERS = 500 * 1024  # RFC 9309, 2.5: at least so much is to be read
_MAX_LINE = 2000
_TOKEN = re.compile(r"\*|[a-z0-9_-]+")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|[^!-~]|[*$]")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_USAGE = ("content-usage", "content-signal")


class _Rule(NamedTuple):
    pattern: str
    allows: bool


@final
@dataclass(frozen=True)
class Robots:
    """Rules and usage preferences by agent, names in lower case; rules in the order in which they are tried."""

    rules: Mapping[str, tuple[_Rule, ...]] = field(default_factory=dict)
    usage: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)  # (pattern, preferences)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Never raises: lines that are no rule are passed over."""
        rules: dict[str, list[_Rule]] = {}
        usage: dict[str, list[tuple[str, str]]] = {}
        agents: list[str] = []
        is_open = False  # between the agents of a group and its first rule
        for key, value in _lines(text):
            if key == "user-agent":
                named = _TOKEN.match(value.lower())
                agents = [*(agents if is_open else []), *([named[0]] if named else [])]
                is_open = True
                for agent in agents:
                    rules.setdefault(agent, [])
                continue
            is_open = False
            if key in _USAGE:
                path, _, preferences = value.partition(" ") if value.startswith("/") else ("/", "", value)
                for agent in agents:
                    usage.setdefault(agent, []).append((_pattern(path), preferences.strip()))
            elif value.startswith(("/", "*")):
                for agent in agents:
                    rules[agent].append(_Rule(_pattern(value), key == "allow"))
        ordered = {
            agent: tuple(sorted(set(each), key=lambda rule: (-len(rule.pattern), not rule.allows, rule))) for agent, each in rules.items()
        }
        return cls(ordered, {agent: tuple(each) for agent, each in usage.items()})

    def allows(self, agent: str, path: str) -> bool:
        """May the agent read what lies at the path (``path_of`` a URL)?"""
        return not self.refused([agent], path)

    def refused(self, agents: Iterable[str], path: str) -> list[str]:
        """The agents that may not read it. Most share the rules for all, which are tried once."""
        verdicts: dict[int, bool] = {}
        refused = []
        for agent in agents:
            rules = self.rules.get(agent.lower(), self.rules.get("*", ()))
            if id(rules) not in verdicts:
                verdicts[id(rules)] = next((rule.allows for rule in rules if matches(rule.pattern, path)), True)
            if not verdicts[id(rules)]:
                refused.append(agent)
        return refused

    def may_train(self, agent: str, path: str) -> bool | None:
        """What the preferences with the longest matching path say of training; None: nothing."""
        found = self.usage.get(agent.lower()) if agent.lower() in self.rules else self.usage.get("*")
        met = [(len(pattern), preferences) for pattern, preferences in found or () if matches(pattern, path)]
        longest = max((length for length, _ in met), default=0)
        return most_restrictive(may_train(preferences) for length, preferences in met if length == longest)


def path_of(url: str) -> str:
    """Path and query of a URL in the form that patterns are compared with: what needs no escape is unescaped, the rest escaped."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "/"
    return _ENCODED.sub(_escaped, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def matches(pattern: str, path: str) -> bool:
    """Does the pattern fit the beginning of the path? ``*`` stands for anything, ``$`` at the end for the end."""
    is_whole = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    if is_whole and not rest:
        return at == len(path)
    last = rest.pop() if is_whole else ""
    for part in rest:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return not is_whole or (path.endswith(last) and len(path) - len(last) >= at)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """(key in lower case, value) of the lines that mean something; others stand between them as if they were not there."""
    for line in re.split(r"\r\n?|\n", text[:MAX_CHARACTERS].removeprefix("\ufeff")):
        key, colon, value = line[:_MAX_LINE].partition("#")[0].partition(":")
        name = key.strip(" \t\ufeff").lower()  # files that were put together have a byte order mark in the middle
        if colon and name in ("user-agent", "allow", "disallow", *_USAGE):
            yield name, value.strip().replace("\t", " ")


def _pattern(text: str) -> str:
    body, end = (text[:-1], "$") if text.endswith("$") else (text, "")
    return _ENCODED.sub(lambda met: "*" if met[0] == "*" else _escaped(met), body) + end


def _escaped(met: re.Match[str]) -> str:
    if met[0].startswith("%"):
        character = chr(int(met[0][1:], 16))
        return character if character in _UNRESERVED else met[0].upper()
    return "".join(f"%{byte:02X}" for byte in met[0].encode("utf-8", "surrogatepass"))
