"""What may be done with a document: robots directives, reservation of text and data mining, licence; a company's access labels.

The signals that travel with the page: ``<meta name="robots">``, ``X-Robots-Tag``, the
TDM Reservation Protocol (https://www.w3.org/community/reports/tdmrep/), AIPREF's ``Content-Usage`` (``urls.preferences``), and licences
(``rel="license"``, JSON-LD, Dublin Core). What a site says of all its pages is ``urls.site_rights``'s.

    ReadRights(respect=("noai",))(batch)["rights"]
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import document
from corpus.step import DocumentStep, Reason, reject, step_name
from corpus.urls.preferences import TRAINING, may_train, parse_preferences

NOINDEX = Reason("rights:noindex", "the page asks not to be indexed (robots: noindex or none)")
NOAI = Reason("rights:noai", "the page asks not to be used for machine learning (robots: noai)")
AIPREF = Reason("rights:aipref", "the page prefers that no model be trained on it (Content-Usage)")
TDM_RESERVED = Reason("rights:tdm_reserved", "the page reserves text and data mining (tdm-reservation: 1)")
LICENSE = Reason("rights:license", "the document's licence is not one that the recipe allows")
NO_LICENSE = Reason("rights:no_license", "the document states no licence, and the recipe requires one")
LABELS_MISSING = Reason("labels:missing", "the document lacks an access label that the recipe requires")
LABELS_NOT_ALLOWED = Reason("labels:not_allowed", "an access label of the document has a value that the recipe does not allow")

LICENSE_NAMES = ("license", "dcterms.license", "dcterms:license", "dc.rights", "dc:rights", "dcterms.rights", "dcterms:rights")
STATEMENTS = {"noindex": NOINDEX, "noai": NOAI, "tdmrep": TDM_RESERVED, "aipref": AIPREF}  # what a page may state, as `respect` names it
OPT_OUTS = ("noindex", "none", "noai", "noimageai", "tdm-reservation=1", *(f"{label}=n" for label in TRAINING))
_MAX_LABELS = 20
_CREATIVE_COMMONS = re.compile(
    r"creativecommons\.org/(licenses/(by(?:-nc)?(?:-nd|-sa)?)/(\d\.\d)|publicdomain/(zero|mark)/(\d\.\d))", re.IGNORECASE
)
_LICENSE_PATTERN = re.compile(r"[A-Za-z0-9.+*-]{1,60}")
_SPDX = re.compile(r"^[A-Za-z0-9.+-]{2,40}$")
_KNOWN_WITH_COLON = ("max-snippet", "max-image-preview", "max-video-preview", "unavailable_after")


@final
@dataclass(frozen=True, kw_only=True)
class ReadRights(DocumentStep):
    """Sets ``rights`` and ``license``; rejects what a page does not allow by the statements that ``respect`` names; none: it only records.

    Directives for one agent count where it is among ``agents``; those for all always do. A row without headers and
    ``meta`` (from a table, a book) stays as it is: such a source fills the columns itself.
    """

    respect: tuple[str, ...] = ("noindex", "noai", "tdmrep")  # aipref: a draft still
    agents: tuple[str, ...] = ("googlebot", "ccbot")

    reasons = tuple(STATEMENTS.values())

    def __post_init__(self) -> None:
        check_respect(self.respect, STATEMENTS)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not {"http_headers", "meta"} <= set(batch.schema.names):
            return batch
        read = [
            self._read(headers or [], meta or [])
            for headers, meta in zip(batch["http_headers"].to_pylist(), batch["meta"].to_pylist(), strict=True)
        ]
        usage = [_usage(headers or []) for headers in batch["http_headers"].to_pylist()]
        rights = [
            {"robots": sorted(robots), "tdm_reserved": tdm, "tdm_policy": policy, "content_usage": stated}
            for (robots, tdm, policy, _), (stated, _) in zip(read, usage, strict=True)
        ]
        is_page = pc.or_(pc.is_valid(batch["http_headers"]), pc.is_valid(batch["meta"]))
        found = {"rights": rights, "license": [license_id for _, _, _, license_id in read]}
        for column, values in found.items():
            batch = document.with_column(batch, column, pc.if_else(is_page, pa.array(values, document.WORKING[column]), batch[column]))
        name = step_name(type(self))
        refused = {
            "noindex": [bool(robots & {"noindex", "none"}) for robots, _, _, _ in read],
            "noai": ["noai" in robots for robots, _, _, _ in read],
            "tdmrep": [tdm for _, tdm, _, _ in read],
            "aipref": [answer is False for _, answer in usage],
        }
        for statement, reason in STATEMENTS.items():
            if statement in self.respect:
                batch = reject(batch, name, reason, np.array(refused[statement], dtype=bool))
        return batch

    def _read(self, headers: list[Any], meta: list[Any]) -> tuple[set[str], bool, str | None, str | None]:
        """(robots directives, text and data mining reserved, its policy, licence)."""
        robots: set[str] = set()
        reserved, policy, license_id = False, None, None
        for pair in headers:
            if pair["name"] == "x-robots-tag":
                robots |= self._directives(pair["value"])
            elif pair["name"] == "link":
                license_id = license_id or _license_of_link(pair["value"])
        for pair in [*headers, *meta]:
            name, value = pair["name"], pair["value"]
            if name == "robots" or name in self.agents:
                robots |= {part.strip().lower() for part in value.split(",") if part.strip()}
            elif name == "tdm-reservation":
                reserved = reserved or value.strip() == "1"
            elif name == "tdm-policy":
                policy = policy or value.strip()[:500]
            elif name in LICENSE_NAMES:
                license_id = license_id or license_of(value)
        return robots, reserved, policy, license_id

    def _directives(self, header: str) -> set[str]:
        """``noindex, googlebot: noarchive, nofollow``: an agent's name holds for the directives that follow it."""
        found: set[str] = set()
        agent = ""
        for part in header.split(","):
            before, colon, after = part.partition(":")
            if colon and before.strip().lower() not in _KNOWN_WITH_COLON:
                agent, part = before.strip().lower(), after
            if not agent or agent in self.agents:
                found.add(part.strip().lower())
        return found - {""}


