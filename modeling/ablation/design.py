"""What an ablation is, said before it is run: arms, controls, seeds, budget, shape, primary outcome; and what it will take and can tell.

ablation/
  plan.json                       this design, its estimate
  held_out/  tokenizer/           shared by all runs
  runs/NAME-FINGERPRINT/          a model folder as `gristmill pretrain` makes it
  scores/NAME-FINGERPRINT.json    what the run makes of each held-out text, written last: its existence means that the run is whole
  ablation.json  ablation.html

Arms are trained with equal budgets of tokens, and paired: runs of one seed have the same initial weights, the same windows in each batch
and, where two arms hold the same documents, these documents: seed s begins at the fraction s·φ of the range of ids. So the luck of weights
and of draws moves all arms of a seed alike, and is not in their difference; another seed has another.

    design = Design(arms=(Arm(name="a", corpus="a/", digest="…"), …), seeds=3, budget_tokens=500_000, …)
    design.runs()[0].name           # "a-0"
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self, final

from corpus import manifest
from corpus.errors import InputError
from corpus.storage import json_bytes, locate
from corpus.version import code_version
from modeling.ablation.statistics import resolution
from modeling.config import ModelConfig, SettingError, TrainConfig

FORMAT, PLAN, SCORES, RUNS, HELD_OUT, TOKENIZER = "gristmill ablation 1", "plan.json", "scores", "runs", "held_out", "tokenizer"
NULL, POSITIVE = "null control", "positive control"
SHUFFLED = 0.2  # of the positive control's words
_STEPS = 480  # at the least: a preset's batch would leave a small budget a few dozen
_MUON_RATE = 1.25  # times the preset's, which is AdamW's for batches 16 times as large
_VALIDATIONS = 5  # along a curve; each costs what 3 % of a run of 500,000 tokens does
_GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it lie far apart in [0, 1), however many there are
# How far the difference of two paired runs spreads over seeds, in bits per byte, and about so much less as the budget's root grows. With
# `1m`, 499,712 tokens and three seeds: arms that share documents 0.003, 0.010 and 0.019 (README); 0.13 where each run draws other
# documents, in an earlier design (0.09 a run, times the root of 2).
_NOISE, _NOISE_TOKENS, _LEAST_NOISE = {"shared": 0.02, "apart": 0.13}, 500_000, 0.001


@final
@dataclass(frozen=True, kw_only=True)
class Arm:
    """A corpus to train on. ``shuffled``: the share of words out of place; ``reordered``: the same documents, in another order."""

    name: str
    corpus: str
    digest: str
    shuffled: float = 0.0
    reordered: bool = False

    @classmethod
    def of(cls, name: str, corpus: str) -> Self:
        """Raises InputError where there is no finished corpus."""
        manifest.read(locate(corpus))
        return cls(name=name, corpus=locate(corpus).uri, digest=hashlib.sha256((locate(corpus) / manifest.NAME).read_bytes()).hexdigest())


@final
@dataclass(frozen=True, kw_only=True)
class Design:
    """All that decides the result. ``held_out`` and ``tokenizer`` are digests; ``tasks`` names those sets that are tasks."""

    arms: tuple[Arm, ...]
    controls: bool
    seeds: int
    budget_tokens: int
    preset: str
    model: ModelConfig
    train: TrainConfig
    held_out: str
    tokenizer: str
    tasks: tuple[str, ...] = ()

    @property
    def all_arms(self) -> tuple[Arm, ...]:
        """With the controls, which are made of the first arm."""
        first = self.arms[0]
        controls = (replace(first, name=NULL, reordered=True), replace(first, name=POSITIVE, shuffled=SHUFFLED))
        return (*self.arms, *(controls if self.controls else ()))

    def runs(self) -> list["Run"]:
        """One seed after another: whoever stops the experiment early has whole pairs."""
        return [Run(self, arm, seed) for seed in range(self.seeds) for arm in self.all_arms]

    def pairs(self) -> Iterator[tuple[str, str]]:
        """(reference, arm) of the user's arms."""
        for at, arm in enumerate(self.arms):
            yield from ((earlier.name, arm.name) for earlier in self.arms[:at])

    def write(self, folder: Path, **said: Any) -> dict[str, Any]:
        """``plan.json``; what was ``said`` of a design before its first run stands, however often it is gone on with. Returns it all."""
        now = json.loads(json_bytes({"format": FORMAT, "design": asdict(self), **said}))
        try:
            there = json.loads((folder / PLAN).read_bytes())
        except (OSError, ValueError):
            there = {}
        if there.get("design") == now["design"]:
            return dict(there)
        (locate(str(folder)) / PLAN).write_bytes(json_bytes(now))
        return dict(now)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises InputError where no ablation was begun."""
        try:
            told = json.loads((folder / PLAN).read_bytes())["design"]
            model, train = ModelConfig(**told.pop("model")), TrainConfig(**told.pop("train"))
            arms = tuple(Arm(**arm) for arm in told.pop("arms"))
            return cls(arms=arms, model=model, train=train, **told | {"tasks": tuple(told["tasks"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError("no ablation was begun here", where=str(folder), hint="run `gristmill ablate` without --run first") from error


@final
@dataclass(frozen=True)
class Run:
    """One model of a design."""

    design: Design
    arm: Arm
    seed: int

    @property
    def train(self) -> TrainConfig:
        return replace(self.design.train, seed=self.seed)

    @property
    def start(self) -> float:
        """Where in the range of ids the run's documents begin, a fraction."""
        return (self.seed * _GOLDEN) % 1.0

    @property
    def name(self) -> str:
        plain = re.sub(r"[^\w.=-]+", "_", self.arm.name)
        return f"{plain}-{self.seed}"

    @property
    def folder_name(self) -> str:
        """With the fingerprint of all that decides the run: another setting is another folder, and the old one stays of use."""
        told = [
            self.arm.digest, self.arm.shuffled, self.arm.reordered, self.start, asdict(self.design.model), asdict(self.train),
            self.design.held_out, self.design.tokenizer, code_version("modeling"), code_version("tokenization"), code_version("corpus"),
        ]  # fmt: skip
        return f"{self.name}-{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:10]}"

    def scores(self, folder: Path) -> Path:
        return folder / SCORES / f"{self.folder_name}.json"


