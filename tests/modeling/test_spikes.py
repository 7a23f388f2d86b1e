"""Steps that are skipped, and the moving average of the weights: by hand, in whole runs, resumed, sharded."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from jobs.cli import gristmill as cli
from jobs.running import run
from modeling import checkpoint
from modeling.averages import Averages
from modeling.data import arrange
from modeling.evaluate import load_model
from modeling.guard import Guard, NotFinite, TooManySpikes
from modeling.scoring import chunks, score, summary
from modeling.spikes import SpikeRule, excess
from modeling.suspects import TrainingStopped
from tests.modeling.test_steady import MODEL, TRAIN, Acting, interrupted, same, terminated, train
from tests.modeling.test_train import curve
from tests.processes import gristmill
from tokenization.shards import TokenFolder

STEPS = 70
SPIKY = {
    "steps": STEPS, "learning_rate": 2e-2, "spike_deviations": 3.5, "spike_window": 20, "ema": 0.98, "validate_every_steps": 35,
    "checkpoint_every_steps": 1000,
}  # fmt: skip
NOISE_FROM, NOISE_TOKENS = 6400, 128


def test_deviations_by_hand() -> None:
    past = [1.0, 2.0, 3.0, 4.0, 13.0]  # median 3, squared distances 4 1 0 1 100: their mean 21.2
    assert excess(past, 3 + 5 * 21.2**0.5) == pytest.approx(5)
    assert excess(past, 0.0) < 0
    assert excess([2.0] * 20, 2.004) == pytest.approx(2), "equal losses: a thousandth of the median"


def test_the_rule() -> None:
    rule = SpikeRule(deviations=5, window=10, limit=3)
    quiet = [(2.0 + 0.01 * (at % 3), 1.0 + 0.1 * (at % 3)) for at in range(10)]
    assert rule.judge(quiet, loss=2.02, gradient_norm=1.2) == ""
    assert rule.judge(quiet, loss=2.2, gradient_norm=1.2) == "loss"
    assert rule.judge(quiet, loss=2.02, gradient_norm=3.0) == "gradient_norm"
    assert rule.judge(quiet, loss=0.1, gradient_norm=0.1) == "", "what falls is no spike"
    assert rule.judge(quiet[:9], loss=9.0, gradient_norm=9.0) == "", "too few to judge by"


class Alone:
    """A strategy of one process."""

    def reduce(self, tensor: torch.Tensor, **_: Any) -> torch.Tensor:
        return tensor


def judged(guard: Guard, step: int, loss: float, norm: float = 1.0) -> str:
    return guard.judge(Alone(), step, torch.tensor(loss), norm)[1]  # type: ignore[arg-type]


def test_the_guard_goes_on_where_the_curve_ends_and_stops_at_the_limit() -> None:
    settings = TRAIN.__class__(**{**TRAIN.__dict__, "spike_deviations": 3.0, "spike_window": 40, "spike_limit": 3})
    losses = [2.0, 2.01, 2.02] * 14 + [9.0, 9.0] + [2.0] * 40 + [9.0, 8.0, 9.0, 9.0]
    whole, rows, found = Guard(settings), [], []
    for step, loss in enumerate(losses[:-1], 1):
        resumed = Guard(settings)
        resumed.begin(rows)
        skipped = judged(whole, step, loss)
        assert judged(resumed, step, loss) == skipped
        assert resumed.updates(step) == whole.updates(step) == step - sum(bool(row["skipped"]) for row in rows) - bool(skipped)
        rows.append({"step": step, "loss": loss, "gradient_norm": 1.0, "skipped": skipped})
        found += [step] if skipped else []
    assert found == [43, 44, 85, 86, 87]
    with pytest.raises(TooManySpikes, match="4 steps in a row were spikes until step 88"):
        judged(whole, 88, losses[-1])


@pytest.mark.parametrize(("loss", "norm", "told"), [(float("nan"), 1.0, "the loss is nan"), (1.0, float("inf"), "norm is inf at step 7")])
def test_no_number(loss: float, norm: float, told: str) -> None:
    with pytest.raises(NotFinite, match=told):
        judged(Guard(TRAIN), 7, loss, norm)


def test_the_average_by_its_definition() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    averages = Averages(model, 0.5)
    expected = model.weight.detach().double().numpy().copy()
    for updates in range(1, 9):
        with torch.no_grad():
            model.weight.add_(torch.randn(2, 3))
        averages.update(updates)
        decay = min(0.5, (1 + updates) / (10 + updates))
        expected = decay * expected + (1 - decay) * model.weight.detach().double().numpy()
    trained = model.weight.detach().clone()
    with averages.in_place():
        assert np.abs(model.weight.detach().numpy() - expected).max() < 1e-6
    assert torch.equal(model.weight, trained)


@pytest.fixture(scope="module")
def noisy_tokens(small_tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each id is one of the four that may follow the last, but for two windows of ids drawn from all."""
    folder = tmp_path_factory.mktemp("noisy") / "tokens"
    shutil.copytree(small_tokens, folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    shard = manifest["splits"]["train"]["shards"][0]
    ids, state = [], 1
    for _ in range(64 * 8 * 60):
        state = state * 48271 % (2**31 - 1)  # the minimal standard generator (Park and Miller 1988)
        ids.append(10 + (5 * (ids[-1] if ids else 0) + state % 4) % 100)
    ids[NOISE_FROM : NOISE_FROM + NOISE_TOKENS] = np.random.default_rng(0).integers(200, 1000, NOISE_TOKENS).tolist()
    np.array(ids, "<u2").tofile(folder / "train" / f"{shard['name']}.bin")
    manifest["splits"]["train"]["shards"] = [shard | {"tokens": len(ids)}]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def spiky(noisy_tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(noisy_tokens, tmp_path_factory.mktemp("spiky") / "m", **SPIKY).folder


def rows_of(model: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (model / "curve.jsonl").read_text().splitlines()]


def by_the_rule(rows: list[dict[str, Any]]) -> list[int]:
    """The steps to skip, in plain Python."""
    found = []
    for at in range(20, len(rows)):
        for figure in ("loss", "gradient_norm"):
            past = [row[figure] for row in rows[at - 20 : at]]
            squares = sum((value - median(past)) ** 2 for value in past) / 20
            if rows[at][figure] > median(past) + 3.5 * max(squares**0.5, median(past) / 1000):
                found.append(rows[at]["step"])
    return sorted(set(found))


def test_noise_is_skipped_and_named(noisy_tokens: Path, spiky: Path) -> None:
    rows = rows_of(spiky)
    skipped = [row["step"] for row in rows if row["skipped"]]
    assert skipped == by_the_rule(rows)
    made = TRAIN.__class__(**{**TRAIN.__dict__, **SPIKY})
    windows, order = arrange(TokenFolder.open(str(noisy_tokens)).split("train"), 64, made)
    noise = {number for number in range(windows.count) if (windows.read(number).ids[1:] >= 200).sum() > 32}
    met = [step + 1 for step in range(20, STEPS) if noise & set(order.windows_of(step).tolist())]
    assert met
    assert set(met) <= set(skipped), "every batch with a window of noise, once there is a past to judge by"
    told = json.loads((spiky / "run.json").read_bytes())["skipped_steps"]
    assert [(each["step"], each["skipped"], each["batch"]) for each in told] == [
        (row["step"], row["skipped"], row["batch"]) for row in rows if row["skipped"]
    ]
    assert all(1 <= len(each["documents"]) <= each["documents_in_batch"] for each in told)


@pytest.mark.parametrize(("act", "behind"), [(terminated, 0), (interrupted, -1)], ids=["sigterm", "killed"])
def test_resumed_behind_a_skipped_step(noisy_tokens: Path, spiky: Path, tmp_path: Path, act: Any, behind: int) -> None:
    """The past, the number of updates and the average are those of an undisturbed run: the same steps are skipped, the same bytes."""
    first = next(row["step"] for row in rows_of(spiky) if row["skipped"])
    settings = SPIKY | {"checkpoint_every_steps": first if behind else 1000}
    if behind:
        with pytest.raises(ArithmeticError):
            train(noisy_tokens, tmp_path / "m", Acting(first + 1, act), **settings)
        whole = train(noisy_tokens, tmp_path / "whole", **settings).folder
    else:
        assert train(noisy_tokens, tmp_path / "m", Acting(first, act), **settings).paused_at == first + 1
        whole = spiky
    watcher = Acting()
    train(noisy_tokens, tmp_path / "m", watcher, **settings)
    assert watcher.first_step == first + 1 + behind
    assert same(whole, tmp_path / "m")
    assert [row["skipped"] for row in rows_of(tmp_path / "m")] == [row["skipped"] for row in rows_of(whole)]


def test_two_sharded_processes_skip_and_average_the_same(noisy_tokens: Path, spiky: Path, tmp_path: Path) -> None:
    sizes = {name: getattr(MODEL, name) for name in ("context_length", "layers", "width", "heads", "kv_heads", "hidden")}
    settings: Mapping[str, Any] = {f"model.{name}": value for name, value in sizes.items()}
    settings = {**settings, **{f"train.{name}": value for name, value in {**TRAIN.__dict__, **SPIKY}.items() if name != "mixture"}}
    pairs = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    ran = gristmill("pretrain", noisy_tokens, "--output", tmp_path / "m", "--devices", "2", "--strategy", "fsdp", *pairs)
    assert ran.returncode == 0, ran.stderr
    one, two = rows_of(spiky), rows_of(tmp_path / "m")
    assert [row["skipped"] for row in one] == [row["skipped"] for row in two]
    assert curve(spiky) == pytest.approx(curve(tmp_path / "m"), abs=1e-3)
    for name in ("model.safetensors", "trained.safetensors"):
        first, second = load_file(spiky / name), load_file(tmp_path / "m" / name)
        assert first.keys() == second.keys()
        assert max(np.abs(first[each] - second[each]).max() for each in first) < 5e-3


def test_the_average_disturbs_nothing_and_is_the_model(small_tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is trained is that of a run without; model.safetensors is what was validated, and what is exported. No spike, no difference."""
    plain = train(small_tokens, tmp_path / "plain").folder
    averaged = train(small_tokens, tmp_path / "averaged", ema=0.9, spike_deviations=1e9, spike_window=10).folder
    assert (plain / checkpoint.MODEL).read_bytes() == (averaged / "trained.safetensors").read_bytes()
    assert (plain / checkpoint.MODEL).read_bytes() != (averaged / checkpoint.MODEL).read_bytes()
    last = json.loads((averaged / "validation.jsonl").read_text().splitlines()[-1])
    split = TokenFolder.open(str(small_tokens)).split("validation")
    found = chunks(split, 64, tokens=TRAIN.validation_tokens)
    again = summary(split, found[-1].document + 1, score(load_model(averaged), MODEL, split, found))
    assert again["loss"] == pytest.approx(last["loss"], rel=1e-9)
    run(cli, ["export", str(averaged), "--output", str(tmp_path / "exported")])
    model, exported = (load_file(folder / checkpoint.MODEL) for folder in (averaged, tmp_path / "exported"))
    assert all(np.array_equal(model[name], exported[name]) for name in exported)


def test_nothing_but_spikes_stops_and_says_so(noisy_tokens: Path, tmp_path: Path) -> None:
    """A rule so strict that each second step is one: the error names what to mend."""
    with pytest.raises(TrainingStopped, match=r"\d steps in a row were spikes until step \d+, in a batch of .*a higher train.spike_dev"):
        train(noisy_tokens, tmp_path / "m", **SPIKY | {"spike_deviations": 1e-9, "spike_limit": 1, "ema": 0})
    assert not (tmp_path / "m" / "manifest.json").exists()
