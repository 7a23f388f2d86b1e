"""Small corpora for the tests of ablations, written as `curate` would, without Spark.

write_corpus(tmp_path / "a", texts(200, seed=0))
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import manifest
from corpus.hashing import content_digest, fraction

WORDS = [
    "the", "miller", "grinds", "his", "corn", "when", "wind", "turns", "sails", "and", "water", "wheel", "below", "old", "stone",
    "bridge", "where", "geese", "walk", "along", "a", "river", "she", "counted", "nine", "sacks", "of", "flour", "before", "noon",
    "while", "bells", "rang", "over", "town", "market", "street", "baker", "waited", "there", "for", "bread",
]  # fmt: skip


def texts(count: int, *, seed: int, words: int = 60) -> dict[str, str]:
    """id -> sentences in which each word has few successors, so that there is something to learn; no two texts share 13 words."""
    rng = np.random.default_rng(seed)
    found = {}
    for number in range(count):
        at, drawn = int(rng.integers(len(WORDS))), []
        for _ in range(words):
            at = (3 * at + int(rng.integers(4))) % len(WORDS)
            drawn.append(WORDS[at])
        lines = [" ".join(drawn[start : start + 10]).capitalize() + "." for start in range(0, words, 10)]
        found[content_digest(f"{seed:02d}-{number:05d}").hex()] = "\n".join(lines)
    return found


def write_corpus(
    folder: Path, documents: dict[str, str], *, held_out: float = 0.15, shards: int = 2, languages: dict[str, str] | None = None
) -> Path:
    """``documents`` in order of their ids, a shard an equal range of these; a share of them, by hash, is validation. ``languages`` of
    those that are not English, by id."""
    (folder / "documents").mkdir(parents=True)
    ids = sorted(documents)
    parts: Sequence[Sequence[str]] = [[name for name in ids if int(name[:8], 16) * shards >> 32 == at] for at in range(shards)]
    told = []
    for number, part in enumerate(parts):
        split = ["validation" if fraction(name, "split") < held_out else "train" for name in part]
        columns = {"id": part, "split": split, "text": [documents[name] for name in part]}
        table = pa.table({**columns, "source": ["made"] * len(part), "language": [(languages or {}).get(name, "en") for name in part]})
        pq.write_table(table, folder / "documents" / f"{number:05d}.parquet")
        told.append({"file": f"{number:05d}.parquet", "rows": len(part), "texts": [documents[name] for name in part]})
    (folder / manifest.NAME).write_text(json.dumps({"format": manifest.FORMAT, "shards": {"documents": told}, "parents": []}))
    return folder
