"""What people judge: texts of several systems for the same prompts, as blind pairs or one by one, in an order that is each person's own.

A file of samples is JSON lines, a text a line; other keys are left alone, and without prompt_id equal prompts are one:

    {"system": "build/a", "prompt_id": "p1", "prompt": "The mill", "text": " stood by the river."}

    items = pairs(read([Path("samples.jsonl")]))
    queue(items, "anna", roster=("anna", "ben", "cleo"), overlap=2)   # two of the three see each pair
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import final

from corpus.errors import InputError
from corpus.hashing import content_digest, rank

_KEYS = ("system", "prompt", "text")
_FORMAT = 'a line is {"system": …, "prompt_id": …, "prompt": …, "text": …}'


@final
@dataclass(frozen=True, kw_only=True)
class Sample:
    """A text that a system made of a prompt."""

    system: str
    prompt_id: str
    prompt: str
    text: str


@final
@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing to judge: a text, or two side by side. ``key`` is a hash of all of it, whatever the sides: a text that changes is
    another item."""

    key: str
    prompt_id: str
    prompt: str
    systems: tuple[str, ...]
    texts: tuple[str, ...]


def read(files: Sequence[Path]) -> list[Sample]:
    """The samples of all files. Raises InputError naming file and line: no JSON, a key missing, two texts for one prompt, two prompts
    of one id."""
    found: dict[tuple[str, str], Sample] = {}
    prompts: dict[str, str] = {}
    for file in files:
        for number, sample in _lines(file):
            where = f"{file}, line {number}"
            if (sample.system, sample.prompt_id) in found:
                raise InputError("a second text of a system for a prompt", where=where, hint=f"{sample.system}, {sample.prompt_id}")
            if prompts.setdefault(sample.prompt_id, sample.prompt) != sample.prompt:
                raise InputError("two prompts of the same prompt_id", where=where, hint=sample.prompt_id)
            found[sample.system, sample.prompt_id] = sample
    if not found:
        raise InputError("no samples", where=", ".join(map(str, files)), hint=_FORMAT)
    return [found[key] for key in sorted(found)]


def pairs(samples: Sequence[Sample]) -> list[Item]:
    """All pairs of systems on each prompt; two equal texts are no question, and are left out. Raises InputError where none is left."""
    by_prompt = defaultdict(list)
    for sample in sorted(samples, key=lambda each: (each.prompt_id, each.system)):
        by_prompt[sample.prompt_id].append(sample)
    items = [_item(pair) for answers in by_prompt.values() for pair in combinations(answers, 2) if pair[0].text != pair[1].text]
    if not items:
        raise InputError("no prompt has different texts of two systems", hint="give samples of another system, or --single")
    return items


def singles(samples: Sequence[Sample]) -> list[Item]:
    """Each text by itself."""
    return [_item((sample,)) for sample in samples]


def queue(items: Sequence[Item], annotator: str, *, roster: Sequence[str], overlap: int) -> list[Item]:
    """What ``annotator`` is asked, in order, each pair with its sides as shown; a function of items and names alone.

    ``overlap`` of the ``roster`` see each item, those of the lowest hashes (rendezvous hashing: a name more moves few items); 0: all
    do. Of the pairs of two systems each stands left as often as right, but for one.
    """
    if overlap:
        items = [item for item in items if annotator in sorted(roster, key=lambda name: rank(f"{item.key}\0{name}", "who"))[:overlap]]
    turned = _turned(items, annotator)
    shown = [_turn(item) if item.key in turned else item for item in items]
    return sorted(shown, key=lambda item: rank(f"{item.key}\0{annotator}", "order"))


def _turned(items: Sequence[Item], annotator: str) -> set[str]:
    by_systems = defaultdict(list)
    for item in items:
        by_systems[item.systems].append(item.key)
    turned: set[str] = set()
    for systems, keys in by_systems.items():
        keys.sort(key=lambda key: rank(f"{key}\0{annotator}", "side"))
        turned.update(keys[rank("\0".join((*systems, annotator)), "side") % 2 :: 2])
    return turned


def _turn(item: Item) -> Item:
    return replace(item, systems=item.systems[::-1], texts=item.texts[::-1])


def _item(samples: Sequence[Sample]) -> Item:
    first = samples[0]
    systems, texts = tuple(sample.system for sample in samples), tuple(sample.text for sample in samples)
    key = content_digest(json.dumps([first.prompt_id, first.prompt, systems, texts])).hex()
    return Item(key=key, prompt_id=first.prompt_id, prompt=first.prompt, systems=systems, texts=texts)


def _lines(file: Path) -> Iterator[tuple[int, Sample]]:
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError("cannot read the samples", where=str(file), hint=error.strerror or _FORMAT) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except ValueError as error:
            raise InputError("this is no JSON", where=f"{file}, line {number}", hint=_FORMAT) from error
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in _KEYS) or not row["system"]:
            raise InputError("this is no sample", where=f"{file}, line {number}", hint=_FORMAT)
        system, prompt, text = (whole(row[key]) for key in _KEYS)
        named = row.get("prompt_id")
        yield (
            number,
            Sample(
                system=system,
                prompt_id=content_digest(prompt).hex() if named is None else whole(str(named)),
                prompt=prompt,
                text=text,
            ),
        )


def whole(text: str) -> str:
    """JSON can write halves of characters, which neither UTF-8 nor SQLite can hold: they become ``?``."""
    return text.encode("utf-8", "replace").decode()
