"""All signals of Gopher, C4 and FineWeb on real texts, beside datatrove's filters, which stop at a document's first fault.

python -m tests.benchmarks.run filters
python -m tests.benchmarks.filters build/bench/texts/documents 500
"""

import json
import sys
import time
from typing import Any

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
from tests.benchmarks.sides import PEERS, compared, interleaved, ours, peer, told

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


def measure(rounds: int) -> dict[str, Any]:
    python = peer("datatrove")
    found: dict[str, dict[str, Any]] = {}

    def of(side: str, command: list[object]) -> float:
        found[side] = told(command)
        return float(found[side]["seconds"])

    commands = {
        "ours": ours("tests.benchmarks.filters", texts(), DOCUMENTS),
        "datatrove": [python, PEERS / "datatrove_filters.py", texts(), DOCUMENTS],
    }
    times = interleaved({side: lambda side=side: of(side, commands[side]) for side in commands}, rounds)  # type: ignore[misc]
    result = compared("filters: Gopher, C4, FineWeb on one core", "documents/s", found["ours"]["documents"], times)
    return {**result, "kept": found["ours"]["kept"], "peer_kept": found["datatrove"]["kept"]}


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
