"""Real archives through ``curate`` in a loop, in one process: memory and file handles must not grow: what ``make soak`` runs.

    python -m tests.soak --minutes 30

The archives are those of the outside data, else the demo's crawl. Measured after every run: memory of this process and of the Python
workers below it, what lives in the JVM after it has collected its garbage (classes and code too; what it keeps of the system's memory
is as it likes, within its bound, and is told apart), and file handles. The slope is that of a straight line
through what was measured after a quarter of the time, at most five minutes: until then caches fill and kernels load. Exit status 1 above
1 MB a minute, or where handles grow. The picture is build/soak.png.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from pyspark.sql import SparkSession

from corpus.demo.crawl import crawl_demo
from corpus.engine import curate
from corpus.recipe import load
from corpus.session import session
from tests.benchmarks.sides import BUILD
from tests.conftest import REPOSITORY

MAX_GROWTH_MB_A_MINUTE = 1.0
MAX_HANDLES_A_RUN = 0.5
_WARM_SECONDS = 300
PICTURE = BUILD.with_name("soak.png")


@dataclass(frozen=True)
class Sample:
    """After one run: seconds since the first, memory in MB of Python, alive in the JVM, and held by it, open files of both."""

    seconds: float
    python_mb: float
    alive_mb: float
    jvm_mb: float
    handles: int


def alive_bytes(spark: SparkSession) -> int:
    """What the JVM's heap and its classes and code hold once the garbage is collected."""
    java: Any = spark._jvm
    java.java.lang.System.gc()
    beans = java.java.lang.management.ManagementFactory.getMemoryMXBean()
    return int(beans.getHeapMemoryUsage().getUsed() + beans.getNonHeapMemoryUsage().getUsed())


def sample(started: float, spark: SparkSession) -> Sample:
    this = psutil.Process()
    python, jvm, handles = this.memory_full_info().uss, 0, this.num_fds()
    for each in this.children(recursive=True):
        try:
            name, used, files = each.name(), each.memory_full_info().uss, each.num_fds()
        except psutil.Error:  # ended meanwhile
            continue
        python, jvm = (python, jvm + used) if name == "java" else (python + used, jvm)
        handles += files
    return Sample(time.monotonic() - started, python / 1e6, alive_bytes(spark) / 1e6, jvm / 1e6, handles)


def slope(samples: list[Sample], name: str) -> float:
    """Of the line through the values, a minute."""
    if len(samples) < 3:
        return float("nan")
    return float(np.polyfit([each.seconds / 60 for each in samples], [getattr(each, name) for each in samples], 1)[0])


def draw(samples: list[Sample], warm: float, target: Path) -> None:
    import matplotlib.pyplot as plt  # draws to a file alone, and takes a second to load

    figure, axes = plt.subplots(2, 1, figsize=(8, 6), sharex=True)
    minutes = [each.seconds / 60 for each in samples]
    for name, label in (("python_mb", "Python"), ("alive_mb", "alive in the JVM"), ("jvm_mb", "held by the JVM")):
        axes[0].plot(minutes, [getattr(each, name) for each in samples], label=label)
    axes[0].axvline(warm / 60, linestyle=":", color="gray")
    axes[0].set_ylabel("memory, MB")
    axes[0].legend()
    axes[1].plot(minutes, [each.handles for each in samples])
    axes[1].set_ylabel("open files")
    axes[1].set_xlabel("minutes")
    figure.savefig(target, dpi=100)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak")
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    BUILD.parent.mkdir(parents=True, exist_ok=True)
    spark = session("gristmill soak", "local[2]", brief=True, **{"spark.sql.shuffle.partitions": "4", "spark.driver.memory": "1g"})
    samples: list[Sample] = []
    passed = 0
    with tempfile.TemporaryDirectory(prefix="gristmill-soak-") as folder:
        data = Path(os.environ.get("GRISTMILL_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / "warc"
        if not data.is_dir():
            data = Path(folder) / "crawl"
            crawl_demo(data, pages=200)
        started = time.monotonic()
        while time.monotonic() - started < 60 * minutes:
            corpus = Path(folder) / "corpus"
            made: Any = curate(load("web"), [str(data)], str(corpus), spark=spark)
            passed += sum(entry["size_bytes"] for entry in made.manifest["fingerprint"]["inputs"] if "source" in entry)
            shutil.rmtree(corpus)
            samples.append(sample(started, spark))
            last = samples[-1]
            memory = f"Python {last.python_mb:.0f} MB  JVM {last.alive_mb:.0f} of {last.jvm_mb:.0f} MB"
            told = f"{last.seconds / 60:5.1f} min  {passed / 1e9:6.3f} GB  {memory}  {last.handles} files"
            print(told, flush=True)
    spark.stop()
    warm = min(_WARM_SECONDS, 60 * minutes / 4)
    settled = [each for each in samples if each.seconds >= warm]
    python, alive, handles = (slope(settled, name) for name in ("python_mb", "alive_mb", "handles"))
    runs_a_minute = len(settled) / max(1e-9, (settled[-1].seconds - settled[0].seconds) / 60) if len(settled) > 1 else float("nan")
    draw(samples, warm, PICTURE)
    print(
        f"soak: {passed / 1e9:.2f} GB in {len(samples)} runs, memory {python + alive:+.2f} MB a minute "
        f"(Python {python:+.2f}, alive in the JVM {alive:+.2f}; held by it {slope(settled, 'jvm_mb'):+.2f}), "
        f"open files {handles / runs_a_minute:+.2f} a run; {PICTURE}"
    )
    return 0 if python + alive <= MAX_GROWTH_MB_A_MINUTE and handles / runs_a_minute <= MAX_HANDLES_A_RUN else 1


if __name__ == "__main__":
    sys.exit(main())
