"""Runs the sides of a comparison in turn, each in a process of its own, and tells what each took with all that it started.

    costs = interleaved({"ours": lambda: spent(command), "datatrove": lambda: spent(other)}, rounds=3)
    costs["ours"][0].cpu_seconds    # of the driver, the JVM and the Python workers together

On Linux this process adopts whatever a command leaves behind, and waits for it: no round begins before the JVM of the last one is gone.
Elsewhere only what the command itself has waited for is counted. No system tells what children took that their parent did not wait for, and
Spark's daemon waits for no Python worker: such are counted as they were last seen, a quarter of a second before their end or less.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import psutil

from tests.conftest import REPOSITORY
from tests.processes import environment

BUILD = REPOSITORY / "build" / "bench"
PEERS = Path(__file__).parent / "peers"
INSTALLED = REPOSITORY / "build" / "peers"
_SAMPLED_SECONDS = 0.25  # how often memory is looked at: the page tables of 2 GB are walked in some 10 ms
_ADOPT = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
_GONE_SECONDS = 60


class Absent(Exception):
    """What a benchmark needs is not on this machine: it is said, and left out."""


@final
@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds; the most bytes held at a time, together and by kind of process; what the last line said, if it is JSON."""

    seconds: float
    cpu_seconds: float
    peak_bytes: Mapping[str, int]
    told: Mapping[str, Any]


def spent(command: Sequence[object], **more: str) -> Cost:
    """Run the command to its end. ``more`` is environment. Memory is PSS where the system tells it: shared pages count once."""
    before, started, peaks = _children_seconds(), time.monotonic(), Counter[str]()
    seen: dict[tuple[int, float], float] = {}
    others = set(psutil.Process().children())
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as complained, _adopting():
        process = subprocess.Popen([str(part) for part in command], cwd=REPOSITORY, env=_given(more), stdout=printed, stderr=complained)
        try:
            while process.poll() is None:
                peaks |= _held(process.pid, others, seen)
                time.sleep(_SAMPLED_SECONDS)
            seconds = time.monotonic() - started
            _bury(others, _GONE_SECONDS)
        finally:  # interrupted, or something stays: it must not burden the next round
            _bury(others, 0)
        lines, complaint = _content(printed).splitlines(), _content(complained)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{complaint[-3000:]}")
    told = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return Cost(seconds, max(_children_seconds() - before, sum(seen.values())), dict(peaks), told)


def interleaved(sides: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, run in sides.items():
            costs[name].append(run())
            last = costs[name][-1]
            megabytes = last.peak_bytes.get("together", 0) / 1e6
            print(f"round {number + 1}, {name}: {last.seconds:.1f} s, {last.cpu_seconds:.1f} s of CPU, {megabytes:,.0f} MB", flush=True)
    return costs


def ours(module: str, *arguments: object) -> list[object]:
    """The command of a module of this repository."""
    return [sys.executable, "-m", module, *arguments]


def curate(recipe: object, given: object, output: Path, *more: object) -> list[object]:
    """The public command, from process start to finished report."""
    return ours("jobs.cli", "curate", recipe, "--input", given, "--output", output, "--overwrite", *more)


def facts(output: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """``run.json`` and ``manifest.json`` of a corpus."""
    run, made = (json.loads((output / name).read_text()) for name in ("run.json", "manifest.json"))
    return run, made


def outside(name: str) -> Path:
    """A folder of outside data: ``$GRISTMILL_TEST_DATA``, else ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("GRISTMILL_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / name
    if not folder.is_dir():
        raise Absent(f"no outside data: {folder} (set GRISTMILL_TEST_DATA)")
    return folder


def peer(name: str) -> Path:
    """Python of the peer's environment in build/peers, installed where it is not there or its pins have changed."""
    python, pins, done = INSTALLED / name / "bin" / "python", PEERS / f"{name}.txt", INSTALLED / f"{name}.txt"
    if not done.exists() or done.read_text() != pins.read_text():
        print(f"installing {name} …", flush=True)
        venv.create(INSTALLED / name, with_pip=True, clear=True)
        installed = subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", pins], capture_output=True, text=True)
        if installed.returncode:
            raise Absent(f"{name} could not be installed: {(installed.stderr.strip().splitlines() or ['?'])[-1]}")
        done.write_text(pins.read_text())
    return python


def peers(*names: str) -> dict[str, Path]:
    """Those that are there or can be installed; of the others it is said why not."""
    found: dict[str, Path] = {}
    for name in names:
        try:
            found[name] = peer(name)
        except Absent as why:
            print(f"left out: {why}", flush=True)
    return found


def _given(more: Mapping[str, str]) -> dict[str, str]:
    """The tests' small driver is not what users have."""
    return {key: value for key, value in environment(**more).items() if key != "GRISTMILL_DRIVER_MEMORY" or key in {*os.environ, *more}}


def _content(stream: Any) -> str:
    stream.seek(0)
    return str(stream.read().decode(errors="replace"))


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _held(root: int, others: Collection[psutil.Process], seen: dict[tuple[int, float], float]) -> Counter[str]:
    """Bytes of the command itself (``driver``), its JVM, and everything else (``workers``); into ``seen`` the CPU seconds of each."""
    held = Counter[str]()
    started = [each for each in psutil.Process().children() if each not in others]
    for each in (*started, *_below(started)):
        try:
            told = each.memory_full_info() if sys.platform == "linux" else each.memory_info()
            times = each.cpu_times()
            seen[each.pid, each.create_time()] = times.user + times.system
            kind = "driver" if each.pid == root else "jvm" if each.name() == "java" else "workers"
        except psutil.Error:
            continue
        held += Counter({kind: getattr(told, "pss", told.rss)})
    return held + Counter({"together": held.total()})


def _below(processes: Sequence[psutil.Process]) -> Iterator[psutil.Process]:
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            yield from each.children(recursive=True)


@contextmanager
def _adopting() -> Iterator[None]:
    """Whoever loses its parent within the block becomes a child of this process, and not of the system's first one."""
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    prctl(_ADOPT, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_ADOPT, 0, 0, 0, 0)


def _bury(others: Collection[psutil.Process], seconds: float) -> None:
    """Wait for what the command has left behind, but for the ``others`` that were there before, and end what stays on after ``seconds``.

    Its CPU time is known only then.
    """
    until = time.monotonic() + seconds
    while left := [each for each in psutil.Process().children() if each not in others]:
        for each in left:
            if time.monotonic() >= until:
                for below in (*each.children(recursive=True), each):
                    with suppress(psutil.NoSuchProcess):
                        below.kill()
            with suppress(ChildProcessError):
                os.waitpid(each.pid, os.WNOHANG)
        time.sleep(0.02)
