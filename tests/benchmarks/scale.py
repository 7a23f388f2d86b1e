"""How a run grows with the number of documents, and what a whole crawl would take: `make bench-scale`.

    python -m tests.benchmarks.scale 10k,100k,1M

Texts with planted duplicates (``planted``) through `gristmill curate text`. Wall and CPU time are of the driver, the JVM and the Python
workers together; bytes shuffled, spilled and sent to the driver are from Spark's event log, summed over tasks. What grows on the driver
shows in its memory and in the results sent to it. The estimate is ``growth.estimate`` over these figures and, for the fused pass, over
those of `make bench BENCH=web`, where they are in build/bench.json. Below some 22,000 documents Spark sends all signatures through the
driver to every task (9.4 MB at 20,000: its limit is 10) and shuffles them above: growth is that of the sizes beyond.
"""

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.growth import Cluster, Crawl, Pages, Sets, Stage, estimate, growth
from tests.benchmarks.planted import FOLDER, judged, write
from tests.benchmarks.profile import stages_of
from tests.benchmarks.rows import Row, number, row
from tests.benchmarks.run import TARGET, record
from tests.benchmarks.sides import curate, facts, spent

SIZES = "10k,100k,1M"
CORES = 2
SPLIT_BYTES = 4 * 2**20  # some 1,900 documents: splits, and what they send to the driver, grow with the documents
BEFORE_SETS = ("inputs", "read")
CRAWL_SPLIT_BYTES = 128 * 2**20  # the default of `warc`
PARTITION_BYTES = 128e6  # of a shuffle: what one task sorts in memory
_BROADCAST = "CompletableFuture.java"  # where Spark collects a side of a join: below 10 MB, then it shuffles both instead
_MOVED = ("shuffled", "spilled", "sent to the driver")
_HELD = {"MB of the driver": "driver", "MB of the JVM": "jvm", "MB of the workers": "workers"}
_SPENT = ("seconds", "MB sent by splits", "CPU seconds", *(f"MB {name}" for name in _MOVED), *_HELD)


def main(sizes: str = SIZES) -> None:
    asked = sorted(map(_count, sizes.split(",")))
    measured = [measure(size) for size in asked]
    rows = [_row(size, each) for size, each in zip(asked, measured, strict=True)] + growths(asked, measured)
    crawl, told = whole_crawl(asked, measured, json.loads(TARGET.read_text()) if TARGET.exists() else [])
    record("scale", rows + crawl, f"make bench-scale SIZES={sizes}")
    print(told)


