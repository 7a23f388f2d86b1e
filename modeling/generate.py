"""Text from a model: one token after another, by temperature, top-k and top-p, the same for the same seed.

Keys and values of what was read are kept (``attention.Cache``), so that a token costs one position, not the window. Once a text is as
long as the context, the last context_length tokens are computed anew for each token: kept keys would know of what has left the window.

    for piece in generate(model, tokenizer, "The mill", tokens=100, sampling=Sampling(seed=1)): print(piece, end="")
    complete(model, tokenizer, ["One mill", "Two mills"], tokens=100, sampling=Sampling(temperature=0), stop=["\\n"])
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from modeling.attention import Cache
from modeling.config import SettingError
from modeling.transformer import Transformer
from tokenization.tokenizer import Tokenizer

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what the first bytes of a character give


@final
@dataclass(frozen=True, kw_only=True)
class Sampling:
    """``temperature`` 0 takes the likeliest token; ``top_k`` 0 and ``top_p`` 1 cut nothing off."""

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise SettingError("temperature and top-k must be 0 or more, top-p above 0 and at most 1", where=str(self))
        if not 0 <= self.seed < 1 << 63:
            raise SettingError("a seed is a whole number from 0 to 2^63 - 1", where="--seed")


def generate(model: Transformer, tokenizer: Tokenizer, prompt: str, *, tokens: int, sampling: Sampling) -> Iterator[str]:
    """The continuation of ``prompt``, in pieces that end at whole characters, until </s> or ``tokens`` tokens.

    The model sees the last context_length tokens.
    """
    text = Continuing(model, [[tokenizer.special.bos, *tokenizer.encode(prompt).tolist()]], tokens=tokens)
    generator = torch.Generator(device=text.device).manual_seed(sampling.seed)
    made: list[int] = []
    said = ""
    for _ in range(tokens):
        chosen = int(choose(text.logits_BV[0], sampling, generator, tokenizer.special.never_made))
        if chosen == tokenizer.special.eos:
            break
        made.append(chosen)
        whole = tokenizer.decode(np.array(made))
        if not whole.endswith(_UNFINISHED):
            yield whole[len(said) :]
            said = whole
        if len(made) < tokens:
            text.append([chosen])


def complete(
    model: Transformer,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    *,
    tokens: int,
    sampling: Sampling,
    stop: Sequence[str] = (),
    draws: Sequence[int] | None = None,
) -> list[str]:
    """The continuation of each prompt, all in one batch, each ending before </s>, the first of ``stop``, or behind ``tokens`` tokens.

    ``draws`` tells apart what is drawn for each prompt (by default its number): a text is a function of the prompt, the seed and its
    draw, whatever stands beside it. Characters of which only some bytes were made are left out at the end.
    """
    if not prompts:
        return []
    text = Continuing(model, [[tokenizer.special.bos, *tokenizer.encode(prompt).tolist()] for prompt in prompts], tokens=tokens)
    numbers = range(len(prompts)) if draws is None else draws
    generators = [torch.Generator(device=text.device).manual_seed(_mixed(sampling.seed, number)) for number in numbers]
    made: list[list[int]] = [[] for _ in prompts]
    told = [""] * len(prompts)
    alive = list(range(len(prompts)))
    for at in range(tokens):
        drawn = _draw(text.logits_BV, sampling, [generators[row] for row in alive], tokenizer.special.never_made)
        going = []
        for place, row in enumerate(alive):
            if drawn[place] == tokenizer.special.eos:
                continue
            made[row].append(drawn[place])
            told[row] = tokenizer.decode(np.array(made[row]))
            ends = [found for each in stop if (found := told[row].find(each)) >= 0]
            if ends:
                told[row] = told[row][: min(ends)]
            else:
                going.append(place)
        if not going or at + 1 == tokens:
            break
        text.append([drawn[place] for place in going], going)
        alive = [alive[place] for place in going]
    return [each.rstrip(_UNFINISHED) for each in told]


@final
class Continuing:
    """Rows of ids that grow, and ``logits_BV``, float32, of what follows each."""

    def __init__(self, model: Transformer, prompts: Sequence[Sequence[int]], *, tokens: int):
        self._model, self._context = model, model.config.context_length
        self.device = next(model.parameters()).device
        self._ids = [list(prompt) for prompt in prompts]
        self._kept = list(range(len(prompts)))  # the rows that lie in the cache, in its order
        self._cache = Cache(model.config.layers, rows=len(prompts), room=self._room(tokens), device=self.device)
        self.logits_BV = self._read(self._cache, [ids[-self._context :] for ids in self._ids])

    def append(self, chosen: Sequence[int], rows: Sequence[int] | None = None) -> None:
        """Go on with ``rows`` alone (all if None), each with the id that was chosen for it."""
        rows = range(len(self._ids)) if rows is None else rows
        self._ids = [[*self._ids[row], each] for row, each in zip(rows, chosen, strict=True)]
        short = [at for at, ids in enumerate(self._ids) if len(ids) <= self._context]
        full = [at for at, ids in enumerate(self._ids) if len(ids) > self._context]
        places = [self._kept.index(rows[at]) for at in short]
        if short and places != list(range(len(self._kept))):
            self._cache.keep(torch.tensor(places, device=self.device, dtype=torch.int64))
        self._kept = short
        logits_BV = self.logits_BV.new_empty(len(self._ids), self.logits_BV.shape[1])
        if short:
            logits_BV[short] = self._read(self._cache, [self._ids[at][-1:] for at in short])
        if full:
            unkept = Cache(self._model.config.layers, rows=len(full), room=self._context, device=self.device)
            logits_BV[full] = self._read(unkept, [self._ids[at][-self._context :] for at in full])
        self.logits_BV = logits_BV

    def _room(self, tokens: int) -> int:
        return min(self._context, max(map(len, self._ids)) + tokens)

    def _read(self, cache: Cache, new: Sequence[Sequence[int]]) -> Tensor:
        lengths = torch.tensor([len(ids) for ids in new], device=self.device)
        padded = torch.full((len(new), max(map(len, new))), self._model.config.pad, device=self.device)
        for row, ids in enumerate(new):
            padded[row, : len(ids)] = torch.tensor(ids, device=self.device)
        with torch.no_grad():
            return self._model.next_logits(padded, cache, lengths).float()


def choose(logits_V: Tensor, sampling: Sampling, generator: torch.Generator, never: Sequence[int]) -> Tensor:
    """Draw one id, and none of ``never``."""
    logits = logits_V.clone()
    logits[list(never)] = -torch.inf
    if sampling.temperature == 0:
        return logits.argmax()
    # less the largest: divided by a temperature near 0 it would be no number
    ordered, ids = torch.sort((logits - logits.max()) / sampling.temperature, descending=True, stable=True)
    if sampling.top_k:
        ordered[sampling.top_k :] = -torch.inf
    shares = ordered.softmax(-1)
    shares[shares.cumsum(-1) - shares >= sampling.top_p] = 0  # the one that crosses top_p stays
    return ids[torch.multinomial(shares, 1, generator=generator)[0]]


def _draw(logits_BV: Tensor, sampling: Sampling, generators: Sequence[torch.Generator], never: Sequence[int]) -> list[int]:
    if sampling.temperature == 0:
        logits_BV = logits_BV.clone()
        logits_BV[:, list(never)] = -torch.inf
        return logits_BV.argmax(-1).tolist()
    return [int(choose(logits_V, sampling, generator, never)) for logits_V, generator in zip(logits_BV, generators, strict=True)]


def _mixed(seed: int, draw: int) -> int:
    """A seed for each draw; draw 0 of seed 0 is not draw 1 of seed 0 shifted (SplitMix64)."""
    value = (seed * 0x9E3779B97F4A7C15 + draw * 0xBF58476D1CE4E5B9) % (1 << 64)
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % (1 << 64)
    return value ^ (value >> 31)
