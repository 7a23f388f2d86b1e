"""How the benchmarks compare: sides in turn, each in a process of its own, medians of times and of ratios.

times = interleaved({"gristmill": lambda: wall(command), "peer": lambda: told(other)["seconds"]}, rounds=3)
compared("web", "documents/s", documents, times) -> {"name": "web", "ours": 149.0, "peer": 38.2, "ratio": 3.9, "interval": [3.8, 4.0], …}
"""

import json
import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tests.processes import environment

BUILD = REPOSITORY / "build" / "bench"
PEERS = Path(__file__).parent / "peers"


def wall(command: Sequence[object], **more: str) -> float:
    """Seconds from the start of the process to its end."""
    started = time.monotonic()
    subprocess.run([str(part) for part in command], cwd=REPOSITORY, env=environment(**more), check=True, capture_output=True)
    return time.monotonic() - started


def told(command: Sequence[object], **more: str) -> dict[str, Any]:
    """What the process says in the last line that it prints, as JSON: ``seconds`` without its start, and what else it found."""
    ran = subprocess.run([str(part) for part in command], cwd=REPOSITORY, env=environment(**more), check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def ours(module: str, *arguments: object) -> list[object]:
    """The command of a module of this repository."""
    return [sys.executable, "-m", module, *arguments]


def interleaved(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, run in sides.items():
            times[name].append(run())
            print(f"round {number + 1}: {name} {times[name][-1]:.2f} s", flush=True)
    return times


def compared(name: str, unit: str, amount: float, times: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """``amount`` units were done in each of ``times``, of two sides, ours first; ``ratio`` above 1: ours is faster."""
    (mine, own), (peer, others) = times.items()
    ratios = sorted(other / one for one, other in zip(own, others, strict=True))
    rates = {side: amount / statistics.median(seconds) for side, seconds in times.items()}
    ratio = f"{statistics.median(ratios):.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    print(f"{name}: {mine} {rates[mine]:.1f}, {peer} {rates[peer]:.1f} {unit}; {ratio}")
    return {
        "name": name,
        "unit": unit,
        "sides": [mine, peer],
        "ours": rates[mine],
        "peer": rates[peer],
        "ratio": statistics.median(ratios),
        "interval": [ratios[0], ratios[-1]],
        "load": os.getloadavg()[0],  # of the machine at the end: above the number of sides' processes, others were at work
    }


def peer(name: str) -> Path:
    """Python of the peer's environment, installed on first use."""
    python = BUILD / name / "bin" / "python"
    if not (BUILD / name / "installed").exists():
        print(f"installing {name} …", flush=True)
        venv.create(BUILD / name, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", PEERS / f"{name}.txt"], check=True)
        (BUILD / name / "installed").touch()
    return python
