"""Trains an n-gram model with modified Kneser-Ney smoothing (Chen and Goodman 1998), interpolated, as KenLM does, from counts in memory.

result = train_perplexity(read_texts([Path("wikipedia")], "de"), Path("de.npz"), order=5)
print(result)
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import hashing
from corpus.errors import InputError
from corpus.kernels.ngram_model import START, grams, sentences
from corpus.kernels.words import words
from corpus.quality.ngram_model import NgramModel
from corpus.storage import json_bytes, locate

HELD_OUT = 0.02
MIN_COUNTS = (1, 1, 2, 2, 2)  # of n-grams by length: those of three words and more that were met once are half of all and tell little
_BATCH, _PENDING = 500, 4_000_000  # texts that are counted at once; n-grams that wait to be added up, 100 MB


@final
@dataclass(frozen=True)
class Trained:
    """``grams``: how many of each length the model keeps; ``perplexity``: of the held-out texts together, NaN if there are none."""

    model: Path
    texts: int
    held_out: int
    grams: tuple[int, ...]
    perplexity: float
    digest: str

    def __str__(self) -> str:
        kept = ", ".join(f"{count:,} of {length}" for length, count in enumerate(self.grams, 1))
        told = f"perplexity of {self.held_out:,} held out: {self.perplexity:,.1f}" if self.held_out else "none was held out"
        return f"{self.model}: trained on {self.texts:,} texts; n-grams by words: {kept}; {told}; digest {self.digest}"


def read_texts(paths: Sequence[Path], language: str = "") -> Iterator[str]:
    """Texts of Parquet and JSON lines (field ``text``; with ``language`` only rows of that language), other files whole, and the Parquet
    files of a folder, those of a corpus of ours in its ``documents``. Raises InputError with file and line.
    """
    for path in paths:
        inside = path / "documents" if (path / "documents").is_dir() else path
        files = sorted(inside.glob("*.parquet")) if inside.is_dir() else [inside]
        if not files:
            raise InputError("no Parquet file in the folder", where=str(path))
        for file in files:
            try:
                yield from _texts_of(file, language)
            except FileNotFoundError:
                raise InputError("no such file", where=str(file)) from None
            except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
                raise InputError("cannot read the texts", where=str(file), hint=str(error).partition("\n")[0]) from error


def train_perplexity(texts: Iterable[str], output: Path, *, order: int = 5, min_counts: Sequence[int] = MIN_COUNTS) -> Trained:
    """Count, smooth, measure on the fiftieth of the texts that is held out (by hash), write the model and ``.json``, its card, beside it.

    ``min_counts``: how often an n-gram of a length must have been met to be kept, ascending; the last stands for all longer ones. The share
    of those that are not kept goes to shorter ones, so that probabilities sum to one. About 150 bytes of memory a different n-gram.
    """
    counted = [Grams.none() for _ in range(order)]
    held_out: list[str] = []
    taken = 0
    source = iter(texts)
    while batch := list(islice(source, _BATCH)):
        is_held = [hashing.fraction(text, "held-out") < HELD_OUT for text in batch]
        held_out += [text for text, held in zip(batch, is_held, strict=True) if held]
        column = pa.array([text for text, held in zip(batch, is_held, strict=True) if not held], pa.string())
        taken += len(column)
        tokens, _ = sentences(column, words(column))
        counted = [each.plus(grams(tokens, length)) for length, each in enumerate(counted, 1)]
    model, kept = smoothed([each.added() for each in counted], [min_counts[min(at, len(min_counts) - 1)] for at in range(order)])
    model.write(str(output))
    column = pa.array(held_out, pa.string())
    totals, predicted = model.log_probabilities(column, words(column))
    perplexity = float(10 ** (-totals.sum() / predicted.sum())) if predicted.sum() else float("nan")
    result = Trained(output, taken, len(held_out), kept, round(perplexity, 2), model.digest)
    card = {"order": order, "texts": taken, "held_out": len(held_out), "grams": kept, "digest": model.digest}
    card |= {"perplexity": None if perplexity != perplexity else round(perplexity, 2), "min_counts": list(min_counts)}
    locate(str(output.with_suffix(".json"))).write_bytes(json_bytes(card))
    return result


@final
@dataclass(frozen=True)
class Grams:
    """Different n-grams of one length: keys, keys without the last word and without the first, whether START is the first, how often met;
    ``waiting``: the same, not yet added up.
    """

    columns: tuple[np.ndarray, ...]
    waiting: tuple[tuple[np.ndarray, ...], ...] = ()

    @classmethod
    def none(cls) -> Self:
        return cls((*(np.zeros(0, np.uint64) for _ in range(3)), np.zeros(0, bool), np.zeros(0, np.int64)))

    def plus(self, found: tuple[np.ndarray, ...]) -> "Grams":
        keys, first, counts = np.unique(found[0], return_index=True, return_counts=True)
        more = (*self.waiting, (keys, *(column[first] for column in found[1:]), counts))
        grown = Grams(self.columns, more)
        return grown.added() if sum(len(each[0]) for each in more) > max(_PENDING, len(self.columns[0])) else grown

    def added(self) -> "Grams":
        """Nothing waits any more; keys ascend."""
        *parts, counts = (np.concatenate(each) for each in zip(self.columns, *self.waiting, strict=True))
        keys, first, inverse = np.unique(parts[0], return_index=True, return_inverse=True)
        total = np.bincount(inverse, counts, len(keys)).astype(np.int64)
        return Grams((keys, *(part[first] for part in parts[1:]), total))


def smoothed(counted: Sequence[Grams], min_counts: Sequence[int]) -> tuple[NgramModel, tuple[int, ...]]:
    """Different n-grams of 1 to N words with their counts -> the model, and how many of each length it keeps.

    The probability of word w after context c is (a(cw) - D(a(cw))) / a(c.) + weight(c) * that of w after c without its first word; a is how
    often it was met for the longest n-grams and those from START, else the number of different words before it; weight(c) is the share of
    all that was taken away from c's n-grams; the shortest context shares it equally among all different words and one more.
    """
    if not len(counted[0].columns[0]):
        raise InputError("no word to learn from", hint="give texts in Parquet, JSON lines or plain files")
    shorter, unknown, kept_by_length = np.zeros(0), 0.0, []
    parts: list[tuple[np.ndarray, np.ndarray]] = []  # of each length: kept keys, log10 of probabilities
    weights: list[tuple[np.ndarray, np.ndarray]] = []  # of each length: keys of contexts, log10 of their weights
    for length, each in enumerate(counted, 1):
        keys, contexts, suffixes, from_start, met = each.columns
        adjusted = met.copy()
        if length < len(counted):
            before = _find(keys, counted[length].columns[2])
            adjusted = np.where(from_start, met, np.bincount(before, minlength=len(keys)))
        predicted = keys != START if length == 1 else np.ones(len(keys), bool)
        kept = (met >= min_counts[length - 1]) & predicted
        taken = np.where(kept, discounts(adjusted[predicted])[np.minimum(adjusted, 3)], adjusted)
        groups, group = np.unique(contexts, return_inverse=True)
        totals = np.bincount(group, adjusted * predicted, len(groups))
        weight = np.bincount(group, taken * predicted, len(groups)) / np.maximum(totals, 1)
        if length == 1:
            unknown = float(weight[0] / (predicted.sum() + 1))
            lower = np.full(len(keys), unknown)
        else:
            weights.append((groups, np.log10(weight)))
            lower = weight[group] * shorter[np.minimum(_find(counted[length - 2].columns[0], suffixes), len(shorter) - 1)]
        shorter = (adjusted - taken) / np.maximum(totals, 1)[group] + lower
        stored = kept | ~predicted
        parts.append((keys[stored], np.log10(np.where(predicted, shorter, 1.0))[stored]))
        kept_by_length.append(int(kept.sum()))
    keys, logs = (np.concatenate(column) for column in zip(*parts, strict=True))
    backoffs = np.zeros(len(keys))
    order = np.argsort(keys)
    keys, logs = keys[order], logs[order]
    for contexts, values in weights:
        at = np.minimum(_find(keys, contexts), len(keys) - 1)
        stands = keys[at] == contexts
        backoffs[at[stands]] = values[stands]
    model = NgramModel(len(counted), keys, logs.astype(np.float32), backoffs.astype(np.float32), float(np.log10(unknown)))
    return model, tuple(kept_by_length)


def discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from an n-gram met 0, 1, 2, 3 or more times, by how many were met 1 to 4 times (Chen and Goodman, equation 26).

    Where the text is too small for that formula: 0.5, 1 and 1.5, as KenLM's ``--discount_fallback``.
    """
    n1, n2, n3, n4 = (int((counts == times).sum()) for times in (1, 2, 3, 4))
    if min(n1, n2, n3, n4) > 0:
        share = n1 / (n1 + 2 * n2)
        found = np.array([0.0, 1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3])
        if all(0 < found[times] <= times for times in (1, 2, 3)):
            return found
    return np.array([0.0, 0.5, 1.0, 1.5])


def _find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.searchsorted(keys, wanted)


def _texts_of(file: Path, language: str) -> Iterator[str]:
    if file.suffix == ".parquet":
        with pq.ParquetFile(file) as stored:
            columns = ["text", *(["language"] if language else [])]
            if missing := set(columns) - set(stored.schema_arrow.names):
                raise InputError(f"no column {min(missing)!r}", where=str(file))
            for batch in stored.iter_batches(_BATCH, columns=columns):
                yield from (row["text"] for row in batch.to_pylist() if row["text"] and row.get("language", "") == language)
    elif file.suffix == ".jsonl":
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    row = json.loads(line)
                    text = row["text"]
                except (ValueError, KeyError, TypeError):
                    raise InputError("no text", where=f"{file}:{number}", hint='expected {"text": …}') from None
                if isinstance(text, str) and (not language or row.get("language") == language):
                    yield text.encode("utf-8", "replace").decode()  # JSON may hold half a surrogate pair
    else:
        yield file.read_text(encoding="utf-8")
