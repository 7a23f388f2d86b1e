"""What a model makes of one text, from code and notebooks.

model, tokenizer = load_model(folder), load(folder / "tokenizer")
score_text(model, tokenizer, "The mill grinds.").bits_per_byte
"""

from dataclasses import dataclass
from math import log
from typing import final

import numpy as np
import torch

from modeling.module import token_losses
from modeling.transformer import Transformer
from tokenization.tokenizer import BOS, EOS, Tokenizer


@final
@dataclass(frozen=True)
class TextScore:
    """``nats`` of all ``tokens`` of a text, </s> among them; ``bytes``: of its UTF-8."""

    nats: float
    tokens: int
    bytes: int

    @property
    def loss(self) -> float:
        return self.nats / self.tokens

    @property
    def bits_per_byte(self) -> float:
        return self.nats / log(2) / max(1, self.bytes)


def score_text(model: Transformer, tokenizer: Tokenizer, text: str) -> TextScore:
    """As a document of its own, in windows that overlap by half: what ``modeling.scoring`` does with those of a split."""
    ids = np.array([BOS, *tokenizer.encode(text), EOS])
    length, device = model.config.context_length, next(model.parameters()).device
    nats, scored = 0.0, 1
    with torch.no_grad():
        while scored < len(ids):
            stop = min(scored + (length if scored == 1 else max(1, length // 2)), len(ids))
            window = torch.from_numpy(ids[max(0, stop - length - 1) : stop]).to(device)
            losses, _ = token_losses(model, model.config, window[None])
            nats += float(losses[0, scored - stop :].double().sum())
            scored = stop
    return TextScore(nats, len(ids) - 1, len(text.encode()))
