"""`make demo`: the whole road on data that every machine has, from a crawl to a model that was trained and judged.

python -m jobs.demo --output build/demo
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from pyspark.sql import SparkSession

from corpus import engine, recipe
from corpus.demo.crawl import crawl_demo
from corpus.demo.examples import labelled_examples
from corpus.demo.shelf import write_shelf
from corpus.quality.training import read_examples, train_classifier
from corpus.report.page import link_training
from corpus.session import session
from corpus.storage import locate
from jobs import console
from jobs.evaluation_console import show_evaluation, show_road
from jobs.running import run
from jobs.tokens_console import show_tokenizer, show_tokens
from jobs.training_console import TrainingPanel, show_model
from modeling.evaluate import evaluate
from modeling.page import PAGE, write_page
from modeling.presets import preset
from modeling.train import Launch, pretrain
from tokenization.encode import encode
from tokenization.train import train_tokenizer

_VOCABULARY = 4096
_HELD_OUT = 0.02  # for validation, and as much for the test: of 4,500 documents, some 90 each


@click.command("demo", epilog="\b\nExample:\n  python -m jobs.demo --output build/demo")
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where all of it goes.")
@click.option("--pages", type=click.IntRange(min=1), help="At most this many documentation pages.")
@click.option("--steps", type=click.IntRange(min=1), help="Of training; default: the preset's.")
def command(output: Path, pages: int | None, steps: int | None) -> None:
    """Crawl two local sites, make one corpus of them and of files of other kinds, and train and evaluate a model on it."""
    seconds: dict[str, float] = {}
    where = f"two sites that this machine serves to itself -> {output / 'crawl'}"
    with _stage(seconds, "crawl", where), console.counting("crawling") as progress:
        click.echo(str(crawl_demo(output / "crawl", pages=pages, progress=progress)))
        click.echo(str(write_shelf(output / "shelf")))
    spark = session("gristmill demo", brief=True)
    with _stage(seconds, "curate", f"the recipe all_sources: WARCs, wiki, books, code and mail to Parquet -> {output / 'corpus'}"):
        curated = _curate(output, spark)
        console.show_result(curated)
    evaluation = _train(output, spark, steps, seconds)
    link_training(locate(str(output / "corpus")), f"../evaluation/{PAGE}")
    console.heading("Result", f"{sum(seconds.values()):.0f} s in all: " + ", ".join(f"{name} {took:.0f}" for name, took in seconds.items()))
    show_road(curated, evaluation, output)


def _curate(output: Path, spark: SparkSession) -> engine.Result:
    examples = output / "labelled.jsonl"
    examples.write_text("".join(json.dumps({"label": label, "text": text}) + "\n" for label, text in labelled_examples()), encoding="utf-8")
    click.echo(f"a classifier of prose against spam and menus: {train_classifier(read_examples([examples]), output / 'quality.bin')}")
    plan = recipe.load("all_sources", overrides=[f"split_by_cluster.{name}={_HELD_OUT}" for name in ("validation", "test")]).to_data()
    at = next(number for number, step in enumerate(plan["steps"]) if "redact_pii" in step)
    plan["steps"].insert(at, {"quality_classifier": {"model": str(output / "quality.bin"), "min_score": 0.0}})  # measures, rejects nothing
    made = recipe.from_data(plan, where="the demo's recipe")
    with console.Progress(spark) as observer:
        return engine.curate(made, [str(output / "crawl"), str(output / "shelf")], str(output / "corpus"), spark=spark, observer=observer)


def _train(output: Path, spark: SparkSession, steps: int | None, seconds: dict[str, float]) -> dict[str, Any]:
    """Tokenizer, tokens, model and evaluation; the content of evaluation.json."""
    corpus, tokenizer, tokens, model = (output / name for name in ("corpus", "tokenizer", "tokens", "model"))
    with _stage(seconds, "tokenizer", f"BPE of {_VOCABULARY:,} ids -> {tokenizer}"):
        show_tokenizer(train_tokenizer(str(corpus), tokenizer, kind="bpe", vocabulary=_VOCABULARY))
    with _stage(seconds, "encode", f"the corpus as token shards -> {tokens}"), console.Progress(spark) as observer:
        with observer.stage("encode", "a task for each shard"):
            encoded = encode(str(corpus), str(tokenizer), str(tokens), spark=spark)
        show_tokens(encoded)
    spark.stop()  # its JVM would hold memory and threads that training can use
    with _stage(seconds, "pretrain", f"the preset tiny -> {model}"):
        config, train = preset("tiny", _VOCABULARY)
        with TrainingPanel(config) as panel:
            made = pretrain(str(tokens), model, config, replace(train, steps=steps or train.steps), Launch(), watcher=panel)
        if made.paused_at is not None:
            raise KeyboardInterrupt  # SIGTERM: it is saved, and the same command goes on
        show_model(made)
    with _stage(seconds, "evaluate", f"on documents that it has not seen -> {output / 'evaluation'}"):
        evaluation = evaluate(model, str(tokens), output / "evaluation")
        show_evaluation(evaluation, write_page(model, output / "evaluation", corpus_page="../corpus/report.html"))
    return evaluation


@contextmanager
def _stage(seconds: dict[str, float], name: str, what: str) -> Iterator[None]:
    console.heading(f"{len(seconds) + 1}. {name.capitalize()}", what)
    started = time.monotonic()
    yield
    seconds[name] = time.monotonic() - started


if __name__ == "__main__":
    run(command)
