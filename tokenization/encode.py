"""A corpus to token shards, on Spark: a shard of documents becomes a token shard for each split, one task a shard.

Documents lie in hash order already, and which tokens a shard holds depends on its documents alone: so there is no shuffle, any
partitioning gives the same bytes, and a killed run goes on with the shards that are not whole.

What a training document is rewritten to for another objective than the next token (``tokenization.objectives``), its id decides.

    encode("build/demo/corpus", "build/demo/tokenizer", "build/demo/tokens", spark=session("gristmill encode"))
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from corpus import manifest
from corpus.errors import InputError, ResumeError
from corpus.shards import Digesting
from corpus.splits import TRAIN
from corpus.storage import Place, json_bytes, locate
from corpus.tasks import in_tasks, raising_user_errors
from corpus.version import code_version
from corpus.work import claim, refuse_foreign
from tokenization import objectives
from tokenization.documents import documents_of
from tokenization.objectives import Encode, Objective, special_ids
from tokenization.shards import FORMAT, INDEX, MANIFEST, SPLITS, TOKENIZER, TokenFolder, TokenShard
from tokenization.streams import FOLDER as INDEXES
from tokenization.tokenizer import Tokenizer, copy, load

Rewrite = Callable[[str, str, Encode], np.ndarray]
PLAIN = Objective()
_ROWS = 256  # documents that are held at once: a page is 10 kB, a book 1 MB


@final
@dataclass(frozen=True)
class Encoded:
    """A finished token folder, and whether it was there already."""

    tokens: TokenFolder
    resumed: bool


def encode(
    corpus: str, tokenizer: str, output: str, *, spark: SparkSession, objective: Objective = PLAIN, work: str | None = None,
    overwrite: bool = False,
) -> Encoded:  # fmt: skip
    """Write the token folder; its manifest last. The documents of the training split are rewritten for ``objective``.

    ``output`` and ``tokenizer`` are folders that the driver and every task can reach under the same name. Raises InputError where the
    corpus is none, or the tokenizer lacks what the objective needs, ResumeError where other tokens lie in ``output``.
    """
    source, place = locate(corpus), locate(output)
    made_from = manifest.read(source)
    model = load(tokenizer)
    now = {
        "corpus": hashlib.sha256((source / manifest.NAME).read_bytes()).hexdigest(),
        "tokenizer": model.digest,
        "code": code_version("tokenization"),
        **objective.manifest(),
    }
    special = special_ids(Path(tokenizer), objective)
    store = locate(work) if work else Place(f"{place.uri.rstrip('/')}.work")
    if not place.is_local:
        raise InputError("tokens are memory-mapped, and so must lie on a file system", where=output, hint="name a folder that is mounted")
    with raising_user_errors(output):
        if overwrite:
            _clear(place)
            store.remove()
        if (place / MANIFEST).exists():
            return Encoded(_finished(place, now), resumed=True)
        refuse_foreign(place, MANIFEST, store)
        claim(store, now, _differences)
        for split in SPLITS:
            (place / split).make_folder()
        files = made_from["shards"]["documents"]
        rewrite = partial(objective.ids, special=special) if objective != PLAIN else None
        sizes = [file["bytes"] for file in files]
        names = [file["file"] for file in files]
        shards = _encode_shards(spark, source, names, sizes, (tokenizer, model.digest), place, store, rewrite)
        for left in Path(place.path).rglob(".*.tmp"):  # of workers that were killed while they wrote
            left.unlink(missing_ok=True)
        copy(tokenizer, Path(place.path) / TOKENIZER)
        (place / MANIFEST).write_bytes(json_bytes(_manifest(now, model, shards)))
        store.remove()
    return Encoded(TokenFolder.open(place.path), resumed=False)


def _encode_shards(
    spark: SparkSession, source: Place, files: Sequence[str], sizes: Sequence[int], tokenizer: tuple[str, str], place: Place, store: Place,
    rewrite: Rewrite | None,
) -> list[dict[str, TokenShard]]:  # fmt: skip
    """One task a shard, those left out that an earlier run finished; in the order of the files. ``tokenizer``: folder and digest."""

    def one(name: str) -> str:
        done = store / f"{name}.json"
        if not done.exists():
            written = encode_shard(source / "documents" / name, held_tokenizer(*tokenizer), place, rewrite)
            done.write_bytes(json_bytes({split: asdict(shard) for split, shard in written.items()}))
        return json.dumps([name, json.loads(done.read_bytes())])

    written = dict(json.loads(row) for row in in_tasks(spark, files, sizes, one))
    return [{split: TokenShard(**shard) for split, shard in written[name].items()} for name in files]


@lru_cache(maxsize=1)
def held_tokenizer(tokenizer: str, digest: str) -> Tokenizer:
    """The tokenizer of the folder, for a process of tasks, which have one core each. Raises InputError where another lies there.

    Once a process: `tokenizers` keeps the pieces of each word it met for every tokenizer there ever was, and with that of a few dozen in
    the heap the next one takes up to twice the time.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    model = load(tokenizer)
    if model.digest != digest:
        raise InputError("the tokenizer was changed while texts were encoded", where=tokenizer, hint="run the same command again")
    return model


