"""`gristmill train-extractor`: the classifier that tells a page's main text from its frame, from labelled pages.

gristmill train-extractor --input labelled.jsonl --output model.npz
"""

from pathlib import Path

import click

from corpus.extraction.training import read_pages, train_extractor
from jobs.running import run


@click.command("train-extractor", epilog="\b\nExample:\n  gristmill train-extractor --input labelled.jsonl --output model.npz")
@click.option(
    "--input", "inputs", required=True, multiple=True, metavar="FILE", help="JSONL with html, url, and text, or with and without."
)
@click.option("--output", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="The model.")
@click.option("--seed", default=0, show_default=True)
def command(inputs: tuple[str, ...], output: Path, seed: int) -> None:
    """Train the classifier of the engine `hybrid`, and print its cross-validated F1."""
    click.echo(str(train_extractor(read_pages([Path(path) for path in inputs]), output, seed=seed)))


if __name__ == "__main__":
    run(command)
