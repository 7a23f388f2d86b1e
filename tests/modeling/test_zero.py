"""DeepSpeed's ZeRO in two processes over gloo, beside one process of ours; what its parser says of the configuration; what is refused."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.numpy import load_file
from torch import nn
from torch.testing._internal.distributed.fake_pg import FakeStore

from corpus.errors import EnvironmentProblem
from jobs.cli import gristmill as cli
from jobs.running import run
from modeling import checkpoint, zero
from modeling.data import BatchPlan
from modeling.train import Launch
from modeling.train import pretrain as pretrain_here
from modeling.watching import Unwatched
from tests.modeling.test_steady import MODEL, TRAIN
from tests.modeling.test_train import arguments, curve, killed_after, pretrain, refused, validation

WEIGHTS = (checkpoint.MODEL, "trained.safetensors")
ZERO = ("--devices", "2", "--strategy", "deepspeed")
SETTINGS = {  # two micro-batches a process, steps that are clipped, some that are skipped, an average
    "train__micro_batch_windows": 2, "train__clip_norm": 0.4, "train__ema": 0.9, "train__steps": 24,
    "train__spike_deviations": 1e-6, "train__spike_window": 10, "train__spike_limit": 14,
}  # fmt: skip


def alone(tokens: Path, output: Path, **settings: Any) -> Path:
    """By one process without DeepSpeed: this one."""
    run(cli, list(map(str, arguments(tokens, output, **SETTINGS | settings))))
    return output


@pytest.fixture(scope="module")
def undisturbed(small_tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(small_tokens, tmp_path_factory.mktemp("models") / "undisturbed", *ZERO, **SETTINGS)


def assert_same(one: Path, two: Path) -> None:
    """The same curve, the same steps skipped, the same validation, the same weights and averages, but for rounding."""
    for field in ("batch", "learning_rate", "skipped"):
        assert curve(one, field) == curve(two, field)
    assert curve(one) == pytest.approx(curve(two), abs=1e-4)
    assert curve(one, "gradient_norm") == pytest.approx(curve(two, "gradient_norm"), rel=1e-3)
    assert [step for step, _ in validation(one)] == [step for step, _ in validation(two)]
    assert [value for _, value in validation(one)] == pytest.approx([value for _, value in validation(two)], abs=1e-4)
    for name in WEIGHTS:
        first, second = (load_file(model / name) for model in (one, two))
        assert first.keys() == second.keys()
        assert max(np.abs(first[each] - second[each]).max() for each in first) < 2e-3


def test_two_processes_are_one(undisturbed: Path, small_tokens: Path, tmp_path: Path) -> None:
    told = json.loads((undisturbed / "run.json").read_bytes())
    assert (told["strategy"], told["processes"], told["accumulate"]) == ("deepspeed", 2, 2)
    assert max(curve(undisturbed, "gradient_norm")) > 0.4
    skipped = [bool(why) for why in curve(undisturbed, "skipped")]
    assert (True, False) in zip(skipped, skipped[1:], strict=False), "a step that was made behind one that was not"
    assert_same(undisturbed, alone(small_tokens, tmp_path / "one"))


def test_killed_and_resumed(undisturbed: Path, small_tokens: Path, tmp_path: Path) -> None:
    """By DeepSpeed: the same bytes. By one process without it: the same but for rounding."""
    command = arguments(small_tokens, tmp_path / "m", *ZERO, **SETTINGS)
    step = killed_after(1, command, tmp_path / "m")
    shutil.copytree(tmp_path / "m", tmp_path / "one")
    pretrain(small_tokens, tmp_path / "m", *ZERO, **SETTINGS)
    assert json.loads((tmp_path / "m" / "run.json").read_bytes())["steps_of_this_run"] == 24 - step
    for field in ("loss", "gradient_norm", "skipped"):
        assert curve(undisturbed, field) == curve(tmp_path / "m", field)
    for name in WEIGHTS:
        assert (undisturbed / name).read_bytes() == (tmp_path / "m" / name).read_bytes()
    assert_same(undisturbed, alone(small_tokens, tmp_path / "one"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("more", "settings"),
    [
        (("--devices", "2", "--compile", "--checkpoint-activations"), {}),
        (("--devices", "3"), {"train__global_batch_tokens": 384, "model__tied": "false", "model__mtp_heads": 1, "model__qk_norm": "head"}),
    ],
    ids=["compiled", "three"],
)
def test_other_runs(small_tokens: Path, tmp_path: Path, more: tuple[str, ...], settings: dict[str, Any]) -> None:
    two = pretrain(small_tokens, tmp_path / "two", "--strategy", "deepspeed", *more, **SETTINGS | settings)
    assert_same(alone(small_tokens, tmp_path / "one", **settings), two)


@pytest.fixture(scope="module")
def eight() -> Iterator[None]:
    """Of eight processes, of which only this one is there: sums are what this one has."""
    before = dict(os.environ)
    os.environ["LOCAL_RANK"] = "0"
    dist.init_process_group("fake", rank=0, world_size=8, store=FakeStore())
    zero._imported().init_distributed("fake", dist_init_required=False)
    yield
    dist.destroy_process_group()
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("plan", [BatchPlan(1, 8, 1), BatchPlan(4, 8, 16)], ids=str)
def test_deepspeed_reads_what_was_meant(eight: None, plan: BatchPlan, precision: str) -> None:
    from deepspeed.runtime.config import DeepSpeedConfig

    read = DeepSpeedConfig(zero.configuration(plan, clip_norm=0.5, precision=precision))
    assert (read.train_batch_size, read.train_micro_batch_size_per_gpu) == (plan.windows, plan.micro)
    assert (read.gradient_accumulation_steps, read.gradient_clipping) == (plan.accumulate, 0.5)
    assert (read.zero_optimization_stage, read.bfloat16_config.enabled, read.float16_config.enabled) == (2, False, False)
    autocast = (True, torch.bfloat16) if precision == "bf16-mixed" else (False, None)
    assert (read.torch_autocast_enabled, read.torch_autocast_dtype) == autocast
    with pytest.raises(AssertionError, match="train_batch_size"):
        DeepSpeedConfig(zero.configuration(BatchPlan(plan.accumulate, 3, plan.micro), clip_norm=0.5, precision=precision))


@pytest.mark.parametrize("value", [1.0, float("nan"), float("inf")])
def test_a_norm_that_is_no_number_is_seen_before_the_step(eight: None, value: float) -> None:
    model = nn.Linear(16, 16)
    adamw = torch.optim.AdamW(model.parameters())
    told = zero.configuration(BatchPlan(1, 8, 1), clip_norm=1.0, precision="32-true")
    engine, optimizer = zero.shared(model, adamw, told, torch.device("cpu"))
    (share,) = adamw.param_groups[0]["params"]
    assert share.numel() < (16 * 16 + 16) / 4, "an eighth, and what fills it up"
    before = share.detach().clone()
    optimizer.backward(engine(torch.ones(1, 16)).sum() * value)
    norm = optimizer.gradient_norm()
    assert np.isfinite(norm) == np.isfinite(value)
    optimizer.zero_grad()
    optimizer.step()
    assert torch.equal(share, before)
    assert not adamw.state[share]["exp_avg"].any()
    assert adamw.state[share]["step"] == 0


@pytest.mark.parametrize(
    ("more", "settings", "told"),
    [
        ((), {"train__optimizer": "muon"}, "muon has no sharded form here"),
        (("--tensor-parallel", "2"), {}, "DeepSpeed shares no matrices here"),
        (("--precision", "bf16-true"), {}, "DeepSpeed keeps the weights in float32 here: --precision bf16-true (take bf16-mixed)"),
    ],
    ids=["optimizer", "tensor", "precision"],
)
def test_refused(
    small_tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], settings: dict[str, Any], told: str
) -> None:
    assert told in refused(capsys, arguments(small_tokens, tmp_path / "m", *ZERO, *more, **settings))
    assert not (tmp_path / "m").exists()


def test_without_the_package(small_tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zero, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentProblem, match=r"deepspeed is not installed.*gristmill\[deepspeed\]"):
        pretrain_here(str(small_tokens), tmp_path / "m", MODEL, TRAIN, Launch(strategy="deepspeed"), watcher=Unwatched())
    assert not (tmp_path / "m").exists()
