"""`gristmill train-perplexity`: an n-gram model for the step `perplexity`, from text that is thought well of.

gristmill train-perplexity wikipedia/ --language de --output de.npz
"""

from pathlib import Path

import click

from corpus.quality.ngram_training import read_texts, train_perplexity
from jobs.running import run


@click.command("train-perplexity", epilog="\b\nExample:\n  gristmill train-perplexity wikipedia/ --language de --output de.npz")
@click.argument("texts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--language", default="", metavar="CODE", help="Of Parquet and JSON lines only the rows in this language.")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The model; a card is written beside it.",
)
@click.option("--order", default=5, show_default=True, type=click.IntRange(1, 8), help="Words of the longest n-grams.")
def command(texts: tuple[Path, ...], language: str, output: Path, order: int) -> None:
    """Count the n-grams of TEXTS (a corpus, Parquet, JSON lines, plain files), and print the perplexity of held-out text."""
    click.echo(str(train_perplexity(read_texts(texts, language), output, order=order)))


if __name__ == "__main__":
    run(command)