def fitted(model: ModelConfig, train: TrainConfig, budget_tokens: int) -> TrainConfig:
    """The preset's training with as many steps as the budget has batches, and smaller batches where those would be too few; the rate goes
    down to 0, so that the last batches leave no mark.

    A model that has learned no more than which words are frequent cannot tell corpora apart, not even one with words out of place. What
    counts is how much is learned from a small budget: `1m` after 200,000 tokens of web text came to 3.48 bits per byte with AdamW at the
    preset's 4e-3 and batches of 2,048 tokens; with 512 tokens to 3.63 at 1e-2, 3.41 at 4e-3, 3.29 at 2e-3; with Muon to 3.15 at 1e-2
    and 3.06 at 5e-3. So smaller batches come with Muon.

    Raises SettingError where the budget does not fill twenty steps of four windows.
    """
    windows = min(train.global_batch_tokens, budget_tokens // _STEPS) // model.context_length
    batch = max(4, 1 << max(0, windows.bit_length() - 1)) * model.context_length
    if windows * model.context_length >= train.global_batch_tokens:
        batch = train.global_batch_tokens
    else:
        train = replace(train, optimizer="muon", learning_rate=_MUON_RATE * train.learning_rate)
    steps = budget_tokens // batch
    if steps < 20:
        raise SettingError(
            f"{budget_tokens:,} tokens are {steps} steps of {batch:,}", where="--budget", hint=f"take {20 * batch:,} or more"
        )
    return replace(
        train,
        steps=steps,
        global_batch_tokens=batch,
        final_rate=0.0,
        warmup_steps=max(5, steps // 20),
        validate_every_steps=-(-steps // _VALIDATIONS),
        checkpoint_every_steps=steps if steps <= 1000 else 1000,
        validation_tokens=1 << 40,  # the set that curves are drawn from is small already
    )


def expected_noise(budget_tokens: int) -> dict[str, float]:
    """How far a difference of paired runs spreads over seeds, before any was made, in bits per byte: of arms that share their documents,
    and of arms that share none, whose draws differ."""
    scale = math.sqrt(_NOISE_TOKENS / budget_tokens)
    return {kind: max(_LEAST_NOISE, noise * scale) for kind, noise in _NOISE.items()}


def expected_resolution(design: Design, deviation: float) -> float:
    """What the experiment will find in four cases of five, documents left aside: their share is known only when it is over."""
    return resolution(deviation / math.sqrt(design.seeds), design.seeds - 1)
