"""`gristmill encode`: a corpus as token shards, on Spark.

gristmill encode build/demo/corpus --tokenizer build/demo/tokenizer --output build/demo/tokens
"""

from pathlib import Path

import click

from corpus.session import session
from jobs import console
from jobs.running import run
from jobs.tokens_console import show_tokens
from tokenization.encode import encode
from tokenization.objectives import Objective, special_ids

EXAMPLE = "\b\nExample:\n  gristmill encode corpus/ --tokenizer tokenizer/ --output tokens/"


@click.command("encode", epilog=EXAMPLE)
@click.argument("corpus", metavar="CORPUS")
@click.option("--tokenizer", required=True, metavar="DIR", help="A folder of train-tokenizer; or a tokenizer.json or .model of your own.")
@click.option("--output", required=True, metavar="DIR", help="The token folder.")
@click.option("--fim", type=float, default=0.0, metavar="SHARE", help="Share of training documents cut for filling in the middle: 0.5.")
@click.option("--span-corruption", type=float, default=0.0, metavar="SHARE", help="Share of their ids hidden in spans, as T5 does: 0.15.")
@click.option("--master", metavar="URL", help="Spark's master; default local[*], or what spark-submit says.")
@click.option("--work", metavar="DIR", help="What a killed run goes on from. Default DIR.work.")
@click.option("--overwrite", is_flag=True, help="Replace the tokens or unfinished run that lie there.")
def command(
    corpus: str, tokenizer: str, output: str, fim: float, span_corruption: float, master: str | None, work: str | None, overwrite: bool
) -> None:
    """Encode every document of CORPUS; train, validation and test apart."""
    objective = Objective(fim=fim, span_corruption=span_corruption)
    special_ids(Path(tokenizer), objective)  # before Spark starts
    spark = session("gristmill encode", master, brief=True)  # the JVM hands out files, no more
    with console.Progress(spark) as progress, progress.stage("encode", "a task for each shard"):
        encoded = encode(corpus, tokenizer, output, spark=spark, objective=objective, work=work, overwrite=overwrite)
    show_tokens(encoded)


if __name__ == "__main__":
    run(command)
