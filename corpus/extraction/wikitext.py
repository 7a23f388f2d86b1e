"""MediaWiki's markup to clean text: what a reader of the article reads, and nothing of its scaffolding.

Templates, tables, references, galleries, files and categories go; links leave their labels; headings and list items stand on lines of their
own; formulas stay as TeX. No parser of full wikitext: templates are not expanded, so no other page is needed. The time is linear in the
text whatever it holds: nesting is followed to a depth of 100, and each bracket is looked at once.

    article_text("'''Tea''' is a [[drink]].{{cn}}\\n==Use==\\n* [[cup|Cups]]", WikiNames()) -> "Tea is a drink.\\n\\nUse\\n\\n- Cups"
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, final

from corpus.extraction.templates import render

_MAX_DEPTH = 100
MARK = "\x7f"  # what stands in for a formula until the markup is gone; MediaWiki itself uses it so
_TAG = re.compile(r"<!--|<(/?)([a-zA-Z][a-zA-Z0-9]{0,19})\b([^<>]{0,1000}?)(/?)>")
_ANY_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]{0,19})\b[^<>]{0,1000}>")
DROPPED = frozenset(
    (
        "ref", "references", "gallery", "timeline", "score", "imagemap", "hiero", "graph", "mapframe", "maplink", "inputbox",
        "categorytree", "includeonly", "indicator",
    )
)  # fmt: skip
FORMULAS = frozenset(("math", "chem", "ce"))
_VERBATIM = frozenset(("nowiki", "pre", "syntaxhighlight", "source"))
_BREAKS = frozenset(
    (
        "br", "p", "div", "blockquote", "li", "ul", "ol", "dl", "dd", "dt", "td", "tr", "th", "table", "center", "hr", "poem", "section",
    )
)  # fmt: skip
_NESTING = re.compile(r"^[ :*]{0,20}\{\||^[ ]{0,20}\|\}(?!\})|\{\{|\}\}|\[\[|\]\]|\|", re.MULTILINE)
_CLOSES = {"}}": "{{", "]]": "[[", "|}": "{|"}
_EXTERNAL = re.compile(r"\[(?:[a-z]{2,10}:)?//[^\s\[\]<>]{1,1000}[ \t]*([^\[\]\n]{0,1000})\]")
_QUOTES = re.compile(r"'{2,}")
_MAGIC = re.compile(r"__[^\W\d_]{3,30}__")
_VARIANT = re.compile(r"-\{(?:[A-Za-z;-]{1,20}\|)?([^{}\n]{0,200})\}-")
_EMPTY_BRACKETS = re.compile(r"[ \t]?\([ \t,;:]{0,20}\)")
_OPENS_EMPTY = re.compile(r"\((?: ?[,;:]){1,20} ?")  # what a dropped template leaves: "Asphalt (, , also bitumen)"
_LANGUAGE_LINK = re.compile(r"[a-z]{2,3}(?:-[a-z-]{2,20})?|simple")
_SPACES = re.compile(r"[ \t\u00a0]{2,}")

# Sections that hold no prose, by their headings in ten languages.
CUT_SECTIONS = frozenset(
    (
        "references", "external links", "see also", "further reading", "notes", "footnotes", "bibliography", "sources", "citations",
        "einzelnachweise", "weblinks", "siehe auch", "literatur", "références", "liens externes", "voir aussi", "notes et références",
        "referencias", "enlaces externos", "véase también", "bibliografía", "note", "collegamenti esterni", "voci correlate",
        "altri progetti", "referências", "ligações externas", "ver também", "примечания", "ссылки", "см. также", "литература", "脚注",
        "外部リンク", "関連項目", "参考文献", "参考资料", "外部链接", "参见", "източници", "външни препратки", "вижте също", "przypisy",
        "linki zewnętrzne", "zobacz też", "translations", "anagrams",
    )
)  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True)
class WikiNames:
    """What a wiki calls its namespaces, lower case: links into ``hidden`` ones (files, categories) show no text."""

    hidden: frozenset[str] = frozenset(("file", "image", "media", "category"))


@final
@dataclass
class _Frame:
    """An open bracket with what it holds so far; ``None`` among the parts is a vertical bar."""

    opening: str
    parts: list[str | None] = field(default_factory=list)

    def literally(self) -> Iterator[str]:
        return ("|" if part is None else part for part in self.parts)

    def arguments(self) -> list[str]:
        found = [""]
        for part in self.parts:
            if part is None:
                found.append("")
            else:
                found[-1] += part
        return found


def article_text(
    source: str, names: WikiNames, *, tables: Literal["cut", "text"] = "cut", cut_sections: frozenset[str] = CUT_SECTIONS
) -> str:
    """``tables``: left out, or a line a row with ` | ` between the cells. Empty where nothing is left. Never raises."""
    kept: list[str] = []
    text = _without_extensions(source.replace(MARK, ""), kept)
    text = _without_nesting(text, names, tables)
    text = _ANY_TAG.sub(lambda found: "\n" if found.group(1).lower() in _BREAKS else "", text)
    text = _EXTERNAL.sub(r"\1", text)
    text = _QUOTES.sub(lambda found: {2: "", 3: "", 4: "'", 5: ""}.get(len(found.group()), "'" * (len(found.group()) - 5)), text)
    text = html.unescape(_VARIANT.sub(_first_variant, _MAGIC.sub("", text)))
    return tidied(text, kept, cut_sections)


def tidied(text: str, kept: list[str], cut_sections: frozenset[str] = CUT_SECTIONS) -> str:
    """Text without markup but ``== headings ==`` and ``* items`` -> lines as they are read; what was put aside into ``kept`` (its number
    between two ``MARK``) comes back as it is."""
    text = "\n".join(_lines(text.split("\n"), cut_sections))
    return re.sub(f"{MARK}(\\d+){MARK}", lambda found: kept[int(found.group(1))], text).strip()


def _without_extensions(source: str, kept: list[str]) -> str:
    """Comments and extension tags with their content away; formulas and verbatim text put aside into ``kept``."""
    out: list[str] = []
    unclosed: set[str] = set()
    at = 0
    while found := _TAG.search(source, at):
        out.append(source[at : found.start()])
        at = found.end()
        if found.group() == "<!--":
            end = source.find("-->", at)
            at = len(source) if end < 0 else end + 3
            continue
        name = found.group(2).lower()
        if name not in DROPPED | FORMULAS | _VERBATIM:
            out.append(found.group())
            continue
        if found.group(1) or found.group(4) or name in unclosed:
            continue
        close = re.compile(rf"</{name}[^<>]{{0,20}}>", re.IGNORECASE).search(source, at)
        if close is None:
            unclosed.add(name)
            continue
        content = source[at : close.start()]
        at = close.end()
        if name in DROPPED:
            continue
        if name in FORMULAS:
            display = "block" in found.group(3)
            content = f"$${content.strip()}$$" if display else f"${content.strip()}$"
        elif name != "nowiki":
            content = f"\n{html.unescape(content).strip()}\n"
        else:
            content = html.unescape(content)
        out.append(f"{MARK}{len(kept)}{MARK}")
        kept.append(content)
    out.append(source[at:])
    return "".join(out)


def _without_nesting(text: str, names: WikiNames, tables: str) -> str:
    """Templates, links and tables resolved from the inside out."""
    stack = [_Frame("")]
    opened = {"{{": 0, "[[": 0, "{|": 0}
    at = 0
    for found in _NESTING.finditer(text):
        stack[-1].parts.append(text[at : found.start()])
        at = found.end()
        token = found.group().lstrip(" :*")
        if token == "|":
            stack[-1].parts.append(None)
        elif token in opened:
            if len(stack) < _MAX_DEPTH:
                stack.append(_Frame(token))
                opened[token] += 1
        elif opened[_CLOSES[token]] == 0:
            if token != "|}":
                stack[-1].parts.append("" if token == "]]" else token)
        else:
            frame = _close(stack, _CLOSES[token], opened)
            stack[-1].parts.append(_shown(frame, names, tables))
    stack[-1].parts.append(text[at:])
    return "".join(part for frame in stack for part in frame.literally())


def _close(stack: list[_Frame], opening: str, opened: dict[str, int]) -> _Frame:
    """The topmost frame with this opening, off the stack; what was opened in it and never closed is plain text."""
    number = next(number for number in range(len(stack) - 1, 0, -1) if stack[number].opening == opening)
    frame = stack[number]
    for inner in stack[number + 1 :]:
        opened[inner.opening] -= 1
        frame.parts.extend(inner.parts)
    del stack[number:]
    opened[opening] -= 1
    return frame


def _shown(frame: _Frame, names: WikiNames, tables: str) -> str:
    if frame.opening == "{|":
        return _table(list(frame.literally())) if tables == "text" else "\n"
    arguments = frame.arguments()
    if frame.opening == "{{":
        return render(arguments)
    return _link(arguments, names)


def _link(arguments: list[str], names: WikiNames) -> str:
    target = arguments[0].strip()
    prefix, colon, rest = target.partition(":")
    if colon and prefix:
        name = prefix.strip().lower()
        if name in names.hidden or (_LANGUAGE_LINK.fullmatch(prefix.strip()) and len(arguments) == 1 and rest):
            return ""
    if len(arguments) == 1:
        return target.lstrip(":").replace("_", " ")
    label = "|".join(arguments[1:])
    if label.strip():
        return label
    return re.sub(r"\s*\([^()]*\)$|,.*$", "", target.rpartition(":")[2])  # the pipe trick: [[Lead (metal)|]] shows "Lead"


def _table(parts: list[str]) -> str:
    rows: list[list[str]] = [[]]
    for line in "".join(parts).split("\n")[1:]:
        line = line.strip()
        if line.startswith("|-"):
            rows.append([])
        elif line.startswith("|+"):
            rows += [[_cell(line[2:])], []]
        elif line.startswith(("|", "!")):
            rows[-1] += [_cell(cell) for cell in re.split(r"\|\||!!" if line[0] == "!" else r"\|\|", line[1:])]
        elif line and rows[-1]:
            rows[-1][-1] += " " + line
    return "\n" + "\n".join(" | ".join(cell for cell in row if cell) for row in rows if any(row)) + "\n"


def _cell(text: str) -> str:
    """Without its attributes: ``style="…" | text``."""
    before, bar, after = text.partition("|")
    return (after if bar and "=" in before else text).strip()


def _first_variant(found: re.Match[str]) -> str:
    """``-{zh-hans:计算机; zh-hant:電腦}-``: the first of the forms."""
    first = found.group(1).split(";")[0]
    return first.partition(":")[2] if re.match(r"\s*[a-z]{2,3}(-[a-z]+)?\s*:", first) else first


def _lines(lines: list[str], cut_sections: frozenset[str]) -> Iterator[str]:
    """Headings, items and paragraphs; a heading without text below it goes, a section named in ``cut_sections`` too."""
    pending: list[tuple[int, str]] = []
    cut_level = 0
    was_blank, was_item = True, False
    for raw in lines:
        line = _SPACES.sub(" ", _OPENS_EMPTY.sub("(", _EMPTY_BRACKETS.sub("", raw))).strip()
        heading = _heading(line)
        if heading:
            level, name = heading
            if cut_level and level > cut_level:
                continue
            cut_level = level if name.lower() in cut_sections else 0
            pending = [entry for entry in pending if entry[0] < level]
            if not cut_level and name:
                pending.append(heading)
            was_blank = True
            continue
        is_item = line[:1] in "*#:;" and bool(line)
        line = _item(line) if is_item else line
        if cut_level or line.startswith(("|", "----")) or not line:
            was_blank = was_blank or not line
            continue
        for _, name in pending:
            yield ""
            yield name
        if was_blank or pending or is_item != was_item:
            yield ""
        pending, was_blank, was_item = [], False, is_item
        yield line


def _heading(line: str) -> tuple[int, str] | None:
    if not (line.startswith("=") and line.endswith("=") and len(line) > 2):
        return None
    level = min(len(line) - len(line.lstrip("=")), len(line) - len(line.rstrip("=")), 6)
    name = line[level:-level].strip() if level else ""
    return (level, name) if name.strip("=") else None


def _item(line: str) -> str:
    """``** text`` -> ``- text``; a term or an indented line is a line; empty where there is no text."""
    rest = line.lstrip("*#:; ")
    marks = line[: len(line) - len(rest)].rstrip()
    return f"- {rest}" if rest and marks[-1:] in ("*", "#") else rest
