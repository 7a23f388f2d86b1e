"""`gristmill judge`: people compare what models wrote, in a local page; then win rates, strengths and agreement.

gristmill judge samples.jsonl --votes votes.sqlite --annotator anna --annotator ben
gristmill judge --results votes.sqlite
"""

import os
from pathlib import Path

import click

from jobs.judging_console import show_results, show_serving
from jobs.running import run
from modeling.judging.results import export, summarise
from modeling.judging.samples import pairs, read, singles
from modeling.judging.server import JudgeServer
from modeling.judging.session import Session
from modeling.judging.votes import Votes

_QUESTIONS = {False: "Which continuation is better?", True: "How good is this continuation?"}
_FILE = click.Path(path_type=Path, dir_okay=False)
EXAMPLE = """\b
Example:
  gristmill judge samples.jsonl --votes votes.sqlite --annotator anna --annotator ben
  gristmill judge samples.jsonl --model a/ --model b/ --prompts prompts.txt --votes votes.sqlite
  gristmill judge --results votes.sqlite --export votes.csv"""


@click.command("judge", epilog=EXAMPLE)
@click.argument("samples", nargs=-1, type=_FILE)
@click.option("--votes", type=_FILE, help="Where votes are kept; the same file goes on where it stopped.")
@click.option("--results", type=_FILE, help="Show what the votes of this file say, and serve nothing.")
@click.option("--export", "exported", type=_FILE, help="With --results: all votes as .jsonl or .csv, or the summary as .json.")
@click.option("--annotator", "annotators", multiple=True, help="Who votes; several times for several people. Else you.")
@click.option("--overlap", type=click.IntRange(min=0), default=0, show_default=True, help="How many people see each item; 0: all.")
@click.option("--single", is_flag=True, help="One text at a time, rated 1 to 5, not pairs.")
@click.option("--question", "questions", multiple=True, help="What to ask; with --single, several times for several questions.")
@click.option("--model", "models", multiple=True, type=click.Path(path_type=Path), help="Write SAMPLES first, with this model and others.")
@click.option("--prompts", type=_FILE, help="With --model: what the models continue, a prompt a line.")
@click.option("--tokens", type=click.IntRange(min=1), default=120, show_default=True, help="With --model: at most this many a text.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another one lets other machines in, without encryption.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any that is free.")
def command(
    samples: tuple[Path, ...],
    votes: Path | None,
    results: Path | None,
    exported: Path | None,
    annotators: tuple[str, ...],
    overlap: int,
    single: bool,
    questions: tuple[str, ...],
    models: tuple[Path, ...],
    prompts: Path | None,
    tokens: int,
    host: str,
    port: int,
) -> None:
    """Let people judge the texts of SAMPLES, blind, in a page of this machine.

    A line of SAMPLES is a JSON object with system, prompt_id (or none), prompt and text.
    """
    if results:
        return _results(results, exported)
    if not samples or not votes:
        raise click.UsageError("SAMPLES and --votes are needed, or --results")
    if questions and not single and len(questions) > 1:
        raise click.UsageError("pairs have one --question; --single may have several")
    if models:
        _sample(models, prompts, samples, tokens)
    read_samples = read(samples)
    items = singles(read_samples) if single else pairs(read_samples)
    names = tuple(dict.fromkeys(annotators)) or (os.environ.get("USER") or "annotator",)
    kept = Votes.create(votes, "single" if single else "pairs", questions or (_QUESTIONS[single],))
    session = Session(items, kept, annotators=names, overlap=overlap)
    with JudgeServer(session, host=host, port=port) as server:
        show_serving(server, items, votes, names)
        server.serve_forever()


def _results(file: Path, exported: Path | None) -> None:
    votes = Votes.open(file)
    if exported:
        export(votes, exported)
    show_results(summarise(votes))


def _sample(models: tuple[Path, ...], prompts: Path | None, samples: tuple[Path, ...], tokens: int) -> None:
    if not prompts or len(samples) != 1:
        raise click.UsageError("--model needs --prompts, and one file of SAMPLES to write")
    if samples[0].exists():
        return click.echo(f"{samples[0]} is there already: its samples are judged, none are made", err=True)
    from modeling.judging.sampling import sample  # here, since voting and results wait for no PyTorch

    click.echo(f"{sample(models, prompts, samples[0], tokens=tokens):,} samples written: {samples[0]}", err=True)


if __name__ == "__main__":
    run(command)
