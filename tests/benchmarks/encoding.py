"""Text to token shards on Spark beside the libraries' own calls with as many threads: MB of text a second of CPU.

    python -m tests.benchmarks.run encoding
    python -m tests.benchmarks.encoding spark bytes

Sides: ``spark`` is `encode` on as many cores as the machine has, from Parquet to finished token shards, the session started beforehand;
``alone`` is `encode_shard`, the same work without Spark, on one core; ``library`` is one threaded call of `tokenizers` (encode_batch_fast)
or sentencepiece (encode with num_threads) on texts that lie in memory, its ids counted and thrown away. Seconds are of
the CPU, all threads and processes together, in the second of two passes: a busy machine changes them less than those of the wall.
Spark's own share is told twice: as what ``spark`` takes beyond ``alone``, which holds what two cores take from each other too, and as what
the driver and the JVM take of ``spark``.
"""

import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import sentencepiece
import tokenizers

from corpus.session import session
from corpus.storage import Place
from tests.benchmarks.rows import Row, bootstrap, compared, row
from tests.benchmarks.sides import BUILD, Cost, interleaved, ours, spent
from tests.benchmarks.spark_share import cpu_seconds
from tests.conftest import REPOSITORY
from tests.road import corpus_of
from tokenization.encode import encode, encode_shard, held_tokenizer
from tokenization.shards import SPLITS
from tokenization.tokenizer import load
from tokenization.train import train_tokenizer

WORK = BUILD / "encoding"
LIBRARIES = {"bytes": "tokenizers", "bpe": "sentencepiece"}
VOCABULARY = 16_000
COPIES, SHARDS = 4, 8  # of the texts; shards of the corpus
AIM = 10  # %
_TEXTS = REPOSITORY.parent / "shared" / "data" / "lm-text"


def measure(rounds: int) -> list[Row]:
    size = prepare()
    rows = []
    for kind, library in LIBRARIES.items():
        sides = {side: partial(spent, ours("tests.benchmarks.encoding", side, kind)) for side in ("spark", "alone", "library")}
        costs = interleaved(sides, rounds)
        named = {"gristmill": costs["spark"], library: costs["library"]}
        megabytes = size / 1e6

        def taken(cost: Cost) -> float:
            return float(cost.told["cpu_seconds"])

        what = f"{kind}: Parquet to token shards on Spark, beside one threaded call of the library in memory"
        rows.append(compared(f"encoding.{kind}", what, "MB/s of CPU", named, taken, amount=megabytes))
        shares = [100 * (1 - taken(bare) / taken(held)) for held, bare in zip(costs["spark"], costs["alone"], strict=True)]
        told = f"{kind}: Spark's own share of encoding"
        rows.append(row(f"encoding.{kind}.spark", told, "%", statistics.median(shares), interval=bootstrap(shares), aim=AIM))
        shares = [100 * cost.told["outside_tasks"] / taken(cost) for cost in costs["spark"]]
        told = f"{kind}: what driver and JVM take of encoding on Spark"
        rows.append(row(f"encoding.{kind}.outside", told, "%", statistics.median(shares), interval=bootstrap(shares), aim=AIM))
    return rows


def prepare() -> int:
    """The corpus in shards and a tokenizer of each kind; bytes of its text."""
    texts = [path.read_text(errors="replace") for path in sorted(_TEXTS.rglob("*")) if path.suffix in (".txt", ".md", ".py", ".xhtml")]
    texts = [text[at : at + 50_000] for text in texts for at in range(0, len(text), 50_000)]
    if not (WORK / "corpus").exists():
        corpus_of(WORK / "corpus", [("en", text) for text in texts * COPIES])
        _in_shards(WORK / "corpus")
        for kind in LIBRARIES:
            train_tokenizer(str(WORK / "corpus"), WORK / kind, kind=kind, vocabulary=VOCABULARY, sample_bytes=20_000_000)
    return COPIES * sum(len(text.encode()) for text in texts)


def _in_shards(corpus: Path) -> None:
    table = pq.read_table(corpus / "documents" / "00000.parquet")
    rows = -(-table.num_rows // SHARDS)
    told = json.loads((corpus / "manifest.json").read_bytes())
    told["shards"]["documents"] = []
    for number in range(SHARDS):
        file = corpus / "documents" / f"{number:05d}.parquet"
        pq.write_table(table.slice(number * rows, rows), file)
        told["shards"]["documents"].append({"file": file.name, "bytes": file.stat().st_size, "rows": rows})
    (corpus / "manifest.json").write_text(json.dumps(told))


def main(side: str, kind: str) -> None:
    """Print what the second pass takes, of this process and all below it: in the first one workers start and code is compiled."""
    cores = len(os.sched_getaffinity(0))
    files = sorted((WORK / "corpus" / "documents").glob("*.parquet"))
    tokens = WORK / f"tokens-{side}"
    if side == "spark":
        spark = session("encoding", f"local[{cores}]", brief=True)

        def run() -> None:
            encode(str(WORK / "corpus"), str(WORK / kind), str(tokens), spark=spark)
    elif side == "alone":
        tokenizer = held_tokenizer(str(WORK / kind), load(WORK / kind).digest)  # as the tasks have it

        def run() -> None:
            for file in files:
                encode_shard(Place(str(file)), tokenizer, Place(str(tokens)))
    else:
        texts = [text for file in files for text in pq.read_table(file, columns=["text"])["text"].to_pylist()]
        count = _library(kind, cores)

        def run() -> None:
            count(texts)

    for _ in range(2):
        shutil.rmtree(tokens, ignore_errors=True)
        if side == "alone":
            for split in SPLITS:
                (tokens / split).mkdir(parents=True)
        started, used, outside = time.monotonic(), cpu_seconds(), _outside_tasks()
        run()
        told = {"seconds": time.monotonic() - started, "cpu_seconds": cpu_seconds() - used, "outside_tasks": _outside_tasks() - outside}
    print(json.dumps(told))


def _outside_tasks() -> float:
    """CPU seconds of this process and of the JVM, if there is one."""
    here = psutil.Process()
    times = [each.cpu_times() for each in (here, *here.children(recursive=True)) if each == here or each.name() == "java"]
    return sum(each.user + each.system for each in times)


def _library(kind: str, threads: int) -> Callable[[list[str]], int]:
    if kind == "bytes":
        model = tokenizers.Tokenizer.from_file(str(WORK / kind / "tokenizer.json"))
        return lambda texts: sum(len(each.ids) for each in model.encode_batch_fast(texts, add_special_tokens=False))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(WORK / kind / "tokenizer.model"))
    return lambda texts: sum(map(len, processor.encode(texts, num_threads=threads)))


if __name__ == "__main__":
    main(*sys.argv[1:])
