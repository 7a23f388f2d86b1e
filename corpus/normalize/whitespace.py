"""White space to one form: single spaces, no spaces at line ends, at most one empty line, nothing at the edges.

NormalizeWhitespace()(batch)["text"]
"""

from dataclasses import dataclass
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from corpus import document
from corpus.kernels.whitespace import collapse
from corpus.step import DocumentStep, Reason, reject, step_name

EMPTY = Reason("text:empty", "nothing is left but white space")


@final
@dataclass(frozen=True, kw_only=True)
class NormalizeWhitespace(DocumentStep):
    """Sets ``text``; a text of white space alone is rejected. The indentation of code shrinks too."""

    rewrites_text = True
    reasons = (EMPTY,)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        batch = document.with_text(batch, collapse(batch["text"]))
        empty = pc.fill_null(pc.equal(batch["text"], ""), False)
        return reject(batch, step_name(type(self)), EMPTY, empty.to_numpy(zero_copy_only=False))
