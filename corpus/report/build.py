"""The content of ``report.json``: everything that the page shows, as plain values, the same for the same corpus.

report = build(recipe=…, rules=…, reasons=…, inputs=…, outcomes=…, read=…, kept=…, domains=…, clusters=…, facts=…, splits=…)
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from corpus.document import KEPT
from corpus.report.metrics import ITEMS, Metrics, edges_of

_TOP = 25  # languages, scripts, … that are listed; the rest is summed


def build(
    *,
    recipe: Mapping[str, Any],
    rules: Sequence[Mapping[str, Any]],
    reasons: Mapping[str, str],
    inputs: Mapping[str, Any],
    outcomes: Mapping[str, Mapping[str, int]],
    read: Metrics,
    kept: Metrics,
    domains: Sequence[Mapping[str, Any]],
    clusters: Mapping[str, Any],
    facts: Mapping[str, Any],
    splits: Mapping[str, int],
) -> dict[str, Any]:
    """``read``: metrics of every document read; ``kept``: of those in the corpus; ``outcomes``: documents and characters by outcome."""
    total = {key: sum(outcome[key] for outcome in outcomes.values()) for key in ("documents", "characters")}
    failed, alone = read.counter("failed"), read.counter("failed_alone")
    by_rule = {rule["signal"]: [] for rule in rules}  # type: dict[str, list[Mapping[str, Any]]]
    for rule in rules:
        code = rule["reason"]
        by_rule[rule["signal"]].append({**rule, "failed": failed.get(code, 0), "failed_alone": alone.get(code, 0)})
    return {
        "recipe": dict(recipe),
        "inputs": dict(inputs),
        "read": total,
        "kept": dict(outcomes.get(KEPT, {"documents": 0, "characters": 0})),
        "reasons": [
            {
                "reason": code,
                "meaning": reasons.get(code, ""),
                **outcomes[code],
                "failed": failed.get(code, outcomes[code]["documents"]),
                "failed_alone": alone.get(code, outcomes[code]["documents"]),
            }
            for code in sorted(outcomes, key=lambda code: (-outcomes[code]["documents"], code))
            if code != KEPT
        ],
        "signals": [_signal(name, by_rule[name], read) for name in by_rule if name in read.histograms],
        "lengths": {"edges": edges_of("characters").tolist(), "read": _bins(read, "characters"), "kept": _bins(kept, "characters")},
        "languages": _compared(read, kept, "language"),
        "scripts": _compared(read, kept, "script"),
        "charsets": _compared(read, kept, "charset_source"),
        "sources": _sources(read, kept),
        "licenses": _compared(read, kept, "license"),
        "rights": _compared(read, kept, "rights"),
        "domains": list(domains),
        "clusters": dict(clusters),
        "facts": dict(facts),
        "splits": dict(splits),
        "pii": [
            {"kind": kind, "documents": kept.counter("pii_documents")[kind], "spans": spans}
            for kind, spans in sorted(kept.counter("pii_spans").items())
        ],
        "evaluation": _evaluation(read, facts),
        "excerpts": {code: [_without_rank(entry) for entry in listed] for code, listed in sorted(read.excerpts.items()) if code != ITEMS},
    }


def _evaluation(read: Metrics, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What of evaluation sets was met: by set, the items that most documents hold, and at most 20 documents. Empty without the step."""
    sets = [each for fact in facts.values() for each in fact.get("evaluation", ())]
    found = read.counter(ITEMS)
    order = sorted(found, key=lambda label: (-found[label], label))
    return {
        "sets": [{**each, "found": sum(label.rpartition(":")[0] == each["name"] for label in found)} for each in sets],
        "items": [{"item": label, "documents": found[label]} for label in order[:_TOP]],
        "examples": [{key: entry[key] for key in ("id", "url", "items")} for entry in read.excerpts.get(ITEMS, [])],
    }


def _signal(name: str, rules: Sequence[Mapping[str, Any]], read: Metrics) -> dict[str, Any]:
    return {"signal": name, "edges": edges_of(name).tolist(), "counts": _bins(read, name), "rules": [dict(rule) for rule in rules]}


def _bins(metrics: Metrics, name: str) -> list[int]:
    return metrics.histograms[name].tolist()


def _compared(read: Metrics, kept: Metrics, name: str) -> list[dict[str, Any]]:
    """The most frequent values, with how many documents were read and kept; the rest as one."""
    kept_counts = kept.counter(name)
    read_counts = read.counter(name)
    order = sorted(read_counts, key=lambda key: (-read_counts[key], key))
    rows = [{"name": key, "read": read_counts[key], "kept": kept_counts[key]} for key in order[:_TOP]]
    if rest := order[_TOP:]:
        rows.append(
            {
                "name": f"{len(rest)} others",
                "read": sum(read_counts[key] for key in rest),
                "kept": sum(kept_counts[key] for key in rest),
            }
        )
    return rows


def _sources(read: Metrics, kept: Metrics) -> list[dict[str, Any]]:
    """By source, what was read and kept, and the licences of what was kept; "" where a document states none."""
    by_source: dict[str, Counter[str]] = {}
    for key, count in kept.counter("source_license").items():
        source, _, license = key.rpartition("\t")
        by_source.setdefault(source, Counter())[license] += count
    licenses = {source: sorted(counts.items(), key=lambda each: (-each[1], each[0])) for source, counts in by_source.items()}
    return [
        {**row, "licenses": [{"name": name, "documents": count} for name, count in licenses.get(row["name"], [])[:_TOP]]}
        for row in _compared(read, kept, "source")
    ]


def _without_rank(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "rank"}
