"""Which licence a text is: an SPDX header, or a licence file by its words' likeness to the texts of well-known licences.

Texts are compared as sets of 3-grams of lower-case words, so that line breaks, punctuation, numbering and names of holders do not matter.

    identify(open("LICENSE").read()) -> "BSD-3-Clause"
    header("// SPDX-License-Identifier: MIT OR Apache-2.0") -> "MIT OR Apache-2.0"
"""

import re
from functools import lru_cache
from importlib import resources

_FOLDER = "corpus.resources.licenses"
_SPDX = re.compile(r"SPDX-License-Identifier:\s*([A-Za-z0-9.+()\- ]{2,100})")
_EXPRESSION = re.compile(r"\(?[A-Za-z0-9.+-]{2,40}\)?(?: (?:AND|OR|WITH) \(?[A-Za-z0-9.+-]{2,40}\)?){0,6}")
_HEADER_CHARACTERS = 4096
_MAX_CHARACTERS = 200_000
_WORD = re.compile(r"[a-z0-9]+")
_NGRAM = 3
_STATED = re.compile(r"^License-Expression:[ \t]*([^\r\n]{2,200})", re.MULTILINE | re.IGNORECASE)
PACKAGE_FILES = ("METADATA", "PKG-INFO")  # of a wheel, of an sdist
LICENSE_FILE = re.compile(
    r"(?:un)?licen[cs]es?(?:[.\-_][\w.-]{1,30})?|copying(?:[.\-_][\w.-]{1,30})?|mit-license(?:\.\w{1,4})?", re.IGNORECASE
)


def header(text: str) -> str | None:
    """The SPDX expression at the head of a file."""
    found = _SPDX.search(text, 0, _HEADER_CHARACTERS)
    expression = _EXPRESSION.match(found.group(1).strip()) if found else None
    return expression.group().strip() if expression else None


def identify(text: str, min_likeness: float = 0.9) -> str | None:
    """SPDX identifier of the known licence that the text is most like; None where it is like none, or holds much besides.

    Likeness is Dice's: twice the 3-grams that both share, by the sum of both. So a text with three clauses is not taken for the two
    that it holds, nor a licence with an added restriction for the permissive one that it grew from.
    """
    told = header(text)
    if told:
        return told
    grams = _grams(text[:_MAX_CHARACTERS])
    likeness, name = max((2 * len(grams & known) / (len(grams) + len(known)), name) for name, known in _known().items())
    return name if likeness >= min_likeness else None


def license_of_file(name: str, content: bytes) -> str | None:
    """What a file by its name tells of the licence: the text of one, or a package's metadata (PEP 639). None for all others."""
    text = content.decode("utf-8", "replace")
    if name in PACKAGE_FILES:
        told = _STATED.search(text, 0, _HEADER_CHARACTERS)
        expression = _EXPRESSION.fullmatch(told.group(1).strip()) if told else None
        return expression.group() if expression else None
    return identify(text) if text and LICENSE_FILE.fullmatch(name) else None


def canonical(identifier: str) -> str:
    """``apache-2.0`` -> ``Apache-2.0``: as SPDX writes it, where it is known to us; else as it is."""
    return _by_lower_case().get(identifier.strip().lower(), identifier.strip())


def _grams(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return frozenset(zip(*(words[at:] for at in range(_NGRAM)), strict=False))


@lru_cache(maxsize=1)
def _known() -> dict[str, frozenset[tuple[str, ...]]]:
    files = sorted((entry for entry in resources.files(_FOLDER).iterdir() if entry.name.endswith(".txt")), key=lambda entry: entry.name)
    return {entry.name.removesuffix(".txt"): _grams(entry.read_text(encoding="utf-8")) for entry in files}


@lru_cache(maxsize=1)
def _by_lower_case() -> dict[str, str]:
    return {name.lower(): name for name in _known()}
