"""A corpus, its tokenizer and its tokens without Spark, from texts that a test writes; and some prose to write them with."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.storage import json_bytes, locate
from tokenization.encode import _manifest, encode_shard
from tokenization.tokenizer import load
from tokenization.train import train_tokenizer

SAID = (
    "the mill grinds corn while river runs past old stone wall children play near water and a miller counts sacks before dawn when carts "
    "arrive from every village with barley oats rye for bread that bakers sell at market on days of rain or sun"
)
WORDS = SAID.split()


def prose(seed: int, words: int) -> str:
    """Words at random, a full stop now and then: no two seeds share a run of 13 words."""
    drawn = random.Random(seed)
    text = " ".join(drawn.choice(WORDS) + ("." if drawn.random() < 0.1 else "") for _ in range(words))
    return text + "\n"


def made_tokens(root: Path, documents: Sequence[tuple[str, str, str, str]], *, kind: str = "bpe", vocabulary: int = 400) -> Path:
    """``documents``: (split, source, language, text). Returns the folder of tokens; corpus/ and tokenizer/ lie beside it."""
    folder = root / "corpus" / "documents"
    folder.mkdir(parents=True)
    split, source, language, text = zip(*documents, strict=True)
    columns = {"id": [f"{at:032x}" for at in range(len(documents))], "source": source, "language": language, "split": split, "text": text}
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), folder / "00000.parquet")
    facts = {"file": "00000.parquet", "bytes": (folder / "00000.parquet").stat().st_size, "rows": len(documents)}
    (root / "corpus" / "manifest.json").write_bytes(json_bytes({"format": "gristmill corpus 1", "shards": {"documents": [facts]}}))
    train_tokenizer(str(root / "corpus"), root / "tokenizer", kind=kind, vocabulary=vocabulary)
    for name in ("train", "validation", "test"):
        (root / "tokens" / name).mkdir(parents=True)
    tokenizer = load(root / "tokenizer")
    written = encode_shard(locate(str(folder / "00000.parquet")), tokenizer, locate(str(root / "tokens")))
    shutil.copytree(root / "tokenizer", root / "tokens" / "tokenizer")
    parents = {"corpus": "0" * 64, "tokenizer": tokenizer.digest, "code": "x"}
    (root / "tokens" / "manifest.json").write_bytes(json_bytes(_manifest(parents, tokenizer, [written])))
    return root / "tokens"
