"""What `gristmill ablate` shows: the plan before the first run, and the verdict.

show_plan(design, estimate, resolves)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from jobs.console import console
from modeling.ablation.design import Design
from modeling.ablation.outcome import PRIMARY_OUTCOME
from modeling.ablation.runs import Estimate


def show_plan(design: Design, estimate: Estimate, resolves: Mapping[str, float]) -> None:
    """What will be run, how long it takes, and what it can tell: before the first step."""
    arms = ", ".join(escape(arm.name) for arm in design.all_arms)
    console.print(f"arms: {arms}; {design.seeds} paired seeds each", soft_wrap=True)
    console.print(
        f"each run: {design.model.parameters:,} parameters, {design.train.steps:,} steps of {design.train.global_batch_tokens:,} tokens",
        soft_wrap=True,
    )
    console.print(f"primary outcome: {PRIMARY_OUTCOME}", soft_wrap=True)
    if estimate.runs:
        minutes = max(1, round(estimate.seconds / 60))
        console.print(
            f"about [bold]{minutes:,} min[/bold] for {estimate.runs} runs, {estimate.parallel} at once (measured: "
            f"{estimate.tokens_per_second:,.0f} tokens/s each)",
            soft_wrap=True,
        )
        shared, apart = resolves["shared"], resolves["apart"]
        console.print(
            f"can resolve about [bold]{shared:.3f}[/bold] bits per byte between arms that share their documents, {apart:.3f} between arms "
            "that share none (from how far paired runs spread when we measured; the page says what it came to)",
            soft_wrap=True,
        )


def show_script(script: Path) -> None:
    """Of a job array, and what to do with it."""
    console.print(f"script: [bold]{script}[/bold]", soft_wrap=True)
    console.print("submit it with what your cluster asks for, as `sbatch --gpus=1 --time=2:00:00`; then the same command makes the page")


def show_result(result: Mapping[str, Any], page: Path) -> None:
    """Verdict, effects, controls, and where the page lies."""
    table = Table("comparison", "on", "difference", "95 % interval", "p (Holm)", "verdict", box=None, header_style="dim", pad_edge=False)
    for column in table.columns[2:5]:
        column.justify = "right"
    for row in (*result["effects"], *result["controls"]):
        control = "passed" in row
        verdict = row["verdict"] + ("" if not control else " [green](as it should)[/green]" if row["passed"] else " [red](FAILED)[/red]")
        p = row["p"] if control else row["p_holm"]
        interval = f"{row['low']:+.4f} to {row['high']:+.4f}"
        against = f"{escape(row['arm'])} against {escape(row['reference'])}"
        table.add_row(against, escape(row["outcome"]), f"{row['effect']:+.4f}", interval, f"{p:.3f}", verdict)
    console.print(table)
    console.print(f"[bold]{escape(result['verdict']['headline'])}[/bold]", soft_wrap=True)
    for sentence in result["verdict"]["sentences"]:
        console.print(escape(sentence), soft_wrap=True)
    console.print(f"page: [bold]{page}[/bold]", soft_wrap=True)
