"""`gristmill harness`: tasks of the Language Model Evaluation Harness.

gristmill harness model/ --task arc_easy --task hellaswag --output harness/
"""

from pathlib import Path

import click

from corpus.tasks import raising_user_errors
from jobs.console import counting
from jobs.evaluation_console import show_harness
from jobs.running import run
from modeling.harness import HARNESS, Setting, run_tasks

EXAMPLE = "\b\nExample:\n  gristmill harness model/ --task arc_easy --task my_task --include my_tasks/ --output harness/"


@click.command("harness", epilog=EXAMPLE)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--task", "tasks", multiple=True, required=True, metavar="NAME", help="A task or group that lm_eval knows; may be repeated.")
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help=f"For {HARNESS}.")
@click.option(
    "--include",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Tasks of your own, as lm_eval's YAML; Python that they name is run.",
)
@click.option("--trained-on", metavar="TOKENS", help="The model's tokens: how many items stand in them, word for word, is told.")
@click.option("--shots", type=click.IntRange(min=0), help="Solved items before each question; else each task's own number.")
@click.option("--batch", type=click.IntRange(min=1), default=16, show_default=True, help="Rows at once.")
@click.option("--seed", type=int, default=1234, show_default=True, help="Which items are shots; what is drawn.")
def command(model: Path, tasks: tuple[str, ...], output: Path, include: Path | None, trained_on, **setting) -> None:  # type: ignore[no-untyped-def]
    """Score MODEL on tasks of the Language Model Evaluation Harness, which fetches their data."""
    with raising_user_errors(str(output)), counting("answered") as told:
        found = run_tasks(model, tasks, output, include=include, setting=Setting(**setting), trained_on=trained_on, told=told)
    show_harness(found, output / HARNESS)


if __name__ == "__main__":
    run(command)
