r"""A paper's LaTeX to the text that a reader reads: prose, headings and items, formulas as TeX; no bibliography, tables, pictures, notes.

The converter knows some hundred commands. Of any other the name goes and what stands in braces after it stays. Every brace and environment
is matched once beforehand, so that the time is linear in the text whatever it holds.

    body_text(r"\section{Tea} Water \emph{boils} at $T=100$.~\cite{x}") -> "Tea\n\nWater boils at $T=100$."
"""

import re
import unicodedata
from typing import final

_MAX_DEPTH = 40
_MAX_INLINE = 20_000
_COMMENT = re.compile(r"(?<!\\)((?:\\\\){0,20})%[^\n]*(?:\n[ \t]*(?=\S))?")
_TOKEN = re.compile(r"\\(begin|end)[ \t]*\{([A-Za-z]{1,30}\*?)\}|\\([A-Za-z@]+\*?)[ \t]*|\\([^A-Za-z@])|(\$\$?)|([{}~&])|(-{2,3}|``|'')")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(begin|end)[ \t]*\{([A-Za-z]{1,30}\*?)\}")
_LABEL = re.compile(r"\\(?:label|nonumber|notag)\b[ \t]*(?:\{[^{}]{0,200}\})?")
_BLANK_LINE = re.compile(r"[ \t]*\n[ \t]*(?:\n\s*)?")
_STAR = re.compile(r"\s*\*?\s*")

_HEADINGS = frozenset(("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph"))
_MATH = frozenset(
    (
        "equation",
        "align",
        "eqnarray",
        "gather",
        "multline",
        "displaymath",
        "math",
        "flalign",
        "alignat",
        "dmath",
        "subequations",
        "IEEEeqnarray",
    )
)
_VERBATIM = frozenset(("verbatim", "lstlisting", "Verbatim", "minted", "alltt"))
_FLOATS = frozenset(
    ("figure", "table", "wrapfigure", "wraptable", "sidewaystable", "sidewaysfigure", "SCfigure", "longtable", "teaserfigure")
)
_DROPPED = frozenset(
    (
        "tabular", "tabularx", "tabulary", "tikzpicture", "picture", "thebibliography", "filecontents", "comment", "CCSXML", "pspicture",
        "forest", "keywords", "IEEEkeywords",
    )
)  # fmt: skip
_WITH_ARGUMENT = frozenset(("minipage", "multicols", "adjustbox", "adjustwidth", "spacing", "list", "thebibliography"))
# Commands that show nothing, with the number of their arguments.
_SILENT = {
    **dict.fromkeys(
        (
            "cite", "citep", "citet", "citealp", "citealt", "citeauthor", "citeyear", "citeyearpar", "parencite", "textcite", "autocite",
            "footcite", "nocite", "Cite", "Citet", "Citep", "onlinecite", "ref", "eqref", "autoref", "cref", "Cref", "pageref",
            "nameref", "vref", "label", "bibliography", "bibliographystyle", "includegraphics", "vspace", "hspace", "footnote",
            "footnotetext", "footnotemark", "thanks", "input", "include", "usepackage", "documentclass", "pagestyle", "thispagestyle",
            "setcounter", "index", "author", "date", "email", "affiliation", "address", "institute", "affil", "orcid", "title",
            "markboth", "pagenumbering", "keywords", "pacs", "graphicspath", "color", "vskip", "hskip", "color", "phantom", "vphantom",
            "hphantom", "acrodef", "newcounter", "theoremstyle", "newtheorem", "tikzset", "pgfplotsset", "hypersetup", "altaffiliation",
            "homepage", "preprint", "ccsdesc", "maketitlesupplementary", "thinmuskip", "marginpar", "todo", "includepdf", "url",
            "addbibresource", "definecolor", "inst", "fontsize", "authorrunning", "titlerunning", "IEEEauthorblockN", "IEEEauthorblockA",
            "icmlauthor",
        ),
        1,
    ),
    **dict.fromkeys(
        (
            "setlength", "addtolength", "renewcommand", "newcommand", "providecommand", "addcontentsline", "newenvironment", "rule",
            "icmlaffiliation",
        ),
        2,
    ),
    "maketitle": 0,
    "definecolor": 3,
    "fontsize": 2,
    "footnotemark": 0,
    "maketitlesupplementary": 0,
}  # fmt: skip
_FIRST_SILENT = frozenset(("href", "textcolor", "colorbox", "parbox", "raisebox", "scalebox", "resizebox", "multicolumn", "hyperref"))
_SYMBOLS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å", "i": "ı", "j": "ȷ",
    "ldots": "…", "dots": "…", "textellipsis": "…", "LaTeX": "LaTeX", "TeX": "TeX", "BibTeX": "BibTeX", "S": "§", "P": "¶",
    "copyright": "©",
    "textendash": "–", "textemdash": "—", "textquoteleft": "‘", "textquoteright": "’", "textquotedblleft": "“", "textquotedblright": "”",
    "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textunderscore": "_", "textbar": "|", "textless": "<",
    "textgreater": ">", "textdegree": "°", "pounds": "£", "euro": "€", "texteuro": "€", "quad": " ", "qquad": " ", "space": " ",
    "par": "\n\n", "newline": " ", "linebreak": " ", "newpage": "\n\n", "clearpage": "\n\n", "appendix": "\n\n", "bullet": "•",
}  # fmt: skip
_ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307", "c": "\u0327", "v": "\u030c",
    "u": "\u0306", "H": "\u030b", "k": "\u0328", "r": "\u030a", "d": "\u0323", "b": "\u0331",
}  # fmt: skip
_DASHES = {"--": "–", "---": "—", "``": "“", "''": "”"}


