"""Where a run of `curate web` on real pages spends its time: each stage of the run, and each step of the fused pass, from run.json.

python -m tests.benchmarks.run profile
"""

import os

from tests.benchmarks.pages import warcs
from tests.benchmarks.rows import Row, row
from tests.benchmarks.sides import BUILD, curate, facts, spent
from tests.benchmarks.web import COPIES, CORES

REST = "start and report"  # what run.json, written within the last stage, cannot tell
STAGES = {
    REST: "Python, Java and Spark start; figures, page and card are made; the command ends",
    "inputs": "list and digest the files",
    "read": "the fused pass: every page from bytes to signals",
    "same_record": "the same record met twice",
    "exact_duplicates": "the same text",
    "near_duplicates": "nearly the same text: signatures, bands, verification, clusters",
    "split_by_cluster": "train, validation, test",
    "write": "documents and ledger as Parquet",
}
OTHER = "the rest: reading and inflating, batches, ledger rows, metrics, Parquet, Spark's tasks, a core that waits"


def measure(rounds: int) -> list[Row]:
    """One run, whatever ``rounds``: shares move less than times."""
    folder, documents = warcs(int(os.environ.get("GRISTMILL_BENCH_COPIES", COPIES)))
    cost = spent(curate("web", folder, BUILD / "profile", "--master", f"local[{CORES}]"))
    run, _ = facts(BUILD / "profile")
    return shares(run, cost.seconds, documents)


def stages_of(run: dict, seconds: float) -> dict[str, float]:  # type: ignore[type-arg]
    """Stage -> wall seconds, which sum to those of the command."""
    return {**run["seconds"], REST: max(0.0, seconds - sum(run["seconds"].values()))}


def shares(run: dict, seconds: float, documents: int) -> list[Row]:  # type: ignore[type-arg]
    """Rows of the stages, which sum to ``seconds`` of wall time, then of the steps, which sum to the core seconds of the fused pass."""
    stages = stages_of(run, seconds)
    rows = [
        row(f"profile.stage.{name}", f"stage {name}: {STAGES.get(name, 'a set step')}", "s", taken, percent_of_run=100 * taken / seconds)
        for name, taken in stages.items()
    ]
    cores = CORES * run["seconds"]["read"]
    steps = {**run["seconds_by_step"], "other": cores - sum(run["seconds_by_step"].values())}
    for name, taken in sorted(steps.items(), key=lambda each: -each[1]):
        what = f"step {name}" + (f": {OTHER}" if name == "other" else "")
        rows.append(row(f"profile.step.{name}", what, "ms a page", 1000 * taken / documents, percent_of_fused_pass=100 * taken / cores))
    return rows
