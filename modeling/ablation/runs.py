"""The runs of an ablation: encode, train, score, each in turn in one process or several at once; a finished one is never made again.

    estimate = measure(design, folder, parallel=2)      # seconds, from a few steps made here
    make_runs(design, folder, parallel=2, told=print)

On a cluster each run is a command of its own (``commands``, ``slurm_script``). Whoever calls ``gristmill ablate`` when
all are whole gets the page.
"""

import json
import math
import os
import platform
import shlex
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from corpus.errors import InputError
from corpus.storage import json_bytes, locate
from modeling import checkpoint
from modeling.ablation.arms import write_tokens
from modeling.ablation.design import FORMAT, HELD_OUT, RUNS, TOKENIZER, Design, Run
from modeling.ablation.held_out import HeldOut
from modeling.build import build, token_losses
from modeling.curves import VALIDATION
from modeling.data import plan_batches
from modeling.evaluate import load_model
from modeling.optimizers import make_optimizer
from modeling.scoring import chunks, score
from modeling.train import MANIFEST, RUN, Launch, pretrain
from modeling.watching import Unwatched
from tokenization.shards import MANIFEST as TOKENS_MANIFEST
from tokenization.shards import TokenFolder

_TOKENS = "tokens"
_STARTING = 15.0  # seconds of a process for Python and PyTorch, and of a run for encoding and Lightning
_MOST = 16  # processes on a CPU: each holds a model, its moments and half a GB of PyTorch


@final
@dataclass(frozen=True)
class Estimate:
    """What is left to do: ``runs`` of them, ``parallel`` at once, ``seconds`` in all."""

    runs: int
    parallel: int
    tokens_per_second: float
    scored_per_second: float
    seconds: float


def slots(runs: int) -> int:
    """How many runs at once: one a GPU; without GPUs one a core."""
    return max(1, min(runs, torch.cuda.device_count() if torch.cuda.is_available() else min(os.cpu_count() or 1, _MOST)))


def missing(design: Design, folder: Path) -> list[Run]:
    return [run for run in design.runs() if not run.scores(folder).exists()]


