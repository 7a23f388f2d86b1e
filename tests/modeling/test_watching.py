"""A run as one watches it: its page in Chromium, its panel, and what the loggers' own libraries read of it. Nothing leaves the machine."""

import csv
import io
import json
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import wandb
from mlflow import MlflowClient
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2

from corpus.errors import EnvironmentProblem
from jobs.training_console import TrainingPanel
from modeling import loggers, run_page
from modeling.config import SettingError
from modeling.curves import read_rows
from modeling.data import arrange
from modeling.evaluate import load_model
from modeling.presets import preset
from modeling.run_page import Run, run_curves, thinned, write_run_page
from modeling.scoring import chunks, score
from modeling.text_score import score_text
from modeling.train import Launch, pretrain
from modeling.watching import Step, Unwatched
from tests.browser import browser, browser_problem
from tests.conftest import REPOSITORY
from tokenization.packing import Waste
from tokenization.shards import TokenFolder

STEPS = 8
MIXTURE = {"by": "language", "phases": [{"until": 0.5, "weights": {"en": 3, "de": 1}}, {"weights": {"zh": 1, "ar": 1}}]}
MODEL, TRAIN = preset("tiny", 1024)
MODEL = replace(MODEL, context_length=64, layers=2, width=32, hidden=64)
TRAIN = replace(
    TRAIN, steps=STEPS, global_batch_tokens=512, warmup_steps=4, validate_every_steps=4, validation_tokens=4000, mixture=MIXTURE
)


@pytest.fixture(scope="module")
def watched(small_tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched") / "model"
    with pytest.MonkeyPatch.context() as environment:
        for name in ("WANDB_MODE", "MLFLOW_TRACKING_URI"):
            environment.delenv(name, raising=False)
        pretrain(str(small_tokens), folder, MODEL, TRAIN, Launch(logs=loggers.LOGS), watcher=Unwatched())
    return folder


def run_of(tokens: Path) -> Run:
    folder = TokenFolder.open(tokens)
    windows, order = arrange(folder.split("train"), MODEL.context_length, TRAIN)
    place = {"processes": 1, "devices": "CPU", "versions": {"python": "3.11.7", "torch": "2.13.0"}}
    return Run(model=MODEL, train=TRAIN, tokens=folder, order=order, windows=windows.count, waste=Waste(0.1, 0.2, 0.3), place=place)


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in read_rows(folder / "curve.jsonl")]


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1200, True)])
def test_the_page_of_a_finished_run(watched: Path, width: int, dark: bool) -> None:
    if problem := browser_problem():
        pytest.skip(problem)
    with browser(width, 900, dark=dark) as driver:
        driver.get((watched / "train.html").as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        assert not driver.get_log("browser")
        assert driver.find_element("tag name", "h1").text.startswith("Trained: 8 steps")
        headings = [each.text for each in driver.find_elements("css selector", "section h3")]
        assert headings == [
            "Loss", "Bits per byte", "Learning rate", "Gradient norm", "Tokens a second", "Memory", "Mixture",
            "Bits per byte by source", "Bits per byte by language",
        ]  # fmt: skip
        assert len(driver.find_elements("css selector", 'svg[aria-label="bits per byte by language"] path.line')) >= 4
        assert len(driver.find_elements("css selector", 'svg[aria-label="mixture by step"] path.line')) == 4
        lineage = driver.find_element("css selector", '[aria-label="Lineage"]').text
    assert all(
        digest in lineage for parent in json.loads((watched / "manifest.json").read_bytes())["parents"] for digest in parent.values()
    )


def test_the_page_of_a_run_that_goes_on(watched: Path, small_tokens: Path, tmp_path: Path) -> None:
    """With a step that was skipped, lines of an older version, and one that is being written."""
    lines = (watched / "curve.jsonl").read_text().splitlines()
    old = {name: value for name, value in json.loads(lines[0]).items() if name not in ("memory_bytes", "bits_per_byte")}
    skipped = json.loads(lines[2]) | {"skipped": "spike: 9.1 > 7.2", "loss": 9.1}
    (tmp_path / "curve.jsonl").write_text("\n".join([json.dumps(old), lines[1], json.dumps(skipped), lines[3], lines[4][:30]]))
    (tmp_path / "validation.jsonl").write_text((watched / "validation.jsonl").read_text().splitlines()[0] + "\n")
    page = write_run_page(tmp_path, run_of(small_tokens), step=4, seconds=3.0).read_text()
    assert "Step 4 of 8" in page
    assert 'http-equiv="refresh"' in page
    assert "spike: 9.1 &gt; 7.2" in page
    assert "10.00 % of the tokens are in no window" in page
    assert "processes 1, devices CPU, python 3.11.7, torch 2.13.0." in page
    assert [path.name for path in tmp_path.iterdir() if "tmp" in path.name] == []
    curves = run_curves([old, json.loads(lines[1])], [])
    assert [len(curves[plot][""]) for plot in ("rate", "memory")] == [2, 1]
    assert curves["source"] == curves["mfu"] == {}


def test_a_page_before_the_first_step(small_tokens: Path, tmp_path: Path) -> None:
    assert "No step is made yet" in write_run_page(tmp_path, run_of(small_tokens), step=0, seconds=0.1).read_text()


def test_the_page_is_written_at_validations_but_not_all_the_time(
    small_tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 10.0, 11.0, 50.0, 112.0, 112.5])  # made, began; a page of one second; too early; late enough
    monkeypatch.setattr(run_page.time, "monotonic", lambda: next(clock))
    page = run_page.RunPage(tmp_path, run_of(small_tokens), Unwatched())
    page.begins(0, STEPS)
    written = []
    for step in (2, 4, 6):
        page.validated(step, {})
        written.append((tmp_path / "train.html").read_text().count(f"Step {step} of 8"))
    assert written == [1, 0, 1]


