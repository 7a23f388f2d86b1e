"""Lines, paragraphs and sentences that stand in several documents: cookie notices, menus, footers, quoted texts. They are cut.

Two are the same if their normal forms are: lower case, each digit 0, no punctuation, nothing that does not print, one space for white
space. That is cc_net's (arXiv 1911.00359, ``normalize_for_dedup``), which drops a list of punctuation beyond ASCII where this drops
all, as RedPajama's does. Canonical forms (é in one code point or two) are told apart: ``normalize_unicode`` makes them one.
Blank lines and those of punctuation alone have no form, take no part and stay.

    cc_net                    {}                            every place of a line after the first, over all documents
    C4 (arXiv 1910.10683)     {unit: sentence, span: 3}     all but one of any three sentences in turn
    a footer                  {keep: none, max_documents: 10}   a line of more than ten documents goes from all of them

    DedupLines(unit="sentence", span=3)(table, work)
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from corpus.dedup.repeats import MOST_SOURCES, CutRule, cut_repeats, findings, keys_of
from corpus.kernels.pieces import LINE, PARAGRAPH, SENTENCE, Pieces, pieces
from corpus.kernels.runs import Runs, runs
from corpus.step import CorpusStep, Reason, Workspace, step_name

LITTLE = Reason(
    "dedup:little_beside_shared_lines", "fewer words than the limit would be left without the lines that stand in other documents too"
)
_UNITS = {"line": LINE, "paragraph": PARAGRAPH, "sentence": SENTENCE}


@final
@dataclass(frozen=True, kw_only=True)
class DedupLines(CorpusStep):
    """Sets ``cuts`` and ``characters``; a document of fewer than ``min_words`` words after it is rejected with its text whole.

    What stands in more than ``max_documents`` documents is cut. ``keep`` ``one``: but for its first place in one document; with
    ``max_documents`` 0, cc_net's, a single document's later places go too. ``keep`` ``none``: from all. ``span``: so many units in turn
    are compared, and go together. ``min_characters`` of the normal form: of shorter ones nothing is compared.

    The document that keeps it is the first by ``sources``, then one of the longest, then by a hash of its id (``repeats.rank``). 50
    words are datatrove's limit (``SentDedupConfig.min_doc_words``), which is Gopher's. Signatures, digests and all signals but ``words``
    are those of the whole text: near and exact duplicates are to come before it, and a recipe with them behind it is refused.
    """

    unit: Literal["line", "paragraph", "sentence"] = "line"
    span: int = 1
    keep: Literal["one", "none"] = "one"
    max_documents: int = 0
    min_characters: int = 1
    min_words: int = 50
    sources: tuple[str, ...] = ()

    reasons = (LITTLE,)
    fills = ("cuts",)

    def __post_init__(self) -> None:
        if min(self.span, self.min_characters, self.min_words) < 1 or self.max_documents < 0:
            raise ValueError("span, min_characters and min_words must be at least 1, max_documents at least 0")
        if self.keep == "none" and self.max_documents < 1:
            raise ValueError("keep: none with max_documents 0 would cut every line: say in how many documents one may stand")
        if len(self.sources) > MOST_SOURCES:
            raise ValueError(f"sources names more than {MOST_SOURCES}")

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        return cut_repeats(documents, keys_of(workspace.texts, self.apart), self.apart, self._rule(), self.sources, workspace)

    def findings(self, workspace: Workspace) -> dict[str, Any]:
        return findings(workspace, self._rule())

    def apart(self, text: pa.Array) -> tuple[Pieces, Runs, np.ndarray]:
        """Texts -> their units, the spans of them, and units of a span by row."""
        found, lengths = pieces(text, _UNITS[self.unit]), np.full(len(text), self.span)
        return found, runs(found, lengths, self.min_characters), lengths

    def _rule(self) -> CutRule:
        return CutRule(
            step=step_name(type(self)),
            reason=LITTLE,
            documents=max(2, self.max_documents + 1),
            all_copies=self.keep == "none",
            within=self.max_documents == 0,
            min_words=self.min_words,
        )
