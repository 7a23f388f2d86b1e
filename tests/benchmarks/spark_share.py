"""The fused pass on one core with Spark and without it, on the same splits: what Spark's tasks cost.

python -m tests.benchmarks.run spark_share
python -m tests.benchmarks.spark_share with build/bench/pages-1
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from corpus.fused import run_split
from corpus.reading import examine_inputs, read_splits
from corpus.recipe import load
from corpus.session import session
from corpus.sources.listing import find
from corpus.sources.source import Split
from corpus.storage import Place
from tests.benchmarks.pages import warcs
from tests.benchmarks.sides import BUILD, compared, interleaved, ours, told

WORK = BUILD / "share"


def measure(rounds: int) -> dict[str, Any]:
    folder, documents = warcs(1)
    sides = {name: ours("tests.benchmarks.spark_share", name, folder) for name in ("with", "without")}
    times = interleaved({f"{name} Spark": lambda name=name: float(told(sides[name])["seconds"]) for name in sides}, rounds)  # type: ignore[misc]
    return compared("spark_share: the fused pass on one core", "documents/s", documents, times)


def main(side: str, folder: str) -> None:
    """Print the wall seconds of the second pass: in the first one workers start and kernels are loaded."""
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
        Path(WORK).mkdir(parents=True)
        started = time.monotonic()
        run()
        seconds = time.monotonic() - started
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
