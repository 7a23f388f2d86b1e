"""What all runs are scored on, and how it is kept out of what any of them is trained on.

A set for each arm (of its validation and test documents), the user's neutral texts, and tasks. Of a document the first 4,000 characters
count, so that no book fills a set; of a set the first 200 kB, in the corpus' own order, which is that of a hash. An arm's set speaks
for the languages that the arm speaks: where one has less than a twentieth of the documents of the most frequent, its documents are held
out and scored, but are no part of the outcome. How a model of English guesses at a script that it never saw is luck: one Chinese page
among 69 came to 5.6 bits per byte and, with other words out of place, to 10.5, which was more than all the other pages told together.

No arm is trained on a document that has the id or the text of a held-out one, or that holds more than a fifth of the 13-word runs of one
(Llama 2's appendix A.6 calls a text clean of which less than a fifth is found elsewhere).

    held = HeldOut.of(arms, neutral=[Path("news.jsonl")], tasks=[Path("blimp.jsonl")])
    held.write(folder)
    Exclusion(folder).reasons(ids, texts)           # ["", "near_text", "same_id"]
"""

import hashlib
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, Self, final

import pyarrow.parquet as pq

from corpus import document, manifest
from corpus.decontamination import Decontaminate, EvaluationSet
from corpus.errors import InputError
from corpus.hashing import content_digest
from corpus.language.words import SegmentWords
from corpus.splits import TRAIN
from corpus.storage import Place, locate
from modeling.records import records

FILE = "documents.jsonl"
CHARACTERS, SET_BYTES, FEWEST = 4_000, 200_000, 8
NEAR = 0.2
REASONS = ("same_id", "same_text", "near_text")
_ROWS = 256
RARE_SHARE = 0.05  # of the most frequent language's documents: of the 60 or 70 that a set holds, one to three
TEXT, RARE, GOOD, BAD = "text", "rare language", "good", "bad"
_GOOD, _BAD = ("good", "sentence_good"), ("bad", "sentence_bad")  # the second names are BLiMP's


@final
@dataclass(frozen=True, kw_only=True)
class Piece:
    """A text to score. ``kind`` text: a document; rare language: one that is no part of its set; good and bad: the sides of item ``key``
    of a task."""

    set: str
    kind: str
    key: str
    text: str
    digest: str
    source: str | None = None
    language: str | None = None


@final
@dataclass(frozen=True)
class HeldOut:
    """All pieces, the sets one after another."""

    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, arms: Mapping[str, str], *, neutral: Sequence[Path] = (), tasks: Sequence[Path] = (), set_bytes: int = SET_BYTES) -> Self:
        """``arms``: name -> corpus folder. Raises InputError where a set has fewer than FEWEST texts."""
        pieces = [piece for name, corpus in arms.items() for piece in _own(name, corpus, set_bytes)]
        pieces += [piece for path in neutral for piece in _neutral(path, set_bytes)]
        return cls((*pieces, *(piece for path in tasks for piece in _task(path))))

    @property
    def sets(self) -> dict[str, list[int]]:
        """Name -> the numbers of its pieces, in order, without those of rare languages; tasks too."""
        found: dict[str, list[int]] = {}
        for at, piece in enumerate(self.pieces):
            if piece.kind != RARE:
                found.setdefault(piece.set, []).append(at)
        return found

    @property
    def digest(self) -> str:
        return hashlib.sha256(self._lines()).hexdigest()

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (locate(str(folder)) / FILE).write_bytes(self._lines())

    @classmethod
    def read(cls, folder: Path) -> Self:
        return cls(tuple(Piece(**json.loads(line)) for line in (folder / FILE).read_text().splitlines()))

    def _lines(self) -> bytes:
        return "".join(json.dumps(asdict(piece)) + "\n" for piece in self.pieces).encode()


@final
@dataclass(frozen=True)
class Exclusion:
    """Which documents may not be trained on."""

    folder: Path

    @cached_property
    def _known(self) -> tuple[set[str], set[str]]:
        pieces = HeldOut.read(self.folder).pieces
        return {piece.key for piece in pieces if piece.kind in (TEXT, RARE)}, {piece.digest for piece in pieces}

    def reasons(self, ids: Sequence[str], texts: Sequence[str]) -> list[str]:
        """Of each document the first of REASONS that holds, or ""."""
        known, digests = self._known
        step = Decontaminate(evaluation=(EvaluationSet(file=str(self.folder / FILE), fields=("text",)),), max_overlap=NEAR)
        near = step(SegmentWords()(document.new_batch(id=list(ids), text=list(texts))))["failed"].to_pylist()
        return [
            REASONS[0] if name in known else REASONS[1] if content_digest(text).hex() in digests else REASONS[2] if faults else ""
            for name, text, faults in zip(ids, texts, near, strict=True)
        ]


