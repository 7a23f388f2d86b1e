"""The whole road: the recipe `web` on real pages, from process start to finished report, beside datatrove with the same filters.

python -m tests.benchmarks.run web
"""

import os
import shutil
from functools import partial
from importlib import resources

import pyarrow.dataset as ds

from tests.benchmarks.pages import warcs
from tests.benchmarks.rows import Row, compared, row
from tests.benchmarks.sides import BUILD, PEERS, Cost, curate, facts, interleaved, peers, spent

COPIES = 5  # 10,315 documents: the start of Spark does not decide
CORES = 2


def measure(rounds: int) -> list[Row]:
    folder, documents = warcs(int(os.environ.get("GRISTMILL_BENCH_COPIES", COPIES)))
    pythons = peers("datatrove")
    mine, theirs = BUILD / "ours", BUILD / "theirs"

    def datatrove() -> Cost:
        for name in (theirs, theirs.with_suffix(".logs")):
            shutil.rmtree(name, ignore_errors=True)
        with resources.as_file(resources.files("corpus.resources.lid176").joinpath("lid.176.ftz")) as model:
            return spent([pythons["datatrove"], PEERS / "datatrove_web.py", folder, theirs], LID_MODEL=str(model))

    sides = {"ours": partial(spent, curate("web", folder, mine, "--master", f"local[{CORES}]")), "datatrove": datatrove}
    costs = interleaved({side: run for side, run in sides.items() if side in {"ours", *pythons}}, rounds)
    run, made = facts(mine)
    kept = {"kept": made["kept"]}
    if pythons:
        kept["peer_kept"] = ds.dataset(theirs).count_rows()
        assert kept["peer_kept"] > documents / 10, "the peer extracted next to nothing: its environment is broken"
    fused = {
        "core_milliseconds_a_page": 1000 * CORES * run["seconds"]["read"] / documents,
        "compressed_bytes_a_page": sum(file.stat().st_size for file in folder.iterdir()) / documents,
        "judged_by_sets": sum(each["documents"] for why, each in made["outcomes"].items() if why == "kept" or why.startswith("dedup:"))
        / documents,
    }
    what = f"`web` on {documents:,} real pages, WARC to finished Parquet"
    return [
        compared("web", f"{what}, {CORES} cores", "documents/s", costs, _wall, amount=documents, **kept),
        compared("web.cpu", f"{what}, CPU time", "documents/s of CPU", costs, _cpu, amount=documents),
        compared("web.memory", f"{what}, memory", "MB", costs, _megabytes, **costs["ours"][-1].peak_bytes),
        row("web.fused", "its fused pass alone, from bytes to signals", "documents/s", documents / run["seconds"]["read"], **fused),
    ]


def _wall(cost: Cost) -> float:
    return cost.seconds


def _cpu(cost: Cost) -> float:
    return cost.cpu_seconds


def _megabytes(cost: Cost) -> float:
    return cost.peak_bytes["together"] / 1e6