def test_thinned() -> None:
    points = [(float(step), float(step % 2)) for step in range(1, 1001)]
    few = thinned(points)
    assert (len(few), few[-1][0]) == (250, 1000.0)
    assert {value for _, value in few} == {0.5}
    assert thinned([]) == []


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("mfu", [None, 0.412])
def test_the_panel(terminal: bool, mfu: float | None) -> None:
    written = io.StringIO()
    with TrainingPanel(MODEL, Console(file=written, force_terminal=terminal, width=100)) as panel:
        panel.begins(0, 2)
        panel.validated(0, {"bits_per_byte": 5.5})
        panel.step(
            Step(step=1, loss=6.9, learning_rate=1e-3, gradient_norm=0.5, tokens_per_second=12_345.6, mfu=mfu, batch="00",
                 bits_per_byte=4.321, memory_bytes=1_234_000_000)
        )  # fmt: skip
    said = written.getvalue()
    told = ["loss", "6.900", "bits/byte", "4.321", "5.500 bits/byte", "12,346", "memory", "1.23 GB", "left"]
    assert all(each in said for each in told), said
    assert ("MFU" in said, "41.2%" in said) == (mfu is not None, mfu is not None)


def test_csv(watched: Path) -> None:
    with (watched / "csv" / "from-step-00000000" / "metrics.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["loss"]) for row in rows if row["loss"]] == losses(watched)
    assert [int(row["step"]) for row in rows if row["validation/bits_per_byte"]] == [0, 4, 8]


def test_tensorboard(watched: Path) -> None:
    events = EventAccumulator(str(watched / "tensorboard"))
    events.Reload()
    assert [each.value for each in events.Scalars("loss")] == pytest.approx(losses(watched))
    assert [each.step for each in events.Scalars("validation/bits_per_byte")] == [0, 4, 8]


def test_mlflow(watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = MlflowClient((watched / "mlflow").as_uri())
    experiment = client.get_experiment_by_name("gristmill")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.info.run_name, run.data.params["train/steps"]) == ("FINISHED", "model", "8")
    assert [each.value for each in client.get_metric_history(run.info.run_id, "loss")] == pytest.approx(losses(watched))


def wandb_records(file: Path) -> Iterator[Any]:
    """LevelDB's log: after 7 bytes blocks of 32 KiB, in them pieces of (checksum, length, kind: 1 whole, 2 first, 3 middle, 4 last)."""
    content, at, whole = file.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if (1 << 15) - at % (1 << 15) < 7:
            at += (1 << 15) - at % (1 << 15)
            continue
        _, size, kind = struct.unpack_from("<IHB", content, at)
        if at + 7 + size > len(content):  # still being written
            return
        whole += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            yield wandb_internal_pb2.Record.FromString(whole)
            whole = b""


def test_wandb_offline(watched: Path) -> None:
    wandb.finish()
    (file,) = watched.glob("wandb/offline-run-*/*.wandb")
    expected, logged = losses(watched), list[float]()
    for _ in range(60):  # a process of its own writes the file, and on a busy machine it may be behind
        items = [
            {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            for record in wandb_records(file)
            if record.WhichOneof("record_type") == "history"
        ]
        logged = [each["loss"] for each in items if "loss" in each]
        if len(logged) >= len(expected):
            break
        time.sleep(0.5)
    assert logged == pytest.approx(expected)


@pytest.mark.parametrize(
    ("names", "error", "told"),
    [(("tensorboard", "neptune"), SettingError, "no such logger: neptune"), (("mlflow",), EnvironmentProblem, r"gristmill\[mlflow\]")],
)
def test_loggers_that_cannot_be(
    small_tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], error: type[Exception], told: str
) -> None:
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(error, match=told):
        pretrain(str(small_tokens), tmp_path / "m", MODEL, TRAIN, Launch(logs=names), watcher=Unwatched())
    assert not (tmp_path / "m").exists()


def test_a_run_that_is_resumed_loses_no_line_of_csv(tmp_path: Path) -> None:
    for first, last in ((0, 3), (2, 4)):
        (logger,) = loggers.loggers(tmp_path, ["csv"], settings={}, first_step=first)
        for step in range(first + 1, last + 1):
            logger.log_metrics({"loss": float(step)}, step=step)
    found: Mapping[str, int] = {path.parent.name: len(path.read_text().splitlines()) for path in tmp_path.glob("csv/*/metrics.csv")}
    assert found == {"from-step-00000000": 4, "from-step-00000002": 3}


def test_ten_lines_load_generate_and_score(watched: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of README."""
    lines = (REPOSITORY / "README.md").read_text().partition("From Python:\n\n```python\n")[2].partition("```")[0]
    assert lines.count("\n") == 10
    monkeypatch.chdir(watched.parent)
    exec(lines, {})
    *_, bits = capsys.readouterr().out.split()
    assert 1 < float(bits) < 20


def test_a_text_scores_as_it_does_in_a_split(watched: Path, small_tokens: Path) -> None:
    model, tokens = load_model(watched), TokenFolder.open(small_tokens)
    split, tokenizer = tokens.split("validation"), tokens.tokenizer()
    nats = score(model, model.config, split, chunks(split, model.config.context_length))
    starts = split.document_starts
    for document in range(3):
        text = tokenizer.decode(split.read(int(starts[document]), int(starts[document + 1])))
        told = score_text(model, tokenizer, text)
        assert told.tokens == starts[document + 1] - starts[document] - 1 > model.config.context_length
        assert told.nats == pytest.approx(nats[document], rel=1e-4)
