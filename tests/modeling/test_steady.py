"""What keeps a run steady and safe: ended by SIGTERM, stopped where it gives no number, resumed from the last whole checkpoint."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from corpus.errors import GristmillError
from jobs.cli import gristmill as cli
from jobs.running import run
from modeling import checkpoint
from modeling.averages import Averages
from modeling.build import build
from modeling.config import ModelConfig, TrainConfig
from modeling.data import arrange
from modeling.evaluate import load_model
from modeling.find_rate import _judged
from modeling.optimizers import make_optimizer
from modeling.saving import Saver
from modeling.scoring import chunks, score, summary
from modeling.suspects import TrainingStopped
from modeling.train import Launch, Trained, fingerprint_of, pretrain
from modeling.watching import Step
from tests.modeling.test_train import arguments, curve
from tests.processes import gristmill, terminate_when
from tokenization.shards import TokenFolder

MODEL = ModelConfig(vocabulary=1024, context_length=64, layers=1, width=32, heads=4, kv_heads=2, hidden=32)
TRAIN = TrainConfig(
    steps=12, global_batch_tokens=512, micro_batch_windows=8, learning_rate=4e-3, warmup_steps=4, validate_every_steps=6,
    checkpoint_every_steps=4, validation_tokens=2000,
)  # fmt: skip
LAST = 2  # steps


class Acting:
    """A watcher who does something behind a step."""

    def __init__(self, step: int = 0, act: Callable[[], object] = lambda: None):
        self._step, self._act = step, act

    def begins(self, first_step: int, steps: int) -> None:
        self.first_step = first_step

    def step(self, made: Step) -> None:
        if made.step == self._step:
            self._act()

    def validated(self, step: int, result: Mapping[str, Any]) -> None:
        pass


def terminated() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def interrupted() -> None:
    raise ArithmeticError("as if the machine had gone")


def train(tokens: Path, output: Path, watcher: Acting | None = None, model: ModelConfig = MODEL, **changed: Any) -> Trained:
    """In this process: a process of its own takes five seconds to begin."""
    made = replace(TRAIN, **changed)
    return pretrain(str(tokens), output, model, made, Launch(devices=1), watcher=watcher or Acting())


def same(one: Path, two: Path) -> bool:
    """Bytes of the weights, losses, norms, validation."""
    figures = [[curve(model), curve(model, "gradient_norm"), (model / "validation.jsonl").read_text()] for model in (one, two)]
    names = [each.name for each in one.glob("*.safetensors")]
    return figures[0] == figures[1] and all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


@pytest.fixture(scope="module")
def undisturbed(small_tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(small_tokens, tmp_path_factory.mktemp("steady") / "undisturbed").folder


@pytest.mark.parametrize("at", [3, 5, 11], ids=["between", "before a validation", "before the last step"])
def test_sigterm_ends_behind_the_next_step(undisturbed: Path, small_tokens: Path, tmp_path: Path, at: int) -> None:
    """Ended behind the step before, between two checkpoints; before a validation, which the resumed run makes up; before the end."""
    handler = signal.getsignal(signal.SIGTERM)
    paused = train(small_tokens, tmp_path / "m", Acting(at, terminated))
    assert signal.getsignal(signal.SIGTERM) is handler
    if at == 11:
        assert (paused.paused_at, paused.manifest["parameters"]) == (None, MODEL.parameters), "it was done anyway"
    else:
        assert (paused.paused_at, (tmp_path / "m" / "manifest.json").exists()) == (at + 1, False)
        watcher = Acting()
        train(small_tokens, tmp_path / "m", watcher)
        assert watcher.first_step == at + 1
    assert same(undisturbed, tmp_path / "m")


@pytest.mark.parametrize("devices", [1, 2])
def test_sigterm_through_the_command_line(small_tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], devices: int) -> None:
    """To the process that was started, as a scheduler sends it; the same command goes on, here with one process."""
    settings = {"train__steps": 100, "model__layers": 1, "train__validate_every_steps": 50, "train__checkpoint_every_steps": 100}
    output = tmp_path / "m"
    ended = terminate_when(
        lambda: (output / "curve.jsonl").exists() and len((output / "curve.jsonl").read_text().splitlines()) > 1,
        arguments(small_tokens, output, "--devices", str(devices), **settings),
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("the same command goes on") == 1
    assert "Traceback" not in ended.stderr
    at = max(json.loads(state.read_bytes())["step"] for state in output.glob("checkpoints/step-*/state.json"))
    assert f"stopped by SIGTERM behind step {at}" in ended.stdout
    assert 2 <= at < 100
    for folder in (output, tmp_path / "undisturbed"):
        run(cli, list(map(str, arguments(small_tokens, folder, **settings))))
    assert f"resuming at step {at:,}" in capsys.readouterr().err
    if devices == 1:
        assert same(output, tmp_path / "undisturbed")
    else:
        assert curve(output) == pytest.approx(curve(tmp_path / "undisturbed"), abs=1e-4)


@pytest.fixture(scope="module")
def poisoned(small_tokens: Path) -> Callable[[Path], tuple[int, dict[str, Any]]]:
    """``poisoned(output)`` begins a run there at step 2 with a rare id's embedding that is no number; returns the first step that meets
    it, and the settings."""
    settings = {"model.layers": 1, "model.hidden": 32, "model.tied": "false", "train.validate_every_steps": 100, "train.steps": 30}
    settings["train.checkpoint_every_steps"] = 20  # as often as weights are looked at
    model = replace(MODEL, tied=False)
    made = replace(TRAIN, validate_every_steps=100, checkpoint_every_steps=20, steps=30, validation_tokens=4000)
    folder = TokenFolder.open(str(small_tokens))
    windows, order = arrange(folder.split("train"), 64, made)
    met: dict[int, int] = {}
    for step in range(LAST, 30):
        for number in order.windows_of(step).tolist():
            for identity in windows.read(number).ids[:-1].tolist():
                met.setdefault(identity, step + 1)
    rare, first = next((identity, step) for identity, step in sorted(met.items()) if 6 < step < 12)

    def begin(output: Path) -> tuple[int, dict[str, Any]]:
        weights = build(model, 0)
        optimizer = make_optimizer(weights, made)
        for parameter in weights.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        with torch.no_grad():
            dict(weights.named_parameters())["embed_tokens.weight"][rare] = float("nan")
        checkpoint.write(output, LAST, fingerprint_of(folder, model, made), checkpoint.copied(weights, optimizer, writes=True))
        return first, {name.replace(".", "__"): value for name, value in settings.items()}

    return begin


def test_no_number_ends_the_run_and_names_the_documents(
    small_tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], poisoned: Callable[[Path], Any]
) -> None:
    first, settings = poisoned(tmp_path / "m")
    command = list(map(str, arguments(small_tokens, tmp_path / "m", **settings)))

    def refused() -> str:
        with pytest.raises(SystemExit, match="2"):
            run(cli, command)
        return next(line for line in capsys.readouterr().err.splitlines() if line.startswith("gristmill: "))

    said = refused()
    assert f"the loss is nan at step {first}, in a batch of " in said
    told = json.loads((tmp_path / "m" / "stopped.json").read_bytes())
    whole = sorted(each.parent.name for each in (tmp_path / "m").glob("checkpoints/*/state.json"))
    assert whole == [f"step-{LAST:08d}"]
    look = said.partition("`gristmill ")[2].partition("`")[0].replace(" --corpus CORPUS", "")
    run(cli, look.split())
    listed = [line.split("\t")[1:] for line in capsys.readouterr().out.splitlines()]
    assert [each["id"] for each in told["documents"]] == list(dict.fromkeys(name for line in listed for name in line))
    assert all(each["id"] in said for each in told["documents"][:5])
    assert refused() == said, "again from the last checkpoint, the same"


def test_weights_that_are_no_numbers_are_not_saved(small_tokens: Path, tmp_path: Path, poisoned: Callable[..., Any]) -> None:
    """The poisoned id was not met yet, all figures are finite: SIGTERM would have saved it as the last whole checkpoint."""
    poisoned(tmp_path / "m")
    model = replace(MODEL, tied=False)
    changed = {"validate_every_steps": 100, "checkpoint_every_steps": 20, "steps": 30, "validation_tokens": 4000}
    with pytest.raises(TrainingStopped, match="a weight is no number behind step 5, in a batch of"):
        train(small_tokens, tmp_path / "m", Acting(4, terminated), model=model, **changed)
    assert [each.parent.name for each in (tmp_path / "m").glob("checkpoints/*/state.json")] == [f"step-{LAST:08d}"]


def test_no_number_with_two_processes(small_tokens: Path, tmp_path: Path, poisoned: Callable[[Path], Any]) -> None:
    first, settings = poisoned(tmp_path / "m")
    ran = gristmill(*arguments(small_tokens, tmp_path / "m", "--devices", "2", **settings))
    assert ran.returncode == 2
    assert [f"the loss is nan at step {first}," in line for line in ran.stderr.splitlines() if "gristmill:" in line] == [True]
    assert "Traceback" not in ran.stderr
    assert json.loads((tmp_path / "m" / "stopped.json").read_bytes())["step"] == first


def cut(file: str) -> Callable[[Path], object]:
    return lambda folder: os.truncate(folder / file, (folder / file).stat().st_size // 2)


def flip(folder: Path) -> None:
    content = bytearray((folder / "optimizer.safetensors").read_bytes())
    content[-5] ^= 1
    (folder / "optimizer.safetensors").write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut("model.safetensors"), True),
        (cut("state.json"), True),
        (lambda folder: (folder / "state.json").unlink(), False),  # as a kill leaves it: nothing to tell
        (lambda folder: (folder / "optimizer.safetensors").unlink(), True),
        (flip, True),
    ],
    ids=["weights cut off", "state cut off", "no state", "no moments", "a flipped bit"],
)
def test_from_the_last_whole_checkpoint(
    undisturbed: Path, small_tokens: Path, tmp_path: Path, damage: Callable[[Path], object], says: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It had written steps 4 and 8; the last of the two is not what it should be."""
    with pytest.raises(ArithmeticError):
        train(small_tokens, tmp_path / "m", Acting(10, interrupted))
    damage(tmp_path / "m" / "checkpoints" / "step-00000008")
    watcher = Acting()
    train(small_tokens, tmp_path / "m", watcher)
    assert watcher.first_step == 4
    assert same(undisturbed, tmp_path / "m")
    told = [record.getMessage() for record in caplog.records if record.name == "gristmill"]
    assert ["step-00000008 is damaged: going on from step 4" in line for line in told] == ([True] if says else [])


