"""The same global batches to the token, whoever is killed and goes on with however many processes; through the public command line.

What a step must see is worked out here, window by window, from the tokens; ``batch`` in curve.jsonl says what the processes fed the model.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import xxhash
import yaml

from modeling.config import TrainConfig, with_settings
from modeling.data import arrange
from modeling.mixture import Mixture
from modeling.presets import preset
from modeling.train import Launch, pretrain
from tests.modeling.made_tokens import made_tokens, prose
from tests.modeling.test_steady import Acting, terminated
from tests.processes import gristmill, kill_when
from tokenization.shards import TokenFolder

STEPS, CONTEXT, BATCH_TOKENS = 12, 64, 512
SMALL = {
    "model.context_length": CONTEXT, "model.layers": 1, "model.width": 32, "model.hidden": 32, "train.steps": STEPS,
    "train.global_batch_tokens": BATCH_TOKENS, "train.micro_batch_windows": 2, "train.warmup_steps": 4,
    "train.checkpoint_every_steps": 2, "train.validate_every_steps": 12, "train.validation_tokens": 500, "train.seed": 5,
}  # fmt: skip
FSDP = ("--devices", "2", "--strategy", "fsdp")


def phases(tokens: Path, file: Path) -> Path:
    """Two thirds of the steps the two greatest languages 3 to 1, then the second and third."""
    languages = TokenFolder.open(tokens).split("train").index["language"].value_counts().to_pylist()
    one, two, three = [each["values"] for each in sorted(languages, key=lambda each: (-each["counts"], each["values"] or ""))[:3]]
    weights = [{"until": 0.66, "weights": {one: 3, two: 1}}, {"weights": {two: 1, three: 0.5}}]
    file.write_text(yaml.safe_dump({"by": "language", "phases": weights}))
    return file


def batches(tokens: Path, packing: str, mixture: Path | None) -> list[str]:
    """The digest of each step's windows, in plain Python."""
    train = TrainConfig(
        steps=STEPS, global_batch_tokens=BATCH_TOKENS, micro_batch_windows=1, learning_rate=1, warmup_steps=0, seed=5,
        packing=packing, mixture=mixture and Mixture.read(mixture).data,
    )  # type: ignore[arg-type]  # fmt: skip
    windows, order = arrange(TokenFolder.open(tokens).split("train"), CONTEXT, train)
    found = []
    for step in range(STEPS):
        total = 0
        for number in order.windows_of(step).tolist():
            window = windows.read(number)
            total += xxhash.xxh3_64_intdigest(window.ids.tobytes() + window.mask.tobytes()) - 2**63
        found.append(f"{total % 2**64:016x}")
    return found


def test_ended_in_the_second_epoch(tmp_path: Path) -> None:
    """One Parquet file of seven documents, read four times over: the resumed run sees what is left of its epoch, then each one whole."""
    documents = [("train", "made", "en", prose(seed, 120)) for seed in range(6)]
    tokens = made_tokens(tmp_path, [*documents, ("validation", "made", "en", prose(99, 60))])
    settings = [f"{name}={value}" for name, value in SMALL.items()]
    model, train = with_settings(*preset("tiny", 400), settings)
    windows, order = arrange(TokenFolder.open(tokens).split("train"), CONTEXT, train)
    assert order.epochs(4) > 1.2
    assert order.epochs(STEPS) > 3
    first, then = Acting(4, terminated), Acting()
    assert pretrain(str(tokens), tmp_path / "m", model, train, Launch(devices=1), watcher=first).paused_at == 5
    pretrain(str(tokens), tmp_path / "m", model, train, Launch(devices=1), watcher=then)
    assert then.first_step == 5
    rows = [json.loads(line) for line in (tmp_path / "m" / "curve.jsonl").read_text().splitlines()]
    assert [row["batch"] for row in rows] == batches(tokens, "concatenate", None)
    met = np.concatenate([order.windows_of(step) for step in range(STEPS)])[: 3 * windows.count]
    assert np.bincount(met).tolist() == [3] * windows.count


def killed_and_resumed(
    tokens: Path, folder: Path, first: tuple[str, ...], then: tuple[str, ...], *, packing: str, mixed: bool, kill_at: int
) -> None:
    folder.mkdir(exist_ok=True)
    mixture = phases(tokens, folder / "phases.yaml") if mixed else None
    settings = [part for name, value in (SMALL | {"train.packing": packing}).items() for part in ("--set", f"{name}={value}")]
    command = ["pretrain", tokens, "--output", folder / "m", *settings, *(["--mixture", mixture] if mixture else [])]
    curve = folder / "m" / "curve.jsonl"
    kill_when(lambda: curve.exists() and curve.read_text().count("\n") >= kill_at, [*command, *first], {})
    assert not (folder / "m" / "manifest.json").exists()
    ran = gristmill(*command, *then)
    assert ran.returncode == 0, ran.stderr
    rows = [json.loads(line) for line in curve.read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    expected = batches(tokens, packing, mixture)
    assert [row["batch"] for row in rows] == expected
    assert len(set(expected)) == STEPS
    told = json.loads((folder / "m" / "run.json").read_bytes())
    assert ("epochs_by_group" in told) == mixed


def test_from_two_processes_to_one(small_tokens: Path, tmp_path: Path) -> None:
    """A mixture, packed by best fit: killed behind the third step of two processes, ended by one."""
    killed_and_resumed(small_tokens, tmp_path, ("--devices", "2"), (), packing="best_fit", mixed=True, kill_at=3)


@pytest.mark.long
@pytest.mark.parametrize(
    ("first", "then", "packing", "mixed", "kill_at"),
    [
        ((), ("--devices", "2"), "concatenate", False, 1),
        ((), ("--devices", "4"), "best_fit", False, 5),
        (("--devices", "2"), ("--devices", "4"), "document", True, 4),
        (("--devices", "4"), (), "concatenate", True, 6),
        (("--devices", "4"), FSDP, "best_fit", True, 3),
        (FSDP, (), "concatenate", True, 5),
        (FSDP, ("--devices", "4"), "document", False, 7),
        ((), FSDP, "best_fit", True, 2),
    ],
    ids=lambda value: "-".join(value).replace("--", "") or "one" if isinstance(value, tuple) else str(value),
)
def test_any_number_of_processes(
    small_tokens: Path, tmp_path: Path, first: tuple[str, ...], then: tuple[str, ...], packing: str, mixed: bool, kill_at: int
) -> None:
    killed_and_resumed(small_tokens, tmp_path, first, then, packing=packing, mixed=mixed, kill_at=kill_at)
