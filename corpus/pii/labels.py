"""What only a label before it tells from any other number: passports, driving licences, dates of birth, device addresses.

find("Passport No. X1234567") -> [Span("passport", 13, 21)]

The label is the anchor, and the match begins with it; what is found is only what stands behind it.
"""

import re
from collections.abc import Iterator

from corpus.pii.kinds import BIRTH_DATE, DRIVING_LICENCE, MAC, PASSPORT, Span, beginning

_NUMBER_WORD = r"(?:\W{0,3}(?:no\.?|number|num\.?|nr\.?|nummer|numero|número|numéro|n°|id|#|is|was|of|card|code|de|la|has|number is)(?![A-Za-z])){0,4}"
_FILL = r"[\s:#.,(\"'-]{1,5}"
_PASSPORT = re.compile(
    rf"(?<![A-Za-z])(?:passports?|passport-?nr|reisepass(?:nummer)?|passeport|pasaporte|passaporto|passaporte|paspoort|paszport){_NUMBER_WORD}"
    rf"{_FILL}((?=[A-Z0-9]{{0,8}}[0-9]{{4}})[A-Z0-9]{{6,9}})(?!\w|[.-]\w)",
    re.IGNORECASE,
)
_LICENCE = re.compile(
    r"(?<![A-Za-z])(?:driv(?:er'?s?|ing)\W{0,2}licen[cs]e|licen[cs]e (?:number|no\.?|#)|\bdl (?:no|number|#)|dln|f(?:ü|ue?)hrerschein(?:nummer)?|"
    r"permis de conduire|permiso de conducir|patente di guida|rijbewijs)"
    rf"{_NUMBER_WORD}{_FILL}((?=[A-Z0-9-]{{0,15}}[0-9]{{4}})[A-Z0-9]{{1,16}}(?:-[A-Z0-9]{{2,8}}){{0,3}})(?!\w|[.-]\w)",
    re.IGNORECASE,
)
_MONTH = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez|janv|févr|avr|juin|juil|août|déc|ene|abr|ago|dic|gen|mag|giu|lug|set|ott)"
    r"[a-zéûä]{0,9}\.?"
)
_DATE = (
    r"(?:[0-9]{1,2}(?:st|nd|rd|th|\.|er|º)?(?: de | of | )"
    rf"{_MONTH},?(?: de | del | )(?:19|20)[0-9]{{2}}|{_MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)[0-9]{{2}}"
    r"|[0-9]{1,2}[./-][0-9]{1,2}[./-](?:(?:19|20)[0-9]{2}|[0-9]{2})|(?:19|20)[0-9]{2}[./-][0-9]{1,2}[./-][0-9]{1,2})"
)
_BIRTH = re.compile(
    r"(?<![A-Za-z])(?:date of birth|birth ?date|birthday|d\.?o\.?b\b\.?|born on|geburtsdatum|geburtstag|geboren(?: am| op)?|geb\.|date de naissance|"
    r"n[ée]e?(?:\(e\))? le|fecha de nacimiento|nacid[oa] el|data di nascita|nat[oa] il|data de nascimento|nascid[oa] em|geboortedatum|"
    rf"data urodzenia|urodzon[ya])(?:\s(?:is|was|on|am|the))?[\s:=(-]{{1,4}}({_DATE})(?![\w/]|-[0-9])",
    re.IGNORECASE,
)
_MAC = re.compile(
    r"(?<![A-Za-z])(?:mac|bssid|hwaddr)(?: address| addr\.?| id)?(?: is)?[\s:=#]{1,3}([0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}|(?=[A-F0-9]{0,11}[0-9])[0-9A-F]{12})"
    r"(?!\w|\.\w)",
    re.IGNORECASE,
)


def passports(text: str, start: int, end: int) -> Iterator[Span]:
    yield from _behind(_PASSPORT, PASSPORT, text, start, end)


def driving_licences(text: str, start: int, end: int) -> Iterator[Span]:
    yield from _behind(_LICENCE, DRIVING_LICENCE, text, start, end)


def birth_dates(text: str, start: int, end: int) -> Iterator[Span]:
    """Dates from 1900 on: who was born before is dead, and history is no personal data."""
    yield from _behind(_BIRTH, BIRTH_DATE, text, start, end)


def labelled_mac_addresses(text: str, start: int, end: int) -> Iterator[Span]:
    yield from _behind(_MAC, MAC, text, start, end)


def _behind(pattern: re.Pattern[str], kind: str, text: str, start: int, end: int) -> Iterator[Span]:
    for found in beginning(pattern, text, start, end):
        yield Span(kind, *found.span(1))
