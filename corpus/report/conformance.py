"""The published filters beside ours: each rule, where it comes from, what its variants ask for, and what they reject of the same texts.

Nothing is written down twice: rules and thresholds are those of the steps as they judge, variants are the values of their field of that
name, and the source is what a step's docstring, or its module's, names in brackets.

    for line in conformance(find(["crawl/"])).to_lines(): print(line)
"""

import re
import sys
import typing
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.extraction.html import ExtractHtml
from corpus.language.identify import IdentifyLanguage
from corpus.language.words import SegmentWords
from corpus.normalize.unicode import NormalizeUnicode
from corpus.normalize.whitespace import NormalizeWhitespace
from corpus.quality.c4 import C4Lines, C4Paragraph
from corpus.quality.curator import CuratorQuality
from corpus.quality.fineweb import FinewebQuality
from corpus.quality.gopher import GopherQuality
from corpus.quality.refinedweb import RefinedwebLines
from corpus.quality.repetition import GopherRepetition
from corpus.quality.roots import RootsQuality
from corpus.sources.listing import examine
from corpus.sources.source import InputFile, ReadLog, Split
from corpus.sources.tables import ParquetSource
from corpus.sources.warc import WarcSource
from corpus.step import DocumentStep, FusedPass, Rule, rejected, step_name

PUBLISHED: tuple[type[DocumentStep], ...] = (
    GopherQuality, GopherRepetition, C4Lines, C4Paragraph, FinewebQuality, RefinedwebLines, CuratorQuality, RootsQuality,
)  # fmt: skip
_SOURCE = re.compile(r"\(((?:arXiv|config/)[^();]*)")
_NOTE = re.compile(r"^    ``(\w+)`` +(\S.*(?:\n {8,}\S.*)*)", re.MULTILINE)
_TEXT = (NormalizeUnicode(), NormalizeWhitespace(), IdentifyLanguage(min_score=0.0), SegmentWords())


@final
@dataclass
class Line:
    """A rule of a step: ``values`` by variant, what it asks for ("> 0.1"; "yes" for a rule without a measure; "" where it has none)."""

    rule: str
    ours: str
    source: str
    values: dict[str, str]
    notes: list[str] = field(default_factory=list)  # what the step's docstring says of its variants
    rejects: Counter[str] = field(default_factory=Counter)  # by variant
    differ: int = 0  # documents that not all variants judge alike


@final
@dataclass
class Conformance:
    """The table. ``documents``: the texts it was counted on; None if none were asked for. ``rejects``: by step and variant, any rule."""

    lines: list[Line]
    documents: int | None = None
    rejects: dict[str, Counter[str]] = field(default_factory=dict)

    def to_lines(self) -> list[str]:
        """Plain text, a line each."""
        told = [] if self.documents is None else [f"counted on {self.documents:,} texts; in brackets: how many each rejects", ""]
        step = ""
        for line in self.lines:
            name, _, reason = line.rule.partition(" ")
            if name != step:
                step = name
                told += [f"{name}  [{line.source}]{self._whole(name)}", *(f"    {note}" for note in line.notes)]
            values = ", ".join(f"{variant} {self._value(line, variant)}" for variant in line.values) if len(line.values) > 1 else ""
            differ = f"; they differ on {line.differ:,}" if line.differ else ""
            alone = "" if values or self.documents is None else f" ({line.rejects.total():,})"
            told.append(f"  {reason:<40} {line.ours + alone:<14} {values}{differ}".rstrip())
        return told

    def _value(self, line: Line, variant: str) -> str:
        asked = line.values[variant] or "none"
        return asked if self.documents is None else f"{asked} ({line.rejects[variant]:,})"

    def _whole(self, step: str) -> str:
        counted = self.rejects.get(step)
        return "" if counted is None else "  rejects " + ", ".join(f"{variant} {count:,}" for variant, count in counted.items())


def variants(kind: type[DocumentStep]) -> dict[str, DocumentStep]:
    """Name -> the step in that variant; of a step that has none, its default under the name ``paper``."""
    names = typing.get_args(typing.get_type_hints(kind).get("variant", str))
    return {name: kind(variant=name) for name in names} or {"paper": kind()}  # type: ignore[call-arg]


def source(kind: type[DocumentStep]) -> str:
    """The paper and section that the first line of the class names, else its module."""
    first = (kind.__doc__ or "").split("\n")[0]
    found = _SOURCE.search(first) or _SOURCE.search(sys.modules[kind.__module__].__doc__ or "")
    assert found, f"{kind.__name__} names no source"
    return found.group(1).strip()


def conformance(pages: Sequence[InputFile] | None = None) -> Conformance:
    """The table; with ``pages`` (WARCs, or Parquet with the column ``text``) counted on their texts. One process, no Spark."""
    table = Conformance([line for kind in PUBLISHED for line in _lines(kind)])
    if pages is None:
        return table
    table.documents = 0
    table.rejects = {step_name(kind): Counter(dict.fromkeys(variants(kind), 0)) for kind in PUBLISHED}
    for batch in _texts(pages):
        table.documents += batch.num_rows
        for kind in PUBLISHED:
            _count(table, kind, batch)
    return table


def _lines(kind: type[DocumentStep]) -> Iterator[Line]:
    """One for each reason of the step, in its order."""
    default, each = kind(), variants(kind)
    notes = [f"{name}: {' '.join(text.split())}" for name, text in _NOTE.findall(kind.__doc__ or "") if name in each]
    for reason in kind.reasons:
        values = {name: _asked(step, reason.code) for name, step in each.items()}
        yield Line(f"{step_name(kind)} {reason.code}", _asked(default, reason.code) or "none", source(kind), values, notes)


def _asked(step: DocumentStep, code: str) -> str:
    judged: dict[str, Rule] = {rule.reason.code: rule for rule in step.rules()}
    if code in judged:
        return f"{judged[code].comparison} {judged[code].threshold:g}"
    measured = {reason.code for variant in variants(type(step)).values() for reason in (rule.reason for rule in variant.rules())}
    return "" if code in measured else "yes"


def _count(table: Conformance, kind: type[DocumentStep], batch: pa.RecordBatch) -> None:
    """Adds what each variant of the step rejects of the batch."""
    name = step_name(kind)
    failed = {variant: step(batch)["failed"].to_pylist() for variant, step in variants(kind).items()}
    for variant, rows in failed.items():
        table.rejects[name][variant] += sum(map(bool, rows))
    for line in table.lines:
        step, _, code = line.rule.partition(" ")
        if step != name:
            continue
        masks = {variant: np.array([any(fault["reason"] == code for fault in row) for row in rows]) for variant, rows in failed.items()}
        for variant, mask in masks.items():
            line.rejects[variant] += int(mask.sum())
        stacked = np.array(list(masks.values()))
        line.differ += int((stacked.any(axis=0) & ~stacked.all(axis=0)).sum())


def _texts(pages: Sequence[InputFile]) -> Iterator[pa.RecordBatch]:
    """Segmented batches of all texts, of whatever language; what has no text is left out."""
    sources = (WarcSource(), ParquetSource())
    for file in pages:
        number = examine(file, sources).source
        if number < 0:
            continue
        start, end = sources[number].splits(file)[0][0], sources[number].splits(file)[-1][1]
        fused = FusedPass((ExtractHtml(), *_TEXT) if number == 0 else _TEXT)
        for read in sources[number].read(Split(file, start, end), ReadLog()):
            for batch in fused(read):
                batch = batch.filter(pc.and_(pc.is_valid(batch["text"]), pa.array(~rejected(batch))))
                if batch.num_rows and "words" in batch.schema.names:
                    yield batch
