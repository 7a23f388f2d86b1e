"""Metrics of texts, against the reference implementations and their documented examples."""

import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from modeling.answers.metrics import CorpusMetric, exact_match, final_number, item_scores, normalised, rouge, token_f1

# sacrebleu's README: two references, BLEU 48.53
TEXTS = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
FIRST = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]
SECOND = ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."]


def test_corpus_metrics_are_sacrebleus() -> None:
    references = list(zip(FIRST, SECOND, strict=True))
    bleu, chrf = CorpusMetric("bleu", TEXTS, references), CorpusMetric("chrf", TEXTS, references)
    assert bleu.whole == pytest.approx(48.53, abs=0.005)
    assert bleu.whole == pytest.approx(sacrebleu.corpus_bleu(TEXTS, [FIRST, SECOND]).score)
    assert chrf.whole == pytest.approx(sacrebleu.corpus_chrf(TEXTS, [FIRST, SECOND]).score)
    assert bleu.signature == f"nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}"
    assert bleu.score(bleu.statistics[0]) == pytest.approx(sacrebleu.corpus_bleu(TEXTS[:1], [FIRST[:1], SECOND[:1]]).score)


def test_rouge_is_that_of_rouge_score() -> None:
    wanted, said = "The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log."  # its README's example
    expected = RougeScorer(["rouge1"], use_stemmer=True).score(wanted, said)["rouge1"]
    assert rouge(said, [wanted])["rouge1"] == expected.fmeasure == pytest.approx(2 * 0.75 * (6 / 9) / (0.75 + 6 / 9))
    assert rouge(wanted, ["nothing", wanted])["rougeLsum"] == 1.0


@pytest.mark.parametrize(
    ("text", "references", "exact", "f1"),
    [
        ("The Mill.", ["mill"], 1.0, 1.0),
        ("a river, the mill", ["river"], 0.0, 2 / 3),
        ("stone", ["river", "old stone"], 0.0, 2 / 3),
        ("", ["river"], 0.0, 0.0),
    ],
)
def test_squads_rule(text: str, references: list[str], exact: float, f1: float) -> None:
    assert (exact_match(text, references), token_f1(text, references)) == (exact, pytest.approx(f1))
    assert normalised("An  Answer: the 'End'!") == "answer end"


@pytest.mark.parametrize(
    ("text", "number"),
    [("so $1,200.50 in all", "1200.5"), ("#### 18", "18"), ("5 #### -3 and 4", "-3"), ("0.0", "0"), ("1,000", "1000"), ("none", None)],
)
def test_the_number_of_an_answer(text: str, number: str | None) -> None:
    assert final_number(text) == number


def test_gsm8k_counts_the_number_alone() -> None:
    assert item_scores("gsm8k", "16 - 7 = 9, 9 * 2 = 18.00", ["... \n#### 18"]) == {"accuracy": 1.0}
    assert item_scores("gsm8k", "no idea", ["no number"]) == {"accuracy": 0.0}
