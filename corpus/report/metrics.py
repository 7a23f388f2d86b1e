"""What the report counts, added up where the documents are: integers in fixed bins, so that no order of adding changes them.

A ``Metrics`` is filled in the fused pass (every document read) and again as shards are written (documents kept), written as JSON
beside the work, and merged.

    metrics = Metrics(signal_types(recipe.steps))
    metrics.observe_read(batch)
    total.merge(metrics)
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Self, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import document, hashing
from corpus.pii.redact import redact_text, redact_url
from corpus.rights import stated_opt_outs

EXCERPTS = 20  # of each reason
EXCERPT_BYTES = 2000
_CUT_CHARACTERS = 20_000  # that are searched before the cut: a private key that the cut would halve is up to 8,000 long

# Edges by the kind of quantity. Shares and scores: 50 equal bins. Counts and lengths: twelve bins for each power of ten.
SHARE_EDGES = np.linspace(0.0, 1.0, 51)
COUNT_EDGES = np.concatenate([[0.0, 1.0], np.unique(np.round(10 ** np.arange(1 / 12, 7.001, 1 / 12), 6))])
_COUNTED = (
    "words", "gopher_words", "stop_words", "long_lines", "toxic_words", "curator_longest_word", "perplexity",
    "refinedweb_uppercase", "refinedweb_digits", "refinedweb_counter", "refinedweb_few_words",
)  # fmt: skip
LENGTH = "characters"
ITEMS = "evaluation_items"  # the signal that names what of evaluation sets a document holds: counted by name, documents sampled


def edges_of(signal: str) -> np.ndarray:
    """The bins of a signal's histogram: [e0, e1), …, [en-1, en]; what lies outside counts in the first or last."""
    if signal == LENGTH or signal in _COUNTED or signal.startswith(("c4_", "pii_", "evaluation_cut")):
        return COUNT_EDGES
    return np.linspace(0.0, 20.0, 81) if signal == "mean_word_length" else SHARE_EDGES


