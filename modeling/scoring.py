"""What a model makes of documents: the nats of each, with at least half a window of context before every token but the first ones.

A document longer than the window is scored in overlapping windows, half a window apart, and each token once: cut without overlap, the
tokens behind a cut would be guessed with no context, and the figure would speak of the cut.

    nats = score(model, config, split, chunks(split, config.context_length, tokens=200_000))      # of each document
    scored = score_sequences(model, config, [ids])                                                # of each target
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from modeling.build import documents_of, token_losses
from modeling.config import ModelConfig
from tokenization.shards import TokenSplit

_BATCH_TOKENS = 8192
_BATCH_LOGITS = 1 << 27  # 0.5 GB of float32
_BLOCK_TOKENS = 1 << 20
T = TypeVar("T")


@final
@dataclass(frozen=True)
class Chunk:
    """Ids [start, stop) of the stream belong to document ``document``; the first ``context`` targets are scored by another chunk."""

    document: int
    start: int
    stop: int
    context: int


def chunks(split: TokenSplit, context_length: int, *, tokens: int | None = None) -> list[Chunk]:
    """The chunks of the first documents, until ``tokens`` are reached; all documents if None."""
    starts = split.document_starts
    found = []
    for document, (begin, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        if tokens is not None and begin >= tokens:
            break
        found += [Chunk(document, begin + start, begin + stop, context) for start, stop, context in windows(end - begin, context_length)]
    return found


def windows(length: int, context_length: int, stride: int | None = None) -> Iterator[tuple[int, int, int]]:
    """(start, stop, targets scored by another) of the windows of ``length`` ids: each target once, with ``context_length - stride`` ids
    or more before it, or all that there are. ``stride``: 1 to context_length, by default half of it."""
    stride = max(1, context_length // 2) if stride is None else stride
    assert 1 <= stride <= context_length
    stop = min(context_length + 1, length)
    yield 0, stop, 0
    while stop < length:
        scored, stop = stop, min(stop + stride, length)
        start = stop - context_length - 1
        yield start, stop, scored - start - 1


def score(
    model: nn.Module, config: ModelConfig, split: TokenSplit, found: Sequence[Chunk], *, rank: int = 0, processes: int = 1
) -> np.ndarray:
    """Nats of each document, float64 (documents of the split,): of this process's share of the chunks; their sum over processes is the
    whole. All processes run the same number of batches, as sharded models ask."""
    device = next(model.parameters()).device
    nats = np.zeros(split.documents)
    rows = max(1, _BATCH_TOKENS // config.context_length)
    ordered = sorted(found, key=lambda chunk: chunk.start - chunk.stop)  # long ones together: little padding
    groups = [ordered[at : at + rows] for at in range(0, len(ordered), rows)]
    training = model.training
    model.eval()
    with torch.no_grad():
        for at in range(0, len(groups), processes):
            mine = at + rank < len(groups)
            group = groups[at + rank if mine else at]
            ids = np.full((len(group), max(chunk.stop - chunk.start for chunk in group)), config.pad, np.int64)
            for row, chunk in enumerate(group):
                ids[row, : chunk.stop - chunk.start] = split.read(chunk.start, chunk.stop)
            losses, _ = token_losses(model, config, torch.from_numpy(ids).to(device))
            values = losses.double().cpu().numpy()
            if mine:
                for row, chunk in enumerate(group):
                    nats[chunk.document] += values[row, chunk.context : chunk.stop - chunk.start - 1].sum()
    model.train(training)
    return nats


def blocks(items: Iterable[T], ids: Callable[[T], int]) -> Iterator[list[T]]:
    """Items in their order, about a million ids together: what :func:`score_sequences` may hold. ``ids``: how many an item has."""
    block: list[T] = []
    held = 0
    for item in items:
        block.append(item)
        held += ids(item)
        if held >= _BLOCK_TOKENS:
            yield block
            block, held = [], 0
    if block:
        yield block


def figures(documents: int, nats: float, tokens: int, size: int) -> dict[str, Any]:
    """What is told of documents: ``loss`` a token, ``perplexity``, and ``bits_per_byte`` over the ``size`` of their texts in bytes."""
    loss, bits = nats / max(1, tokens), nats / np.log(2) / max(1, size)
    return {"documents": documents, "tokens": tokens, "bytes": size, "loss": loss, "perplexity": perplexity(loss), "bits_per_byte": bits}


def perplexity(loss: float) -> float:
    """exp of nats a token; of a hopeless loss the largest that a float64 holds with ease."""
    return float(np.exp(min(loss, 700.0)))


@final
@dataclass(frozen=True)
class Scored:
    """Of each target of a sequence, that is of every id but the first: its nats, float64, and whether it was the likeliest id."""

    nats: np.ndarray
    likeliest: np.ndarray


def score_sequences(
    model: nn.Module, config: ModelConfig, sequences: Sequence[np.ndarray], *, stride: int | None = None, batch_tokens: int = _BATCH_TOKENS
) -> list[Scored]:
    """Each sequence of ids by itself, of any length. Batches change nothing but the last bits of a float32.

    Likeliest of all but <s> and what fills texts up. A batch holds ``batch_tokens`` or fewer, and 0.5 GB of logits.
    """
    device, never = next(model.parameters()).device, sorted({config.bos, config.pad} - {config.eos})
    results = [Scored(np.zeros(max(0, len(ids) - 1)), np.zeros(max(0, len(ids) - 1), bool)) for ids in sequences]
    cut = [
        Chunk(number, *bounds)
        for number, ids in enumerate(sequences)
        if len(ids) > 1
        for bounds in windows(len(ids), config.context_length, stride)
    ]
    cut.sort(key=lambda chunk: chunk.start - chunk.stop)  # long ones together: little padding
    most = max(1, min(batch_tokens, _BATCH_LOGITS // config.vocabulary))
    training = model.training
    model.eval()
    at = 0
    with torch.no_grad():
        while at < len(cut):
            width = cut[at].stop - cut[at].start
            group = cut[at : at + max(1, most // width)]
            at += len(group)
            padded = np.full((len(group), width), config.pad, np.int64)
            for row, chunk in enumerate(group):
                padded[row, : chunk.stop - chunk.start] = sequences[chunk.document][chunk.start : chunk.stop]
            ids_BT1 = torch.from_numpy(padded).to(device)
            inputs, targets = ids_BT1[:, :-1], ids_BT1[:, 1:]
            logits_BTV = model(inputs, documents_of(config, inputs)).float()
            nats = F.cross_entropy(logits_BTV.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape).double().cpu().numpy()
            logits_BTV[..., never] = -torch.inf
            likeliest = (logits_BTV.argmax(-1) == targets).cpu().numpy()
            for row, chunk in enumerate(group):
                new = slice(chunk.context, chunk.stop - chunk.start - 1)
                into = slice(chunk.start + chunk.context, chunk.stop - 1)
                results[chunk.document].nats[into] = nats[row, new]
                results[chunk.document].likeliest[into] = likeliest[row, new]
    model.train(training)
    return results


def summary(split: TokenSplit, documents: int, nats: np.ndarray) -> dict[str, Any]:
    """Loss, perplexity and bits per byte over the first ``documents``: of all, by language, by source.

    Loss is nats a target (every token but <s>, </s> counted); bits per byte are those nats over the bytes of the texts.
    """
    index = split.index.slice(0, documents)
    targets, sizes = index["tokens"].to_numpy() - 1, index["bytes"].to_numpy()
    groups: dict[str, dict[str, list[int]]] = {"language": defaultdict(list), "source": defaultdict(list)}
    for name, members in groups.items():
        for row, value in enumerate(index[name].to_pylist()):
            members[value or "unknown"].append(row)

    def of(rows: Any) -> dict[str, Any]:
        return figures(len(targets[rows]), float(nats[rows].sum()), int(targets[rows].sum()), int(sizes[rows].sum()))

    return of(np.arange(documents)) | {name: {key: of(rows) for key, rows in sorted(found.items())} for name, found in groups.items()}