def test_lines_that_a_kill_has_cut_off(undisturbed: Path, small_tokens: Path, tmp_path: Path) -> None:
    """Within a nested object a cut line ends like a whole one."""
    with pytest.raises(ArithmeticError):
        train(small_tokens, tmp_path / "m", Acting(10, interrupted))
    with (tmp_path / "m" / "validation.jsonl").open("a") as lines:
        lines.write('{"step": 12, "loss": 3.0, "language": {"en": {"loss": 3.0}')
    train(small_tokens, tmp_path / "m")
    assert same(undisturbed, tmp_path / "m")


def test_the_last_and_the_best_are_kept(tmp_path: Path) -> None:
    """Validated at the even steps, best at 2; step 7 was begun and never ended, 5 is found damaged by the run that goes on."""
    losses = {2: 1.0, 4: 2.0, 6: 1.5, 8: 1.0}
    (tmp_path / "validation.jsonl").write_text("".join(json.dumps({"step": step, "loss": loss}) + "\n" for step, loss in losses.items()))
    folders = tmp_path / "checkpoints"
    (folders / "step-00000007").mkdir(parents=True)
    saver = Saver(tmp_path, {"of": "it"}, validation=tmp_path / "validation.jsonl", keep_last=2, damaged=[folders / "step-00000005"])
    state = {checkpoint.MODEL: {"x": torch.arange(3.0)}, checkpoint.OPTIMIZER: {}}
    kept = {}
    for step in (1, 2, 3, 4, 5, 6, 8):
        saver.save(step, state, updates=step - 1)
        saver.wait()
        kept[step] = sorted(int(each.name[-1]) for each in folders.iterdir())
    assert kept == {1: [1, 7], 2: [1, 2, 7], 3: [2, 3, 7], 4: [2, 3, 4, 7], 5: [2, 4, 5, 7], 6: [2, 4, 6, 7], 8: [2, 6, 8]}
    found = checkpoint.latest(tmp_path)
    assert found
    assert (found.step, found.updates, found.fingerprint) == (8, 7, {"of": "it"})


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(tmp_path: Path) -> None:
    """A process of its own begins to write 256 MB beside its steps and is gone in the middle; the next run writes that step again."""
    saver = Saver(tmp_path, {}, validation=tmp_path / "validation.jsonl", keep_last=1)
    saver.save(4, {checkpoint.MODEL: {"x": torch.arange(3.0)}}, updates=4)
    saver.wait()
    large = {checkpoint.MODEL: {"x": torch.zeros(1 << 25)}, checkpoint.OPTIMIZER: {"y": torch.zeros(1 << 25)}}
    half = tmp_path / "checkpoints" / "step-00000008" / checkpoint.MODEL
    child = os.fork()
    if not child:
        saver.save(8, large, updates=8)
        while not half.exists():
            pass
        os._exit(0)  # as kill -9: no thread is waited for
    os.waitpid(child, 0)
    found = checkpoint.latest(tmp_path)
    assert found
    assert (half.exists(), found.step) == (True, 4)
    saver.save(8, {checkpoint.MODEL: {"x": torch.arange(3.0)}}, updates=8)
    saver.wait()
    found = checkpoint.latest(tmp_path)
    assert found
    assert (found.step, [each.name for each in (tmp_path / "checkpoints").iterdir()]) == (8, ["step-00000008"])


