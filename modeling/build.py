"""A model with its weights, and what it makes of windows of ids; nothing here trains.

model = build(config, seed=0)                               # its initial weights
nats, _ = token_losses(model, config, ids)
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modeling.checkpoint import copy_whole, load_weights
from modeling.config import ModelConfig, TrainConfig
from modeling.export import load_huggingface
from modeling.transformer import Transformer, initial


def build(config: ModelConfig, seed: int, *, weights: Path | None = None, shard: Callable[[Transformer], None] | None = None,
          device: torch.device | str = "cpu") -> Transformer:  # fmt: skip
    """The model with its initial weights, or those of a file, or of a folder of `transformers`; sharded before memory is taken, if
    ``shard`` is given."""
    with torch.device("meta"):
        model = Transformer(config)
    if shard:
        shard(model)
    model.to_empty(device=device)
    if weights and not weights.is_dir():
        load_weights(model, weights)
        return model
    state = model.state_dict()
    for name in load_huggingface(model, weights) if weights else state:
        copy_whole(state[name], initial(name, state[name].shape, config, seed))
    return model


def token_losses(model: nn.Module, config: ModelConfig, ids_BT1: Tensor) -> tuple[Tensor, Tensor]:
    """Windows (B, T + 1) -> cross-entropy of each target in nats, and logsumexp of its logits: float32 (B, T)."""
    inputs, targets = ids_BT1[:, :-1], ids_BT1[:, 1:]
    logits_BTV = model(inputs, documents_of(config, inputs)).float()
    nats = F.cross_entropy(logits_BTV.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
    return nats, torch.logsumexp(logits_BTV, -1)


def training_loss(model: Transformer, train: TrainConfig, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """A micro-batch (``modeling.data``) -> (what is to be made small, the cross-entropy alone), as shares of the global batch's mean."""
    share = batch["mask"] / batch["batch_targets"][:, None]
    documents = documents_of(model.config, batch["ids"][:, :-1])
    total, plain = model.loss(batch["ids"], share, documents, z_loss=train.z_loss, mtp_weight=train.mtp_weight)
    return total, plain


def documents_of(config: ModelConfig, inputs_BT: Tensor) -> Tensor | None:
    """The number of each position's document in its window, where they are not to mix."""
    return (inputs_BT == config.bos).cumsum(1) if config.document_mask else None
