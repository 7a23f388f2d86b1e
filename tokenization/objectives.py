"""Training documents rewritten for other objectives than the next token: fill in the middle, span corruption. Text in, text or ids out.

Fill in the middle (Bavarian et al. 2022, sections 3 and 4.3): a share of the documents is cut at two characters drawn at random; half of
those become prefix, suffix, middle (PSM), half suffix, prefix, middle in the form that lets prefix and middle run on (SPM, variant 2):

    PSM    <|fim_prefix|> prefix <|fim_suffix|> suffix <|fim_middle|> middle
    SPM    <|fim_prefix|> <|fim_suffix|> suffix <|fim_middle|> prefix middle

Span corruption (Raffel et al. 2020, section 3.1.4): 15 % of the ids, in spans of 3 on average, are each replaced by a sentinel; after the
text come the spans, each behind its sentinel, and one sentinel more. A document longer than the sentinels suffice for is treated in
stretches of about the same length:

    the mill <|extra_0|> the grain of <|extra_1|> village . <|extra_0|> grinds <|extra_1|> the whole <|extra_2|>

What is drawn depends on the document's id alone. Validation and test stay as they are: bits per byte are compared on them.

    objective = Objective(fim=0.5)
    objective.ids("0f3a…", "The mill grinds.", tokenizer.encode, special_ids(folder, objective))
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from corpus import hashing
from corpus.errors import InputError

PREFIX, SUFFIX, MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
MEAN_SPAN = 3  # T5's
Encode = Callable[[str], np.ndarray]


@final
@dataclass(frozen=True, kw_only=True)
class Objective:
    """``fim``: share of the documents that is cut for filling in (0.5 to 0.9 cost nothing left to right: Bavarian et al., section 4.1).
    ``span_corruption``: share of the ids that is hidden (T5: 0.15). 0: not at all. One of them at most."""

    fim: float = 0.0
    span_corruption: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.fim <= 1 or not 0 <= self.span_corruption < 1:
            raise InputError("a share lies between 0 and 1", where=f"fim {self.fim:g}, span corruption {self.span_corruption:g}")
        if self.fim and self.span_corruption:
            raise InputError("a document is rewritten for one objective", where="--fim and --span-corruption", hint="choose one")

    def ids(self, identity: str, text: str, encode: Encode, special: Mapping[str, int]) -> np.ndarray:
        """What is trained on instead of the text's ids, without <s> and </s>: int64."""
        if self.fim and hashing.fraction(identity, "fim") < self.fim:
            parts = fill_in_the_middle(identity, text)
            return np.concatenate([[special[part]] if part in special else encode(part) for part in parts]).astype(np.int64)
        found = encode(text).astype(np.int64)
        if not self.span_corruption:
            return found
        sentinels = [special[name] for name in sentinel_names(special)]
        return corrupted(identity, found, self.span_corruption, sentinels)

    def manifest(self) -> dict[str, float]:
        """What is not plain, for the manifest and the fingerprint."""
        return {name: value for name, value in (("fim", self.fim), ("span_corruption", self.span_corruption)) if value}


def special_ids(folder: Path, objective: Objective) -> dict[str, int]:
    """The ids that the objective needs, by name, from the tokenizer's ``tokenizer.json``. Raises InputError where they are absent."""
    if not objective.manifest():
        return {}
    try:
        added = json.loads((folder / "tokenizer.json").read_bytes()).get("added_tokens", [])
    except (OSError, ValueError, AttributeError) as error:
        raise InputError("the tokenizer has no readable tokenizer.json", where=str(folder)) from error
    known = {token["content"]: token["id"] for token in added if token.get("special")}
    wanted = (PREFIX, SUFFIX, MIDDLE) if objective.fim else (*(sentinel_names(known) or ["<|extra_0|>"]), "<|extra_1|>")
    lacking = [name for name in wanted if name not in known]
    if lacking:
        raise InputError(
            f"the tokenizer has no {lacking[0]}",
            where=str(folder),
            hint="reserve it when the tokenizer is trained: train-tokenizer --reserve",
        )
    return {name: known[name] for name in dict.fromkeys(wanted)}


def sentinel_names(known: Mapping[str, int]) -> list[str]:
    """<|extra_0|>, <|extra_1|>, … as far as there is no gap."""
    names: list[str] = []
    while (name := f"<|extra_{len(names)}|>") in known:
        names.append(name)
    return names


