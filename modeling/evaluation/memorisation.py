"""How much of the training text a model has by heart: the share of passages that greedy decoding gives back, word for word.

After Carlini et al. (2022, "Quantifying Memorization Across Neural Language Models"): the model is given the first 50 tokens of a passage,
and has it by heart if it goes on with the next 50. Passages are grouped by how often they stand in the training tokens. Which ones are
taken is decided by a hash of their tokens, so that all copies of one are found in a single reading of the tokens, and counted.

Greedy decoding gives the true continuation if and only if, with the true tokens before it, each is the likeliest: one pass of the model,
not 50. A control beside it: passages of held-out text, which a model cannot have by heart.

    found = probe(model, tokens.split("train"), tokens.split("validation"))
    found["rows"][0]                # {"copies": "1", "passages": 200, "reproduced": 0, "share": 0.0, "interval": [0.0, 0.019], …}
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from corpus.kernels.ngrams import run_hashes
from modeling.resampling import wilson
from modeling.scoring import score_sequences
from modeling.transformer import Transformer
from tokenization.shards import TokenSplit
from tokenization.tokenizer import SPECIAL

PREFIX, CONTINUATION = 50, 50
HELD_OUT = "held out"
_PASSAGES = 200  # of a group: a share of 0 is then below 1.9 % (Wilson)
_CANDIDATES = 400_000
_SCANNED_TOKENS = 1 << 30
_READ_TOKENS = 1 << 22


@final
@dataclass(frozen=True)
class Passages:
    """Distinct passages, by their hash: where the first copy begins in the stream, and how many copies there are."""

    hashes: np.ndarray
    begins: np.ndarray
    copies: np.ndarray


def probe(model: Transformer, train: TokenSplit, held_out: TokenSplit | None) -> dict[str, Any]:
    """``rows``, one for each number of copies (1, 2 to 3, 4 to 7, …) and one for held-out text; ``prefix`` and ``continuation`` in tokens,
    halves of the model's context where it is shorter than a passage; ``scanned_tokens``: of the training split, at most 2^30."""
    prefix, continuation = PREFIX, CONTINUATION
    if model.config.context_length < prefix + continuation:
        prefix = continuation = max(1, model.config.context_length // 2)
    length = prefix + continuation
    scanned = min(train.tokens, _SCANNED_TOKENS)
    one_in = max(1, scanned // _CANDIDATES)
    found = passages(train, length, one_in)
    groups = np.log2(found.copies).astype(np.int64)
    rows = []
    if held_out is not None:
        control = passages(held_out, length, one_in)  # the same hashes, so that a copy in the training text would be known
        unseen = ~np.isin(control.hashes, found.hashes)
        rows.append({"copies": HELD_OUT, **_reproduced(model, held_out, control, np.flatnonzero(unseen), prefix, length)})
    for group in np.unique(groups).tolist():
        least, most = 1 << group, (2 << group) - 1
        name = "1" if group == 0 else f"{least} to {most}"
        rows.append({"copies": name, **_reproduced(model, train, found, np.flatnonzero(groups == group), prefix, length)})
    return {"prefix": prefix, "continuation": continuation, "scanned_tokens": scanned, "rows": [row for row in rows if row["passages"]]}


def passages(split: TokenSplit, length: int, one_in: int) -> Passages:
    """Those of ``length`` ids within a document, one in ``one_in`` by hash, with all their copies; memory for about 400,000."""
    hashes, begins = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for first, ids in _stretches(split, length):
        own = run_hashes((ids.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15), 0, len(ids), length)
        special = np.concatenate([[0], np.cumsum(ids < len(SPECIAL))])
        chosen = np.flatnonzero((own % np.uint64(one_in) == 0) & (special[length:] == special[:-length]))
        hashes.append(own[chosen])
        begins.append(first + chosen)
    every, starts = np.concatenate(hashes), np.concatenate(begins)
    distinct, at, copies = np.unique(every, return_index=True, return_counts=True)
    return Passages(distinct, starts[at], copies)


def _stretches(split: TokenSplit, length: int) -> Iterator[tuple[int, np.ndarray]]:
    """The split in pieces that overlap, so that each run of ``length`` ids is in one of them, and in one only."""
    end = min(split.tokens, _SCANNED_TOKENS)
    for first in range(0, max(0, end - length + 1), _READ_TOKENS):
        yield first, split.read(first, min(end, first + _READ_TOKENS + length - 1))


def _reproduced(model: Transformer, split: TokenSplit, found: Passages, among: np.ndarray, prefix: int, length: int) -> dict[str, Any]:
    """At most 200 of them, in the order of their hashes, no two that overlap."""
    chosen: list[np.ndarray] = []
    taken: set[int] = set()
    for at in among.tolist():
        begin = int(found.begins[at])
        stretch = begin // length
        if not taken & {stretch - 1, stretch, stretch + 1}:
            taken.add(stretch)
            chosen.append(split.read(begin, begin + length))
        if len(chosen) == _PASSAGES:
            break
    right = [scored.likeliest[prefix - 1 :] for scored in score_sequences(model, model.config, chosen)]
    whole = sum(bool(each.all()) for each in right)
    matched = [len(each) if each.all() else int(each.argmin()) for each in right]
    return {
        "passages": len(chosen),
        "reproduced": whole,
        "share": whole / len(chosen) if chosen else None,
        "interval": list(wilson(whole, len(chosen))) if chosen else None,
        "matched_tokens": float(np.mean(matched)) if chosen else None,
    }
