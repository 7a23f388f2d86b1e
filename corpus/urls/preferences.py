"""AI usage preferences as IETF's AIPREF group writes them: a dictionary of labels, each ``y`` or ``n``.

The syntax is that of draft-ietf-aipref-attach-05 and -vocab-08 (2026): an RFC 9651 dictionary in the header ``Content-Usage`` or in a
rule of robots.txt, whose path earlier drafts let one leave out. Labels of earlier drafts (``train-genai``, ``all``, ``bots``) and of
Cloudflare's ``Content-Signal`` (``ai-train=no``), which many sites still serve, are understood as well.

    may_train("train-ai=n, search=y") -> False
"""

import re
from collections.abc import Iterable

MAX_CHARACTERS = 2000
# From the special to the general: the first that is stated decides on the training of a language model.
TRAINING = ("train-genai", "train-ai", "ai-train", "bots", "all")
_SAYS = {"y": True, "n": False, "yes": True, "no": False}

_KEY = r"[a-z*][a-z0-9_.*-]*"
_ITEM = r'"(?:[^"\\]|\\["\\])*"|%"[^"]*"|:[A-Za-z0-9+/=]*:|\?[01]|@?-?\d{1,15}(?:\.\d{1,3})?|[A-Za-z*][A-Za-z0-9!#$%&\'*+.^_`|~:/-]*'
_PARAMETERS = rf"(?:; *{_KEY}(?:=(?:{_ITEM}))?)*"
_INNER = rf"\( *(?:(?:{_ITEM}){_PARAMETERS}(?: +|(?=\))))*\)"
_MEMBER = re.compile(rf"({_KEY})(?:=({_ITEM}|{_INNER}))?{_PARAMETERS}")
_COMMA = re.compile(r"[ \t]*,[ \t]*")


def parse_preferences(text: str) -> dict[str, str]:
    """Label -> value as it is written (``?1`` where there is none), the last of each; empty where the dictionary is malformed."""
    text, found, at = text[:MAX_CHARACTERS].strip(" "), {}, 0
    while at < len(text):
        member = _MEMBER.match(text, at)
        if not member:
            return {}
        found[member[1]] = member[2] or "?1"
        at = member.end()
        if at < len(text):
            comma = _COMMA.match(text, at)
            if not comma or comma.end() == len(text):
                return {}
            at = comma.end()
    return found


def may_train(text: str) -> bool | None:
    """May a language model be trained on it? None: nothing is said."""
    stated = parse_preferences(text)
    return next((_SAYS[stated[label]] for label in TRAINING if stated.get(label) in _SAYS), None)


def most_restrictive(answers: Iterable[bool | None]) -> bool | None:
    """Of several statements one refusal counts, else one permission (draft-ietf-aipref-vocab, combining preferences)."""
    given = {answer for answer in answers if answer is not None}
    return None if not given else False not in given
