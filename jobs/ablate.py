"""`gristmill ablate`: which corpus makes the better model, and whether the difference is more than chance.

gristmill ablate a/ b/ --budget 500k-tokens --seeds 3 --preset 1m --output ablation/
"""

import re
from dataclasses import asdict
from pathlib import Path

import click

from corpus.storage import json_bytes, locate
from corpus.tasks import raising_user_errors
from jobs.ablation_console import show_plan, show_result, show_script
from jobs.console import counting
from jobs.running import run
from jobs.spark_runs import on_spark
from jobs.varied_arms import varied
from modeling.ablation import runs
from modeling.ablation.design import expected_noise, expected_resolution
from modeling.ablation.outcome import PRIMARY_OUTCOME, conclude
from modeling.ablation.page import RUN, write_page
from modeling.ablation.prepare import Wanted, named, prepare
from modeling.config import SettingError
from modeling.presets import NAMES

EXAMPLE = """
\b
Example:
  gristmill ablate a/ b/ --budget 500k-tokens --seeds 3 --preset 1m --output ablation/
  gristmill ablate corpus/ --vary gopher.min_words=10,50,100 --output ablation/
  gristmill ablate a/ b/ --budget 8B-tokens --preset 125m --output ablation/ --launch slurm
"""
_ASK_SECONDS = 3600
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("ablate", epilog=EXAMPLE)
@click.argument("corpora", nargs=-1, metavar="CORPUS...")
@click.option("--budget", default="500k-tokens", show_default=True, metavar="TOKENS", help="That each run is trained on: 500k-tokens, 8B.")
@click.option("--seeds", type=click.IntRange(min=2), default=3, show_default=True, help="Paired runs of each arm.")
@click.option("--preset", type=click.Choice(NAMES), default="1m", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="model.FIELD or train.FIELD; may be repeated.")
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="The ablation's folder.")
@click.option("--vary", metavar="STEP.FIELD=A,B", help="Make the arms from one corpus by refilter; or dedup=on,off.")
@click.option("--neutral", multiple=True, type=_FILE, metavar="JSONL", help='Texts of no arm to score on: {"text": …}; may be repeated.')
@click.option("--tasks", multiple=True, type=_FILE, metavar="JSONL", help='Minimal pairs: {"good": …, "bad": …}; may be repeated.')
@click.option("--tokenizer", metavar="DIR", help="One for all arms, as for encode; default: trained on an equal share of each.")
@click.option("--vocab-size", "vocabulary", type=click.IntRange(min=300), help="Of the tokenizer that is trained; default: the preset's.")
@click.option(
    "--controls/--no-controls", default=True, show_default=True, help="A against A in another order, and against A with words shuffled."
)
@click.option("--parallel", type=click.IntRange(min=1), help="Runs at once; default one a GPU, or one a core.")
@click.option("--yes", is_flag=True, help="Run even if it will take more than an hour.")
@click.option(
    "--launch", type=click.Choice(["here", "spark", "slurm"]), default="here", show_default=True,
    help="Where runs are made: on this machine, a task of Spark each, or by a SLURM script that is written.",
)  # fmt: skip
@click.option("--print-commands", is_flag=True, help="Print a command for each run, for any queue, and make none.")
@click.option("--run", "name", metavar="NAME", help="Make one run of the ablation that was planned in DIR.")
@click.option("--master", metavar="URL", help="Spark's master, with --vary and --launch spark.")
@click.option("--allow", multiple=True, metavar="PACKAGE", help="Let the recipe of --vary use steps of this package; may be repeated.")
def command(corpora, budget, output, vary, parallel, yes, launch, print_commands, name, master, allow, **wanted) -> None:  # type: ignore[no-untyped-def]
    """Train small models on equal budgets of each CORPUS, and say which is better, with intervals and controls."""
    if name:
        runs.make_run(output, name)
        return
    if len(corpora) < 2 and not (vary and corpora):
        raise click.UsageError("two corpora or more, or one and --vary")
    arms = varied(corpora[0], vary, output / "arms", master=master, allow=allow) if vary else named(corpora)
    with raising_user_errors(str(output)):
        design = prepare(output, arms, Wanted(budget_tokens=_tokens(budget), **wanted))
    parallel = parallel or runs.slots(len(runs.missing(design, output)))
    estimate = runs.measure(design, output, parallel)
    resolves = {kind: expected_resolution(design, noise) for kind, noise in expected_noise(design.budget_tokens).items()}
    said = design.write(output, primary=PRIMARY_OUTCOME, estimate=asdict(estimate), resolves=resolves)
    if print_commands:
        click.echo("\n".join(runs.commands(design, output)))
        return
    show_plan(design, estimate, resolves)
    if launch == "slurm" and estimate.runs:
        show_script(runs.slurm_script(design, output))
        return
    if estimate.seconds > _ASK_SECONDS and not yes:
        raise SettingError(
            f"this would take about {estimate.seconds / 3600:.1f} hours", where=str(output), hint="add --yes, or less --budget"
        )
    with counting("runs") as told:
        if launch == "spark":
            on_spark(design, output, master=master, told=told)
        else:
            runs.make_runs(design, output, parallel, told)
    result = conclude(design, output)
    locate(str(output / RUN)).write_bytes(json_bytes(runs.run_facts(design, output, said["estimate"])))
    show_result(result, write_page(output))


def _tokens(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:_\d+)*(?:\.\d+)?)([kmb]?)(?:-tokens)?", text.strip().lower())
    if not found:
        raise SettingError("no number of tokens", where=f"--budget {text}", hint="500k-tokens, 8B, 2_000_000")
    return round(float(found.group(1).replace("_", "")) * _UNITS[found.group(2)])


if __name__ == "__main__":
    run(command)
