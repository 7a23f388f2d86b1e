"""Training steps on one core, beside LitGPT's model and Llama of transformers: the same shape, batch, float32 and AdamW.

    python -m tests.benchmarks.run training_speed
    python -m tests.benchmarks.training_speed ours tiny

A step is forward, loss, backward, clipping and the optimizer, as each trains: ours `modeling.module.training_loss`, theirs the loss of
their own training script. All have one thread and PyTorch's fused AdamW, the fastest that it has on a CPU. Each run is a process of its
own, which makes one step to warm up; what is compared is CPU time. All must have as many parameters, and begin at the loss of a guess.
"""

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from modeling.architectures import as_huggingface
from modeling.build import build, training_loss
from modeling.config import ModelConfig, TrainConfig
from modeling.optimizers import make_optimizer
from modeling.presets import preset
from tests.benchmarks.rows import Row, compared
from tests.benchmarks.sides import interleaved, ours, peers, spent

SHAPES = {"tiny": (16, 4), "30m": (2, 2)}  # preset -> windows of a batch, steps that are timed
LITGPT = "litgpt"
LITGPT_TRAIN = Path(__file__).parent / "peers" / "litgpt_train.py"


def measure(rounds: int) -> list[Row]:
    pythons = peers(LITGPT)
    return [each for name in SHAPES for each in _rows(name, pythons, rounds)]


def _rows(name: str, pythons: dict[str, Path], rounds: int) -> list[Row]:
    windows, steps = SHAPES[name]
    config, _ = preset(name)
    commands = {side: ours("tests.benchmarks.training_speed", side, name) for side in ("ours", "transformers")}
    for side, python in pythons.items():
        commands[side] = [python, LITGPT_TRAIN, json.dumps(asdict(config)), windows, steps]
    sides = {side: partial(spent, command, OMP_NUM_THREADS="1") for side, command in commands.items()}
    costs = interleaved(sides, rounds)
    for side, each in costs.items():
        told = each[0].told
        assert told["parameters"] == config.parameters, f"{side} has {told['parameters']:,} parameters, not {config.parameters:,}"
        assert abs(told["losses"][0] - math.log(config.vocabulary)) < 0.5, f"{side} begins at {told['losses'][0]:.2f} nats"
    tokens = steps * windows * config.context_length
    return [
        compared(
            f"training_speed.{name}.{peer}", f"a training step of {name}, float32, one thread", "tokens/s of CPU",
            {"ours": costs["ours"], peer: costs[peer]}, lambda cost: cost.told["seconds"], amount=tokens,
        )
        for peer in costs if peer != "ours"
    ]  # fmt: skip


def steps_of_ours(config: ModelConfig, train: TrainConfig, ids: torch.Tensor) -> tuple[torch.nn.Module, Callable[[], float]]:
    model = build(config, seed=0)
    optimizer = make_optimizer(model, train)
    batch = {"ids": ids, "mask": torch.ones(ids[:, 1:].shape), "batch_targets": torch.full((len(ids),), ids[:, 1:].numel())}

    def step() -> float:
        loss, plain = training_loss(model, train, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), train.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        return plain.item()

    return model, step


def steps_of_transformers(config: ModelConfig, train: TrainConfig, ids: torch.Tensor) -> tuple[torch.nn.Module, Callable[[], float]]:
    told = as_huggingface(config)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(told.pop("model_type"), **told), dtype=torch.float32)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=train.learning_rate, betas=(train.beta1, train.beta2), fused=True)

    def step() -> float:
        targets = ids[:, 1:].contiguous()
        loss = model(input_ids=ids[:, :-1], labels=targets, shift_labels=targets, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), train.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.item())

    return model, step


def main(side: str, name: str) -> None:
    """Print CPU seconds of the timed steps, the parameters, and the loss of each step."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config, train = preset(name)
    windows, steps = SHAPES[name]
    ids = torch.randint(4, config.vocabulary, (windows, config.context_length + 1))
    make = steps_of_ours if side == "ours" else steps_of_transformers
    model, step = make(config, replace(train, learning_rate=1e-3), ids)
    losses = [step()]
    started = time.process_time()
    losses += [step() for _ in range(steps)]
    seconds = time.process_time() - started
    print(json.dumps({"seconds": seconds, "parameters": sum(each.numel() for each in model.parameters()), "losses": losses}))


if __name__ == "__main__":
    main(*sys.argv[1:])
