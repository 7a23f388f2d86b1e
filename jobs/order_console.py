"""What `gristmill batches` and a run with a mixture show: windows, documents, how much was seen of each source.

show_mixture(order, steps=800)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
from rich.markup import escape

from jobs.console import console, table_of
from modeling.order import MixedOrder, Order


def show_windows(rows: pa.Table, windows: np.ndarray) -> None:
    """One line a window of a batch, tab-separated: its number, then the ids of its documents."""
    held: dict[int, list[str]] = {}
    for window, identity in zip(rows["window"].to_pylist(), rows["id"].to_pylist(), strict=True):
        held.setdefault(window, []).append(identity)
    for window in windows.tolist():
        click.echo("\t".join([str(window), *dict.fromkeys(held[window])]))


def show_documents(rows: pa.Table) -> None:
    """One line a document, tab-separated: step, window, source, id, and the address where it is known."""
    columns = [name for name in ("step", "window", "source", "id", "url") if name in rows.column_names]
    for row in rows.select(columns).to_pylist():
        click.echo("\t".join("" if value is None else str(value) for value in row.values()))


def show_mixture(order: Order, steps: int) -> None:
    """What a mixture draws from each group until a step; nothing where there is none."""
    if not isinstance(order, MixedOrder):
        return
    shares = [np.array(phase.weights) / sum(phase.weights) for phase in order.phases]
    table = table_of("group", *(f"from step {phase.first_step + 1:,}" for phase in order.phases), "windows", "drawn", "epochs")
    drawn, epochs = order.drawn(steps).tolist(), order.epochs_by_group(steps)
    for group, name in enumerate(order.names):
        figures = (f"{order.counts[group]:,}", f"{drawn[group]:,}", f"{epochs[name]:.2f}")
        table.add_row(escape(name), *(f"{each[group]:.1%}" for each in shares), *figures)
    console.print(table)


def show_seen(sources: Sequence[Mapping[str, Any]], steps: int, output: Path | None) -> None:
    """Documents and tokens of each source that the first ``steps`` steps have seen."""
    table = table_of("source", "documents", "seen", "tokens", "targets seen", "times")
    for row in sources:
        counts = (f"{row[name]:,}" for name in ("documents", "seen", "tokens", "targets"))
        table.add_row(escape(row["source"]), *counts, f"{row['targets'] / max(1, row['tokens']):.2f}")
    console.print(table)
    documents, seen = (sum(row[name] for row in sources) for name in ("documents", "seen"))
    where = f": [bold]{output}[/bold]" if output else ""
    console.print(f"{seen:,} of {documents:,} documents were seen until step {steps:,}{where}", soft_wrap=True)
