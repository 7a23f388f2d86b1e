"""What only a label before it tells from any other number: passports, driving licences, dates of birth, device addresses.

find("Passport No. X1234567") -> [Span("passport", 13, 21)]

The label is the anchor, and the match begins with it; what is found is only what stands behind it.
"""

import re
from collections.abc import Iterator

from corpus.pii.kinds import BIRTH_DATE, DRIVING_LICENCE, MAC, NATIONAL_ID, PASSPORT, Span, beginning

_NUMBER_WORD = (
    r"(?:\W{0,3}(?:no\.?|number|num\.?|nr\.?|nummer|numero|número|numéro|n°|id|#|is|was|of|card|code|de|la|has|number is)(?![A-Za-z])){0,4}"
)
_FILL = r"[\s:#.,(\"'-]{1,5}"
_PASSPORT = re.compile(
    rf"(?<![A-Za-z])(?:passports?|passport-?nr|reisepass(?:nummer)?|passeport|pasaporte|passaporto|passaporte|paspoort|paszport){_NUMBER_WORD}"
    rf"{_FILL}((?=[A-Z0-9]{{0,8}}[0-9]{{4}})[A-Z0-9]{{6,9}})(?!\w|[.-]\w)",
    re.IGNORECASE,
)
_LICENCE = re.compile(
    r"(?<![A-Za-z])(?:driv(?:er'?s?|ing)\W{0,2}licen[cs]e|"
    r"licen[cs]e (?:number|no\.?|#)|\bdl (?:no|number|#)|dln|f(?:ü|ue?)hrerschein(?:nummer)?|"
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
    r"(?<![A-Za-z])(?:date of birth|birth ?date|d\.?o\.?b\b\.?|born on|geburtsdatum|geboren(?: am| op)?|geb\.|date de naissance|"
    r"n[ée]e?(?:\(e\))? le|fecha de nacimiento|nacid[oa] el|data di nascita|nat[oa] il|data de nascimento|nascid[oa] em|geboortedatum|"
    rf"data urodzenia|urodzon[ya])(?:\s(?:is|was|on|am|the))?[\s:=(-]{{1,4}}({_DATE})(?![\w/]|-[0-9])",
    re.IGNORECASE,
)
_MAC = re.compile(
    r"(?<![A-Za-z])(?:mac|bssid|hwaddr)(?: address| addr\.?| id)?(?: is)?[\s:=#]{1,3}"
    r"([0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}|(?=[A-F0-9]{0,11}[0-9])[0-9A-F]{12})"
    r"(?!\w|\.\w)",
    re.IGNORECASE,
)


_INSURANCE = re.compile(  # with spaces between its pairs a British number holds no word that could be an anchor
    r"(?<![A-Za-z])(?:national insurance|nino|ni n)[^\n]{0,30}?(?<!\w)"
    r"((?:[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z]) ?[0-9]{2} [0-9]{2} [0-9]{2} ?[A-D])(?!\w)",
    re.IGNORECASE,
)
# Most anchors are common words (national, data, passed): one look at how it goes on spares five patterns.
_HEAD = re.compile(
    r"passp|passe|pasap|passap|paspo|paszp|reise|driv|licen|dl|f(?:ü|ue?)hr|permi|paten|rijb|birth ?d|born on|date (?:of|de)|d\.?o\.?b|geb|"
    r"n[ée]e?(?:\(e\))? le|fecha|nacid|data (?:di|de|u)|nat[oa] il|nascid|urodz|mac|bssid|hwaddr|national i|nino|ni n",
    re.IGNORECASE,
)
_PATTERNS = (
    (PASSPORT, _PASSPORT), (DRIVING_LICENCE, _LICENCE), (BIRTH_DATE, _BIRTH), (MAC, _MAC), (NATIONAL_ID, _INSURANCE),
)  # fmt: skip


def labelled(text: str, start: int, end: int) -> Iterator[Span]:
    """Values whose labels begin in [start, end). Dates of birth count from 1900 on: who was born before is history."""
    for head in beginning(_HEAD, text, start, end):
        for kind, pattern in _PATTERNS:
            if found := pattern.match(text, head.start()):
                yield Span(kind, *found.span(1))
