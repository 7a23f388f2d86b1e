"""Documents that must not come back: what somebody has asked to be left out, by domain, URL, id or digest.

A list is a file with an entry a line: ``example.com`` (with what lies below it), ``https://example.com/page``, a document's id (32 hex
digits) or a record's (``<urn:uuid:…>``), ``sha256:…`` of the body as it was served, or of the text where there is none; ``#`` begins a
comment. The digests of the files stand in the manifest, so that a longer list is another corpus.

    LeaveOut(files=("removed.txt",))(batch)
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, final

import numpy as np
import pyarrow as pa

from corpus.errors import AssetError
from corpus.step import DocumentStep, Reason, reject, step_name
from corpus.storage import locate
from corpus.urls.blocklist import host
from corpus.urls.normal import normal

TOMBSTONE = Reason("rights:tombstone", "somebody has asked for it to be left out: it is on a list of tombstones")

_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_RECORD = re.compile(r"<?(urn:uuid:[0-9a-f-]{36})>?", re.IGNORECASE)


class _Entries(NamedTuple):
    domains: frozenset[str]
    urls: frozenset[str]
    ids: frozenset[str]
    digests: frozenset[str]


@final
@dataclass(frozen=True, kw_only=True)
class LeaveOut(DocumentStep):
    """Rejects what the lists name. It stands first in a recipe: nothing of such a document is read further. URLs are compared in their
    normal form (``urls.normal``), so that neither scheme nor tracking lets a page slip through.
    """

    files: tuple[str, ...]

    reasons = (TOMBSTONE,)

    def assets(self) -> tuple[str, ...]:
        return self.files

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        entries = _entries(self.files)
        bodies: list[bytes | str | None] = [None] * batch.num_rows
        if entries.digests:  # SHA-256 costs 0.2 ms a page of 100 kB: only where a list holds one
            bodies = batch["payload" if "payload" in batch.schema.names else "text"].to_pylist()
        rows = zip(batch["id"].to_pylist(), batch["url"].to_pylist(), batch["origin"].to_pylist(), bodies, strict=True)
        named = [_is_named(entries, identity, url, (origin or {}).get("record_id"), body) for identity, url, origin, body in rows]
        return reject(batch, step_name(type(self)), TOMBSTONE, np.array(named, dtype=bool))


def _is_named(entries: _Entries, identity: str | None, url: str | None, record: str | None, body: bytes | str | None) -> bool:
    if identity in entries.ids or (record is not None and _record(record) in entries.ids):
        return True
    if url and entries.urls and normal(url) in entries.urls:
        return True
    name = host(url) if url and entries.domains else ""
    while name:
        if name in entries.domains:
            return True
        name = name.partition(".")[2]
    return body is not None and hashlib.sha256(body.encode() if isinstance(body, str) else body).hexdigest() in entries.digests


def _record(text: str) -> str:
    return text.strip().strip("<>").lower()


@lru_cache(maxsize=8)
def _entries(files: tuple[str, ...]) -> _Entries:
    """Raises AssetError for a line that is none of these: an entry that does nothing would go unnoticed."""
    domains: set[str] = set()
    urls: set[str] = set()
    ids: set[str] = set()
    digests: set[str] = set()
    for path in files:
        try:
            lines = locate(path).read_bytes().decode("utf-8", "replace").splitlines()
        except OSError as error:
            raise AssetError("cannot read the list of tombstones", where=path, hint=error.strerror or str(error)) from error
        for number, line in enumerate(lines, 1):
            entry = re.sub(r"(?:^|\s)#.*", "", line).strip()
            lower = entry.lower()
            if not entry:
                continue
            if "://" in entry and (form := normal(entry)):
                urls.add(form)
            elif re.fullmatch(r"[0-9a-f]{32}", lower):
                ids.add(lower)
            elif record := _RECORD.fullmatch(entry):
                ids.add(record[1].lower())
            elif re.fullmatch(r"sha256:[0-9a-f]{64}", lower):
                digests.add(lower.removeprefix("sha256:"))
            elif _DOMAIN.fullmatch(lower.strip(".")):
                domains.add(lower.strip("."))
            else:
                hint = "an entry is a domain, a URL, an id, <urn:uuid:…> or sha256:…"
                raise AssetError("this is no tombstone", where=f"{path}:{number}", hint=hint)
    return _Entries(frozenset(domains), frozenset(urls), frozenset(ids), frozenset(digests))
