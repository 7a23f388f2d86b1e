"""`make demo`: the whole road on data that every machine has. Crawl, train a classifier, curate, and show what came out.

python -m jobs.demo --output build/demo
"""

import json
import time
from pathlib import Path

import click

from corpus import engine, recipe
from corpus.demo.crawl import crawl_demo
from corpus.demo.examples import labelled_examples
from corpus.quality.training import read_examples, train_classifier
from corpus.session import session
from jobs import console
from jobs.running import run


@click.command("demo", epilog="\b\nExample:\n  python -m jobs.demo --output build/demo")
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where crawl and corpus go.")
@click.option("--pages", type=click.IntRange(min=1), help="At most this many documentation pages.")
def command(output: Path, pages: int | None) -> None:
    """Crawl two local sites and make a corpus of them with the recipe `web`."""
    started = time.monotonic()
    console.heading("1. Crawl", f"two sites that this machine serves to itself -> {output / 'crawl'}")
    with console.counting("crawling") as progress:
        click.echo(str(crawl_demo(output / "crawl", pages=pages, progress=progress)))
    console.heading("2. Train a classifier", f"fastText, prose against spam and menus -> {output / 'quality.bin'}")
    examples = output / "labelled.jsonl"
    examples.write_text("".join(json.dumps({"label": label, "text": text}) + "\n" for label, text in labelled_examples()), encoding="utf-8")
    click.echo(str(train_classifier(read_examples([examples]), output / "quality.bin")))
    console.heading("3. Curate", f"the recipe web, from WARCs to Parquet -> {output / 'corpus'}")
    plan = recipe.load("web").to_data()
    at = next(number for number, step in enumerate(plan["steps"]) if "redact_pii" in step)
    plan["steps"].insert(at, {"quality_classifier": {"model": str(output / "quality.bin"), "min_score": 0.0}})  # measures, rejects nothing
    spark = session("gristmill demo", brief=True)
    with console.Progress(spark) as observer:
        made = recipe.from_data(plan, where="the demo's recipe")
        result = engine.curate(made, [str(output / "crawl")], str(output / "corpus"), spark=spark, observer=observer)
    console.heading("4. Result", f"{time.monotonic() - started:.0f} s in all")
    console.show_result(result)


if __name__ == "__main__":
    run(command)
