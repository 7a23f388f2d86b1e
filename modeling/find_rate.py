"""Which learning rate to begin with: a short run of its own, whose rate grows from step to step (Smith 2017, "Cyclical learning rates").

The model begins with the run's initial weights, reads the run's first batches in its order with its optimizer, without warm-up, and is
thrown away: the real run is not touched. One process, one device; a finder over many would say the same, since the batch is the same.

    found = find_rate("build/demo/tokens", Path("build/demo/model"), model, train, Launch())
    found.suggested                         # 2.1e-3
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch

from corpus.errors import OutputError
from modeling.build import build, training_loss
from modeling.config import ModelConfig, SettingError, TrainConfig
from modeling.curves import RATES
from modeling.data import arrange, batches, plan_batches
from modeling.optimizers import make_optimizer
from modeling.train import Launch
from tokenization.shards import TokenFolder

_LEAST, _GREATEST, _STEPS = 1e-6, 1.0, 120  # 20 a decade
_SMOOTHED = 0.9  # as the curve of Smith's method is in fastai (Howard and Gugger 2020); corrected for its beginning
_DIVERGED = 1.2  # times the least smoothed loss: all beyond is worse


@final
@dataclass(frozen=True)
class Found:
    """``rates`` and ``losses``: what was tried; ``smoothed``: by which it is judged. ``best``: where the smoothed loss is least, beyond
    which it grows; ``suggested``: where it falls fastest with the logarithm of the rate. ``file``: the curve, a line a step.

    The fastest fall is the cautious choice. Of two shapes under AdamW and one under Muon (400 steps each at 0.001, 0.003, 0.01, 0.03 and
    0.1) the best rates were 0.03, 0.01 and 0.03; it suggested 0.012, 0.004 and 0.012, and the other custom, a tenth of ``best``, 0.07,
    0.04 and 0.012: the first two end worse than a rate three times too low.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    best: float
    suggested: float
    file: Path


def find_rate(
    tokens: str, output: Path, model: ModelConfig, train: TrainConfig, launch: Launch, told: Callable[[int, int], None] = lambda *_: None
) -> Found:
    """Sweep, and write ``rates.jsonl`` below ``output``; ``told`` is called with the steps made and their number at most.

    Raises SettingError where no rate lowers the loss, OutputError where a file lies in the way.
    """
    split = TokenFolder.open(tokens).split("train")
    plan = plan_batches(train, model.context_length, 1)
    windows, order = arrange(split, model.context_length, train)
    device = torch.device("cuda" if launch.on_gpu else "cpu")
    reduced = launch.precision.startswith("bf16") or (launch.precision == "auto" and launch.on_gpu)
    network = build(model, train.seed, device=device)
    optimizer = make_optimizer(network, train)
    loader = iter(batches(windows, order, plan, rank=0, first_step=0, steps=_STEPS))
    rates, losses, smoothed = [], [], []
    average = 0.0
    for step in range(_STEPS):
        rate = _LEAST * (_GREATEST / _LEAST) ** (step / (_STEPS - 1))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss = 0.0
        for _ in range(plan.accumulate):
            batch = {name: value.to(device) for name, value in next(loader).items()}
            with torch.autocast(device.type, torch.bfloat16, enabled=reduced):
                total, plain = training_loss(network, train, batch)
            total.backward()
            loss += float(plain)
        if not math.isfinite(loss):
            break
        torch.nn.utils.clip_grad_norm_(network.parameters(), train.clip_norm)
        optimizer.step()
        average = _SMOOTHED * average + (1 - _SMOOTHED) * loss
        rates.append(rate)
        losses.append(loss)
        smoothed.append(average / (1 - _SMOOTHED ** (step + 1)))
        told(step + 1, _STEPS)
        if smoothed[-1] > _DIVERGED * min(smoothed):
            break
    return _judged(rates, losses, smoothed, output / RATES)


def _judged(rates: list[float], losses: list[float], smoothed: list[float], file: Path) -> Found:
    at = min(range(len(smoothed)), key=smoothed.__getitem__, default=0)
    if at == 0:  # or the first loss was no number
        raise SettingError("no learning rate lowers the loss", where="--find-rate", hint="look at the data, or at a larger batch")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as lines:
            for rate, loss, value in zip(rates, losses, smoothed, strict=True):
                lines.write(json.dumps({"learning_rate": rate, "loss": loss, "smoothed": value}) + "\n")
    except OSError as error:
        raise OutputError("the curve of rates cannot be written", where=str(file), hint="choose another --output") from error
    falls = [smoothed[step + 1] - smoothed[step - 1] for step in range(1, at)] or [0.0]
    fastest = 1 + min(range(len(falls)), key=falls.__getitem__)
    return Found(tuple(rates), tuple(losses), tuple(smoothed), rates[at], rates[min(fastest, at)], file)
