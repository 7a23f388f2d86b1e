"""`gristmill answer`: what is asked, what is scored, what is told of a damaged file; and scores that no batch changes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from corpus.errors import GristmillError, InputError
from jobs.cli import gristmill
from modeling.answers.questions import METRICS, prompted, read_questions
from modeling.answers.sandbox import problem
from modeling.answers.session import ANSWERS, Setting, _scored, answer, pass_at_k
from modeling.config import ModelConfig
from modeling.presets import preset
from modeling.train import Launch, pretrain
from modeling.watching import Unwatched
from tests.modeling.made_tokens import made_tokens, prose

PLAIN = [{"prompt": f"What is {at}?", "answer": [f"number {at}", "rye"]} for at in range(6)]
GSM8K = [{"question": f"{at} carts and one more?", "answer": f"{at} + 1 = <<{at}+1={at + 1}>>\n#### {at + 1}"} for at in range(6)]
NEWS = [{"article": prose(at, 12), "highlights": "The mill.\nThe river."} for at in range(3)]
PROGRAM = {
    "task_id": "HumanEval/0", "prompt": "def double(x):\n", "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of training: what it says is noise, but it says it the same."""
    root = tmp_path_factory.mktemp("answering")
    tokens = made_tokens(root, [("train", "made", "en", prose(at, 60)) for at in range(8)] + [("validation", "made", "en", prose(99, 60))])
    _, train = preset("tiny", 400)
    config = ModelConfig(vocabulary=400, context_length=48, layers=2, width=32, heads=4, kv_heads=2, hidden=48)
    train = replace(train, steps=2, global_batch_tokens=96, micro_batch_windows=2, warmup_steps=1, validate_every_steps=2)
    pretrain(str(tokens), root / "model", config, train, Launch(), watcher=Unwatched())
    return root / "model"


def written(path: Path, items: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def test_what_is_said_to_the_model(tmp_path: Path) -> None:
    gsm8k = read_questions(written(tmp_path / "g", GSM8K), "gsm8k")
    assert gsm8k.form.template == "Question: {question}\nAnswer: {answer}"
    said = prompted(gsm8k.questions, 2, seed=0)
    for at, prompt in enumerate(said):
        *shots, own = prompt.split("\n\n")
        assert own == f"Question: {at} carts and one more?\nAnswer:"
        assert len(shots) == 2
        assert not any(shot.startswith(own) for shot in shots)
        assert all(shot.startswith("Question: ") and "####" in shot for shot in shots)
    backwards = prompted(gsm8k.questions[::-1], 2, seed=0)
    assert backwards[::-1] == said, "the order of the file does not count"
    assert prompted(gsm8k.questions, 2, seed=1) != said
    news = read_questions(written(tmp_path / "n", NEWS), "rouge").questions[0]
    assert news.solved == f"{NEWS[0]['article']}\nTL;DR: The mill.\nThe river."
    plain = read_questions(written(tmp_path / "p", [*PLAIN, {"prompt": "Say:\n", "answer": "rye"}]), "exact").questions
    assert (plain[0].solved, plain[-1].solved) == ("What is 0? number 0", "Say:\nrye")
    with pytest.raises(InputError, match="too few items for 6 shots"):
        prompted(gsm8k.questions, 6, seed=0)


@pytest.mark.parametrize(
    ("metric", "items", "told"),
    [
        ("exact", ['{"prompt": "a", "answer": "b"}', '{"prompt": "a"}'], "the item has no text 'answer': FILE:2"),
        ("exact", ['{"prompt": "a", "answer": "b"}', "", "{"], "this is no JSON: FILE:3"),
        ("bleu", ["[1]"], "a line is no object: FILE:1"),
        ("bleu", [r'{"prompt": "\ud800", "answer": "b"}'], "half of a character stands alone: FILE:1"),
        ("f1", ['{"prompt": "a", "answer": []}'], "answer is a text, or a list of texts, none empty: FILE:1"),
        ("f1", ['{"prompt": 3, "answer": "b"}'], "the item has no text 'prompt': FILE:1"),
        ("gsm8k", ['{"question": "a", "answer": "four"}'], "the answer names no number behind ####: FILE:1"),
        ("humaneval", ['{"task_id": "a", "prompt": "b", "test": "c"}'], "the item has no text 'entry_point': FILE:1"),
        ("humaneval", ['{"task_id": "a", "prompt": "b", "test": "c", "entry_point": "f(1)"}'], "entry_point is the name of a function"),
        ("rouge", [""], "the task has no items: FILE"),
    ],
)
def test_a_damaged_file(metric: str, items: list[str], told: str, tmp_path: Path) -> None:
    path = tmp_path / "task.jsonl"
    path.write_text("\n".join(items))
    with pytest.raises(InputError) as raised:
        read_questions(path, metric)  # type: ignore[arg-type]
    assert told.replace("FILE", str(path)) in str(raised.value)


@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric != "humaneval"])
def test_the_right_answer_scores_full_and_another_less(metric: str, tmp_path: Path) -> None:
    questions = read_questions(written(tmp_path / "g", GSM8K), metric).questions  # type: ignore[arg-type]
    right = [[question.references[0]] for question in questions]
    full = 100 if metric in ("bleu", "chrf") else 1
    for texts, expected in ((right, full), ([*right[:3], *[["no"]] * 3], None)):
        items, scores, signature = _scored(metric, questions, texts)  # type: ignore[arg-type]
        for score in scores.values():
            low, high = score["interval"]
            if expected:
                assert score["value"] == high == pytest.approx(expected)
                assert low == pytest.approx(full if full == 100 else 6 / (6 + 1.96**2), abs=1e-4), "six of six are not all there could be"
            else:
                assert low <= score["value"] <= high
                assert low < high < full + 1e-9
        assert signature
        assert all(item["scores"] for item in items)


