"""Finds personal data in text: spans with a kind, by bounded patterns whose finds are then validated.

A pattern only proposes; a check digit, ``ipaddress`` or ``phonenumbers`` decides. (``phonenumbers``' own matcher over a whole text takes
2.7 ms; validating a candidate, 0.05.) Every quantifier is bounded, and text without the character that a kind needs is not scanned for it.

    find("Write to anna@example.com") -> [Span("email", 9, 25)]
"""

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import phonenumbers

from corpus.pii import checksums

EMAIL, PHONE, IPV4, IPV6, IP_PRIVATE, IBAN, CARD, NATIONAL_ID, CREDENTIAL = (
    "email", "phone", "ipv4", "ipv6", "ip_private", "iban", "card", "national_id", "credential",
)  # fmt: skip
KINDS = (CREDENTIAL, EMAIL, IBAN, CARD, NATIONAL_ID, IPV4, IPV6, IP_PRIVATE, PHONE)  # where two overlap, the earlier kind wins


@final
@dataclass(frozen=True, order=True)
class Span:
    """Characters [start, end) of the text are of ``kind``."""

    kind: str
    start: int
    end: int


_EMAIL = re.compile(r"(?<![\w.+%-])[\w][\w.+%'-]{0,63}@(?:[\w](?:[\w-]{0,61}[\w])?\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_VERSION_BEFORE = re.compile(r"(?:version|release|\bver\.?|\bv\.?|section|chapter|§|firmware|build)[\s:#=-]{0,3}$", re.IGNORECASE)
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?:(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{1,4}){3,8}(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![\w.,+-])\d(?:[ -]?\d){12,18}(?![\w]|[.,-]\d)")
_PHONE = re.compile(r"(?<![\w.,/=&%#$€£+-])(?:\+|00)?\(?\d(?:[ .\-–/()\u00a0\u2011]{0,3}\d){6,16}(?![\w/=%]|[.,-]\d)")
_PHONE_WORD = re.compile(
    r"(?:phone|tel|fon|fax|mobil|call|cell|whatsapp|handy|rufnummer|hotline|тел|факс|电话|電話|هاتف|فون|फ़ोन|फोन|दूरभाष|tél)\w{0,12}\W{0,12}$",
    re.IGNORECASE,
)
_DATE_LIKE = re.compile(
    r"^(?:(?:19|20)\d\d[ .\-–/]\d{1,2}[ .\-–/]\d{1,2}\D?|\d{1,2}[ .\-–/]\d{1,2}[ .\-–/](?:19|20)\d\d\D?"
    r"|(?:1[5-9]|20)\d\d\W{1,3}(?:1[5-9]|20)\d\d)"
)
_RESERVED_US = re.compile(r"^1?[2-9]\d{2}55501\d\d$")  # 555-0100 to 555-0199: fiction, which phonenumbers holds for invalid
_NEAR = 24  # characters before a candidate in which a word may vouch for it

_IDS: tuple[tuple[re.Pattern[str], Callable[[str], bool], re.Pattern[str] | None], ...] = (
    (re.compile(r"(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w-])"), checksums.us_ssn, None),
    (re.compile(r"(?<![\w.-])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])"), checksums.cpf, None),
    (re.compile(r"(?<![\w.-])[2-9]\d{3} \d{4} \d{4}(?![\w-])"), checksums.aadhaar, None),
    (re.compile(r"(?<![\w.-])[1-9]\d{16}[\dXx](?![\w-])"), checksums.chinese_id, None),
    (re.compile(r"(?<![\w.-])(?:\d{8}|[XYZxyz]-?\d{7})-?[A-Z](?![\w-])"), checksums.spanish_id, None),
    (re.compile(r"(?<![\w.-])[12] ?\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{3} ?\d{2}(?![\w-])"), checksums.french_nir, None),
    (re.compile(r"(?<!\w)[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z](?!\w)"), checksums.italian_code, None),
    (
        re.compile(r"(?<!\w)(?!BG|GB|KN|NK|NT|TN|ZZ)[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)"),
        lambda text: True,  # a British number has no check digit: its shape, and a word before it
        re.compile(r"national insurance|\bnino\b|\bni n", re.IGNORECASE),
    ),
)
_SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "-----BEGIN",
        re.compile(r"-----BEGIN (?:[A-Z]{2,10} ){0,3}PRIVATE KEY-----[\s\S]{0,8000}?-----END (?:[A-Z]{2,10} ){0,3}PRIVATE KEY-----"),
    ),
    ("A", re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")),
    ("gh", re.compile(r"(?<!\w)(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})(?!\w)")),
    ("glpat-", re.compile(r"(?<!\w)glpat-[\w-]{20,64}(?!\w)")),
    ("xox", re.compile(r"(?<!\w)xox[abprs]-[A-Za-z0-9-]{10,250}(?!\w)")),
    ("_live_", re.compile(r"(?<!\w)[sr]k_live_[A-Za-z0-9]{16,99}(?!\w)")),
    ("AIza", re.compile(r"(?<!\w)AIza[\w-]{35}(?!\w)")),
    ("sk-", re.compile(r"(?<!\w)sk-(?:proj-|ant-)?[\w-]{20,200}(?!\w)")),
    ("eyJ", re.compile(r"(?<!\w)eyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{8,1000}(?!\w)")),
)
_ASSIGNED = re.compile(
    r"(?<![A-Za-z])(?:pass(?:word|wd|phrase)|api[_-]?key|secret(?:[_-]?key)?|access[_-]?token|auth[_-]?token|client[_-]?secret)"
    r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?([^\s\"'<>&,;]{8,200})",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"://[^\s/:@]{1,64}:([^\s/:@]{3,200})@")
_ENTROPY_BITS = 3.0  # a character: words of eight letters lie below 2.8, random keys above 3.2


def find(text: str) -> list[Span]:
    """All spans, in the order of the text, none overlapping another."""
    candidates = [span for finder, needs in _FINDERS for span in (finder(text) if any(map(text.__contains__, needs)) else ())]
    taken: list[Span] = []
    for span in sorted(candidates, key=lambda span: (KINDS.index(span.kind), span.start, -span.end)):
        if all(span.end <= other.start or other.end <= span.start for other in taken[-200:]):
            taken.append(span)
    return _disjoint(sorted(taken, key=lambda span: (span.start, span.end)))


def _disjoint(ordered: list[Span]) -> list[Span]:
    """Of spans that still overlap (in texts with more than 200), the first."""
    kept: list[Span] = []
    for span in ordered:
        if not kept or kept[-1].end <= span.start:
            kept.append(span)
    return kept


def _emails(text: str) -> Iterator[Span]:
    for at in _around(text, "@", 320):
        for found in _EMAIL.finditer(text, *at):
            if "." in found.group() and not found.group().endswith((".png", ".jpg", ".gif", ".svg", ".webp")):  # retina images: logo@2x.png
                yield Span(EMAIL, found.start(), found.end())


def _around(text: str, mark: str, width: int) -> Iterator[tuple[int, int]]:
    """Disjoint windows around the places where ``mark`` stands: what is far from all of them is never scanned."""
    start = end = -1
    at = text.find(mark)
    while at >= 0:
        if start >= 0 and at - width <= end:
            end = min(len(text), at + width)
        else:
            if start >= 0:
                yield start, end
            start, end = max(0, at - width), min(len(text), at + width)
        at = text.find(mark, at + 1)
    if start >= 0:
        yield start, end


def _ipv4(text: str) -> Iterator[Span]:
    for found in _IPV4.finditer(text):
        if _VERSION_BEFORE.search(text, max(0, found.start() - _NEAR), found.start()):
            continue
        try:
            address = ipaddress.IPv4Address(found.group())
        except ValueError:
            continue
        if found.group().startswith("0."):  # a network, or a version: 0.9.2.1
            continue
        yield Span(IPV4 if address.is_global else IP_PRIVATE, found.start(), found.end())


def _ipv6(text: str) -> Iterator[Span]:
    for found in _IPV6.finditer(text):
        if found.group().count(":") < 3 and "::" not in found.group():  # times of day
            continue
        try:
            address = ipaddress.IPv6Address(found.group())
        except ValueError:
            continue
        if len(found.group()) < 6 and not any(character.isdigit() for character in found.group()):  # std::, a::b
            continue
        yield Span(IPV6 if address.is_global else IP_PRIVATE, found.start(), found.end())


def _ibans(text: str) -> Iterator[Span]:
    for found in _IBAN.finditer(text):
        compact = re.sub(r"[ -]", "", found.group())
        length = checksums.IBAN_LENGTHS.get(compact[:2], 0)
        if 0 < length <= len(compact) and checksums.iban(compact[:length]):  # a following word in capitals may have been taken along
            end, seen = found.start(), 0
            while seen < length:
                seen += text[end] not in " -"
                end += 1
            yield Span(IBAN, found.start(), end)


def _cards(text: str) -> Iterator[Span]:
    for found in _CARD.finditer(text):
        digits = re.sub(r"\D", "", found.group())
        if checksums.card(digits):
            yield Span(CARD, found.start(), found.end())


def _ids(text: str) -> Iterator[Span]:
    for pattern, is_valid, context in _IDS:
        for found in pattern.finditer(text):
            compact = re.sub(r"[ .-]", "", found.group())
            if is_valid(compact) and (context is None or context.search(text, max(0, found.start() - 2 * _NEAR), found.start())):
                yield Span(NATIONAL_ID, found.start(), found.end())


def _credentials(text: str) -> Iterator[Span]:
    for needs, pattern in _SECRETS:
        if needs in text:
            for found in pattern.finditer(text):
                yield Span(CREDENTIAL, found.start(), found.end())
    for pattern in (_ASSIGNED, _IN_URL):
        for found in pattern.finditer(text):
            if pattern is _IN_URL or _is_random(found.group(1)):
                yield Span(CREDENTIAL, *found.span(1))


def _is_random(value: str) -> bool:
    """Digits and letters mixed, and more bits a character than words have: ``hunter2secret!`` but not ``your_password``."""
    if value.startswith(("[", "{", "$", "%", "(", "*")) or not (re.search(r"\d", value) and re.search(r"[A-Za-z]", value)):
        return False
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())
    return entropy >= _ENTROPY_BITS


def _phones(text: str) -> Iterator[Span]:
    for found in _PHONE.finditer(text):
        candidate = found.group()
        digits = re.sub(r"\D", "", candidate)
        vouched = bool(_PHONE_WORD.search(text, max(0, found.start() - _NEAR), found.start()))
        if _is_phone(candidate, digits, vouched):
            yield Span(PHONE, found.start(), found.end())


@lru_cache(maxsize=4096)
def _is_phone(candidate: str, digits: str, vouched: bool) -> bool:
    """Only forms that people write: with a plus; three groups in North America's shape; or any valid one after a word like ``Tel.``"""
    if not 7 <= len(digits) <= 15 or _DATE_LIKE.match(candidate) or len(set(digits)) < 3:
        return False
    if _RESERVED_US.match(digits):
        return True
    if candidate.startswith(("+", "00")):
        return _valid("+" + digits.removeprefix("00"), None)
    if re.match(r"^(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}[2-9]\d{2}[ .-]\d{4}$", candidate):
        return _valid(candidate, "US")
    if re.match(r"^[2-9]\d{2}-\d{4}$", candidate) and digits[:5] == "55501":
        return True
    if not vouched and not re.match(r"^\(?0\d{1,5}\)?[ /-]{1,3}\d{3,8}(?:[ -]\d{1,6}){0,4}$", candidate):
        return False
    return any(
        _valid(candidate, region)
        for region in (("DE", "GB", "FR", "IT", "ES", "RU", "IN", "CN", "US", "BR", "EG") if vouched else ("DE", "GB", "FR"))
    )


def _valid(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


_DIGITS = tuple("0123456789")
_FINDERS: tuple[tuple[Callable[[str], Iterator[Span]], tuple[str, ...]], ...] = (
    (_credentials, ("=", ":", "_", "-", "AKIA", "ASIA", "AIza")),
    (_emails, ("@",)),
    (_ibans, _DIGITS),
    (_cards, _DIGITS),
    (_ids, _DIGITS),
    (_ipv4, (".",)),
    (_ipv6, ("::", ":")),
    (_phones, _DIGITS),
)
