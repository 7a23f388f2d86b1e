"""Keeps evaluation sets out of the corpus: runs of words that a document shares with an item of theirs.

Each item (a question, a prompt) is taken as its runs of n words, in lower case and without punctuation; they are looked up in every
document in the fused pass. What was found is counted by item: the report says which item of which set stood in which document.

    Decontaminate(evaluation=(EvaluationSet(file="gsm8k/test.jsonl", fields=("question", "answer")),))(batch)
"""

import gzip
import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Self, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import document
from corpus.errors import AssetError
from corpus.kernels.characters import WITHOUT_SPACES
from corpus.kernels.ngrams import Table, find, run_hashes, word_hashes
from corpus.kernels.words import dominant_scripts, words
from corpus.sources.framing import GZIP_MAGIC
from corpus.step import DocumentStep, Reason, Rule, judge, reject, step_name
from corpus.storage import locate

OVERLAP = Reason("decontamination:overlap", "the document holds more of an item of an evaluation set than the limit")


@final
@dataclass(frozen=True, kw_only=True)
class EvaluationSet:
    """A file of items. ``fields`` are the texts of a record, by dotted paths that pass through lists (``data.paragraphs.context``).

    An item is a line of a text or JSON-lines file, an element of a JSON list, or else each text that the fields find in a JSON object
    (SQuAD's form); items are numbered from 1. All may be gzipped. ``name``: how the report calls it; by default the file's name.
    """

    file: str
    fields: tuple[str, ...] = ()
    name: str = ""

    def title(self) -> str:
        return self.name or self.file.rstrip("/").rpartition("/")[2]


@final
@dataclass(frozen=True, kw_only=True)
class Decontaminate(DocumentStep):
    """Measures ``evaluation_overlap``, the largest share of an item's runs that the document holds, and ``evaluation_items``, whose.

    Runs of 13 words are GPT-3's (arXiv 2005.14165, appendix C), which drops for a single one in common: ``max_overlap`` 0. ``action``
    ``cut`` keeps the document but for the lines that a run touches, and drops it only if no line is left. An item of fewer than
    ``ngram`` words is looked for whole, and not at all below ``min_words``: two or three words stand everywhere. Where an item is of a
    script without spaces a word is a character, of which a run takes ``character_ngram``; two are about one Chinese word.
    """

    evaluation: tuple[EvaluationSet, ...]
    ngram: int = 13
    character_ngram: int = 26
    min_words: int = 5
    max_overlap: float = 0.0
    action: Literal["drop", "cut"] = "drop"

    reads = ("words",)
    rewrites_text = True  # where it cuts
    signals = {"evaluation_overlap": pa.float64(), "evaluation_items": pa.list_(pa.string()), "evaluation_cut_lines": pa.int32()}
    reasons = (OVERLAP,)

    def __post_init__(self) -> None:
        names = [each.title() for each in self.evaluation]
        if not names or len(set(names)) < len(names):
            raise ValueError("evaluation must name at least one file, and give files of one name a `name` each")
        if not 1 <= self.min_words <= self.ngram or self.character_ngram < self.ngram:
            raise ValueError("min_words must lie in 1..ngram, and character_ngram be no less than ngram")
        if not 0 <= self.max_overlap < 1:
            raise ValueError("max_overlap is a share in [0, 1)")

    def assets(self) -> tuple[str, ...]:
        return tuple(each.file for each in self.evaluation)

    def facts(self) -> dict[str, object]:
        """``evaluation``: [{name, items, too_short}]."""
        return {"evaluation": [dict(each) for each in _load(self.evaluation, self.ngram, self.character_ngram, self.min_words).sets]}

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(OVERLAP, "evaluation_overlap", ">", self.max_overlap),) if self.action == "drop" else ()

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        items = _load(self.evaluation, self.ngram, self.character_ngram, self.min_words)
        row, word, length, run = find(*word_hashes(batch["text"], batch["words"]), items.table)
        overlap = np.zeros(batch.num_rows)
        named: list[list[str]] = [[] for _ in range(batch.num_rows)]
        spans: dict[int, list[tuple[int, int]]] = {}
        for at in np.unique(row).tolist():
            here = row == at
            shares = items.shares(run[here])
            over = {item for item, share in shares.items() if share > self.max_overlap}
            overlap[at] = max(shares.values())
            named[at] = [items.labels[item] for item in sorted(over)]
            told = zip(word[here].tolist(), length[here].tolist(), run[here].tolist(), strict=True)
            spans[at] = [(first, first + count) for first, count, number in told if over & set(items.held_by(number))]
        has_text = pc.is_valid(batch["text"]).to_numpy(zero_copy_only=False)
        batch = document.with_signals(
            batch,
            {
                "evaluation_overlap": pa.array(overlap, mask=~has_text),
                "evaluation_items": pa.array(named, pa.list_(pa.string())),
                "evaluation_cut_lines": pa.array(np.zeros(batch.num_rows), pa.int32(), mask=~has_text),
            },
        )
        return self._cut(batch, overlap, spans) if self.action == "cut" else judge(batch, step_name(type(self)), self.rules())

    def _cut(self, batch: pa.RecordBatch, overlap: np.ndarray, spans: dict[int, list[tuple[int, int]]]) -> pa.RecordBatch:
        """Without the lines that the spans, (first word, word after the last) by row, touch."""
        texts = batch["text"].to_pylist()
        lines = np.zeros(batch.num_rows, np.int32)
        empty = np.zeros(batch.num_rows, dtype=bool)
        for at, touched in spans.items():
            if not touched:
                continue
            offsets = batch["words"][at].as_py()
            ranges = [(offsets[2 * first], offsets[2 * after - 1]) for first, after in touched]
            left, lines[at] = _without_lines(texts[at].encode(), ranges)
            empty[at] = not left
            texts[at] = left or texts[at]
        batch = document.with_signals(document.with_text(batch, texts), {"evaluation_cut_lines": pa.array(lines)})
        return reject(batch, step_name(type(self)), OVERLAP, empty, overlap, self.max_overlap)


