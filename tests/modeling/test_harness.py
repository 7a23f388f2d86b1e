"""`gristmill harness`: a local task, scored as the harness scores the exported model; no batch changes a score."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

os.environ["HF_DATASETS_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"  # before `datasets` reads it

from click.testing import CliRunner
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from corpus.errors import GristmillError
from jobs.cli import gristmill
from modeling.config import ModelConfig
from modeling.evaluate import load_model
from modeling.export import export
from modeling.harness import HARNESS, HarnessModel, Setting, run_tasks
from modeling.presets import preset
from modeling.train import Launch, pretrain
from modeling.watching import Unwatched
from tests.modeling.made_tokens import made_tokens, prose
from tokenization.tokenizer import carried

CARD = """task: mill
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{query}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
metric_list: [{{metric: acc}}]
"""
FILTERS = "filter_list: [{name: first, filter: [{function: take_first}]}, {name: again, filter: [{function: take_first}]}]\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("harness")
    held = [("validation", "made", "en", prose(99, 60))]
    tokens = made_tokens(root, [("train", "made", "en", prose(at, 60)) for at in range(8)] + held)
    _, train = preset("tiny", 400)
    config = ModelConfig(vocabulary=400, context_length=48, layers=2, width=32, heads=4, kv_heads=2, hidden=48)
    train = replace(train, steps=8, global_batch_tokens=96, micro_batch_windows=2, warmup_steps=1, validate_every_steps=8)
    pretrain(str(tokens), root / "model", config, train, Launch(), watcher=Unwatched())
    return root / "model"


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    items = [{"query": prose(at, 6 + at).strip(), "choices": ["the mill", "rye", "old stone wall"], "gold": at % 3} for at in range(12)]
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (folder / "mill.yaml").write_text(CARD.format(file=folder / "items.jsonl") + FILTERS)
    return folder


def asked(kind: str, *arguments: tuple[object, ...]) -> list[Instance]:
    return [Instance(request_type=kind, doc={}, arguments=each, idx=at) for at, each in enumerate(arguments)]  # type: ignore[arg-type]


def test_scores_are_those_of_the_exported_model(model: Path, tmp_path: Path) -> None:
    """The harness' own class over the exported model, told to begin with <s>; beyond the context too."""
    export(model, tmp_path / "exported")
    how_told = {"device": "cpu", "dtype": "float32", "batch_size": 1, "max_length": 48}
    theirs = HFLM(pretrained=str(tmp_path / "exported"), add_bos_token=True, **how_told)
    rolling_theirs = HFLM(pretrained=str(tmp_path / "exported"), add_bos_token=False, **how_told)  # it puts <s> first itself: else two
    ours = [HarnessModel(load_model(model), carried(model / "tokenizer"), batch=batch) for batch in (1, 5)]
    pairs = asked("loglikelihood", ("the mill grinds", " corn"), ("past old stone", " wall"), (prose(1, 90).strip(), " before dawn"))
    texts = asked("loglikelihood_rolling", (prose(2, 8),), (prose(3, 200),), ("mill",))
    how = {"until": ["\n"], "max_gen_toks": 6, "do_sample": False}
    prompts = asked("generate_until", ("the mill grinds", how), ("past old", how), ("rain or sun when carts", how))
    for each in ours:
        found, expected = each.loglikelihood(pairs), theirs.loglikelihood(pairs, disable_tqdm=True)
        assert [score for score, _ in found] == pytest.approx([score for score, _ in expected], rel=1e-4)
        assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
        rolling = rolling_theirs.loglikelihood_rolling(texts, disable_tqdm=True)
        assert each.loglikelihood_rolling(texts) == pytest.approx(rolling, rel=1e-4)
        assert each.generate_until(prompts) == theirs.generate_until(prompts, disable_tqdm=True)


def test_a_local_task(model: Path, tasks: Path, tmp_path: Path) -> None:
    arguments = ["harness", str(model), "--task", "mill", "--include", str(tasks), "--output", str(tmp_path)]
    ran = CliRunner().invoke(gristmill, arguments, catch_exceptions=False)
    assert ran.exit_code == 0
    assert "acc,first" in ran.stdout
    found = json.loads((tmp_path / HARNESS).read_bytes())
    assert (found["bos"], found["n"]["mill"]["effective"], found["task_shots"]["mill"]) == (True, 12, 0)
    assert 0 <= found["results"]["mill"]["acc,first"] <= 1
    again = run_tasks(model, ["mill"], tmp_path / "again", include=tasks, setting=Setting(batch=1))
    assert again["results"] == found["results"]
    assert found["contamination"] is None


def test_items_that_stand_in_the_training_text(model: Path, tasks: Path, tmp_path: Path) -> None:
    """The first eight items begin as the eight training documents do."""
    arguments = ["harness", str(model), "--task", "mill", "--include", str(tasks), "--output", str(tmp_path)]
    ran = CliRunner().invoke(gristmill, [*arguments, "--trained-on", str(model.parent / "tokens")], catch_exceptions=False)
    assert "mill: 8 of 12 items have a run of 13 words in the training text; the other 4: acc,first" in ran.stdout
    found = json.loads((tmp_path / HARNESS).read_bytes())["contamination"]["mill"]
    assert (found["items"], found["touched"], found["without_touched"]["n"]) == (12, 8, 4)
    assert found["without_touched"]["scores"]["acc,first"] in (0, 0.25, 0.5, 0.75, 1)
    other = made_tokens(tmp_path / "other", [(split, "made", "en", prose(70, 60)) for split in ("train", "validation")])
    with pytest.raises(GristmillError, match="trained on other tokens"):
        run_tasks(model, ["mill"], tmp_path, include=tasks, setting=Setting(), trained_on=str(other))


def test_what_cannot_be_is_told(model: Path, tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(GristmillError, match=r"no such task: milll \(did you mean mill\?\)"):
        run_tasks(model, ["milll"], tmp_path, include=tasks, setting=Setting())
    ours = HarnessModel(load_model(model), carried(model / "tokenizer"))
    with pytest.raises(GristmillError, match="the task generates by 'num_beams'"):
        ours.generate_until(asked("generate_until", ("mill", {"num_beams": 4})))
    (tasks / "items.jsonl").rename(tasks / "gone.jsonl")
    with pytest.raises(GristmillError, match="the data of a task cannot be had: mill"):
        run_tasks(model, ["mill"], tmp_path, include=tasks, setting=Setting())
