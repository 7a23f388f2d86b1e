"""An n-gram model as a file: hashes of n-grams, their probabilities and back-off weights, and a digest that tells damage.

What KenLM keeps in its ARPA files, without the words: an n-gram is known by a hash of 64 bits, so that a million of them are 16 MB.

    model = NgramModel.read("de.npz")
    model.perplexities(texts, words)
"""

import io
import zipfile
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Self, final

import numpy as np
import pyarrow as pa
import xxhash

from corpus.errors import AssetError
from corpus.kernels.ngram_model import log_probabilities, sentences
from corpus.kernels.ngrams import Table
from corpus.storage import locate

_FORMAT = 1


@final
@dataclass(frozen=True)
class NgramModel:
    """``keys`` uint64 (n-grams,) ascending; ``logs`` and ``backoffs`` float32: log10 of the probability of the last word after the others,
    and of the weight that shorter n-grams have after this one. ``unknown``: log10 of the probability of one word that was not met.
    """

    order: int
    keys: np.ndarray
    logs: np.ndarray
    backoffs: np.ndarray
    unknown: float

    @cached_property
    def table(self) -> Table:
        return Table.of(self.keys, tuple(range(1, self.order + 1)))

    @property
    def digest(self) -> str:
        """Of all that it says, 32 hex digits."""
        hasher = xxhash.xxh3_128()
        for each in (np.array([_FORMAT, self.order]), self.keys, self.logs, self.backoffs, np.array([self.unknown])):
            hasher.update(each.astype(each.dtype.newbyteorder("<")).tobytes())
        return hasher.hexdigest()

    def log_probabilities(self, text: pa.Array, words: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
        """Strings and their words (rows,) -> the sum of log10 probabilities, float64, and the number of words and ends of lines, int64."""
        return log_probabilities(*sentences(text, words), self.order, self.table, self.logs, self.backoffs, self.unknown)

    def perplexities(self, text: pa.Array, words: pa.ListArray) -> pa.Array:
        """Strings and their words (rows,) -> 10 ** (-log10 of the probability / predicted), rounded to 2 digits; null without a word."""
        totals, predicted = self.log_probabilities(text, words)
        values = np.power(10.0, np.minimum(-totals / np.maximum(predicted, 1), 300.0)).round(2)
        return pa.array(values, pa.float64(), mask=predicted == 0)

    def write(self, path: str) -> None:
        packed = io.BytesIO()
        digest = np.frombuffer(bytes.fromhex(self.digest), np.uint8)
        facts = {"format": np.int64(_FORMAT), "order": np.int64(self.order), "unknown": np.float64(self.unknown), "digest": digest}
        np.savez(packed, **facts, keys=self.keys, logs=self.logs, backoffs=self.backoffs)  # type: ignore[arg-type]
        try:
            locate(path).write_bytes(packed.getvalue())
        except OSError as error:
            raise AssetError("cannot write the model", where=path, hint=error.strerror or str(error)) from error

    @classmethod
    def read(cls, path: str) -> Self:
        """Raises AssetError for a file that is no model, or a damaged one."""
        hint = "train one with `gristmill train-perplexity`"
        try:
            content = locate(path).read_bytes()
        except OSError as error:
            raise AssetError("cannot read the model", where=path, hint=error.strerror or str(error)) from error
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                arrays = dict(stored.items())
            if int(arrays["format"]) != _FORMAT:
                raise AssetError(f"a model of format {int(arrays['format'])}, and this version reads {_FORMAT}", where=path, hint=hint)
            made = cls(int(arrays["order"]), arrays["keys"], arrays["logs"], arrays["backoffs"], float(arrays["unknown"]))
            if made.digest != arrays["digest"].tobytes().hex():
                raise AssetError("the n-gram model is damaged", where=path, hint=hint)
        except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise AssetError("this is no n-gram model", where=path, hint=hint) from error
        return made


@lru_cache(maxsize=64)
def load(path: str) -> NgramModel:
    """The model of a file, read once in a process."""
    return NgramModel.read(path)
