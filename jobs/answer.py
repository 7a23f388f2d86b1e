"""`gristmill answer`: a model answers questions, and its answers are scored.

gristmill answer model/ --task gsm8k.jsonl --metric gsm8k --shots 5 --output answers/
"""

from pathlib import Path

import click

from corpus.tasks import raising_user_errors
from jobs.console import counting
from jobs.evaluation_console import show_answers
from jobs.running import run
from modeling.answers.questions import METRICS
from modeling.answers.session import Setting, answer

EXAMPLE = """
\b
Example:
  gristmill answer model/ --task gsm8k.jsonl --metric gsm8k --shots 5 --output answers/
  gristmill answer model/ --task HumanEval.jsonl --metric humaneval --samples 20 --run-generated-code --output programs/
"""


@click.command("answer", epilog=EXAMPLE)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--task",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="JSONL",
    help='{"prompt": …, "answer": … or [ …]} a line, or the items of GSM8K, HumanEval or CNN/DailyMail as they are.',
)
@click.option("--metric", required=True, type=click.Choice(METRICS))
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="For answers.json.")
@click.option("--shots", type=click.IntRange(min=0), default=0, show_default=True, help="Solved items before each question.")
@click.option("--tokens", type=click.IntRange(min=1), default=256, show_default=True, help="At most this many an answer.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which items are shots; what is drawn with --samples.")
@click.option("--batch", type=click.IntRange(min=1), default=16, show_default=True, help="Answers made at once.")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Programs for each item of HumanEval.")
@click.option("--trained-on", metavar="TOKENS", help="The model's tokens: how many items stand in them, word for word, is told.")
@click.option("--run-generated-code", is_flag=True, help="Programs that the model writes may be run here, shut in.")
def command(model: Path, task: Path, metric, output: Path, trained_on, **setting) -> None:  # type: ignore[no-untyped-def]
    """Let MODEL answer the questions of a file, and score what it says."""
    with raising_user_errors(str(output)), counting("answered") as told:
        found = answer(model, task, output, metric=metric, setting=Setting(**setting), trained_on=trained_on, told=told)
    show_answers(found, output)


if __name__ == "__main__":
    run(command)
