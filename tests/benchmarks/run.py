"""Measures, beside the system that users would otherwise take; results in build/bench.json: `make bench`.

    python -m tests.benchmarks.run                          # all of them
    python -m tests.benchmarks.run signatures filters --rounds 5

Sides are interleaved, each in a process of its own; what is told is the median. A result replaces the last one of its name.
"""

import argparse
import importlib
import json

from tests.benchmarks.sides import BUILD

BENCHMARKS = ("web", "filters", "signatures", "spark_share", "one_big_warc")  # each a module here, with ``measure(rounds)``


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default all")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if unknown := sorted(set(asked.names) - set(BENCHMARKS)):
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    BUILD.mkdir(parents=True, exist_ok=True)
    target = BUILD.with_suffix(".json")
    for name in asked.names or BENCHMARKS:
        result = importlib.import_module(f"tests.benchmarks.{name}").measure(asked.rounds)
        there = json.loads(target.read_text()) if target.exists() else []
        target.write_text(json.dumps([*(entry for entry in there if entry["name"] != result["name"]), result], indent=2) + "\n")
    print(f"-> {target}")


if __name__ == "__main__":
    main()
