"""Token shards: what the trainer memory-maps. The folder, its manifest, and reading it.

    tokens/
      manifest.json                 written last; names the digests of tokenizer and corpus
      tokenizer/                    a copy of the tokenizer's folder: the tokens are nothing without it
      train/00000.bin               ids, little-endian, uint16 (uint32 beyond 65,536 ids): <s> document </s> <s> document </s> …
      train/00000.parquet           a row a document: id, source, language, tokens (<s> and </s> counted), bytes (of its UTF-8)
      validation/…  test/…

A shard holds the documents of one shard of the corpus that are of its split, in their order, which is that of a hash of their id:
so the stream of a split is shuffled already, and the same whoever wrote it.

    tokens = TokenFolder.open("build/demo/tokens")
    tokens.split("train").read(0, 256)      # the first 256 ids, whatever files they lie in
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import InputError
from tokenization.tokenizer import Tokenizer, load

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

    @property
    def tokens(self) -> int:
        return sum(shard.tokens for shard in self.shards)

    @property
    def documents(self) -> int:
        return sum(shard.documents for shard in self.shards)

    @property
    def bytes(self) -> int:
        return sum(shard.bytes for shard in self.shards)

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(shard.tokens for shard in self.shards)])

    @cached_property
    def _mapped(self) -> list[np.ndarray]:
        mapped = []
        for shard in self.shards:
            path = self.folder / f"{shard.name}.bin"
            size = path.stat().st_size if path.exists() else -1
            if size != shard.tokens * self.dtype.itemsize:
                what = "is missing" if size < 0 else f"is damaged: {size:,} bytes instead of {shard.tokens * self.dtype.itemsize:,}"
                raise InputError(f"a token shard {what}", where=str(path), hint=_HINT)
            mapped.append(np.memmap(path, self.dtype, "r") if size else np.empty(0, self.dtype))
        return mapped

    def read(self, start: int, stop: int) -> np.ndarray:
        """Ids [start, stop) of the stream: int64, shape (stop - start,)."""
        assert 0 <= start <= stop <= self.tokens, (start, stop, self.tokens)
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        parts = []
        while start < stop:
            base = int(self._starts[first])
            end = min(stop, int(self._starts[first + 1]))
            parts.append(np.asarray(self._mapped[first][start - base : end - base], np.int64))
            start, first = end, first + 1
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    @cached_property
    def index(self) -> pa.Table:
        """The documents of the stream in their order: :data:`INDEX`."""
        tables = []
        for shard in self.shards:
            path = self.folder / f"{shard.name}.parquet"
            try:
                tables.append(pq.read_table(path, schema=INDEX))
            except (OSError, pa.ArrowInvalid) as error:
                raise InputError("the index of a token shard cannot be read", where=str(path), hint=_HINT) from error
        return pa.concat_tables(tables) if tables else INDEX.empty_table()

    @cached_property
    def document_starts(self) -> np.ndarray:
        """Where each document begins in the stream, and the end of the last: int64, shape (documents + 1,)."""
        return np.cumsum(np.concatenate([[0], self.index["tokens"].to_numpy()]), dtype=np.int64)


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
        return TokenSplit(self.path / name, shards, self.dtype)

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that made the tokens. Raises InputError where the copy in the folder is another."""
        tokenizer = load(self.path / TOKENIZER)
        if tokenizer.digest != self.manifest["tokenizer"]["digest"]:
            raise InputError("the tokens were made by another tokenizer", where=str(self.path / TOKENIZER), hint=_HINT)
        return tokenizer