@pytest.mark.parametrize(("ema", "size"), [(False, 12), (True, 16)])
def test_what_saving_takes(ema: bool, size: int) -> None:
    """Bytes a parameter on the process that writes, as README says, and none on the others: with more the machine could run out of them."""
    model = build(MODEL, seed=1)
    optimizer = make_optimizer(model, TRAIN)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    averages = Averages(model, 0.9).values if ema else None
    told = [
        sum(tensor.nbytes for file in checkpoint.copied(model, optimizer, averages, writes=writes).values() for tensor in file.values())
        for writes in (True, False)
    ]
    assert told == [size * MODEL.parameters, 0]


def test_a_disk_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("no folder")
    saver = Saver(tmp_path, {}, validation=tmp_path / "validation.jsonl", keep_last=2)
    saver.save(1, {checkpoint.MODEL: {}, checkpoint.OPTIMIZER: {}}, updates=1)
    with pytest.raises(OSError, match="checkpoints"):
        saver.wait()


def test_the_best_model_is_a_model(small_tokens: Path, tmp_path: Path) -> None:
    """A rate at which all goes wrong: validation liked step 4 best."""
    changed = {"learning_rate": 1.0, "warmup_steps": 8, "schedule": "constant", "validate_every_steps": 4}
    made = train(small_tokens, tmp_path / "m", **changed)
    losses = {row["step"]: row["loss"] for row in map(json.loads, (tmp_path / "m" / "validation.jsonl").read_text().splitlines())}
    best = tmp_path / "m" / "best"
    told = json.loads((best / "run.json").read_bytes())
    run(cli, ["evaluate", str(best), str(small_tokens), "--output", str(tmp_path / "evaluation")])
    assert (tmp_path / "evaluation" / "training.html").exists()
    assert len(curve(best)) == told["best_of"]
    assert losses[told["best_of"]] == min(losses[step] for step in (4, 8)) < losses[12]
    split = TokenFolder.open(str(small_tokens)).split("validation")
    for folder, step in ((best, told["best_of"]), (made.folder, 12)):
        model = load_model(folder)
        found = chunks(split, 64, tokens=TRAIN.validation_tokens)
        again = summary(split, found[-1].document + 1, score(model, MODEL, split, found))
        assert again["loss"] == pytest.approx(losses[step], rel=1e-9)


