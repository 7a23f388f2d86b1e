"""White space to one form: single spaces, no spaces at line ends, at most one empty line, nothing at the edges.

NormalizeWhitespace()(batch)["text"]
"""

import re
from dataclasses import dataclass
from typing import final

import numpy as np
import pyarrow as pa

from corpus import document
from corpus.step import DocumentStep, Reason, reject, step_name

EMPTY = Reason("text:empty", "nothing is left but white space")

_SPACES = re.compile("[^\\S\n]+")  # a run of any white space but newlines; indentation of code shrinks with it
_AROUND_NEWLINES = re.compile(" ?\n ?")
_EMPTY_LINES = re.compile("\n{3,}")


@final
@dataclass(frozen=True, kw_only=True)
class NormalizeWhitespace(DocumentStep):
    """Sets ``text``; a text of white space alone is rejected."""

    rewrites_text = True
    reasons = (EMPTY,)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = [None if text is None else normal(text) for text in batch["text"].to_pylist()]
        batch = document.with_text(batch, texts)
        return reject(batch, step_name(type(self)), EMPTY, np.array([text == "" for text in texts], dtype=bool))


def normal(text: str) -> str:
    """Idempotent."""
    return _EMPTY_LINES.sub("\n\n", _AROUND_NEWLINES.sub("\n", _SPACES.sub(" ", text))).strip()
