"""What the deduplication compares: a digest of the whole text, and a MinHash signature of its shingles.

Both are measured in the fused pass, on the final text (after redaction: two pages that differ in a telephone number alone are alike).

    MinHashSignature()(SegmentWords()(batch))["signature"]
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import document
from corpus.hashing import content_digest
from corpus.kernels.shingles import signatures
from corpus.kernels.whitespace import collapse
from corpus.language.words import CHARACTER
from corpus.step import DocumentStep


@final
@dataclass(frozen=True, kw_only=True)
class TextDigest(DocumentStep):
    """Sets ``text_digest``: XXH3-128 of the text, case-folded, runs of white space as one space, trimmed. Null for no text."""

    adds = ("text_digest",)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = collapse(batch["text"], keep_lines=False).to_pylist()
        digests = [None if text is None else content_digest(text.casefold()) for text in texts]
        return document.with_column(batch, "text_digest", digests)


@final
@dataclass(frozen=True, kw_only=True)
class MinHashSignature(DocumentStep):
    """Sets ``signature``, as ``datasketch.LeanMinHash`` serializes it (little-endian); null for a text shorter than a shingle.

    112 permutations over shingles of 5 words are FineWeb's (arXiv 2406.17557). In scripts without spaces a word is a character, and a
    shingle takes 10 of them: a Chinese word has about 1.5 to 2 characters, so that both shingles cover about the same content.
    """

    permutations: int = 112
    ngram: int = 5
    character_ngram: int = 10
    seed: int = 1

    reads = ("words",)
    adds = ("signature",)

    def __post_init__(self) -> None:
        if self.permutations < 2 or self.ngram < 1 or self.character_ngram < 1:
            raise ValueError("permutations must be at least 2, ngram and character_ngram at least 1")

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        ngrams = shingle_lengths(batch, self.ngram, self.character_ngram)
        return document.with_column(batch, "signature", signatures(batch["text"], batch["words"], ngrams, self.permutations, self.seed))


def shingle_lengths(batch: pa.RecordBatch, ngram: int, character_ngram: int) -> np.ndarray:
    """Words of a shingle by row, int64 (rows,). Reads the signal ``word_unit``."""
    by_character = pc.fill_null(pc.equal(batch[document.SIGNAL + "word_unit"], CHARACTER), False).to_numpy(zero_copy_only=False)
    return np.where(by_character, character_ngram, ngram)
