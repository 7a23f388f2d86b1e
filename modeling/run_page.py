"""``train.html``: a run while it goes on and when it has ended, in the model's folder; one file, no script, light and dark.

It is written at validations, and no oftener than costs a hundredth of the time; a page of a run that goes on loads itself again.

    page = RunPage(folder, run, watcher)     # a ``recorder.Watcher`` that tells another
    write_run_page(folder, run, step=800, seconds=12.5)
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, final

import yaml

from corpus.report import plots
from corpus.report.page import style, template
from modeling.config import ModelConfig, TrainConfig
from modeling.curves import CURVE, VALIDATION, read_rows
from modeling.data import reading
from modeling.order import MixedOrder, Order
from modeling.watching import Step, Watcher
from tokenization.packing import Waste
from tokenization.shards import TokenFolder

RUN_PAGE = "train.html"
Lines = dict[str, list[tuple[float, float]]]  # name -> points (step, value)
_POINTS = 300  # of a curve: more than a page has pixels for would only weigh
_SHARE_OF_TIME = 0.01
_RECENT_STEPS = 100  # that the speed is the median of
_SKIPPED_SHOWN = 30


@final
@dataclass(frozen=True, kw_only=True)
class Run:
    """What does not change while it goes on. ``place``: on what it runs, as in ``run.json``; ``windows``: how many there are to read."""

    model: ModelConfig
    train: TrainConfig
    tokens: TokenFolder
    order: Order
    windows: int
    waste: Waste
    place: Mapping[str, Any]


@final
class RunPage:
    """Writes the page at validations, and tells ``watcher`` all that it is told."""

    def __init__(self, folder: Path, run: Run, watcher: Watcher):
        self._folder, self._run, self._watcher = folder, run, watcher
        self._started = self._due = time.monotonic()

    def begins(self, first_step: int, steps: int) -> None:
        self._started = time.monotonic()
        self._watcher.begins(first_step, steps)

    def step(self, made: Step) -> None:
        self._watcher.step(made)

    def validated(self, step: int, result: Mapping[str, Any]) -> None:
        self._watcher.validated(step, result)
        begun = time.monotonic()
        if begun >= self._due:
            write_run_page(self._folder, self._run, step=step, seconds=begun - self._started)
            ended = time.monotonic()
            self._due = ended + (ended - begun) / _SHARE_OF_TIME


def write_run_page(folder: Path, run: Run, *, step: int, seconds: float) -> Path:
    """From the curve and the validations that lie in the folder; ``step`` steps are made, ``seconds`` is this run's time so far."""
    rows, validations = read_rows(folder / CURVE), read_rows(folder / VALIDATION)
    made = [row for row in rows if not row.get("skipped")]
    recent = made[-_RECENT_STEPS:]
    page = template("modeling.resources", "train.html.j2").render(
        step=step,
        seconds=seconds,
        made=made,
        skipped=[row for row in rows if row.get("skipped")],
        shown=_SKIPPED_SHOWN,
        validation=validations[-1] if validations else None,
        best=min(validations, key=lambda row: row["bits_per_byte"]) if validations else None,
        speed=median(row["tokens_per_second"] for row in recent) if recent else None,
        curves=run_curves(made, validations),
        mixture=mixture_of(run, step) if isinstance(run.order, MixedOrder) else None,
        reading=reading(run.order, step),
        model=run.model,
        train=run.train,
        splits={name: run.tokens.split(name) for name in ("train", "validation")},
        parents=[{"tokens": run.tokens.digest}, *run.tokens.manifest["parents"]],
        tokens_folder=str(run.tokens.path),
        windows=run.windows,
        waste=run.waste,
        place=run.place,
        now=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        settings=yaml.safe_dump({"model": asdict(run.model), "train": asdict(run.train)}, sort_keys=False),
        plots=plots,
        style=style(),
    )
    half = folder / f"{RUN_PAGE}.tmp"
    half.write_bytes(page.encode())
    return half.replace(folder / RUN_PAGE)  # a browser that reads it now sees the one or the other whole


def run_curves(made: Sequence[Mapping[str, Any]], validations: Sequence[Mapping[str, Any]]) -> dict[str, Lines]:
    """Plot -> name -> points (step, value); a plot of which nothing is known has no names. Lines that older runs wrote may lack a field."""
    plots_of: dict[str, Lines] = {}
    for plot, field, scale in (
        ("loss", "loss", 1.0), ("bits", "bits_per_byte", 1.0), ("rate", "learning_rate", 1.0), ("norm", "gradient_norm", 1.0),
        ("speed", "tokens_per_second", 1.0), ("memory", "memory_bytes", 1e-9), ("mfu", "mfu", 100.0),
    ):  # fmt: skip
        points = [(float(row["step"]), scale * row[field]) for row in made if row.get(field) is not None]
        plots_of[plot] = {"train" if plot in ("loss", "bits") else "": thinned(points)} if points else {}
    if validations:
        for plot, field in (("loss", "loss"), ("bits", "bits_per_byte")):
            plots_of[plot]["validation"] = [(row["step"], row[field]) for row in validations]
    for kind in ("source", "language"):
        names = list(validations[-1][kind]) if validations else []
        plots_of[kind] = {
            name: [(row["step"], row[kind][name]["bits_per_byte"]) for row in validations if name in row[kind]] for name in names
        }
    return plots_of


def mixture_of(run: Run, step: int) -> dict[str, Any]:
    """Shares of the groups over time, as corners of steps, and how many windows of each were drawn before ``step``."""
    order = run.order
    assert isinstance(order, MixedOrder)
    ends = [*(phase.first_step for phase in order.phases[1:]), run.train.steps]
    lines: Lines = {name: [] for name in order.names}
    for phase, end in zip(order.phases, ends, strict=True):
        for name, weight in zip(order.names, phase.weights, strict=True):
            lines[name] += [(phase.first_step, 100 * weight / sum(phase.weights)), (end, 100 * weight / sum(phase.weights))]
    epochs = order.epochs_by_group(step)
    rows = [
        {"name": name, "windows": count, "drawn": drawn, "epochs": epochs[name], "share": lines[name][-1][1]}
        for name, count, drawn in zip(order.names, order.counts, order.drawn(step).tolist(), strict=True)
    ]
    return {"lines": {name: line for name, line in lines.items() if any(share for _, share in line)}, "rows": rows}


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means of neighbours, so that at most 300 points are left."""
    size = -(-len(points) // _POINTS)
    groups = [points[at : at + size] for at in range(0, len(points), size or 1)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]
