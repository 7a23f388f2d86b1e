"""The fused pass on one core with Spark and without it, on the same splits: what Spark's tasks cost.

python -m tests.benchmarks.run spark_share
python -m tests.benchmarks.spark_share with build/bench/pages-1
"""

import json
import shutil
import statistics
import sys
import time
from functools import partial

import psutil

from corpus.fused import run_split
from corpus.reading import examine_inputs, read_splits
from corpus.recipe import load
from corpus.session import session
from corpus.sources.listing import find
from corpus.sources.source import Split
from corpus.storage import Place
from tests.benchmarks.pages import warcs
from tests.benchmarks.rows import Row, bootstrap, row
from tests.benchmarks.sides import BUILD, interleaved, ours, spent

WORK = BUILD / "share"
SIDES = ("with", "without")
AIM = 10  # %


def measure(rounds: int) -> list[Row]:
    folder, documents = warcs(1)
    costs = interleaved({side: partial(spent, ours("tests.benchmarks.spark_share", side, folder)) for side in SIDES}, rounds)
    rows = []
    for name, unit in (("cpu_seconds", "CPU time"), ("seconds", "wall time")):
        held, bare = ([cost.told[name] for cost in costs[side]] for side in SIDES)
        shares = [100 * (1 - one / other) for one, other in zip(bare, held, strict=True)]
        rates = {f"documents/s {side} Spark": documents / statistics.median(cost.told[name] for cost in costs[side]) for side in SIDES}
        what = f"Spark's own share of the fused pass on one core, {unit}"
        rows.append(row(f"spark_share.{name}", what, "%", statistics.median(shares), interval=bootstrap(shares), aim=AIM, **rates))
    return rows


def main(side: str, folder: str) -> None:
    """Print what the second pass takes, of this process and all below it: in the first one workers start and kernels are loaded."""
    recipe = load("web")
    files = find([folder])
    if side == "with":
        spark = session("spark_share", "local[1]", brief=True)
        examined = examine_inputs(spark, recipe, files)

        def run() -> None:
            read_splits(spark, recipe, examined, Place(str(WORK)))
    else:

        def run() -> None:
            for number, file in enumerate(files):
                run_split(Split(file, 0, file.size_bytes), recipe, Place(str(WORK / str(number))))

    for _ in range(2):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        started, used = time.monotonic(), cpu_seconds()
        run()
        told = {"seconds": time.monotonic() - started, "cpu_seconds": cpu_seconds() - used}
    print(json.dumps(told))


def cpu_seconds() -> float:
    """Of this process and those below it, which all live on to the next pass."""
    here = psutil.Process()
    times = [each.cpu_times() for each in (here, *here.children(recursive=True))]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    main(*sys.argv[1:])
