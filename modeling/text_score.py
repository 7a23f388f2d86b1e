"""What a model makes of one text, from code and notebooks.

model, tokenizer = load_model(folder), load(folder / "tokenizer")
score_text(model, tokenizer, "The mill grinds.").bits_per_byte
"""

from dataclasses import dataclass
from math import log
from typing import final

import numpy as np

from modeling.scoring import score_sequences
from modeling.transformer import Transformer
from tokenization.tokenizer import Tokenizer


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
    """As a document of its own, in windows that overlap by half."""
    [scored] = score_sequences(model, model.config, [tokenizer.document(text).astype(np.int64)])
    return TextScore(float(scored.nats.sum()), len(scored.nats), len(text.encode()))
