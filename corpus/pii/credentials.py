"""Keys, tokens and passwords: by the prefixes that their issuers gave them, or by the name that they are assigned to.

find("password = 'h7Gk29xQ!t'") -> [Span("credential", 12, 22)]
"""

import math
import re
from collections import Counter
from collections.abc import Iterator

from corpus.pii.kinds import CREDENTIAL, Span, beginning

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,8000}?-----END (?:[A-Z]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
)
_TOKEN = re.compile(r"(?<!\w)eyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{8,1000}(?!\w)", re.ASCII)
_PREFIXED = re.compile(
    r"(?<!\w)(?:"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}"  # Amazon
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}"
    r"|glpat-[\w-]{20,64}"  # GitLab
    r"|xox[abeprs]-[A-Za-z0-9-]{10,250}"  # Slack
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,99}|whsec_[A-Za-z0-9+/]{24,64}"  # Stripe
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,250}|GOCSPX-[\w-]{28}"  # Google
    r"|sk-(?:proj-|ant-|or-v1-)?[\w-]{20,200}"  # OpenAI, Anthropic
    r"|hf_[A-Za-z]{34}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,250}|dop_v1_[a-f0-9]{64}"
    r"|SG\.[\w-]{22}\.[\w-]{43}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|key-[0-9a-f]{32}"
    r")(?!\w)",
    re.ASCII,
)
_ASSIGNED = re.compile(
    r"(?<![A-Za-z])(?:(?P<chosen>pass(?:word|wd|phrase|wort)|passwd|pwd|contrase(?:ñ|n)a|mot de passe)|"
    r"api[_-]?key|secret(?:[_-]?(?:access[_-]?)?key)?|access[_-]?(?:token|key)|auth(?:orization|[_-]?token)|client[_-]?secret|private[_-]?key|bearer|token)"
    r"[\"']?\s{0,3}(?:[:=]|=>|\bis\b|(?<=bearer))\s{0,3}[\"'`]?(?:(?:bearer|basic|token)\s)?(?P<value>[^\s\"'`<>&,;]{7,200})",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"://[^\s/:@]{1,64}:([^\s/:@]{3,200})@")
_PLACEHOLDERS = frozenset(("pass", "password", "passwd", "pwd", "pw", "secret", "token", "xxx", "xxxx", "xxxxx", "example"))  # of manuals
_REDIRECT = re.compile(r"^(?:os\.|process\.|env\.|get|config|self\.|this\.|\w{1,40}\()", re.IGNORECASE)  # code that reads it elsewhere
# Not a password, but how one is kept.
_ALGORITHM = re.compile(r"(?:scram-)?(?:sha-?[0-9]{1,3}|md5sums?|base64|bcrypt2?|pbkdf2|argon2(?:id?)?)\W?", re.IGNORECASE)
_ENTROPY_BITS = 3.0  # a character: words of eight letters lie below 2.8, random keys above 3.2; seven characters cannot reach it
_CHOSEN_BITS = 2.7  # of what people choose and can remember: hunter2 has 2.8, P@ssw0rd 2.75


def credentials(text: str, start: int, end: int) -> Iterator[Span]:
    """Those that begin in [start, end): all begin with their anchor."""
    for pattern in (_PREFIXED, _TOKEN, _PRIVATE_KEY):
        for found in beginning(pattern, text, start, end):
            yield Span(CREDENTIAL, found.start(), found.end())
    for found in beginning(_ASSIGNED, text, start, end):
        if is_random(found["value"], _CHOSEN_BITS if found["chosen"] else _ENTROPY_BITS):
            yield Span(CREDENTIAL, *found.span("value"))


def url_passwords(text: str, start: int, end: int) -> Iterator[Span]:
    """``https://user:password@host``"""
    for found in _IN_URL.finditer(text, start, end):
        if found.group(1).lower() not in _PLACEHOLDERS:
            yield Span(CREDENTIAL, *found.span(1))


def is_random(value: str, bits: float) -> bool:
    """Digits and letters mixed, and so many bits a character as words have not: ``hunter2secret!`` but not ``your_password``."""
    if value.startswith(("[", "{", "$", "%", "(", "*", "http")) or _REDIRECT.match(value) or _ALGORITHM.fullmatch(value):
        return False
    if not (re.search(r"[0-9]", value) and re.search(r"[A-Za-z]", value)):
        return False
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())
    return entropy >= bits
