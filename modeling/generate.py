"""Text from a model: one token after another, by temperature, top-k and top-p, the same for the same seed.

for piece in generate(model, tokenizer, "The mill", tokens=100, sampling=Sampling(seed=1)): print(piece, end="")
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from modeling.config import SettingError
from modeling.transformer import Transformer
from tokenization.tokenizer import Tokenizer


@final
@dataclass(frozen=True, kw_only=True)
class Sampling:
    """``temperature`` 0 takes the likeliest token; ``top_k`` 0 and ``top_p`` 1 cut nothing off."""

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise SettingError("temperature and top-k must be 0 or more, top-p above 0 and at most 1", where=str(self))


def generate(model: Transformer, tokenizer: Tokenizer, prompt: str, *, tokens: int, sampling: Sampling) -> Iterator[str]:
    """The continuation of ``prompt``, in pieces that end at whole characters, until </s> or ``tokens`` tokens.

    The model sees the last context_length tokens; the whole window is computed for each, without a cache.
    """
    device = next(model.parameters()).device
    generator = torch.Generator(device=device).manual_seed(sampling.seed)
    special, never = tokenizer.special, tokenizer.special.never_made
    ids = [special.bos, *tokenizer.encode(prompt).tolist()]
    made: list[int] = []
    said = ""
    with torch.no_grad():
        for _ in range(tokens):
            window = torch.tensor([ids[-model.config.context_length :]], device=device)
            chosen = int(choose(model(window)[0, -1].float(), sampling, generator, never))
            if chosen == special.eos:
                break
            ids.append(chosen)
            made.append(chosen)
            text = tokenizer.decode(np.array(made))
            if not text.endswith("\N{REPLACEMENT CHARACTER}"):  # else the bytes of a character are not all there
                yield text[len(said) :]
                said = text


def choose(logits_V: Tensor, sampling: Sampling, generator: torch.Generator, never: Sequence[int]) -> Tensor:
    """Draw one id, and none of ``never``."""
    logits = logits_V.clone()
    logits[list(never)] = -torch.inf
    if sampling.temperature == 0:
        return logits.argmax()
    ordered, ids = torch.sort(logits / sampling.temperature, descending=True, stable=True)
    if sampling.top_k:
        ordered[sampling.top_k :] = -torch.inf
    shares = ordered.softmax(-1)
    shares[shares.cumsum(-1) - shares >= sampling.top_p] = 0  # the one that crosses top_p stays
    return ids[torch.multinomial(shares, 1, generator=generator)[0]]
