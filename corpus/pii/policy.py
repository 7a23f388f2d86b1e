"""What is done about the personal data that is found.

RedactPii(policy="pseudonym", overrides={"credential": "drop"})(batch)
"""

import hashlib
import hmac
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import document
from corpus.errors import EnvironmentProblem
from corpus.pii.detect import find_all, without_overlap
from corpus.pii.kinds import EMAIL, KINDS, OFF_BY_DEFAULT, PERSON, Span
from corpus.pii.redact import PLACEHOLDERS, redact_url, replace
from corpus.step import DocumentStep, Reason, reject, step_name

FOUND = Reason("pii:found", "the document holds personal data of a kind that drops it")
TOO_MANY = Reason("pii:too_many", "the document holds more pieces of personal data than the limit")

Policy = Literal["tag", "mask", "placeholder", "pseudonym", "drop"]
PERSON_SPANS = "person_spans"
_SPANS = pa.list_(pa.struct([("kind", pa.string()), ("start", pa.int32()), ("end", pa.int32())]))


@final
@dataclass(frozen=True, kw_only=True)
class RedactPii(DocumentStep):
    """Finds personal data, counts it by kind, and treats it by policy:

    ``tag``          the text stays; ``pii_spans`` says where (in characters) and what.
    ``mask``         each character but spaces becomes ``*``.
    ``placeholder``  ``[EMAIL]``, ``[PHONE]``, …
    ``pseudonym``    ``[EMAIL:3f2a9c41d0b7]``: equal values get equal names, by a keyed hash; the key is in the environment
                     variable ``key_env``, on driver and executors, and nowhere else.
    ``drop``         the document is rejected.

    ``overrides`` sets the policy of single kinds. Title and URLs are redacted under every policy. Private and reserved IP addresses,
    coordinates and handles are left alone unless ``kinds`` names them (kinds.OFF_BY_DEFAULT says why). ``max_spans``: Dolma drops a
    document with more than 5 (arXiv 2402.00159); off by default.

    Names of persons are found by a step of the user's own that stands before this one: it adds the column ``person_spans``, a list of
    {start, end} in characters of the text a row, and ``kinds`` names ``person``. Where such a span overlaps another, the other wins.
    """

    policy: Policy = "placeholder"
    kinds: tuple[str, ...] = tuple(kind for kind in KINDS if kind not in OFF_BY_DEFAULT)
    overrides: dict[str, Policy] = field(default_factory=dict)
    max_spans: int | None = None
    key_env: str = "GRISTMILL_PII_KEY"

    rewrites_text = True
    signals = {**{f"pii_{kind}": pa.int32() for kind in KINDS}, "pii_spans": _SPANS}
    reasons = (FOUND, TOO_MANY)

    def __post_init__(self) -> None:
        unknown = sorted({*self.kinds, *self.overrides} - set(KINDS))
        if unknown:
            raise ValueError(f"unknown kind {unknown[0]!r}; known are {', '.join(KINDS)}")
        if PERSON in self.kinds:
            object.__setattr__(self, "reads", (PERSON_SPANS,))

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        found = self._found(batch)
        counts = [Counter(span.kind for span in spans) for spans in found]
        batch = document.with_text(batch, self._texts(batch["text"], found))
        batch = document.with_column(batch, "title", _redacted_titles(batch["title"]))
        for name in ("url", document.SIGNAL + "canonical_url"):
            if name in batch.schema.names:
                urls = [url and redact_url(url) for url in batch[name].to_pylist()]
                batch = document.with_column(batch, name, pa.array(urls, pa.string()))
        signals = {f"pii_{kind}": pa.array([count[kind] for count in counts], pa.int32()) for kind in KINDS}
        signals["pii_spans"] = pa.array([self._tagged(spans) for spans in found], _SPANS)
        batch = document.with_signals(batch, signals)
        name = step_name(type(self))
        dropped = np.array([any(self._policy(span) == "drop" for span in spans) for spans in found], dtype=bool)
        batch = reject(batch, name, FOUND, dropped)
        if self.max_spans is not None:
            total = np.array([len(spans) for spans in found], dtype=float)
            batch = reject(batch, name, TOO_MANY, total > self.max_spans, total, self.max_spans)
        return batch

    def _found(self, batch: pa.RecordBatch) -> list[list[Span]]:
        """The spans of each row."""
        found = find_all(batch["text"], self.kinds)
        if PERSON not in self.kinds:
            return found
        named = [[Span(PERSON, each["start"], each["end"]) for each in row or ()] for row in batch[PERSON_SPANS].to_pylist()]
        return [without_overlap([*spans, *names]) for spans, names in zip(found, named, strict=True)]

    def _texts(self, texts: pa.Array, found: Sequence[Sequence[Span]]) -> pa.Array:
        """The texts after treatment; where nothing was found they stay the bytes that they were."""
        rows = [row for row, spans in enumerate(found) if spans]
        if not rows:
            return texts
        treated = [self._treated(texts[row].as_py(), found[row]) for row in rows]
        mask = np.zeros(len(texts), bool)
        mask[rows] = True
        return pc.replace_with_mask(texts, pa.array(mask), pa.array(treated, texts.type))

    def _policy(self, span: Span) -> Policy:
        return self.overrides.get(span.kind, self.policy)

    def _tagged(self, spans: Sequence[Span]) -> list[dict[str, object]] | None:
        """Spans of the text as written; only where nothing was replaced, or the offsets would be wrong."""
        if not spans or any(self._policy(span) != "tag" for span in spans):
            return None
        return [{"kind": span.kind, "start": span.start, "end": span.end} for span in spans]

    def _treated(self, text: str, spans: Sequence[Span]) -> str:
        return replace(text, spans, lambda span: self._replacement(text[span.start : span.end], span))

    def _replacement(self, value: str, span: Span) -> str:
        policy = self._policy(span)
        if policy == "tag":
            return value
        if policy == "mask":
            return "".join(" " if character.isspace() else "*" for character in value)
        placeholder = PLACEHOLDERS[span.kind]
        if policy == "pseudonym":
            digest = hmac.new(self._key(), _canonical(value, span.kind).encode(), hashlib.blake2b).hexdigest()[:12]
            return f"{placeholder[:-1]}:{digest}]"
        return placeholder  # of dropped documents too: their excerpt may be shown

    def _key(self) -> bytes:
        key = os.environ.get(self.key_env, "")
        if len(key) < 16:
            raise EnvironmentProblem("no key for pseudonyms", where=f"${self.key_env}", hint="set it to 16 or more random characters")
        return key.encode()


def _redacted_titles(titles: pa.Array) -> list[str | None]:
    """Every kind by its placeholder, whatever the policy."""
    found = find_all(titles)
    return [
        title and replace(title, spans, lambda span: PLACEHOLDERS[span.kind])
        for title, spans in zip(titles.to_pylist(), found, strict=True)
    ]


def _canonical(value: str, kind: str) -> str:
    """One form for one datum: e-mail addresses in lower case, numbers without separators."""
    return value.lower() if kind == EMAIL else "".join(character for character in value if character.isalnum()).lower()
