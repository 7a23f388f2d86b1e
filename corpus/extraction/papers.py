r"""The files of one paper to its text: the main file found, the others pulled in, macros expanded. Nothing outside the archive is opened.

paper = read_paper({"main.tex": b"\\documentclass{article}…", "intro.tex": b"…"}, limit=2**24)
paper.text, paper.title, paper.refused
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from corpus.extraction.charset import decode
from corpus.extraction.latex import body_text, document_body, matching, title_of, without_comments

_MAX_DEPTH = 16  # files that pull in files; macros that hold macros
_MAX_EXPANSIONS = 100_000
_GROWTH = 4  # times its own length that a paper may grow to by its macros
_CLASS = re.compile(r"\\document(?:class|style)\b")
_INPUT = re.compile(
    r"\\(?:input|include|subfile|import|subimport)\b[ \t]*(?:\{([^{}\n]{0,300})\}[ \t]*(?:\{([^{}\n]{0,300})\})?|([^\s{}\\%]{1,300}))"
)
_DEFINITION = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareRobustCommand)\*?\s*\{?\s*\\([A-Za-z@]{1,40})\s*\}?\s*(?:\[([0-9])\])?\s*(\[[^\[\]{}]{0,200}\])?\s*(?=\{)"
    r"|\\(?:[egx])?def\s*\\([A-Za-z@]{1,40})\s*((?:#[1-9]){0,9})\s*(?=\{)"
    r"|\\DeclareMathOperator\*?\s*\{?\s*\\([A-Za-z@]{1,40})\s*\}?\s*(?=\{)"
)
_WORD = re.compile(r"\\([A-Za-z@]+)")
_KEPT_COMMANDS = frozenset(
    (
        "cite", "citep", "citet", "ref", "eqref", "label", "section", "subsection", "footnote", "caption", "item", "title", "author",
        "url", "href", "begin", "end",
    )
)  # fmt: skip
_TEXT_FILES = (".tex", ".ltx", ".latex", ".txt", ".def", ".macros")


@final
@dataclass
class Paper:
    """``refused``: files asked for outside the archive; ``missing``: asked for and not there; ``bounded``: macros beyond the bounds."""

    text: str = ""
    title: str | None = None
    refused: int = 0
    missing: int = 0
    bounded: bool = False


@final
@dataclass(frozen=True)
class _Macro:
    body: str
    arguments: int = 0
    default: str | None = None  # of the first argument, where it is optional


@final
@dataclass
class _Budget:
    characters: int
    expansions: int = _MAX_EXPANSIONS
    spent: bool = field(default=False)


def main_file(files: Mapping[str, str]) -> str | None:
    r"""The file with ``\documentclass`` and the document in it; of several one that no other pulls in, with a usual name, the largest."""
    candidates = [name for name, text in files.items() if _CLASS.search(text) and "\\begin{document}" in text]
    candidates = candidates or [name for name, text in files.items() if _CLASS.search(text)]
    if not candidates:
        candidates = [
            name for name, text in files.items() if re.search(r"\\(?:begin|section|bye|magnification|title|input|def|centerline)\b", text)
        ]
    if not candidates:
        return None
    asked = {posixpath.basename(found.group(1) or found.group(3) or "") for text in files.values() for found in _INPUT.finditer(text)}

    def order(name: str) -> tuple[bool, bool, int, int, str]:
        stem = posixpath.basename(name).rpartition(".")[0].lower()
        return (
            stem in asked or posixpath.basename(name) in asked,
            stem not in ("ms", "main", "paper", "article"),
            name.count("/"),
            -len(files[name]),
            name,
        )

    return min(candidates, key=order)


def read_paper(contents: Mapping[str, bytes], limit: int) -> Paper | None:
    """None where there is no TeX in it. ``limit``: characters of the assembled source."""
    texts: dict[str, str] = {}
    for name, content in sorted(contents.items()):
        is_named = name.lower().endswith(_TEXT_FILES)
        if not posixpath.basename(name).startswith("._") and (
            is_named or ("." not in posixpath.basename(name) and b"\\" in content[:4096])
        ):
            texts[name] = without_comments(decode(content, None, False)[0])
    main = main_file(texts)
    if main is None:
        return None
    paper = Paper()
    source = _assembled(main, texts, paper, limit)
    macros, source = _macros(source)
    budget = _Budget(min(limit, _GROWTH * len(source) + 100_000))
    paper.title = title_of(_expanded(source[:100_000], macros, _Budget(400_000), 0)) if macros else title_of(source)
    paper.text = body_text(_expanded(document_body(source), macros, budget, 0))
    paper.bounded = budget.spent
    return paper


def _assembled(main: str, texts: Mapping[str, str], paper: Paper, limit: int) -> str:
    total = 0

    def pull(name: str, within: tuple[str, ...]) -> str:
        nonlocal total
        text = texts[name]
        total += len(text)
        if total > limit:
            paper.bounded = True
            return ""
        if name != main:
            text = document_body(text)

        def replaced(found: re.Match[str]) -> str:
            asked = (found.group(1) or found.group(3) or "").strip().strip('"')
            if found.group(2):
                asked = f"{asked.rstrip('/')}/{found.group(2).strip()}"
            path = posixpath.normpath(posixpath.join(posixpath.dirname(main), asked))
            if asked.startswith(("/", "~", "|")) or path.startswith("../") or path == ".." or re.match(r"[A-Za-z]:", asked):
                paper.refused += 1
                return ""
            there = next((each for each in (path, f"{path}.tex", f"{path}.ltx") if each in texts), None)
            if there is None or there in within or len(within) >= _MAX_DEPTH:
                paper.missing += 1
                return ""
            return pull(there, (*within, there)) + "\n"

        return _INPUT.sub(replaced, text)

    return pull(main, (main,))


def _macros(source: str) -> tuple[dict[str, _Macro], str]:
    """The simple definitions, and the source without them."""
    macros: dict[str, _Macro] = {}
    pairs = matching(source)
    rest: list[str] = []
    at = 0
    for found in _DEFINITION.finditer(source):
        end = pairs.get(found.end())
        if found.start() < at or end is None:
            continue
        name = found.group(1) or found.group(4) or found.group(6)
        body = source[found.end() + 1 : end]
        rest.append(source[at : found.start()])
        at = end + 1
        if name in _KEPT_COMMANDS or len(body) > 5_000:
            continue
        if found.group(6):
            macros[name] = _Macro(f"\\operatorname{{{body}}}")
        else:
            default = found.group(3)[1:-1] if found.group(3) else None
            macros[name] = _Macro(body, int(found.group(2) or 0) if found.group(1) else len(found.group(5)) // 2, default)
    rest.append(source[at:])
    return macros, "".join(rest)


def _expanded(source: str, macros: Mapping[str, _Macro], budget: _Budget, depth: int) -> str:
    """Every macro put in its place, as far as depth and budget reach; beyond them its name stays."""
    if depth >= _MAX_DEPTH or not macros or budget.spent:
        return source
    pairs: dict[int, int] | None = None
    out: list[str] = []
    at = 0
    for found in _WORD.finditer(source):
        macro = macros.get(found.group(1))
        if macro is None or found.start() < at or budget.spent:
            continue
        pairs = matching(source) if pairs is None else pairs
        arguments, end = _arguments(source, found.end(), macro, pairs)
        if arguments is None:
            continue
        body = _filled(macro.body, arguments)
        budget.expansions -= 1
        budget.characters -= len(body)
        if budget.expansions < 0 or budget.characters < 0:
            budget.spent = True
            break
        out.append(source[at : found.start()])
        body = _expanded(body, macros, budget, depth + 1)
        out.append(body)
        at = end
        if body[-1:].isalpha() and source[at : at + 1].isalpha():
            out.append(" ")
    out.append(source[at:])
    return "".join(out)


def _filled(body: str, arguments: list[str]) -> str:
    """``#1`` and the like replaced by the arguments, those that are missing by nothing."""
    return re.sub(r"#([1-9])", lambda found: "".join(arguments[int(found.group(1)) - 1 : int(found.group(1))]), body)


def _arguments(source: str, at: int, macro: _Macro, pairs: Mapping[int, int]) -> tuple[list[str] | None, int]:
    found: list[str] = []
    if macro.arguments and macro.default is not None:
        close = source.find("]", at, at + 500) if source.startswith("[", at) else -1
        found.append(source[at + 1 : close] if close > 0 else macro.default)
        at = close + 1 if close > 0 else at
    while len(found) < macro.arguments:
        while source[at : at + 1].isspace():
            at += 1
        if source.startswith("{", at):
            close = pairs.get(at, -1)
            if close < 0:
                return None, at
            found.append(source[at + 1 : close])
            at = close + 1
        else:
            token = re.compile(r"\\[A-Za-z@]+|\\.|[^{}\\]").match(source, at)
            if not token:
                return None, at
            found.append(token.group())
            at = token.end()
    return found, at
