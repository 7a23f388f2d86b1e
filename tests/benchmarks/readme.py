"""README's table of what was measured, from build/bench.json: `make bench-table`.

    python -m tests.benchmarks.readme

Which rows, and in which order, is all that stands here; figures, peers and their versions come from the run. Rows that were not measured
are left out. Nothing is written: paste it.
"""

import json
from collections.abc import Sequence

from tests.benchmarks.rows import Row, number, times
from tests.benchmarks.run import TARGET

ROWS = (
    "web", "web.cpu", "web.memory", "web.fused", "spark_share.cpu_seconds", "one_big_warc", "one_big_warc.read", "filters", "signatures",
    "extraction.quality.wceb.trafilatura", "extraction.quality.wceb.resiliparse", "extraction.quality.adbar.trafilatura",
    "extraction.speed.trafilatura", "extraction.speed.resiliparse", "pii.speed.presidio", "pii.speed.dolma", "pii.speed.datatrove",
    "pii.f1.phone.presidio", "pii.f1.card.presidio", "pii.f1.email.dolma", "dedup.spark.wall.datatrove", "dedup.spark.cpu.datatrove",
    "dedup.spark.wall.text-dedup", "dedup.spark.cpu.text-dedup", "dedup.kernels.cpu.datasketch", "dedup.spark.recall.planted.datatrove",
    "dedup.spark.precision.planted.datatrove", "dedup.spark.precision.planted.text-dedup", "scale.10000", "scale.100000", "scale.1000000",
    "scale.growth.seconds", "scale.growth.MB shuffled", "scale.crawl",
    "encoding.bytes", "encoding.bytes.spark", "encoding.bpe", "encoding.bpe.spark", "loader.workers-0", "loader.workers-2", "loader.start",
    "training_speed.tiny.litgpt", "training_speed.tiny.transformers", "training_speed.30m.litgpt", "training_speed.30m.transformers",
)  # fmt: skip
TOLD = ("kept", "peer_kept", "aim", "precision", "recall", "recall, edits of 1 %", "pages", "between_the_largest", "core_hours")


def main() -> None:
    if not TARGET.exists():
        raise SystemExit(f"nothing was measured yet: {TARGET} (make bench)")
    print(measured(json.loads(TARGET.read_text())))


def measured(rows: Sequence[Row]) -> str:
    """Markdown: what, figure, command; below it on what machine and when."""
    by_name = {each["name"]: each for each in rows}
    found = [by_name[name] for name in ROWS if name in by_name]
    lines = [f"| {each['what']} | {figure(each)} | `{each['command']}` |" for each in found]
    machines = sorted({f"{each['cores']} cores, {each['device']}" for each in found})
    dates = sorted(each["date"][:10] for each in found) or ["never"]
    return "\n".join(["| what | figure | command |", "|---|---|---|", *lines, "", f"{'; '.join(machines)}; {dates[0]} to {dates[-1]}"])


def figure(each: Row) -> str:
    """`256 documents/s; datatrove 0.10.1 50.5: 5.1 times [4.9, 5.3]; kept 7,874`"""
    parts = [f"{number(each['ours'])} {each['unit']}"]
    if each["peer"] is not None:
        ratio = f": {times(each)} times" if each["ratio"] else ""
        parts.append(f"{each['peer_name']} {each['peer_version'] or ''}".strip() + f" {number(each['peer'])}{ratio}")
    elif each["interval"]:
        parts.append(f"[{', '.join(map(number, each['interval']))}]")
    told = [f"{name.replace('_', ' ')} {number(each['quality'][name])}" for name in TOLD if name in each["quality"]]
    return "; ".join([*parts, *([", ".join(told)] if told else [])])


if __name__ == "__main__":
    main()