def _without_lines(utf8: bytes, ranges: Sequence[tuple[int, int]]) -> tuple[str, int]:
    """The text without the lines that a byte range touches, and how many those are."""
    marked = np.zeros(len(utf8) + 1, np.int64)
    for start, end in ranges:
        marked[start] += 1
        marked[end] -= 1
    covered = np.cumsum(marked) > 0
    kept, at, cut = [], 0, 0
    for line in utf8.split(b"\n"):
        if covered[at : at + len(line)].any():
            cut += 1
        else:
            kept.append(line)
        at += len(line) + 1
    return b"\n".join(kept).decode().strip(), cut


@final
@dataclass(frozen=True)
class Items:
    """All items as a table of their runs; ``items[starts[n]:starts[n + 1]]`` are those that hold run n, ``runs`` how many each has."""

    table: Table
    starts: np.ndarray
    items: np.ndarray
    runs: np.ndarray
    labels: list[str]
    sets: list[dict[str, Any]]

    @classmethod
    def of(
        cls,
        evaluation: Iterable[tuple[str, Iterable[tuple[int, Sequence[str]]]]],
        ngram: int = 13,
        character_ngram: int = 26,
        min_words: int = 5,
    ) -> Self:
        """``evaluation``: (title, its items as (number, texts)). Labels are ``title:number`` of those that are long enough."""
        labels: list[str] = []
        sets: list[dict[str, Any]] = []
        runs: list[np.ndarray] = []
        owners: list[np.ndarray] = []
        lengths: set[int] = set()
        for title, items in evaluation:
            first, short = len(labels), 0
            for number, values in items:
                found = []
                for own in _runs(values, ngram, character_ngram, min_words):
                    lengths.add(own[0])
                    found.append(own[1])
                if found:
                    runs.append(np.unique(np.concatenate(found)))
                    owners.append(np.full(len(runs[-1]), len(labels)))
                    labels.append(f"{title}:{number}")
                short += not found
            sets.append({"name": title, "items": len(labels) - first, "too_short": short})
        everything = np.concatenate([*runs, np.zeros(0, np.uint64)])
        table = Table.of(everything, tuple(lengths))
        order = np.argsort(everything, kind="stable")
        starts = np.append(np.searchsorted(everything[order], table.hashes), len(order))
        owned = np.concatenate([*owners, np.zeros(0, np.int64)]).astype(np.int64)[order]
        return cls(table, starts, owned, np.array([len(each) for each in runs], np.int64), labels, sets)

    def held_by(self, number: int) -> list[int]:
        """The items that hold run ``number``."""
        return self.items[self.starts[number] : self.starts[number + 1]].tolist()

    def shares(self, numbers: np.ndarray) -> dict[int, float]:
        """Runs that were found -> the share of its runs that each item has among them."""
        held = [item for number in np.unique(numbers).tolist() for item in self.held_by(number)]
        found, counts = np.unique(np.array(held, np.int64), return_counts=True)
        return {item: count / self.runs[item] for item, count in zip(found.tolist(), counts.tolist(), strict=True)}


