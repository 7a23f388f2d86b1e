"""A model answers a file of questions, and what it said is scored, with the interval that other questions of the kind would give.

found = answer(Path("model"), Path("gsm8k.jsonl"), Path("answers"), metric="gsm8k", setting=Setting(shots=5))
found["value"], found["interval"]              # 0.31, [0.28, 0.33]
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from math import comb
from pathlib import Path
from typing import Any, final

import numpy as np

from corpus.errors import EnvironmentProblem
from corpus.storage import json_bytes, locate, made_first
from corpus.version import code_version
from modeling import checkpoint
from modeling.answers.metrics import CorpusMetric, item_scores
from modeling.answers.questions import Asked, Metric, Question, prompted, read_questions
from modeling.answers.sandbox import Limits, problem, run_program
from modeling.config import SettingError
from modeling.evaluate import load_model
from modeling.evaluation.contamination import NGRAM, Overlap, find_overlap
from modeling.finished import training_split
from modeling.generate import Sampling, complete
from modeling.resampling import FEWEST_UNITS, interval, ratio_intervals, replicates, wilson
from modeling.transformer import Transformer
from tokenization.shards import TOKENIZER
from tokenization.tokenizer import Tokenizer, carried

FORMAT, ANSWERS = "gristmill answers 1", "answers.json"
_CORPUS_METRICS = ("bleu", "chrf")
_HEADLINE = {"exact": "exact_match", "f1": "f1", "rouge": "rougeLsum", "gsm8k": "accuracy", "humaneval": "pass@1"}
_SIGNATURES = {
    "exact": "SQuAD v1.1's normalisation",
    "f1": "SQuAD v1.1's normalisation",
    "gsm8k": "the number behind ####, else the last",
    "humaneval": "unbiased pass@k (Chen et al. 2021)",
}
_PASS_AT = (1, 10, 100)
Told = Callable[[int, int], None]


@final
@dataclass(frozen=True, kw_only=True)
class Setting:
    """How questions are answered. ``shots``: solved items before each; ``tokens``: at most, of an answer; ``batch``: answers made at once,
    which changes none but by the last bits of a float32; ``samples``: programs for each item of HumanEval.

    One answer is the likeliest, token by token; of several ``samples`` each is drawn at temperature 0.8, top-p 0.95 (Chen et al. 2021).
    ``run_generated_code``: programs that the model writes may be run (``modeling.answers.sandbox``).
    """

    shots: int = 0
    tokens: int = 256
    seed: int = 0
    batch: int = 16
    samples: int = 1
    run_generated_code: bool = False

    @property
    def sampling(self) -> Sampling:
        return Sampling(temperature=0, seed=self.seed) if self.samples == 1 else Sampling(temperature=0.8, top_p=0.95, seed=self.seed)


def answer(
    model_folder: Path, task: Path, output: Path, *, metric: Metric, setting: Setting, trained_on: str | None = None,
    told: Told = lambda done, total: None,
) -> dict[str, Any]:  # fmt: skip
    """Ask, score, write ``answers.json``, and return its content. ``trained_on``: the model's tokens, in whose training split the items
    are looked for (``modeling.evaluation.contamination``). ``told``: (answers made, all).

    Raises InputError where the file cannot be read or the tokens are others, SettingError where the setting does not fit the metric,
    EnvironmentProblem where a package is missing or programs cannot be shut in; all before an answer is made.
    """
    _check(metric, setting)
    asked = read_questions(task, metric)
    train = training_split(model_folder, trained_on) if trained_on else None
    prompts = prompted(asked.questions, setting.shots, seed=setting.seed)
    with made_first(output):
        model, tokenizer = load_model(model_folder), carried(model_folder / TOKENIZER)
    lengths = [len(tokenizer.encode(prompt)) + 1 for prompt in prompts]
    texts = _answers(model, tokenizer, prompts, lengths, asked, setting, told)
    items, scores, signature = _scored(metric, asked.questions, texts)
    overlap = train and find_overlap({"task": [[each.prompt, *each.references] for each in asked.questions]}, train, tokenizer)["task"]
    context = model.config.context_length
    found = {
        "format": FORMAT,
        "code": code_version("modeling"),
        "metric": metric,
        "signature": signature,
        **scores[_headline(metric)],
        "scores": scores,
        "n": len(texts),
        "shots": setting.shots,
        "prompt": asked.form.template,
        "stop": asked.form.stop,
        "seed": setting.seed,
        "tokens": setting.tokens,
        "samples": setting.samples,
        "sampling": asdict(setting.sampling),
        "context_length": context,
        "cut_prompts": sum(length > context for length in lengths),
        "contamination": overlap and _touched(overlap, metric, asked.questions, texts, items),
        "items": [
            {"line": question.line, "name": question.name, "prompt": prompt, "references": question.references} | item
            for question, prompt, item in zip(asked.questions, prompts, items, strict=True)
        ],
        "parents": [{"model": checkpoint.sha256(model_folder / "manifest.json")}, {"task": asked.digest}],
    }
    (locate(str(output)) / ANSWERS).write_bytes(json_bytes(found))
    return found


def _touched(
    overlap: Overlap, metric: Metric, questions: Sequence[Question], texts: Sequence[Sequence[str]], items: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What is known of the items in the training text, and ``without_touched``: n and scores of the others (None: there are none)."""
    left = np.flatnonzero(~overlap.is_touched).tolist()
    if not left:
        scores = None
    elif metric in _CORPUS_METRICS:
        scores = _scored(metric, [questions[at] for at in left], [texts[at] for at in left])[1]
    else:
        scores = _means([items[at]["scores"] for at in left])
    return {"ngram": NGRAM, **overlap.facts(), "without_touched": {"n": len(left), "scores": scores}}


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """The chance that one of ``k`` of the samples passes, unbiased: 1 - C(n - c, k) / C(n, k) (Chen et al. 2021, equation 1)."""
    assert 0 <= passed <= samples
    assert 1 <= k <= samples
    return 1 - comb(samples - passed, k) / comb(samples, k)


