"""Evaluation items in documents: planted ones are found and told, others are left alone."""

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from corpus import document
from corpus.decontamination import Decontaminate, EvaluationSet
from corpus.engine import curate
from corpus.errors import AssetError, RecipeError
from corpus.language.words import SegmentWords
from corpus.recipe import from_data
from tests.road import assert_accounted

QUESTION = (
    "A train leaves the old station at noon with forty two cars, and every second car carries nine sacks of flour. How many sacks is that?"
)
PROSE = "The miller's daughter walked along the river in the morning, and she counted the geese that were sleeping on the bank. "


def run(step: Decontaminate, *texts: str | None) -> pa.RecordBatch:
    return step(SegmentWords()(document.new_batch(id=[str(at) for at in range(len(texts))], text=list(texts))))


def told(batch: pa.RecordBatch, name: str) -> list[Any]:
    return batch[document.SIGNAL + name].to_pylist()


def reasons(batch: pa.RecordBatch) -> list[list[str]]:
    return [[fault["reason"] for fault in row] for row in batch["failed"].to_pylist()]


@pytest.fixture
def questions(tmp_path: Path) -> EvaluationSet:
    """Line 1: a long question with an answer; line 3: seven words; line 4: two."""
    lines = [
        json.dumps({"q": QUESTION, "a": {"text": ["one hundred and eighty nine"]}}),
        "",
        '{"q": "Who should Derek hug after shocking Richard?"}',
        '{"q": "Yes, please"}',
    ]
    (tmp_path / "test.jsonl").write_text("\n".join(lines))
    return EvaluationSet(file=str(tmp_path / "test.jsonl"), fields=("q", "a.text"))


def test_a_run_of_thirteen_words_is_found_and_twelve_are_not(questions: EvaluationSet) -> None:
    words = QUESTION.split()
    thirteen, twelve = " ".join(words[3:16]), " ".join(words[3:15])
    batch = run(
        Decontaminate(evaluation=(questions,)), PROSE + thirteen + ".", PROSE + twelve + ".", None, QUESTION.upper().replace(" ", "\n")
    )
    assert reasons(batch) == [["decontamination:overlap"], [], [], ["decontamination:overlap"]]
    assert told(batch, "evaluation_items") == [["test.jsonl:1"], [], [], ["test.jsonl:1"]]
    # 26 words are 14 runs, and the answer, five words, is a fifteenth
    assert told(batch, "evaluation_overlap") == [pytest.approx(1 / 15), 0.0, None, pytest.approx(14 / 15)]
    fault = batch["failed"][0].as_py()[0]
    assert (fault["value"], fault["threshold"], fault["step"]) == (pytest.approx(1 / 15), 0.0, "decontaminate")
    assert reasons(run(Decontaminate(evaluation=(questions,), max_overlap=0.5), thirteen, QUESTION)) == [[], ["decontamination:overlap"]]


def test_a_short_item_is_looked_for_whole(questions: EvaluationSet) -> None:
    step = Decontaminate(evaluation=(questions,))
    batch = run(step, PROSE + "who should DEREK hug, after shocking Richard", PROSE + "Who should Derek hug after Richard?", "Yes, please!")
    assert told(batch, "evaluation_items") == [["test.jsonl:3"], [], []]
    assert step.facts() == {"evaluation": [{"name": "test.jsonl", "items": 2, "too_short": 1}]}
    assert told(run(Decontaminate(evaluation=(questions,), min_words=2), "Yes, please!"), "evaluation_items") == [["test.jsonl:4"]]


def test_cutting_leaves_the_other_lines(questions: EvaluationSet) -> None:
    step = Decontaminate(evaluation=(questions,), action="cut")
    batch = run(step, f"{PROSE}é\nQ: {QUESTION}\n{PROSE}", QUESTION, PROSE)
    assert batch["text"].to_pylist() == [f"{PROSE}é\n{PROSE.strip()}", QUESTION, PROSE]
    assert told(batch, "evaluation_cut_lines") == [1, 1, 0]
    assert reasons(batch) == [[], ["decontamination:overlap"], []]
    assert "words" not in batch.schema.names


def test_scripts_without_spaces_take_longer_runs(tmp_path: Path) -> None:
    (tmp_path / "zh.txt").write_text("早上河里的水很冷我们在岸边走了很久才回家然后一起喝了热茶\n\n天气很好\n")
    step = Decontaminate(evaluation=(EvaluationSet(file=str(tmp_path / "zh.txt"), name="zh"),))
    item = "早上河里的水很冷，我们在岸边走了很久才回家，然后一起喝了热茶"
    batch = run(step, "他说：" + item + "。", "他说：" + item[:20] + "。", PROSE + item)
    assert told(batch, "evaluation_items") == [["zh:1"], [], ["zh:1"]]
    assert step.facts() == {"evaluation": [{"name": "zh", "items": 1, "too_short": 1}]}


