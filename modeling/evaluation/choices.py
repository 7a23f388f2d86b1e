"""Tasks scored by likelihood: multiple choice, minimal pairs, continuations; accuracy with Wilson's interval.

Prompt and answer are encoded together, ``<s>`` first, and the answer's tokens are those beyond the prompt's own (as lm-evaluation-harness
does; spaces at the prompt's end go to the answer). What is longer than the context loses its beginning, and is counted.

Of multiple choice all four ways of choosing are told, the card's first: the log-likelihood as it is (``none``), divided by the answer's
``bytes`` (Gao et al.: acc_bytes) or ``tokens`` (Brown et al. 2020), or less that of the answer alone (``unconditional``; acc_mutual_info).

    result = score_task(model, tokenizer, read_task(Path("my_task")))
    result["accuracy"], result["interval"]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final, get_args

import numpy as np

from modeling.evaluation.tasks import Item, Normalisation, Task
from modeling.resampling import ratio_intervals, wilson
from modeling.scoring import blocks, score_sequences
from modeling.transformer import Transformer
from tokenization.tokenizer import Tokenizer


@final
@dataclass(frozen=True)
class Answered:
    """Log-likelihood of an answer in nats, its tokens, whether greedy decoding gives it, and whether its prompt was cut."""

    logprob: float
    tokens: int
    is_greedy: bool
    is_cut: bool


@final
@dataclass(frozen=True, kw_only=True)
class ScoredTask:
    """A row an item. ``correct``: by each way of choosing. ``gold_nats`` and ``gold_bytes``: of the right answer."""

    correct: dict[str, np.ndarray]
    margins: np.ndarray
    gold_nats: np.ndarray
    gold_bytes: np.ndarray
    cut: int
    groups: Sequence[str]


def log_likelihoods(
    model: Transformer, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], *, batch_tokens: int = 8192
) -> list[Answered]:
    """Of each (prompt, answer), in their order; the prompt may be empty."""
    found: list[Answered] = []
    for block in blocks((encode_pair(tokenizer, *pair) for pair in pairs), lambda pair: len(pair[0])):
        kept = [_fitting(ids, answer, model.config.context_length) for ids, answer in block]
        scores = score_sequences(model, model.config, kept, batch_tokens=batch_tokens)
        for (ids, answer), short, scored in zip(block, kept, scores, strict=True):
            last = slice(len(scored.nats) - answer, None)
            greedy = bool(scored.likeliest[last].all())
            found.append(Answered(-float(scored.nats[last].sum()), answer, greedy, len(short) < len(ids)))
    return found


def encode_pair(tokenizer: Tokenizer, prompt: str, answer: str) -> tuple[np.ndarray, int]:
    """``<s>`` prompt answer as ids, and how many of them, at the end, are the answer's."""
    bare = prompt.rstrip()
    before, whole = tokenizer.encode(bare), tokenizer.encode(prompt + answer)
    shared = min(len(before), len(whole) - 1)
    if not np.array_equal(before[:shared], whole[:shared]):  # a piece reaches over the seam: all from it on is the answer's
        shared = int(np.argmin(before[:shared] == whole[:shared]))
    return np.concatenate([[tokenizer.special.bos], whole]).astype(np.int64), len(whole) - shared


def score_items(model: Transformer, tokenizer: Tokenizer, task: Task, *, batch_tokens: int = 8192) -> ScoredTask:
    """All options of all items, their shots before them; of multiple choice the answers without their prompts too."""
    pairs = [(task.shots_of(number) + prompt, answer) for number, item in enumerate(task.items) for prompt, answer in item.options]
    answers = log_likelihoods(model, tokenizer, pairs, batch_tokens=batch_tokens)
    by_item = _split(answers, task.items)
    logprobs = [np.array([each.logprob for each in row]) for row in by_item]
    if task.card.kind == "continuation":
        correct = {"greedy": np.array([row[0].is_greedy for row in by_item])}
    elif task.card.kind == "minimal_pairs":
        correct = {"none": np.array([row[0] > row[1] for row in logprobs])}
    else:
        distinct = sorted({answer for item in task.items for _, answer in item.options})
        alone = log_likelihoods(model, tokenizer, [(task.card.unconditional, answer) for answer in distinct], batch_tokens=batch_tokens)
        prior = {answer: scored.logprob for answer, scored in zip(distinct, alone, strict=True)}
        correct = _chosen(task, by_item, prior)
    golds = [item.gold for item in task.items]
    return ScoredTask(
        correct=correct,
        margins=np.array([_margin(row, gold) for row, gold in zip(logprobs, golds, strict=True)]),
        gold_nats=np.array([-row[gold] for row, gold in zip(logprobs, golds, strict=True)]),
        gold_bytes=np.array([len(item.answers[item.gold].encode()) for item in task.items]),
        cut=sum(each.is_cut for each in answers),
        groups=[item.group for item in task.items],
    )


