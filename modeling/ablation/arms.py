"""What a run is trained on: documents of its arm from its place on, held-out ones left out, exactly as many tokens as its budget.

Runs of one seed begin at the same place of the range of ids, so that what two arms have in common is what both are trained on; the
controls see the documents of the first arm, one with words out of place, the other in another order.

A run encodes its own documents, in its own process: 1 M tokens a second on a core, where a node of 8 H100 trains on 0.4 to 0.7 M. So the
size of a corpus does not matter: only as much of it is read as is trained on.

    write_tokens(run, held_out_folder, tokenizer_folder, output)
"""

import hashlib
import re
import shutil
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import manifest
from corpus.hashing import rank
from corpus.splits import TRAIN
from corpus.storage import Place, json_bytes, locate
from modeling.ablation.design import Arm, Run
from modeling.ablation.held_out import REASONS, TEXT, Exclusion, HeldOut, Piece, rows
from tokenization.encode import id_type
from tokenization.shards import FORMAT, INDEX, MANIFEST, TOKENIZER, TokenShard
from tokenization.tokenizer import BOS, EOS, Tokenizer, load

CURVE_BYTES, CURVE_CHARACTERS = 16_000, 500  # of a set: the beginnings of some thirty of its documents
_BATCH = 64  # documents that are looked up among the held-out ones at once
_BLOCK = 1024  # documents that change places among themselves: some 2 MB of tokens
_WORD = re.compile(r"\S+|\s+")
_NAME = "00000"


def write_tokens(run: Run, held_out: Path, tokenizer: Path, output: Path) -> None:
    """A token folder: ``train`` is the run's draw, ``test`` all held-out texts in their order, ``validation`` beginnings of each set (its
    ``source`` is the set's name, so that curves are told apart). The manifest's ``draw`` counts what was left out.
    """
    model = load(tokenizer)
    shutil.rmtree(output, ignore_errors=True)
    pieces = HeldOut.read(held_out).pieces
    needed = run.train.steps * run.train.global_batch_tokens + 1
    writer = _Writer(output)
    left = dict.fromkeys(("read", *REASONS), 0)
    with writer.split("train") as train:
        drawn = _drawn(admitted(run.arm, run.start, Exclusion(held_out), left), model, needed)
        for document in reordered(drawn) if run.arm.reordered else drawn:
            train.add(document)
    for name, chosen in (("validation", _for_curves(pieces)), ("test", pieces)):
        with writer.split(name) as split:
            for piece in chosen:
                split.add(_document(model, piece.text, id=piece.key, source=piece.set, language=piece.language))
    shutil.copytree(tokenizer, output / TOKENIZER)
    written = {
        "format": FORMAT,
        "fingerprint": {
            "corpus": run.arm.digest,
            "start": run.start,
            "shuffled": run.arm.shuffled,
            "reordered": run.arm.reordered,
            "held_out": run.design.held_out,
        },
        "tokenizer": {"kind": model.kind, "digest": model.digest, "vocabulary": model.vocabulary},
        "dtype": id_type(model.vocabulary).name,
        "splits": {each.name: each.facts() for each in writer.made},
        "draw": {**left, "tokens": train.tokens, "documents": train.documents, "budget": needed - 1},
        "parents": [{"corpus": run.arm.digest}, {"tokenizer": model.digest}],
    }
    (locate(str(output)) / MANIFEST).write_bytes(json_bytes(written))


@final
@dataclass(frozen=True)
class _Document:
    """Its ids between <s> and </s>, and its row of the index."""

    ids: np.ndarray
    row: Mapping[str, Any]

    @property
    def key(self) -> str:
        return str(self.row["id"])


def _document(model: Tokenizer, text: str, **row: str | None) -> _Document:
    ids = np.concatenate([[BOS], model.encode(text), [EOS]]).astype(id_type(model.vocabulary))
    return _Document(ids, {**row, "bytes": len(text.encode())})


def _drawn(rows: Iterable[Mapping[str, Any]], model: Tokenizer, needed: int) -> Iterator[_Document]:
    """Documents until there are ``needed`` tokens, the last one cut."""
    for row in rows:
        document = _document(model, row["text"], id=row["id"], source=row["source"], language=row["language"])
        yield replace(document, ids=document.ids[:needed])
        needed -= len(document.ids)
        if needed <= 0:
            return


def reordered(documents: Iterable[_Document]) -> Iterator[_Document]:
    """The same documents in another order: by another hash of their ids, a block at a time, so that no budget is held in memory. The
    order of batches permutes windows over the whole budget, so that what stays near in the draw lies anywhere in the training."""
    waiting = iter(documents)
    while block := list(islice(waiting, _BLOCK)):
        yield from sorted(block, key=lambda document: rank(document.key, "reordered"))


def first_row(corpus: Place, start: float) -> int:
    """The row at which a draw from the fraction ``start`` of the range of ids begins: that of the first id from there on, so that two
    corpora that share documents share draws. Where files of a repository stay together, ids are not in order: then a fraction of the rows.
    """
    shards = manifest.read(corpus)["shards"]["documents"]
    at = int(start * len(shards))  # a shard is an equal range of ids
    with (corpus / "documents" / shards[at]["file"]).open() as stream:
        ids = pq.ParquetFile(stream).read(columns=["id"])["id"].to_pylist()
    if ids != sorted(ids):
        return int(start * sum(shard["rows"] for shard in shards))
    return sum(shard["rows"] for shard in shards[:at]) + bisect_left(ids, f"{int(start * 16**8):08x}")


