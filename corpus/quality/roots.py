"""The filters of ROOTS (arXiv 2303.03915, appendix B) in the form and with the default values that Data-Juicer gives them (2309.02033).

RootsQuality(max_special_characters=0.3)(batch)
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.kernels.recurrence import recurrence
from corpus.language.stopwords import count_stop_words
from corpus.step import Filter, Reason, Rule

REPEATED_CHARACTERS = Reason("roots:repeated_characters", "too much of the text lies in its most frequent runs of characters")
REPEATED_WORDS = Reason("roots:repeated_words", "too large a share of the runs of words stands more than once")
SPECIAL_CHARACTERS = Reason("roots:special_characters", "too much of the text is punctuation, digits, white space and symbols")
TOO_FEW_STOP_WORDS = Reason("roots:too_few_stop_words", "too small a share of the words is stop words of its language")
TOO_FEW_WORDS = Reason("roots:too_few_words", "fewer words than the limit")
TOO_MANY_WORDS = Reason("roots:too_many_words", "more words than the limit")


@final
@dataclass(frozen=True, kw_only=True)
class RootsQuality(Filter):
    """Thresholds are Data-Juicer's defaults; runs of 10 characters and of 10 words. Special characters are all that are neither letter nor
    mark. The share of stop words is asked for in languages that have a list.

    The family's other rules are ours already: the score of the language is ``identify_language: {min_score: 0.7}``, flagged words are
    ``toxic_words: {max_fraction: 0.1}``. Perplexity (at most 10,000) asks for a model of each language that does not come with us.
    """

    max_repeated_characters: float = 0.2
    max_repeated_words: float = 0.3
    max_special_characters: float = 0.4
    min_stop_words: float = 0.1
    min_words: int = 10
    max_words: int = 100_000
    characters_in_turn: int = 10
    words_in_turn: int = 10

    reads = ("words",)
    signals = {
        "roots_repeated_characters": pa.float64(),
        "roots_repeated_words": pa.float64(),
        "roots_special_characters": pa.float64(),
        "roots_stop_words": pa.float64(),
    }
    reasons = (REPEATED_CHARACTERS, REPEATED_WORDS, SPECIAL_CHARACTERS, TOO_FEW_STOP_WORDS, TOO_FEW_WORDS, TOO_MANY_WORDS)

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        measured = recurrence(batch["text"], batch["words"], self.characters_in_turn, self.words_in_turn)
        words = pc.fill_null(pc.list_value_length(batch["words"]), 0).to_numpy(zero_copy_only=False) // 2
        stop_words = count_stop_words(batch, "lower")[0]
        values = [pa.array(values, from_pandas=True) for values in measured]
        values.append(pc.divide(stop_words.cast(pa.float64()), pa.array(np.maximum(words, 1).astype(float))))
        return dict(zip(self.signals, values, strict=True))

    def rules(self) -> tuple[Rule, ...]:
        return (
            Rule(REPEATED_CHARACTERS, "roots_repeated_characters", ">", self.max_repeated_characters),
            Rule(REPEATED_WORDS, "roots_repeated_words", ">", self.max_repeated_words),
            Rule(SPECIAL_CHARACTERS, "roots_special_characters", ">", self.max_special_characters),
            Rule(TOO_FEW_STOP_WORDS, "roots_stop_words", "<", self.min_stop_words),
            Rule(TOO_FEW_WORDS, "words", "<", self.min_words),
            Rule(TOO_MANY_WORDS, "words", ">", self.max_words),
        )
