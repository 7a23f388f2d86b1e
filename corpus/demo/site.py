"""The two sites of the demo, as a table from (host, path) to what the server answers.

``docs.python.example`` documents the Python that is running; ``LANGUAGE.mill.example`` is a magazine about mills, written for this
project in eight
languages, with everything on it that a crawl meets: frames and banners, near-copies, profanity, personal data in reserved forms, spam,
broken markup, odd
charsets, refusals, redirects and failures.

    site = make_site(pages=500, seed=0)
    site.answers["docs.python.example", "/"].body
"""

import gzip
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import final

from corpus.demo.library import LibraryPage, library_pages
from corpus.demo.markup import docstring_html
from corpus.demo.stories import LANGUAGES, Language, articles, load

DOCS = "docs.python.example"
ARTICLES = 44  # pages of each language that are plain articles
_LISTED = 150  # links on an index page
_ENCODINGS = {"ru": "windows-1251", "zh": "gb18030", "ar": "windows-1256", "de": "iso-8859-1", "fr": "iso-8859-15"}


@final
@dataclass(frozen=True)
class Answer:
    """What the server sends. ``chunked`` and ``cut`` (announce more than is sent) are about how it sends it."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html; charset=utf-8"),)
    chunked: bool = False
    cut: bool = False


@final
@dataclass
class Site:
    """All answers by (host, path with query), and where a crawl begins."""

    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    seeds: list[str] = field(default_factory=list)


def make_site(pages: int, seed: int) -> Site:
    """``pages`` bounds the documentation; the magazine is whole."""
    site = Site()
    _add_docs(site, library_pages(pages))
    for code in LANGUAGES:
        _add_magazine(site, load(code), random.Random(f"{seed} {code}"))
    site.seeds = [f"http://{code}.mill.example/" for code in LANGUAGES] + [f"http://{DOCS}/"]
    return site


def _add_docs(site: Site, pages: Sequence[LibraryPage]) -> None:
    by_package: dict[str, list[LibraryPage]] = {}
    for page in pages:
        by_package.setdefault(page.package, []).append(page)
    chunks = [pages[at : at + _LISTED] for at in range(0, len(pages), _LISTED)]
    for number, chunk in enumerate(chunks):
        links = "".join(f'<li><a href="{page.path}">{escape(page.title)}</a></li>' for page in chunk)
        following = f'<p><a href="/index-{number + 1}.html">Next</a></p>' if number + 1 < len(chunks) else ""
        path = "/" if number == 0 else f"/index-{number}.html"
        site.answers[DOCS, path] = Answer(_docs_frame("Index", f"<ul>{links}</ul>{following}", "", number).encode())
    for number, page in enumerate(pages):
        related = by_package[page.package]
        at = number % len(related)
        side = "".join(f'<li><a href="{other.path}">{escape(other.title)}</a></li>' for other in related[at : at + 8])
        site.answers[DOCS, page.path] = Answer(_docs_frame(page.title, _docs_body(page), side, number).encode(), chunked=number % 17 == 0)
    site.answers[DOCS, "/robots.txt"] = Answer(b"User-agent: *\nAllow: /\n", headers=(("Content-Type", "text/plain"),))


def _docs_body(page: LibraryPage) -> str:
    signature = f"<pre class='signature'>{escape(page.signature)}</pre>" if page.signature else ""
    sections = "".join(f"<section><h3>{escape(name)}</h3>{docstring_html(text)}</section>" for name, text in page.sections)
    return f"<h1>{escape(page.title)}</h1><p class='kind'>{page.kind} of {escape(page.package)}</p>{signature}{docstring_html(page.docstring)}{sections}"


def _docs_frame(title: str, body: str, related: str, variant: int) -> str:
    """Three layouts in turn: a side bar before, after, and none but related links at the end."""
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} | Library reference</title></head>'
    nav = '<nav><ul><li><a href="/">Index</a></li><li><a href="/about.html">About</a></li><li><a href="/search.html">Search</a></li></ul></nav>'
    footer = "<footer><p>Generated from docstrings. All trademarks are those of their owners.</p></footer>"
    aside = f'<aside class="sidebar"><h4>Related</h4><ul>{related}</ul></aside>' if related else ""
    main = f'<main id="content"><article>{body}</article></main>'
    layout = (
        f"{nav}{aside}{main}{footer}",
        f"{nav}{main}{aside}{footer}",
        f"<header>{nav}</header><div class='page'>{main}</div>{aside}{footer}",
    )[variant % 3]
    return f"{head}<body>{layout}</body></html>"


def _add_magazine(site: Site, language: Language, draw: random.Random) -> None:
    host = f"{language.code}.mill.example"
    stories = articles(language, ARTICLES, draw)
    paths = [f"/{number:02d}-{slug}.html" for number, (slug, _, _) in enumerate(stories)]
    special: dict[str, Answer] = {}
    for number, (slug, title, paragraphs) in enumerate(stories):
        page = _frame(language, title, paragraphs, paths, number)
        special[paths[number]] = _served(language.code, page, number)
        if number % 11 == 3:  # a version for printing: the same text in another frame
            special[f"/print/{slug}-{number}.html"] = Answer(_bare(title, [*paragraphs, language.footer]).encode())
        if number % 11 == 5:  # the same page under a session
            special[f"{paths[number]}?session={draw.randrange(10**6)}"] = Answer(
                page.replace("</body>", f"<!-- {number} --></body>").encode()
            )
        if number % 11 == 7:  # mirrored with small edits
            edited = [*paragraphs[:-1], paragraphs[-1] + " " + language.spam[0]]
            special[f"/mirror/{number}.html"] = Answer(_frame(language, title, edited, paths, number + 1).encode())
    special |= _oddities(language, stories, paths, draw)
    everything = [*special]
    links = "".join(f'<li><a href="{escape(path)}">{escape(path.strip("/"))}</a></li>' for path in everything)
    others = "".join(f'<a href="http://{code}.mill.example/">{code}</a> ' for code in LANGUAGES)
    site.answers[host, "/"] = Answer(_bare(language.site_name, [f"<ul>{links}</ul>", others], is_html=True).encode())
    robots = "User-agent: *\nDisallow: /private/\n\nSitemap: http://" + host + "/sitemap.xml\n"
    site.answers[host, "/robots.txt"] = Answer(robots.encode(), headers=(("Content-Type", "text/plain"),))
    urls = "".join(f"<url><loc>http://{host}{escape(path)}</loc></url>" for path in everything)
    site.answers[host, "/sitemap.xml"] = Answer(
        f'<?xml version="1.0"?><urlset>{urls}</urlset>'.encode(), headers=(("Content-Type", "application/xml"),)
    )
    site.answers.update({(host, path): answer for path, answer in special.items()})


def _served(code: str, page: str, number: int) -> Answer:
    """Most in UTF-8, some in the old encoding of the language: declared by the server, by the page, or by nobody; some compressed."""
    encoding = _ENCODINGS.get(code)
    if encoding and number % 8 == 1:
        return Answer(page.encode(encoding, "xmlcharrefreplace"), headers=(("Content-Type", f"text/html; charset={encoding}"),))
    if encoding and number % 8 == 3:
        declared = page.replace('<meta charset="utf-8">', f'<meta http-equiv="Content-Type" content="text/html; charset={encoding}">')
        return Answer(declared.encode(encoding, "xmlcharrefreplace"), headers=(("Content-Type", "text/html"),))
    if encoding and number % 8 == 5:
        return Answer(
            page.replace('<meta charset="utf-8">', "").encode(encoding, "xmlcharrefreplace"), headers=(("Content-Type", "text/html"),)
        )
    if number % 16 == 6:
        return Answer(page.replace('<meta charset="utf-8">', "").encode("utf-16"), headers=(("Content-Type", "text/html"),))
    html = ("Content-Type", "text/html; charset=utf-8")
    if number % 8 == 2:
        return Answer(gzip.compress(page.encode(), mtime=0), headers=(html, ("Content-Encoding", "gzip")), chunked=number % 16 == 2)
    if number % 8 == 4:
        return Answer(zlib.compress(page.encode()), headers=(html, ("Content-Encoding", "deflate")))
    return Answer(page.encode(), headers=(html,), chunked=number % 8 == 7)


def _oddities(
    language: Language, stories: Sequence[tuple[str, str, list[str]]], paths: Sequence[str], draw: random.Random
) -> dict[str, Answer]:
    """One of each thing that a crawl meets besides articles."""
    html = ("Content-Type", "text/html; charset=utf-8")

    def article(number: int, extra: Sequence[str] = ()) -> str:
        _, title, paragraphs = stories[number % len(stories)]
        shuffled = [*paragraphs]
        draw.shuffle(shuffled)
        fresh = articles(language, 1, draw)[0][2]
        return _frame(language, title, [*fresh, *extra], paths, number)

    contact = [line.format(**_reserved(draw)) for line in language.contact]
    odd: dict[str, Answer] = {
        "/contact.html": Answer(article(1, contact).encode()),
        "/team.html": Answer(article(2, [line.format(**_reserved(draw)) for line in language.contact]).encode()),
        "/angry.html": Answer(
            _frame(language, stories[0][1], [*articles(language, 1, draw)[0][2][:2], *language.profane], paths, 0).encode()
        ),
        "/offer.html": Answer(_bare(language.spam[0], language.spam * 12).encode()),
        "/broken.html": Answer(article(3).replace("</p>", "").replace("</div>", "</p></span>").replace("</article>", "<b><i>").encode()),
        "/unclosed.html": Answer(("<html><body><table><tr><td><p>" + "<p>".join(articles(language, 1, draw)[0][2])).encode()),
        "/noindex.html": Answer(article(4).replace("<head>", '<head><meta name="robots" content="noindex, nofollow">').encode()),
        "/noindex-header.html": Answer(article(5).encode(), headers=(html, ("X-Robots-Tag", "noindex"))),
        "/noai.html": Answer(article(6).replace("<head>", '<head><meta name="robots" content="noai">').encode()),
        "/reserved.html": Answer(
            article(7).encode(), headers=(html, ("TDM-Reservation", "1"), ("TDM-Policy", "http://mill.example/policy.json"))
        ),
        "/licensed.html": Answer(
            article(8).replace("<head>", '<head><link rel="license" href="https://creativecommons.org/licenses/by-sa/4.0/">').encode()
        ),
        "/wrong-charset.html": Answer(article(9).encode(), headers=(("Content-Type", "text/html; charset=x-unknown"),)),
        "/short.html": Answer(_bare(stories[0][1], [stories[0][2][0][:140]]).encode()),
        "/empty.html": Answer(b"<html><body><nav>Home</nav></body></html>"),
        "/nothing.html": Answer(b""),
        "/list.html": Answer(_bare(language.site_name, [f"<ul>{'<li>…</li>' * 60}</ul>"], is_html=True).encode()),
        "/moved.html": Answer(b"", 301, (html, ("Location", paths[0]))),
        "/gone.html": Answer(b"<h1>410</h1>", 410),
        "/error.html": Answer(b"<h1>500</h1>", 500),
        "/private/diary.html": Answer(article(12).encode()),
        "/logo.png": Answer(b"\x89PNG\r\n\x1a\n" + bytes(60), headers=(("Content-Type", "image/png"),)),
        "/cut.html": Answer(article(10).encode(), cut=True),
        "/big.html": Answer((article(11) + "<!-- " + "x" * 300_000 + " -->").encode()),
        "/plain.txt": Answer(
            "\n\n".join(articles(language, 1, draw)[0][2]).encode(), headers=(("Content-Type", "text/plain; charset=utf-8"),)
        ),
        "/copy.html": Answer(_frame(language, stories[0][1], stories[0][2], paths, 0).encode()),
        "/script.html": Answer(
            _bare("</title><script>document.title='owned'</script>", ["<script>alert(1)</script>", *stories[1][2]]).encode()
        ),
    }
    return odd


def _reserved(draw: random.Random) -> dict[str, str]:
    """Personal data that belongs to nobody: reserved domains and numbers, published test cards and accounts."""
    ibans = ("GB82 WEST 1234 5698 7654 32", "DE89 3704 0044 0532 0130 00", "FR14 2004 1010 0505 0001 3M02 606")
    cards = ("4111 1111 1111 1111", "5555 5555 5555 4444", "3782 822463 10005")
    name = draw.choice(("anna", "boris", "chen", "dalia", "emil", "farida", "grete", "hugo"))
    return {
        "email": f"{name}.{draw.randrange(100, 999)}@example.com",
        "phone": f"({draw.choice(('212', '303', '415', '617'))}) 555-01{draw.randrange(100):02d}",
        "iban": draw.choice(ibans),
        "card": draw.choice(cards),
        "ip": f"8.8.{draw.randrange(1, 9)}.{draw.randrange(1, 254)}",
        "name": name.capitalize(),
    }


def _frame(language: Language, title: str, paragraphs: Sequence[str], paths: Sequence[str], number: int) -> str:
    """The magazine's page, in two layouts."""
    menu = "".join(f'<li><a href="/">{escape(entry)}</a></li>' for entry in language.navigation)
    near = "".join(
        f'<li><a href="{paths[(number + step) % len(paths)]}">{escape(paths[(number + step) % len(paths)].strip("/"))}</a></li>'
        for step in (1, 2, 3, 5, 8)
    )
    text = "".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in paragraphs)
    banner = f'<div class="cookie-banner" role="dialog">{escape(language.banner)}</div>'
    main = f'<div class="main"><article><h1>{escape(title)}</h1>{text}</article></div>'
    aside = f'<div class="sidebar"><ul>{near}</ul></div>'
    inner = f"{main}{aside}" if number % 2 else f"{aside}{main}"
    return (
        f'<!doctype html><html lang="{language.code}"><head><meta charset="utf-8"><title>{escape(title)} – {escape(language.site_name)}</title></head><body>'
        f"<header><nav><ul>{menu}</ul></nav></header>{banner}{inner}<footer><p>{escape(language.footer)}</p></footer></body></html>"
    )


def _bare(title: str, paragraphs: Sequence[str], is_html: bool = False) -> str:
    body = "".join(paragraphs) if is_html else "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>'
