"""The first two stages on Spark: examine the input files, and run the fused pass over their splits.

Splits are byte ranges found without reading. A task begins at what looks like the beginning of a record, and says where it really
began and ended; where two splits of a file do not meet, the later one is read again from the true place.

    reading = read_splits(spark, recipe, examine_inputs(spark, recipe, files), Place("/work/fused"))
"""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from corpus import document
from corpus.fused import DOCUMENTS, DONE, LEDGER, METRICS, SplitOutcome, merge_metrics, run_split, work_schema
from corpus.recipe import Recipe
from corpus.report.metrics import Metrics
from corpus.sources.listing import Examined, examine, number_inputs
from corpus.sources.source import InputFile, Split
from corpus.step import signal_types
from corpus.storage import Place
from corpus.tasks import TASK_BYTES, in_tasks
from corpus.work import spark_path

_MERGED_AT_ONCE = 64  # metrics files that one task adds up


@final
@dataclass(frozen=True)
class Reading:
    """What the fused pass read: totals, and where its files lie."""

    recipe: Recipe
    folder: Place
    examined: Sequence[Examined]
    outcomes: Sequence[SplitOutcome]
    metrics: Metrics

    @property
    def documents(self) -> int:
        return sum(outcome.documents for outcome in self.outcomes)

    def records(self) -> dict[str, int]:
        """Records that are no documents, by type."""
        total: Counter[str] = Counter()
        for outcome in self.outcomes:
            total.update(outcome.records)
        return dict(sorted(total.items()))

    def damages(self) -> dict[str, Any]:
        """Stretches that could not be read: totals, and the first 1,000 with file and offset."""
        listed = sorted(
            (damage for outcome in self.outcomes for damage in outcome.damages), key=lambda d: (d["input"], d["file"], d["offset"])
        )
        return {
            "count": sum(outcome.damages_count for outcome in self.outcomes),
            "lost_bytes": sum(outcome.lost_bytes for outcome in self.outcomes),
            "listed": listed[:1000],
        }

    def ledger(self, spark: SparkSession) -> DataFrame:
        """One row a document read: ``document.LEDGER`` + ``document.FACTS``."""
        schema = from_arrow_schema(pa.schema([*document.LEDGER, *document.FACTS]))
        return spark.read.schema(schema).parquet(f"{spark_path(self.folder)}/*/{LEDGER}")

    def texts(self, spark: SparkSession) -> DataFrame:
        """The documents with their text: ``fused.work_schema``."""
        schema = from_arrow_schema(work_schema(signal_types(self.recipe.steps)))
        return spark.read.schema(schema).parquet(f"{spark_path(self.folder)}/*/{DOCUMENTS}")


def examine_inputs(spark: SparkSession, recipe: Recipe, files: Sequence[InputFile]) -> list[Examined]:
    """Digest and classify every file in tasks; numbered and sorted, independent of their order."""

    def one(text: str) -> str:
        return json.dumps(asdict(examine(InputFile(**json.loads(text)), recipe.sources)))

    rows = in_tasks(spark, [json.dumps(asdict(file)) for file in files], [file.size_bytes for file in files], one)
    examined = [json.loads(row) for row in rows]
    return number_inputs([Examined(InputFile(**entry["file"]), entry["source"], entry["why"]) for entry in examined])


