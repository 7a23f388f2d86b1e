"""What is done to a run, by name. Each fault asserts that it happened, and leaves the corpus that the run made in the end.

FAULTS["driver_killed_in_the_fused_pass"](bench)
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from tests.conftest import REPOSITORY
from tests.faults import BUCKET, Fault, Plan, faulty_store
from tests.processes import TIMEOUT_SECONDS, environment, gristmill, kill_when

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
TRIES = 4  # of the same command, after a fault that does not pass at once


class NotHere(Exception):
    """This machine does not let us inject the fault."""


@dataclass(frozen=True)
class Bench:
    """Where a fault works: the input, the recipe, and a folder of its own; ``corpus`` is what must be made."""

    crawl: Path
    recipe: Path
    folder: Path

    @property
    def corpus(self) -> Path:
        return self.folder / "corpus"

    @property
    def work(self) -> Path:
        return self.folder / "corpus.work"

    def arguments(self, **changed: str | Path) -> list[str | Path]:
        told = {"input": self.crawl, "output": self.corpus, "work": self.work, "master": "local[2]", **changed}
        return ["curate", self.recipe, "--allow", "tests", *(part for name, value in told.items() for part in (f"--{name}", value))]

    def again(self, arguments: list[str | Path], failed: Callable[[], None] = lambda: None, **more: str) -> None:
        """The same command until it ends well; every failure (``failed`` hears of it) is told in a line, and never leaves a manifest."""
        for attempt in range(TRIES):
            ran = gristmill(*arguments, **more)
            if ran.returncode == 0:
                return
            assert "Traceback" not in ran.stderr, ran.stderr[-3000:]
            assert not (self.corpus / "manifest.json").exists()
            print(f"    try {attempt + 1}: {ran.stderr.strip().splitlines()[-1][:160]}")
            failed()
        raise AssertionError(f"failed {TRIES} times: {ran.stderr[-2000:]}")

    def some_splits_done(self) -> bool:
        return len(list(self.work.glob("gristmill-*/fused/*/done.json"))) >= 2

    def place(self, pattern: str) -> list[Path]:
        return sorted(self.work.glob(f"gristmill-*/{pattern}"))


def _killed_when(bench: Bench, reached: Callable[[], bool], slow: str = "0.3") -> None:
    kill_when(reached, bench.arguments(), {"GRISTMILL_TEST_SLOW": slow})
    assert not (bench.corpus / "manifest.json").exists()


def _kill_one(bench: Bench, command: list[str], name: str) -> None:
    """Start the command, kill -9 one process below it of this name once splits are done, and see it end well by itself."""
    errors = bench.folder / "errors"  # a file: what spark-submit says of a lost executor fills a pipe, and stops at it
    with errors.open("wb") as out:
        process = subprocess.Popen(
            command,
            env=environment(GRISTMILL_TEST_SLOW="0.5", PYSPARK_PYTHON=sys.executable, PYTHONPATH=str(REPOSITORY)),
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=out,
            start_new_session=True,
        )
    killed = 0
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if not killed and bench.some_splits_done():
                below = [each for each in psutil.Process(process.pid).children(recursive=True) if name in " ".join(_command_of(each))]
                for victim in below[-1:]:  # the youngest: of the daemon of workers and its workers a worker
                    victim.kill()
                    killed += 1
            time.sleep(0.02)
        assert killed, f"no process {name} was met: {errors.read_text()[-2000:]}"
        assert process.poll() == 0, errors.read_text()[-3000:]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def executor_killed(bench: Bench) -> None:
    submit = Path(sys.executable).with_name("spark-submit")
    command = [submit, "--master", "local-cluster[2,1,1024]", "--conf", "spark.executor.memory=1g", REPOSITORY / "jobs" / "curate.py"]
    arguments = bench.arguments()
    at = arguments.index("--master")
    _kill_one(bench, [str(part) for part in (*command, *arguments[1:at], *arguments[at + 2 :])], "CoarseGrainedExecutorBackend")


def python_worker_killed(bench: Bench) -> None:
    _kill_one(bench, [sys.executable, "-m", "jobs.cli", *map(str, bench.arguments())], "pyspark.daemon")


def driver_killed_in_the_fused_pass(bench: Bench) -> None:
    _killed_when(bench, bench.some_splits_done)
    bench.again(bench.arguments())


def driver_killed_between_set_steps(bench: Bench) -> None:
    _killed_when(bench, lambda: bool(bench.place("00-same_record/_whole.json")), slow="0")
    bench.again(bench.arguments())


def driver_killed_while_shards_are_written(bench: Bench) -> None:
    _killed_when(bench, lambda: (bench.corpus / "documents").exists(), slow="0")
    bench.again(bench.arguments())


def disk_full(bench: Bench) -> None:
    """On a tmpfs of 200 kB in a mount namespace of its own, which then grows."""
    disk = bench.folder / "disk"
    disk.mkdir()
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    if subprocess.run(["unshare", *user, "--mount", "true"], capture_output=True).returncode:
        raise NotHere("no mount namespaces here")
    script = (
        'mount -t tmpfs -o size=200k tmpfs "$0" || exit 97; "$@" 2>"$0.first" && exit 98; test -e "$0/corpus/manifest.json" && exit 99\n'
        'mount -o remount,size=200m "$0" && "$@" && cp -r "$0/corpus" "$0.made"'
    )
    arguments = [sys.executable, "-m", "jobs.cli", *bench.arguments(output=disk / "corpus", work=disk / "work")]
    whole = ["unshare", *user, "--mount", "sh", "-c", script, str(disk), *map(str, arguments)]
    ran = subprocess.run(whole, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, timeout=2 * TIMEOUT_SECONDS)
    assert ran.returncode == 0, f"{ran.returncode} {ran.stderr[-3000:]}"
    assert "no space left on the disk" in disk.with_name("disk.first").read_text()
    disk.with_name("disk.made").rename(bench.corpus)


def _store(bench: Bench, plan: Plan, failed: Callable[[], None] = lambda: None) -> None:
    """From the store into the store, resumed there as well."""
    with faulty_store(plan) as store:
        for file in bench.crawl.iterdir():
            store.put(f"crawl/{file.name}", file.read_bytes())
        bench.again(bench.arguments(input=f"s3://{BUCKET}/crawl", output=f"s3://{BUCKET}/corpus"), failed, **store.settings)
        assert store.given, f"none of {store.requests} requests met a fault"
        for key in store.listed():
            if key.startswith("corpus/") and not key.endswith("/"):
                target = bench.folder / key
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(store.get(key))


def _every(nth: int, fault: Fault, methods: tuple[str, ...] = ("GET", "PUT", "POST", "HEAD", "DELETE")) -> Plan:
    return lambda method, path, number: fault if number % nth == 0 and method in methods else None


def store_answers_500(bench: Bench) -> None:
    _store(bench, _every(5, 500))


def store_answers_503(bench: Bench) -> None:
    _store(bench, _every(4, 503))


def store_is_down_for_a_while(bench: Bench) -> None:
    """Longer than any client tries: the command fails, and goes on when it is given again, the store being up by then."""
    outage = ["down"]
    _store(bench, lambda method, path, number: 503 if number >= 60 and outage else None, outage.clear)
    assert not outage, "the command did not fail"


def store_is_slow(bench: Bench) -> None:
    _store(bench, _every(6, "slow"))


def store_truncates_reads(bench: Bench) -> None:
    _store(bench, _every(3, "truncate", ("GET",)))


def store_drops_connections(bench: Bench) -> None:
    _store(bench, _every(7, "reset"))


def clock_shifted(bench: Bench) -> None:
    """Killed today, and resumed in thirteen months by a clock of its own (libfaketime)."""
    if not FAKETIME.exists():
        raise NotHere("libfaketime is not installed (Debian: libfaketime)")
    _killed_when(bench, bench.some_splits_done)
    bench.again(bench.arguments(), LD_PRELOAD=str(FAKETIME), FAKETIME="+400d")
    finished = datetime.fromisoformat(json.loads((bench.corpus / "run.json").read_text())["finished"])
    assert finished - datetime.now(UTC) > timedelta(days=399), finished


def split_file_removed(bench: Bench) -> None:
    _killed_when(bench, lambda: bool(bench.place("00-same_record/_temporary")), slow="0")
    bench.place("fused/*/ledger.parquet")[0].unlink()
    bench.again(bench.arguments())


def split_file_half_written(bench: Bench) -> None:
    _killed_when(bench, bench.some_splits_done)
    for name in ("documents.parquet", "metrics.json"):
        done = next(path for path in bench.place(f"fused/*/{name}") if path.with_name("done.json").exists())
        done.write_bytes(done.read_bytes()[: done.stat().st_size // 2])
    bench.again(bench.arguments())


def set_step_part_removed(bench: Bench) -> None:
    _killed_when(bench, lambda: bool(bench.place("00-same_record/_whole.json")), slow="0")
    for part in bench.place("00-same_record/*.parquet")[:1]:
        part.unlink()
    bench.again(bench.arguments())


def work_folder_lost(bench: Bench) -> None:
    _killed_when(bench, bench.some_splits_done)
    shutil.rmtree(bench.work)
    bench.again(bench.arguments())


FAULTS: dict[str, Callable[[Bench], None]] = {
    fault.__name__: fault
    for fault in (
        executor_killed,
        python_worker_killed,
        driver_killed_in_the_fused_pass,
        driver_killed_between_set_steps,
        driver_killed_while_shards_are_written,
        disk_full,
        store_answers_500,
        store_answers_503,
        store_is_down_for_a_while,
        store_is_slow,
        store_truncates_reads,
        store_drops_connections,
        clock_shifted,
        split_file_removed,
        split_file_half_written,
        set_step_part_removed,
        work_folder_lost,
    )
}
