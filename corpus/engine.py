"""Runs a recipe on Spark: stages, resume, conservation, manifest.

    stage       what it does                                                        where its result lies until the end
    inputs      list, digest and classify the files                                 (memory)
    read        the fused pass: every split from bytes to signals                   WORK/fused/SPLIT/
    sets        each corpus step in turn, on the ledger table                       WORK/sets/STEP/
    write       documents, ledger and rejected shards                               OUTPUT/
    report      figures, page, card; the manifest last                              OUTPUT/

Every stage leaves its result in the work folder, so that the same command goes on where a killed run stopped; a changed recipe,
input or code version is refused until told to overwrite.

    result = curate(load("web"), ["crawl/"], "corpus/", spark=session("curate"))
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, final

import xxhash
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus import document, manifest, publish
from corpus.cutting import cut_texts
from corpus.dedup.exact import SameRecord
from corpus.errors import InputError, ResumeError
from corpus.reading import Reading, examine_inputs, read_splits
from corpus.recipe import Recipe
from corpus.sources.listing import find
from corpus.step import step_name
from corpus.storage import Place, locate
from corpus.tasks import raising_user_errors
from corpus.work import Work, claim, refuse_foreign


class Observer(Protocol):
    """Who is told of the progress: the command line shows it, tests may listen."""

    def stage(self, name: str, what: str) -> AbstractContextManager[None]:
        """A stage begins, and ends with the block."""
        ...


@final
class Silent:
    """Tells nobody."""

    @contextmanager
    def stage(self, name: str, what: str):  # type: ignore[no-untyped-def]
        yield


@final
@dataclass(frozen=True)
class Result:
    """A finished corpus: where it lies, its manifest, the facts of this run (``run.json``), and whether it was there already."""

    corpus: Place
    manifest: dict[str, Any]
    run: dict[str, Any]
    resumed: bool


@final
@dataclass
class Clock:
    """Times the stages for run.json, and passes them on to the observer."""

    observer: Observer
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, what: str):  # type: ignore[no-untyped-def]
        started = time.monotonic()
        with self.observer.stage(name, what):
            yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 3)


@final
@dataclass(frozen=True)
class Target:
    """Where a corpus goes, where its work lies until the end, and whether what is there may be replaced."""

    corpus: Place
    work: Place
    overwrite: bool

    @classmethod
    def of(cls, output: str, work: str | None, overwrite: bool) -> Self:
        """Raises OutputError where somebody else's files lie, unless they may be replaced."""
        corpus, place = locate(output), _work_place(output, work)
        if not overwrite:
            refuse_foreign(corpus, manifest.NAME, place)
        return cls(corpus, place, overwrite)