def measure(documents: int) -> dict[str, float]:
    """Name -> figure of one run: those of _SPENT, ``stage NAME`` in seconds, and how good the deduplication was."""
    given, output, log = write(documents), FOLDER / f"{documents}.corpus", FOLDER / f"{documents}.log"
    log.mkdir(exist_ok=True)
    for old in log.iterdir():
        old.unlink()
    conf = FOLDER / "conf"
    conf.mkdir(exist_ok=True)
    settings = {"enabled": "true", "dir": f"file:{log}", "compress": "false", "rolling.enabled": "false"}
    (conf / "spark-defaults.conf").write_text("".join(f"spark.eventLog.{name} {value}\n" for name, value in settings.items()))
    command = curate("text", given, output, "--master", f"local[{CORES}]", "--set", f"jsonl.split_bytes={SPLIT_BYTES}")
    cost = spent(command, SPARK_CONF_DIR=str(conf))
    run, _ = facts(output)
    moved, sent = from_log(next(log.iterdir()))
    found = {
        "seconds": cost.seconds,
        "CPU seconds": cost.cpu_seconds,
        "splits": sum(-(-file.stat().st_size // SPLIT_BYTES) for file in given.iterdir()),
        **{f"MB {name}": moved[name] / 1e6 for name in _MOVED},
        "MB sent by splits": sum(size for place, size in sent.items() if "corpus/tasks.py" in place) / 1e6,
        **{name: cost.peak_bytes.get(kind, 0) / 1e6 for name, kind in _HELD.items()},
        **{f"stage {name}": seconds for name, seconds in stages_of(run, cost.seconds).items()},
        **judged(output, documents),
    }
    print(f"{documents:,} documents: " + ", ".join(f"{name} {number(value)}" for name, value in found.items()), flush=True)
    print(f"sent to the driver most by ({_BROADCAST}: a broadcast): {sent.most_common(3)}", flush=True)
    return found


def from_log(path: Path) -> tuple[Counter[str], Counter[str]]:
    """Bytes of all tasks that came to an end, from Spark's event log; and what each place in the code had sent to the driver."""
    total, names, sent = Counter[str](), {}, Counter[str]()
    with path.open() as lines:
        for event in map(json.loads, lines):
            if event["Event"] == "SparkListenerStageSubmitted":
                names[event["Stage Info"]["Stage ID"]] = event["Stage Info"]["Stage Name"]
            told = event.get("Task Metrics") if event["Event"] == "SparkListenerTaskEnd" else None
            if told:
                total["shuffled"] += told["Shuffle Write Metrics"]["Shuffle Bytes Written"]
                total["spilled"] += told["Disk Bytes Spilled"]
                total["sent to the driver"] += told["Result Size"]
                sent[names[event["Stage ID"]]] += told["Result Size"]
    return total, sent


def growths(sizes: Sequence[int], measured: Sequence[Mapping[str, float]]) -> list[Row]:
    """Exponents of all that is spent; one size has none."""
    rows: list[Row] = []
    if len(sizes) < 2:
        return rows
    for name in [name for name in measured[-1] if name in _SPENT or name.startswith("stage ")]:
        whole, last = growth(sizes, [each.get(name, 0.0) for each in measured])
        what = f"growth of {name} with documents (1: in proportion)"
        rows.append(row(f"scale.growth.{name}", what, "exponent", whole, between_the_largest=last, at_the_largest=measured[-1][name]))
    return rows


def whole_crawl(sizes: Sequence[int], measured: Sequence[Mapping[str, float]], bench: Sequence[Row]) -> tuple[list[Row], str]:
    """The estimate as a row, and as Markdown with its assumptions first; or why there is none, where the fused pass was never measured."""
    fused = next((each for each in bench if each["name"] == "web.fused"), None)
    if not fused:
        return [], "no estimate of a whole crawl: the fused pass is not in build/bench.json (make bench BENCH=web)"
    crawl, cluster = Crawl(), Cluster()
    pages = Pages(**fused["quality"], digest_bytes_a_second=_digest_rate())
    last = measured[-1]
    stages = {
        name.removeprefix("stage "): Stage(core_seconds=CORES * seconds, exponent=_exponent(sizes, measured, name))
        for name, seconds in last.items()
        if name.startswith("stage ") and name.removeprefix("stage ") not in BEFORE_SETS
    }
    shuffled = last["MB shuffled"] * 1e6
    exponent = _exponent(sizes, measured, "MB shuffled")
    sets = Sets(documents=sizes[-1], stages=stages, shuffle_bytes=shuffled, shuffle_exponent=exponent)
    lines = estimate(crawl, cluster, pages, sets)
    sent = last["MB sent by splits"] * 1e6 / last["splits"]
    documents = crawl.pages * pages.judged_by_sets
    partitions = shuffled * (documents / sizes[-1]) ** max(1.0, exponent) / len(stages) / PARTITION_BYTES
    splits = crawl.compressed_bytes / CRAWL_SPLIT_BYTES
    assumed = {
        **{f"crawl: {name}": value for name, value in asdict(crawl).items()},
        **{f"cluster: {name}": value for name, value in asdict(cluster).items()},
        **{f"measured, web: {name}": value for name, value in asdict(pages).items()},
        f"set stages measured at {sizes[-1]:,} documents of 2 kB, extrapolated times": documents / sizes[-1],
        "spark.sql.shuffle.partitions that this takes (its default is 200)": partitions,
        "splits of 128 MiB": splits,
        "GB that they send to the driver, at what one sent here (spark.driver.maxResultSize is 1)": splits * sent / 1e9,
    }
    told = ["\nA whole crawl, assumed:", *(f"- {name.replace('_', ' ')}: {number(float(value))}" for name, value in assumed.items())]
    told += ["", f"| stage | core hours | hours on {cluster.machines} machines | TB over the network |", "|---|---|---|---|"]
    told += [f"| {line.stage} | {number(line.core_hours)} | {number(line.hours)} | {number(line.terabytes)} |" for line in lines]
    what = f"estimate: {crawl.compressed_bytes / 1e12:.0f} TB and {crawl.pages / 1e6:,.0f} million pages, {cluster.machines} machines"
    quality = {"core_hours": lines[-1].core_hours, "terabytes": lines[-1].terabytes, **assumed}
    return [row("scale.crawl", what, "hours", lines[-1].hours, **quality)], "\n".join(told)


def _exponent(sizes: Sequence[int], measured: Sequence[Mapping[str, float]], name: str) -> float:
    """Between the two largest sizes; of one size it is taken for 1."""
    return growth(sizes, [each.get(name, 0.0) for each in measured])[1] if len(sizes) > 1 else 1.0


def _row(size: int, measured: Mapping[str, float]) -> Row:
    rest = {name: value for name, value in measured.items() if name != "seconds"}
    return row(f"scale.{size}", f"`text` on {size:,} documents of 2 kB, {CORES} cores", "documents/s", size / measured["seconds"], **rest)


def _digest_rate() -> float:
    """Bytes a second of SHA-256, which digests the inputs."""
    block, blocks = bytes(2**20), 64
    started = time.process_time()
    digest: Any = hashlib.sha256()
    for _ in range(blocks):
        digest.update(block)
    return blocks * len(block) / (time.process_time() - started)


def _count(told: str) -> int:
    """10k -> 10,000"""
    unit = {"k": 1_000, "M": 1_000_000}.get(told[-1])
    return int(told[:-1]) * unit if unit else int(told)


if __name__ == "__main__":
    main(*sys.argv[1:])