def test_pass_at_k_is_the_share_of_draws() -> None:
    assert [pass_at_k(5, 2, k) for k in (1, 2, 4)] == pytest.approx([0.4, 1 - 3 / 10, 1.0])
    assert pass_at_k(200, 0, 100) == 0
    outcomes = np.array([1] * 3 + [0] * 17)
    draws = np.random.default_rng(0).permuted(np.tile(outcomes, (20_000, 1)), axis=1)[:, :10]
    assert pass_at_k(20, 3, 10) == pytest.approx(draws.any(1).mean(), abs=0.01)


@pytest.mark.skipif(problem() is not None, reason=str(problem()))
def test_programs_pass_or_fail_by_their_tests(tmp_path: Path) -> None:
    questions = read_questions(written(tmp_path / "h", [PROGRAM]), "humaneval").questions
    items, scores, _ = _scored("humaneval", questions, [["    return 2 * x\n", "    return 3\n"]])
    assert items[0]["outcomes"] == ["passed", "failed"]
    assert scores == {"pass@1": {"value": 0.5, "interval": None}}


def test_the_command(model: Path, tmp_path: Path) -> None:
    task = written(tmp_path / "task.jsonl", PLAIN)
    arguments = ["answer", str(model), "--task", str(task), "--metric", "chrf", "--shots", "1", "--tokens", "8"]
    ran = CliRunner().invoke(gristmill, [*arguments, "--output", str(tmp_path / "out")], catch_exceptions=False)
    assert ran.exit_code == 0
    assert "chrf" in ran.stdout
    assert "nrefs" in ran.stdout
    found = json.loads((tmp_path / "out" / ANSWERS).read_bytes())
    assert (found["n"], found["shots"], found["prompt"], found["stop"]) == (6, 1, "{prompt} {answer}", ["\n\n"])
    assert found["interval"][0] <= found["value"] <= found["interval"][1]
    assert [item["line"] for item in found["items"]] == [1, 2, 3, 4, 5, 6]
    assert all(item["prompt"].endswith(f"\n\nWhat is {at}?") for at, item in enumerate(found["items"]))
    for batch in (1, 4):
        again = answer(model, task, tmp_path / f"by {batch}", metric="chrf", setting=Setting(shots=1, tokens=8, batch=batch))
        assert again == found | {"stop": ("\n\n",), "items": again["items"]}
        assert [item["output"] for item in again["items"]] == [item["output"] for item in found["items"]]


@pytest.mark.parametrize("metric", ["exact", "bleu"])
def test_what_stands_in_the_training_text(model: Path, tmp_path: Path, metric: str) -> None:
    """The third item's answer is a training document; the others share no run of 13 words with one."""
    items = [{"prompt": f"What is {at}?", "answer": prose(3 if at == 2 else 70 + at, 60)} for at in range(4)]
    arguments = ["answer", str(model), "--task", str(written(tmp_path / "t", items)), "--metric", metric, "--tokens", "4", "--output"]
    tokens = str(model.parent / "tokens")
    ran = CliRunner().invoke(gristmill, [*arguments, str(tmp_path / "out"), "--trained-on", tokens], catch_exceptions=False)
    assert "1 of 4 items have a run of 13 words in the training text; the other 3: " in ran.stdout
    told = json.loads((tmp_path / "out" / ANSWERS).read_bytes())["contamination"]
    assert (told["touched"], told["mostly"], told["without_touched"]["n"]) == (1, 1, 3)
    rest = written(tmp_path / "rest", [*items[:2], items[3]])
    alone = answer(model, rest, tmp_path / "alone", metric=metric, setting=Setting(tokens=4))  # type: ignore[arg-type]
    assert told["without_touched"]["scores"] == alone["scores"]
    assert alone["contamination"] is None
    other = made_tokens(tmp_path / "other", [("train", "made", "en", prose(1, 900)), ("validation", "made", "en", prose(2, 60))])
    with pytest.raises(InputError, match="the model was trained on other tokens"):
        answer(model, rest, tmp_path / "x", metric="exact", setting=Setting(), trained_on=str(other))


def test_programs_are_not_run_unasked(model: Path, tmp_path: Path) -> None:
    task = written(tmp_path / "h.jsonl", [PROGRAM])
    with pytest.raises(GristmillError, match="programs that the model writes are not run unasked.*--run-generated-code"):
        answer(model, task, tmp_path / "out", metric="humaneval", setting=Setting())
    if problem() is None:
        setting = Setting(samples=10, tokens=6, run_generated_code=True, batch=4)
        found = answer(model, task, tmp_path / "out", metric="humaneval", setting=setting)
        assert found["scores"] == {name: {"value": 0.0, "interval": None} for name in ("pass@1", "pass@10")}
        assert len(set(found["items"][0]["outputs"])) > 1, "each sample is drawn for itself"
