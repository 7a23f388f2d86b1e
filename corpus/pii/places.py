"""Postal addresses by the shapes of some countries, and coordinates. Precise rather than complete: a street needs its number.

find("at 221B Baker Street, London NW1 6XE") -> [Span("address", 3, 36)]
"""

import re
from collections.abc import Iterator

from corpus.pii.kinds import ADDRESS, COORDINATES, Span, beginning

_STATE = r"(?:A[LKZRAEP]|C[AOT]|D[CE]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOTP]|N[EVHJMYCD]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[TAI]|W[AVIY]|GU)"
_NAME = r"[^\W\d_a-zà-öø-ÿ][\w'.’-]{0,24}"  # begins with a capital
_CITY = rf"{_NAME}(?: {_NAME}){{0,3}}"
_US_ZIP = rf"{_STATE} [0-9]{{5}}(?:-[0-9]{{4}})?(?![\w-])"
_UK_CODE = r"[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][ABD-HJLNP-UW-Z]{2}(?!\w)"
_SURE_TYPE = r"Street|St\.?|Str\.|Avenue|Ave\.?|Road|Rd\.?|Boulevard|Blvd\.?|Lane|Ln\.?|Drive|Dr\.?|Crescent|Terrace|Parkway|Pkwy\.?"
_TYPE = rf"{_SURE_TYPE}|Court|Ct\.?|Place|Pl\.?|Square|Sq\.?|Way|Circle|Cir\.?|Highway|Hwy\.?|Close|Gardens|Grove|Row|Walk|Mews|Hill|Trail"
_UNIT = r"(?:,? (?:Apt\.?|Apartment|Suite|Ste\.?|Unit|Flat|Floor|#|No\.) ?#? ?[A-Z0-9-]{1,6})?"
_DIRECTION = r"(?:(?:North|South|East|West|[NSEW]{1,2}\.?) )?"
_HOUSE = r"(?<![\w.,/$€£#§:+-])[0-9]{1,5}[A-Za-z]?(?:-[0-9]{1,5})?"
_TAIL = rf"(?:(?:,\s?|\s)(?:{_CITY}(?:,\s?|\s)){{0,2}}(?:{_US_ZIP}|{_UK_CODE}))"
_ENGLISH = re.compile(
    rf"{_HOUSE} {_DIRECTION}(?:(?:[0-9]{{1,3}}(?:st|nd|rd|th)|{_NAME}) ){{1,4}}?(?P<type>{_TYPE})(?!\w)(?: [NSEW]{{1,2}}(?!\w))?"
    rf"{_UNIT}{_TAIL}?"
)
_NUMBER = re.compile(r"(?<![0-9])[0-9]")
_CODE_BEHIND = re.compile(rf"(?:{_US_ZIP}|{_UK_CODE})\Z")
_SURE = re.compile(rf"^(?:{_SURE_TYPE})$")
_YEAR = re.compile(r"^(?:1[5-9]|20)[0-9]{2} ")
_YEAR_BEHIND = re.compile(r" (?:19|20)[0-9]{2}\Z")
_FRENCH = re.compile(
    rf"{_HOUSE}(?: ?(?:bis|ter|quater))?,? (?:(?P<sure>[Rr]ue|[Aa]venue|[Bb]oulevard|[Bb]d\.?|[Ii]mpasse|[Aa]llée|[Cc]hemin|[Qq]uai)|"
    rf"[Aa]v\.|[Pp]lace|[Rr]oute|[Cc]ours|[Ss]quare|[Pp]assage)(?: (?:d[eu]s?|l[ae]s?|à|aux?|et|sur)){{0,3}} (?:[dl]['’])?{_NAME}"
    rf"(?: (?:{_NAME}|d[eu]s?|la|et)){{0,5}}(?P<tail>(?:,\s?|\s)(?:F-)?[0-9]{{5}} {_CITY})?"
)
_GERMAN = re.compile(
    r"(?<!\w)(?!Bundes|Landes|Kreis|Staats|Land|Brigade)[^\W\d_a-zäöüß][\w.-]{1,40}(?:(?P<sure>stra(?:ß|ss)e|str\.|gasse|allee|straat|laan|gracht|plein|steenweg|gatan|vägen|vej|veien|katu)|weg|platz|ring|damm|ufer|hof|park|"
    r"kade|singel|dijk) [0-9]{1,4}(?: ?[a-z](?!\w))?(?:-[0-9]{1,4})?(?!\w|[.,][0-9])"
    rf"(?P<tail>(?:,\s?|\s)(?:D-|A-|CH-)?[0-9]{{4,5}}(?: ?[A-Z]{{2}}(?!\w))? {_CITY})?"
)
_GERMAN_SPLIT = re.compile(
    rf"(?<!\w){_NAME}(?: {_NAME}){{0,2}}[ -](?:Stra(?:ß|ss)e|Str\.|Allee|Gasse) [0-9]{{1,4}}(?: ?[a-z](?!\w))?(?!\w|[.,][0-9])"
    rf"(?:(?:,\s?|\s)(?:D-|A-|CH-)?[0-9]{{4,5}} {_CITY})?"
)
_SOUTHERN = re.compile(
    rf"(?<!\w)(?P<type>Via|Viale|Piazza|Corso|Largo|Calle|C/|Avenida|Avda?\.|Plaza|Paseo|Rua|Travessa|Praça|ul\.|al\.|os\.|pl\.)"
    rf"(?: (?:d[eio]l?|della|dei|dos|das|de la|de los|las?|los))? ?{_NAME}(?: (?:d[eo]l?|{_NAME})){{0,4}},?(?: n[º°.]?)?"
    rf" [0-9]{{1,4}}[A-Za-z]?(?:/[0-9]{{1,4}})?(?!\w|[.][0-9])"
    rf"(?P<tail>(?:,\s?|\s|, [0-9][^\W\d]?[ºª]? ?\w?, )(?:[A-Z]-)?[0-9]{{2,5}}-?[0-9]{{0,3}} {_CITY})?"
)
_SURE_SOUTHERN = frozenset(("Calle", "C/", "ul.", "Avda.", "Avd.", "Avenida", "Via", "Viale", "Rua"))
_BOX = re.compile(
    rf"(?<!\w)(?:P\.? ?O\.? Box [0-9]{{1,6}}(?:{_TAIL})?|(?:PSC|Unit) [0-9]{{1,5}},? Box [0-9]{{1,5}}"
    rf"(?:,?\s(?:[AFD]PO) A[AEP] [0-9]{{5}}(?:-[0-9]{{4}})?)?"
    rf"|Postfach [0-9]{{2,6}}(?: ?[0-9]{{2}}){{0,2}}(?:,?\s[0-9]{{5}} {_CITY})?)(?!\w)"
)
_MILITARY = re.compile(rf"(?<!\w)(?:US[A-Z]{{1,3}} {_NAME}(?: {_NAME})?\n)?[AFD]PO A[AEP] [0-9]{{5}}(?:-[0-9]{{4}})?(?!\w)")
_UNIT_ALONE = re.compile(r"(?<!\w)(?:Apt\.?|Suite|Ste\.) ?#? ?[0-9]{1,5}[A-Z]?(?!\w|[.,][0-9])")  # on a line of its own
# A house's line and below it city, state and ZIP: the street may be of any name.
_BLOCK = re.compile(
    rf"{_HOUSE} (?:{_NAME}|[0-9]{{1,5}})(?:[ ,](?:[\w'.’/-]{{1,25}})){{0,7}}(?:\n{{1,2}}|, | )"
    rf"{_NAME}(?: [\w'.’-]{{1,25}}){{0,3}},\s{_US_ZIP}"
)
_DECIMAL = re.compile(r"(?<![\w.,+-])[+-]?[0-9]{1,2}\.[0-9]{4,10}(?:°? ?[NS])?[,;] ?[+-]?[0-9]{1,3}\.[0-9]{4,10}(?:°? ?[EW])?(?![\w.])")
_DEGREES = re.compile(
    r"(?<!\w)[0-9]{1,2}°(?: ?[0-9]{1,2}['′’](?: ?[0-9]{1,2}(?:\.[0-9]{1,4})?(?:[\"″”]|''))?)? ?[NS][,; ]{0,2}"
    r"[0-9]{1,3}°(?: ?[0-9]{1,2}['′’](?: ?[0-9]{1,2}(?:\.[0-9]{1,4})?(?:[\"″”]|''))?)? ?[EWO](?!\w)"
)


