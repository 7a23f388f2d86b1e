"""Perplexity and bits per byte of texts: of all, by source, language, length and position, each with an interval over documents.

A document is ``<s>`` text ``</s>``, scored in windows that overlap by half (``modeling.scoring``); loss is nats a target, ``</s>`` among
them. Bits per byte are those nats over the bytes of the text, so that they compare models of different tokenizers.

    scored = score_documents(model, documents, byte_lengths)
    describe(scored)["length"]["1 to 4 kB"]["bits_per_byte"]
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from modeling.resampling import ratio_intervals
from modeling.scoring import blocks, figures, perplexity, score_sequences
from modeling.transformer import Transformer
from tokenization.shards import TokenSplit

GROUPS = ("source", "language", "length", "position")
_MOST_GROUPS = 40
_POSITIONS = 16  # 1 to 15, 16 to 31, doubling; the last holds all beyond 2^18
_SIZES = (("below 1 kB", 0), ("1 to 4 kB", 1_000), ("4 to 16 kB", 4_000), ("16 to 64 kB", 16_000), ("64 kB and more", 64_000))


@final
@dataclass(frozen=True, kw_only=True)
class Document:
    """One document of token ids, ``<s>`` first. ``bytes``: of the text as it was given, which detokenizing may have changed."""

    ids: np.ndarray
    bytes: int
    source: str = "unknown"
    language: str = "unknown"
    words: int = 0
    lines: int = 0


@final
@dataclass(frozen=True, kw_only=True)
class ScoredDocuments:
    """A row a document. Nats, targets and bytes are by position too: (documents, positions)."""

    nats_DP: np.ndarray
    targets_DP: np.ndarray
    bytes_DP: np.ndarray
    bytes: np.ndarray
    words: np.ndarray
    lines: np.ndarray
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def nats(self) -> np.ndarray:
        """Of each document: float64 (documents,)."""
        return self.nats_DP.sum(1)


def documents_of(split: TokenSplit) -> Iterator[Document]:
    """Those of token shards, in their order; one shard's index is held at a time."""
    for first, index in split.indexes():
        at = first
        for row in index.to_pylist():
            ids = split.read(at, at + row["tokens"])
            at += row["tokens"]
            yield Document(ids=ids, bytes=row["bytes"], source=row["source"] or "unknown", language=row["language"] or "unknown")


def score_documents(
    model: Transformer, documents: Iterable[Document], byte_lengths: np.ndarray, *, stride: int | None = None, batch_tokens: int = 8192
) -> ScoredDocuments:
    """``byte_lengths``: ``Tokenizer.byte_lengths``. Memory: a block of about a million tokens, and 400 bytes a document."""
    columns: dict[str, list[Any]] = {name: [] for name in ("nats", "targets", "byte", "bytes", "words", "lines", "source", "language")}
    for block in blocks(documents, lambda document: len(document.ids)):
        for document, scored in zip(
            block, score_sequences(model, model.config, [each.ids for each in block], stride=stride, batch_tokens=batch_tokens), strict=True
        ):
            places = position(np.arange(1, len(document.ids)))
            values = {"nats": scored.nats, "targets": None, "byte": byte_lengths[document.ids[1:]]}
            for name, weights in values.items():
                columns[name].append(np.bincount(places, weights, minlength=_POSITIONS))
            for name in ("bytes", "words", "lines", "source", "language"):
                columns[name].append(getattr(document, name))
    return ScoredDocuments(
        nats_DP=np.array(columns["nats"]).reshape(-1, _POSITIONS),
        targets_DP=np.array(columns["targets"], np.int64).reshape(-1, _POSITIONS),
        bytes_DP=np.array(columns["byte"], np.int64).reshape(-1, _POSITIONS),
        bytes=np.array(columns["bytes"], np.int64),
        words=np.array(columns["words"], np.int64),
        lines=np.array(columns["lines"], np.int64),
        names={"source": columns["source"], "language": columns["language"], "length": [size_name(size) for size in columns["bytes"]]},
    )


