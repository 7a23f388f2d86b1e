"""The runs of an ablation as tasks of Spark: one run a task, each in a process of its own, on as many devices as Spark gives.

on_spark(design, folder, master="spark://host:7077", told=print)

The folder and the corpora must be where every machine sees them. What a task has made is in the folder, so that a lost machine, or a
stopped command, costs the runs that were under way.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from pyspark import TaskContext

from corpus.errors import InputError
from corpus.session import session
from modeling.ablation.design import Design
from modeling.ablation.runs import missing, run_arguments

_LOOK_SECONDS = 2.0


def on_spark(design: Design, folder: Path, *, master: str | None, told: Callable[[int, int], None]) -> None:
    """Make what is missing; ``told`` hears how many runs are whole, of how many. InputError with the last words of a run that failed."""
    commands = [run_arguments(run, folder.absolute()) for run in missing(design, folder)]
    if not commands:
        return
    spark = session("gristmill ablate", master, brief=True)
    try:
        tasks = spark.sparkContext.parallelize(commands, len(commands)).map(_run)
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(tasks.collect)
            while not pending.done():
                wait([pending], timeout=_LOOK_SECONDS)
                told(len(design.runs()) - len(missing(design, folder)), len(design.runs()))
        failed = [said for said in pending.result() if said]
    finally:
        spark.stop()
    if failed:
        raise InputError(f"{len(failed)} of {len(commands)} runs failed", where=str(folder), hint=failed[0])
    if left := missing(design, folder):
        hint = "--output must be a folder that every machine sees"
        raise InputError(f"{len(left)} runs left no scores here", where=str(folder), hint=hint)


def _run(arguments: list[str]) -> str:
    """On an executor: ``gristmill ARGUMENTS`` to its end; what it said last if it failed, else nothing.

    In a process of its own, since a worker of Spark's is forked, and PyTorch's threads and CUDA do not live on in a fork.
    """
    context = TaskContext.get()
    assert context
    given = {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(context.cpus())),
    }
    if gpus := context.resources().get("gpu"):
        given["CUDA_VISIBLE_DEVICES"] = ",".join(gpus.addresses)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK_"))}
    ran = subprocess.run([sys.executable, "-m", "jobs.cli", *arguments], env=kept | given, capture_output=True, text=True, check=False)
    return (ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"])[-1] if ran.returncode else ""