def without_comments(source: str) -> str:
    r"""As TeX reads it: a comment takes the end of its line with it. ``\%`` stays."""
    return _COMMENT.sub(r"\1", source.replace("\r\n", "\n").replace("\r", "\n"))


def document_body(source: str) -> str:
    r"""What stands between ``\begin{document}`` and ``\end{document}``; all of it where there is no such thing (plain TeX)."""
    start = re.search(r"\\begin\s*\{document\}", source)
    end = re.search(r"\\end\s*\{document\}|\\bye\b", source[start.end() if start else 0 :])
    body = source[start.end() if start else 0 :]
    return body[: end.start()] if end else body


def title_of(source: str) -> str | None:
    r"""The argument of the first ``\title``, as text on one line."""
    found = re.search(r"\\(?:icml)?title\s*(?:\[[^\[\]]{0,300}\])?\s*(?=\{)", source)
    if not found:
        return None
    end = matching(source[found.end() : found.end() + 2000]).get(0)
    return " ".join(body_text(source[found.end() + 1 : found.end() + end]).split())[:500] or None if end else None


def matching(source: str) -> dict[int, int]:
    """Place of each opening brace -> place of its closing one; what is not closed is missing."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for found in _BRACES.finditer(source):
        if found.group() == "{":
            opened.append(found.start())
        elif found.group() == "}" and opened:
            pairs[opened.pop()] = found.start()
    return pairs


def body_text(source: str) -> str:
    """Without comments and macros, both resolved before. Never raises."""
    converter = _Converter(source)
    converter.convert(0, len(source), 0)
    text = unicodedata.normalize("NFC", "".join(converter.out))
    text = re.sub(r"\((?:[ \t,;]|and|see|e\.g\.|cf\.){0,20}\)|\[[ \t,;]{0,20}\]", "", text)
    text = re.sub(r"[ \t\u00a0]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", re.sub(r" ([,.;:)!?])(?!\w)", r"\1", text))
    text = re.sub(r"\n{3,}", "\n\n", re.sub(r"(?m)^- *$\n?", "", text)).strip()
    return re.sub("\x7f(\\d+)\x7f", lambda found: converter.kept[int(found.group(1))], text)


@final
class _Converter:
    """Walks over the source once; what must stay as it is (formulas, listings) is put aside into ``kept``."""

    def __init__(self, source: str):
        self.source = source.replace("\x7f", " ")
        self.out: list[str] = []
        self.kept: list[str] = []
        self.braces = matching(self.source)
        self.environments = _environments(self.source)
        self.searched: dict[str, int] = {}  # closing mark of a formula -> up to where there is none: no stretch is searched twice

    def convert(self, at: int, end: int, depth: int) -> None:
        while at < end:
            found = _TOKEN.search(self.source, at, end)
            self._say(self.source[at : found.start() if found else end])
            if not found:
                return
            at = max(found.end(), self._token(found, end, depth))

    def _token(self, found: re.Match[str], end: int, depth: int) -> int:
        """Says what the token shows; where to go on."""
        which, environment, command, character, dollar, mark, dash = found.groups()
        if which == "begin":
            return self._environment(environment, found, end, depth)
        if command:
            return self._command(command, found.end(), end, depth)
        if character:
            return self._character(character, found.end(), end)
        if dollar:
            return self._formula(found.start(), found.end(), dollar, end)
        if dash:
            self.out.append(_DASHES[dash])
        elif mark in ("~", "&"):
            self.out.append(" ")
        elif which == "end":
            self.out.append("\n\n")
        return found.end()

    def _say(self, text: str) -> None:
        self.out.append(_BLANK_LINE.sub(lambda found: "\n\n" if found.group().count("\n") > 1 else " ", text))

    def _keep(self, text: str, around: str = "") -> None:
        self.out.append(f"{around}\x7f{len(self.kept)}\x7f{around}")
        self.kept.append(text)

    def _environment(self, name: str, found: re.Match[str], end: int, depth: int) -> int:
        inside = self.environments.get(found.start())
        plain = name.rstrip("*")
        if inside is None or inside[1] > end:
            self.out.append("\n\n")
            return found.end()
        if plain in _MATH:
            self._keep(_LABEL.sub("", self.source[found.start() : inside[1]]), "\n\n")
        elif plain in _VERBATIM:
            self._keep(self.source[found.end() : inside[0]].strip("\n"), "\n\n")
        elif plain in _FLOATS:
            for caption in re.finditer(r"\\caption\*?[ \t]*(?:\[[^\[\]]{0,300}\])?[ \t]*(?=\{)", self.source[found.end() : inside[0]]):
                at = found.end() + caption.end()
                self.out.append("\n\n")
                self._group(at, inside[0], depth)
            self.out.append("\n\n")
        elif plain not in _DROPPED:
            self.out.append("\n\n")
            at = self._after_option(found.end(), inside[0])
            return self._after_groups(at, inside[0], 1) if plain in _WITH_ARGUMENT else at
        return inside[1]

    def _command(self, name: str, at: int, end: int, depth: int) -> int:
        plain = name.rstrip("*")
        if plain in _SYMBOLS:
            self.out.append(_SYMBOLS[plain])
            return at + 2 if self.source.startswith("{}", at) else at
        if plain in _ACCENTS:
            return self._accent(plain, at, end)
        if plain == "xspace":
            self.out.append("" if self.source[at : at + 1] in ",.;:!?)'}-/~]" else " ")
            return at
        if plain in _HEADINGS:
            self.out.append("\n\n")
            at = self._group(self._after_option(at, end), end, depth)
            self.out.append("\n\n")
            return at
        if plain == "item":
            self.out.append("\n- ")
            return self._after_option(at, end)
        if plain == "verb":
            close = self.source.find(self.source[at : at + 1], at + 1, min(end, at + 500))
            if close > at:
                self._keep(self.source[at + 1 : close])
                return close + 1
            return at
        at = self._after_option(at, end)
        if plain in _SILENT:
            return self._after_groups(at, end, _SILENT[plain])
        return self._after_groups(at, end, 1) if plain in _FIRST_SILENT else at

    def _character(self, character: str, at: int, end: int) -> int:
        if character in "([":
            return self._formula(at - 2, at, "\\)" if character == "(" else "\\]", end)
        if character in _ACCENTS:
            return self._accent(character, at, end)
        if character == "\\":
            self.out.append(" ")
            return self._after_option(_STAR.match(self.source, at, end).end(), end)  # type: ignore[union-attr]
        self.out.append({"\n": " ", ",": " ", ";": " ", " ": " ", "/": "", "-": "", "!": "", ":": " ", "@": ""}.get(character, character))
        return at

    def _formula(self, start: int, inside: int, close: str, end: int) -> int:
        """From its opening at ``start`` to its closing mark, as it stands; the mark alone goes where there is no other."""
        at = max(inside, self.searched.get(close, 0))
        limit = min(end, inside + _MAX_INLINE)
        while (at := self.source.find(close, at, limit)) >= 0:
            if close[0] == "$" and self.source[at - 1] == "\\" and self.source[at - 2] != "\\":
                at += 1
                continue
            stop = at + len(close)
            display = close in ("$$", "\\]")
            self._keep(_LABEL.sub("", self.source[start:stop]), "\n\n" if display else "")
            return stop
        self.searched[close] = max(self.searched.get(close, 0), limit - len(close) + 1)
        return inside

    def _accent(self, accent: str, at: int, end: int) -> int:
        found = re.compile(r"\s*(?:\{\s*\\?([A-Za-z]?)\s*\}|\\([ij])(?![A-Za-z])|([A-Za-z]))").match(self.source, at, end)
        if not found:
            return at
        letter = next((group for group in found.groups() if group), "")
        self.out.append(unicodedata.normalize("NFC", letter + _ACCENTS[accent]) if letter else "")
        return found.end()

    def _after_option(self, at: int, end: int) -> int:
        if self.source.startswith("[", at) and at < end:
            close = self.source.find("]", at, min(end, at + 500))
            return close + 1 if close > 0 else at
        return at

    def _after_groups(self, at: int, end: int, count: int) -> int:
        for _ in range(count):
            while (after := self._after_option(at, end)) > at:
                at = after
            close = self.braces.get(at, -1)
            if not at < close < end:
                return at
            at = close + 1
        return at

    def _group(self, at: int, end: int, depth: int) -> int:
        """The text of the group that opens at ``at``; where it ends."""
        close = self.braces.get(at, -1)
        if not at < close < end or depth >= _MAX_DEPTH:
            return at
        self.convert(at + 1, close, depth + 1)
        return close + 1


def _environments(source: str) -> dict[int, tuple[int, int]]:
    r"""Place of ``\begin`` -> (where its ``\end`` begins, where that ends)."""
    pairs: dict[int, tuple[int, int]] = {}
    opened: dict[str, list[int]] = {}
    for found in _ENVIRONMENT.finditer(source):
        starts = opened.setdefault(found.group(2), [])
        if found.group(1) == "begin":
            starts.append(found.start())
        elif starts:
            pairs[starts.pop()] = (found.start(), found.end())
    return pairs