def curate(
    recipe: Recipe,
    inputs: Sequence[str],
    output: str,
    *,
    spark: SparkSession,
    work: str | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> Result:
    """Run ``recipe`` over ``inputs`` into the folder ``output``; continue if this very run was begun there.

    ``work`` is a folder that Spark and the tasks can write, by default beside the output (or in the current folder, if that is an
    object store). Raises the errors of ``corpus.errors`` for what a user can mend.
    """
    clock = Clock(observer or Silent())
    with raising_user_errors(output):
        found = find(inputs)
        target = Target.of(output, work, overwrite)
        with clock.stage("inputs", f"listing and digesting {len(found):,} files"):
            examined = examine_inputs(spark, recipe, found)
        if all(entry.source < 0 for entry in examined):
            told = next((entry for entry in examined if "text_field" in entry.why), None)
            hint = f"{told.file.file}: {told.why}" if told else f"the recipe {recipe.name!r} reads none of its files"
            raise InputError("no readable archive", where=", ".join(inputs), hint=hint)
        now = manifest.fingerprint(recipe, examined)

        def read(folder: Place) -> Reading:
            with clock.stage("read", "the fused pass, from bytes to signals"):
                reading = read_splits(spark, recipe, examined, folder)
            if not reading.documents:
                hint = "the files were read, but hold no document"
                if "wat:metadata" in reading.records():
                    hint = "WAT holds links and titles, and no text: take WET or WARC"
                raise InputError("no readable record", where=", ".join(inputs), hint=hint)
            return reading

        return make(recipe, now, read, target, spark=spark, clock=clock)


def make(
    recipe: Recipe, now: dict[str, Any], read: Callable[[Place], Reading], target: Target, *, spark: SparkSession, clock: Clock
) -> Result:
    """All that follows when it is known what the corpus is made from (the fingerprint ``now``): ``read`` leaves the files of the fused
    pass in the folder that it is given, or finds them there, and the other stages make the corpus of them.
    """
    corpus, place = target.corpus, target.work
    if target.overwrite:
        publish.clear(corpus)
        place.remove()
    finished = _finished(corpus, now)
    if finished:
        return Result(corpus, finished, json.loads((corpus / publish.RUN).read_bytes()), resumed=True)
    resumed = claim(place, now, manifest.differences)
    reading = read(place / "fused")
    store = Work(spark, place, reading.texts(spark))
    decided, facts = _decide(recipe, store, reading, clock)
    content = publish.Content(recipe=recipe, fingerprint=now, reading=reading, decided=decided, facts=facts, work=store, corpus=corpus)
    with clock.stage("write", "documents and ledger"):
        written = publish.write_shards(content)
    with clock.stage("report", "figures, page and manifest"):
        run = publish.run_facts(spark, clock.seconds, reading, resumed)
        made = publish.finish(content, written, run)
    place.remove()
    return Result(corpus, made, run, resumed=False)


def plan(recipe: Recipe) -> list[tuple[str, list[str]]]:
    """The stages of a run, and the steps in each: what ``--plan`` prints."""
    return [
        ("read (one fused pass, one task a split, no shuffle)", [step_name(type(part)) for part in (*recipe.sources, *recipe.steps)]),
        ("sets (Spark, with shuffles)", ["same_record", *(step_name(type(step)) for step in recipe.corpus)]),
        (
            "write (Spark, one shuffle)",
            ["documents", "ledger", *(["rejected"] if recipe.output.keep_rejected else []), *(["index"] if recipe.output.index else [])],
        ),
        ("report", ["report.json", "report.html", "README.md", "run.json", "manifest.json"]),
    ]


def _decide(recipe: Recipe, work: Work, reading: Reading, clock: Clock) -> tuple[DataFrame, dict[str, Any]]:
    """The ledger table after all set steps, where every row has an outcome; and by step what the report should say of it."""
    table = reading.ledger(work.spark)
    facts = {step_name(type(step)): step.facts() for step in recipe.steps}
    for number, step in enumerate((SameRecord(), *recipe.corpus)):
        name = step_name(type(step))
        parts = work.below(f"{number:02d}-{name}.parts")
        with clock.stage(name, "on the ledger, with Spark"):
            table = work.materialise(f"{number:02d}-{name}", _applied(step, table, parts))
            facts[f"{name} {number}" if name in facts else name] = {**step.facts(), **step.findings(parts)}
            if document.CUTS[0] in step.fills:
                work = replace(work, texts=cut_texts(reading.texts(work.spark), table))
    return table.withColumn("outcome", F.coalesce("outcome", F.lit(document.KEPT))), {name: told for name, told in facts.items() if told}


def _applied(step: Any, table: DataFrame, work: Work) -> Callable[[], DataFrame]:
    return lambda: step(table, work)


def _work_place(output: str, work: str | None) -> Place:
    """A folder for this output alone: it is removed when the corpus is whole."""
    corpus = locate(output).uri.rstrip("/")
    if work:
        return locate(work) / f"gristmill-{xxhash.xxh3_64_hexdigest(corpus.encode())[:12]}"
    return Place(f"{corpus}.work") if locate(output).is_local else locate(f"{corpus.rpartition('/')[2]}.work")


def _finished(corpus: Place, now: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest of the corpus that lies there, if it is this one."""
    if not (corpus / manifest.NAME).exists():
        return None
    there = manifest.read(corpus)
    changed = manifest.differences(there["fingerprint"], now)
    if changed:
        raise ResumeError(f"another corpus lies there; changed: {'; '.join(changed)}", where=corpus.uri, hint="--overwrite replaces it")
    return there