def fill_in_the_middle(identity: str, text: str) -> list[str]:
    """The document's pieces of text and the names of special ids between them, in their new order; pieces may be empty."""
    first, second = sorted(int(hashing.fraction(identity, salt) * (len(text) + 1)) for salt in ("fim cut 1", "fim cut 2"))
    prefix, middle, suffix = text[:first], text[first:second], text[second:]
    if hashing.fraction(identity, "fim order") < 0.5:
        return [PREFIX, prefix, SUFFIX, suffix, MIDDLE, middle]
    return [PREFIX, SUFFIX, suffix, MIDDLE, prefix, middle]


def text_of(ids: np.ndarray, decode: Callable[[np.ndarray], str], special: Mapping[str, int]) -> str:
    """The text again, from what :meth:`Objective.ids` made of it for filling in."""
    found = ids.tolist()
    if not found or found[0] != special[PREFIX]:
        return decode(ids)
    suffix, middle = found.index(special[SUFFIX]), found.index(special[MIDDLE])
    if suffix == 1:  # SPM: prefix and middle run on
        return decode(ids[middle + 1 :]) + decode(ids[2:middle])
    return decode(ids[1:suffix]) + decode(ids[middle + 1 :]) + decode(ids[suffix + 1 : middle])


def corrupted(identity: str, ids: np.ndarray, density: float, sentinels: Sequence[int]) -> np.ndarray:
    """Spans hidden behind sentinels, and told after the text; by stretches that have a sentinel for each span and one to end with."""
    longest = max(2, int((len(sentinels) - 1) * MEAN_SPAN / density))
    stretches = -(-len(ids) // longest)
    made: list[Sequence[int] | np.ndarray] = []
    for number, stretch in enumerate(np.array_split(ids, max(1, stretches))):
        spans = noise_spans(f"{identity} {number}", len(stretch), density, len(sentinels) - 1)
        if not spans:
            made.append(stretch)
            continue
        shown: list[Sequence[int] | np.ndarray] = []
        told: list[Sequence[int] | np.ndarray] = []
        at = 0
        for sentinel, (start, stop) in zip(sentinels, spans, strict=False):
            shown += [stretch[at:start], [sentinel]]
            told += [[sentinel], stretch[start:stop]]
            at = stop
        made += [*shown, stretch[at:], *told, sentinels[len(spans) : len(spans) + 1]]
    return np.concatenate(made).astype(np.int64)


def restored(ids: np.ndarray, sentinels: Sequence[int]) -> np.ndarray:
    """The ids again that :func:`corrupted` has rewritten."""
    found, at = ids.tolist(), 0
    made: list[int] = []
    number_of = {sentinel: number for number, sentinel in enumerate(sentinels)}
    while at < len(found):
        parts: list[list[int]] = [[]]  # what is shown before the first sentinel, between it and the second, …
        while at < len(found) and number_of.get(found[at], len(parts) - 1) == len(parts) - 1:
            if found[at] in number_of:
                parts.append([])
            else:
                parts[-1].append(found[at])
            at += 1
        made += parts[0]
        for number in range(len(parts) - 1):
            assert found[at] == sentinels[number]
            at += 1
            while found[at] not in number_of:
                made.append(found[at])
                at += 1
            made += parts[number + 1]
        at += len(parts) > 1  # the last sentinel
    return np.array(made, np.int64)


def noise_spans(key: str, length: int, density: float, most: int) -> list[tuple[int, int]]:
    """T5's random spans: round(length · density) ids in round(that / 3) spans, at least one of each, cut at random; what is shown comes
    first, and before every span. None where the length does not suffice."""
    hidden = min(max(round(length * density), 1), length - 1)
    count = min(max(round(hidden / MEAN_SPAN), 1), most, length - hidden)
    if length < 2 or count < 1:
        return []
    spans, at = [], 0
    for shown, size in zip(_cut(length - hidden, count, f"{key} shown"), _cut(hidden, count, f"{key} hidden"), strict=True):
        spans.append((at + shown, at + shown + size))
        at += shown + size
    return spans


def _cut(total: int, parts: int, key: str) -> Iterator[int]:
    """``total`` in so many parts of 1 or more: the places of the cuts are those with the least hashes."""
    places = sorted(sorted(range(1, total), key=lambda place: hashing.rank(f"{key} {place}", "span"))[: parts - 1])
    for start, stop in zip([0, *places], [*places, total], strict=True):
        yield stop - start


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Which objectives of two fingerprints are not the same."""
    return [f"--{name.replace('_', '-')}" for name in ("fim", "span_corruption") if old.get(name) != new.get(name)]
