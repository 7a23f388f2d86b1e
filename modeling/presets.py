"""Shapes by name, from the demo's to 6.7 billion parameters, each with a schedule to begin from.

A name counts all parameters, embeddings tied, with the vocabulary that goes with the size: 4,096 ids up to ``4m``, 32,000 up to ``60m``,
50,304 beyond. The shapes of ``125m``, ``1.3b`` and ``6.7b`` are those of GPT-3's table 2.1 with SwiGLU in place of the older MLP (8/3 of
the width instead of 4, rounded up to 64 or 256). Steps make 20 tokens a parameter (Hoffmann et al. 2022) but for ``tiny``, which is
to end while one watches.

    model, train = preset("tiny", vocabulary=4096)
"""

from modeling.config import ModelConfig, SettingError, TrainConfig

# name: context, layers, width, heads, kv heads, hidden
_SHAPES: dict[str, tuple[int, int, int, int, int, int]] = {
    "tiny": (256, 4, 160, 4, 2, 448),
    "1m": (256, 3, 128, 4, 2, 352),
    "4m": (256, 4, 256, 8, 4, 704),
    "20m": (1024, 8, 320, 5, 5, 896),
    "30m": (1024, 10, 384, 6, 6, 1024),
    "60m": (1024, 14, 512, 8, 8, 1408),
    "125m": (2048, 12, 768, 12, 12, 2048),
    "150m": (2048, 16, 768, 12, 12, 2048),
    "1.3b": (2048, 24, 2048, 16, 16, 5632),
    "6.7b": (4096, 32, 4096, 32, 32, 11008),
}
# name: nominal vocabulary, global batch in tokens, micro-batch in windows, learning rate
_TRAINING: dict[str, tuple[int, int, int, float]] = {
    "tiny": (4_096, 4_096, 16, 4e-3),
    "1m": (4_096, 16_384, 16, 4e-3),
    "4m": (4_096, 32_768, 16, 3e-3),
    "20m": (32_000, 131_072, 16, 2e-3),
    "30m": (32_000, 131_072, 16, 2e-3),
    "60m": (32_000, 262_144, 16, 1.5e-3),
    "125m": (50_304, 524_288, 16, 6e-4),
    "150m": (50_304, 524_288, 16, 6e-4),
    "1.3b": (50_304, 1_048_576, 8, 2e-4),
    "6.7b": (50_304, 2_097_152, 2, 1.2e-4),
}
_TOKENS_PER_PARAMETER = 20
_TINY_STEPS = 800
NAMES = tuple(_SHAPES)


def preset(name: str, vocabulary: int | None = None) -> tuple[ModelConfig, TrainConfig]:
    """The model for a vocabulary (by default the one that the name counts), and how to train it. SettingError for an unknown name."""
    if name not in _SHAPES:
        raise SettingError(f"no such preset: {name}", hint=", ".join(NAMES))
    context_length, layers, width, heads, kv_heads, hidden = _SHAPES[name]
    nominal, batch_tokens, micro_batch, rate = _TRAINING[name]
    model = ModelConfig(
        vocabulary=vocabulary or nominal,
        context_length=context_length,
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        hidden=hidden,
    )
    steps = _TINY_STEPS if name == "tiny" else -(-_TOKENS_PER_PARAMETER * model.parameters // batch_tokens)
    train = TrainConfig(
        steps=steps,
        global_batch_tokens=batch_tokens,
        micro_batch_windows=micro_batch,
        learning_rate=rate,
        warmup_steps=min(2000, max(20, steps // 20)),
        validate_every_steps=max(1, steps // 8),
        checkpoint_every_steps=max(1, min(1000, steps // 8)),
    )
    return model, train
