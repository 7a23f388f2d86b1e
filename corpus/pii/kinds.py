"""The kinds of personal data, and what a find is.

Span("email", 9, 25)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

CREDENTIAL, EMAIL, IBAN, CARD, NATIONAL_ID, PASSPORT, DRIVING_LICENCE, BIRTH_DATE, MAC, IPV4, IPV6, IP_PRIVATE, PHONE, ADDRESS = (
    "credential", "email", "iban", "card", "national_id", "passport", "driving_licence", "birth_date", "mac", "ipv4", "ipv6",
    "ip_private", "phone", "address",
)  # fmt: skip
COORDINATES, HANDLE, PERSON = "coordinates", "handle", "person"

# Where two overlap, the earlier kind wins: a check digit or a label says more than a shape.
KINDS = (
    CREDENTIAL, EMAIL, IBAN, CARD, NATIONAL_ID, PASSPORT, DRIVING_LICENCE, BIRTH_DATE, MAC, IPV4, IPV6, IP_PRIVATE, PHONE, ADDRESS,
    COORDINATES, HANDLE, PERSON,
)  # fmt: skip
# Private and reserved addresses name no one outside their network; coordinates are mostly of sights and cities, and handles are
# how forums quote each other (and decorators in code): removing them costs a corpus more than it protects anybody.
# Persons' names are found by no pattern: a model of the user's finds them (corpus.pii.policy).
OFF_BY_DEFAULT = (IP_PRIVATE, COORDINATES, HANDLE, PERSON)
# What a search looks for unless told otherwise: every kind that has a pattern and is somebody's.
SOUGHT = tuple(kind for kind in KINDS if kind not in (COORDINATES, HANDLE, PERSON))


@final
@dataclass(frozen=True, order=True)
class Span:
    """Characters [start, end) of the text are of ``kind``."""

    kind: str
    start: int
    end: int


def beginning(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """Matches that begin in [start, end), wherever they end and also where one begins within another."""
    for at in range(start, min(end, len(text))):
        if found := pattern.match(text, at):
            yield found


def is_alone(text: str, start: int, end: int) -> bool:
    """No digit stands one character before or behind: a number spelt out digit by digit is told from a row of a table."""
    return not (text[max(0, start - 2) : max(0, start - 1)].isdigit() or text[end + 1 : end + 2].isdigit())
