"""One large WARC on two cores beside one: a file is cut into splits at its members.

python -m tests.benchmarks.run one_big_warc
"""

import shutil
from typing import Any

from tests.benchmarks.pages import one_warc
from tests.benchmarks.sides import BUILD, compared, interleaved, ours, wall

COPIES = 5  # one file of 260 MB
SPLIT_BYTES = 32 * 2**20  # eight splits, so that none is left over at the end


def measure(rounds: int) -> dict[str, Any]:
    file, documents = one_warc(COPIES)

    def on(cores: int) -> float:
        shutil.rmtree(BUILD / "ours", ignore_errors=True)
        arguments = ("--input", file, "--output", BUILD / "ours", "--master", f"local[{cores}]", "--set", f"warc.split_bytes={SPLIT_BYTES}")
        return wall(ours("jobs.cli", "curate", "web", *arguments))

    times = interleaved({"two cores": lambda: on(2), "one core": lambda: on(1)}, rounds)
    return compared("one_big_warc: one file, two cores beside one", "documents/s", documents, times)
