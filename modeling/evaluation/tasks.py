"""A task as data: a folder with a card and a file of items, so that a user's own set needs no code.

    my_task/
      card.yaml       kind: multiple_choice
      items.jsonl     {"query": "What does a mill grind?", "choices": ["corn", "songs"], "gold": 0}

Kinds, and what an item holds:

* ``multiple_choice``: ``query``, ``choices``, ``gold`` (a number from 0); or, after Winograd, ``context_options``, ``continuation``,
  ``gold``: the contexts differ and the same words follow.
* ``minimal_pairs``: ``good`` and ``bad`` (BLiMP's ``sentence_good``, ``sentence_bad``): the whole of each is scored.
* ``continuation``: ``context`` and ``continuation`` (LAMBADA): right where greedy decoding gives all of it.
* ``text``: ``text``, and ``source`` and ``language`` if they are known; see ``modeling.evaluation.text_files``.

    task = read_task(Path("my_task"))
    task.items[0].options          # (("What does a mill grind?", " corn"), ("What does a mill grind?", " songs"))
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self, final, get_args

import numpy as np
import yaml

from corpus.errors import InputError
from modeling.records import records, text_of

Kind = Literal["multiple_choice", "minimal_pairs", "continuation", "text"]
Normalisation = Literal["none", "bytes", "tokens", "unconditional"]
CARDS = ("card.yaml", "card.json")
_FIELD = re.compile(r"\{(\w+)\}")
_PROMPTS = {"multiple_choice": "{query}", "continuation": "{context}"}
_HINTS = {
    "multiple_choice": '{"query": "…", "choices": ["…", "…"], "gold": 0}',
    "minimal_pairs": '{"good": "…", "bad": "…"}',
    "continuation": '{"context": "…", "continuation": "…"}',
}


@final
@dataclass(frozen=True, kw_only=True)
class Card:
    """What ``card.yaml`` says; all but ``kind`` may be left out.

    ``prompt``: what stands before the answer, ``{name}`` for a field of the item. ``separator``: between prompt and answer. ``shots``:
    how many answered items stand before it, ``between`` them; they are drawn by ``seed`` from ``shot_items``, or from the other items.
    ``normalisation``: by what the log-likelihood of an answer is divided before the largest is taken: ``none``, its ``bytes``, its
    ``tokens``, or (``unconditional``) its likelihood behind the words of ``unconditional`` alone, as "Answer:" (Brown et al. 2020, 2.4).
    ``by``: a field whose values the items are grouped by. ``format`` (of kind ``text``): ``jsonl``, or ``wikitext`` for its own files.
    """

    kind: Kind
    name: str
    items: str = "items.jsonl"
    prompt: str = ""
    separator: str = " "
    shots: int = 0
    shot_items: str = ""
    between: str = "\n\n"
    normalisation: Normalisation = "bytes"
    unconditional: str = ""
    seed: int = 0
    by: str = ""
    format: Literal["jsonl", "wikitext"] = "jsonl"
    source: str = ""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises InputError naming the key that cannot be."""
        found = [folder / name for name in CARDS if (folder / name).is_file()]
        if not found:
            raise InputError("there is no task here", where=str(folder), hint=f"a folder with {' or '.join(CARDS)} and its items")
        try:
            told = yaml.safe_load(text_of(found[0]))  # JSON is YAML
        except (yaml.YAMLError, RecursionError) as error:
            raise InputError("the card cannot be read", where=str(found[0]), hint=str(error)) from error
        if not isinstance(told, dict):
            raise InputError("a card is `key: value` lines", where=str(found[0]), hint="kind: multiple_choice")
        told = {"name": folder.resolve().name} | told
        _check_card(told, str(found[0]), [field.name for field in fields(cls)])
        prompted: dict[str, Any] = {"prompt": _PROMPTS.get(told["kind"], "")} | told
        return cls(**prompted)


@final
@dataclass(frozen=True, kw_only=True)
class Item:
    """``options``: (prompt, what follows it); ``gold``: the right one. ``answers``: the choices alone, whose bytes normalise."""

    line: int
    options: tuple[tuple[str, str], ...]
    answers: tuple[str, ...]
    gold: int
    group: str = ""

    @property
    def solved(self) -> str:
        """The item with its right answer, as it stands among the shots of another."""
        return "".join(self.options[self.gold])


