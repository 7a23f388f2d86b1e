"""Numbers that states give to persons, each with its check digits; a number whose shape says little counts only after a word for it.

find("CPF 111.444.777-35") -> [Span("national_id", 4, 18)]
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

from corpus.pii import checksums
from corpus.pii.kinds import NATIONAL_ID, Span

_BEFORE = r"(?<![\w.,/+-])"
_AFTER = r"(?!\w|[.,/-]\w)"
_NEAR = 48  # characters before a number in which a word may vouch for it


@final
@dataclass(frozen=True)
class Shape:
    """``check`` gets the match without separators; ``word`` must stand before the match where it is given."""

    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    word: re.Pattern[str] | None = None


def _shape(pattern: str, check: Callable[[str], bool], word: str = "") -> Shape:
    near = re.compile(rf"(?<![A-Za-z])(?:{word})[^\n]{{0,30}}$", re.IGNORECASE) if word else None
    return Shape(re.compile(_BEFORE + pattern + _AFTER), check, near)


_US_WORD = r"ssn|social security|soc\.? sec|itin\b|tax ?payer id"

# Every match holds seven digits with at most one separator between two.
NUMBERS = (
    _shape(r"[0-9]{3}-[0-9]{2}-[0-9]{4}", checksums.us_ssn),
    _shape(r"[0-9]{3}[ .]?[0-9]{2}[ .]?[0-9]{4}", checksums.us_ssn, _US_WORD),
    _shape(r"9[0-9]{2}[ -]?[5-9][0-9][ -]?[0-9]{4}", lambda digits: True, r"itin\b|individual taxpayer"),
    _shape(r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", checksums.cpf),
    _shape(r"[0-9]{11}", checksums.cpf, "cpf"),
    _shape(r"(?<![0-9] )[2-9][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}(?![ -][0-9])", checksums.aadhaar),
    _shape(r"[2-9][0-9]{11}", checksums.aadhaar, "aadh?aar|uid"),
    _shape(r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", checksums.french_nir),
    _shape(r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}", checksums.nhs_number, "nhs"),
    _shape(r"[0-9]{11}", checksums.pesel, "pesel"),
    _shape(r"[0-9]{4}[ .]?[0-9]{2}[ .]?[0-9]{3}", checksums.bsn, "bsn|burgerservice|sofi"),
    _shape(r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", checksums.german_tax_id, "steuer|identifikationsnummer|idnr|tax id"),
    _shape(r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", checksums.belgian_register),
    _shape(r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}", checksums.swiss_ahv),
    _shape(r"(?:19|20)?[0-9]{6}[-+]?[0-9]{4}", checksums.dated_luhn, "personnummer|personal (?:identity )?number|samordningsnummer"),
    _shape(r"[0-9]{6} ?[0-9]{5}", checksums.norwegian_number, "f[øo]dselsnummer|personnummer|national identity"),
    _shape(r"[0-3][0-9][01][0-9]{3}-?[0-9]{4}", lambda digits: True, "cpr"),
    _shape(r"[1-9][0-9]{10}", checksums.turkish_number, "kimlik|tc(?:kn)?|t\\.c\\."),
    _shape(r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}", checksums.luhn, "sin\\b|social insurance"),
    _shape(r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", checksums.australian_tax_number, "tfn|tax file"),
    _shape(r"[0-9]{9}", checksums.portuguese_nif, "nif|contribuinte"),
    _shape(r"[0-9]{6}-[1-8][0-9]{6}", checksums.korean_number),
    _shape(r"[0-9]{13}", checksums.luhn, "south african id|rsa id|\\bid number|identity number"),
)
# Every match holds a word of eight letters and digits or more, four of them digits, or seven digits.
CODES = (
    _shape(r"(?:[0-9]{8}|[XYZxyz]-?[0-9]{7})-?[A-Z]", checksums.spanish_id),
    _shape(r"[1-9][0-9]{16}[0-9Xx]", checksums.chinese_id),
    _shape(r"(?i:[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z])", checksums.italian_code),
    _shape(r"[0-9]{6}[-+A][0-9]{3}[0-9A-Y]", checksums.finnish_code),
    _shape(r"[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]", checksums.mexican_curp),
    _shape(r"[A-Z]{3}[ABCFGHLJPT][A-Z][0-9]{4}[A-Z]", lambda text: True, "pan\\b|permanent account"),
    _shape(r"[0-9]{7}[A-W][A-IW]?", lambda text: True, "ppsn?"),
    _shape(
        r"(?!BG|GB|KN|NK|NT|TN|ZZ)[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z][0-9]{6}[A-D]",
        lambda text: True,  # a British number has no check digit: its shape, and a word before it
        "national insurance|nino|ni n|ni:",
    ),
)


def numbers(text: str, start: int, end: int) -> Iterator[Span]:
    yield from _matches(NUMBERS, text, start, end)


def codes(text: str, start: int, end: int) -> Iterator[Span]:
    yield from _matches(CODES, text, start, end)


def _matches(shapes: tuple[Shape, ...], text: str, start: int, end: int) -> Iterator[Span]:
    for shape in shapes:
        for found in shape.pattern.finditer(text, start, end):
            if shape.word and not shape.word.search(text, max(0, found.start() - _NEAR), found.start()):
                continue
            if shape.check(re.sub(r"[ .+-]", "", found.group()) if shape.check is not checksums.finnish_code else found.group()):
                yield Span(NATIONAL_ID, found.start(), found.end())