def describe(task: Task, scored: ScoredTask, *, among: np.ndarray | None = None) -> dict[str, Any]:
    """``n``, ``accuracy`` and ``interval`` by the card's way of choosing, the others in ``accuracies``; ``gold_bits_per_byte``, of the
    right answers, and ``margin_bits``, by how much they are ahead of the next, with intervals over items; ``groups``."""
    chosen = np.ones(len(task.items), bool) if among is None else among
    way = next(iter(scored.correct)) if task.card.normalisation not in scored.correct else task.card.normalisation
    names = np.array([*scored.groups, ""], object)[:-1]
    ones = chosen.astype(np.float64)
    bits = ratio_intervals(
        np.stack([scored.gold_nats * ones, np.where(np.isfinite(scored.margins), scored.margins, 0) * ones], 1) / np.log(2),
        np.stack([scored.gold_bytes * ones, ones], 1),
    )
    n = int(chosen.sum())
    told = {
        "n": n,
        **_accuracy(scored.correct[way][chosen]),
        "chosen_by": way,
        "accuracies": {name: _accuracy(values[chosen]) for name, values in scored.correct.items()},
        "gold_bits_per_byte": float(scored.gold_nats[chosen].sum() / np.log(2) / max(1, scored.gold_bytes[chosen].sum())),
        "gold_bits_per_byte_interval": bits[0],
        "groups": {name: _accuracy(scored.correct[way][chosen & (names == name)]) for name in sorted(set(scored.groups) - {""})},
    }
    if task.card.kind != "continuation":
        told |= {"margin_bits": float(scored.margins[chosen].sum() / np.log(2) / max(1, n)), "margin_bits_interval": bits[1]}
        told["chance"] = (
            float(np.mean([1 / len(item.options) for item, is_in in zip(task.items, chosen, strict=True) if is_in])) if n else 0.0
        )
    return told


def _accuracy(correct: np.ndarray) -> dict[str, Any]:
    right, n = int(correct.sum()), len(correct)
    return {"items": n, "right": right, "accuracy": right / n if n else None, "interval": list(wilson(right, n)) if n else None}


def _chosen(task: Task, rows: Sequence[Sequence[Answered]], prior: dict[str, float]) -> dict[str, np.ndarray]:
    """By each way of choosing: whether the right answer is the first of the likeliest."""
    right: dict[str, list[bool]] = {name: [] for name in get_args(Normalisation)}
    for item, row in zip(task.items, rows, strict=True):
        logprobs = np.array([each.logprob for each in row])
        values = {
            "none": logprobs,
            "bytes": logprobs / [len(answer.encode()) for answer in item.answers],
            "tokens": logprobs / [each.tokens for each in row],
            "unconditional": logprobs - [prior[answer] for _, answer in item.options],
        }
        for name in right:
            right[name].append(int(values[name].argmax()) == item.gold)
    return {name: np.array(values) for name, values in right.items()}


def _margin(logprobs: np.ndarray, gold: int) -> float:
    """Nats by which the right answer is ahead of the best other."""
    return float(logprobs[gold] - np.delete(logprobs, gold).max()) if len(logprobs) > 1 else 0.0


def _fitting(ids: np.ndarray, answer: int, context_length: int) -> np.ndarray:
    """The last ids that fit, so that the answer has all the context there is; whole where the answer itself is longer."""
    return ids[-(context_length + 1) :] if answer <= context_length else ids


def _split(answers: Sequence[Answered], items: Sequence[Item]) -> list[list[Answered]]:
    left = iter(answers)
    return [[next(left) for _ in item.options] for item in items]