@pytest.mark.parametrize(
    ("name", "content", "fields", "message"),
    [
        ("a.jsonl", b'{"q": "x"}\n{"q', ("q",), r"this is no JSON: .*a\.jsonl:2"),
        ("a.jsonl", b'{"q": "x"}', ("question",), "no record has text in the field 'question'"),
        ("a.jsonl", b'{"q": "x"}', (), "which fields hold the text"),
        ("a.txt", b"x", ("q",), "only JSON has fields"),
        ("a.txt", b"\xff\xfe\xff", (), "cannot read the evaluation set"),
        ("a.txt.gz", gzip.compress(b"some words", mtime=0)[:12], (), "cannot read the evaluation set"),
    ],
)
def test_files_that_will_not_do(tmp_path: Path, name: str, content: bytes, fields: tuple[str, ...], message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AssetError, match=message):
        run(Decontaminate(evaluation=(EvaluationSet(file=str(tmp_path / name), fields=fields),)), "text")
    with pytest.raises(AssetError, match="cannot read"):
        run(Decontaminate(evaluation=(EvaluationSet(file=str(tmp_path / "none.txt")),)), "text")


def test_recipes_are_checked_into_the_sets() -> None:
    base: dict[str, Any] = {"name": "mine", "sources": ["jsonl"]}
    step = {"evaluation": [{"file": "a.jsonl", "feilds": ["q"]}]}
    with pytest.raises(RecipeError, match=r"unknown key 'feilds'.*evaluation\.0.*did you mean 'fields'"):
        from_data(base | {"steps": ["segment_words", {"decontaminate": step}]})
    with pytest.raises(RecipeError, match="a `name` each"):
        from_data(base | {"steps": ["segment_words", {"decontaminate": {"evaluation": [{"file": "x/a.txt"}, {"file": "y/a.txt"}]}}]})


def evaluation_sets(shared_data: Callable[[str], Path], tmp_path: Path) -> dict[str, EvaluationSet]:
    root = shared_data("eval")
    with zipfile.ZipFile(root / "alexwarstadt__blimp" / "BLiMP.zip") as archive:
        archive.extract("data/causative.jsonl", tmp_path)
    return {
        "gsm8k": EvaluationSet(name="gsm8k", file=str(root / "openai__grade-school-math/data/test.jsonl"), fields=("question", "answer")),
        "humaneval": EvaluationSet(name="humaneval", file=str(root / "openai__human-eval/data/HumanEval.jsonl.gz"), fields=("prompt",)),
        "xquad": EvaluationSet(
            name="xquad",
            file=str(root / "google-deepmind__xquad/xquad.de.json"),
            fields=("data.paragraphs.context", "data.paragraphs.qas.question"),
        ),
        "blimp": EvaluationSet(name="blimp", file=str(tmp_path / "data/causative.jsonl"), fields=("sentence_good",)),
    }  # fmt: skip


def test_real_sets_through_the_road(spark: SparkSession, shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    """Ten planted items of each of four sets among other documents: each is found, and told by its set and number."""
    sets = evaluation_sets(shared_data, tmp_path)
    gsm = [json.loads(line)["question"] for line in Path(sets["gsm8k"].file).read_text().splitlines()]
    human = [json.loads(line)["prompt"] for line in gzip.decompress(Path(sets["humaneval"].file).read_bytes()).splitlines()]
    squad = [part["context"] for each in json.loads(Path(sets["xquad"].file).read_text())["data"] for part in each["paragraphs"]]
    blimp = [json.loads(line)["sentence_good"] for line in Path(sets["blimp"].file).read_text().splitlines()]
    planted = {"gsm8k": gsm, "humaneval": human, "xquad": squad, "blimp": blimp}
    expected: dict[str, str] = {}
    documents = [{"id": f"clean-{at}", "text": f"{PROSE}Page {at} of the log says that {at * 7919} sacks came."} for at in range(40)]
    for name, items in planted.items():
        long = [(at, item) for at, item in enumerate(items, 1) if len(item.split()) >= (6 if name == "blimp" else 20)]
        for at, item in long[:: len(long) // 10][:10]:
            expected[f"{name}-{at}"] = f"{name}:{at}"
            documents.append({"id": f"{name}-{at}", "text": f"{PROSE}\n{item}\n{PROSE}"})
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(each) + "\n" for each in documents))
    step = {"evaluation": [{"file": each.file, "fields": list(each.fields), "name": each.name} for each in sets.values()]}
    recipe = from_data(
        {"name": "clean", "sources": ["jsonl"], "steps": ["segment_words", {"decontaminate": step}], "output": {"keep_rejected": True}}
    )
    result = curate(recipe, [str(tmp_path / "in.jsonl")], str(tmp_path / "corpus"), spark=spark)
    assert_accounted(tmp_path / "corpus")
    assert result.manifest["outcomes"]["decontamination:overlap"]["documents"] == len(expected) == 40
    assert result.manifest["kept"] == 40
    assert set(result.manifest["fingerprint"]["assets"]) == {each.file for each in sets.values()}
    report = json.loads((tmp_path / "corpus" / "report.json").read_text())["evaluation"]
    rejected = spark.read.parquet(str(tmp_path / "corpus" / "rejected")).select("origin.record_id", "signals.evaluation_items").collect()
    found = {row["record_id"]: row["evaluation_items"] for row in rejected}
    assert all(label in found[key] for key, label in expected.items())
    assert {each["name"]: each["items"] for each in report["sets"]}["gsm8k"] == 1319
    assert all(each["found"] >= 10 for each in report["sets"])
    assert len(report["examples"]) == 20
    page = (tmp_path / "corpus" / "report.html").read_text()
    assert report["examples"][0]["items"][0] in page