def describe(scored: ScoredDocuments, *, among: np.ndarray | None = None) -> dict[str, Any]:
    """``documents``, ``tokens``, ``bytes``, ``loss``, ``perplexity``, ``bits_per_byte`` and their intervals over all; the same by each of
    :data:`GROUPS`. ``among``: which documents, bool. The bytes of a position are those of its tokens."""
    chosen = np.ones(len(scored.bytes), bool) if among is None else among
    found = [("all", "", chosen), *groups(scored, chosen)]
    columns = [(kind, name) for kind, name, _ in found]
    mask_DG = np.stack([mask for _, _, mask in found], 1)
    nats, targets, sizes = (mask_DG * each[:, None] for each in (scored.nats, scored.targets_DP.sum(1), scored.bytes))
    used = np.flatnonzero(scored.targets_DP[chosen].sum(0))
    columns += [("position", position_name(at)) for at in used.tolist()]
    nats = np.concatenate([nats, scored.nats_DP[:, used] * chosen[:, None]], 1)
    targets = np.concatenate([targets, scored.targets_DP[:, used] * chosen[:, None]], 1)
    sizes = np.concatenate([sizes, scored.bytes_DP[:, used] * chosen[:, None]], 1)
    losses, bits = ratio_intervals(nats, targets), ratio_intervals(nats / np.log(2), sizes)
    result: dict[str, Any] = {kind: {} for kind in GROUPS}
    for at, (kind, name) in enumerate(columns):
        told = figures(int((targets[:, at] > 0).sum()), float(nats[:, at].sum()), int(targets[:, at].sum()), int(sizes[:, at].sum()))
        told["bits_per_byte_interval"] = bits[at]
        told["perplexity_interval"] = _exponents(losses[at])
        result |= told if kind == "all" else {kind: result[kind] | {name: told}}
    return result


def groups(scored: ScoredDocuments, chosen: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """(source, language or length, name, which documents) of the groups among ``chosen``."""
    for kind, names in scored.names.items():
        values = _folded(names, scored.bytes, chosen)
        for name in ordered(kind, set(values[chosen].tolist())):
            yield kind, name, chosen & (values == name)


def overall(scored: ScoredDocuments, among: np.ndarray) -> dict[str, Any]:
    """``documents``, ``bits_per_byte`` and ``interval`` of some documents; null where they are none."""
    nats, sizes = scored.nats[among], scored.bytes[among]
    bits = float(nats.sum()) / np.log(2) / int(sizes.sum()) if sizes.sum() else None
    return {"documents": int(among.sum()), "bits_per_byte": bits, "interval": ratio_intervals(nats[:, None] / np.log(2), sizes[:, None])[0]}


def word_perplexity(scored: ScoredDocuments, *, with_line_ends: bool = False, among: np.ndarray | None = None) -> dict[str, Any]:
    """exp(nats of all tokens / words of the original): no tokenizer changes what is divided by. ``words``, ``perplexity``, ``interval``."""
    chosen = slice(None) if among is None else among
    words = (scored.words + scored.lines if with_line_ends else scored.words)[chosen]
    nats = scored.nats[chosen]
    interval = ratio_intervals(nats[:, None], words[:, None])[0]
    counted = int(words.sum())
    return {"words": counted, "perplexity": perplexity(float(nats.sum()) / max(1, counted)), "interval": _exponents(interval)}


def position(targets: np.ndarray) -> np.ndarray:
    """The group of the n-th id after ``<s>``, n from 1: int64."""
    return np.clip(np.log2(targets).astype(np.int64) - 3, 0, _POSITIONS - 1)


def position_name(group: int) -> str:
    first = 1 if group == 0 else 8 << group
    return f"{first} and more" if group == _POSITIONS - 1 else f"{first} to {(16 << group) - 1}"


def size_name(size: int) -> str:
    """The group of a document of ``size`` bytes."""
    return next(name for name, least in reversed(_SIZES) if size >= least)


def ordered(kind: str, names: Collection[str]) -> list[str]:
    """The groups of a kind as they are to be read: lengths and positions from small to large."""
    if kind == "length":
        return [name for name, _ in _SIZES if name in names]
    return sorted(names, key=lambda name: int(name.partition(" ")[0])) if kind == "position" else sorted(names)


def _folded(names: Sequence[str], sizes: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The names of the documents, those of the smaller groups beyond the fortieth replaced by one."""
    values = np.array([*names, ""], object)[:-1]
    found, codes = np.unique(values.astype(str), return_inverse=True)
    if len(found) > _MOST_GROUPS:
        held = np.bincount(codes, sizes * chosen, minlength=len(found))
        small = np.argsort(-held, kind="stable")[_MOST_GROUPS - 1 :]
        values[np.isin(codes, small)] = "all others"
    return values


def _exponents(losses: list[float] | None) -> list[float] | None:
    return None if losses is None else [perplexity(each) for each in losses]