def read_splits(spark: SparkSession, recipe: Recipe, examined: Sequence[Examined], folder: Place) -> Reading:
    """Run the fused pass over every split that is not done yet; splits that did not meet are read again from the true place."""
    files = [entry for entry in examined if entry.source >= 0]
    splits: dict[str, Split] = {}
    chains: list[list[str]] = []
    for number, entry in enumerate(files):
        ranges = recipe.sources[entry.source].splits(entry.file)
        chain = [f"{number:06d}-{at:06d}" for at in range(len(ranges))]
        splits.update({key: Split(entry.file, start, end, entry.source) for key, (start, end) in zip(chain, ranges, strict=True)})
        chains.append(chain)
    done = {key: outcome for key, outcome in finished_splits(folder).items() if key in splits}
    pending = {key: split for key, split in splits.items() if key not in done}
    while pending:
        done.update(_run(spark, recipe, pending, folder))
        pending = dict(found for chain in chains if (found := _misread(chain, splits, done)))
        splits.update(pending)
    metrics = merged_metrics(spark, recipe, [(folder / key / METRICS).uri for key in sorted(done)], folder / "merged")
    return Reading(recipe, folder, examined, [done[key] for key in sorted(done)], metrics)


def _misread(chain: Sequence[str], splits: dict[str, Split], done: dict[str, SplitOutcome]) -> tuple[str, Split] | None:
    """The first split of a file that did not begin where the one before it ended, and how to read it instead."""
    expected: int | None = None
    for key in chain:
        split, outcome = splits[key], done[key]
        if expected is not None and not split.exact:
            inside = expected < split.end
            if (outcome.first != expected) if inside else (outcome.first is not None):
                return key, replace(split, start=min(expected, split.end), exact=True)
        expected = outcome.next if outcome.next is not None else expected if outcome.first is None else None
    return None


def _run(spark: SparkSession, recipe: Recipe, pending: dict[str, Split], folder: Place) -> dict[str, SplitOutcome]:
    def one(text: str) -> str:
        key, split = json.loads(text)
        asked = Split(InputFile(**split.pop("file")), **split)
        return json.dumps([key, run_split(asked, recipe, folder / key, careful=_is_retried()).to_json()])

    keys = sorted(pending)
    rows = in_tasks(spark, [json.dumps([key, asdict(pending[key])]) for key in keys], [_size(pending[key]) for key in keys], one)
    return {key: SplitOutcome.from_json(outcome) for key, outcome in map(json.loads, rows)}


def _is_retried() -> bool:
    """Has this task failed before? For all that is known a parser crashed."""
    context = TaskContext.get()
    return context is not None and context.attemptNumber() > 0


def _size(split: Split) -> int:
    return max(1, split.end - split.start)


def finished_splits(folder: Place) -> dict[str, SplitOutcome]:
    """What the tasks said of the splits below the folder, by key; without those of which a file is missing or has lost its end."""
    sizes: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for info in folder.files():
        sizes[info.path.rsplit("/", 2)[1]][info.base_name] = info.size
    done = {key: SplitOutcome.from_json((folder / key / DONE).read_bytes()) for key, named in sizes.items() if named.get(DONE)}
    return {key: outcome for key, outcome in done.items() if outcome.files.items() <= sizes[key].items()}


def merged_metrics(spark: SparkSession, recipe: Recipe, paths: Sequence[str], room: Place) -> Metrics:
    """Added up in tasks, _MERGED_AT_ONCE files at a time into one below ``room``, until so few are left that the driver adds them: of a
    crawl of 90 TB there are 670,000, and a file is up to 1.2 MB.
    """
    signals = signal_types(recipe.steps)

    def one(text: str) -> str:
        target, group = json.loads(text)
        merged = merge_metrics(iter(group), signals)
        Place(target).write_bytes(json.dumps(merged.to_json(), sort_keys=True).encode())
        return str(target)

    left, rounds = list(paths), 0
    while len(left) > _MERGED_AT_ONCE:
        groups = [left[at : at + _MERGED_AT_ONCE] for at in range(0, len(left), _MERGED_AT_ONCE)]
        (room / f"metrics-{rounds}").make_folder()
        items = [json.dumps([(room / f"metrics-{rounds}" / f"{number:06d}.json").uri, group]) for number, group in enumerate(groups)]
        left, rounds = sorted(in_tasks(spark, items, [TASK_BYTES] * len(items), one)), rounds + 1
    return merge_metrics(iter(left), signals)
