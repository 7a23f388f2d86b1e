"""A Parquet file of a corpus' documents, opened so that damage names the file.

with documents_of(locate("build/demo/corpus/documents/00000.parquet")) as file:
    for batch in file.iter_batches(): ...
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import InputError
from corpus.storage import Place


@contextmanager
def documents_of(place: Place) -> Iterator[pq.ParquetFile]:
    """Raises InputError where there is no such file, or it is no whole Parquet; other faults of reading and writing pass."""
    try:
        with place.open() as stream:
            yield pq.ParquetFile(stream)
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise InputError("a shard of the corpus is missing or damaged", where=place.uri, hint="run `gristmill curate` again") from error
