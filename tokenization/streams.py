"""Some documents of a split as a stream of their own: those of one source, or of one language; and the indexes that it takes, on disk.

Where each document lies is written once, shard by shard, and mapped into memory from then on: no more than one shard's index is held at
a time, however many documents there are. An index is a function of the tokens: whoever makes it, makes the same.

    tokens/indexes/train-source-5d41402abc4b2a76/
      index.json            written last, with the folder's name: its groups, their documents and tokens
      00000.begins          int64, where each document of group 0 begins in the split
      00000.starts          int64, where it begins in the group's own stream, and the end of the last

    web, wiki = streams(tokens.split("train"), by="source")
    web.read(0, 256)
"""

import json
import tempfile
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, final

import numpy as np
import pyarrow as pa
import xxhash

from corpus.storage import json_bytes, locate
from tokenization.shards import TokenSplit, starts

FOLDER, FACTS = "indexes", "index.json"
FORMAT = 1  # of the indexes: another looks at no older one
UNKNOWN = "unknown"
_TEMPORARY: list[tempfile.TemporaryDirectory[str]] = []  # of token folders that may not be written to: they go with the process


class Documents(Protocol):
    """What is cut into windows: a whole split, or a stream of it."""

    @property
    def tokens(self) -> int: ...

    @property
    def documents(self) -> int: ...

    def read(self, start: int, stop: int) -> np.ndarray: ...


@final
@dataclass(frozen=True)
class Stream:
    """Documents of a split, one after another. ``key`` names the stream among all of the split's. ``begins`` (documents,): where each
    begins in the split; ``document_starts`` (documents + 1,): where it begins here, and the end of the last."""

    split: TokenSplit
    name: str
    key: str
    begins: np.ndarray
    document_starts: np.ndarray

    @property
    def documents(self) -> int:
        return len(self.begins)

    @property
    def tokens(self) -> int:
        return int(self.document_starts[-1])

    def read(self, start: int, stop: int) -> np.ndarray:
        """Ids [start, stop) of this stream: int64, shape (stop - start,)."""
        parts = []
        number = int(np.searchsorted(self.document_starts, start, side="right")) - 1
        while start < stop:
            end = min(stop, int(self.document_starts[number + 1]))
            shift = int(self.begins[number]) - int(self.document_starts[number])
            parts.append(self.split.read(start + shift, end + shift))
            start, number = end, number + 1
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


def whole(split: TokenSplit) -> Stream:
    """All documents of the split."""
    return streams(split, by="")[0]


def streams(split: TokenSplit, *, by: str) -> list[Stream]:
    """A stream for each value of the column ``by`` ("source", "language"; "" for one of all), in the order of their names."""
    folder, facts = stored(split, by or "all", lambda place: _write(split, by, place))
    found = []
    for number, group in enumerate(facts["groups"]):
        begins, document_starts = (mapped(folder / f"{number:05d}.{kind}") for kind in ("begins", "starts"))
        found.append(Stream(split, group["name"], f"{by}{number}", begins, document_starts))
    return found


def stored(split: TokenSplit, name: str, make: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """The folder of an index and its facts; where it is not there, ``make`` fills it and tells the facts."""
    shards = [(shard.name, shard.documents, shard.tokens, shard.index_sha256) for shard in split.shards]
    digest = xxhash.xxh3_64_hexdigest(json_bytes([FORMAT, *shards]))
    root = split.folder.parent / FOLDER
    folder = root / f"{split.folder.name}-{name}-{digest}"
    if not (folder / FACTS).exists():
        try:
            root.mkdir(exist_ok=True)
            made = root / f".{uuid.uuid4().hex}"
            made.mkdir()
        except OSError:
            _TEMPORARY.append(tempfile.TemporaryDirectory(prefix="gristmill-index-"))
            folder = made = Path(_TEMPORARY[-1].name)
        (made / FACTS).write_bytes(json_bytes(make(made)))
        if made != folder:
            try:
                made.rename(folder)
            except OSError:  # another process was quicker, and has made the same
                locate(str(made)).remove()
    return folder, json.loads((folder / FACTS).read_bytes())


def mapped(file: Path, dtype: "str | np.dtype" = "<i8") -> np.ndarray:
    """The array that a file of an index holds."""
    return np.memmap(file, dtype, "r") if file.stat().st_size else np.empty(0, dtype)


def _write(split: TokenSplit, by: str, folder: Path) -> dict[str, Any]:
    """The begins and starts of each group, shard by shard; files are numbered in the order of the groups' names."""
    held: dict[str, list[int]] = {}  # name -> documents, tokens
    with ExitStack() as stack:
        files: dict[str, tuple[IO[bytes], IO[bytes]]] = {}
        for first, index in split.indexes([*filter(None, [by]), "tokens"]):
            lengths = index["tokens"].to_numpy()
            begins = first + starts(lengths)[:-1]
            names, codes = _groups(index, by)
            for code, name in enumerate(names):
                mine = codes == code
                if name not in files:
                    held[name] = [0, 0]
                    at = len(files)
                    opened = [stack.enter_context((folder / f"{at}.{kind}").open("wb")) for kind in ("begins", "starts")]
                    files[name] = (opened[0], opened[1])
                    files[name][1].write(np.zeros(1, "<i8").tobytes())
                files[name][0].write(begins[mine].astype("<i8").tobytes())
                files[name][1].write((held[name][1] + np.cumsum(lengths[mine])).astype("<i8").tobytes())
                held[name][0] += int(mine.sum())
                held[name][1] += int(lengths[mine].sum())
    for at, name in enumerate(files):
        for kind in ("begins", "starts"):
            (folder / f"{at}.{kind}").rename(folder / f"{sorted(files).index(name):05d}.{kind}")
    return {"groups": [{"name": name, "documents": held[name][0], "tokens": held[name][1]} for name in sorted(held)]}


def _groups(index: pa.Table, by: str) -> tuple[Sequence[str], np.ndarray]:
    """The names that are in a shard, and which of them each document has."""
    if not by:
        return ["all"], np.zeros(index.num_rows, np.int64)
    encoded = index[by].combine_chunks().fill_null(UNKNOWN).dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
