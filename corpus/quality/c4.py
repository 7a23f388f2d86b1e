"""C4's cleaning (arXiv 1910.10683, section 2.2): lines are dropped, then what is left is judged.

The paper's text and the code that made the data set (TensorFlow Datasets' c4_utils.py) disagree; both are variants. Its removal of repeated
three-sentence spans looks at many documents at once, and belongs to deduplication.

    C4Lines(terminal_punctuation=False)(batch)
"""

import re
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import document
from corpus.kernels.cleaning import count_sentences, keep_lines
from corpus.kernels.lines import TERMINALS
from corpus.step import DocumentStep, Filter, Reason, Rule, judge, reject, step_name

TOO_FEW_SENTENCES = Reason("c4:too_few_sentences", "fewer sentences than the limit are left")
LOREM_IPSUM = Reason("c4:lorem_ipsum", "the page holds the filler text lorem ipsum")
CURLY_BRACE = Reason("c4:curly_brace", "the page holds a curly brace, as program code does")
NO_LINES_LEFT = Reason("c4:no_lines_left", "every line of the page was dropped")
TOO_FEW_PARAGRAPHS = Reason("c4:too_few_long_lines", "fewer long lines than the limit")

_CITATION = re.compile(r"\[(?:\d*|edit|citation needed)\]")
_JAVASCRIPT, _LOREM, _BRACE = "javascript", "lorem ipsum", "{"
# What a line may end with. An ellipsis is none of them; the code knows the double quotation mark alone.
_ENDS = {"paper": TERMINALS.replace("…", ""), "code": "".join(each for each in TERMINALS if each not in "…'’")}
_POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_SENTENCE_ENDS, _CLOSERS = ".!?…", "\"'”’)]"  # a sentence ends with one of these before white space, a closing mark or the end
_CLOSED = "。！？；｡．։؟۔।॥።፧។၊။།"  # and with one of these wherever it stands
_FAULTS = ("unpunctuated", "few_words", "long_word", "javascript", "policy")