def admitted(arm: Arm, start: float, exclusion: Exclusion, left: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Training documents of the arm from a place on, once around, without those held out; ``left`` counts these and all that were read."""
    place = locate(arm.corpus)
    training = (row for row in rows(place, first_row(place, start)) if (row["split"] or TRAIN) == TRAIN)
    while some := list(islice(training, _BATCH)):
        for row, reason in zip(some, exclusion.reasons([row["id"] for row in some], [row["text"] for row in some]), strict=True):
            left["read"] += 1
            if reason:
                left[reason] += 1
            else:
                yield row | {"text": shuffle_words(row["text"], arm.shuffled, row["id"])} if arm.shuffled else row


def shuffle_words(text: str, share: float, key: str) -> str:
    """A share of the words, chosen by hash, change places among themselves; what stands between words stays."""
    parts = _WORD.findall(text)
    places = [at for at, part in enumerate(parts) if not part.isspace()]
    chosen = sorted(places, key=lambda at: rank(f"{key}:{at}", "chosen"))[: round(share * len(places))]
    for place, word in zip(sorted(chosen), [parts[at] for at in chosen], strict=True):
        parts[place] = word
    return "".join(parts)


def tokenizer_sample(arms: Sequence[Arm], held_out: Path, output: Path, sample_bytes: int) -> None:
    """A corpus folder for ``train_tokenizer``: as many bytes of each arm's training documents, as the smallest has if that is less.

    Its manifest holds no more than is read of it: the shard, and the arms' digests.
    """
    exclusion = Exclusion(held_out)
    share = sample_bytes // len(arms)
    texts = [list(_first(arm, exclusion, share)) for arm in arms]
    share = min(sum(len(text.encode()) for text in each) for each in texts)
    chosen = [(TRAIN, text) for each in texts for text in _until(each, share)]
    held = [("validation", piece.text) for piece in HeldOut.read(held_out).pieces if piece.kind == TEXT]
    table = pa.table({"split": [split for split, _ in (*chosen, *held)], "language": pa.nulls(len(chosen) + len(held), pa.string()),
                      "text": [text for _, text in (*chosen, *held)]})  # fmt: skip
    (output / "documents").mkdir(parents=True, exist_ok=True)
    pq.write_table(table, output / "documents" / f"{_NAME}.parquet")
    digest = hashlib.sha256((output / "documents" / f"{_NAME}.parquet").read_bytes()).hexdigest()
    shard = {"file": f"{_NAME}.parquet", "rows": table.num_rows, "sha256": digest}
    told = {"format": manifest.FORMAT, "shards": {"documents": [shard]}, "parents": [{"corpus": arm.digest} for arm in arms]}
    (output / manifest.NAME).write_bytes(json_bytes(told))


def _first(arm: Arm, exclusion: Exclusion, size: int) -> Iterator[str]:
    rows = admitted(arm, 0.0, exclusion, dict.fromkeys(("read", *REASONS), 0))
    yield from _until((row["text"] for row in rows), size)


def _until(texts: Any, size: int) -> Iterator[str]:
    """Until ``size`` bytes of UTF-8, the last text cut to fit."""
    for text in texts:
        encoded = text.encode()[:size]
        if not encoded:
            return
        size -= len(encoded)
        yield encoded.decode(errors="ignore")


def _for_curves(pieces: Sequence[Piece]) -> Iterator[Piece]:
    held: dict[str, int] = {}
    for piece in pieces:
        if piece.kind == TEXT and held.get(piece.set, 0) < CURVE_BYTES:
            piece = replace(piece, text=piece.text[:CURVE_CHARACTERS])
            held[piece.set] = held.get(piece.set, 0) + len(piece.text.encode())
            yield piece


@final
class _Split:
    """One shard of one split, being written."""

    def __init__(self, name: str, folder: Path):
        self.name, self._folder = name, folder
        self._rows: list[dict[str, Any]] = []
        self._digest, self.tokens = hashlib.sha256(), 0
        folder.mkdir(parents=True)
        self._stream: IO[bytes] = (folder / f"{_NAME}.bin").open("wb")

    def __enter__(self) -> "_Split":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        pq.write_table(pa.Table.from_pylist(self._rows, INDEX), self._folder / f"{_NAME}.parquet", compression="zstd")

    @property
    def documents(self) -> int:
        return len(self._rows)

    def add(self, document: _Document) -> None:
        self._stream.write(document.ids.tobytes())
        self._digest.update(document.ids.tobytes())
        self.tokens += len(document.ids)
        self._rows.append({**document.row, "tokens": len(document.ids)})

    def facts(self) -> dict[str, Any]:
        index = hashlib.sha256((self._folder / f"{_NAME}.parquet").read_bytes()).hexdigest()
        sizes = {"documents": len(self._rows), "tokens": self.tokens, "bytes": sum(row["bytes"] for row in self._rows)}
        return {**sizes, "shards": [asdict(TokenShard(name=_NAME, sha256=self._digest.hexdigest(), index_sha256=index, **sizes))]}


@final
class _Writer:
    """The splits of a token folder."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.made: list[_Split] = []

    def split(self, name: str) -> _Split:
        self.made.append(_Split(name, self._folder / name))
        return self.made[-1]
