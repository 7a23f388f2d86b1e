"""A model of ours under the Language Model Evaluation Harness (``lm_eval``), whose tasks then score it as they score others.

Every text is read behind ``<s>``, as in training. Answers are scored as `gristmill evaluate` scores them; a document longer than the
context in windows that do not overlap, as the harness does with models of its own. What is generated is ``modeling.generate.complete``.

    found = run_tasks(Path("model"), ["arc_easy"], Path("harness"), setting=Setting(batch=32))
    found["results"]["arc_easy"]["acc,none"]       # 0.27
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import Any, final

import numpy as np
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from corpus.errors import InputError
from corpus.storage import json_bytes, locate, made_first
from corpus.version import code_version
from modeling import checkpoint
from modeling.config import SettingError
from modeling.evaluate import load_model
from modeling.evaluation.choices import log_likelihoods
from modeling.evaluation.contamination import NGRAM, find_overlap
from modeling.finished import training_split
from modeling.generate import Sampling, complete
from modeling.scoring import score_sequences
from modeling.transformer import Transformer
from tokenization.shards import TOKENIZER, TokenSplit
from tokenization.tokenizer import Tokenizer, carried

FORMAT, HARNESS = "gristmill harness 1", "harness.json"
_BLOCK = 64  # batches between two signs of progress
_TOKENS = 256  # of a text whose task names no length: the harness' own
_GENERATION = {"until", "max_gen_toks", "do_sample", "temperature", "top_k", "top_p"}
_BOOTSTRAP = 1000  # replicates of metrics whose error has no formula; the harness' 100,000 take minutes
Told = Callable[[int, int], None]


@final
@dataclass(frozen=True, kw_only=True)
class Setting:
    """``shots``: None for each task's own; ``batch``: rows at once, which change no score but in the last bits of a float32."""

    shots: int | None = None
    batch: int = 16
    seed: int = 1234