def _own(name: str, corpus: str, set_bytes: int) -> list[Piece]:
    pieces: dict[str, Piece] = {}
    size = 0
    for row in rows(locate(corpus)):
        if (row["split"] or TRAIN) == TRAIN:
            continue
        piece = _piece(name, row["id"], row["text"], row["source"], row["language"])
        if piece.digest not in pieces:  # where nothing was deduplicated, a copy would count twice
            pieces[piece.digest] = piece
            size += len(piece.text.encode())
        if size >= set_bytes:
            break
    told_apart = _told_apart(list(pieces.values()))
    return _enough(told_apart, corpus, "curate it with larger shares, as --set split_by_cluster.validation=0.05")


def _told_apart(pieces: Sequence[Piece]) -> list[Piece]:
    """The same pieces, those of rare languages marked."""
    counts = Counter(piece.language for piece in pieces)
    fewest = RARE_SHARE * max(counts.values(), default=0)
    return [replace(piece, kind=RARE) if counts[piece.language] < fewest else piece for piece in pieces]


def _neutral(path: Path, set_bytes: int) -> list[Piece]:
    pieces: list[Piece] = []
    for _, record in records(path):
        if not isinstance(record.get("text"), str):
            raise InputError("a line has no text", where=str(path), hint='each line is {"text": "…"}')
        pieces.append(_piece(path.stem, content_digest(record["text"]).hex(), record["text"]))
        if sum(len(piece.text.encode()) for piece in pieces) >= set_bytes:
            break
    return _enough(pieces, str(path), "give more texts")


def _task(path: Path) -> list[Piece]:
    pieces = []
    for number, record in records(path):
        sides = [next((record[name] for name in names if record.get(name)), None) for names in (_GOOD, _BAD)]
        bad = [sides[1]] if isinstance(sides[1], str) else sides[1]
        if not isinstance(sides[0], str) or not isinstance(bad, list) or not all(isinstance(text, str) for text in bad):
            hint = '{"good": "…", "bad": "…"}; bad may be a list; a question stands before each of its answers'
            raise InputError("an item of the task lacks a side", where=f"{path}:{number}", hint=hint)
        for kind, text in ((GOOD, sides[0]), *((BAD, text) for text in bad)):
            pieces.append(Piece(set=path.stem, kind=kind, key=f"{path.stem}:{number}", text=text, digest=content_digest(text).hex()))
    _enough([piece for piece in pieces if piece.kind == GOOD], str(path), "give more items")
    return pieces


def _piece(name: str, key: str, text: str, source: str | None = None, language: str | None = None) -> Piece:
    digest = content_digest(text).hex()  # of the whole text
    return Piece(set=name, kind=TEXT, key=key, text=text[:CHARACTERS], digest=digest, source=source, language=language)


def _enough(pieces: list[Piece], where: str, hint: str) -> list[Piece]:
    count = sum(piece.kind != RARE for piece in pieces)
    if count < FEWEST:
        raise InputError(f"{count} held-out texts are too few to tell anything: {FEWEST} at the least", where=where, hint=hint)
    return pieces


def rows(corpus: Place, first_row: int = 0) -> Iterator[dict[str, Any]]:
    """id, split, source, language and text of the documents from a row on, in the corpus' order, and around to that row again."""
    shards = manifest.read(corpus)["shards"]["documents"]
    counts = [shard["rows"] for shard in shards]
    starts = list(accumulate(counts, initial=0))
    begin = max(0, min(len(shards), bisect_right(starts, first_row)) - 1)
    within = first_row - starts[begin]
    parts = [
        (begin, within, counts[begin]),
        *((at % len(shards), 0, counts[at % len(shards)]) for at in range(begin + 1, begin + len(shards))),
    ]
    for at, start, stop in (*parts, (begin, 0, within)):
        if start < stop:
            yield from _slice(corpus / "documents" / shards[at]["file"], start, stop)


def _slice(place: Place, start: int, stop: int) -> Iterator[dict[str, Any]]:
    at = 0
    with place.open() as stream:
        for batch in pq.ParquetFile(stream).iter_batches(_ROWS, columns=["id", "split", "source", "language", "text"]):
            first, last = max(start, at) - at, min(stop, at + batch.num_rows) - at
            if first < last:
                yield from batch.slice(first, last - first).to_pylist()
            at += batch.num_rows
            if at >= stop:
                return
