"""Lines, sentences and passages that stand in several documents: what is cut is what plain Python would cut, and all of it is told."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus import document
from corpus.cutting import cut, cut_texts
from corpus.dedup.lines import DedupLines
from corpus.dedup.repeats import CutRule, _Cut, key_rows, rank
from corpus.dedup.substrings import DedupSubstrings
from corpus.kernels.words import words
from corpus.step import CorpusStep
from corpus.work import Work
from tests.corpus.dedup import plain_repeats
from tests.corpus.dedup.conftest import SCHEMA, row

Table = Callable[..., DataFrame]


def without_spark(step: Any, texts: dict[str, str]) -> dict[str, str]:
    """The step's tasks, with dictionaries for the shuffles; ``texts``: first the document of the least rank."""
    column = pa.array(list(texts.values()), pa.string())
    batch = pa.RecordBatch.from_pydict({"id": pa.array(list(texts)), "origin": pa.nulls(len(texts)), "text": column})
    _, found, lengths = step.apart(column)
    rows = key_rows(batch, found, lengths, np.ones(len(found.first), dtype=bool)).to_pylist()
    keys = {each["id"]: list(zip(each["first"], each["second"], strict=True)) for each in rows}
    counts = Counter(key for listed in keys.values() for key in listed)
    owner = {key: name for name in reversed(keys) for key in keys[name]}
    rule: CutRule = step._rule()
    known = [
        [{"first": key[0], "second": key[1], "here": owner[key] == name} for key in keys[name] if counts[key] >= rule.documents]
        for name in texts
    ]
    kind = pa.list_(pa.struct([("first", pa.int64()), ("second", pa.int64()), ("here", pa.bool_())]))
    asked = [at for at, each in enumerate(rows) if known[at] or (rule.within and each["repeats"])]
    out = _Cut(step.apart, rule)(iter([batch.append_column("known", pa.array(known, kind)).take(pa.array(asked, pa.int64()))]))
    cuts = {each["id"]: each for part in out for each in part.to_pylist()}
    left = dict(texts)
    for name, told in cuts.items():
        entry = pa.array([[{"step": "s", "spans": told["spans"]}]], document.CUTS[1])
        left[name] = cut(pa.RecordBatch.from_pydict({"text": pa.array([texts[name]]), "cuts": entry}))["text"][0].as_py()
        assert told["characters"] == len(left[name]) == len(texts[name]) - told["characters_cut"]
        assert told["words"] == len(words(pa.array([left[name]]))[0]) // 2
    return left


lines = st.lists(st.sampled_from(["Ab, c", "ab C!", "1 day", "2 day.", "", "***", "é 我", "x"]), max_size=12)


@given(st.lists(lines, min_size=1, max_size=5), st.integers(1, 3), st.integers(0, 3), st.booleans())
def test_lines_that_go_are_those_that_plain_python_finds(given: list[list[str]], span: int, most: int, all_copies: bool) -> None:
    documents = {str(at): told for at, told in enumerate(given)}
    step = DedupLines(span=span, max_documents=max(most, all_copies), keep="none" if all_copies else "one")
    texts = {name: "\n".join(told).strip() for name, told in documents.items()}
    gone = plain_repeats.repeated(
        {name: [plain_repeats.form(line) for line in told] for name, told in documents.items()},
        span,
        most=step.max_documents,
        all_copies=all_copies,
        within=step.max_documents == 0,
    )
    left = without_spark(step, texts)
    for name, told in documents.items():
        expected = [line for at, line in enumerate(told) if (name, at) not in gone and line]
        assert [line for line in left[name].split("\n") if line] == expected
        if any(at[0] == name for at in gone):
            assert left[name] == left[name].strip()
            assert "\n\n\n" not in left[name] or "\n\n\n" in texts[name]
    if not all_copies:  # everything that was said is still said
        before, after = ({plain_repeats.form(line) for text in all_.values() for line in text.split("\n")} for all_ in (texts, left))
        assert before | {""} == after | {""}


vocabulary = st.lists(st.sampled_from("abcD我é"), max_size=40)


@given(st.lists(vocabulary, min_size=1, max_size=4), st.integers(2, 7))
def test_passages_that_go_are_those_that_plain_python_finds(given: list[list[str]], length: int) -> None:
    documents = {str(at): told for at, told in enumerate(given)}
    step = DedupSubstrings(length=length, character_length=length)
    gone = plain_repeats.repeated({name: [word.lower() for word in told] for name, told in documents.items()}, length)
    left = without_spark(step, {name: ", ".join(told) for name, told in documents.items()})
    for name, told in documents.items():
        kept = [word for at, word in enumerate(told) if (name, at) not in gone]
        utf8 = left[name].encode()
        spans = words(pa.array([left[name]]))[0].as_py()
        assert [utf8[start:end].decode() for start, end in zip(spans[::2], spans[1::2], strict=True)] == kept


