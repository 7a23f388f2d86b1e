"""Pretraining through the public command line: one process, DDP, FSDP2, killed, resumed, on Spark; always the same curve."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from jobs.cli import gristmill as cli
from jobs.running import run
from tests.conftest import REPOSITORY
from tests.processes import TIMEOUT_SECONDS, environment, gristmill, kill_when

STEPS = 12
SMALL = {
    "model.context_length": 64,
    "model.layers": 2,
    "model.width": 32,
    "model.hidden": 64,
    "train.steps": STEPS,
    "train.global_batch_tokens": 512,
    "train.micro_batch_windows": 8,
    "train.warmup_steps": 4,
    "train.validate_every_steps": 6,
    "train.checkpoint_every_steps": 4,
    "train.validation_tokens": 4000,
}


def arguments(tokens: Path, output: Path, *more: str, **settings: Any) -> list[str | Path]:
    changed = SMALL | {name.replace("__", "."): value for name, value in settings.items()}
    pairs = [part for name, value in changed.items() for part in ("--set", f"{name}={value}")]
    return ["pretrain", tokens, "--output", output, *pairs, *more]


def pretrain(tokens: Path, output: Path, *more: str, **settings: Any) -> Path:
    ran = gristmill(*arguments(tokens, output, *more, **settings))
    assert ran.returncode == 0, ran.stderr
    return output


def refused(capsys: pytest.CaptureFixture[str], command: Sequence[str | Path]) -> str:
    """The one line that the command says before exit code 2; in this process, where PyTorch is loaded already."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as leaving:
        run(cli, list(map(str, command)))
    said = capsys.readouterr().err
    assert (leaving.value.code, len(said.strip().splitlines())) == (2, 1), said
    return said