def measure(design: Design, folder: Path, parallel: int, steps: int = 3) -> Estimate:
    """Time a few steps on random ids, and one pass of scoring; a run at a time has all cores, several share them."""
    torch.set_num_threads(threads(parallel))
    runs = missing(design, folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build(design.model, 0, device=device)
    optimizer = make_optimizer(model, design.train)
    plan = plan_batches(design.train, design.model.context_length, 1)
    ids = torch.randint(4, design.model.vocabulary, (plan.micro, design.model.context_length + 1), device=device)
    taken = []
    for _ in range(steps + 1 if runs else 0):
        started = time.perf_counter()
        token_losses(model, design.model, ids)[0].mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        taken.append(time.perf_counter() - started)
    started = time.perf_counter()
    with torch.no_grad():
        token_losses(model, design.model, ids)
    seconds = time.perf_counter() - started
    size = plan.micro * design.model.context_length
    training, scoring = size / float(np.median(taken[1:] or [1.0])), size / max(1e-9, seconds)
    size = sum(len(piece.text.encode()) for piece in HeldOut.read(folder / HELD_OUT).pieces)
    scored = 1.5 * size / 3 * 1.5  # 3 bytes a token; half are seen twice; curves take as much as half of it
    a_run = design.train.steps * design.train.global_batch_tokens / training + scored / scoring + _STARTING
    return Estimate(len(runs), parallel, training, scoring, math.ceil(len(runs) / parallel) * a_run)


def threads(parallel: int) -> int:
    """Of each process, where ``parallel`` share the cores; the user's OMP_NUM_THREADS is a bound."""
    bound = int(os.environ.get("OMP_NUM_THREADS") or 1 << 30)
    return max(1, min(bound, (os.cpu_count() or 1) // parallel))


def make_runs(design: Design, folder: Path, parallel: int, told: Callable[[int, int], None]) -> None:
    """Make what is missing; ``told`` hears how many are whole, of how many. A run that fails stops the rest: nothing whole is lost."""
    runs, total = missing(design, folder), len(design.runs())
    if parallel == 1 or len(runs) <= 1:
        torch.set_num_threads(threads(1))
        for number, run in enumerate(runs, 1):
            make_run(folder, run.name)
            told(total - len(runs) + number, total)
        return
    context = get_context("spawn")  # a forked process has no CUDA, and PyTorch's threads do not live on in it
    queue = context.Queue()
    for number in range(parallel):
        queue.put(number)
    with ProcessPoolExecutor(min(parallel, len(runs)), mp_context=context, initializer=_begin, initargs=(queue, threads(parallel))) as pool:
        pending = [pool.submit(make_run, folder, run.name) for run in runs]
        try:
            for number, done in enumerate(as_completed(pending), 1):
                done.result()
                told(total - len(runs) + number, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def make_run(folder: Path, name: str) -> None:
    """One run of the ablation in ``folder``, from its documents to its scores. Raises InputError for a name that is none."""
    design = Design.read(folder)
    run = next((each for each in design.runs() if each.name == name), None)
    if run is None:
        raise InputError(f"no such run: {name}", where=str(folder), hint=", ".join(each.name for each in design.runs()))
    if run.scores(folder).exists():
        return
    started, cpu = time.monotonic(), time.process_time()
    model_folder = folder / RUNS / run.folder_name
    tokens = folder / _TOKENS / run.folder_name
    if not (tokens / TOKENS_MANIFEST).exists():
        write_tokens(run, folder / HELD_OUT, folder / TOKENIZER, tokens)
    trained = pretrain(str(tokens), model_folder, design.model, run.train, Launch(devices=1), watcher=Unwatched())
    if trained.paused_at is not None:
        raise KeyboardInterrupt  # SIGTERM: it is saved, and the same command goes on
    scores = _scores(run, TokenFolder.open(tokens), model_folder)
    scores |= {"seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
    run.scores(folder).parent.mkdir(parents=True, exist_ok=True)
    locate(str(run.scores(folder))).write_bytes(json_bytes(scores))
    shutil.rmtree(tokens)  # they are made again from the corpus in seconds; kept, they would be the budget times the runs


def run_facts(design: Design, folder: Path, estimate: Mapping[str, Any]) -> dict[str, Any]:
    """``run.json``: what may differ between two ablations of one result."""
    took = [json.loads(run.scores(folder).read_bytes()) for run in design.runs()]
    return {
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.node()}, {platform.machine()}, {os.cpu_count()} cores, {took[0]['run']['devices']}",
        "seconds_of_runs": round(sum(each["seconds"] for each in took), 1),
        "cpu_seconds_of_runs": round(sum(each["cpu_seconds"] for each in took), 1),
        "estimate": dict(estimate),
    }


def _scores(run: Run, tokens: TokenFolder, model_folder: Path) -> dict[str, Any]:
    """Nats of each held-out text, and the curve: bits per byte of the beginnings of some texts of each set."""
    model = load_model(model_folder)
    split = tokens.split("test")
    nats = score(model, model.config, split, chunks(split, model.config.context_length))
    validations = [json.loads(line) for line in (model_folder / VALIDATION).read_text().splitlines()]
    curve = {name: [[row["step"], row["source"][name]["bits_per_byte"]] for row in validations] for name in validations[-1]["source"]}
    told = json.loads((model_folder / RUN).read_bytes())
    facts = {name: told[name] for name in ("epochs", "devices", "tokens_per_second")}
    return {
        "format": FORMAT,
        "arm": run.arm.name,
        "seed": run.seed,
        "nats": [round(each, 6) for each in nats.tolist()],
        "curve": curve,
        "draw": tokens.manifest["draw"],
        "run": facts,
        "model": checkpoint.sha256(model_folder / MANIFEST),
    }


def _begin(queue: Any, count: int) -> None:
    """A process takes a number: its GPU."""
    os.environ["CUDA_VISIBLE_DEVICES"] = _device(queue.get())
    torch.set_num_threads(count)


def _device(number: int) -> str:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(each) for each in range(64)]
    return names[number % len(names)]


def run_arguments(run: Run, folder: Path) -> list[str]:
    """Of `gristmill`, for one run in a process of its own."""
    return ["ablate", "--output", str(folder), "--run", run.name]


def commands(design: Design, folder: Path) -> list[str]:
    """A shell command for each run that is missing: for xargs, or any queue."""
    return [shlex.join(["gristmill", *run_arguments(run, folder)]) for run in missing(design, folder)]


def slurm_script(design: Design, folder: Path) -> Path:
    """``runs.sbatch``: a job array, a task for each run that is missing. What a cluster asks for besides is said to `sbatch`."""
    lines = commands(design, folder.absolute())
    logs, script = folder.absolute() / "logs", folder / "runs.sbatch"
    logs.mkdir(parents=True, exist_ok=True)  # without it SLURM's tasks fail before they begin
    written = [
        "#!/bin/bash", "#SBATCH --job-name=gristmill-ablate", f"#SBATCH --array=0-{len(lines) - 1}", "#SBATCH --ntasks=1",
        f"#SBATCH --output={logs}/%a.txt", "set -eu", 'export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"',
        'case "$SLURM_ARRAY_TASK_ID" in', *(f"{number}) exec {line} ;;" for number, line in enumerate(lines)), "esac", "",
    ]  # fmt: skip
    locate(str(script)).write_bytes("\n".join(written).encode())
    return script
