"""E-mail addresses, also as people hide them from harvesters, and handles.

find("anna at example dot com") -> [Span("email", 0, 23)]

All patterns here read folded text (corpus.kernels.folding), and every match holds the anchor of its class (corpus.kernels.anchors).
"""

import re
from collections.abc import Iterator

from corpus.pii.kinds import EMAIL, HANDLE, Span

_EMAIL = re.compile(r"(?<![\w.+%-])\w[\w.+%'-]{0,63}@(?:\w(?:[\w-]{0,61}\w)?\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_SPACED = re.compile(
    r"(?<![\w.+%@-])(\w[\w.+-]{0,63})(?: @ ?| ?@ | ?[\[({<] ?@ ?[\])}>] ?)(\w[\w-]{0,61}(?:(?: ?\. ?)\w[\w-]{0,61}){0,3}"
    r" ?\. ?[A-Za-z]{2,10})(?![\w@-])"
)
_SPACE_BESIDE = re.compile(r"[ (\[{<]@|@ ")
_IN_BRACKETS = re.compile(r"[\[({<] ?@")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp")  # for screens of twice the density: logo@2x.png
_MACHINES = ("git@", "hg@", "svn@")  # how a repository is cloned

_LOCAL = r"(?<![\w.+-])(?P<local>\w[\w.+-]{0,63}(?:(?: dot |\s?[\[({<]dot[\])}>]\s?)\w[\w+-]{0,63}){0,3})"
_LABEL = r"[^\W_][\w-]{0,61}"
_BRACKETED_AT = r"\s{0,2}[\[({<]\s?(?:at|arroba|arobase)\s?[\])}>]\s{0,2}"
_BRACKETED_DOT = r"\s{0,2}[\[({<]\s?(?:dot|\.|punkt|punto|ponto|point)\s?[\])}>]\s{0,2}"
_WORD_DOT = r"\s(?:dot|punkt|punto|ponto)\s"
_TOP = r"(?P<top>[A-Za-z]{2,10})(?![\w-])"
_BRACKETED = re.compile(
    rf"{_LOCAL}{_BRACKETED_AT}(?P<domain>{_LABEL})(?:(?:{_BRACKETED_DOT}|{_WORD_DOT}|\.){_LABEL}){{0,3}}(?:{_BRACKETED_DOT}|{_WORD_DOT}|\.){_TOP}",
    re.IGNORECASE,
)
_WORDS = re.compile(
    rf"{_LOCAL}\s(?:at\s(?P<domain>{_LABEL})(?:(?:{_WORD_DOT}|\.){_LABEL}){{0,3}}(?:\s{{0,2}}[\[({{<]\s?dot\s?[\])}}>]\s{{0,2}}|\sdot\s)"
    rf"|arroba\s(?P<dominio>{_LABEL})(?:(?:{_WORD_DOT}|\.){_LABEL}){{0,3}}(?:{_BRACKETED_DOT}|{_WORD_DOT}|\.)){_TOP}",
    re.IGNORECASE,
)
_PROVIDER = re.compile(
    rf"{_LOCAL} at (?P<domain>gmail|googlemail|yahoo|hotmail|outlook|icloud|protonmail)\.(?P<top>com|de|net|fr|org|me|co\.uk)(?![\w-])",
    re.IGNORECASE,
)
_TOPS = re.compile(
    "(?:com|org|net|edu|gov|mil|int|info|biz|io|co|me|dev|app|eu|uk|us|ca|au|nz|ie|de|at|ch|fr|be|nl|lu|es|pt|it|gr|se|no|dk|fi|is|pl|cz|sk|hu|ro|"
    "bg|hr|si|rs|ua|ru|tr|il|in|cn|jp|kr|tw|hk|sg|my|id|th|vn|ph|br|ar|mx|cl|za|ng|ke|eg|ae|sa)"
)
_NO_NAMES = re.compile("(?:the|a|an|this|that|these|those|our|your|my|his|her|its|their|look|at|us|me|you|it|is|was|available|be|or|and)")
_MAIL_WORD = re.compile(r"(?:mail|contact|write|reach|email|e-mail|message)\W{0,3}(?:\w{1,12}\W{1,3}){0,3}$", re.IGNORECASE)
_NEAR = 40

_HANDLE = re.compile(r"(?<![\w@./=-])@[A-Za-z_]\w{1,29}(?![\w@(]|[.-]\w)")


def emails(text: str, start: int, end: int) -> Iterator[Span]:
    """Addresses with an ``@``; with spaces around it only where a dot, a digit or an underscore says that a name is meant."""
    for found in _EMAIL.finditer(text, start, end):
        if not found.group().lower().endswith(_PICTURES) and not found.group().startswith(_MACHINES):
            yield Span(EMAIL, found.start(), found.end())
    if not _SPACE_BESIDE.search(text, start, end):
        return
    for found in _SPACED.finditer(text, start, end):
        top = found.group(2).rpartition(".")[2].strip().lower()
        if _TOPS.fullmatch(top) and (
            _IN_BRACKETS.search(found.group()) or re.search(r"[\d._]", found.group(1)) or " ." in found.group(2) or ". " in found.group(2)
        ):
            yield Span(EMAIL, found.start(), found.end())


def hidden_emails(text: str, start: int, end: int) -> Iterator[Span]:
    """``name (at) domain [dot] com``, ``name at domain dot com``, and ``first.last at gmail.com``."""
    for pattern in (_BRACKETED, _WORDS, _PROVIDER):
        for found in pattern.finditer(text, start, end):
            local = found["local"].lower()
            if not _TOPS.fullmatch(found["top"].lower()) and pattern is not _PROVIDER:
                continue
            if pattern is not _BRACKETED and (_NO_NAMES.fullmatch(local) or _NO_NAMES.fullmatch((found["domain"] or "").lower())):
                continue
            before = max(0, found.start() - _NEAR), found.start()
            if pattern is _PROVIDER and not re.search(r"[\d._]", local) and not _MAIL_WORD.search(text, *before):
                continue
            yield Span(EMAIL, found.start(), found.end())


def handles(text: str, start: int, end: int) -> Iterator[Span]:
    """``@name`` as social networks write it."""
    for found in _HANDLE.finditer(text, start, end):
        yield Span(HANDLE, found.start(), found.end())
