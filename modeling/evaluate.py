"""An honest evaluation: the model's bits per byte beside a unigram model's and zstd's on the same text, tasks scored by likelihood, and
beside each score how much of what it was measured on stands in the training text.

Bits per byte compare models of different tokenizers, and with compressors; loss and perplexity speak of one tokenizer only.

    evaluation = evaluate(Path("build/demo/model"), "build/demo/tokens", Path("build/demo/evaluation"), tasks=[Path("blimp")])
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import torch

from corpus.errors import InputError
from corpus.storage import json_bytes, locate, made_first
from corpus.version import code_version
from modeling import checkpoint
from modeling.build import build
from modeling.evaluation import choices, texts
from modeling.evaluation.contamination import NGRAM, Overlap, find_overlap
from modeling.evaluation.memorisation import probe
from modeling.evaluation.tasks import Card, Task, read_task
from modeling.evaluation.text_files import Texts, read_texts
from modeling.evaluation.texts import Document, ScoredDocuments, documents_of, score_documents
from modeling.finished import read_manifest
from modeling.generate import Sampling, generate
from modeling.transformer import Transformer
from tokenization.shards import TokenFolder, TokenSplit
from tokenization.tokenizer import Tokenizer

FORMAT, EVALUATION = "gristmill evaluation 2", "evaluation.json"
SPLITS = ("validation", "test")
_ZSTD_LEVEL = 19
_READ_TOKENS = 1 << 22
_SAMPLES, _PROMPT_TOKENS, _SAMPLE_TOKENS = 4, 12, 120
_LOOKED_FOR_BYTES = 50_000_000  # of each held-out split, in the training text: 400 MB while it is looked for


def load_model(folder: Path) -> Transformer:
    """The finished model of a folder, on the GPU if there is one, ready to predict."""
    manifest = read_manifest(folder)
    weights = folder / checkpoint.MODEL
    if not weights.is_file() or checkpoint.sha256(weights) != manifest["files"].get(checkpoint.MODEL):
        raise InputError("the weights are not those that the manifest names", where=str(folder / checkpoint.MODEL), hint="train it again")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return build(checkpoint.read_config(folder), 0, weights=folder / checkpoint.MODEL, device=device).eval()


def evaluate(
    model_folder: Path,
    tokens: str,
    output: Path,
    *,
    text_sets: Sequence[Path] = (),
    tasks: Sequence[Path] = (),
    contamination: bool = True,
    told: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score validation and test, the user's texts and tasks; writes ``evaluation.json`` and returns its content.

    ``text_sets``: files of JSON lines; ``tasks``: folders (``modeling.evaluation.tasks``). ``contamination``: look for all of it in the
    training split, whose tokens are read through; ``told``: (tokens read, all). Raises InputError where model and tokens are of different
    tokenizers, there is nothing held out, or a task cannot be read.
    """
    manifest = read_manifest(model_folder)
    folder = TokenFolder.open(tokens)
    tokenizer = folder.tokenizer()
    made_with = next(parent["tokenizer"] for parent in manifest["parents"] if "tokenizer" in parent)
    if made_with != tokenizer.digest:
        raise InputError("model and tokens are of different tokenizers", where=f"{model_folder}, {tokens}", hint="encode with the model's")
    splits = {name: folder.split(name) for name in SPLITS if folder.split(name).documents}
    if not splits:
        raise InputError("the tokens hold neither validation nor test documents", where=tokens, hint="curate with a split")
    read, read_tasks = _read(text_sets, tasks)
    with made_first(output):
        model = load_model(model_folder)
    train = folder.split("train")
    costs = unigram_costs(train, tokenizer.vocabulary)
    ruler = _Ruler(model=model, tokenizer=tokenizer, byte_lengths=tokenizer.byte_lengths(), costs=costs)
    measured = {name: ruler.measure(documents_of(split)) for name, split in splits.items()}
    measured_texts = [ruler.measure(each.documents(tokenizer)) for each in read]
    scored = [choices.score_items(model, tokenizer, task) for task in read_tasks]
    found: dict[str, Overlap] = {}
    if contamination:
        found = find_overlap(_looked_for(measured, read, read_tasks), train, tokenizer, told)
    sampling = Sampling(temperature=0.7)
    evaluation = {
        "format": FORMAT,
        "code": code_version("modeling"),
        "samples": samples(model, next(iter(splits.values())), tokenizer, sampling),
        "sampling": asdict(sampling),
        "parameters": model.config.parameters,
        "context_length": model.config.context_length,
        "stride": max(1, model.config.context_length // 2),
        "splits": {name: each.described() | _touched_texts(each, found.get(name)) for name, each in measured.items()},
        "texts": [
            {"name": own.name, "digest": own.digest, "source": own.source, **each.described(), **_words(own, each.scored),
             **_touched_texts(each, found.get(f"text {own.name}"))}
            for own, each in zip(read, measured_texts, strict=True)
        ],
        "tasks": [_task(task, each, found.get(f"task {task.card.name}")) for task, each in zip(read_tasks, scored, strict=True)],
        "contamination": {"ngram": NGRAM, "tokens": train.tokens} if contamination else None,
        "memorisation": probe(model, train, next(iter(splits.values()))),
        "parents": [{"model": _digest(model_folder)}, {"tokens": folder.digest}],
    }  # fmt: skip
    (locate(str(output)) / EVALUATION).write_bytes(json_bytes(evaluation))
    return evaluation


@final
@dataclass(frozen=True, kw_only=True)
class _Measured:
    """Documents as the model, a unigram model and zstd have them."""

    scored: ScoredDocuments
    unigram: np.ndarray
    texts: list[str]

    def described(self) -> dict[str, Any]:
        """``texts.describe`` with ``unigram_bits_per_byte`` and ``zstd_bits_per_byte``, of all, by language and by source."""
        result = texts.describe(self.scored)
        everything = np.ones(len(self.texts), bool)
        self._add(result, everything)
        for kind, name, mask in texts.groups(self.scored, everything):
            if kind != "length":
                self._add(result[kind][name], mask)
        return result

    def _add(self, result: dict[str, Any], mask: np.ndarray) -> None:
        size = max(1, int(self.scored.bytes[mask].sum()))
        result["unigram_bits_per_byte"] = float(self.unigram[mask].sum() / np.log(2) / size)
        result["zstd_bits_per_byte"] = zstd_bits_per_byte([text for text, is_in in zip(self.texts, mask, strict=True) if is_in])


@final
@dataclass(frozen=True, kw_only=True)
class _Ruler:
    """What documents are measured with."""

    model: Transformer
    tokenizer: Tokenizer
    byte_lengths: np.ndarray
    costs: np.ndarray

    def measure(self, documents: Iterator[Document]) -> _Measured:
        unigram: list[float] = []
        decoded: list[str] = []

        def passing() -> Iterator[Document]:
            for document in documents:
                unigram.append(float(self.costs[document.ids[1:]].sum()))
                decoded.append(self.tokenizer.decode(document.ids))
                yield document

        scored = score_documents(self.model, passing(), self.byte_lengths)
        return _Measured(scored=scored, unigram=np.array(unigram), texts=decoded)


def samples(model: Transformer, split: TokenSplit, tokenizer: Tokenizer, sampling: Sampling) -> list[dict[str, str]]:
    """The first long documents of the split, begun by themselves and gone on with by the model; the first ones where none is long."""
    starts = split.document_starts
    long = np.diff(starts) > model.config.context_length
    made = []
    for start in starts[:-1][long if long.any() else slice(None)][:_SAMPLES].tolist():
        prompt = tokenizer.decode(split.read(start + 1, min(split.tokens, start + 1 + _PROMPT_TOKENS)))
        made.append({"prompt": prompt, "text": "".join(generate(model, tokenizer, prompt, tokens=_SAMPLE_TOKENS, sampling=sampling))})
    return made


def unigram_costs(split: TokenSplit, vocabulary: int) -> np.ndarray:
    """Nats of each id under the frequencies of the training split, each counted once more than it was seen: float64 (vocabulary,)."""
    counts = np.ones(vocabulary)
    for start in range(0, split.tokens, _READ_TOKENS):
        counts += np.bincount(split.read(start, min(split.tokens, start + _READ_TOKENS)), minlength=vocabulary)
    if split.special.bos != split.special.eos:
        counts[split.special.bos] = 0  # never predicted
    with np.errstate(divide="ignore"):
        return -np.log(counts / counts.sum())


def zstd_bits_per_byte(texts: list[str]) -> float:
    """The texts, joined by newlines, in one frame at level 19, without a dictionary."""
    joined = "\n".join(texts).encode()
    packed = pa.Codec("zstd", compression_level=_ZSTD_LEVEL).compress(joined)
    return 8 * len(packed) / max(1, len(joined))


def rows(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The table: a row for each split, then its languages, then its sources where there are several."""
    table = []
    for name, split in ((name, evaluation["splits"][name]) for name in SPLITS if name in evaluation["splits"]):
        table.append({"split": name, "group": "all", **split})
        for kind in ("language", "source"):
            if len(split[kind]) > 1:
                ordered = sorted(split[kind].items(), key=lambda item: -item[1]["bytes"])
                table += [{"split": name, "group": key if kind == "language" else f"{kind} {key}", **values} for key, values in ordered]
    return table


def _read(text_sets: Sequence[Path], folders: Sequence[Path]) -> tuple[list[Texts], list[Task]]:
    """All that the user gave; raises InputError where two have one name."""
    kinds = {path: Card.read(path).kind for path in folders}
    read = [read_texts(path) for path in (*text_sets, *(path for path, kind in kinds.items() if kind == "text"))]
    tasks = [read_task(path) for path, kind in kinds.items() if kind != "text"]
    for names in ([each.name for each in read], [task.card.name for task in tasks]):
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError("two sets have one name", where=twice[0], hint="give them a `name` in card.yaml")
    return read, tasks


def _looked_for(measured: Mapping[str, _Measured], read: Sequence[Texts], tasks: Sequence[Task]) -> dict[str, list[list[str]]]:
    sets: dict[str, list[list[str]]] = {}
    for name, each in measured.items():
        sets[name], held = [], 0
        for text in each.texts:
            held += len(text.encode())
            sets[name].append([text] if held <= _LOOKED_FOR_BYTES else [])
    sets |= {f"text {own.name}": [[text.text] for text in own.texts] for own in read}
    return sets | {f"task {task.card.name}": [[item.solved] for item in task.items] for task in tasks}


def _touched_texts(measured: _Measured, overlap: Overlap | None) -> dict[str, Any]:
    if overlap is None:
        return {"contamination": None}
    without = {"without_touched": ~overlap.is_touched, "without_mostly": ~overlap.is_mostly}
    told = {name: texts.overall(measured.scored, mask) for name, mask in without.items()}
    return {"contamination": overlap.facts() | told}


def _words(own: Texts, scored: ScoredDocuments) -> dict[str, Any]:
    """Word-level perplexity, by what is counted as a word."""
    counted = {"words of the original": texts.word_perplexity(scored)}
    if own.format == "wikitext":
        counted["words and line ends of the original"] = texts.word_perplexity(scored, with_line_ends=True)
    return {"word_perplexity": counted, "end_predicted": own.has_end}


def _task(task: Task, scored: choices.ScoredTask, overlap: Overlap | None) -> dict[str, Any]:
    result = {**asdict(task.card), "digest": task.digest, "cut_prompts": scored.cut, **choices.describe(task, scored)}
    result["contamination"] = None
    if overlap is not None:
        without = {"without_touched": ~overlap.is_touched, "without_mostly": ~overlap.is_mostly}
        kept = ("n", "accuracy", "interval")
        told = {name: {key: choices.describe(task, scored, among=mask)[key] for key in kept} for name, mask in without.items()}
        result["contamination"] = overlap.facts() | told
    return result


def _digest(folder: Path) -> str:
    return checkpoint.sha256(folder / "manifest.json")