@final
class Metrics:
    """Counters by name and histograms by signal. ``signals``: name -> Arrow type of what the recipe measures."""

    def __init__(self, signals: Mapping[str, pa.DataType]):
        numeric = [name for name, kind in signals.items() if pa.types.is_integer(kind) or pa.types.is_floating(kind)]
        self.histograms: dict[str, np.ndarray] = {name: np.zeros(len(edges_of(name)) - 1, np.int64) for name in [LENGTH, *numeric]}
        self.has_items = ITEMS in signals
        self.counters: dict[str, Counter[str]] = {}
        self.excerpts: dict[str, list[dict[str, Any]]] = {}
        self._raw: dict[str, list[dict[str, Any]]] = {}  # excerpts to be, not redacted: never written

    def observe_read(self, batch: pa.RecordBatch) -> None:
        """A batch as it leaves the fused pass: columns of ``document.WORKING`` and flat ``signals.*``; text may be null."""
        failed = batch["failed"].to_pylist()
        outcomes = [faults[0]["reason"] if faults else document.KEPT for faults in failed]
        for faults in failed:
            reasons = {fault["reason"] for fault in faults}
            self.counter("failed").update(reasons)
            if len(reasons) == 1:
                self.counter("failed_alone").update(reasons)
        self._observe(batch, {name: batch[document.SIGNAL + name] for name in self.histograms if name != LENGTH})
        if self.has_items:
            self._count(ITEMS, pc.list_flatten(batch[document.SIGNAL + ITEMS]))
        self._sample(batch, outcomes, failed)

    def observe_kept(self, batch: pa.RecordBatch) -> None:
        """Documents as they are written: signals as one struct."""
        self._observe(batch, {name: pc.struct_field(batch["signals"], name) for name in self.histograms if name != LENGTH})
        self._count("split", batch["split"])
        pii = [name for name in self.histograms if name.startswith("pii_")]
        for name in pii:
            values = pc.fill_null(pc.struct_field(batch["signals"], name), 0)
            self.counter("pii_documents")[name.removeprefix("pii_")] += pc.sum(pc.greater(values, 0)).as_py() or 0
            self.counter("pii_spans")[name.removeprefix("pii_")] += pc.sum(values).as_py() or 0

    def merge(self, other: Self) -> None:
        other._settle()
        for name, counts in other.histograms.items():
            self.histograms[name] = self.histograms[name] + counts
        for name, counter in other.counters.items():
            self.counter(name).update(counter)
        for outcome, listed in other.excerpts.items():
            self._keep_smallest(outcome, listed)

    def to_json(self) -> dict[str, Any]:
        self._settle()
        return {
            "histograms": {name: counts.tolist() for name, counts in self.histograms.items()},
            "counters": {name: dict(sorted(counter.items())) for name, counter in self.counters.items()},
            "excerpts": self.excerpts,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], signals: Mapping[str, pa.DataType]) -> Self:
        made = cls(signals)
        made.histograms = {name: np.array(counts, np.int64) for name, counts in values["histograms"].items()}
        made.counters = {name: Counter(counts) for name, counts in values["counters"].items()}
        made.excerpts = values["excerpts"]
        return made

    def _observe(self, batch: pa.RecordBatch, signals: Mapping[str, pa.Array]) -> None:
        lengths = pc.utf8_length(batch["text"])
        self.counter("totals").update({"documents": batch.num_rows, "characters": pc.sum(lengths).as_py() or 0})
        for name in ("language", "script", "charset_source", "source", "license"):
            self._count(name, batch[name])
        self._count("source_license", pc.binary_join_element_wise(batch["source"], pc.fill_null(batch["license"], ""), "\t"))
        self._count("rights", stated_opt_outs(batch["rights"]))
        for name, values in {LENGTH: lengths, **signals}.items():
            known = pc.drop_null(values).cast(pa.float64()).to_numpy(zero_copy_only=False)
            if len(known):
                edges = edges_of(name)
                inside = np.clip(known, edges[0], edges[-1])
                self.histograms[name] += np.histogram(inside, edges)[0]

    def _count(self, name: str, values: pa.Array) -> None:
        for entry in pc.value_counts(pc.drop_null(values)).to_pylist():
            self.counter(name)[entry["values"]] += entry["counts"]

    def counter(self, name: str) -> Counter[str]:
        """The counter of this name, empty if nothing was counted."""
        return self.counters.setdefault(name, Counter())

    def _sample(self, batch: pa.RecordBatch, outcomes: list[str], failed: list[Any]) -> None:
        """The documents with the smallest ranks of each outcome, and of those with items, as they are: only what stays is redacted."""
        ids = batch["id"].to_pylist()
        ranks = [hashing.rank(identity, "excerpt") for identity in ids]
        items: list[Any] = batch[document.SIGNAL + ITEMS].to_pylist() if self.has_items else [None] * len(ids)
        for row in np.argsort(np.array(ranks, dtype=np.uint64), kind="stable").tolist():
            for key in (outcomes[row], ITEMS) if items[row] else (outcomes[row],):
                listed = self._raw.setdefault(key, [])
                if len(listed) < EXCERPTS or ranks[row] < listed[-1]["rank"]:
                    more = {"items": items[row][:EXCERPTS]} if key == ITEMS else {}
                    self._raw[key] = _smallest([*listed, {**_raw_excerpt(batch, row, ranks[row], failed[row]), **more}])

    def _settle(self) -> None:
        """Redact the documents that wait, and put them among the excerpts."""
        for outcome, listed in self._raw.items():
            self._keep_smallest(outcome, [_redacted(entry) for entry in listed])
        self._raw = {}

    def _keep_smallest(self, outcome: str, listed: list[dict[str, Any]]) -> None:
        self.excerpts[outcome] = _smallest([*self.excerpts.get(outcome, []), *listed])


def _smallest(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    both = {(entry["rank"], entry["id"], entry["excerpt"]): entry for entry in listed}
    return [both[key] for key in sorted(both)][:EXCERPTS]


def cut(text: str) -> str:
    """Redacted, and at most EXCERPT_BYTES of UTF-8, cut at a character."""
    return redact_text(text[:_CUT_CHARACTERS]).encode()[:EXCERPT_BYTES].decode("utf-8", "ignore")


def _raw_excerpt(batch: pa.RecordBatch, row: int, rank: int, faults: Any) -> dict[str, Any]:
    first = faults[0] if faults else {}
    told = {name: batch[name][row].as_py() for name in ("id", "url", "title", "language")}
    text = batch["text"][row].as_py() or ""
    return {**told, "rank": rank, "value": first.get("value"), "threshold": first.get("threshold"), "excerpt": text[:_CUT_CHARACTERS]}


def _redacted(raw: dict[str, Any]) -> dict[str, Any]:
    url, title = raw["url"], raw["title"]
    return {
        **raw,
        "url": redact_url(url)[:500] if url else None,
        "title": redact_text(title)[:300] if title else None,
        "excerpt": cut(raw["excerpt"]),
    }
