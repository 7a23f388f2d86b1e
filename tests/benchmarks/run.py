"""Measures, beside the system that users would otherwise take; results in build/bench.json: `make bench`.

    python -m tests.benchmarks.run --rounds 3

Pairs are interleaved in one run, each a process of its own from its start to its end; what is told is the median. The peer is
installed on first use into build/bench/datatrove from tests/benchmarks/peers/datatrove.txt.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pyarrow.dataset as ds

from tests.benchmarks.pages import pack
from tests.conftest import REPOSITORY
from tests.processes import environment

BUILD = REPOSITORY / "build" / "bench"
PEERS = Path(__file__).parent / "peers"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    pages = Path(os.environ.get("GRISTMILL_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / "html-extraction"
    if not pages.is_dir():
        sys.exit(f"no pages to measure on: {pages} (set GRISTMILL_TEST_DATA)")
    documents = pack(pages, BUILD / "pages", files=4)
    peer = installed("datatrove")
    times = _interleaved({"gristmill": _ours, "datatrove": lambda: _datatrove(peer)}, rounds)
    result = _told("web: WARC to Parquet on 2 cores", "documents/s", documents, times)
    result["kept"] = json.loads((BUILD / "ours" / "manifest.json").read_text())["kept"]
    result["peer_kept"] = ds.dataset(BUILD / "theirs").count_rows()
    assert result["peer_kept"] > documents / 10, "the peer extracted next to nothing: its environment is broken"
    result["run"] = json.loads((BUILD / "ours" / "run.json").read_text())
    result["peer_version"] = re.search(r"datatrove==(\S+)", (PEERS / "datatrove.txt").read_text())[1]  # type: ignore[index]
    target = REPOSITORY / "build" / "bench.json"
    target.write_text(json.dumps([result], indent=2) + "\n")
    print(f"-> {target}")


def _ours() -> None:
    shutil.rmtree(BUILD / "ours", ignore_errors=True)
    command = [sys.executable, "-m", "jobs.cli", "curate", "web", "--input", BUILD / "pages", "--output", BUILD / "ours"]
    subprocess.run([*map(str, command), "--master", "local[2]"], cwd=REPOSITORY, env=environment(), check=True, capture_output=True)


def _datatrove(python: Path) -> None:
    for name in ("theirs", "theirs.logs"):
        shutil.rmtree(BUILD / name, ignore_errors=True)
    with resources.as_file(resources.files("corpus.resources.lid176").joinpath("lid.176.ftz")) as model:
        command = [python, PEERS / "datatrove_web.py", BUILD / "pages", BUILD / "theirs"]
        subprocess.run(list(map(str, command)), env={**os.environ, "LID_MODEL": str(model)}, check=True, capture_output=True, timeout=1800)


def installed(name: str) -> Path:
    """Python of the peer's environment."""
    python = BUILD / name / "bin" / "python"
    if not (BUILD / name / "installed").exists():
        print(f"installing {name} …", flush=True)
        venv.create(BUILD / name, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", PEERS / f"{name}.txt"], check=True)
        (BUILD / name / "installed").touch()
    return python


def _interleaved(sides: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, run in sides.items():
            started = time.monotonic()
            run()
            times[name].append(time.monotonic() - started)
            print(f"round {number + 1}: {name} {times[name][-1]:.1f} s", flush=True)
    return times


def _told(name: str, unit: str, amount: int, times: dict[str, list[float]]) -> dict[str, object]:
    (ours, own), (peer, others) = times.items()
    ratios = sorted(other / mine for mine, other in zip(own, others, strict=True))
    rates = {side: amount / statistics.median(seconds) for side, seconds in times.items()}
    interval = (ratios[0], ratios[-1])
    print(f"{name}: {ours} {rates[ours]:.1f}, {peer} {rates[peer]:.1f} {unit}; {statistics.median(ratios):.1f} times ({interval})")
    return {"name": name, "unit": unit, "ours": rates[ours], "peer": rates[peer], "ratio": statistics.median(ratios), "interval": interval}


if __name__ == "__main__":
    main()