def numbered_streets(text: str, start: int, end: int) -> Iterator[Span]:
    """English and French, the house's number first: those whose number begins in [start, end). A street whose type is also a common word
    (Place, Way) counts only with its town's code."""
    for number in _NUMBER.finditer(text, start, min(end, len(text))):
        if found := _ENGLISH.match(text, number.start()):
            with_code = bool(_CODE_BEHIND.search(found.group()))
            if with_code or (_SURE.match(found["type"]) and not _YEAR.match(found.group())):
                yield Span(ADDRESS, found.start(), found.end())
        found = _FRENCH.match(text, number.start())
        if found and (found["sure"] or found["tail"]) and not _YEAR.match(found.group()):
            yield Span(ADDRESS, found.start(), found.end())


def named_streets(text: str, start: int, end: int) -> Iterator[Span]:
    """German, Dutch and Nordic, the number behind the name."""
    for found in _GERMAN.finditer(text, start, end):
        if found["sure"] or found["tail"]:
            yield Span(ADDRESS, found.start(), found.end())
    for found in _GERMAN_SPLIT.finditer(text, start, end):
        yield Span(ADDRESS, found.start(), found.end())


def titled_streets(text: str, start: int, end: int) -> Iterator[Span]:
    """Southern and Polish streets, boxes and units: those whose first word begins in [start, end)."""
    for found in beginning(_SOUTHERN, text, start, end):
        if found["tail"] or (found["type"] in _SURE_SOUTHERN and not _YEAR_BEHIND.search(found.group())):
            yield Span(ADDRESS, found.start(), found.end())
    for pattern in (_BOX, _UNIT_ALONE):
        for found in beginning(pattern, text, start, end):
            yield Span(ADDRESS, found.start(), found.end())


def blocks(text: str, start: int, end: int) -> Iterator[Span]:
    """American addresses by their last line."""
    for pattern in (_BLOCK, _MILITARY):
        for found in pattern.finditer(text, start, end):
            yield Span(ADDRESS, found.start(), found.end())


def coordinates(text: str, start: int, end: int) -> Iterator[Span]:
    for pattern in (_DECIMAL, _DEGREES):
        for found in pattern.finditer(text, start, end):
            yield Span(COORDINATES, found.start(), found.end())