@lru_cache(maxsize=2)
def _load(evaluation: tuple[EvaluationSet, ...], ngram: int, character_ngram: int, min_words: int) -> Items:
    """Once in a process, as models are. 100,000 runs (GSM8K) are 2 MB."""
    return Items.of(((each.title(), _read(each)) for each in evaluation), ngram, character_ngram, min_words)


def _runs(texts: Sequence[str], ngram: int, character_ngram: int, min_words: int) -> Iterator[tuple[int, np.ndarray]]:
    """(words of a run, hashes of the runs) of each text that is long enough."""
    normal = pa.array([unicodedata.normalize("NFC", text) for text in texts], pa.string())
    hashes, ends = word_hashes(normal, words(normal))
    by_character = pc.is_in(dominant_scripts(normal), pa.array(WITHOUT_SPACES)).to_pylist()
    for at, is_unit in enumerate(by_character):
        count = int(ends[at + 1] - ends[at])
        least, length = (2 * min_words, character_ngram) if is_unit else (min_words, ngram)
        if count >= least:
            yield min(count, length), run_hashes(hashes, ends[at], ends[at + 1], min(count, length))


def _read(evaluation: EvaluationSet) -> Iterator[tuple[int, list[str]]]:
    """(number, texts) of each item. Raises AssetError, naming file and line."""
    where = evaluation.file
    try:
        content = locate(where).read_bytes()
        content = gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
        text = content.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise AssetError("cannot read the evaluation set", where=where, hint=str(error)) from error
    name = where.lower().removesuffix(".gz")
    if not name.endswith((".json", ".jsonl", ".ndjson")):
        if evaluation.fields:
            raise AssetError("only JSON has fields", where=where, hint="its name ends in .json, .jsonl or .ndjson, plain or .gz")
        yield from ((number, [line]) for number, line in enumerate(text.split("\n"), 1) if line.strip())
        return
    if not evaluation.fields:
        raise AssetError("which fields hold the text?", where=where, hint="name them, such as `fields: [question, answer]`")
    missing = set(evaluation.fields)
    for number, record in _records(text, where, a_line=not name.endswith(".json")):
        values = [(field, value) for field in evaluation.fields for value in _values(record, field.split("."))]
        missing -= {field for field, _ in values}
        if isinstance(record, dict) and name.endswith(".json") and number == 0:
            yield from ((at, [value]) for at, (_, value) in enumerate(values, 1))
        elif values:
            yield number, [value for _, value in values]
    if missing:
        raise AssetError(f"no record has text in the field {min(missing)!r}", where=where, hint="dots lead into objects, and through lists")


def _records(text: str, where: str, a_line: bool) -> Iterator[tuple[int, Any]]:
    """(number from 1, record); a JSON file that is one object has number 0."""
    pieces = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()) if a_line else iter([(0, text)])
    for number, piece in pieces:
        try:
            record = json.loads(piece)
        except (ValueError, RecursionError) as error:
            raise AssetError("this is no JSON", where=f"{where}:{number}" if number else where, hint=str(error)) from error
        if number == 0 and isinstance(record, list):
            yield from enumerate(record, 1)
        else:
            yield number, record


def _values(record: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(record, list):
        for each in record:
            yield from _values(each, path)
    elif not path:
        if isinstance(record, str):
            yield record
    elif isinstance(record, dict) and path[0] in record:
        yield from _values(record[path[0]], path[1:])
