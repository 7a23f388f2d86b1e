"""Texts against references, by the implementations that papers quote: exact match and F1 as SQuAD's, BLEU and chrF by sacrebleu, ROUGE
by rouge-score, GSM8K's last number.

    exact_match("The Mill.", ["mill"])                # 1.0
    CorpusMetric("bleu", texts, references).whole     # 27.3; .signature is sacrebleu's
"""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from corpus.errors import EnvironmentProblem

ROUGE_KINDS = ("rouge1", "rouge2", "rougeLsum")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?|-?\$?\.\d+")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Lower case, without ASCII punctuation, without articles, white space single: SQuAD's own rule (Rajpurkar et al. 2016)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(text: str, references: Sequence[str]) -> float:
    """1 where the text is one of the references, both normalised; else 0."""
    return float(normalised(text) in {normalised(each) for each in references})


def token_f1(text: str, references: Sequence[str]) -> float:
    """F1 of the words shared with the nearest reference, both normalised, as SQuAD's `evaluate-v1.1.py`: no word, no share."""
    return max(_f1(normalised(text).split(), normalised(each).split()) for each in references)


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted)) if shared else 0.0


def final_number(text: str, *, marked: bool = False) -> str | None:
    """The number that an answer ends in, as plain digits: the one behind ``####`` (Cobbe et al. 2021), else, unless ``marked``, the last.

    Thousands' commas, a dollar sign and zeros behind the point do not count: ``$1,200.50`` is ``1200.5``.
    """
    _, mark, after = text.partition("####")
    found = _NUMBER.findall(after if mark else "" if marked else text)
    if not found:
        return None
    try:
        number = Decimal((found[0] if mark else found[-1]).replace(",", "").replace("$", ""))
    except InvalidOperation:
        return None
    return format(number.normalize(), "f") if number else "0"


def rouge(text: str, references: Sequence[str]) -> dict[str, float]:
    """ROUGE-1, -2 and -Lsum (sentences a line), F measure with Porter's stemmer: of several references the best for each."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise _lacking("rouge-score") from error
    told = RougeScorer(list(ROUGE_KINDS), use_stemmer=True).score_multi(list(references), text)
    return {kind: float(told[kind].fmeasure) for kind in ROUGE_KINDS}


class CorpusMetric:
    """BLEU or chrF of a whole set: sums of counts, so that a bootstrap need not read a text twice.

    ``statistics`` are sacrebleu's counts of each item; ``score`` is that of their sum, 0 to 100.
    """

    def __init__(self, name: str, texts: Sequence[str], references: Sequence[Sequence[str]]):
        try:
            from sacrebleu.metrics import BLEU, CHRF
        except ImportError as error:
            raise _lacking("sacrebleu") from error
        most = max(map(len, references))
        streams: Any = [[each[at] if at < len(each) else None for each in references] for at in range(most)]  # None: it has fewer
        self._metric: Any = BLEU() if name == "bleu" else CHRF()
        self.statistics: list[list[float]] = self._metric._extract_corpus_statistics(list(texts), streams)
        self.whole: float = self.score([sum(column) for column in zip(*self.statistics, strict=True)])
        self.signature = str(self._metric.get_signature())

    def score(self, sums: Sequence[float]) -> float:
        """Of summed statistics."""
        return float(self._metric._compute_score_from_stats(list(sums)).score)


def item_scores(metric: str, text: str, references: Sequence[str]) -> Mapping[str, float]:
    """What one text is given, name -> value: of the metrics that are means over items."""
    if metric == "exact":
        return {"exact_match": exact_match(text, references), "f1": token_f1(text, references)}
    if metric == "gsm8k":
        wanted = final_number(references[0], marked=True)
        return {"accuracy": float(wanted is not None and final_number(text) == wanted)}
    return rouge(text, references) if metric == "rouge" else {}


def _lacking(package: str) -> EnvironmentProblem:
    return EnvironmentProblem(f"{package} is not installed", hint="pip install 'gristmill[evaluation]'")