@final
@dataclass(frozen=True, kw_only=True)
class C4Lines(DocumentStep):
    """Drops lines and strips citations, then judges. ``terminal_punctuation`` False is FineWeb's use: that rule alone removes 30 % of
    all tokens.

    ``paper``  3 words a line, 5 sentences; any end quotation mark ends a line; ``lorem ipsum`` and ``{`` are looked for in the whole page.
    ``code``   5 words, 3 sentences; of quotation marks only double ones; and the two are looked for only in lines that pass the rules
               before them: for ``lorem ipsum`` those of ends, words and length, for ``{`` that of JavaScript too.

    Both take the ends of sentences of all scripts for the paper's ``. ! ?``, and sentences are counted by them, where the code asks NLTK;
    what is left of a line is one too. ``curly_brace`` is off where it would drop pages about programming; C4 has it on. Empty limits
    (None) are the variant's. A line of a script without spaces counts its characters as words.
    """

    variant: Literal["code", "paper"] = "code"
    terminal_punctuation: bool = True
    min_words_a_line: int | None = None
    min_sentences: int | None = None
    max_word_length: int = 1000
    drop_javascript: bool = True
    drop_policy: bool = True
    lorem_ipsum: bool = True
    curly_brace: bool = True

    rewrites_text = True
    signals = {f"c4_{fault}": pa.int32() for fault in _FAULTS} | {"c4_sentences": pa.int32()}
    reasons = (NO_LINES_LEFT, TOO_FEW_SENTENCES, LOREM_IPSUM, CURLY_BRACE)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        name = step_name(type(self))
        texts = [text or "" for text in batch["text"].to_pylist()]
        lowered = [text.lower() for text in texts]
        cleaned, dropped, faulty = self._clean(texts, lowered)
        nothing = pc.equal(cleaned, "")
        batch = document.with_text(batch, pc.if_else(nothing, batch["text"], cleaned))
        counts = {f"c4_{fault}": pa.array(dropped[:, at], pa.int32()) for at, fault in enumerate(_FAULTS)}
        counts["c4_sentences"] = pa.array(count_sentences(cleaned, _SENTENCE_ENDS, _CLOSED, _CLOSERS), pa.int32())
        batch = document.with_signals(batch, counts)
        if self.lorem_ipsum:
            batch = reject(batch, name, LOREM_IPSUM, faulty[:, 0])
        if self.curly_brace:
            batch = reject(batch, name, CURLY_BRACE, faulty[:, 1])
        batch = reject(batch, name, NO_LINES_LEFT, nothing.to_numpy(zero_copy_only=False))
        return judge(batch, name, self.rules())

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(TOO_FEW_SENTENCES, "c4_sentences", "<", self._limits()[1]),)

    def _limits(self) -> tuple[int, int]:
        """(words a line, sentences)."""
        words, sentences = (5, 3) if self.variant == "code" else (3, 5)
        return (
            words if self.min_words_a_line is None else self.min_words_a_line,
            sentences if self.min_sentences is None else self.min_sentences,
        )

    def _clean(self, texts: list[str], lowered: list[str]) -> tuple[pa.Array, np.ndarray, np.ndarray]:
        """The texts without the lines that fail; (rows, faults) how many failed each rule (a line counts for the first); bool (rows, 2):
        whether lorem ipsum and a curly brace condemn the page."""
        plain = [_CITATION.sub("", text) if "[" in text else text for text in texts]
        ends = _ENDS[self.variant] if self.terminal_punctuation else ""
        kept, dropped = keep_lines(pa.array(plain, pa.string()), self._limits()[0], self.max_word_length, ends)
        by_phrase = np.zeros((len(texts), 2), np.int64)
        faulty = np.array([(_LOREM in text, _BRACE in text) for text in lowered], dtype=bool).reshape(-1, 2)
        lowered = [known if text is old else text.lower() for text, old, known in zip(plain, texts, lowered, strict=True)]
        suspects = np.array([any(map(text.__contains__, (_JAVASCRIPT, *_POLICY))) for text in lowered], dtype=bool)
        looked_at = suspects | (faulty.any(axis=1) if self.variant == "code" else False)
        replaced = []
        for row in np.flatnonzero(looked_at).tolist():
            text, by_phrase[row], found = self._without_phrases(kept[row].as_py())
            replaced.append(text)
            faulty[row] = found if self.variant == "code" else faulty[row]
        kept = pc.replace_with_mask(kept, pa.array(looked_at), pa.array(replaced, pa.string()))
        return kept, np.concatenate([dropped, by_phrase], axis=1), faulty

    def _without_phrases(self, text: str) -> tuple[str, tuple[int, int], tuple[bool, bool]]:
        """The text without the lines that speak of JavaScript or of policies, how many those were, and whether lorem ipsum and a curly
        brace were met on the way, in the order of the code."""
        stay, scripts, policies, lorem, brace = [], 0, 0, False, False
        for line in text.split("\n"):
            lowered = line.lower()
            lorem = lorem or _LOREM in lowered
            if self.drop_javascript and _JAVASCRIPT in lowered:
                scripts += 1
                continue
            brace = brace or _BRACE in line
            if self.drop_policy and any(phrase in lowered for phrase in _POLICY):
                policies += 1
            else:
                stay.append(line)
        return re.sub(r"\n{3,}", "\n\n", "\n".join(stay)).strip(), (scripts, policies), (lorem, brace)


@final
@dataclass(frozen=True, kw_only=True)
class C4Paragraph(Filter):
    """mC4's rule (arXiv 2010.11934, section 3.1): at least three lines of 200 characters or more."""

    min_long_lines: int = 3
    min_line_characters: int = 200

    signals = {"long_lines": pa.int32()}
    reasons = (TOO_FEW_PARAGRAPHS,)

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        long = [
            None if text is None else sum(len(line) >= self.min_line_characters for line in text.split("\n"))
            for text in batch["text"].to_pylist()
        ]
        return {"long_lines": pa.array(long, pa.int32())}

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(TOO_FEW_PARAGRAPHS, "long_lines", "<", self.min_long_lines),)
