"""Published sets as they are published: each is read whole, and what its authors say is right scores in full."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from modeling.answers.metrics import item_scores
from modeling.answers.questions import prompted, read_questions
from modeling.answers.sandbox import Limits, problem, run_program
from modeling.evaluation.tasks import read_task
from modeling.records import records

LOCATE = Callable[[str], Path]


def test_gsm8k(shared_data: LOCATE) -> None:
    asked = read_questions(shared_data("eval") / "openai__grade-school-math" / "data" / "test.jsonl", "gsm8k")
    assert len(asked.questions) == 1319
    right = [item_scores("gsm8k", each.references[0], each.references)["accuracy"] for each in asked.questions]
    assert sum(right) == 1319
    others = asked.questions[1:]
    wrong = [
        item_scores("gsm8k", other.references[0], each.references)["accuracy"] for each, other in zip(asked.questions, others, strict=False)
    ]
    assert sum(wrong) < 60, "the answer to the next question is seldom the answer to this one"
    said = prompted(asked.questions[:20], 5, seed=0)
    assert all(text.count("Question: ") == 6 and text.count("#### ") == 5 and text.endswith("\nAnswer:") for text in said)


def humaneval(shared_data: LOCATE) -> list[tuple[str, str, str]]:
    """(prompt, the authors' solution, test) of each program."""
    file = shared_data("eval") / "openai__human-eval" / "data" / "HumanEval.jsonl.gz"
    solutions = [record["canonical_solution"] for _, record in records(file)]
    questions = read_questions(file, "humaneval").questions
    return [(question.prompt, solution, question.test) for question, solution in zip(questions, solutions, strict=True)]


@pytest.mark.parametrize("part", [slice(0, None, 20), pytest.param(slice(None), marks=pytest.mark.long)], ids=["some", "all"])
@pytest.mark.skipif(problem() is not None, reason=str(problem()))
def test_humaneval(shared_data: LOCATE, part: slice) -> None:
    programs = humaneval(shared_data)
    assert len(programs) == 164
    for prompt, solution, test in programs[part]:
        ran = run_program(f"{prompt}{solution}\n{test}", Limits())
        assert ran.passed, (prompt, ran)
        assert run_program(f"{prompt}    return None\n{test}", Limits()).outcome == "failed", prompt


def card(folder: Path, file: Path, **told: str) -> Path:
    folder.mkdir()
    (folder / "card.yaml").write_text("".join(f"{name}: {value!r}\n" for name, value in (told | {"items": str(file)}).items()))
    return folder


def test_blimp(shared_data: LOCATE, tmp_path: Path) -> None:
    zipfile.ZipFile(shared_data("eval") / "alexwarstadt__blimp" / "BLiMP.zip").extractall(tmp_path / "blimp")
    files = sorted((tmp_path / "blimp").glob("data/*.jsonl"))
    assert len(files) == 67
    equal = 0
    for file in files:
        task = read_task(card(tmp_path / file.stem, file, kind="minimal_pairs"))
        assert len(task.items) == 1000
        assert all(item.gold == 0 for item in task.items)
        equal += sum(len(set(item.answers)) == 1 for item in task.items)
    assert equal == 7, "pairs that its authors wrote alike, which nobody gets right"


@pytest.mark.parametrize(
    ("name", "kind", "items"),
    [
        ("commonsense_reasoning/piqa", "multiple_choice", 1838),
        ("world_knowledge/arc_easy", "multiple_choice", 2376),
        ("language_understanding/winograd_wsc", "multiple_choice", 273),
        ("language_understanding/lambada_openai", "continuation", 5153),
    ],
)
def test_sets_of_llm_foundry(shared_data: LOCATE, tmp_path: Path, name: str, kind: str, items: int) -> None:
    task = read_task(card(tmp_path / "task", shared_data("eval") / "mosaicml__llm-foundry" / f"{name}.jsonl", kind=kind))
    assert len(task.items) == items
