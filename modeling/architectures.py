"""Which model of `transformers` a configuration is, and what its config.json says; and the way back.

    as_huggingface(config)["architectures"]              # ["Qwen3ForCausalLM"]
    config = from_huggingface(json.loads(Path("Qwen3-0.6B-Base/config.json").read_bytes()))

| norms  | of queries and keys | sliding window          | there             |
|--------|---------------------|-------------------------|-------------------|
| before | none                | none / all / some layers | Llama / Mistral / Ministral |
| before | each head           | any                     | Qwen3             |
| after  | whole width         | none / some or all layers | OLMo 2 / OLMo 3 |
"""

from collections.abc import Mapping
from typing import Any

from modeling.config import ModelConfig, SettingError

# (norm_place, qk_norm, layers with a window) -> model_type; its class is that of _CLASSES
_TYPES = {
    ("before", "none", "no"): "llama",
    ("before", "none", "all"): "mistral",
    ("before", "none", "some"): "ministral",
    ("before", "head", "no"): "qwen3",
    ("before", "head", "all"): "qwen3",
    ("before", "head", "some"): "qwen3",
    ("after", "width", "no"): "olmo2",
    ("after", "width", "all"): "olmo3",
    ("after", "width", "some"): "olmo3",
}
_CLASSES = {name: f"{name.capitalize()}ForCausalLM" for name in _TYPES.values()}
_WITH_LAYER_TYPES = ("ministral", "qwen3", "olmo3")
_SLIDING, _FULL = "sliding_attention", "full_attention"
# what `transformers` takes where config.json is silent
_DEFAULTS: dict[str, dict[str, Any]] = {
    "llama": {"rms_norm_eps": 1e-6},
    "mistral": {"rms_norm_eps": 1e-6, "sliding_window": 4096, "num_key_value_heads": 8},
    "ministral": {"rms_norm_eps": 1e-6, "sliding_window": 4096, "num_key_value_heads": 8},
    "qwen3": {"rms_norm_eps": 1e-6, "sliding_window": 4096, "num_key_value_heads": 32, "head_dim": 128, "max_window_layers": 28},
    "olmo2": {"rms_norm_eps": 1e-5},
    "olmo3": {"rms_norm_eps": 1e-5, "sliding_window": 4096, "rope_theta": 500_000.0},
}
_NEEDED = (
    "vocab_size", "max_position_embeddings", "num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size"
)  # fmt: skip
# what our model has not: field -> the only value that means that it is not there
_ABSENT = {"attention_bias": False, "mlp_bias": False, "hidden_act": "silu", "quantization_config": None, "partial_rotary_factor": 1.0}


def model_type(config: ModelConfig) -> str:
    """The ``model_type`` of `transformers`. Raises SettingError naming the field that no architecture there has."""
    if config.position != "rope":
        raise SettingError(f"no model of transformers has positions of this kind: {config.position}", where="model.position")
    found = _TYPES.get((config.norm_place, config.qk_norm, _windows(config)))
    if found is None:
        raise SettingError(
            f"no model of transformers has norms {config.norm_place} its blocks and qk_norm {config.qk_norm}",
            where="model.qk_norm",
            hint="before with none or head, after with width",
        )
    return found


def as_huggingface(config: ModelConfig) -> dict[str, Any]:
    """What config.json says; of ``mtp_heads`` nothing. Raises SettingError as ``model_type`` does."""
    kind = model_type(config)
    rope = {"rope_type": "default", "rope_theta": config.rope_theta}
    told: dict[str, Any] = {
        "architectures": [_CLASSES[kind]],
        "model_type": kind,
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context_length,
        "num_hidden_layers": config.layers,
        "hidden_size": config.width,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width,
        "intermediate_size": config.hidden,
        "rms_norm_eps": config.norm_epsilon,
        "rope_parameters": {_FULL: rope, _SLIDING: rope} if kind == "olmo3" else rope,
        "rope_theta": config.rope_theta,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": config.tied,
        "bos_token_id": config.bos,
        "eos_token_id": config.eos,
        "pad_token_id": config.pad,
        "dtype": "float32",
    }
    windows = _windows(config) != "no"
    if windows:
        told["sliding_window"] = config.sliding_window
    if kind == "qwen3":
        told |= {"use_sliding_window": windows, "max_window_layers": 0}
    if kind in _WITH_LAYER_TYPES:
        told["layer_types"] = [_SLIDING if config.windowed(layer) else _FULL for layer in range(config.layers)]
    return told