@final
@dataclass(frozen=True, kw_only=True)
class Task:
    """A card and its items; ``examples``: what shots are drawn from. ``digest``: SHA-256 of the file of items."""

    card: Card
    items: tuple[Item, ...]
    examples: tuple[Item, ...]
    digest: str

    def shots_of(self, number: int) -> str:
        """What stands before item ``number``: others, solved, drawn by seed and number alone."""
        own = self.examples is self.items
        draws = np.random.PCG64([self.card.seed, number])
        chosen: list[int] = []
        while len(chosen) < self.card.shots:
            at = int(draws.random_raw() % len(self.examples))
            if at not in chosen and not (own and at == number):
                chosen.append(at)
        return "".join(self.examples[at].solved + self.card.between for at in chosen)


def read_task(folder: Path) -> Task:
    """A task that is not of kind ``text``. Raises InputError naming file and line."""
    card = Card.read(folder)
    assert card.kind != "text"
    items = _items(card, folder / card.items)
    examples = _items(card, folder / card.shot_items) if card.shot_items else items
    if card.shots > len(examples) - (examples is items):
        raise InputError(f"there are too few items for {card.shots} shots", where=str(folder), hint="fewer shots, or shot_items")
    return Task(card=card, items=items, examples=examples, digest=hashlib.sha256((folder / card.items).read_bytes()).hexdigest())


def _items(card: Card, path: Path) -> tuple[Item, ...]:
    made = tuple(_item(card, number, record, f"{path}:{number}") for number, record in records(path))
    if not made:
        raise InputError("the task has no items", where=str(path), hint=_HINTS[card.kind])
    return made


def _item(card: Card, line: int, record: Mapping[str, Any], where: str) -> Item:
    gold = 0
    contexts: tuple[str, ...]
    answers: tuple[str, ...]
    if card.kind == "minimal_pairs":
        contexts = ("", "")
        answers = tuple(_text(record, names, where, card.kind) for names in (("good", "sentence_good"), ("bad", "sentence_bad")))
    elif card.kind == "continuation":
        contexts = (_filled(card.prompt, record, where),)
        answers = (_text(record, ("continuation",), where, card.kind),)
    else:
        gold = record.get("gold", -1)
        if "context_options" in record:
            contexts = _several(record, "context_options", where)
            answers = (_text(record, ("continuation",), where, card.kind),) * len(contexts)
        else:
            answers = _several(record, "choices", where)
            contexts = (_filled(card.prompt, record, where),) * len(answers)
        if type(gold) is not int or not 0 <= gold < len(answers):
            raise InputError("gold is the number of the right choice, from 0", where=where, hint=_HINTS[card.kind])
    options = tuple((context, card.separator + answer if context else answer) for context, answer in zip(contexts, answers, strict=True))
    group = str(record.get(card.by, "unknown")) if card.by else ""
    return Item(line=line, options=options, answers=answers, gold=gold, group=group)


def _filled(template: str, record: Mapping[str, Any], where: str) -> str:
    missing = [name for name in _FIELD.findall(template) if not isinstance(record.get(name), str | int | float)]
    if missing:
        raise InputError(f"the item has no text {missing[0]!r}, which the prompt asks for", where=where, hint=f"prompt: {template!r}")
    return _FIELD.sub(lambda match: str(record[match.group(1)]), template)


def _text(record: Mapping[str, Any], names: Sequence[str], where: str, kind: str) -> str:
    found = next((record[name] for name in names if name in record), None)
    if not isinstance(found, str) or not found:
        raise InputError(f"the item has no {' or '.join(names)}", where=where, hint=_HINTS[kind])
    return found


def _several(record: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    found = record.get(name)
    if not isinstance(found, list) or len(found) < 2 or not all(isinstance(each, str) and each for each in found):
        raise InputError(f"{name} is a list of two texts or more", where=where, hint=_HINTS["multiple_choice"])
    return tuple(found)


def _check_card(told: Mapping[str, Any], where: str, known: Sequence[str]) -> None:
    if unknown := [str(key) for key in told if key not in known]:
        raise InputError(f"a card has no {unknown[0]!r}", where=where, hint=", ".join(known))
    for name, allowed in (("kind", get_args(Kind)), ("normalisation", get_args(Normalisation)), ("format", ("jsonl", "wikitext"))):
        if told.get(name, allowed[0] if name != "kind" else None) not in allowed:
            raise InputError(f"{name} is one of {', '.join(allowed)}", where=where, hint=f"not {told.get(name)!r}")
    for name, value in told.items():
        is_number = name in ("shots", "seed")
        if not (type(value) is int and 0 <= value < 1 << 63 if is_number else isinstance(value, str)):
            raise InputError(f"{name} is {'a whole number, 0 or more' if is_number else 'text'}", where=where, hint=f"not {value!r}")
