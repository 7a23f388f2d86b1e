"""robots.txt as RFC 9309 has it, preferences as AIPREF has them; the matcher held to a plain regular expression."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.urls.preferences import may_train, parse_preferences
from corpus.urls.robots import Robots, matches, path_of


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("Disallow: /a", "/a/b", False),
        ("Disallow: /a", "/A", True),
        ("Disallow:", "/a", True),
        ("Disallow: /a\nAllow: /a/b", "/a/b/c", True),  # the longest
        ("Disallow: /a/b\nAllow: /a/b", "/a/b", True),  # of equals the one that allows
        ("Allow: /page\nDisallow: /*.htm", "/page.htm", False),
        ("Disallow: /*.pdf$", "/a.pdf", False),
        ("Disallow: /*.pdf$", "/a.pdf?b", True),
        ("Disallow: /$", "/", False),
        ("Disallow: /$", "/a", True),
        ("Disallow: /a*b*c$", "/aXbXbXc", False),
        ("Disallow: /a*bc$", "/abcb", True),
        ("Disallow: /*a*a$", "/a", True),  # two of them are asked for
        ("Disallow: /foo/bar?baz=http://foo.bar", "/foo/bar?baz=http://foo.bar", False),
        ("Disallow: /foo/bar/ツ", "/foo/bar/%E3%83%84", False),  # RFC 9309, 2.2.2
        ("Disallow: /foo/bar/%62%61%7A", "/foo/bar/baz", False),
        ("Disallow: /path/file-with-a-%2A.html", "/path/file-with-a-*.html", False),  # 2.2.3
        ("Disallow: /path/foo-%24", "/path/foo-$", False),
        ("Disallow: a", "/a", True),  # a path begins with a slash
        ("Disallow : /a # why\n  \nNoise\nCrawl-delay: 9", "/a", False),
    ],
)
def test_rules(rules: str, path: str, allowed: bool) -> None:
    robots = Robots.parse(f"User-agent: *\n{rules}\n")
    assert robots.allows("anyBot", path_of(f"https://a.example{path}")) is allowed


def test_groups() -> None:
    robots = Robots.parse(
        "Disallow: /of-nobody\n"
        "\ufeffuser-agent: GPTBot\nUser-Agent: CCBot/2.0\nSitemap: https://a.example/s.xml\nDisallow: /one\n\n"
        "User-agent: *\nDisallow: /all\n\r"
        "User-agent: gptbot\nDisallow: /two\n"
    )
    told = {path: [robots.allows(agent, path) for agent in ("GPTBot", "ccbot", "other")] for path in ("/one", "/two", "/all", "/of-nobody")}
    assert told == {
        "/one": [False, False, True], "/two": [False, True, True], "/all": [True, True, False], "/of-nobody": [True] * 3,
    }  # fmt: skip


def test_usage_in_robots_txt() -> None:
    """The example of draft-ietf-aipref-attach, and what Cloudflare writes."""
    robots = Robots.parse(
        "User-Agent: *\nAllow: /\nDisallow: /never/\nContent-Usage: / train-ai=n\nContent-Usage: /ai-ok/ train-ai=y\n\n"
        "User-Agent: ExampleBot\nAllow: /\nContent-Usage: train-ai=y\n\nUser-Agent: SilentBot\nAllow: /\n"
    )
    paths = ("/test", "/ai-ok/test")
    assert [[robots.may_train(agent, path) for path in paths] for agent in ("x", "examplebot", "SilentBot")] == [
        [False, True], [True, True], [None, None],
    ]  # fmt: skip
    signal = Robots.parse("User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /")
    assert signal.may_train("gptbot", "/") is False
    both = Robots.parse("User-agent: *\nContent-Usage: /a train-ai=y\nContent-Usage: /a train-ai=n")
    assert both.may_train("gptbot", "/a") is False


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("train-ai=n", False),
        ("train-ai=y, search=n", True),
        ("search=n", None),
        ("", None),
        ("train-ai", None),
        ('train-ai="n"', None),
        ("train-ai=y, train-ai=n", False),  # of one label the last
        ('train-ai=n;exceptions="a, b"; x=1 , other=(1 2;q=?0)', False),
        ("train-ai=n, Search=y", None),  # malformed: nothing is said
        ("train-ai=n,", None),
        ("all=n", False),
        ("all=n, train-ai=y", True),  # the special before the general
        ("train-ai=y, train-genai=n", False),
        ("search=yes,ai-train=no", False),
    ],
)
def test_preferences(text: str, answer: bool | None) -> None:
    assert may_train(text) is answer


@given(st.text(max_size=300))
def test_whatever_a_file_holds(text: str) -> None:
    robots = Robots.parse(f"User-agent: *\n{text}\nDisallow: {text}\nContent-Usage: {text}")
    robots.allows("a", path_of(f"https://a.example/{text}"))
    robots.may_train("a", "/")
    parse_preferences(text)


@given(st.text("ab*$/", max_size=8), st.text("ab/", max_size=10))
def test_matches_as_a_regular_expression_would(pattern: str, path: str) -> None:
    pattern = pattern[:-1].replace("$", "b") + pattern[-1:]
    body = ".*".join(map(re.escape, pattern.removesuffix("$").split("*")))
    expected = re.match(body + ("$" if pattern.endswith("$") else ""), path) is not None
    assert matches(pattern, path) is expected