def check_respect(respect: Iterable[str], known: Collection[str]) -> None:
    """Raises ValueError for a word that names no statement of ``known``: what is misspelt would be obeyed by nobody."""
    unknown = [word for word in respect if word not in known]
    if unknown:
        raise ValueError(f"respect names {unknown[0]!r}, which this step reads nowhere; known are {', '.join(known)}")


def stated_opt_outs(rights: pa.Array) -> pa.Array:
    """The column ``rights`` -> what pages refuse, one of OPT_OUTS each, flat: for counting."""
    lists = [pc.list_flatten(pc.struct_field(rights, name)) for name in ("robots", "content_usage")]
    reserved = pc.sum(pc.struct_field(rights, "tdm_reserved")).as_py() or 0
    stated = pa.concat_arrays([*(each.cast(pa.string()) for each in lists), pa.array(["tdm-reservation=1"] * reserved, pa.string())])
    return stated.filter(pc.is_in(stated, pa.array(OPT_OUTS)))


def _usage(headers: list[Any]) -> tuple[list[str], bool | None]:
    """(the labels of Content-Usage that are stated, may a model be trained)."""
    text = next((pair["value"] for pair in headers if pair["name"] == "content-usage"), "")
    stated = [f"{label}={value}" for label, value in sorted(parse_preferences(text).items()) if value in ("y", "n")]
    return stated[:_MAX_LABELS], may_train(text)


@final
@dataclass(frozen=True, kw_only=True)
class RequireLabels(DocumentStep):
    """Lets pass what bears every access label of ``required``, and of those in ``allowed`` one of the values named there.

    A company's data says by labels who may see it and how long it may be kept; what says nothing is refused, not let through.
    """

    required: tuple[str, ...] = ()
    allowed: dict[str, tuple[str, ...]] = field(default_factory=dict)

    reasons = (LABELS_MISSING, LABELS_NOT_ALLOWED)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        labels = [dict(pairs or ()) for pairs in batch["labels"].to_pylist()]
        missing = [any(not of.get(name) for name in (*self.required, *self.allowed)) for of in labels]
        barred = [any(of.get(name) not in (None, "", *values) for name, values in self.allowed.items()) for of in labels]
        batch = reject(batch, step_name(type(self)), LABELS_MISSING, np.array(missing, dtype=bool))
        return reject(batch, step_name(type(self)), LABELS_NOT_ALLOWED, np.array(barred, dtype=bool))


