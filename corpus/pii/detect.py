"""Finds personal data in text: spans with a kind, by bounded patterns whose finds are then validated.

A pattern only proposes; a check digit, ``ipaddress``, ``phonenumbers`` or a word before it decides. One pass over the UTF-8 bytes says
where a pattern could match at all (corpus.kernels.anchors), and only there does Python look: pages without such places cost no more.
``find_plain`` runs the same patterns over all of the text; tests hold the two equal.

    find("Write to anna@example.com") -> [Span("email", 9, 25)]
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache

import numpy as np
import pyarrow as pa

from corpus.kernels import anchors
from corpus.kernels.folding import Folded, fold
from corpus.pii import credentials, labels, mail, national_ids, network, payments, phones, places
from corpus.pii.kinds import (
    ADDRESS,
    BIRTH_DATE,
    CARD,
    COORDINATES,
    CREDENTIAL,
    DRIVING_LICENCE,
    EMAIL,
    HANDLE,
    IBAN,
    IP_PRIVATE,
    IPV4,
    IPV6,
    KINDS,
    MAC,
    NATIONAL_ID,
    PASSPORT,
    PHONE,
    SOUGHT,
    Span,
)  # fmt: skip

Finder = Callable[[str, int, int], Iterator[Span]]

# Anchor class -> how far before and behind its anchor a match (and what it looks at behind itself) can lie, and the finders with their
# kinds. Finders of a class whose matches begin with the anchor get the anchors alone, and look as far as they need.
FINDERS: dict[int, tuple[int, int, tuple[tuple[Finder, tuple[str, ...]], ...]]] = {
    anchors.AT: (350, 700, ((mail.emails, (EMAIL,)), (credentials.url_passwords, (CREDENTIAL,)), (mail.handles, (HANDLE,)))),
    anchors.DOT: (700, 400, ((mail.hidden_emails, (EMAIL,)),)),
    anchors.IPV4: (4, 4, ((network.ipv4_addresses, (IPV4, IP_PRIVATE)),)),
    anchors.HEX: (8, 24, ((network.ipv6_addresses, (IPV6, IP_PRIVATE)), (network.mac_addresses, (MAC,)))),
    anchors.DIGITS: (8, 28, ((payments.cards, (CARD,)), (national_ids.numbers, (NATIONAL_ID,)), (phones.phones, (PHONE,)))),
    anchors.IBAN: (0, 64, ((payments.ibans, (IBAN,)),)),
    anchors.CODE: (8, 8, ((national_ids.codes, (NATIONAL_ID,)),)),
    anchors.SECRET: (0, 0, ((credentials.credentials, (CREDENTIAL,)),)),
    anchors.LABEL: (
        0,
        0,
        ((labels.labelled, (PASSPORT, DRIVING_LICENCE, BIRTH_DATE, MAC, NATIONAL_ID)),),
    ),
    anchors.STREET: (anchors.STREET_REACH + 8, 0, ((places.numbered_streets, (ADDRESS,)),)),
    anchors.SUFFIX: (110, 160, ((places.named_streets, (ADDRESS,)),)),
    anchors.PLACE: (0, 0, ((places.titled_streets, (ADDRESS,)),)),
    anchors.ZIP: (360, 16, ((places.blocks, (ADDRESS,)),)),
    anchors.DEGREE: (60, 60, ((places.coordinates, (COORDINATES,)),)),
}
# How the words begin that the patterns of a class cannot match without; three bytes or more, four are looked at.
_WORDS = {
    anchors.DOT: ("arroba", "arobase", "dot"),
    anchors.PROVIDER: ("gmail", "googlemail", "yahoo", "hotmail", "outlook", "icloud", "protonmail"),
    anchors.SECRET: ("AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github", "glpat", "xox", "sk_", "rk_", "whsec", "AIza",
            "ya29",
                     "GOCSPX", "sk-", "hf_", "npm_", "pypi-", "dop_v1", "SG.", "shpat", "shpca", "shppa", "shpss", "key-", "pass", "pwd",
                     "contrase", "mot de", "api", "secret", "access", "auth", "client", "private", "bearer", "token", "eyJ"),
    anchors.LABEL: ("pass", "reisepass", "pasaporte", "paspoort", "paszport", "driv", "licen", "dl ", "dln", "führer", "fuehrer", "fuhrer",
                    "permi", "patente", "rijbewijs", "birth", "born", "date", "dob", "d.o", "do.b", "geb", "née", "né ", "nee ", "né(",
                    "née(",
                    "fecha", "nacid", "data", "nato", "nata", "nascid", "urodzon", "mac ", "mac:", "mac=", "mac#", "mac\n", "mac\t",
                    "bssid", "hwaddr", "national", "nino", "ni n"),
    anchors.STREET: ("street", "st ", "st.", "st,", "st\n", "str.", "avenue", "ave", "road", "rd ", "rd.", "rd,", "rd\n", "boulevard",
            "blvd",
                     "lane", "ln ", "ln.", "ln,", "ln\n", "drive", "dr ", "dr.", "dr,", "dr\n", "crescent", "terrace", "parkway",
                     "pkwy", "court",
                     "ct ", "ct.", "ct,", "ct\n", "place", "pl ", "pl.", "pl,", "pl\n", "square", "sq ", "sq.", "sq,", "sq\n", "way",
                     "circle",
                     "cir", "highway", "hwy", "close", "gardens", "grove", "row", "walk", "mews", "hill", "trail", "rue", "bd ", "bd.",
                     "impasse", "allée", "chemin", "quai", "av.", "route", "cours", "passage"),
    anchors.PLACE: ("via", "piazza", "corso", "largo", "calle", "c/ ", "aven", "avda", "avd.", "plaza", "paseo", "rua", "travessa", "praça",
                    "ul.", "al.", "os.", "pl.", "p.o", "p o", "po box", "p. o", "psc", "unit", "apt", "suite", "ste.", "postfach"),
}  # fmt: skip
_SUFFIXES = (
    "straße", "strasse", "str.", "gasse", "allee", "straat", "laan", "gracht", "plein", "steenweg", "gatan", "vägen", "vej", "veien",
    "katu",
    "weg", "platz", "ring", "damm", "ufer", "hof", "park", "kade", "singel", "dijk", "Straße", "Strasse", "Str.", "Allee", "Gasse",
)  # fmt: skip


def find(text: str, kinds: Collection[str] = SOUGHT) -> list[Span]:
    """All spans of these kinds, in the order of the text, none overlapping another."""
    return next(iter(find_all(pa.array([text], pa.string()), kinds)))


def find_all(texts: pa.Array, kinds: Collection[str] = SOUGHT) -> list[list[Span]]:
    """A string array -> the spans of each row, in characters; none for null."""
    folded = fold(texts)
    finders, reaches = _plan(frozenset(kinds))
    found: list[list[Span]] = [[] for _ in range(len(texts))]
    places_of_row: dict[int, list[tuple[int, int, int]]] = {}
    for row, kind, start, end in anchors.windows(folded.data, folded.offsets, _mask(), reaches).tolist():
        places_of_row.setdefault(row, []).append((kind, start, end))
    for row, windows in places_of_row.items():
        text = folded.text(row)
        spans = (span for kind, start, end in windows for finder in finders[kind] for span in finder(text, start, min(end, len(text))))
        found[row] = _settled(spans, kinds, folded, row)
    return found


def find_plain(text: str, kinds: Collection[str] = SOUGHT) -> list[Span]:
    """The same by every pattern over all of the text: slow, and what ``find`` is tested against."""
    folded = fold(pa.array([text], pa.string()))
    finders, _ = _plan(frozenset(kinds))
    plain = folded.text(0)
    spans = (span for group in finders.values() for finder in group for span in finder(plain, 0, len(plain)))
    return _settled(spans, kinds, folded, 0)


def without_overlap(spans: Iterable[Span]) -> list[Span]:
    """Of spans that overlap, the earlier kind of ``KINDS``, then the one that begins first, then the longer; ordered by place."""
    starts: list[int] = []
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda span: (_RANK[span.kind], span.start, -span.end)):
        at = bisect_left(starts, span.start)
        if (at == 0 or kept[at - 1].end <= span.start) and (at == len(kept) or span.end <= kept[at].start):
            starts.insert(at, span.start)
            kept.insert(at, span)
    return kept


_RANK = {kind: at for at, kind in enumerate(KINDS)}


def _settled(spans: Iterable[Span], kinds: Collection[str], folded: Folded, row: int) -> list[Span]:
    """Without overlap, of the kinds asked for, and in places of the original text."""
    settled = without_overlap(span for span in spans if span.kind in kinds)
    return [Span(span.kind, folded.place(row, span.start), folded.place(row, span.end - 1) + 1) for span in settled]


@lru_cache(maxsize=16)
def _plan(kinds: frozenset[str]) -> tuple[dict[int, list[Finder]], np.ndarray]:
    """The finders by class that these kinds need, and the reaches (-1 for a class without finder)."""
    finders = {number: [finder for finder, own in group if kinds & set(own)] for number, (_, _, group) in FINDERS.items()}
    reaches = [FINDERS[number][:2] if finders[number] else (-1, -1) for number in range(anchors.CLASSES)]
    return finders, np.array(reaches, np.int64)


@lru_cache(maxsize=1)
def _mask() -> np.ndarray:
    return anchors.prefixes(_WORDS, _SUFFIXES)
