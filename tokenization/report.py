"""Tokenizers of one corpus side by side: what each language and source costs, which tokens are hardly met, and the page of it.

What a language costs is measured on documents held out from training (``tokenization.sample.held_out``); how often a token is met, on the
beginning of the training split. Parity is by words, which in scripts without spaces are characters: texts of the same content, as Petrov
et al. 2023 compare, are not to be had from a corpus.

    measured = [measure("bpe", load("build/demo/tokenizer"), locate("build/demo/corpus"))]
    write(measured, Path("build/demo/tokenizers"))       # tokenizers.html, tokenizers.json
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.errors import InputError
from corpus.kernels.words import words
from corpus.report import plots
from corpus.report.page import style, template
from corpus.storage import Place, json_bytes, locate
from tokenization import fertility
from tokenization.sample import Sample, Text, held_out
from tokenization.tokenizer import Tokenizer

PAGE, FIGURES = "tokenizers.html", "tokenizers.json"
COUNTED_BYTES = 20_000_000  # of training text that the tokens are counted in
RARE = 20  # a token met fewer times is called rare: its row of the embedding is hardly moved
_SHOWN = 40
_CACHED_WORDS = 200_000


def measure(
    name: str, tokenizer: Tokenizer, corpus: Place, *, sample_bytes: int = COUNTED_BYTES, norms: np.ndarray | None = None
) -> dict[str, Any]:
    """All figures of one tokenizer. ``norms``: of its rows in a trained model's embedding, float (vocabulary,); the smallest belong to
    tokens that were hardly trained (Land & Bartolo 2024).

    Raises InputError where the corpus has nothing held out, or the embedding has other rows than the tokenizer ids.
    """
    if norms is not None and len(norms) != tokenizer.vocabulary:
        told = f"{len(norms):,} rows for {tokenizer.vocabulary:,} ids"
        raise InputError("the model was trained with another tokenizer", where=name, hint=told)
    texts = list(held_out(corpus))
    if not texts:
        raise InputError("nothing is held out to measure on", where=corpus.uri, hint="curate with split_by_cluster.validation above 0")
    tables = costs(tokenizer, texts)
    base = tables["language"][0]["tokens_per_word"] or 1.0  # of the language with the most text
    for row in tables["language"]:
        row["parity"] = round(row["tokens_per_word"] / base, 3)
    return {
        "name": name,
        "kind": tokenizer.kind,
        "digest": tokenizer.digest,
        "vocabulary": tokenizer.vocabulary,
        **tables,
        "use": use(tokenizer, Sample(corpus, sample_bytes).texts(), norms),
    }


def costs(tokenizer: Tokenizer, texts: Iterable[Text]) -> dict[str, Any]:
    """Rows of the whole (``all``), by ``language`` and by ``source``, most bytes first.

    ``continued_share``: of the words, those of more than one token (Rust et al. 2021), each written alone with and without a space before
    it. ``byte_share``, ``unknown_share``: of the tokens, those for a single byte, and those for what has none.
    """
    totals: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(7, np.int64))
    is_byte, continued = tokenizer.is_byte(), _continued(tokenizer)
    for each in texts:
        ids, encoded = tokenizer.encode(each.text), each.text.encode()
        spans = words(pa.array([each.text]))[0].as_py()
        found = [encoded[start:end].decode() for start, end in zip(spans[::2], spans[1::2], strict=True)]
        row = [*fertility.counted(tokenizer, is_byte, each.text, ids, len(found)), sum(map(continued, found))]
        for key in (("all", "all"), ("language", each.language or "unknown"), ("source", each.source or "unknown")):
            totals[key] += row
    rows: dict[str, list[dict[str, Any]]] = {"all": [], "language": [], "source": []}
    for (kind, group), count in totals.items():
        row_of = {"group": group, **fertility.costs(count[:6])}
        row_of["continued_share"] = round(float(count[6] / max(1, count[2])), 6)
        row_of["unknown_share"] = round(float(count[5] / max(1, count[3])), 6)
        rows[kind].append(row_of)
    ordered = {kind: sorted(each, key=lambda row: (-row["bytes"], row["group"])) for kind, each in rows.items()}
    return {"all": ordered["all"][0], "language": ordered["language"], "source": ordered["source"]}


def use(tokenizer: Tokenizer, texts: Iterable[str], norms: np.ndarray | None) -> dict[str, Any]:
    """How often the tokens are met: ``unused`` never, ``rare`` fewer than 20 times. Special tokens and single bytes, which are there for
    what is not met, are not among them."""
    counts, size = np.zeros(tokenizer.vocabulary, np.int64), 0
    for text in texts:
        counts += np.bincount(tokenizer.encode(text), minlength=tokenizer.vocabulary)
        size += len(text.encode())
    pieces = tokenizer.pieces()
    ordinary = ~tokenizer.is_byte()
    silent = {tokenizer.special.bos, tokenizer.special.eos, tokenizer.special.pad, tokenizer.special.unknown}
    ordinary[[number for number, piece in enumerate(pieces) if number in silent or not piece or piece.startswith("<|")]] = False
    judged = np.flatnonzero(ordinary)
    rarest = judged[np.argsort(counts[judged], kind="stable")]
    rarest = rarest[counts[rarest] < RARE]
    found = {
        "bytes": size,
        "tokens": int(counts.sum()),
        "judged": len(judged),
        "unused": int((counts[judged] == 0).sum()),
        "rare": len(rarest),
        "rarest": [{"id": int(each), "piece": pieces[each], "count": int(counts[each])} for each in rarest[:_SHOWN]],
        "histogram": _histogram(counts[judged]),
    }
    if norms is None:
        return found
    smallest = judged[np.argsort(norms[judged], kind="stable")][:_SHOWN]
    told = [{"id": int(each), "piece": pieces[each], "count": int(counts[each]), "norm": round(float(norms[each]), 4)} for each in smallest]
    return found | {"untrained": told, "median_norm": round(float(np.median(norms[judged])), 4)}


def write(measured: Sequence[Mapping[str, Any]], output: Path) -> Path:
    """``tokenizers.json`` and ``tokenizers.html``; returns where the page lies."""
    place = locate(str(output))
    place.make_folder()
    (place / FIGURES).write_bytes(json_bytes({"tokenizers": list(measured), "rare": RARE}))
    languages = [row["group"] for row in measured[0]["language"]][:12]
    by_name = {each["name"]: {row["group"]: row for row in each["language"]} for each in measured}

    def bars(field: str) -> dict[str, dict[str, float]]:
        return {language: {name: rows[language][field] for name, rows in by_name.items()} for language in languages}

    page = template("tokenization.resources", "tokenizers.html.j2").render(
        measured=measured, tokens_per_word=bars("tokens_per_word"), bytes_per_token=bars("bytes_per_token"), parity=bars("parity"),
        rare=RARE, plots=plots, style=style(),
    )  # fmt: skip
    (place / PAGE).write_bytes(page.encode())
    return output / PAGE


def _continued(tokenizer: Tokenizer) -> Callable[[str], bool]:
    def of(word: str) -> bool:
        return len(tokenizer.encode(f" {word}")) > 1 and len(tokenizer.encode(word)) > 1

    return lru_cache(_CACHED_WORDS)(of)


def _histogram(counts: np.ndarray) -> dict[str, list[Any]]:
    """How many tokens are met never, once, 2 to 3, 4 to 7, … times: edges as powers of 2, the first bin for never."""
    powers = np.where(counts > 0, np.floor(np.log2(np.maximum(counts, 1))).astype(int) + 1, 0)
    found = Counter(powers.tolist())
    last = max(found, default=0)
    return {"edges": list(range(last + 2)), "counts": [found[each] for each in range(last + 1)]}