@final
@dataclass(frozen=True, kw_only=True)
class RequireLicense(DocumentStep):
    """Lets pass what bears a licence that matches ``allow`` (where that is empty: any) and none of ``deny``; behind ``read_rights``.

    Patterns are SPDX identifiers, whatever their case. ``*`` behind a hyphen is a version: ``CC-BY-*`` is CC-BY-4.0 and CC-BY-3.0-US, and
    not CC-BY-NC-4.0; elsewhere it is anything (``CC-BY*``). Of ``MIT OR GPL-3.0-only`` one has to pass, with ``AND`` both; an exception
    (``WITH``) grants more than its licence, and is not looked at. Licences are as declared: nobody has verified them.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    allow_missing: bool = False

    reasons = (LICENSE, NO_LICENSE)

    def __post_init__(self) -> None:
        for pattern in (*self.allow, *self.deny):
            if not _LICENSE_PATTERN.fullmatch(pattern):
                raise ValueError(f"{pattern!r} is no SPDX identifier, nor a pattern of them such as CC-BY-*")

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        stated = batch["license"].to_pylist()
        passes = {each: self.passes(each) for each in set(stated) - {None}}
        missing = [each is None and not self.allow_missing for each in stated]
        batch = reject(batch, step_name(type(self)), NO_LICENSE, np.array(missing, dtype=bool))
        barred = [each is not None and not passes[each] for each in stated]
        return reject(batch, step_name(type(self)), LICENSE, np.array(barred, dtype=bool))

    def passes(self, license: str) -> bool:
        """What the lists say of an SPDX expression, or of the address of a Creative Commons licence."""
        words = re.findall(r"[()]|[^\s()]+", license_of(license) or license)
        try:
            passed, rest = self._any(words)
        except (IndexError, RecursionError):
            return False
        return passed and not rest

    def _any(self, words: list[str]) -> tuple[bool, list[str]]:
        """(whether the expression at the head of the words passes, the words behind it). AND binds more than OR."""
        passed, rest = self._all(words)
        while rest and rest[0].upper() == "OR":
            other, rest = self._all(rest[1:])
            passed = passed or other
        return passed, rest

    def _all(self, words: list[str]) -> tuple[bool, list[str]]:
        passed, rest = self._one(words)
        while rest and rest[0].upper() == "AND":
            other, rest = self._one(rest[1:])
            passed = passed and other
        return passed, rest

    def _one(self, words: list[str]) -> tuple[bool, list[str]]:
        if words[0] == "(":
            passed, rest = self._any(words[1:])
            return (passed, rest[1:]) if rest[0] == ")" else (False, rest)
        rest = words[3:] if words[1:2] and words[1].upper() == "WITH" else words[1:]
        allowed = not self.allow or _matches(self.allow, words[0])
        return allowed and not _matches(self.deny, words[0]), rest


def _matches(patterns: tuple[str, ...], identifier: str) -> bool:
    any_of = "|".join(re.escape(each).replace(r"\-\*", r"\-[0-9].*").replace(r"\*", ".*") for each in patterns)
    return bool(patterns) and re.fullmatch(any_of, identifier, re.IGNORECASE) is not None


def license_of(text: str) -> str | None:
    """A Creative Commons address -> its SPDX identifier; a bare identifier as it is; else None."""
    found = _CREATIVE_COMMONS.search(text)
    if found:
        if found.group(2):
            return f"CC-{found.group(2).upper()}-{found.group(3)}"
        return "CC0-1.0" if found.group(4).lower() == "zero" else "PDM-1.0"
    return text.strip() if _SPDX.match(text.strip()) and "-" in text else None


def _license_of_link(header: str) -> str | None:
    for part in header.split(","):
        if re.search(r"""rel\s*=\s*["']?license""", part, re.IGNORECASE):
            return license_of(part)
    return None
