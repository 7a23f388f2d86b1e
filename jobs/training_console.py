"""What the jobs of the model show: a live panel while it trains, and the tables of tokenizer, tokens, model and the demo's end.

with TrainingPanel(config) as panel:
    pretrain(..., watcher=panel)
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from corpus.engine import Result
from corpus.publish import PAGE
from jobs.console import console, errors
from modeling.config import ModelConfig
from modeling.evaluate import rows
from modeling.page import PAGE as TRAINING_PAGE
from modeling.plan import CHINCHILLA, RESERVE, Plan
from modeling.recorder import Step
from modeling.train import Trained
from tokenization.encode import Encoded
from tokenization.shards import SPLITS
from tokenization.train import Trained as TrainedTokenizer

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


def show_plan(made: Plan, where: str, utilisation: float) -> None:
    """The figures of the whole run, then memory by layout."""
    console.print(f"{made.parameters:,} parameters, {made.flops_per_token:.3e} FLOPs a token (both exact)")
    console.print(
        f"{made.tokens:.3e} tokens, {made.tokens_per_parameter:.1f} a parameter (Chinchilla: {CHINCHILLA:.0f}); "
        f"{made.steps:,} steps, {made.flops:.3e} FLOPs",
        soft_wrap=True,
    )
    columns = ("layout", "batch", "weights", "grads", "AdamW", "gathered", "activ.", "sum", "fits")
    console.print(f"Memory of one device in GB (estimate; {where}, {RESERVE:.0%} left free):")
    table = table_of(*columns)
    for each in made.memory:
        parts = (each.weights, each.gradients, each.optimizer, each.gathered, each.activations, each.total)
        table.add_row(each.layout.name, str(each.micro), *(f"{part / 1e9:,.1f}" for part in parts), "yes" if each.fits else "no")
    console.print(table)
    if any(each.layout.tensor > 1 for each in made.memory):
        console.print("[dim]tp N: `gristmill pretrain --tensor-parallel N`[/dim]")
    fewest = f"at least {made.fewest_gpus:,}" if made.fewest_gpus else "more than 4,096"
    if made.layout is None or made.hours is None:
        console.print(f"[bold]No layout fits[/bold]: it takes {fewest} of these GPUs with one window at once.")
        return
    cost = "" if made.money is None else f", {made.money:,.0f} in the price's currency"
    console.print(
        f"[bold]{made.layout}[/bold]: {made.tokens_per_second:,.0f} tokens/s, {made.hours:,.1f} hours{cost}, "
        f"{made.kilowatt_hours:,.0f} kWh (estimate at an MFU of {utilisation:.0%}; it would fit on {fewest})",
        soft_wrap=True,
    )


class Weight(click.ParamType):
    """LANGUAGE=N as (language, weight)."""

    name = "weight"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        language, _, weight = str(value).rpartition("=")
        try:
            return (language, float(weight)) if language else self.fail(f"{value} is no LANGUAGE=N: deu=2", param, ctx)
        except ValueError:
            self.fail(f"{weight} is no number", param, ctx)


def show_tokenizer(trained: TrainedTokenizer) -> None:
    """The fertility table, and where the tokenizer lies."""
    if trained.resumed:
        console.print("This tokenizer was whole already; nothing was done.")
    table = table_of("language", "documents", "tokens/word", "bytes/token", "bytes alone", "unknown")
    for row in trained.fertility:
        values = (f"{row['tokens_per_word']:.2f}", f"{row['bytes_per_token']:.2f}", f"{row['byte_share']:.1%}", f"{row['unknown']:,}")
        table.add_row(row["language"], f"{row['documents']:,}", *values)
    console.print(table)
    sample = trained.manifest["sample"]
    capped = ": no more is read, as --sample-bytes says" if sample["capped"] else ", all there is"
    console.print(
        f"{trained.manifest['kind']}, {trained.manifest['vocabulary']:,} ids, from {sample['documents']:,} documents "
        f"({sample['bytes']:,} bytes{capped}): [bold]{trained.folder}[/bold]",
        soft_wrap=True,
    )


def show_tokenizers(measured: Sequence[Mapping[str, Any]], page: Path) -> None:
    """Tokenizers side by side, and where their page lies."""
    table = table_of("tokenizer", "ids", "bytes/token", "tokens/word", "words cut", "never met", "rare")
    for each in measured:
        whole, use = each["all"], each["use"]
        cells = (f"{whole['bytes_per_token']:.3f}", f"{whole['tokens_per_word']:.3f}", f"{whole['continued_share']:.1%}")
        table.add_row(each["name"], f"{each['vocabulary']:,}", *cells, f"{use['unused']:,}", f"{use['rare']:,}")
    console.print(table)
    console.print(f"page: [bold]{page}[/bold]", soft_wrap=True)


def show_tokens(encoded: Encoded) -> None:
    """What lies in each split."""
    if encoded.resumed:
        console.print("These tokens were whole already; nothing was done.")
    table = table_of("split", "documents", "tokens", "bytes/token", "shards")
    for name in SPLITS:
        split = encoded.tokens.split(name)
        per_token = f"{split.bytes / max(1, split.tokens):.2f}"
        table.add_row(name, f"{split.documents:,}", f"{split.tokens:,}", per_token, f"{len(split.shards):,}")
    console.print(table)
    console.print(f"{encoded.tokens.manifest['dtype']}: [bold]{encoded.tokens.path}[/bold]", soft_wrap=True)


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


def show_road(curated: Result, evaluation: Mapping[str, Any], output: Path) -> None:
    """The end of the demo: from documents to bits per byte in one table, and what the model writes."""
    manifest = curated.manifest
    held_out = [row for row in rows(evaluation) if row["group"] == "all"][-1]
    table = Table("what", "figure", "where", box=None, header_style="dim", pad_edge=False)
    table.columns[1].justify = "right"
    table.add_row("documents read", f"{manifest['read']:,}", f"{output / 'crawl'}")
    table.add_row("documents kept", f"{manifest['kept']:,}", f"{output / 'corpus'}")
    table.add_row("parameters", f"{evaluation['parameters']:,}", f"{output / 'model'}")
    table.add_row("[bold green]bits per byte of the model[/bold green]", f"[bold]{held_out['bits_per_byte']:.3f}[/bold]", held_out["split"])
    table.add_row("of a unigram model", f"{held_out['unigram_bits_per_byte']:.3f}", "same tokenizer, same documents")
    table.add_row("of zstd -19", f"{held_out['zstd_bits_per_byte']:.3f}", "same documents")
    console.print(table)
    sample = evaluation["samples"][0]
    console.print(f"\n[dim]{escape(sample['prompt'])}[/dim]{escape(sample['text'])}\n", soft_wrap=True)
    for page in (output / "corpus" / PAGE, output / "evaluation" / TRAINING_PAGE):
        console.print(f"report: [bold]{page}[/bold]", soft_wrap=True)


def table_of(*columns: str, left: int = 1) -> Table:
    table = Table(*columns, box=None, header_style="dim", pad_edge=False)
    table.columns[0].overflow = "fold"  # two paths cut short look alike
    for column in table.columns[left:]:
        column.justify = "right"
    return table


def _sparkline(values: list[float]) -> str:
    """The last values of the curve, thinned to the panel's width."""
    step = max(1, len(values) // _SPARK_WIDTH)
    shown = values[::step]
    low, high = min(shown), max(shown)
    return "".join(_SPARKS[round((value - low) / max(1e-9, high - low) * (len(_SPARKS) - 1))] for value in shown)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
