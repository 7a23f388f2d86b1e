"""`gristmill batches`: which documents the optimizer saw, or will see, at a step; how often it has seen each until one.

gristmill batches build/demo/tokens --model build/demo/model --step 7 --corpus build/demo/corpus
gristmill batches build/demo/tokens --model build/demo/model --seen-until 500 --output seen.parquet
"""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click
import pyarrow.parquet as pq

from corpus.storage import locate
from corpus.tasks import raising_user_errors
from jobs.order_console import show_documents, show_mixture, show_seen, show_windows
from jobs.running import run
from modeling.config import ModelConfig, SettingError, TrainConfig, with_settings
from modeling.data import arrange, plan_batches
from modeling.mixture import Mixture
from modeling.presets import NAMES, preset
from modeling.seen import SEEN, by_source, documents_of, seen, settings_of, with_urls
from tokenization.shards import TokenFolder

EXAMPLE = """
\b
Example:
  gristmill batches tokens/ --preset tiny --step 7
  gristmill batches tokens/ --model model/ --step 1200 --until 1210 --corpus corpus/
  gristmill batches tokens/ --model model/ --seen-until 1200 --output seen.parquet
"""

_MOST_STEPS = 10**12  # times a batch of windows it is an int64 still
_STEP = click.IntRange(1, _MOST_STEPS)


@click.command("batches", epilog=EXAMPLE)
@click.argument("tokens", metavar="TOKENS")
@click.option("--step", type=_STEP, help="Steps count from 1, as in curve.jsonl.")
@click.option("--until", type=_STEP, metavar="STEP", help="The last step to print; default the first.")
@click.option("--seen-until", type=click.IntRange(0, _MOST_STEPS), metavar="STEP", help="Count what the steps up to this one have seen.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="With --seen-until: each document, as Parquet."
)
@click.option("--corpus", metavar="DIR", help="The corpus of the tokens: addresses are printed too.")
@click.option(
    "--model", "folder", type=click.Path(path_type=Path), metavar="DIR", help="A model, or unfinished run: its settings are taken."
)
@click.option("--preset", "name", type=click.Choice(NAMES), default="tiny", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="As given to pretrain; may be repeated.")
@click.option("--mixture", type=click.Path(path_type=Path), metavar="FILE", help="As given to pretrain.")
def command(tokens, step, until, seen_until, output, corpus, folder, name, settings, mixture) -> None:  # type: ignore[no-untyped-def]
    """Print the windows of a step and the ids of their documents: one line a window, tab-separated. With --until or --corpus: one line a
    document, of step, window, source, id and address. With --seen-until: how much was seen of each source."""
    if (step is None) == (seen_until is None):
        raise SettingError("either --step or --seen-until is needed")
    if step is None and (until or corpus):
        raise SettingError("--until and --corpus go with --step")
    if output and seen_until is None:
        raise SettingError("--output goes with --seen-until")
    if until and until < step:
        raise SettingError(f"step {until:,} is before step {step:,}", where="--until")
    opened = TokenFolder.open(tokens)
    model, train = _settings(opened, folder, name, settings, mixture)
    plan_batches(train, model.context_length, 1)
    windows, order = arrange(opened.split("train"), model.context_length, train)
    if seen_until is not None:
        show_mixture(order, seen_until)
        with raising_user_errors(str(output)), pq.ParquetWriter(output, SEEN, compression="zstd") if output else nullcontext() as writer:
            show_seen(by_source(seen(windows, order, seen_until), writer), seen_until, output)
            return
    rows = documents_of(windows, order, first_step=step - 1, last_step=until or step)
    if until is None and corpus is None:
        return show_windows(rows, order.windows_of(step - 1))
    show_documents(rows if corpus is None else with_urls(rows, opened, locate(corpus)))


def _settings(
    tokens: TokenFolder, folder: Path | None, name: str, settings: tuple[str, ...], mixture: Path | None
) -> tuple[ModelConfig, TrainConfig]:
    begun = settings_of(folder, tokens) if folder else preset(name, tokens.manifest["tokenizer"]["vocabulary"])
    model, train = with_settings(*begun, settings)
    return model, train if mixture is None else replace(train, mixture=Mixture.read(mixture).data)


if __name__ == "__main__":
    run(command)
