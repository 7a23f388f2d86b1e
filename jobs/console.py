"""What the jobs show: progress bars where the output is a terminal, plain lines where it is not, and the tables at the end.

with Progress(spark) as progress:
    with progress.stage("read", "the fused pass"):
        ...
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, final

from pyspark.sql import SparkSession
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from corpus.document import KEPT
from corpus.engine import Result
from corpus.publish import PAGE, REPORT
from corpus.recipe import Recipe

_POLL_SECONDS = 0.3
_TOP_REASONS = 12

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


@final
class Progress:
    """An ``engine.Observer``: a line for each stage, and between them a bar that follows Spark's tasks."""

    def __init__(self, spark: SparkSession):
        self._tracker = spark.sparkContext.statusTracker()
        self._bars = _bars() if errors.is_terminal else None

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    @contextmanager
    def stage(self, name: str, what: str) -> Iterator[None]:
        started = time.monotonic()
        if self._bars is None:
            print(f"{name}: {what} …", file=errors.file, flush=True)
            yield
            print(f"{name}: done in {time.monotonic() - started:.1f} s", file=errors.file, flush=True)
            return
        task = self._bars.add_task(f"{name}  [dim]{what}[/dim]", total=None)
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(task, over), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            self._bars.remove_task(task)
        self._bars.console.print(f"[green]✓[/green] {name:<18} {time.monotonic() - started:6.1f} s  [dim]{what}[/dim]")

    def _watch(self, task: Any, over: threading.Event) -> None:
        assert self._bars is not None
        while not over.wait(_POLL_SECONDS):
            stages = [info for number in self._tracker.getActiveStageIds() if (info := self._tracker.getStageInfo(number))]
            if stages:
                total, completed = sum(info.numTasks for info in stages), sum(info.numCompletedTasks for info in stages)
                self._bars.update(task, total=total, completed=completed)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback ``(done, total)``: a bar in a terminal, a line every tenth of the way elsewhere."""
    if errors.is_terminal:
        with _bars() as bars:
            task = bars.add_task(what, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)
        return
    said = 0

    def say(done: int, total: int) -> None:
        nonlocal said
        if total and done * 10 // total > said:
            said = done * 10 // total
            print(f"{what}: {done:,} of {total:,}", file=errors.file, flush=True)

    yield say


def heading(name: str, what: str) -> None:
    """A stage of the demo begins."""
    console.print(f"\n[bold]{name}[/bold]  {what}", soft_wrap=True)


def show_recipes(recipes: Sequence[Recipe]) -> None:
    table = Table("recipe", "what it does", "steps", box=None, header_style="dim")
    for recipe in recipes:
        table.add_row(f"[bold]{recipe.name}[/bold]", recipe.description, str(len(recipe.steps) + len(recipe.corpus)))
    console.print(table)


def plan_lines(stages: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The stages, numbered, with their steps in order."""
    return "".join(f"{number}. {name}\n     {' -> '.join(steps)}\n" for number, (name, steps) in enumerate(stages, 1))


def show_result(result: Result) -> None:
    """The end of a run: what came in, what was kept, why the rest was not, and where to look."""
    manifest, outcomes = result.manifest, result.manifest["outcomes"]
    if result.resumed:
        console.print(f"This corpus was whole already; nothing was done. [dim]{result.corpus.uri}[/dim]")
    read, kept = manifest["read"], outcomes.get(KEPT, {"documents": 0, "characters": 0})
    table = Table("", "documents", "share", box=None, header_style="dim", pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("read", f"{read:,}", "")
    table.add_row("[bold green]kept[/bold green]", f"{kept['documents']:,}", f"{kept['documents'] / read:.1%}")
    reasons = sorted(((value["documents"], code) for code, value in outcomes.items() if code != KEPT), key=lambda pair: (-pair[0], pair[1]))
    for documents, code in reasons[:_TOP_REASONS]:
        table.add_row(f"  {code}", f"{documents:,}", f"{documents / read:.1%}")
    if rest := sum(documents for documents, _ in reasons[_TOP_REASONS:]):
        table.add_row(f"  {len(reasons) - _TOP_REASONS} other reasons", f"{rest:,}", f"{rest / read:.1%}")
    console.print(table)
    duplicates = {code: outcomes[code]["documents"] for code in ("dedup:exact", "dedup:near", "dedup:same_record") if code in outcomes}
    _line("duplicates", duplicates)
    report = json.loads((result.corpus / REPORT).read_bytes())
    _line("personal data", {row["kind"]: row["spans"] for row in report["pii"] if row["spans"]})
    if unread := sorted(report["inputs"]["unread"], key=lambda entry: "text_field" not in entry["why"]):  # first what a setting mends
        first = f"{unread[0]['file']!r}: {unread[0]['why']}"
        console.print(f"Files that were not read: {len(unread):,}, such as {first}", markup=False, highlight=False, soft_wrap=True)
    if manifest["damages"]["count"]:
        damages = manifest["damages"]
        console.print(f"Damage in the input: {damages['count']:,} places, {damages['lost_bytes']:,} bytes lost; listed in manifest.json")
    _line("seconds", {name: round(value) for name, value in result.run["seconds"].items()})
    console.print(f"report: [bold]{(result.corpus / PAGE).uri}[/bold]", soft_wrap=True)


def table_of(*columns: str, left: int = 1) -> Table:
    """An empty table; of its columns all but the first ``left`` are figures."""
    table = Table(*columns, box=None, header_style="dim", pad_edge=False)
    table.columns[0].overflow = "fold"  # two paths cut short look alike
    for column in table.columns[left:]:
        column.justify = "right"
    return table


def _line(name: str, counts: Mapping[str, int]) -> None:
    if counts:
        console.print(f"[dim]{name + ':':<15}[/dim]" + ", ".join(f"{key} {count:,}" for key, count in counts.items()), soft_wrap=True)


def _bars() -> Bars:
    return Bars(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
    )
