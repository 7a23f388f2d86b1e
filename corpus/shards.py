"""Shards: a shard is a range of ids, one Parquet file, the same bytes whoever writes it.

Ids are 128-bit hashes, so equal ranges of ids are even shares of the documents in an order that is as good as shuffled. A
recipe may ask that the files of a repository stay together: then the hash of the repository stands for their ids. Row groups are cut
by the bytes of the rows, never by how the rows arrived.

    shard = write_shard(batches, schema, corpus / "documents", 0)
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.storage import Place

ROW_GROUP_BYTES = 8 * 2**20  # in Arrow's memory: a reader holds one row group, and 16 of them make a shard of 128 MiB
ROW_GROUP_ROWS = 65_536
_COMPRESSION = {"compression": "zstd", "compression_level": 3}


@final
@dataclass(frozen=True)
class Shard:
    """A file that was written: its name, rows, bytes on disk, and SHA-256."""

    file: str
    rows: int
    bytes: int
    sha256: str


def shard_name(number: int) -> str:
    return f"{number:05d}.parquet"


def shard_expression(shards: int, column: str = "id") -> str:
    """Spark SQL for the number of the shard of a column of hexadecimal hashes: the first 32 bits, scaled to [0, shards)."""
    return f"cast(shiftright(cast(conv(substring({column}, 1, 8), 16, 10) as bigint) * {shards}L, 32) as int)"


def place_expression(together: Collection[str]) -> str:
    """Spark SQL for where a document stands among all: its ``id``, or or of sources ``together`` a hash of its ``collection``.

    Names of sources are those of a checked recipe: words, without quotes.
    """
    if not together:
        return "id"
    names = ", ".join(f"'{name}'" for name in sorted(together))
    return f"case when source in ({names}) and collection is not null then md5(collection) else id end"


def write_shard(batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Place, number: int) -> Shard:
    """Write one shard, whole or not at all; batches in the order of their rows, all of ``schema``."""
    rows = 0
    with (folder / shard_name(number)).replace() as stream:
        digesting = Digesting(stream)
        with pq.ParquetWriter(digesting, schema, **_COMPRESSION) as writer:
            for group in row_groups(batches):
                rows += group.num_rows
                writer.write_table(group.cast(schema), row_group_size=max(1, group.num_rows))
    return Shard(shard_name(number), rows, digesting.written, digesting.sha256.hexdigest())


def row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Regroup rows into tables of about ROW_GROUP_BYTES; where the cuts fall depends on the rows alone."""
    waiting: list[pa.RecordBatch] = []
    held_bytes = held_rows = 0
    for batch in batches:
        sizes = row_sizes(batch)
        start = 0
        for row in range(batch.num_rows):
            if held_rows and (held_bytes + sizes[row] > ROW_GROUP_BYTES or held_rows == ROW_GROUP_ROWS):
                waiting.append(batch.slice(start, row - start))
                yield pa.Table.from_batches(waiting).combine_chunks()
                waiting, held_bytes, held_rows, start = [], 0, 0, row
            held_bytes += int(sizes[row])
            held_rows += 1
        waiting.append(batch.slice(start))
    if held_rows:
        yield pa.Table.from_batches(waiting).combine_chunks()


def row_sizes(batch: pa.RecordBatch) -> np.ndarray:
    """Bytes of each row's strings and binaries at the top level, plus 256 for all else, shape (rows,)."""
    sizes = np.full(batch.num_rows, 256, dtype=np.int64)
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            sizes += pa.compute.fill_null(pa.compute.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return sizes


@final
class Digesting:
    """A file that hashes what passes through it, for Parquet's writer."""

    def __init__(self, stream: IO[bytes]):
        self._stream = stream
        self.sha256 = hashlib.sha256()
        self.written = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.written += len(data)
        self._stream.write(data)
        return len(data)

    def tell(self) -> int:
        return self.written

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False
