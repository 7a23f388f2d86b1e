"""One large WARC on two cores beside one: a file is cut into splits at its members.

python -m tests.benchmarks.run one_big_warc
"""

import os
import shutil
from functools import partial

from tests.benchmarks.pages import one_warc
from tests.benchmarks.rows import Row, compared
from tests.benchmarks.sides import BUILD, Cost, curate, facts, interleaved, spent

COPIES = 20  # one file of 1 GB, as a crawl's are
SPLITS = 16  # so that none is left over at the end, whatever the size
ROUNDS = 2  # at most: minutes each
AIM = 1.8


def measure(rounds: int) -> list[Row]:
    file, documents = one_warc(int(os.environ.get("GRISTMILL_BENCH_COPIES", COPIES)))
    split_bytes = -(-file.stat().st_size // SPLITS)

    def on(cores: int) -> Cost:
        output = BUILD / f"cores-{cores}"
        command = curate("web", file, output, "--master", f"local[{cores}]", "--set", f"warc.split_bytes={split_bytes}")
        cost = spent([*_bound(cores), *command])
        return Cost(cost.seconds, cost.cpu_seconds, cost.peak_bytes, facts(output)[0]["seconds"])

    costs = interleaved({"two cores": partial(on, 2), "one core": partial(on, 1)}, min(rounds, ROUNDS))
    what = f"one WARC of {file.stat().st_size / 1e9:.2f} GB, two cores beside one"
    return [
        compared("one_big_warc", f"{what}, process start to report", "documents/s", costs, lambda c: c.seconds, amount=documents, aim=AIM),
        compared("one_big_warc.read", f"{what}, the fused pass", "documents/s", costs, lambda c: c.told["read"], amount=documents, aim=AIM),
    ]


def _bound(cores: int) -> list[object]:
    """To so many cores, the JVM's own threads too, where the system can."""
    return ["taskset", "-c", f"0-{cores - 1}"] if shutil.which("taskset") else []
