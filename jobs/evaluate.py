"""`gristmill evaluate`: loss, perplexity and bits per byte of a model, beside a unigram model and zstd.

gristmill evaluate build/demo/model build/demo/tokens --output build/demo/evaluation
"""

from pathlib import Path

import click

from corpus.tasks import raising_user_errors
from jobs.running import run
from jobs.training_console import show_evaluation
from modeling.evaluate import evaluate
from modeling.page import write_page

EXAMPLE = "\b\nExample:\n  gristmill evaluate model/ tokens/ --output evaluation/"


@click.command("evaluate", epilog=EXAMPLE)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("tokens", metavar="TOKENS")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="For evaluation.json and training.html.",
)
def command(model: Path, tokens: str, output: Path) -> None:
    """Evaluate MODEL on the validation and test documents of TOKENS, by language and source."""
    with raising_user_errors(str(output)):
        evaluation = evaluate(model, tokens, output)
        page = write_page(model, output)
    show_evaluation(evaluation, page)


if __name__ == "__main__":
    run(command)
