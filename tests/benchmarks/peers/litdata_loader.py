"""The same ids through litdata; run in an environment of its own (litdata.txt).

python litdata_loader.py write TOKENS FOLDER
python litdata_loader.py read FOLDER CONTEXT BATCH WORKERS BATCHES        # BATCHES 0: all; prints {"cpu_seconds": …}

A shard of ours becomes a chunk of litdata's TokensLoader; windows of CONTEXT + 1 ids, as our windows are read.
"""

import json
import resource
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from litdata import StreamingDataLoader, StreamingDataset, TokensLoader
from litdata.streaming.writer import BinaryWriter


def write(tokens: Path, folder: Path) -> None:
    if (folder / "index.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    shards = sorted((tokens / "train").glob("*.bin"))
    size = shards[0].stat().st_size // 2
    writer = BinaryWriter(str(folder), chunk_size=size, item_loader=TokensLoader(), follow_tensor_dimension=False)
    for number, shard in enumerate(shards):
        writer[number] = torch.from_numpy(np.fromfile(shard, "<u2").astype(np.int32)).to(torch.uint16)
    writer.done()
    writer.merge()


def read(folder: Path, context: int, batch: int, workers: int, batches: int) -> None:
    before, started = cpu_seconds(), time.monotonic()
    dataset = StreamingDataset(str(folder), item_loader=TokensLoader(block_size=context + 1), shuffle=True, drop_last=True)
    loader = StreamingDataLoader(dataset, batch_size=batch, num_workers=workers, drop_last=True)
    count = 0
    for window in islice(loader, batches or None):
        count += window.shape[0] * context
    del loader
    print(json.dumps({"cpu_seconds": cpu_seconds() - before, "seconds": time.monotonic() - started, "tokens": count}))


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    if what == "write":
        write(Path(given[0]), Path(given[1]))
    else:
        read(Path(given[0]), *map(int, given[1:]))