def encode_shard(documents: Place, tokenizer: Tokenizer, place: Place, rewrite: Rewrite | None = None) -> dict[str, TokenShard]:
    """Write ``SPLIT/NAME.bin`` and ``SPLIT/NAME.parquet`` of each split for one Parquet file of documents. ``rewrite``: the ids of a
    training document, from its id, its text and how text is encoded."""
    name = documents.uri.rpartition("/")[2].removesuffix(".parquet")
    dtype = id_type(tokenizer.vocabulary)
    with ExitStack() as stack:
        streams = {split: Digesting(stack.enter_context((place / split / f"{name}.bin").replace())) for split in SPLITS}
        indexes = {split: Digesting(stack.enter_context((place / split / f"{name}.parquet").replace())) for split in SPLITS}
        writers = {split: stack.enter_context(pq.ParquetWriter(indexes[split], INDEX, compression="zstd")) for split in SPLITS}
        counts = {split: np.zeros(3, np.int64) for split in SPLITS}
        with documents_of(documents) as file:
            for batch in _read(file):
                rows: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
                for row in batch.to_pylist():
                    split = row["split"] or SPLITS[0]
                    rewritten = rewrite if split == TRAIN else None
                    bare = rewritten(row["id"], row["text"], tokenizer.encode) if rewritten else tokenizer.encode(row["text"])
                    ids = np.concatenate([[tokenizer.special.bos], bare, [tokenizer.special.eos]]).astype(dtype)
                    streams[split].write(ids.tobytes())
                    size = len(row["text"].encode())
                    counts[split] += (1, len(ids), size)
                    rows[split].append({**{key: row[key] for key in ("id", "source", "language")}, "tokens": len(ids), "bytes": size})
                for split, found in rows.items():
                    if found:
                        writers[split].write_table(pa.Table.from_pylist(found, INDEX))
        for writer in writers.values():
            writer.close()
    return {
        split: TokenShard(
            name=name,
            documents=int(counts[split][0]),
            tokens=int(counts[split][1]),
            bytes=int(counts[split][2]),
            sha256=streams[split].sha256.hexdigest(),
            index_sha256=indexes[split].sha256.hexdigest(),
        )
        for split in SPLITS
    }


def _read(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """The documents of a shard; of a mixture those that are to be trained on n times come n times, once in each pass over the shard."""
    columns = ["id", "source", "language", "split", "text"]
    mixed = "repeats" in file.schema_arrow.names
    passes = max((pc.max(part["repeats"]).as_py() or 1 for part in file.iter_batches(columns=["repeats"])), default=1) if mixed else 1
    for number in range(passes):
        for batch in file.iter_batches(_ROWS, columns=[*columns, "repeats"] if mixed else columns):
            if number:
                batch = batch.filter(
                    pc.and_(pc.equal(pc.fill_null(batch["split"], SPLITS[0]), SPLITS[0]), pc.greater(batch["repeats"], number))
                )
            yield batch


def id_type(vocabulary: int) -> np.dtype:
    """The smallest that holds every id: uint16, or uint32; little-endian."""
    return np.dtype("<u2" if vocabulary <= 1 << 16 else "<u4")


def _manifest(now: Mapping[str, Any], model: Tokenizer, shards: Sequence[Mapping[str, TokenShard]]) -> dict[str, Any]:
    splits = {}
    for split in SPLITS:
        found = [each[split] for each in shards]
        splits[split] = {
            "documents": sum(shard.documents for shard in found),
            "tokens": sum(shard.tokens for shard in found),
            "bytes": sum(shard.bytes for shard in found),
            "shards": [asdict(shard) for shard in found],
        }
    return {
        "format": FORMAT,
        "fingerprint": dict(now),
        "tokenizer": model.facts(),
        "dtype": id_type(model.vocabulary).name,
        "splits": splits,
        "parents": [{"corpus": now["corpus"]}, {"tokenizer": now["tokenizer"]}],
    }


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    names = {"corpus": "the corpus", "tokenizer": "the tokenizer", "code": "the code version"}
    return [what for key, what in names.items() if old.get(key) != new.get(key)] + objectives.differences(old, new)


def _finished(place: Place, now: Mapping[str, Any]) -> TokenFolder:
    there = TokenFolder.open(place.path)
    changed = _differences(there.manifest["fingerprint"], now)
    if changed:
        raise ResumeError(f"other tokens lie there; changed: {'; '.join(changed)}", where=place.uri, hint="--overwrite replaces them")
    return there


def _clear(place: Place) -> None:
    """Remove tokens, and nothing else that may lie in the folder; the manifest first: then they are none any more."""
    for name in (MANIFEST, *SPLITS, TOKENIZER, INDEXES):
        (place / name).remove()
