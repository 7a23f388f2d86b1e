"""`gristmill evaluate`: perplexity and bits per byte of a model beside a unigram model and zstd, tasks by likelihood, and contamination.

gristmill evaluate build/demo/model build/demo/tokens --output build/demo/evaluation
"""

from pathlib import Path

import click

from corpus.tasks import raising_user_errors
from jobs.console import counting
from jobs.evaluation_console import show_evaluation
from jobs.running import run
from modeling.evaluate import evaluate
from modeling.page import write_page

EXAMPLE = """
\b
Example:
  gristmill evaluate model/ tokens/ --output evaluation/
  gristmill evaluate model/ tokens/ --text my_domain.jsonl --task blimp/ --task piqa/ --output evaluation/
"""


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
@click.option(
    "--text",
    "text_sets",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="JSONL",
    help='Texts for perplexity: {"text": …, "source": …}; may be repeated.',
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="A card.yaml and its items: multiple choice, minimal pairs, continuations, Wikitext; may be repeated.",
)
@click.option(
    "--contamination/--no-contamination", default=True, show_default=True, help="Look for all of it in the training tokens, word for word."
)
def command(model: Path, tokens: str, output: Path, **what) -> None:  # type: ignore[no-untyped-def]
    """Evaluate MODEL on the validation and test documents of TOKENS, and on texts and tasks of your own."""
    with raising_user_errors(str(output)), counting("looked through training tokens") as told:
        evaluation = evaluate(model, tokens, output, **what, told=told)
        page = write_page(model, output)
    show_evaluation(evaluation, page)


if __name__ == "__main__":
    run(command)