def test_overwrite_leaves_nothing_of_the_old(small_tokens: Path, tmp_path: Path) -> None:
    changed = {"learning_rate": 1.0, "warmup_steps": 8, "schedule": "constant", "validate_every_steps": 4}
    train(small_tokens, tmp_path / "m", **changed)
    (tmp_path / "m" / "stopped.json").write_text("{}")
    pretrain(str(small_tokens), tmp_path / "m", MODEL, TRAIN, Launch(devices=1), watcher=Acting(), overwrite=True)
    assert not {"best", "stopped.json", "checkpoints"} & {each.name for each in (tmp_path / "m").iterdir()}


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_in_bfloat16(undisturbed: Path, small_tokens: Path, tmp_path: Path, precision: str) -> None:
    """Near float32, resumed to the same bytes; what is mixed keeps its weights in float32."""
    launch = Launch(devices=1, precision=precision)
    for folder, watcher in (("whole", Acting()), ("m", Acting(5, terminated)), ("m", Acting())):
        pretrain(str(small_tokens), tmp_path / folder, MODEL, TRAIN, launch, watcher=watcher)
    assert same(tmp_path / "whole", tmp_path / "m")
    assert curve(tmp_path / "m") == pytest.approx(curve(undisturbed), abs=0.05)
    kinds = {value.dtype for value in load_file(tmp_path / "m" / checkpoint.MODEL).values()}
    assert kinds == {torch.float32 if precision == "bf16-mixed" else torch.bfloat16}


