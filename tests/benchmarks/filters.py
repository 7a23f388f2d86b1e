"""All signals of Gopher, C4 and FineWeb on real texts, beside datatrove's filters, which stop at a document's first fault.

python -m tests.benchmarks.run filters
python -m tests.benchmarks.filters build/bench/texts/documents 500
"""

import json
import sys
import time
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import document
from corpus.language.words import SegmentWords
from corpus.quality.c4 import C4Lines
from corpus.quality.fineweb import FinewebQuality
from corpus.quality.gopher import GopherQuality
from corpus.quality.repetition import GopherRepetition
from corpus.step import DocumentStep, rejected
from tests.benchmarks.pages import texts
from tests.benchmarks.rows import Row, compared
from tests.benchmarks.sides import PEERS, interleaved, ours, peers, spent

STEPS: tuple[DocumentStep, ...] = (
    SegmentWords(),
    GopherRepetition(),
    GopherQuality(variant="datatrove"),
    C4Lines(terminal_punctuation=False),
    SegmentWords(),
    FinewebQuality(variant="datatrove"),
)
DOCUMENTS = 500  # datatrove takes 20 ms of CPU for each
_BATCH = 100  # documents: what the fused pass sees at once


def measure(rounds: int) -> list[Row]:
    commands = {"ours": ours("tests.benchmarks.filters", texts(), DOCUMENTS)}
    commands |= {name: [python, PEERS / f"{name}_filters.py", texts(), DOCUMENTS] for name, python in peers("datatrove").items()}
    costs = interleaved({side: partial(spent, command) for side, command in commands.items()}, rounds)
    told = costs["ours"][-1].told
    kept = {f"kept by {side}": costs[side][-1].told["kept"] for side in commands}
    what = "all signals of Gopher, C4 and FineWeb, one core"
    return [compared("filters", what, "documents/s of CPU", costs, lambda cost: cost.told["seconds"], amount=told["documents"], **kept)]


def main(folder: str, documents: str) -> None:
    """Print the CPU seconds of all steps on the first ``documents`` texts, and how many documents fail none."""
    column = pq.read_table(folder, columns=["text"])["text"].combine_chunks()[: int(documents)]
    batches = [_batch(column[at : at + _BATCH]) for at in range(0, len(column), _BATCH)]
    _run(batches[0])  # compiled, warm
    started = time.process_time()
    kept = sum(_run(batch) for batch in batches)
    print(json.dumps({"seconds": time.process_time() - started, "documents": len(column), "kept": kept}))


def _batch(text: pa.Array) -> pa.RecordBatch:
    return document.new_batch(id=list(map(str, range(len(text)))), text=text, language=["en"] * len(text))


def _run(batch: pa.RecordBatch) -> int:
    for step in STEPS:
        batch = step(batch)
    return int(np.sum(~rejected(batch)))


if __name__ == "__main__":
    main(*sys.argv[1:])
