"""How well a tokenizer fits each language: tokens a word, bytes a token, and how much fell back to bytes or is unknown.

fertility(tokenizer, [("en", "The mill grinds."), …]) -> [{"language": "en", "tokens_per_word": 1.33, …}, …]
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.kernels.words import words
from tokenization.tokenizer import Tokenizer


def fertility(tokenizer: Tokenizer, texts: Iterable[tuple[str | None, str]]) -> list[dict[str, Any]]:
    """(language, text) -> a row a language, most bytes first.

    Fertility is tokens a word (Rust et al. 2021, "How Good is Your Tokenizer?"), words as ``corpus.kernels.words`` has them: a
    character each in scripts without spaces. ``byte_share``: tokens that stand for one byte of a character without a piece.
    """
    totals: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(6, np.int64))
    is_byte = tokenizer.is_byte()
    for language, text in texts:
        ids = tokenizer.encode(text)
        found = int(pc.sum(pc.list_value_length(words(pa.array([text])))).as_py()) // 2
        totals[language or "unknown"] += counted(tokenizer, is_byte, text, ids, found)
    rows = [{"language": language, **costs(count), "unknown": int(count[5])} for language, count in totals.items()]
    return sorted(rows, key=lambda row: (-row["bytes"], row["language"]))


def counted(tokenizer: Tokenizer, is_byte: np.ndarray, text: str, ids: np.ndarray, found: int) -> np.ndarray:
    """Of one document with ``found`` words: documents, bytes, words, tokens, tokens for a single byte, unknown ones; int64 (6,)."""
    unknown = 0 if tokenizer.special.unknown is None else (ids == tokenizer.special.unknown).sum()
    return np.array([1, len(text.encode()), found, len(ids), is_byte[ids].sum(), unknown], np.int64)


def costs(count: np.ndarray) -> dict[str, Any]:
    """Sums of :func:`counted` as a row of a table."""
    documents, size, found, tokens, fallback, _ = count.tolist()
    return {
        "documents": documents,
        "bytes": size,
        "words": found,
        "tokens": tokens,
        "tokens_per_word": round(tokens / max(1, found), 4),
        "bytes_per_token": round(size / max(1, tokens), 4),
        "byte_share": round(fallback / max(1, tokens), 6),
    }
