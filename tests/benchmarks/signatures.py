"""MinHash signatures of real texts: ours beside datasketch's `update_batch` with xxHash32 and the scheme affine32, value for value equal.

python -m tests.benchmarks.run signatures
python -m tests.benchmarks.signatures ours build/bench/texts/documents
"""

import json
import sys
import time
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from datasketch import MinHash

from corpus.kernels.shingles import header, signatures
from corpus.kernels.words import words
from tests.benchmarks.pages import texts
from tests.benchmarks.rows import Row, compared
from tests.benchmarks.sides import interleaved, ours, spent

NGRAM, PERMUTATIONS, SEED = 5, 112, 1


def measure(rounds: int) -> list[Row]:
    commands = {side: ours("tests.benchmarks.signatures", side, texts()) for side in ("ours", "datasketch")}
    costs = interleaved({side: partial(spent, command) for side, command in commands.items()}, rounds)
    told, theirs = (costs[side][-1].told for side in commands)
    assert told["digest"] == theirs["digest"], "the hash values differ"
    what = f"signatures from words, {PERMUTATIONS} permutations, one core"
    return [compared("signatures", what, "MB of text/s of CPU", costs, lambda cost: cost.told["seconds"], amount=told["megabytes"])]


def _texts(folder: str) -> pa.Array:
    """Those with words enough for a shingle."""
    column = pq.read_table(folder, columns=["text"])["text"].combine_chunks()
    return column.filter(pa.array(np.diff(words(column).offsets.to_numpy()) // 2 >= NGRAM))


def _ours(column: pa.Array, spans: pa.ListArray) -> np.ndarray:
    signed = signatures(column, spans, np.full(len(column), NGRAM), PERMUTATIONS, SEED).to_pylist()
    skip = len(header(PERMUTATIONS, SEED))
    return np.frombuffer(b"".join(each[skip:] for each in signed), "<u4").reshape(len(column), PERMUTATIONS)


def _theirs(column: pa.Array, spans: pa.ListArray) -> np.ndarray:
    values = []
    for text, offsets in zip(column.to_pylist(), spans.to_pylist(), strict=True):
        utf8 = text.encode()
        folded = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in utf8) if not text.isascii() else utf8.lower()
        found = [folded[start:end] for start, end in zip(offsets[::2], offsets[1::2], strict=True)]
        made = MinHash(num_perm=PERMUTATIONS, seed=SEED, hashfunc=xxhash.xxh32_intdigest, scheme="affine32")
        made.update_batch([b" ".join(found[at : at + NGRAM]) for at in range(len(found) - NGRAM + 1)])
        values.append(made.hashvalues)
    return np.array(values)


def main(side: str, folder: str) -> None:
    """Print seconds, megabytes, and a digest of the values. Segmentation is done before, for both."""
    column = _texts(folder)
    spans = words(column)
    sign = _ours if side == "ours" else _theirs
    sign(column[:2], spans[:2])  # compiled, imported, warm
    started = time.process_time()
    values = sign(column, spans)
    seconds = time.process_time() - started
    digest = xxhash.xxh3_64_hexdigest(values.astype("<u4").tobytes())
    print(json.dumps({"seconds": seconds, "megabytes": column.nbytes / 1e6, "digest": digest}))


if __name__ == "__main__":
    main(*sys.argv[1:])
