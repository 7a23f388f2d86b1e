"""Segments the text into words, once for all steps that count, compare or look them up.

SegmentWords()(batch)["signals.words"]
"""

from dataclasses import dataclass
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from corpus import document
from corpus.kernels.characters import WITHOUT_SPACES
from corpus.kernels.words import dominant_scripts, words
from corpus.step import DocumentStep

WORD, CHARACTER = "word", "character"


@final
@dataclass(frozen=True, kw_only=True)
class SegmentWords(DocumentStep):
    """Adds ``words`` (byte offsets, see ``kernels.words``), their number, and what one is.

    ``word_unit`` is ``character`` where most letters are of a script written without spaces: there each character counts as a
    word, and rules about the length of words do not apply.
    """

    adds = ("words",)
    signals = {"words": pa.int32(), "word_unit": pa.string()}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        found = words(batch["text"])
        count = pc.divide(pc.list_value_length(found), 2)
        without_spaces = pc.is_in(dominant_scripts(batch["text"]), pa.array(WITHOUT_SPACES))
        unit = pc.if_else(without_spaces, CHARACTER, WORD)
        return document.with_signals(document.with_column(batch, "words", found), {"words": count.cast(pa.int32()), "word_unit": unit})
