"""Passages that stand more than once, wherever they begin and end: every run of 50 words or more, cut but for its first place.

Deduplicating Training Data Makes Language Models Better (arXiv 2107.06499) finds them with a suffix array of the whole corpus in one
machine's memory. Here two rounds of keys do, on Spark: a sample of shorter runs, chosen by what they say (winnowing), shows where
anything of the length can be repeated at all; there, and nowhere else, every run of the length is compared.

    texts ─winnow─> 8 keys a 100 words ─met twice─> places ─runs of 50 around them─> keys of 128 bits ─met twice─> cut

    DedupSubstrings(length=50)(table, work)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus.dedup.repeats import KEYS, MOST_SOURCES, ORIGIN, CutRule, cut_repeats, findings, key_rows, live
from corpus.kernels.characters import WITHOUT_SPACES
from corpus.kernels.pieces import Pieces, word_pieces
from corpus.kernels.runs import Runs, near, prints, runs
from corpus.kernels.words import dominant_scripts
from corpus.step import CorpusStep, Reason, Workspace, step_name
from corpus.tasks import guarded

LITTLE = Reason(
    "dedup:little_beside_shared_passages", "fewer words than the limit would be left without the passages that stand elsewhere too"
)


@final
@dataclass(frozen=True, kw_only=True)
class DedupSubstrings(CorpusStep):
    """Sets ``cuts`` and ``characters``; a document of fewer than ``min_words`` words after it is rejected with its text whole.

    A word is cut if, and only if, it lies in ``length`` words in turn that also stand in a document of lower rank
    (``repeats.rank``), or earlier in its own, apart from these. So every repeated run of ``length`` words or more is found, all of it, and
    nothing shorter. Words are compared in lower case, without the punctuation between them, by 128 bits: among 1e12 runs two different
    ones meet with probability 1e-15. Where most letters are of a script without spaces a word is a character, and a run has
    ``character_length``, about as much text; a passage that stands in documents of both kinds is not found.

    50 are the paper's tokens, and RefinedWeb's. What is not repeated around a cut closes up. As for ``dedup_lines``, near and exact
    duplicates are to come before it.
    """

    length: int = 50
    character_length: int = 100
    min_words: int = 50
    sources: tuple[str, ...] = ()

    reasons = (LITTLE,)
    fills = ("cuts",)

    def __post_init__(self) -> None:
        if min(self.length, self.character_length) < 2 or self.min_words < 1:
            raise ValueError("length and character_length must be at least 2, min_words at least 1")
        if len(self.sources) > MOST_SOURCES:
            raise ValueError(f"sources names more than {MOST_SOURCES}")

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        texts = workspace.texts.select("id", "origin", "text")
        winnowed = texts.mapInArrow(guarded(self._winnow), f"{ORIGIN}, prints array<bigint>")
        alive = live(documents, self.sources).drop("rank")
        held = workspace.materialise("prints", lambda: winnowed.join(alive, ["id", "origin"]))
        each = held.select("id", "origin", F.posexplode("prints").alias("number", "print"))
        several = each.groupBy("print").count().where(F.col("count") > 1).select("print")
        places = each.join(several, "print").groupBy("id", "origin").agg(F.sort_array(F.collect_list("number")).alias("numbers"))
        keys = texts.join(places, ["id", "origin"]).mapInArrow(guarded(self._keys), KEYS)
        return cut_repeats(documents, keys, self.apart, self._rule(), self.sources, workspace)

    def findings(self, workspace: Workspace) -> dict[str, Any]:
        return findings(workspace, self._rule())

    def apart(self, text: pa.Array) -> tuple[Pieces, Runs, np.ndarray]:
        """Texts -> their words, the runs of them, and words of a run by row."""
        found, lengths = word_pieces(text), self._lengths(text)
        return found, runs(found, lengths), lengths

    def _lengths(self, text: pa.Array) -> np.ndarray:
        by_character = pc.is_in(dominant_scripts(text), pa.array(WITHOUT_SPACES)).to_numpy(zero_copy_only=False)
        return np.where(by_character, self.character_length, self.length)

    def _rule(self) -> CutRule:
        return CutRule(step=step_name(type(self)), reason=LITTLE, min_words=self.min_words)

    def _winnow(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found, _, ends = prints(word_pieces(batch["text"]), self._lengths(batch["text"]))
            listed = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(found.view(np.int64)))
            yield pa.RecordBatch.from_arrays([batch["id"], batch["origin"], listed], ["id", "origin", "prints"])

    def _keys(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows (id, origin, text, numbers): which of their prints stand elsewhere too -> keys of the runs that hold one of those."""
        for batch in batches:
            words, found, lengths = self.apart(batch["text"])
            _, places, ends = prints(words, lengths)
            bounds = batch["numbers"].offsets.to_numpy().astype(np.int64)
            bounds -= bounds[0]
            numbers = batch["numbers"].flatten().to_numpy(zero_copy_only=False) + np.repeat(ends[:-1], np.diff(bounds))
            yield key_rows(batch, found, lengths, near(found, lengths, places[numbers], bounds))
