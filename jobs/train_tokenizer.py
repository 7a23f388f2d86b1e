"""`gristmill train-tokenizer`: a tokenizer from a sample of a corpus, and how well it fits each language.

gristmill train-tokenizer build/demo/corpus --output build/demo/tokenizer --vocab-size 4096
"""

from pathlib import Path

import click

from corpus.tasks import raising_user_errors
from jobs.running import run
from jobs.training_console import show_tokenizer
from tokenization.tokenizer import KINDS
from tokenization.train import SAMPLE_BYTES, train_tokenizer

EXAMPLE = "\b\nExample:\n  gristmill train-tokenizer corpus/ --output tokenizer/ --kind bpe --vocab-size 32000"


@click.command("train-tokenizer", epilog=EXAMPLE)
@click.argument("corpus", metavar="CORPUS")
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="The tokenizer's folder.")
@click.option("--kind", type=click.Choice(KINDS), default="bpe", show_default=True)
@click.option("--vocab-size", type=click.IntRange(min=300), default=32_000, show_default=True, help="Ids in all, bytes among them.")
@click.option(
    "--sample-bytes", type=click.IntRange(min=1), default=SAMPLE_BYTES, show_default=True, help="Train on at most this much text."
)
@click.option("--overwrite", is_flag=True, help="Replace the tokenizer that lies there.")
def command(corpus: str, output: Path, kind: str, vocab_size: int, sample_bytes: int, overwrite: bool) -> None:
    """Train a tokenizer on the beginning of CORPUS, which lies in hash order."""
    with raising_user_errors(str(output)):
        trained = train_tokenizer(corpus, output, kind=kind, vocabulary=vocab_size, sample_bytes=sample_bytes, overwrite=overwrite)
    show_tokenizer(trained)


if __name__ == "__main__":
    run(command)