def _check(metric: Metric, setting: Setting) -> None:
    if metric != "humaneval":
        if setting.samples != 1:
            raise SettingError("several samples are for programs", where=f"--metric {metric}", hint="without --samples")
        _scored(metric, [Question(line=1, name="1", prompt="?", references=("#### 1",))], [["1"]])  # a missing package is told of now
        return
    if not setting.run_generated_code:
        raise SettingError("programs that the model writes are not run unasked", where="--metric humaneval", hint="--run-generated-code")
    if setting.shots:
        raise SettingError("HumanEval is asked without shots", where=f"--shots {setting.shots}", hint="without --shots")
    if found := problem():
        raise EnvironmentProblem("programs cannot be shut in on this machine", where="--run-generated-code", hint=found)


def _answers(
    model: Transformer, tokenizer: Tokenizer, prompts: Sequence[str], lengths: Sequence[int], asked: Asked, setting: Setting, told: Told
) -> list[list[str]]:
    """Of each prompt its samples. Prompts of a length stand together: little padding."""
    texts: list[list[str]] = [[""] * setting.samples for _ in prompts]
    jobs = [(at, sample) for at in sorted(range(len(prompts)), key=lambda at: -lengths[at]) for sample in range(setting.samples)]
    for first in range(0, len(jobs), setting.batch):
        batch = jobs[first : first + setting.batch]
        draws = [at * setting.samples + sample for at, sample in batch]
        said = [prompts[at] for at, _ in batch]
        made = complete(model, tokenizer, said, tokens=setting.tokens, sampling=setting.sampling, stop=asked.form.stop, draws=draws)
        for (at, sample), text in zip(batch, made, strict=True):
            texts[at][sample] = text
        told(first + len(batch), len(jobs))
    return texts


def _headline(metric: str) -> str:
    return _HEADLINE.get(metric, metric)


def _scored(
    metric: str, questions: Sequence[Question], texts: Sequence[Sequence[str]]
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], str]:
    """What each item is given, the scores of all with their intervals, and the signature of the metric."""
    if metric == "humaneval":
        return _programs(questions, texts)
    said = [each[0].strip() for each in texts]
    rows: list[dict[str, float]]
    scores: dict[str, dict[str, Any]]
    if metric in _CORPUS_METRICS:
        whole = CorpusMetric(metric, said, [question.references for question in questions])
        rows = [{metric: whole.score(each)} for each in whole.statistics]
        drawn = replicates(len(said)) @ np.array(whole.statistics, float)
        between = interval(np.array([whole.score(sums.tolist()) for sums in drawn])) if len(said) >= FEWEST_UNITS else None
        scores = {metric: {"value": whole.whole, "interval": between and list(between)}}
        signature = whole.signature
    else:
        kind = "exact" if metric == "f1" else metric
        rows = [dict(item_scores(kind, text, question.references)) for text, question in zip(said, questions, strict=True)]
        scores = _means(rows)
        signature = f"rouge-score {metadata.version('rouge-score')}, stemmed, F" if metric == "rouge" else _SIGNATURES[metric]
    return [{"output": text[0], "scores": row} for text, row in zip(texts, rows, strict=True)], scores, signature


def _programs(questions: Sequence[Question], texts: Sequence[Sequence[str]]) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], str]:
    items: list[dict[str, Any]] = []
    for question, written in zip(questions, texts, strict=True):
        ran = [run_program(f"{question.prompt}{text}\n{question.test}", Limits()) for text in written]
        passed = sum(each.passed for each in ran)
        scores = {f"pass@{k}": pass_at_k(len(written), passed, k) for k in _PASS_AT if k <= len(written)}
        items.append({"outputs": list(written), "outcomes": [each.outcome for each in ran], "scores": scores})
    return items, _means([item["scores"] for item in items]), _SIGNATURES["humaneval"]


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """With intervals by bootstrap over items; where each is wholly right or wholly wrong, Wilson's: drawn again, none of 164 is none."""
    values = np.array([list(row.values()) for row in rows], float)
    between = ratio_intervals(values, np.ones_like(values))
    for at in np.flatnonzero(np.isin(values, (0, 1)).all(0)).tolist() if len(rows) > 1 else ():
        between[at] = list(wilson(int(values[:, at].sum()), len(rows)))
    return {name: {"value": float(values[:, at].mean()), "interval": between[at]} for at, name in enumerate(rows[0])}
