"""Lines and passages that stand in several documents: what is found and what it costs, beside text-dedup's cc_net.

    python -m tests.benchmarks.run parts

The texts are real pages, three times, each time with other lines planted at places of their own: a site's footer in a third of the
pages, and passages of 40 to 120 words of other pages in the middle of one in two. What goes is compared with plain Python over strings
(a dictionary of all lines, of all runs of 50 words). Ours are the tasks of the steps in one process, with a sort in place of the shuffle
(tests hold the road to the same reference); text-dedup has no passages but by a suffix array in Rust. Each run is a process of its own.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from corpus.dedup.audit import wilson
from corpus.dedup.lines import DedupLines
from corpus.dedup.repeats import _Cut, key_rows
from corpus.dedup.substrings import DedupSubstrings
from corpus.kernels.characters import WITHOUT_SPACES
from corpus.kernels.pieces import without
from corpus.kernels.words import dominant_scripts, words
from tests.benchmarks.pages import texts
from tests.benchmarks.rows import Row, compared, row
from tests.benchmarks.sides import BUILD, Cost, interleaved, ours, peers, spent
from tests.corpus.dedup import plain_repeats

FOLDER = BUILD / "parts"
COPIES = 3
CC_NET = "text-dedup"
STEPS = {"lines": DedupLines(min_words=1), "passages": DedupSubstrings(min_words=1)}
_BATCH = 512


def measure(rounds: int) -> list[Row]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    column = ds.dataset(texts(), format="parquet").to_table(columns=["text"])["text"].combine_chunks()
    spaced = pc.invert(pc.is_in(dominant_scripts(column), pa.array(WITHOUT_SPACES)))  # elsewhere 100 characters are what 50 words are
    planted = plant(column.filter(spaced).to_pylist(), COPIES)
    lines = FOLDER / "in.jsonl"
    lines.write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in planted.items()))
    megabytes = sum(len(text.encode()) for text in planted.values()) / 1e6
    rows = [each for name in STEPS for each in _accuracy(name, planted)]
    return rows + _costs(lines, megabytes, rounds)


def plant(pages: Sequence[str], copies: int) -> dict[str, str]:
    """The pages, each ``copies`` times with one word in four changed, and with a footer and passages of other pages planted in them."""
    draw = np.random.default_rng(50)
    sources = [text.split() for text in pages if len(text.split()) > 200]
    made = {}
    for copy in range(copies):
        for number, text in enumerate(pages):
            told = text if not copy else "".join(_changed(text, copy))
            parts = told.split("\n")
            if draw.random() < 0.5:
                words_of = sources[draw.integers(0, len(sources))]
                length = int(draw.integers(40, 121))
                start = int(draw.integers(0, len(words_of) - length))
                at = int(draw.integers(0, len(parts)))
                parts[at] = f"{parts[at]} {' '.join(words_of[start : start + length])}"
            if draw.random() < 1 / 3:
                parts.append(f"Copyright {2000 + int(draw.integers(0, 25))}, all rights reserved by site no. {draw.integers(0, 50)}")
            made[f"{copy:02d}-{number:06d}"] = "\n".join(parts)
    return made


def _changed(text: str, copy: int) -> Iterator[str]:
    for number, word in enumerate(text.split(" ")):
        yield f"{word} " if (number + copy) % 4 else f"{word}x{copy} "


def _read(lines: Path) -> dict[str, str]:
    with lines.open() as stream:
        return {each["id"]: each["text"] for each in map(json.loads, stream)}


def _ours(name: str, planted: dict[str, str]) -> dict[str, str]:
    """Documents that lose something -> their texts without it. The document of the least id keeps what is shared."""
    step: Any = STEPS[name]
    column = pa.array(list(planted.values()))
    whole = pa.RecordBatch.from_pydict({"id": pa.array(list(planted)), "origin": pa.nulls(len(column)), "text": column})
    batches = [whole.slice(at, _BATCH) for at in range(0, len(column), _BATCH)]
    rows = pa.Table.from_batches(list(_keys(step, batches))).combine_chunks()
    owners = np.repeat(np.arange(len(rows)), pc.list_value_length(rows["first"]).to_numpy())
    flat = {side: pc.list_flatten(rows[side]).combine_chunks() for side in ("first", "second")}
    each = pa.table({**flat, "owner": owners})
    found = each.group_by(["first", "second"]).aggregate([("owner", "count"), ("owner", "min")])
    several = found.filter(pc.greater_equal(found["owner_count"], step._rule().documents))
    hits = each.join(several, ["first", "second"], join_type="inner").sort_by("owner").combine_chunks()
    ends = np.concatenate([[0], np.cumsum(np.bincount(hits["owner"].to_numpy(), minlength=len(rows)))])
    here = pc.equal(hits["owner"], hits["owner_min"]).combine_chunks()
    members = [hits["first"].combine_chunks(), hits["second"].combine_chunks(), here]
    known = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.StructArray.from_arrays(members, ["first", "second", "here"]))
    concerned = (np.diff(ends) > 0) | rows["repeats"].to_numpy()
    numbers = pc.index_in(rows["id"], whole["id"]).to_numpy()
    asked = whole.take(pa.array(numbers)).append_column("known", known).filter(pa.array(concerned))
    left = {}
    for told in _Cut(step.apart, step._rule())(asked.slice(at, _BATCH) for at in range(0, len(asked), _BATCH)):
        texts_of = whole["text"].take(pc.index_in(told["id"], whole["id"]))
        left |= dict(zip(told["id"].to_pylist(), without(texts_of, told["spans"]).to_pylist(), strict=True))
    return left


def _keys(step: Any, batches: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if isinstance(step, DedupLines):
        for batch in batches:
            _, found, lengths = step.apart(batch["text"])
            yield key_rows(batch, found, lengths, np.ones(len(found.first), dtype=bool))
        return
    winnowed = pa.Table.from_batches(list(step._winnow(iter(batches)))).combine_chunks()
    prints = pc.list_flatten(winnowed["prints"]).combine_chunks()
    counted = pc.value_counts(prints)
    several = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    lengths = pc.list_value_length(winnowed["prints"]).to_numpy()
    within = np.arange(len(prints)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    met = pc.is_in(prints, several).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(met)])[np.concatenate([[0], np.cumsum(lengths)])]
    numbers = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(within[met]))
    at = 0
    for batch in batches:
        asked = batch.append_column("numbers", numbers.slice(at, len(batch)))
        at += len(batch)
        yield from step._keys(iter([asked.filter(pc.greater(pc.list_value_length(asked["numbers"]), 0))]))


def _accuracy(name: str, planted: dict[str, str]) -> list[dict[str, Any]]:
    """Pieces (lines, words) that went against those that plain Python takes out: recall and precision, and that others all stay."""
    left = {**planted, **_ours(name, planted)}
    apart = _lines if name == "lines" else _words
    before = {key: apart(text) for key, text in planted.items()}
    form = plain_repeats.form if name == "lines" else str.lower
    gone = plain_repeats.repeated({key: [form(each) for each in told] for key, told in before.items()}, 1 if name == "lines" else 50)
    right = expected = went = 0
    for key, told in before.items():
        should = Counter(each for at, each in enumerate(told) if (key, at) in gone)
        did = Counter(told) - Counter(apart(left[key]))
        right, expected, went = right + (should & did).total(), expected + should.total(), went + did.total()
    told = {"recall": (right, expected), "precision": (right, went)}
    return [
        row(f"parts.{name}.{what}", f"{name} against plain Python", what, hits / max(1, trials), interval=wilson(hits, max(1, trials)))
        for what, (hits, trials) in told.items()
    ]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _words(text: str) -> list[str]:
    utf8 = text.encode()
    spans = words(pa.array([text]))[0].as_py()
    return [utf8[start:end].decode() for start, end in zip(spans[::2], spans[1::2], strict=True)]


def _costs(lines: Path, megabytes: float, rounds: int) -> list[Row]:
    """CPU of whole processes, less that of a process that reads two documents: the start, and what it imports."""
    empty = FOLDER / "empty.jsonl"
    empty.write_text("".join(line for line in lines.read_text().splitlines(keepends=True)[:2]))
    commands = {name: ours("tests.benchmarks.parts", "--side", name, "{}", FOLDER / name) for name in STEPS}
    for python in peers("text_dedup").values():
        told = ["--path", "json", "--data_files", "{}", "--split", "train", "--column", "text", "--output", FOLDER / "out"]
        commands[CC_NET] = [python, "-m", "text_dedup.ccnet", *told, "--cache_dir", FOLDER / "cache", "--num_proc", "1"]

    def cost(command: list[object]) -> Cost:
        whole, start = (spent([str(part).format(path) for part in command]) for path in (lines, empty))
        return Cost(whole.seconds - start.seconds, whole.cpu_seconds - start.cpu_seconds, whole.peak_bytes, whole.told)

    sides = {side: (lambda command=command: cost(command)) for side, command in commands.items()}
    costs = interleaved(sides, rounds)  # type: ignore[arg-type]
    rows = [
        row(
            f"parts.{name}.rate",
            f"{name} that stand elsewhere are cut",
            "MB/s of CPU",
            megabytes / median(each.cpu_seconds for each in costs[name]),
        )
        for name in STEPS
    ]
    if CC_NET in costs:
        pair = {"lines": costs["lines"], CC_NET: costs[CC_NET]}
        what = "lines that stand elsewhere are cut"
        rows[0] = compared("parts.lines.rate", what, "MB/s of CPU", pair, lambda each: each.cpu_seconds, amount=megabytes)
    return rows


if __name__ == "__main__":  # one side: NAME LINES TARGET
    _, name, given, target = sys.argv[1:]
    Path(target).write_text(json.dumps(_ours(name, _read(Path(given)))))
