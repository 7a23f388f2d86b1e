"""What the demo reads beside its crawl: two dumps of a wiki, books, a repository and a box of mails, from the magazine's own sentences.

Small, and the same bytes every time. The repository holds the code of this very package: real code, under its own licence. All addresses
are of example.com, which nobody has.

    print(write_shelf(Path("build/demo/shelf")))
"""

import bz2
import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from importlib import resources
from pathlib import Path
from typing import final

from corpus.demo.stories import Language, articles, load

_WIKIS = ("en", "de")
_ENTRIES = 40  # articles of each wiki
_BOOKS = ("en", "fr", "es")
_CHAPTERS = 12
_MAILS = 40
_CODE = ("corpus.demo", "corpus.quality", "corpus.normalize")
_BEGIN = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
    '<rootfile full-path="content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


@final
@dataclass(frozen=True)
class Shelf:
    """Where the files lie, and the bytes of each by its name."""

    output: Path
    files: Mapping[str, int]

    def __str__(self) -> str:
        return f"{len(self.files)} files of other kinds, {sum(self.files.values()) / 1e3:.0f} kB: {', '.join(self.files)}"


def write_shelf(output: Path) -> Shelf:
    """Write all of it into ``output``."""
    files = {f"{code}wiki-pages-articles.xml.bz2": _wiki(load(code)) for code in _WIKIS}
    files |= {f"mills-{code}.epub": _epub(load(code)) for code in _BOOKS}
    files |= {"gristmill.tar.gz": _repository(), "letters.mbox": _mails(load("en"))}
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (output / name).write_bytes(content)
    return Shelf(output, {name: len(content) for name, content in files.items()})


def _wiki(language: Language) -> bytes:
    """A dump as MediaWiki exports it, an article a page."""
    host = f"{language.code}.wiki.mill.example"
    head = (
        f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="{language.code}">\n<siteinfo>'
        f"<sitename>{escape(language.site_name)}</sitename><dbname>{language.code}wiki</dbname>"
        f"<base>http://{host}/wiki/Main</base></siteinfo>\n"
    )
    pages = []
    for number, (_, title, paragraphs) in enumerate(articles(language, _ENTRIES, random.Random(f"wiki {language.code}")), 1):
        first, *others = paragraphs
        text = "\n\n".join([f"'''{title}'''. {first}", *others, f"[[Category:{language.site_name}]]"])
        stamp = (_BEGIN + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        pages.append(
            f"<page><title>{escape(title)} {number}</title><ns>0</ns><id>{number}</id><revision><id>{number}</id>"
            f"<timestamp>{stamp}</timestamp><model>wikitext</model><text>{escape(text)}</text></revision></page>\n"
        )
    return bz2.compress((head + "".join(pages) + "</mediawiki>\n").encode())


def _epub(language: Language) -> bytes:
    """A book of stories, dedicated to the public domain."""
    chapters = articles(language, _CHAPTERS, random.Random(f"book {language.code}"))
    names = [f"chapter-{number}.xhtml" for number in range(1, len(chapters) + 1)]
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:identifier>http://books.mill.example/{language.code}</dc:identifier><dc:title>{escape(language.site_name)}</dc:title>"
        f"<dc:language>{language.code}</dc:language><dc:rights>https://creativecommons.org/publicdomain/zero/1.0/</dc:rights></metadata>"
        "<manifest>"
        + "".join(f'<item id="c{at}" href="{name}" media-type="application/xhtml+xml"/>' for at, name in enumerate(names))
        + "</manifest><spine>"
        + "".join(f'<itemref idref="c{at}"/>' for at in range(len(names)))
        + "</spine></package>"
    )
    files = {"mimetype": "application/epub+zip", "META-INF/container.xml": _CONTAINER, "content.opf": opf}
    for name, (_, title, paragraphs) in zip(names, chapters, strict=True):
        body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
        files[name] = f'<html xmlns="http://www.w3.org/1999/xhtml"><body><h2>{escape(title)}</h2>{body}</body></html>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def _repository() -> bytes:
    """The code of some of our rooms, as GitHub packs a repository."""
    files = {"LICENSE": resources.files("corpus.resources.licenses").joinpath("Apache-2.0.txt").read_bytes()}
    for package in _CODE:
        for entry in sorted(resources.files(package).iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".py") and entry.name != "__init__.py":
                files[f"{package.replace('.', '/')}/{entry.name}"] = entry.read_bytes()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            told = tarfile.TarInfo(f"gristmill/{name}")
            told.size = len(content)
            archive.addfile(told, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


def _mails(language: Language) -> bytes:
    """Letters about the mills, every second one an answer that quotes the one before."""
    parts, quoted = [], ""
    for number, (_, title, paragraphs) in enumerate(articles(language, _MAILS, random.Random("mails"))):
        is_answer = number % 2 == 1
        sent = _BEGIN + timedelta(hours=7 * number)
        mail = EmailMessage()
        mail["From"], mail["To"] = ("ben@example.com", "ann@example.com") if is_answer else ("ann@example.com", "ben@example.com")
        mail["Subject"], mail["Date"], mail["Message-ID"] = title, format_datetime(sent), f"<{number}@example.com>"
        text = "\n\n".join(paragraphs[:2])
        if is_answer:
            mail["In-Reply-To"] = f"<{number - 1}@example.com>"
        mail.set_content(f"{text}\n\n{quoted}" if is_answer else text)
        quoted = "Ann wrote:\n" + "\n".join(f"> {line}" for line in text.split("\n"))
        parts.append(f"From {mail['From']} {sent.strftime('%a %b %d %H:%M:%S %Y')}\n".encode() + mail.as_bytes() + b"\n")
    return b"".join(parts)
