"""IBANs and payment cards: a shape proposes, check digits decide.

find("IBAN DE89 3704 0044 0532 0130 00") -> [Span("iban", 5, 32)]
"""

import re
from collections.abc import Iterator

from corpus.pii import checksums
from corpus.pii.kinds import CARD, IBAN, Span, is_alone

# Both look ahead only, so that a number in front ("2024 4111 1111 …") does not swallow the beginning of another.
_IBAN = re.compile(r"(?<![A-Za-z0-9])(?=([A-Za-z]{2}[0-9]{2}(?:[ .-]?[A-Za-z0-9]{1,4}){3,8})(?![A-Za-z0-9]))")
_CARD = re.compile(r"(?<![\w.,+/=-])(?=([0-9](?:[ .-]{0,2}[0-9]){11,18})(?!\w|[.,-][0-9]))")
_SPELT_OUT = re.compile(r"[0-9](?:[ .-][0-9]){11}")
_CARD_LENGTHS = (16, 15, 14, 19, 13, 12, 18, 17)
_CARD_WORD = re.compile(r"(?:card|\bcc\b|visa|master|maestro|amex|karte|carte|tarjeta|cart[aã]o|carta)\b", re.IGNORECASE)
_OTHER_NUMBER = re.compile(
    r"(?:isbn|issn|ean|gtin|upc|doi|imei|order|invoice|tracking|ticket|serial|reference|\bref|\bid|sku|timestamp|docket)[\s.:#]{0,3}"
    r"(?:no\.?|number|num|nr\.?|id|is)?[\s.:#]{0,3}$",
    re.IGNORECASE,
)
_NEAR = 48


def ibans(text: str, start: int, end: int) -> Iterator[Span]:
    for found in _IBAN.finditer(text, start, end):
        compact = re.sub(r"[ .-]", "", found.group(1)).upper()
        length = checksums.IBAN_LENGTHS.get(compact[:2], 0)
        if 0 < length <= len(compact) and checksums.iban(compact[:length]):  # a following word may have been taken along
            behind = _after(text, found.start(), length)
            if not text[behind : behind + 1].isalnum():
                yield Span(IBAN, found.start(), behind)


def cards(text: str, start: int, end: int) -> Iterator[Span]:
    """Lengths and issuers that other numbers share (EAN-13, Maestro) count only after a word for a card."""
    done = start
    for found in _CARD.finditer(text, start, end):
        if found.start() < done:
            continue
        before = max(0, found.start() - _NEAR), found.start()
        digits = re.sub(r"[^0-9]", "", found.group(1))
        for length in _CARD_LENGTHS:
            behind = _after(text, found.start(), length) if length <= len(digits) else 0
            if not behind or text[behind : behind + 1].isdigit():
                continue
            number = digits[:length]
            if _SPELT_OUT.match(text, found.start(), behind) and not is_alone(text, found.start(), behind):
                break
            if checksums.card(number) or (checksums.rare_card(number) and _CARD_WORD.search(text, *before)):
                if not _OTHER_NUMBER.search(text, *before):
                    yield Span(CARD, found.start(), behind)
                    done = behind
                break


def _after(text: str, start: int, length: int) -> int:
    """Behind ``length`` letters and digits from ``start`` on."""
    seen = 0
    while seen < length:
        seen += text[start] not in " .-"
        start += 1
    return start
