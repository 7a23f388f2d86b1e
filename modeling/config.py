"""What a model is and how it is trained, as two frozen dataclasses; nothing else of a run decides its numbers.

config = ModelConfig(vocabulary=4096, context_length=256, layers=4, width=256, heads=8, kv_heads=4, hidden=704)
config.parameters                      # 4,065,024
with_settings(config, training, ["train.learning_rate=1e-3", "model.position=learned"])
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, final, get_args

from corpus.errors import GristmillError

Position = Literal["rope", "learned", "sinusoidal", "static", "none"]
NormPlace = Literal["before", "after"]
QkNorm = Literal["none", "head", "width"]
OptimizerName = Literal["adamw", "lamb", "adafactor", "muon"]
Packing = Literal["concatenate", "document", "best_fit"]  # tokenization.packing
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

    ``norm_place``: ``after`` norms what attention and feed-forward give, not what they take (OLMo 2, 2024). ``qk_norm``: RMSNorm of
    queries and keys before they are turned, of each ``head`` (Qwen3, 2025) or over the whole ``width`` (OLMo 2). ``sliding_window``:
    a token sees itself and the ``sliding_window - 1`` before it (Mistral, 2023), but for every ``full_attention_every``-th layer,
    which sees all; 0: no window, no such layer. ``head_dim``: width of a head, 0 for width / heads. ``mtp_heads``: how many tokens
    beyond the next one are predicted too, one block each (DeepSeek-V3, 2024), weighed by ``train.mtp_weight``. ``bos``, ``eos``, ``pad``:
    the tokenizer's ids that begin, end and fill texts, which `pretrain` takes from the tokens.
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
    norm_place: NormPlace = "before"
    qk_norm: QkNorm = "none"
    sliding_window: int = 0
    full_attention_every: int = 0
    head_dim: int = 0
    mtp_heads: int = 0
    bos: int = 1
    eos: int = 2
    pad: int = 3

    def __post_init__(self) -> None:
        if min(self.vocabulary, self.context_length, self.layers, self.width, self.heads, self.kv_heads, self.hidden) < 1:
            raise SettingError("every size of a model must be 1 or more", where="model")
        if min(self.sliding_window, self.full_attention_every, self.head_dim, self.mtp_heads) < 0:
            raise SettingError("sliding_window, full_attention_every, head_dim and mtp_heads are 0 or more", where="model")
        if not (0 < self.rope_theta < math.inf and 0 < self.norm_epsilon < 1):  # NaN is neither
            raise SettingError("rope_theta is a number above 0, norm_epsilon one between 0 and 1", where="model")
        if self.mtp_heads >= self.context_length:
            raise SettingError(f"no token lies {self.mtp_heads + 1} ahead in a window of {self.context_length}", where="model.mtp_heads")
        if (self.width % self.heads and not self.head_dim) or self.heads % self.kv_heads:
            raise SettingError(
                "heads must divide width, and kv_heads must divide heads",
                where=f"width {self.width}, heads {self.heads}, kv_heads {self.kv_heads}",
            )
        for name, known in (("position", Position), ("norm_place", NormPlace), ("qk_norm", QkNorm)):
            if getattr(self, name) not in get_args(known):
                what = "position encoding" if name == "position" else name
                raise SettingError(f"no such {what}: {getattr(self, name)}", where=f"model.{name}", hint=", ".join(get_args(known)))
        if self.position in ("rope", "sinusoidal") and self.head_width % 2:
            raise SettingError(f"{self.position} needs an even width of a head", where=f"width {self.width}, heads {self.heads}")

    @property
    def head_width(self) -> int:
        return self.head_dim or self.width // self.heads

    def windowed(self, layer: int) -> bool:
        """Whether layer ``layer`` (from 0) sees no more than its window: of each group of layers the last one sees all."""
        return self.sliding_window > 0 and not (self.full_attention_every and (layer + 1) % self.full_attention_every == 0)

    @property
    def parameters(self) -> int:
        """All trained parameters; a tied matrix counts once."""
        tables = self.vocabulary * self.width * (1 if self.tied else 2)
        ahead = self.mtp_heads * (self._layer_parameters + 2 * self.width**2 + 2 * self.width)
        return self.layers * self._layer_parameters + self.width + tables + ahead + self._position_parameters

    @property
    def _layer_parameters(self) -> int:
        heads = (self.heads + self.kv_heads) * self.head_width
        qk_norms = {"none": 0, "head": 2 * self.head_width, "width": heads}[self.qk_norm]
        return 2 * self.width * heads + 3 * self.width * self.hidden + 2 * self.width + qk_norms

    @property
    def _position_parameters(self) -> int:
        return self.context_length * self.width if self.position == "learned" else 0

    @property
    def flops_per_token(self) -> int:
        """Forward and backward: 6 for each parameter that multiplies, 12·heads·head width·context a layer for attention (PaLM, appendix
        B); of a layer with a window, the window in place of the context. Each head of multi-token prediction is a layer, and multiplies
        by the matrix that predicts once more.
        """
        lookups = self._position_parameters + self.vocabulary * self.width * (0 if self.tied else 1)
        multiplied = self.parameters - lookups + self.mtp_heads * self.vocabulary * self.width
        window = min(self.sliding_window, self.context_length)
        seen = sum(window if self.windowed(layer) else self.context_length for layer in range(self.layers))
        seen += self.mtp_heads * self.context_length
        return 6 * multiplied + 12 * self.heads * self.head_width * seen


@final
@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How steps are made (``modeling.optimizers``); the same numbers on any number of processes.

    ``global_batch_tokens`` is what one optimizer step sees, over all processes and accumulated micro-batches.
    ``micro_batch_windows``: at most this many windows at once on one device, which bounds memory and changes nothing else.
    ``mixture``: what share of a batch comes from which source, over time (``modeling.mixture``); None: from all alike.
    ``z_loss``: weight of the squared log of the softmax's denominator (PaLM: 1e-4). ``mtp_weight``: of the mean loss of the model's
    ``mtp_heads`` (DeepSeek-V3: 0.3, 0.1 towards the end). ``ema``: decay of the weights' moving average (``modeling.averages``), which
    then is the model that is validated and saved; 0: none. ``spike_deviations``: a step so far above the last ``spike_window`` is
    skipped (``modeling.spikes``), but no more than ``spike_limit`` in a row; 0: none is.
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
    packing: Packing = "concatenate"
    seed: int = 0
    validate_every_steps: int = 250
    validation_tokens: int = 200_000
    checkpoint_every_steps: int = 250
    mixture: Mapping[str, Any] | None = None
    mtp_weight: float = 0.3
    ema: float = 0.0
    spike_deviations: float = 0.0
    spike_window: int = 128
    spike_limit: int = 3

    def __post_init__(self) -> None:
        positive = (self.steps, self.global_batch_tokens, self.micro_batch_windows, self.validate_every_steps, self.checkpoint_every_steps)
        if min(*positive, self.validation_tokens) < 1 or self.warmup_steps < 0:
            raise SettingError("steps, batches and intervals must be 1 or more", where="train")
        if not (0 < self.learning_rate < math.inf and 0 <= self.final_rate <= 1 and self.clip_norm > 0):
            raise SettingError("learning_rate and clip_norm must be positive, final_rate a share", where="train")
        if not all(0 <= each < math.inf for each in (self.z_loss, self.mtp_weight, self.weight_decay)):
            raise SettingError("z_loss, mtp_weight and weight_decay are 0 or more", where="train")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise SettingError("beta1 and beta2 are decays of 0 or more, below 1", where="train")
        if not 0 <= self.ema < 1:
            raise SettingError("ema is a decay below 1, or 0 for none", where="train.ema")
        if not 0 <= self.spike_deviations < math.inf or self.spike_window < 10 or self.spike_limit < 1:
            raise SettingError("spike_deviations is 0 or more, spike_window 10 or more, spike_limit 1 or more", where="train.spike_…")
        if not 0 <= self.seed < 1 << 63:
            raise SettingError("a seed is a whole number from 0 to 2^63 - 1", where="train.seed")
        if not 0 < self.decay_share <= 1:
            raise SettingError("decay_share is a share of the steps, above 0", where="train.decay_share")
        if isinstance(self.mixture, str):
            raise SettingError("a mixture is a file", where="train.mixture", hint="give it with --mixture FILE")
        for name, known in (
            ("packing", get_args(Packing)),
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
