"""What a model is and how it is trained, as two frozen dataclasses; nothing else of a run decides its numbers.

config = ModelConfig(vocabulary=4096, context_length=256, layers=4, width=256, heads=8, kv_heads=4, hidden=704)
config.parameters                      # 4,065,024
with_settings(config, training, ["train.learning_rate=1e-3", "model.position=learned"])
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, final, get_args

from corpus.errors import GristmillError

Position = Literal["rope", "learned", "sinusoidal", "static", "none"]
OptimizerName = Literal["adamw", "lamb", "adafactor", "muon"]
Schedule = Literal["cosine", "linear", "inverse_sqrt", "wsd", "constant"]


class SettingError(GristmillError):
    """A setting of a model or of its training that cannot be."""


@final
@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A decoder-only transformer as Llama's (Touvron et al. 2023): RMSNorm before each block, SwiGLU, grouped-query attention.

    ``position``: ``rope`` turns queries and keys (Su et al. 2021); ``learned``, ``sinusoidal`` (Vaswani et al. 2017) and ``static``
    (a fixed random table, not trained) add a table to the embeddings; ``none`` leaves order to the causal mask. ``tied``: one matrix
    embeds and predicts. ``document_mask``: no token sees another document of its window.
    """

    vocabulary: int
    context_length: int
    layers: int
    width: int
    heads: int
    kv_heads: int
    hidden: int
    position: Position = "rope"
    rope_theta: float = 10_000.0
    tied: bool = True
    document_mask: bool = False
    norm_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if min(self.vocabulary, self.context_length, self.layers, self.width, self.heads, self.kv_heads, self.hidden) < 1:
            raise SettingError("every size of a model must be 1 or more", where="model")
        if self.width % self.heads or self.heads % self.kv_heads:
            raise SettingError(
                "heads must divide width, and kv_heads must divide heads",
                where=f"width {self.width}, heads {self.heads}, kv_heads {self.kv_heads}",
            )
        if self.position not in get_args(Position):
            raise SettingError(f"no such position encoding: {self.position}", where="model.position", hint=", ".join(get_args(Position)))
        if self.position in ("rope", "sinusoidal") and (self.width // self.heads) % 2:
            raise SettingError(f"{self.position} needs an even width of a head", where=f"width {self.width}, heads {self.heads}")

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def parameters(self) -> int:
        """All trained parameters; a tied matrix counts once."""
        attention = 2 * self.width**2 + 2 * self.width * self.kv_heads * self.head_width
        layer = attention + 3 * self.width * self.hidden + 2 * self.width
        tables = self.vocabulary * self.width * (1 if self.tied else 2)
        return self.layers * layer + self.width + tables + (self.context_length * self.width if self.position == "learned" else 0)

    @property
    def flops_per_token(self) -> int:
        """Forward and backward: 6 for each parameter that multiplies, 12·layers·width·context for attention (PaLM, appendix B)."""
        lookups = self.vocabulary * self.width * (0 if self.tied else 1)
        lookups += self.context_length * self.width if self.position == "learned" else 0
        return 6 * (self.parameters - lookups) + 12 * self.layers * self.width * self.context_length


@final
@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How steps are made (``modeling.optimizers``); the same numbers on any number of processes.

    ``global_batch_tokens`` is what one optimizer step sees, over all processes and accumulated micro-batches.
    ``micro_batch_windows``: at most this many windows at once on one device, which bounds memory and changes nothing else.
    """

    steps: int
    global_batch_tokens: int
    micro_batch_windows: int
    learning_rate: float
    warmup_steps: int
    optimizer: OptimizerName = "adamw"
    schedule: Schedule = "cosine"
    decay_share: float = 0.2
    final_rate: float = 0.1
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    clip_norm: float = 1.0
    z_loss: float = 0.0
    packing: Literal["concatenate", "document"] = "concatenate"
    seed: int = 0
    validate_every_steps: int = 250
    validation_tokens: int = 200_000
    checkpoint_every_steps: int = 250

    def __post_init__(self) -> None:
        positive = (self.steps, self.global_batch_tokens, self.micro_batch_windows, self.validate_every_steps, self.checkpoint_every_steps)
        if min(positive) < 1 or self.warmup_steps < 0:
            raise SettingError("steps, batches and intervals must be 1 or more", where="train")
        if self.learning_rate <= 0 or not 0 <= self.final_rate <= 1 or self.clip_norm <= 0:
            raise SettingError("learning_rate and clip_norm must be positive, final_rate a share", where="train")
        if not 0 <= self.seed < 1 << 63:
            raise SettingError("a seed is a whole number from 0 to 2^63 - 1", where="train.seed")
        if not 0 < self.decay_share <= 1:
            raise SettingError("decay_share is a share of the steps, above 0", where="train.decay_share")
        for name, known in (
            ("packing", ("concatenate", "document")),
            ("optimizer", get_args(OptimizerName)),
            ("schedule", get_args(Schedule)),
        ):
            if getattr(self, name) not in known:
                raise SettingError(f"no such {name}: {getattr(self, name)}", where=f"train.{name}", hint=", ".join(known))


def with_settings(model: ModelConfig, train: TrainConfig, settings: Sequence[str]) -> tuple[ModelConfig, TrainConfig]:
    """Settings as a user writes them, ``model.FIELD=VALUE`` or ``train.FIELD=VALUE``. Raises SettingError naming the nearest field."""
    parts: dict[str, Any] = {"model": model, "train": train}
    for setting in settings:
        key, equals, text = setting.partition("=")
        part, _, name = key.partition(".")
        if not equals or part not in parts:
            raise SettingError("a setting is model.FIELD=VALUE or train.FIELD=VALUE", where=setting)
        known = [field.name for field in fields(parts[part])]
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise SettingError(f"no such field: {key}", hint=f"did you mean {near[0]!r}?" if near else ", ".join(known))
        parts[part] = replace(parts[part], **{name: _converted(getattr(parts[part], name), text, key)})
    return parts["model"], parts["train"]


def _converted(old: Any, text: str, key: str) -> Any:
    if isinstance(old, bool):
        if text.lower() not in ("true", "false"):
            raise SettingError(f"{key} is true or false", where=text)
        return text.lower() == "true"
    try:
        return type(old)(text.replace("_", "")) if isinstance(old, (int, float)) else text
    except ValueError as error:
        raise SettingError(f"{key} is a number ({type(old).__name__})", where=text) from error
