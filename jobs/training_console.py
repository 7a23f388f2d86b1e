"""What `gristmill pretrain` shows: a live panel while it trains, and where the model lies.

with TrainingPanel(config) as panel:
    pretrain(..., watcher=panel)
"""

import time
from collections.abc import Mapping
from typing import Any, Self, final

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from jobs.console import console, errors
from modeling.config import ModelConfig
from modeling.train import Trained
from modeling.watching import Step

_LINES = 20  # where no terminal is: a line every twentieth of the way
_SPARKS = "▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 60


@final
class TrainingPanel:
    """A ``recorder.Watcher``: a panel in a terminal, lines elsewhere."""

    def __init__(self, config: ModelConfig, shown_on: Console = errors):
        self._config, self._console = config, shown_on
        self._live = Live(console=shown_on, refresh_per_second=4, transient=True) if shown_on.is_terminal else None
        self._first = self._steps = 0
        self._started = 0.0
        self._losses: list[float] = []
        self._validation = "–"

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def begins(self, first_step: int, steps: int) -> None:
        self._first, self._steps, self._started = first_step, steps, time.monotonic()
        what = f"resuming at step {first_step:,}" if first_step else "beginning"
        self._say(f"pretrain: {self._config.parameters:,} parameters, {steps:,} steps, {what}")

    def step(self, made: Step) -> None:
        self._losses.append(made.loss)
        left = (time.monotonic() - self._started) / (made.step - self._first) * (self._steps - made.step)
        facts = {
            "loss": f"{made.loss:.3f}",
            "bits/byte": f"{made.bits_per_byte:.3f}",
            "validation": self._validation,
            "learning rate": f"{made.learning_rate:.2e}",
            "gradient norm": f"{made.gradient_norm:.2f}",
            "tokens/s": f"{made.tokens_per_second:,.0f}",
            **({} if made.mfu is None else {"MFU": f"{made.mfu:.1%}"}),  # of a CPU no peak is known
            "memory": f"{made.memory_bytes / 1e9:.2f} GB",
            "left": _duration(left),
        }
        if self._live:
            self._live.update(self._panel(made.step, facts))
        elif made.step == self._steps or made.step % max(1, self._steps // _LINES) == 0:
            self._say(f"step {made.step:,} of {self._steps:,}: " + ", ".join(f"{name} {value}" for name, value in facts.items()))

    def validated(self, step: int, result: Mapping[str, Any]) -> None:
        self._validation = f"{result['bits_per_byte']:.3f} bits/byte"

    def _panel(self, step: int, facts: Mapping[str, str]) -> Panel:
        table = Table.grid(padding=(0, 2))
        for pair in zip(*[iter([*facts.items(), ("", "")])] * 2, strict=False):
            table.add_row(*(cell for name, value in pair for cell in (f"[dim]{name}[/dim]", value)))
        bar = Padding(ProgressBar(total=self._steps, completed=step), 0)  # a bare bar ends no line: what follows would be cut off
        return Panel(Group(f"step {step:,} of {self._steps:,}", bar, table, _sparkline(self._losses)), title="pretrain", width=76)

    def _say(self, line: str) -> None:
        if self._live:
            self._live.console.print(line)
        else:
            print(line, file=self._console.file, flush=True)


def show_model(trained: Trained) -> None:
    """Where the model lies, and how the data was used."""
    if trained.resumed:
        console.print("This model was whole already; nothing was done.")
    parameters = trained.manifest["parameters"]
    console.print(
        f"{parameters:,} parameters, {trained.epochs:.2f} epochs, {trained.waste.cropped:.2%} of the tokens cropped, "
        f"{trained.waste.padded:.2%} padding: [bold]{trained.folder}[/bold]",
        soft_wrap=True,
    )


def _sparkline(values: list[float]) -> str:
    """The last values of the curve, thinned to the panel's width."""
    step = max(1, len(values) // _SPARK_WIDTH)
    shown = values[::step]
    low, high = min(shown), max(shown)
    return "".join(_SPARKS[round((value - low) / max(1e-9, high - low) * (len(_SPARKS) - 1))] for value in shown)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
