"""Batches of windows beside litdata's: tokens a second of CPU on the same tokens, context and batch; and the way to the first batch where
the tokens lie in 10,000 shards.

    python -m tests.benchmarks.run loader
    python -m tests.benchmarks.loader build/bench/loader/tokens

Ours reads in the process that trains, as `gristmill pretrain` does; litdata there too, and then with two workers, as its users run it.
litdata's windows are uint16 ids alone; ours are int64, and carry the mask, the targets of the batch and a digest.
CPU time is that of the process and its workers, from the opening of the folder to the end of the last worker. litdata's own format is made
from the same ids beforehand, and not counted.
"""

import json
import resource
import shutil
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.rows import Row, compared
from tests.benchmarks.sides import BUILD, PEERS, interleaved, ours, peer, spent
from tokenization.shards import FORMAT, INDEX, SPLITS

CONTEXT, BATCH = 1024, 16
TOKENS, SHARDS = 2_000_000, 8  # of each shard of the throughput's folder: 16 M ids
MANY = 10_000
DOCUMENT = 500


def measure(rounds: int) -> list[Row]:
    whole = many_shards(BUILD / "loader" / "tokens", shards=SHARDS, tokens=TOKENS)
    many = many_shards(BUILD / "loader" / "many", shards=MANY, tokens=2 * (CONTEXT + 1))
    python = peer("litdata")
    for folder in (whole, many):
        spent([python, PEERS / "litdata_loader.py", "write", folder, folder.with_name(f"{folder.name}-litdata")])
    tokens = SHARDS * TOKENS // (CONTEXT * BATCH) * CONTEXT * BATCH
    rows = []
    for workers in (0, 2):
        sides = {
            "ours": partial(spent, ours("tests.benchmarks.loader", whole)),
            "litdata": partial(spent, [python, PEERS / "litdata_loader.py", "read", f"{whole}-litdata", CONTEXT, BATCH, workers, 0]),
        }
        what = f"shuffled batches of {BATCH} windows of {CONTEXT:,} in the training process, litdata with {workers} workers"
        costs = interleaved(sides, rounds)
        rows.append(
            compared(f"loader.workers-{workers}", what, "tokens/s of CPU", costs, lambda cost: cost.told["cpu_seconds"], amount=tokens)
        )
    sides = {
        "ours": partial(spent, ours("tests.benchmarks.loader", many, 1)),
        "litdata": partial(spent, [python, PEERS / "litdata_loader.py", "read", f"{many}-litdata", CONTEXT, BATCH, 0, 1]),
    }
    costs = interleaved(sides, rounds)
    return [
        *rows,
        compared("loader.start", f"to the first batch from {MANY:,} shards", "s of CPU", costs, lambda cost: cost.told["cpu_seconds"]),
    ]


def many_shards(folder: Path, *, shards: int, tokens: int) -> Path:
    """A token folder whose shards each hold ``tokens`` ids; where it is not there already."""
    if (folder / "manifest.json").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "train").mkdir(parents=True)
    found = []
    for number in range(shards):
        name = f"{number:05d}"
        ids = (np.arange(tokens, dtype=np.uint64) * np.uint64(0x9E3779B1) + np.uint64(number)) % np.uint64(50_000)
        ids.astype("<u2").tofile(folder / "train" / f"{name}.bin")
        documents = max(1, tokens // DOCUMENT)
        lengths = [tokens // documents] * (documents - 1)
        lengths.append(tokens - sum(lengths))
        names = [name] if documents == 1 else [f"{name}-{each}" for each in range(documents)]
        columns = {"id": names, "source": ["s"] * documents, "language": ["en"] * documents, "tokens": lengths, "bytes": lengths}
        pq.write_table(pa.table(columns, INDEX), folder / "train" / f"{name}.parquet")
        found.append({"name": name, "documents": documents, "tokens": tokens, "bytes": tokens, "sha256": "", "index_sha256": ""})
    none = {"documents": 0, "tokens": 0, "bytes": 0, "shards": []}
    train = {name: sum(shard[name] for shard in found) for name in ("documents", "tokens", "bytes")} | {"shards": found}
    splits = {split: train if split == "train" else none for split in SPLITS}
    made = {"format": FORMAT, "dtype": "uint16", "tokenizer": {}, "parents": [], "splits": splits}
    (folder / "manifest.json").write_text(json.dumps(made))
    return folder


def read_ours(folder: Path, batches_wanted: int | None) -> None:
    """Print the CPU seconds from opening the folder to the last batch."""
    from modeling.data import BatchPlan, batches
    from modeling.order import DataOrder
    from tokenization.packing import pack
    from tokenization.shards import TokenFolder

    before, started = cpu_seconds(), time.monotonic()
    windows = pack(TokenFolder.open(folder).split("train"), CONTEXT)
    order = DataOrder(windows.count, BATCH, 0)
    steps = batches_wanted or windows.count // BATCH
    count = 0
    for batch in batches(windows, order, BatchPlan(1, 1, BATCH), rank=0, first_step=0, steps=steps):
        count += batch["ids"].shape[0] * CONTEXT
    print(json.dumps({"cpu_seconds": cpu_seconds() - before, "seconds": time.monotonic() - started, "tokens": count}))


def cpu_seconds() -> float:
    """Of this process and the workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    _, place, *more = sys.argv
    read_ours(Path(place), int(more[0]) if more else None)