def from_huggingface(told: Mapping[str, Any]) -> ModelConfig:
    """The model that a config.json of `transformers` describes. Raises SettingError naming the field that ours cannot be."""
    kind = told.get("model_type")
    if kind not in _DEFAULTS:
        raise SettingError(f"no model of ours is a {kind}", where="model_type", hint=", ".join(_DEFAULTS))
    if missing := [name for name in _NEEDED if name not in told]:
        raise SettingError("config.json is silent on it", where=missing[0])
    for name, only in _ABSENT.items():
        if told.get(name) not in (None, only):
            raise SettingError(f"our models have none: {told[name]}", where=name)
    known = _DEFAULTS[kind] | {name: value for name, value in told.items() if value is not None or name == "sliding_window"}
    [(norm_place, qk_norm)] = {(place, norm) for (place, norm, _), name in _TYPES.items() if name == kind}
    width, heads = known["hidden_size"], known["num_attention_heads"]
    head_dim = known.get("head_dim") or width // heads
    window, full_every = _window(kind, known)
    return ModelConfig(
        vocabulary=known["vocab_size"],
        context_length=known["max_position_embeddings"],
        layers=known["num_hidden_layers"],
        width=width,
        heads=heads,
        kv_heads=known.get("num_key_value_heads") or heads,
        hidden=known["intermediate_size"],
        rope_theta=_theta(known),
        tied=bool(known.get("tie_word_embeddings", False)),
        norm_epsilon=known["rms_norm_eps"],
        norm_place=norm_place,  # type: ignore[arg-type]
        qk_norm=qk_norm,  # type: ignore[arg-type]
        sliding_window=window,
        full_attention_every=full_every,
        head_dim=0 if head_dim * heads == width else head_dim,
        **{name: told[f"{name}_token_id"] for name in ("bos", "eos", "pad") if isinstance(told.get(f"{name}_token_id"), int)},
    )


def _windows(config: ModelConfig) -> str:
    """Of how many layers the sight ends: no, some or all."""
    windowed = [config.windowed(layer) for layer in range(config.layers)]
    return "all" if all(windowed) else "some" if any(windowed) else "no"


def _theta(known: Mapping[str, Any]) -> float:
    """One base of RoPE for all layers, and nothing that stretches it."""
    given = known.get("rope_parameters") or {}
    kinds = [value for value in given.values() if isinstance(value, Mapping)] or [given]
    scaling = known.get("rope_scaling") or {}
    for rope in (*kinds, scaling):
        kind = rope.get("rope_type", rope.get("type", "default"))
        if kind != "default" or rope.get("partial_rotary_factor", 1.0) != 1.0:
            raise SettingError(f"our positions are not stretched: {kind}", where="rope_scaling" if scaling else "rope_parameters")
    bases = {float(rope.get("rope_theta", known.get("rope_theta", 10_000.0))) for rope in kinds}
    if len(bases) > 1:
        raise SettingError("our layers share one rope_theta", where="rope_parameters")
    return bases.pop()


def _window(kind: str, known: Mapping[str, Any]) -> tuple[int, int]:
    """(sliding_window, full_attention_every)"""
    layers, window = known["num_hidden_layers"], known.get("sliding_window")
    if not window or kind in ("llama", "olmo2") or (kind == "qwen3" and not known.get("use_sliding_window", False)):
        return 0, 0
    if kind == "mistral":
        return window, 0
    silent = {
        "ministral": [_SLIDING] * layers,
        "qwen3": [_SLIDING if layer >= known.get("max_window_layers", 0) else _FULL for layer in range(layers)],
        "olmo3": [_FULL if (layer + 1) % 4 == 0 else _SLIDING for layer in range(layers)],
    }
    types = known.get("layer_types") or silent[kind]
    if _SLIDING not in types:
        return 0, 0
    every = types.index(_FULL) + 1 if _FULL in types else 0
    if types != [_FULL if every and (layer + 1) % every == 0 else _SLIDING for layer in range(layers)]:
        raise SettingError("our layers without a window are every n-th", where="layer_types")
    return window, every
