"""Token shards: what the trainer memory-maps. The folder, its manifest, and reading it.

    tokens/
      manifest.json                 written last; names the digests of tokenizer and corpus
      tokenizer/                    a copy of the tokenizer's folder: the tokens are nothing without it
      train/00000.bin               ids, little-endian, uint16 (uint32 beyond 65,536 ids): <s> document </s> <s> document </s> …
      train/00000.parquet           a row a document: id, source, language, tokens (<s> and </s> counted), bytes (of its UTF-8)
      validation/…  test/…

A shard holds the documents of one shard of the corpus that are of its split, in their order, which is that of a hash of their id:
so the stream of a split is shuffled already, and the same whoever wrote it.

Opening reads the manifest alone, which has the counts of every shard; a shard, or its index, is opened when an id or a document of it is
asked for, and only so many stay open: 10,000 shards are no more than a process may hold.

    tokens = TokenFolder.open("build/demo/tokens")
    tokens.split("train").read(0, 256)      # the first 256 ids, whatever files they lie in
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import InputError
from tokenization.tokenizer import SpecialIds, Tokenizer, carried

FORMAT = "gristmill tokens 1"
MANIFEST, TOKENIZER = "manifest.json", "tokenizer"
SPLITS = ("train", "validation", "test")
INDEX = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("language", pa.string()),
        ("tokens", pa.int64()),
        ("bytes", pa.int64()),
    ]
)
_OPEN_SHARDS = 256  # a map holds a file open, and many systems grant a process 1,024
_OPEN_INDEXES = 64  # of a shard of 100,000 documents the starts take 0.8 MB
_HINT = "run `gristmill encode` again with --overwrite"


@final
@dataclass(frozen=True)
class TokenShard:
    """A pair of files: ``name``.bin and ``name``.parquet (its SHA-256 and the index's)."""

    name: str
    documents: int
    tokens: int
    bytes: int
    sha256: str
    index_sha256: str


@final
@dataclass(frozen=True)
class TokenSplit:
    """The shards of one split as one stream of ``tokens`` ids, ``documents`` documents."""

    folder: Path
    shards: Sequence[TokenShard]
    dtype: np.dtype
    special: SpecialIds = SpecialIds()

    @property
    def tokens(self) -> int:
        return int(self._starts[-1])

    @cached_property
    def documents(self) -> int:
        return sum(shard.documents for shard in self.shards)

    @cached_property
    def bytes(self) -> int:
        return sum(shard.bytes for shard in self.shards)

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(shard.tokens for shard in self.shards)])

    @cached_property
    def _mapped(self) -> Callable[[int], np.ndarray]:
        return lru_cache(_OPEN_SHARDS)(self._map)

    @cached_property
    def _document_starts_of(self) -> Callable[[int], np.ndarray]:
        def read(number: int) -> np.ndarray:
            return int(self._starts[number]) + starts(self._index_of(number, ["tokens"])["tokens"].to_numpy())

        return lru_cache(_OPEN_INDEXES)(read)

    def _map(self, number: int) -> np.ndarray:
        shard = self.shards[number]
        path = self.folder / f"{shard.name}.bin"
        size = path.stat().st_size if path.exists() else -1
        if size != shard.tokens * self.dtype.itemsize:
            what = "is missing" if size < 0 else f"is damaged: {size:,} bytes instead of {shard.tokens * self.dtype.itemsize:,}"
            raise InputError(f"a token shard {what}", where=str(path), hint=_HINT)
        return np.memmap(path, self.dtype, "r") if size else np.empty(0, self.dtype)

    def _index_of(self, number: int, columns: list[str] | None = None) -> pa.Table:
        path = self.folder / f"{self.shards[number].name}.parquet"
        try:
            return pq.read_table(path, columns=columns, schema=INDEX)
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError("the index of a token shard cannot be read", where=str(path), hint=_HINT) from error

    def _shard_at(self, position: int) -> int:
        return int(np.searchsorted(self._starts, position, side="right")) - 1

    def read(self, start: int, stop: int) -> np.ndarray:
        """Ids [start, stop) of the stream: int64, shape (stop - start,)."""
        assert 0 <= start <= stop <= self.tokens, (start, stop, self.tokens)
        first = self._shard_at(start)
        parts = []
        while start < stop:
            base = int(self._starts[first])
            end = min(stop, int(self._starts[first + 1]))
            if start < end:
                parts.append(np.asarray(self._mapped(first)[start - base : end - base], np.int64))
            start, first = end, first + 1
        return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0, np.int64)

    def documents_in(self, start: int, stop: int) -> np.ndarray:
        """Where the documents begin that have an id in [start, stop), and where the last of them ends: int64."""
        first, last = self._shard_at(start), self._shard_at(stop - 1)
        found = np.unique(np.concatenate([self._document_starts_of(number) for number in range(first, last + 1)]))
        return found[np.searchsorted(found, start, side="right") - 1 : np.searchsorted(found, stop - 1, side="right") + 1]

    def rows(self, begins: np.ndarray) -> pa.Table:
        """The rows of the documents that begin at these ids, in this order: :data:`INDEX` and ``shard``. Reads their shards' indexes."""
        shards = np.searchsorted(self._starts, begins, side="right") - 1
        tables, order = [], []
        for number in np.unique(shards):
            places = np.flatnonzero(shards == number)
            index = self._index_of(int(number))
            found = np.searchsorted(self._document_starts_of(int(number)), begins[places])
            tables.append(index.take(found).append_column("shard", pa.array([self.shards[number].name] * len(places))))
            order.append(places)
        if not tables:
            return INDEX.append(pa.field("shard", pa.string())).empty_table()
        return pa.concat_tables(tables).take(np.argsort(np.concatenate(order), kind="stable"))

    def indexes(self, columns: list[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Each shard's first id and its index, in their order; one is held at a time."""
        for number in range(len(self.shards)):
            yield int(self._starts[number]), self._index_of(number, columns)

    @cached_property
    def index(self) -> pa.Table:
        """The documents of the stream in their order: :data:`INDEX`."""
        return pa.concat_tables([INDEX.empty_table(), *(table for _, table in self.indexes())])

    @cached_property
    def document_starts(self) -> np.ndarray:
        """Where each document begins in the stream, and the end of the last: int64, shape (documents + 1,)."""
        return starts(np.concatenate([np.empty(0, np.int64), *(table["tokens"].to_numpy() for _, table in self.indexes(["tokens"]))]))


def starts(lengths: np.ndarray) -> np.ndarray:
    """Where each of these stretches begins, and the end of the last: int64, one more than there are."""
    return np.cumsum(np.concatenate([[0], lengths]), dtype=np.int64)


@final
@dataclass(frozen=True)
class TokenFolder:
    """A finished token folder."""

    path: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Raises InputError where it is none."""
        path = Path(path)
        try:
            manifest = json.loads((path / MANIFEST).read_bytes())
        except (OSError, ValueError) as error:
            raise InputError("this is no finished token folder", where=str(path), hint="make one with `gristmill encode`") from error
        whole = isinstance(manifest, dict) and {"dtype", "parents", "splits", "tokenizer"} <= manifest.keys()
        if not whole or manifest.get("format") != FORMAT:
            raise InputError("this is no token folder", where=str(path), hint=f"its manifest.json is not of format {FORMAT!r}")
        return cls(path, manifest)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.manifest["dtype"]).newbyteorder("<")

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, which names the digest of every shard."""
        return hashlib.sha256((self.path / MANIFEST).read_bytes()).hexdigest()

    def split(self, name: str) -> TokenSplit:
        assert name in SPLITS, name
        shards = [TokenShard(**shard) for shard in self.manifest["splits"][name]["shards"]]
        return TokenSplit(self.path / name, shards, self.dtype, self.special)

    @property
    def special(self) -> SpecialIds:
        return SpecialIds(**self.manifest["tokenizer"].get("special", {}))

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that made the tokens. Raises InputError where the copy in the folder is another."""
        tokenizer = carried(self.path / TOKENIZER)
        if tokenizer.digest != self.manifest["tokenizer"]["digest"]:
            raise InputError("the tokens were made by another tokenizer", where=str(self.path / TOKENIZER), hint=_HINT)
        return tokenizer
