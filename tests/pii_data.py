"""Labelled sentences with personal data, and how finds are scored on them: for the benchmark and for the floor that a test holds.

scores(labelled, as_found(find_all(texts))) -> {"email": Score(precision=1.0, recall=1.0, f1=1.0, labelled=42)}
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from corpus import hashing
from corpus.pii.kinds import Span

# Persons, places, organisations, titles, ages, nationalities, dates, domains and single parts of an address are left out: no
# pattern can find them, or they are nobody's.
KINDS = {
    "CREDIT_CARD": "card", "PHONE_NUMBER": "phone", "EMAIL_ADDRESS": "email", "IBAN_CODE": "iban", "US_SSN": "national_id",
    "IP_ADDRESS": "ip", "US_DRIVER_LICENSE": "driving_licence", "STREET_ADDRESS": "address", "ADDRESS": "address",
}  # fmt: skip
OURS = {"ipv4": "ip", "ipv6": "ip", "ip_private": "ip"}
FILES = ("data/synth_dataset_v2.json", "tests/data/generated_large.json", "tests/data/generated_small.json")

Found = tuple[str, int, int]


@final
@dataclass(frozen=True)
class Sentence:
    text: str
    labels: tuple[Found, ...]


@final
@dataclass(frozen=True)
class Score:
    precision: float
    recall: float
    f1: float
    labelled: int


def sentences(folder: Path, half: int) -> list[Sentence]:
    """Distinct sentences of one half by hash of the text: patterns were written looking at half 0, and are reported on half 1."""
    made: dict[str, Sentence] = {}
    for file in FILES:
        for row in json.loads((folder / "microsoft__presidio-research" / file).read_text()):
            text = row["full_text"]
            if (hashing.fraction(text, "half") >= 0.5) == bool(half):
                spans = [(KINDS[each["entity_type"]], each) for each in row["spans"] if each["entity_type"] in KINDS]
                made[text] = Sentence(text, tuple((kind, each["start_position"], each["end_position"]) for kind, each in spans))
    return [made[text] for text in sorted(made)]


def scores(labelled: Sequence[Sentence], finds: Iterable[Iterable[Found]]) -> dict[str, Score]:
    """A find is right where a label of its kind shares at least half of what the two cover together; each label counts once."""
    right, found_of, labels_of = Counter[str](), Counter[str](), Counter[str]()
    for sentence, found in zip(labelled, finds, strict=True):
        open_labels = defaultdict(list)
        for kind, start, end in sentence.labels:
            labels_of[kind] += 1
            open_labels[kind].append((start, end))
        for kind, start, end in found:
            found_of[kind] += 1
            for label in open_labels[kind]:
                shared = min(end, label[1]) - max(start, label[0])
                if 2 * shared >= max(end, label[1]) - min(start, label[0]):
                    open_labels[kind].remove(label)
                    right[kind] += 1
                    break
    return {kind: _score(right[kind], found_of[kind], labels_of[kind]) for kind in sorted(set(KINDS.values()))}


def as_found(spans: Iterable[Iterable[Span]]) -> list[list[Found]]:
    """Our spans with the peers' one kind for all IP addresses."""
    return [[(OURS.get(span.kind, span.kind), span.start, span.end) for span in row] for row in spans]


def _score(right: int, found: int, labelled: int) -> Score:
    precision, recall = right / found if found else 0.0, right / labelled if labelled else 0.0
    return Score(precision, recall, 2 * right / (found + labelled) if found + labelled else 0.0, labelled)
