"""Perplexity under an n-gram model: how much a text surprises one that has read good text of its language.

cc_net (arXiv 1911.00359) divides each language by it into head, middle and tail; its models are of Wikipedia. None comes with us: train
one, from a Wikipedia or any text that you think well of, with `gristmill train-perplexity wikipedia/ --language de --output de.npz`.
Perplexities of two models cannot be compared, so thresholds are percentiles:

    steps:  [..., segment_words, {perplexity: {models: {de: de.npz, en: en.npz}}}]
    corpus: [..., {keep_percentiles: {signal: perplexity, max_percentile: 30, by: [language]}}]     # cc_net's head
"""

from dataclasses import dataclass, field
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.quality.ngram_model import load
from corpus.step import Filter, Reason, Rule

TOO_PLAIN = Reason("perplexity:too_low", "the model foresees the text too well: a list, a form, the same again and again")
TOO_STRANGE = Reason("perplexity:too_high", "the text surprises a model of its language too much")


@final
@dataclass(frozen=True, kw_only=True)
class Perplexity(Filter):
    """Measures ``perplexity``: 10 ** (-mean log10 probability of a word or an end of line). ``models``: files by language, ``""`` for all
    that have none of their own; without either the signal is null. The bounds reject nothing until they are set.

    As KenLM with its defaults: a sentence is a line, modified Kneser-Ney. Words are those of ``segment_words``, in lower case, every digit
    a 0, without punctuation (cc_net normalises likewise, and scores pieces of words). A word that the model has not met has the
    probability of one such word, not of all together: noise does not look familiar.
    """

    models: dict[str, str] = field(default_factory=dict)
    min_perplexity: float = 0.0
    max_perplexity: float = 1e9

    reads = ("words",)
    signals = {"perplexity": pa.float64()}
    reasons = (TOO_PLAIN, TOO_STRANGE)

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models names no model: give a file for a language, or for all as ''")

    def assets(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.models.values())))

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        paths = [self.models.get(language or "", self.models.get("")) for language in batch["language"].to_pylist()]
        found = pa.nulls(batch.num_rows, pa.float64())
        for path in sorted({path for path in paths if path}):
            mine = pa.array(np.array([each == path for each in paths], dtype=bool))
            told = load(path).perplexities(batch["text"].filter(mine), batch["words"].filter(mine))
            found = pc.replace_with_mask(found, mine, told)
        return {"perplexity": found}

    def rules(self) -> tuple[Rule, ...]:
        return (
            Rule(TOO_PLAIN, "perplexity", "<", self.min_perplexity),
            Rule(TOO_STRANGE, "perplexity", ">", self.max_perplexity),
        )