def curve(model: Path, field: str = "loss") -> list[float]:
    rows = [json.loads(line) for line in (model / "curve.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [row[field] for row in rows]


def validation(model: Path) -> list[tuple[int, float]]:
    rows = [json.loads(line) for line in (model / "validation.jsonl").read_text().splitlines()]
    return [(row["step"], row["bits_per_byte"]) for row in rows]


def assert_same(one: Path, two: Path, *, tolerance: float) -> None:
    """The same curve, the same validation, the same weights, but for rounding."""
    assert curve(one) == pytest.approx(curve(two), abs=tolerance)
    assert curve(one, "gradient_norm") == pytest.approx(curve(two, "gradient_norm"), rel=1e-3)
    assert [step for step, _ in validation(one)] == [step for step, _ in validation(two)] == [0, 6, 12]
    assert [value for _, value in validation(one)] == pytest.approx([value for _, value in validation(two)], abs=tolerance)
    first, second = (load_file(model / "model.safetensors") for model in (one, two))
    assert first.keys() == second.keys()
    assert max(np.abs(first[name] - second[name]).max() for name in first) < 20 * tolerance


@pytest.fixture(scope="module")
def undisturbed(small_tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(small_tokens, tmp_path_factory.mktemp("models") / "undisturbed")


def test_the_folder(undisturbed: Path) -> None:
    names = {path.name for path in undisturbed.iterdir()}
    assert names == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "tokenizer", "tensorboard", "curve.jsonl",
        "validation.jsonl", "train.html", "run.json", "manifest.json",
    }  # fmt: skip
    assert list((undisturbed / "tensorboard").glob("events.*"))
    losses = curve(undisturbed)
    assert len(losses) == STEPS
    assert losses[0] == pytest.approx(np.log(1024), abs=0.1), "before it has learned anything every id is as likely"
    assert losses[-1] < losses[0] - 0.3
    assert curve(undisturbed, "learning_rate")[3] == pytest.approx(4e-3), "the end of the warm-up"
    manifest = json.loads((undisturbed / "manifest.json").read_bytes())
    assert [next(iter(parent)) for parent in manifest["parents"]] == ["tokens", "corpus", "tokenizer"]


@pytest.fixture
def counted_tokens(small_tokens: Path, tmp_path: Path) -> Path:
    """Tokens that no change of a filter or of a tokenizer moves: each id is one of the four that may follow the last."""
    folder = tmp_path / "counted"
    shutil.copytree(small_tokens, folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    shard = manifest["splits"]["train"]["shards"][0]
    ids, state = [], 1
    for _ in range(20_000):
        state = state * 48271 % (2**31 - 1)  # the minimal standard generator (Park and Miller 1988)
        ids.append(10 + (5 * (ids[-1] if ids else 0) + state % 4) % 1000)
    np.array(ids, "<u2").tofile(folder / "train" / f"{shard['name']}.bin")
    manifest["splits"]["train"]["shards"] = [shard | {"tokens": len(ids)}]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_the_committed_curve(counted_tokens: Path, tmp_path: Path) -> None:
    """Whoever changes what is learned must say so: tests/modeling/loss_curve.json, to 0.02 nats for other machines' rounding."""
    committed = json.loads((REPOSITORY / "tests" / "modeling" / "loss_curve.json").read_bytes())
    model = pretrain(counted_tokens, tmp_path / "m", train__steps=40, train__learning_rate=2e-2)
    assert curve(model) == pytest.approx(committed["loss"], abs=0.02)
    assert curve(model)[-1] < 6.0, "of 1,000 ids four can follow, each a quarter of the time"


def test_small_micro_batches_are_one_big_batch(undisturbed: Path, small_tokens: Path, tmp_path: Path) -> None:
    assert_same(undisturbed, pretrain(small_tokens, tmp_path / "m", train__micro_batch_windows=1), tolerance=1e-4)


@pytest.mark.parametrize(
    "strategy", [["ddp"], ["fsdp", "--checkpoint-activations"], ["ddp", "--tensor-parallel", "2"]], ids=["ddp", "fsdp", "tensor"]
)
def test_two_processes(undisturbed: Path, small_tokens: Path, tmp_path: Path, strategy: list[str]) -> None:
    model = pretrain(small_tokens, tmp_path / "m", "--devices", "2", "--strategy", *strategy)
    assert json.loads((model / "run.json").read_bytes())["processes"] == 2
    assert_same(undisturbed, model, tolerance=1e-4)


@pytest.mark.long
def test_compiled(undisturbed: Path, small_tokens: Path, tmp_path: Path) -> None:
    assert_same(undisturbed, pretrain(small_tokens, tmp_path / "m", "--compile", "--checkpoint-activations"), tolerance=1e-4)


def test_padded_windows_are_weighed_by_their_targets(small_tokens: Path, tmp_path: Path) -> None:
    """One document a window: windows hold different numbers of targets, so a mean of means would depend on the cut."""
    settings = {
        "train__packing": "document",
        "model__document_mask": "true",
        "model__context_length": 1024,
        "train__global_batch_tokens": 8192,
    }
    one = pretrain(small_tokens, tmp_path / "one", **settings)
    two = pretrain(small_tokens, tmp_path / "two", "--devices", "2", train__micro_batch_windows=2, **settings)
    assert_same(one, two, tolerance=1e-4)
    assert json.loads((one / "run.json").read_bytes())["packing"]["padded"] > 0.1


def killed_after(checkpoints: int, command: Sequence[str | Path], output: Path) -> int:
    """Kill the run once it has so many checkpoints; the step of the last whole one."""
    kill_when(lambda: len(list(output.glob("checkpoints/step-*/state.json"))) >= checkpoints, command, {})
    assert not (output / "manifest.json").exists()
    return max(json.loads(path.read_bytes())["step"] for path in output.glob("checkpoints/step-*/state.json"))


def test_killed_and_resumed(undisturbed: Path, small_tokens: Path, tmp_path: Path) -> None:
    """kill -9 in the middle, the same command again: bit for bit what an undisturbed run gives, and no step twice in the curve."""
    command = arguments(small_tokens, tmp_path / "m")
    step = killed_after(1, command, tmp_path / "m")
    with (tmp_path / "m" / "curve.jsonl").open("a") as lines:
        lines.write(json.dumps({"step": step + 1, "loss": 99.0}) + "\n" + '{"step": 9')  # made after the checkpoint, the last cut off
    ran = gristmill(*command)
    assert ran.returncode == 0, ran.stderr
    assert f"resuming at step {step}" in ran.stderr
    assert curve(undisturbed) == curve(tmp_path / "m")
    assert (undisturbed / "model.safetensors").read_bytes() == (tmp_path / "m" / "model.safetensors").read_bytes()
    again = gristmill(*command)
    assert "was whole already" in again.stdout
    assert (tmp_path / "m" / "validation.jsonl").read_text().count("\n") == 3


@pytest.mark.parametrize("sharded", [("--strategy", "fsdp"), ("--tensor-parallel", "2")], ids=["fsdp", "tensor"])
def test_from_two_sharded_processes_to_one(undisturbed: Path, small_tokens: Path, tmp_path: Path, sharded: tuple[str, ...]) -> None:
    killed_after(1, arguments(small_tokens, tmp_path / "m", "--devices", "2", *sharded), tmp_path / "m")
    assert_same(undisturbed, pretrain(small_tokens, tmp_path / "m"), tolerance=1e-4)


def test_torchrun(undisturbed: Path, small_tokens: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "jobs/pretrain.py"]
    ran = subprocess.run(
        [*command, *map(str, arguments(small_tokens, tmp_path / "m", "--overwrite")[1:])],
        cwd=REPOSITORY, env=environment(PYTHONPATH=str(REPOSITORY)), capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert_same(undisturbed, tmp_path / "m", tolerance=1e-4)


def test_on_spark(undisturbed: Path, small_tokens: Path, tmp_path: Path) -> None:
    """TorchDistributor: two processes beside the driver."""
    model = pretrain(small_tokens, tmp_path / "m", "--spark-processes", "2", "--master", "local[2]")
    assert json.loads((model / "run.json").read_bytes())["processes"] == 2
    assert_same(undisturbed, model, tolerance=1e-4)


def test_one_batch_is_learned_by_heart(small_tokens: Path, tmp_path: Path) -> None:
    """The same eight windows in every step: a batch of all windows of one document a window, of which the first few are taken."""
    few = tmp_path / "few"
    shutil.copytree(small_tokens, few)
    manifest = json.loads((few / "manifest.json").read_bytes())
    shard = manifest["splits"]["train"]["shards"][0]
    shard["tokens"] = 513  # 8 windows of 64
    content = (few / "train" / "00000.bin").read_bytes()
    (few / "train" / "00000.bin").write_bytes(content[: 2 * 513])
    (few / "manifest.json").write_text(json.dumps(manifest))
    model = pretrain(few, tmp_path / "m", train__steps=150, train__learning_rate=1e-2, model__width=64, train__weight_decay=0)
    assert curve(model)[-1] < 0.05


@pytest.mark.parametrize(
    ("settings", "more", "told"),
    [
        ({"train__global_batch_tokens": 500}, (), "does not divide into windows of 64"),
        ({"train__global_batch_tokens": 64}, ("--devices", "2"), "for 2 processes"),
        ({"model__context_length": 1_000_000, "train__global_batch_tokens": 1_000_000}, (), "too few for one window of 1,000,000"),
        ({"model__widht": 3}, (), "did you mean 'width'"),
        ({"model__vocabulary": 999}, (), "not the tokenizer's"),
        ({}, ("--nodes", "2"), "nothing has started the other nodes"),
    ],
)
def test_one_clear_line(
    small_tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, Any], more: tuple[str, ...], told: str
) -> None:
    assert told in refused(capsys, arguments(small_tokens, tmp_path / "m", *more, **settings))
    assert not (tmp_path / "m").exists()


def test_a_damaged_checkpoint_and_another_run(small_tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = arguments(small_tokens, tmp_path / "m")
    killed_after(1, command, tmp_path / "m")
    other = arguments(small_tokens, tmp_path / "m", train__learning_rate=1e-3)
    assert "changed: train.learning_rate" in refused(capsys, other)
    for state in tmp_path.glob("m/checkpoints/step-*/state.json"):  # with one whole left it would go on from there: test_steady.py
        weights = state.parent / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-5] ^= 1
        weights.write_bytes(content)
    assert "the checkpoint is damaged" in refused(capsys, command)
    shutil.rmtree(tmp_path / "m" / "checkpoints")
    assert gristmill(*command).returncode == 0


def test_no_validation(small_tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = tmp_path / "tokens"
    shutil.copytree(small_tokens, bare)
    manifest = json.loads((bare / "manifest.json").read_bytes())
    manifest["splits"]["validation"]["shards"] = []
    (bare / "manifest.json").write_text(json.dumps(manifest))
    assert "no validation split" in refused(capsys, arguments(bare, tmp_path / "m"))


def test_batches_prints_what_was_seen(small_tokens: Path) -> None:
    settings = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    ran = gristmill("batches", small_tokens, "--step", "7", *settings)
    lines = [line.split("\t") for line in ran.stdout.splitlines()]
    assert len(lines) == 8
    assert all(len(name) == 32 for line in lines for name in line[1:])
    assert all(len(line) >= 2 for line in lines)


@pytest.mark.parametrize(
    ("imported", "not_needed"),
    [
        ("modeling.page, modeling.generate, modeling.answers.session", "lightning"),  # four seconds of every call
        ("modeling.train", "pyspark"),
        ("jobs.encode, jobs.train_tokenizer", "torch"),
    ],
)
def test_what_is_not_needed_is_not_imported(imported: str, not_needed: str) -> None:
    code = f"import sys, {imported}; sys.exit({not_needed!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=dict(os.environ)).returncode == 0