def test_accumulated_and_resumed_in_other_micro_batches(undisturbed: Path, small_tokens: Path, tmp_path: Path) -> None:
    """Eight windows at once until step 6, then one at a time: the same run but for rounding."""
    train(small_tokens, tmp_path / "m", Acting(5, terminated))
    watcher = Acting()
    train(small_tokens, tmp_path / "m", watcher, micro_batch_windows=1)
    assert watcher.first_step == 6
    assert curve(tmp_path / "m") == pytest.approx(curve(undisturbed), abs=1e-4)
    assert curve(tmp_path / "m", "batch") == curve(undisturbed, "batch")


def test_find_rate_suggests_and_trains_nothing(small_tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The curve falls, then grows or is flat; the suggestion lies where it falls; a run may begin in the same folder."""
    command = list(map(str, arguments(small_tokens, tmp_path / "m", "--find-rate")))
    run(cli, command)
    assert [each.name for each in (tmp_path / "m").iterdir()] == ["rates.jsonl"]
    rows = [json.loads(line) for line in (tmp_path / "m" / "rates.jsonl").read_text().splitlines()]
    rates = [row["learning_rate"] for row in rows]
    assert np.diff(np.log(rates)) == pytest.approx(np.log(1e6) / 119), "as many steps a decade everywhere"
    assert rows[0]["loss"] == pytest.approx(np.log(1024), abs=0.1)
    suggested = float(capsys.readouterr().out.replace("\n", " ").partition("train.learning_rate=")[2].split()[0])
    assert 3e-3 < suggested < 1e-1
    first = [row["loss"] for row in rows]
    run(cli, command)
    assert [json.loads(line)["loss"] for line in (tmp_path / "m" / "rates.jsonl").read_text().splitlines()] == first
    with pytest.raises(GristmillError, match="no learning rate lowers the loss"):
        _judged([], [], [], tmp_path / "rates.jsonl")  # of a run whose first loss was no number
    train(small_tokens, tmp_path / "m")
