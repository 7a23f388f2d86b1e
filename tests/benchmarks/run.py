"""Measures, beside the systems that users would otherwise take; rows in build/bench.json: `make bench`.

    python -m tests.benchmarks.run                          # all of them, under 90 minutes on 2 quiet cores
    python -m tests.benchmarks.run web filters --rounds 5   # make bench BENCH="web filters --rounds 5"

Each benchmark is a module here with ``measure(rounds)``. Sides are interleaved, each in a process of its own; a peer lives in an
environment of its own in build/peers, and one that cannot be installed is said and left out. Rows replace a benchmark's last ones.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence

from tests.benchmarks.rows import Row, table
from tests.benchmarks.sides import BUILD, Absent
from tests.conftest import REPOSITORY

BENCHMARKS = (
    "web", "profile", "filters", "signatures", "dedup", "spark_share", "one_big_warc", "extraction", "extraction_all",
    "parts", "pii", "toxicity", "lid", "loader", "encoding", "training_speed",
)  # fmt: skip
SHOWN = 60  # rows of a benchmark: those of identification and toxicity are hundreds
TARGET = REPOSITORY / "build" / "bench.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default all")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if unknown := sorted(set(asked.names) - set(BENCHMARKS)):
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    failed = []
    for name in asked.names or BENCHMARKS:
        print(f"\n== {name}", flush=True)
        try:
            record(name, importlib.import_module(f"tests.benchmarks.{name}").measure(asked.rounds), f"make bench BENCH={name}")
        except Absent as why:
            print(f"left out: {why}", flush=True)
        except Exception as error:  # the others are measured nevertheless
            print(f"FAILED: {error}", flush=True)
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def record(name: str, rows: Sequence[Row], command: str) -> None:
    """Print the rows of a benchmark, and put them in the place of its last ones."""
    told = {
        "benchmark": name,
        "command": command,
        "device": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),  # at the end: above the number of cores, others were at work
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    there = json.loads(TARGET.read_text()) if TARGET.exists() else []
    rows = [{**row, **told} for row in rows]
    BUILD.mkdir(parents=True, exist_ok=True)
    kept = [row for row in there if row.get("benchmark", name) != name]  # rows of an older form belong to nobody
    TARGET.write_text(json.dumps([*kept, *rows], indent=2) + "\n")
    more = f"\nand {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    print(f"{table(rows[:SHOWN])}{more}\n-> {TARGET}", flush=True)


if __name__ == "__main__":
    main()
