"""From corpora to a design: the held-out sets are chosen, the tokenizer is trained or taken, the shape is fitted to the budget.

All of it is made again where something changed, and found where nothing did: so the same command goes on with a stopped ablation.

    design = prepare(folder, {"a": "a/", "b": "b/"}, Wanted(budget_tokens=500_000, seeds=3, preset="1m"))
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from corpus.errors import InputError, OutputError, ResumeError
from corpus.storage import json_bytes, locate
from modeling.ablation.arms import tokenizer_sample
from modeling.ablation.design import HELD_OUT, NULL, PLAN, POSITIVE, TOKENIZER, Arm, Design, fitted
from modeling.ablation.held_out import HeldOut
from modeling.config import SettingError, with_settings
from modeling.presets import preset
from tokenization.sample import SAMPLE_BYTES
from tokenization.tokenizer import copy, load
from tokenization.train import train_tokenizer

_SAMPLE = "tokenizer_sample"


@final
@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the user asks for. ``tokenizer``: a folder; by default one is trained on an equal share of each arm, of as many ids as the
    preset counts, or ``vocabulary``. ``settings`` as for ``gristmill pretrain``."""

    budget_tokens: int
    seeds: int
    preset: str
    settings: Sequence[str] = ()
    controls: bool = True
    neutral: Sequence[Path] = ()
    tasks: Sequence[Path] = ()
    tokenizer: str | None = None
    vocabulary: int | None = None


def named(corpora: Sequence[str]) -> dict[str, str]:
    """A name for each corpus: as much of the end of its path as tells it from the others. Raises InputError for one that comes twice."""
    places = [locate(corpus).uri.rstrip("/") for corpus in corpora]
    if len(set(places)) < len(places):
        raise InputError("an arm is named twice", where=", ".join(corpora), hint="the null control compares an arm with itself")
    depth = 1
    while len({_tail(place, depth) for place in places}) < len(places):
        depth += 1
    return {_tail(place, depth): place for place in places}


def prepare(folder: Path, corpora: Mapping[str, str], wanted: Wanted) -> Design:
    """Write ``held_out/`` and ``tokenizer/`` and return the design, which the caller writes with its estimate."""
    if wanted.controls and {NULL, POSITIVE} & corpora.keys():
        raise InputError("an arm bears the name of a control", where=", ".join(corpora), hint="rename its folder")
    for names, what in ((list(corpora), "arms"), ([path.stem for path in (*wanted.neutral, *wanted.tasks)], "files of texts or tasks")):
        if len(set(names)) < len(names) or (what != "arms" and set(names) & corpora.keys()):
            raise InputError(f"two {what} have one name", where=", ".join(names), hint="rename one")
    arms = tuple(Arm.of(name, corpus) for name, corpus in corpora.items())
    if folder.exists() and any(folder.iterdir()) and not any((folder / name).exists() for name in (PLAN, HELD_OUT, "arms")):
        raise OutputError("the output folder holds something else", where=str(folder), hint="choose an empty folder")
    held = HeldOut.of(corpora, neutral=wanted.neutral, tasks=wanted.tasks)
    held.write(folder / HELD_OUT)
    digest = _tokenizer(folder, arms, held, wanted)
    model, train = preset(wanted.preset, load(folder / TOKENIZER).vocabulary)
    model, train = with_settings(model, train, wanted.settings)
    # the budget decides steps and batch, unless the user does
    model, train = with_settings(model, fitted(model, train, wanted.budget_tokens), wanted.settings)
    if model.vocabulary != load(folder / TOKENIZER).vocabulary:
        raise SettingError("the model's vocabulary is the tokenizer's", where="--set model.vocabulary", hint="give --vocab-size")
    return Design(
        arms=arms,
        controls=wanted.controls,
        seeds=wanted.seeds,
        budget_tokens=wanted.budget_tokens,
        preset=wanted.preset,
        model=model,
        train=train,
        held_out=held.digest,
        tokenizer=digest,
        tasks=tuple(path.stem for path in wanted.tasks),
    )


def _tokenizer(folder: Path, arms: Sequence[Arm], held: HeldOut, wanted: Wanted) -> str:
    """The digest of the one that all arms share, in ``tokenizer/``."""
    if wanted.tokenizer:
        digest = load(wanted.tokenizer).digest
        if Path(wanted.tokenizer).resolve() != (folder / TOKENIZER).resolve():
            shutil.rmtree(folder / TOKENIZER, ignore_errors=True)
            copy(wanted.tokenizer, folder / TOKENIZER)
        return digest
    made_of = {"arms": [arm.digest for arm in arms], "held_out": held.digest}
    done = folder / _SAMPLE / "made_of.json"
    if not done.exists() or json.loads(done.read_bytes()) != made_of:
        shutil.rmtree(folder / _SAMPLE, ignore_errors=True)
        tokenizer_sample(arms, folder / HELD_OUT, folder / _SAMPLE, SAMPLE_BYTES)
        done.write_bytes(json_bytes(made_of))
    vocabulary = wanted.vocabulary or preset(wanted.preset)[0].vocabulary
    try:
        train_tokenizer(str(folder / _SAMPLE), folder / TOKENIZER, kind="bpe", vocabulary=vocabulary)
    except ResumeError:  # of other arms, or another size: its runs have other fingerprints
        train_tokenizer(str(folder / _SAMPLE), folder / TOKENIZER, kind="bpe", vocabulary=vocabulary, overwrite=True)
    return load(folder / TOKENIZER).digest


def _tail(place: str, depth: int) -> str:
    return "/".join(place.split("/")[-depth:])
