"""`gristmill batches`: which documents the optimizer saw, or will see, at a step.

gristmill batches build/demo/tokens --preset tiny --step 7
"""

import click

from jobs.running import run
from modeling.config import with_settings
from modeling.data import plan_batches
from modeling.order import DataOrder
from modeling.presets import NAMES, preset
from tokenization.packing import pack
from tokenization.shards import TokenFolder

EXAMPLE = "\b\nExample:\n  gristmill batches tokens/ --preset tiny --step 7"


@click.command("batches", epilog=EXAMPLE)
@click.argument("tokens", metavar="TOKENS")
@click.option("--step", required=True, type=click.IntRange(min=1), help="Steps count from 1, as in curve.jsonl.")
@click.option("--preset", "name", type=click.Choice(NAMES), default="tiny", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="As given to pretrain; may be repeated.")
def command(tokens: str, step: int, name: str, settings: tuple[str, ...]) -> None:
    """Print the windows of a step and the ids of their documents: one line a window, tab-separated."""
    folder = TokenFolder.open(tokens)
    model, train = with_settings(*preset(name, folder.manifest["tokenizer"]["vocabulary"]), settings)
    windows = pack(folder.split("train"), model.context_length, train.packing)
    order = DataOrder(windows.count, plan_batches(train, model.context_length, 1).windows, train.seed)
    for window in order.windows_of(step - 1).tolist():
        click.echo("\t".join([str(window), *windows.documents(window)]))


if __name__ == "__main__":
    run(command)
