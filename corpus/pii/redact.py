"""Replaces personal data by placeholders that say what kind was there and nothing else.

redact_text("Write to anna@example.com") -> "Write to [EMAIL]"
redact_url("http://example.com/?u=anna%40example.com") -> "http://example.com/?u=[EMAIL]"
"""

import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from corpus.pii.detect import find
from corpus.pii.kinds import CREDENTIAL, IP_PRIVATE, IPV4, IPV6, KINDS, NATIONAL_ID, Span

_NAMES = {IPV4: "IP", IPV6: "IP", IP_PRIVATE: "IP", NATIONAL_ID: "ID", CREDENTIAL: "SECRET"}
# A piece of a URL without any of these holds nobody's datum: most are not searched.
_WORTH_A_LOOK = re.compile(
    r"[@%]|[0-9](?:[^0-9]{0,3}[0-9]){6}|[([{<]at[)\]}>]|[A-Za-z0-9_-]{20}|[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|::|[0-9]\w?\+[A-Z]",
    re.IGNORECASE,
)
_SECRET_KEY = re.compile(
    r"(?:[\w-]{0,20}[_-])?(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|auth|sig|signature|session(?:id)?|sid|jwt)",
    re.IGNORECASE,
)
PLACEHOLDERS = {kind: f"[{_NAMES.get(kind, kind.upper())}]" for kind in KINDS}


def replace(text: str, spans: Sequence[Span], by: Callable[[Span], str]) -> str:
    """The text with each span replaced; spans in order and disjoint, as ``find`` gives them."""
    parts, at = [], 0
    for span in spans:
        parts += [text[at : span.start], by(span)]
        at = span.end
    return "".join(parts) + text[at:] if parts else text


def redact_text(text: str) -> str:
    """Every kind by its placeholder. Redacting again changes nothing: what a placeholder has uncovered beside it goes too."""
    for _ in range(4):
        spans = find(text)
        if not spans:
            break
        text = replace(text, spans, lambda span: PLACEHOLDERS[span.kind])
    return text


def redact_url(url: str) -> str:
    """As ``redact_text``, looking also behind percent-encoding, and at digits that ``=`` or ``/`` would hide. Hosts that are addresses
    stay: an address is where the page was, not somebody's datum.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return redact_text(url)
    authority, slash, path = rest.partition("/")
    if "@" in authority:  # user and password before the host
        authority = PLACEHOLDERS[CREDENTIAL] + "@" + authority.rpartition("@")[2]
    if not slash:
        host, question, query = authority.partition("?")
        return f"{scheme}://{host}{question}{_redact_parts(query)}"
    return f"{scheme}://{authority}/{_redact_parts(path)}"


def _redact_parts(path: str) -> str:
    """Each piece between separators on its own, decoded for the search; a piece without a find stays as it was written. The value of
    a key that is called a password or a token goes whatever it is.
    """
    pieces = re.split("([/?&=;#])", path)
    for at in range(0, len(pieces), 2):
        if at > 1 and pieces[at - 1] == "=" and pieces[at] and _SECRET_KEY.fullmatch(pieces[at - 2]):
            pieces[at] = PLACEHOLDERS[CREDENTIAL]
        elif _WORTH_A_LOOK.search(pieces[at]):
            pieces[at] = _redact_piece(pieces[at])
    return "".join(pieces)


def _redact_piece(piece: str) -> str:
    decoded = unquote(piece.replace("+", " ") if not piece.startswith("+") else piece)
    redacted = redact_text(decoded)
    return piece if redacted == decoded else redacted.replace(" ", "+")
