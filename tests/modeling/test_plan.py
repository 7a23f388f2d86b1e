"""A run planned before it is begun: what is counted is what PyTorch counts, and what is estimated follows from it."""

import json
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from jobs.cli import gristmill
from modeling.build import build
from modeling.config import ModelConfig, SettingError
from modeling.hardware import GPUS, Gpu, peak_flops
from modeling.plan import Layout, count_kept, kept, layouts, memory, plan
from modeling.presets import preset

SMALL = ModelConfig(vocabulary=96, context_length=32, layers=3, width=32, heads=4, kv_heads=2, hidden=64)


@pytest.mark.parametrize("windows", [2, 5])
def test_activations_are_those_that_autograd_keeps_of_a_real_model(windows: int) -> None:
    layer, rest = kept(SMALL)
    expected = SMALL.layers * (windows * layer.window + layer.weights) + windows * rest.window + rest.weights
    ids, share = torch.zeros(windows, SMALL.context_length + 1, dtype=torch.int64), torch.ones(windows, SMALL.context_length)
    assert count_kept(build(SMALL, 0), lambda model: model.loss(ids, share)) == expected


def test_memory_by_hand() -> None:
    """1,000,000 bytes of weights a million parameters would be 4 MB: 16 bytes each with AdamW, and 4 for DDP's buckets."""
    made = memory(SMALL, Layout(name="ddp", shards=1), 1, GPUS["h100"])
    million = SMALL.parameters / 1e6
    assert [value / 1e6 for value in (made.weights, made.gradients, made.optimizer, made.gathered)] == pytest.approx(
        [4 * million, 4 * million, 8 * million, 4 * million]
    )
    shared = memory(SMALL, Layout(name="fsdp", shards=4), 1, GPUS["h100"])
    assert (shared.weights, shared.optimizer) == (made.weights / 4, made.optimizer / 4)
    assert shared.activations == made.activations
    assert memory(SMALL, Layout(name="tp", shards=2, tensor=2), 1, GPUS["h100"]).gathered == 0
    split = memory(SMALL, Layout(name="tp", shards=4, tensor=2), 1, GPUS["h100"])
    outside = (SMALL.vocabulary + 1 + 2 * SMALL.layers) * SMALL.width  # embeddings and norms, whole on each of two
    assert split.weights == 4 * ((SMALL.parameters - outside) / 2 + outside) / 2
    assert made.activations / 2 < split.activations < made.activations
    again = memory(SMALL, Layout(name="checkpointing", shards=1, checkpointing=True), 1, GPUS["h100"])
    layer, _ = kept(SMALL)
    inputs = SMALL.layers * 4 * SMALL.context_length * SMALL.width
    assert made.activations - again.activations == (SMALL.layers - 1) * (layer.window + layer.weights) - inputs


def test_time_money_and_energy_by_hand() -> None:
    model, train = preset("125m")
    made = plan(model, train, tokens=2e9, gpus=4, gpu=Gpu("X", 80e9, 100e12, 500), utilisation=0.5, price=3.0)
    seconds = 2e9 * model.flops_per_token / (4 * 100e12 * 0.5)
    assert (made.layout, made.hours) == ("ddp", pytest.approx(seconds / 3600))
    assert (made.money, made.kilowatt_hours) == (pytest.approx(seconds / 3600 * 12), pytest.approx(seconds / 3600 * 2))
    assert made.tokens_per_parameter == pytest.approx(2e9 / model.parameters)


def test_the_first_layout_that_fits_is_taken() -> None:
    model, train = preset("6.7b")
    alone = plan(model, train, tokens=1e9, gpus=1, gpu=GPUS["h100"])
    assert (alone.layout, alone.hours) == (None, None)  # 16 bytes times 6.7e9 are 107 GB
    eight = plan(model, train, tokens=1e9, gpus=8, gpu=GPUS["h100"])
    assert eight.layout == next(each.layout.name for each in eight.memory if each.fits) != "ddp"
    assert alone.fewest_gpus == eight.fewest_gpus
    assert eight.fewest_gpus in (2, 4, 8)
    names = {
        gpus: [each.name for each in layouts(gpus, heads) if not each.checkpointing]
        for gpus, heads in ((1, 8), (3, 8), (4, 8), (8, 8), (64, 32))
    }
    assert names == {
        1: ["ddp"],
        3: ["ddp", "fsdp"],
        4: ["ddp", "fsdp", "tp 4"],
        8: ["ddp", "fsdp", "tp 8"],
        64: ["ddp", "fsdp", "fsdp, tp 8"],
    }
    assert [each.name for each in layouts(8, 6)] == [
        "ddp",
        "ddp, recompute",
        "fsdp",
        "fsdp, recompute",
        "fsdp, tp 2",
        "fsdp, tp 2, recompute",
    ]


def test_logits_are_not_kept() -> None:
    """Twice the vocabulary costs two gradients of its matrix, not logits of a whole batch."""
    model = preset("125m")[0]
    (layer, rest), (other_layer, other_rest) = kept(model), kept(replace(model, vocabulary=2 * model.vocabulary))
    assert (layer, rest.window) == (other_layer, other_rest.window)
    assert other_rest.weights - rest.weights == 4 * model.vocabulary * model.width
    assert rest.window < 4 * model.context_length * model.vocabulary / 10


def test_options_of_the_model_are_planned_for() -> None:
    """Heads that look further ahead keep activations and compute; a window computes less."""
    model, train = preset("1m")
    plain = plan(model, train, tokens=1e6, gpus=1, gpu=GPUS["l4"])
    ahead = plan(replace(model, mtp_heads=1), train, tokens=1e6, gpus=1, gpu=GPUS["l4"])
    near = plan(replace(model, sliding_window=32), train, tokens=1e6, gpus=1, gpu=GPUS["l4"])
    assert ahead.flops > plain.flops > near.flops
    assert ahead.memory[0].activations > plain.memory[0].activations
    assert ahead.memory[0].optimizer - plain.memory[0].optimizer == 8 * (ahead.parameters - plain.parameters)


def test_what_cannot_be_planned() -> None:
    model, train = preset("tiny")
    with pytest.raises(SettingError, match="utilisation"):
        plan(model, train, tokens=1e6, gpus=1, gpu=GPUS["l4"], utilisation=1.5)
    with pytest.raises(SettingError, match="does not divide"):
        plan(model, train, tokens=1e6, gpus=3, gpu=GPUS["l4"])


def test_the_peak_of_a_device() -> None:
    names = ("NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-40GB", "NVIDIA L4", "NVIDIA L40S", "Some other")
    assert [peak_flops(name) for name in names] == [989e12, 312e12, 121e12, 362e12, None]


def test_the_command() -> None:
    asked = ["plan", "--preset", "1.3b", "--tokens", "26e9", "--gpus", "64", "--price", "2.5"]
    told = json.loads(CliRunner().invoke(gristmill, [*asked, "--json"]).output)
    assert (told["estimate"], told["parameters"], told["gpus"]) == (True, preset("1.3b")[0].parameters, 64)
    shown = CliRunner().invoke(gristmill, asked)
    assert shown.exit_code == 0, shown.output
    assert "estimate" in shown.output
    assert f"{told['parameters']:,}" in shown.output