def random_documents(seed: int, count: int) -> dict[str, str]:
    """Documents of 40 lines of random words; passages of up to 90 words, and lines, of a few others are planted in them."""
    draw = np.random.default_rng(seed)
    vocabulary = np.array(["".join(chr(97 + letter) for letter in draw.integers(0, 26, 6)) for _ in range(3000)])
    made: dict[str, str] = {}
    flows: list[list[str]] = []
    for number in range(count):
        flow = draw.choice(vocabulary, 400).tolist()
        for _ in range(draw.integers(0, 4) if flows else 0):
            other = flows[draw.integers(0, len(flows))]
            start, length, at = draw.integers(0, 300), draw.integers(8, 90), draw.integers(0, 400)
            flow[at:at] = other[start : start + length]
        flows.append(flow)
        told = [" ".join(flow[at : at + 10]).capitalize() + "." for at in range(0, len(flow), 10)]
        if number % 3 == 0:
            told.insert(int(draw.integers(0, len(told))), "Share on X, or not!")
        made[f"{number:032x}"] = "\n".join(told)
    return made


def on_spark(step: CorpusStep, table: Table, work: Work, texts: dict[str, str], partitions: int) -> tuple[DataFrame, Work]:
    """The ledger table after the step, and the workspace that it had."""
    rows = [row(name, text) for name, text in texts.items()]
    rows.append(row("f" * 32, next(iter(texts.values())), outcome="c4:curly_brace"))
    schema = "id string, origin struct<input: int, file: string, offset: bigint, record_id: string>, text string"
    held = [(each["id"], tuple(each["origin"].values()), texts.get(each["id"], next(iter(texts.values())))) for each in rows]
    space = Work(work.spark, work.place / f"{type(step).__name__}-{partitions}", work.spark.createDataFrame(held, schema))
    return step(table(rows, partitions), space), space


@pytest.mark.parametrize("step", [DedupLines(min_words=30), DedupSubstrings(min_words=30)], ids=["lines", "substrings"])
def test_on_spark_it_is_plain_python(table: Table, work: Work, step: Any) -> None:
    """Thirty documents with planted parts, in other partitions: the same cuts, which are those of the reference."""
    texts = random_documents(5, 30)
    texts["e" * 32] = "Share on x, or NOT.\n" + "Only these words are left of it.\n" * 2
    found = [on_spark(step, table, work, texts, partitions) for partitions in (1, 5)]
    told = [{each["id"]: each.asDict(recursive=True) for each in frame.collect()} for frame, _ in found]
    assert told[0] == told[1]
    assert list(told[0]["e" * 32]) == SCHEMA.names
    assert told[0]["f" * 32]["cuts"] is None
    whole = table([row(name, text) for name, text in texts.items()]).select("id", rank(()).alias("rank"))
    before = {each["id"]: each["rank"] for each in whole.collect()}
    order = sorted(texts, key=before.__getitem__)
    expected = without_spark(step, {name: texts[name] for name in order})
    now = {each["id"]: each["text"] for each in cut_texts(found[0][1].texts, found[0][0]).collect()}
    short = {name for name, each in told[0].items() if (each["outcome"] or "").startswith("dedup:little_beside")}
    changed = {name for name in texts if expected[name] != texts[name]}
    assert {name: now[name] for name in texts if name not in short} == {name: expected[name] for name in texts if name not in short}
    assert all(now[name] == texts[name] and told[0][name]["cuts"] is None for name in short)
    assert {name for name, each in told[0].items() if each["cuts"]} == changed - short
    assert all(told[0][name]["characters"] == len(now[name]) for name in texts)
    assert len(changed) >= 10
    summed = step.findings(found[0][1])["cut"]
    assert (summed["documents"], summed["too_short"]) == (len(changed - short), len(short))
    assert summed["characters"] == sum(len(texts[name]) - len(now[name]) for name in texts)
    if isinstance(step, DedupLines):
        assert short == {"e" * 32}
        assert told[0]["e" * 32]["value"] == len(words(pa.array([expected["e" * 32]]))[0]) / 2


def test_a_line_of_very_many_documents_costs_what_its_places_cost(table: Table, work: Work) -> None:
    """A line of 100,000 documents: one keeps it, and each of the others loses it, with nothing compared in pairs."""
    copies = 100_000
    identity = F.format_string("%032d", F.col("id"))
    origin = F.struct(F.lit(0).alias("input"), F.lit("f").alias("file"), F.col("id").alias("offset"), F.lit("r").alias("record_id"))
    text = F.concat(F.lit("Accept all cookies\n"), F.sha2(F.col("id").cast("string"), 256))
    own = F.translate(text, "0123456789", "ghijklmnop")  # digits are alike in the normal form
    texts = work.spark.range(copies).select(identity.alias("id"), origin.alias("origin"), own.alias("text"))
    told = {"id": identity, "origin": origin}
    fields = table([]).schema
    rows = work.spark.range(copies).select([told.get(each.name, F.lit(None).cast(each.dataType)).alias(each.name) for each in fields])
    step, space = DedupLines(min_words=1), Work(work.spark, work.place / "hot", texts)
    found = step(rows, space)
    kept = F.col("cuts").isNull()
    assert {tuple(each) for each in found.groupBy("outcome", kept).count().collect()} == {(None, True, 1), (None, False, copies - 1)}
    assert step.findings(space)["cut"]["most"] == copies
