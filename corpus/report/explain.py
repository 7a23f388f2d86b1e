"""All that is known about one document, from the ledger and the corpus.

for line in explain(locate("corpus/"), "http://example.com/").to_lines(): print(line)
"""

from dataclasses import dataclass
from typing import Any, final

import pyarrow.compute as pc
import pyarrow.dataset as ds

from corpus import document, manifest
from corpus.errors import InputError
from corpus.pii.redact import redact_url
from corpus.storage import Place

_MEMBERS = 20
_SHOWN = ("title", "language", "language_score", "script", "charset_source", "license", "split", "cluster_id", "cluster_size")


@final
@dataclass(frozen=True)
class Explanation:
    """Ledger rows that the key names, each with its document's columns (None if it is not in the corpus) and its cluster's other rows."""

    rows: list[dict[str, Any]]
    documents: list[dict[str, Any] | None]
    copies: list[list[dict[str, Any]]]
    rules: list[dict[str, Any]]
    reasons: dict[str, str]

    def to_lines(self) -> list[str]:
        lines: list[str] = []
        for row, found, copies in zip(self.rows, self.documents, self.copies, strict=True):
            lines += [*_origin(row), *self._outcome(row), *_facts(found), *self._signals(row, found), *_copies(row, copies), ""]
        return lines[:-1]

    def _outcome(self, row: dict[str, Any]) -> list[str]:
        if row["outcome"] == document.KEPT:
            return ["outcome    kept"]
        measured = "" if row["value"] is None else f": measured {row['value']:.6g}"
        limit = "" if row["threshold"] is None else f", threshold {row['threshold']:.6g}"
        lines = [f"outcome    rejected: {row['outcome']} in step {row['step']}{measured}{limit}"]
        if meaning := self.reasons.get(row["outcome"]):
            lines.append(f"           {meaning}")
        others = [fault for fault in row["failed"] or [] if fault["reason"] != row["outcome"]]
        lines += [
            f"also       failed {fault['reason']}" + ("" if fault["value"] is None else f": {fault['value']:.6g}") for fault in others
        ]
        return lines

    def _signals(self, row: dict[str, Any], found: dict[str, Any] | None) -> list[str]:
        """Each judged signal against its threshold; for a document that left early, those that it failed."""
        if found is None:
            return []
        lines = ["signals"]
        judged = set()
        for rule in self.rules:
            value = found["signals"].get(rule["signal"])
            judged.add(rule["signal"])
            told = "not measured" if value is None else f"{value:.6g}"
            fails = {fault["reason"] for fault in row["failed"] or []}
            verdict = "FAIL" if rule["reason"] in fails else "pass" if value is not None else "-"
            lines.append(
                f"  {verdict:<5}{rule['signal']:<30}{told:>14}   rejected {rule['comparison']} {rule['threshold']:g}  ({rule['reason']})"
            )
        for name, value in found["signals"].items():
            if name not in judged and value not in (None, 0):
                told = f"{value:.6g}" if isinstance(value, (int, float)) else str(value)
                lines.append(f"       {name:<30}{told:>14}")
        return lines


def explain(corpus: Place, key: str) -> Explanation:
    """``key``: a URL or an id. URLs in the ledger are redacted, so the key is looked up both as given and redacted. Raises InputError."""
    made = manifest.read(corpus)
    wanted = pc.field("id").isin([key]) | pc.field("url").isin([key, redact_url(key)])
    rows = _read(corpus, "ledger", wanted)
    if not rows:
        raise InputError("no document of this URL or id was read", where=key, hint=f"the ledger of {corpus.uri} has {made['read']:,} rows")
    found: list[dict[str, Any] | None] = []
    copies = []
    for row in rows:
        folder = "documents" if row["outcome"] == document.KEPT else "rejected"
        columns = [*_SHOWN, "signals", "origin", document.CUTS[0]]
        there = _read(corpus, folder, pc.field("id") == row["id"], columns) if folder in made["shards"] else []
        found.append(next((each for each in there if each["origin"] == row["origin"]), None))
        kept_id = row["id"] if row["outcome"] == document.KEPT else row["duplicate_of"]
        others = _read(corpus, "ledger", pc.field("duplicate_of") == kept_id, limit=_MEMBERS) if kept_id else []
        copies.append([each for each in others if each["origin"] != row["origin"]])
    return Explanation(rows, found, copies, made["rules"], made["reasons"])


def _read(corpus: Place, folder: str, wanted: pc.Expression, columns: list[str] | None = None, limit: int = 1000) -> list[dict[str, Any]]:
    place = corpus / folder
    dataset = ds.dataset(place.path, filesystem=place.filesystem, format="parquet")
    there = columns and [name for name in columns if name in dataset.schema.names]
    return dataset.head(limit, filter=wanted, columns=there).to_pylist()


def _origin(row: dict[str, Any]) -> list[str]:
    origin = row["origin"]
    return [
        f"id         {row['id']}",
        f"url        {row['url'] or '-'}",
        f"read from  input {origin['input']}, {origin['file']}, offset {origin['offset']:,}, record {origin['record_id'] or '-'}",
    ]


def _facts(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    lines = [f"{name:<11}{found[name]}" for name in _SHOWN if found[name] is not None]
    for cut in found.get(document.CUTS[0]) or []:
        starts, ends = cut["spans"][::2], cut["spans"][1::2]
        lines.append(f"cut        {sum(ends) - sum(starts):,} bytes in {len(starts)} places by {cut['step']}: they stand elsewhere too")
    return lines


def _copies(row: dict[str, Any], copies: list[dict[str, Any]]) -> list[str]:
    lines = []
    if row["duplicate_of"] and row["duplicate_of"] != row["id"]:
        lines.append(f"duplicate  of {row['duplicate_of']}, which was kept")
    for copy in copies:
        alike = f", similarity {copy['value']:.2f}" if copy["value"] is not None else ""
        lines.append(f"copy       {copy['id']} {copy['url'] or ''} ({copy['outcome']}{alike})")
    return lines
