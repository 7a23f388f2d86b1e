"""`gristmill tokenizer-report`: what tokenizers cost each language, and which of their tokens are hardly met, as a page.

gristmill tokenizer-report build/demo/corpus --vocab-size 2000 --vocab-size 4000 --vocab-size 8000 --output build/demo/tokenizers
"""

from pathlib import Path

import click

from corpus.storage import locate
from corpus.tasks import raising_user_errors
from jobs.running import run
from jobs.tokens_console import show_tokenizers
from modeling.checkpoint import embedding_norms
from tokenization.report import COUNTED_BYTES, measure, write
from tokenization.tokenizer import KINDS, load
from tokenization.train import trained_sizes

EXAMPLE = """
\b
Example:
  gristmill tokenizer-report corpus/ --vocab-size 16000 --vocab-size 32000 --vocab-size 64000 --output tokenizers/
  gristmill tokenizer-report corpus/ --tokenizer mine/ --tokenizer Llama-3.2-1B/tokenizer.json --output tokenizers/
"""


@click.command("tokenizer-report", epilog=EXAMPLE)
@click.argument("corpus", metavar="CORPUS")
@click.option("--tokenizer", "tokenizers", multiple=True, metavar="PATH", help="As for encode; may be repeated.")
@click.option("--vocab-size", "sizes", multiple=True, type=click.IntRange(min=300), help="Train one of that many ids; may be repeated.")
@click.option("--kind", type=click.Choice(KINDS), default="bpe", show_default=True, help="Of those that are trained.")
@click.option("--model", type=click.Path(path_type=Path), help="Trained with the one tokenizer given: its embedding's norms.")
@click.option(
    "--sample-bytes", type=click.IntRange(min=1), default=COUNTED_BYTES, show_default=True, help="Text that tokens are counted in."
)
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="For tokenizers.html, .json."
)
def command(corpus, tokenizers, sizes, kind, model, sample_bytes, output) -> None:  # type: ignore[no-untyped-def]
    """Compare tokenizers on the held-out documents of CORPUS."""
    if not tokenizers and not sizes:
        raise click.UsageError("give --tokenizer or --vocab-size")
    if model and (len(tokenizers) != 1 or sizes):
        raise click.UsageError("--model goes with one --tokenizer, the one that it was trained with")
    with raising_user_errors(str(output)):
        norms = embedding_norms(model) if model else None
        chosen = [(path, load(path)) for path in tokenizers]
        locate(str(output)).make_folder()  # before what takes minutes
        chosen += [(path.name, load(path)) for path in trained_sizes(corpus, output, kind=kind, sizes=sizes)]
        measured = [measure(name, each, locate(corpus), sample_bytes=sample_bytes, norms=norms) for name, each in chosen]
        page = write(measured, output)
    show_tokenizers(measured, page)


if __name__ == "__main__":
    run(command)
