"""The two kinds of step, the reasons that they give, and the fused pass.

A *document step* is a frozen, keyword-only dataclass and a pure function ``RecordBatch -> RecordBatch``; a *filter* is one
that measures and then judges by rules, which are data: the report draws them, ``explain`` prints them, and a
threshold can be moved later without reading the sources again. A *corpus step* is a function ``DataFrame -> DataFrame``.

    @dataclass(frozen=True, kw_only=True)
    class DropShouting(Filter):
        max_upper: float = 0.5
        reads = ("text",)
        signals = {"upper_ratio": pa.float64()}
        reasons = (TOO_LOUD,)

        def measure(self, batch):
            return {"upper_ratio": pa.array([ratio(text) for text in batch["text"].to_pylist()], pa.float64())}

        def rules(self):
            return (Rule(TOO_LOUD, "upper_ratio", ">", self.max_upper),)
"""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import document

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@final
@dataclass(frozen=True)
class Reason:
    """Why a document was rejected. ``code`` is ``family:fault`` and true as worded; ``meaning`` is what a reader is told."""

    code: str
    meaning: str

    def __post_init__(self) -> None:
        assert re.fullmatch(r"[a-z0-9]+:[a-z0-9_]+", self.code), self.code


CODE = "code"  # in the metadata of a field whose value is ``package.module:name``, a function of the user's: the package must be allowed

Comparison = Literal["<", "<=", ">", ">="]
_COMPARE: dict[str, Callable[[pa.Array, float], pa.Array]] = {
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


@final
@dataclass(frozen=True)
class Rule:
    """A document fails with ``reason`` where ``signal`` ``comparison`` ``threshold``. A null value never fails.

    A boolean signal counts as 0 or 1.
    """

    reason: Reason
    signal: str
    comparison: Comparison
    threshold: float

    def fails(self, values: pa.Array) -> np.ndarray:
        """One value a row -> boolean mask of the rows that fail, shape (rows,)."""
        compared = _COMPARE[self.comparison](values.cast(pa.float64()), self.threshold)
        return pc.fill_null(compared, False).to_numpy(zero_copy_only=False)


@dataclass(frozen=True, kw_only=True)
class DocumentStep(ABC):
    """Looks at one document at a time. Subclasses are frozen, keyword-only dataclasses whose fields are their settings.

    ``sources``: names of the sources whose documents the step sees; all, where it is empty. To the documents of others the measured
    values are null. A step that adds columns, which later steps may read, cannot be limited.

    ``reads`` and ``adds`` are names of batch columns beyond those of ``document.WORKING`` and the text; a recipe is refused
    where a step reads what no earlier one adds. ``signals`` are the measured values (name -> Arrow type), kept on the document.
    """

    sources: tuple[str, ...] = ()

    reads: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[tuple[str, ...]] = ()
    rewrites_text: ClassVar[bool] = False  # then ``words`` and ``lines``, which point into the text, are gone after it
    signals: ClassVar[Mapping[str, pa.DataType]] = {}
    reasons: ClassVar[tuple[Reason, ...]] = ()

    @abstractmethod
    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same batch in, the same batch out: rows keep their number and order; none is dropped."""

    def rules(self) -> tuple[Rule, ...]:
        """The rules that this step judges by, with their thresholds; for the report and ``explain``."""
        return ()

    def assets(self) -> tuple[str, ...]:
        """Paths of the files (models, lists) of the user's that the result depends on; their digests go into the manifest."""
        return ()

    def facts(self) -> dict[str, object]:
        """What the report should say of the settings in effect: plain JSON values."""
        return {}


class Filter(DocumentStep):
    """Measures, then judges. Subclasses say what (``measure``) and where the line is (``rules``)."""

    @abstractmethod
    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        """Signal name -> one value a row, null where the measure does not apply to the document."""

    @final
    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        measured = document.with_signals(batch, self.measure(batch))
        return judge(measured, step_name(type(self)), self.rules())


class Workspace(Protocol):
    """Where a corpus step leaves what it has computed, so that a killed run goes on from there; and where it finds texts."""

    @property
    def texts(self) -> "DataFrame":
        """Every document with a text: (id, text, signals, …), as the fused pass left it, but for what set steps before have cut.

        In columns: what is not selected is not read.
        """
        ...

    def reread(self, name: str) -> "DataFrame":
        """What was materialised under ``name``."""
        ...

    def materialise(self, name: str, make: Callable[[], "DataFrame"]) -> "DataFrame":
        """``make()`` written under ``name`` and read back; on a resumed run only read back. Cuts Spark's lineage."""
        ...


class CorpusStep(ABC):
    """Needs many documents at once. Works on the ledger table: ``document.LEDGER`` + ``document.FACTS``, one row a document read.

    A row is still on the road where ``outcome`` is null; to reject it, set ``outcome``, ``step`` (and ``value``,
    ``threshold``, ``duplicate_of`` where they mean something). Rows are never dropped or added.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    reasons: ClassVar[tuple[Reason, ...]] = ()
    fills: ClassVar[tuple[str, ...]] = ()  # columns (document.REPEATS, …) that the documents of a recipe with this step have besides

    @abstractmethod
    def __call__(self, documents: "DataFrame", workspace: Workspace) -> "DataFrame":
        """The same rows and columns, some of them with an outcome, a cluster or a split."""

    def assets(self) -> tuple[str, ...]:
        """Paths of the files of the user's that the result depends on; their digests go into the manifest."""
        return ()

    def signals(self) -> tuple[str, ...]:
        """Names of the measured values that these settings ask for; a recipe is refused where no document step measures one."""
        return ()

    def facts(self) -> dict[str, object]:
        """What the report should say of the settings in effect (bands, rows, the curve): plain JSON values."""
        return {}

    def findings(self, workspace: Workspace) -> dict[str, object]:
        """What the report should say of what was found: asked once the step is done, of what it materialised. Plain JSON values."""
        return {}


def step_name(kind: type) -> str:
    """``GopherQuality`` -> ``gopher_quality``: the name in recipes, ledger and report."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind.__name__).lower()


def judge(batch: pa.RecordBatch, step: str, rules: Sequence[Rule]) -> pa.RecordBatch:
    """Apply rules to the batch's ``signals.*`` columns, in their order, and write what failed onto the rows."""
    for rule in rules:
        values = batch.column(document.SIGNAL + rule.signal)
        mask = rule.fails(values)
        if mask.any():
            measured = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
            batch = reject(batch, step, rule.reason, mask, measured, rule.threshold)
    return batch


def reject(
    batch: pa.RecordBatch,
    step: str,
    reason: Reason,
    mask: np.ndarray,
    values: np.ndarray | None = None,
    threshold: float | None = None,
) -> pa.RecordBatch:
    """Append ``reason`` to ``failed`` in the rows where ``mask``, shape (rows,), is true; ``values``: what was measured, (rows,)."""
    rows = np.flatnonzero(mask)
    if not len(rows):
        return batch
    added = pa.StructArray.from_arrays(
        [
            pa.array([reason.code] * len(rows), pa.string()),
            pa.array([step] * len(rows), pa.string()),
            pa.nulls(len(rows), pa.float64()) if values is None else pa.array(values[rows], pa.float64(), from_pandas=True),
            pa.array([threshold] * len(rows), pa.float64()),
        ],
        fields=list(document.FAILED.value_type),
    )
    failed = batch["failed"]
    lengths = pc.list_value_length(failed).to_numpy(zero_copy_only=False).astype(np.int64)
    owners = np.concatenate([np.repeat(np.arange(len(batch)), lengths), rows])
    order = np.argsort(owners, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(lengths + np.bincount(rows, minlength=len(batch)))])
    merged = pa.concat_arrays([failed.flatten(), added]).take(pa.array(order))
    return document.with_column(batch, "failed", pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), merged).cast(document.FAILED))


