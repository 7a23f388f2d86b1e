"""`gristmill train-classifier`: a fastText classifier from labelled text, for the quality and toxicity steps.

gristmill train-classifier --input labelled.jsonl --output quality.bin
"""

from pathlib import Path

import click

from corpus.quality.training import read_examples, train_classifier
from jobs.running import run


@click.command("train-classifier", epilog="\b\nExample:\n  gristmill train-classifier --input labelled.jsonl --output quality.bin")
@click.option("--input", "inputs", required=True, multiple=True, metavar="FILE", help="JSONL with label and text, or fastText's lines.")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The model; a card is written beside it.",
)
@click.option("--seed", default=0, show_default=True)
def command(inputs: tuple[str, ...], output: Path, seed: int) -> None:
    """Train a classifier and print its area under the ROC curve and its calibration on held-out text."""
    result = train_classifier(read_examples([Path(path) for path in inputs]), output, seed=seed)
    click.echo(str(result))


if __name__ == "__main__":
    run(command)
