"""Lists of stop words, for the rules that ask for some of them, and their counts.

A rule about stop words is applied to languages that have a list and to no others. Where the lists come from stands in their folder.

    stop_words("de") -> frozenset({"der", "die", …})
    count_stop_words(batch, "lower") -> (all that stand in each text, the different ones)
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.kernels.phrases import Fold, Phrases, count_phrases, phrases

FOLDER = "corpus.resources.stopwords"


@lru_cache(maxsize=256)
def stop_words(language: str | None) -> frozenset[str] | None:
    """The words in lower case; None where there is no list for the language (an ISO 639-1 code)."""
    if language not in languages():
        return None
    return frozenset(resources.files(FOLDER).joinpath(f"{language}.txt").read_text(encoding="utf-8").split())


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The languages that have a list."""
    return tuple(sorted(entry.name.removesuffix(".txt") for entry in resources.files(FOLDER).iterdir() if entry.name.endswith(".txt")))


def count_stop_words(batch: pa.RecordBatch, fold: Fold, own: Mapping[str, frozenset[str]] | None = None) -> tuple[pa.Array, pa.Array]:
    """Columns text, words, language -> (stop words of the language, different ones), int32; null where there is no list or no text.

    ``own``: lists that stand in for ours, by language.
    """
    told = batch["language"].to_pylist()
    counts = np.zeros((2, batch.num_rows), np.int32)
    known = np.zeros(batch.num_rows, dtype=bool)
    for language in set(told):
        listed = (own or {}).get(language or "") or stop_words(language)
        if listed is not None:
            rows = np.array([row for row, each in enumerate(told) if each == language])
            counts[:, rows] = count_phrases(batch["text"], batch["words"], _compiled(listed, fold), rows, fold)
            known[rows] = True
    mask = ~(known & pc.is_valid(batch["text"]).to_numpy(zero_copy_only=False))
    return pa.array(counts[0], mask=mask), pa.array(counts[1], mask=mask)


@lru_cache(maxsize=256)
def _compiled(listed: frozenset[str], fold: Fold) -> Phrases:
    return phrases([(word,) for word in sorted(listed)], fold)
