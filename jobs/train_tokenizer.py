"""`gristmill train-tokenizer`: a tokenizer from a sample of a corpus, and how well it fits each language.

gristmill train-tokenizer build/demo/corpus --output build/demo/tokenizer --vocab-size 4096 --kind bytes
"""

from pathlib import Path

import click

from corpus.tasks import raising_user_errors
from jobs.running import run
from jobs.tokens_console import Weight, show_tokenizer
from tokenization.huggingface import DIGITS
from tokenization.sample import SAMPLE_BYTES
from tokenization.tokenizer import KINDS
from tokenization.train import train_tokenizer

EXAMPLE = "\b\nExample:\n  gristmill train-tokenizer corpus/ --output tokenizer/ --kind bpe --vocab-size 32000"


@click.command("train-tokenizer", epilog=EXAMPLE)
@click.argument("corpus", metavar="CORPUS")
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="The tokenizer's folder.")
@click.option("--kind", type=click.Choice(KINDS), default="bpe", show_default=True)
@click.option("--vocab-size", type=click.IntRange(min=300), default=32_000, show_default=True, help="Ids in all, bytes among them.")
@click.option(
    "--sample-bytes", type=click.IntRange(min=1), default=SAMPLE_BYTES, show_default=True, help="Train on at most this much text."
)
@click.option("--digits", type=click.Choice(list(DIGITS)), default="single", show_default=True, help="three: groups (kind bytes).")
@click.option("--nfc", is_flag=True, help="Compose characters first; without it text is not changed at all.")
@click.option(
    "--reserve", type=click.IntRange(min=0), default=0, show_default=True, help="Special tokens for chat, filling in, and later use."
)
@click.option(
    "--language-weight",
    "weights",
    multiple=True,
    type=Weight(),
    metavar="LANGUAGE=N",
    help="Share in the sample, against 1; may be repeated.",
)
@click.option("--overwrite", is_flag=True, help="Replace the tokenizer that lies there.")
def command(corpus, output, vocab_size, weights, **wanted) -> None:  # type: ignore[no-untyped-def]
    """Train a tokenizer on the beginning of CORPUS, which lies in hash order."""
    with raising_user_errors(str(output)):
        trained = train_tokenizer(corpus, output, vocabulary=vocab_size, language_weights=dict(weights), **wanted)
    show_tokenizer(trained)


if __name__ == "__main__":
    run(command)