@final
class HarnessModel(LM):
    """``told``: (requests answered, all), of each kind anew."""

    def __init__(self, model: Transformer, tokenizer: Tokenizer, *, batch: int = 16, seed: int = 0, told: Told = lambda done, total: None):
        super().__init__()
        self._model, self._tokenizer, self._batch, self._seed, self._say = model, tokenizer, batch, seed, told
        self._batch_tokens = batch * model.config.context_length

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Of each (context, continuation): its nats, negative, and whether greedy decoding gives it."""
        found = []
        for block in self._blocks(requests):
            pairs = [request.args for request in block]
            scored = log_likelihoods(self._model, self._tokenizer, pairs, batch_tokens=self._batch_tokens)
            found += [(each.logprob, each.is_greedy) for each in scored]
            self._say(len(found), len(requests))
        return found

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Of each text, behind ``<s>``: its nats, negative."""
        config, found = self._model.config, []
        for block in self._blocks(requests):
            ids = [np.concatenate([[config.bos], self._tokenizer.encode(request.args[0])]).astype(np.int64) for request in block]
            scored = score_sequences(self._model, config, ids, stride=config.context_length, batch_tokens=self._batch_tokens)
            found += [-float(each.nats.sum()) for each in scored]
            self._say(len(found), len(requests))
        return found

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Of each (context, how it is generated): the text before the first of ``until``. Raises SettingError for what is not known here.

        Drawn by seed and number of the request, whatever the batch.
        """
        texts, done = [""] * len(requests), 0
        alike: dict[str, list[int]] = defaultdict(list)
        for at, request in enumerate(requests):
            alike[repr(sorted(request.args[1].items()))].append(at)
        for members in alike.values():
            tokens, stop, sampling = self._generation(requests[members[0]].args[1])
            members.sort(key=lambda at: -len(requests[at].args[0]))  # long ones together: little padding
            for first in range(0, len(members), self._batch):
                mine = members[first : first + self._batch]
                prompts = [requests[at].args[0] for at in mine]
                made = complete(self._model, self._tokenizer, prompts, tokens=tokens, sampling=sampling, stop=stop, draws=mine)
                for at, text in zip(mine, made, strict=True):
                    texts[at] = text
                done += len(mine)
                self._say(done, len(requests))
        return texts

    def _generation(self, told: Mapping[str, Any]) -> tuple[int, Sequence[str], Sampling]:
        if unknown := sorted(set(told) - _GENERATION):
            raise SettingError(f"the task generates by {unknown[0]!r}", where="generation_kwargs", hint=", ".join(sorted(_GENERATION)))
        until = told.get("until") or []
        temperature = float(told.get("temperature", 1.0))
        drawn = told.get("do_sample", temperature > 0 and "temperature" in told)
        sampling = Sampling(
            temperature=temperature if drawn else 0,
            top_k=int(told.get("top_k") or 0),
            top_p=float(told.get("top_p") or 1),
            seed=self._seed,
        )
        return int(told.get("max_gen_toks", _TOKENS)), [until] if isinstance(until, str) else until, sampling

    def _blocks(self, requests: Sequence[Instance]) -> list[Sequence[Instance]]:
        size = _BLOCK * self._batch
        return [requests[first : first + size] for first in range(0, len(requests), size)]


def run_tasks(
    model_folder: Path,
    tasks: Sequence[str],
    output: Path,
    *,
    include: Path | None = None,
    setting: Setting,
    trained_on: str | None = None,
    told: Told = lambda done, total: None,
) -> dict[str, Any]:
    """Run the harness' tasks, or those of YAML files in ``include``; writes ``harness.json`` and returns its content. ``trained_on``: the
    model's tokens, in whose training split the items are looked for.

    Raises InputError for tokens that are others, a task that is not known or whose data cannot be had, SettingError for one that asks for
    what is not done here.
    """
    manager = _manager(tasks, include)
    if unknown := sorted(set(tasks) - set(manager.all_tasks)):
        near = get_close_matches(unknown[0], manager.all_tasks, 1)
        raise InputError("no such task", where=unknown[0], hint=f"did you mean {near[0]}?" if near else "--include a folder with its YAML")
    train = training_split(model_folder, trained_on) if trained_on else None
    with made_first(output):
        model, tokenizer = load_model(model_folder), carried(model_folder / TOKENIZER)
    ours = HarnessModel(model, tokenizer, batch=setting.batch, seed=setting.seed, told=told)
    try:
        found = simple_evaluate(
            ours,
            tasks=list(tasks),
            num_fewshot=setting.shots,
            task_manager=manager,
            bootstrap_iters=_BOOTSTRAP,
            log_samples=train is not None,
            random_seed=setting.seed,
            numpy_random_seed=setting.seed,
            torch_random_seed=setting.seed,
            fewshot_random_seed=setting.seed,
        )
    except OSError as error:
        raise InputError("the data of a task cannot be had", where=", ".join(tasks), hint=str(error)) from error
    except ValueError as error:
        if "unsafe" not in str(error).lower():
            raise
        raise SettingError(
            "programs that the model writes are not run by the harness", where=", ".join(tasks), hint="gristmill answer --metric humaneval"
        ) from error
    assert found is not None  # None on processes beside the first
    result = {
        "format": FORMAT,
        "code": code_version("modeling"),
        "lm_eval": metadata.version("lm_eval"),
        "bos": True,
        "context_length": model.config.context_length,
        **asdict(setting),
        "results": {task: _plain(values) for task, values in found["results"].items()},
        "n": found["n-samples"],
        "task_shots": dict(found["n-shot"]),
        "versions": dict(found["versions"]),
        "contamination": train and _touched(found["samples"], train, tokenizer),
        "parents": [{"model": checkpoint.sha256(model_folder / "manifest.json")}],
    }
    (locate(str(output)) / HARNESS).write_bytes(json_bytes(result))
    return result


def _touched(samples: Mapping[str, Sequence[Mapping[str, Any]]], train: TokenSplit, tokenizer: Tokenizer) -> dict[str, Any]:
    """Task -> what is known of its items in the training text, and the means of its scores without those that were met there."""
    items = {task: {row["doc_id"]: list(_strings(row["doc"])) for row in rows} for task, rows in samples.items()}  # a row for each filter
    overlaps = find_overlap({task: list(texts.values()) for task, texts in items.items()}, train, tokenizer)
    told = {}
    for task, rows in samples.items():
        left = {at for at, is_touched in zip(items[task], overlaps[task].is_touched.tolist(), strict=True) if not is_touched}
        scores: dict[str, list[float]] = {}
        for row in rows:
            for name in row["metrics"] if row["doc_id"] in left else ():
                if isinstance(row[name], int | float | np.number):  # of a perplexity or BLEU each item has its parts
                    scores.setdefault(f"{name},{row['filter']}", []).append(float(row[name]))
        means = {name: float(np.mean(values)) for name, values in scores.items()}
        told[task] = {"ngram": NGRAM, **overlaps[task].facts(), "without_touched": {"n": len(left), "scores": means}}
    return told


def _strings(value: Any) -> Iterator[str]:
    """All text of an item as its data set has it; the prompt holds its shots besides, which are other items."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(each)


def _manager(tasks: Sequence[str], include: Path | None) -> TaskManager:
    """Of the user's tasks alone where they are enough: reading through the harness' 14,000 files takes 5 s."""
    if include:
        own = TaskManager(include_path=str(include), include_defaults=False)
        if set(tasks) <= set(own.all_subtasks):
            return own
    return TaskManager(include_path=str(include) if include else None)


def _plain(values: Mapping[str, Any]) -> dict[str, float | str]:
    return {name: float(value) if isinstance(value, int | float | np.number) else str(value) for name, value in values.items()}