def rejected(batch: pa.RecordBatch) -> np.ndarray:
    """Boolean mask, shape (rows,): the rows that some rule failed."""
    return pc.greater(pc.list_value_length(batch["failed"]), 0).to_numpy(zero_copy_only=False)


@final
@dataclass
class FusedPass:
    """Document steps, one after another, over batches; rejected rows step aside unless ``keep_rejected``.

    ``seconds`` adds up the time by step, for ``run.json``.
    """

    steps: Sequence[DocumentStep]
    keep_rejected: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    def __call__(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """One batch in; every row comes out once, in one of the batches, with all columns of ``document.WORKING``."""
        sources = batch["source"].fill_null("")
        names = sources.unique().to_pylist() if any(step.sources for step in self.steps) else [""]
        if len(names) > 1:  # sources themselves make no such batches
            for name in names:
                yield from self(batch.filter(pc.equal(sources, name)))
            return
        for step in self.steps:
            if step.sources and names[0] not in step.sources:
                continue
            aside = rejected(batch)
            if self.keep_rejected:  # then only what has no text to measure leaves early
                missing = pc.is_null(batch["text"]).to_numpy(zero_copy_only=False)
                if "payload" in batch.schema.names:
                    missing &= pc.is_null(batch["payload"]).to_numpy(zero_copy_only=False)
                aside &= missing
            if aside.any():
                yield batch.filter(pa.array(aside))
                batch = batch.filter(pa.array(~aside))
            if not len(batch):
                return
            started = time.perf_counter()
            for column in step.reads:
                if column in document.PAGE and column not in batch.schema.names:
                    batch = document.with_column(batch, column, pa.nulls(len(batch), document.PAGE[column]))
            batch = step(batch)
            name = step_name(type(step))
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
        yield batch


def signal_types(steps: Iterable[DocumentStep]) -> dict[str, pa.DataType]:
    """Name -> type of all that the steps measure, in the order of the steps."""
    return {name: kind for step in steps for name, kind in step.signals.items()}
