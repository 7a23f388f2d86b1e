"""What the whole-road tests share: reading a corpus folder, and comparing two of them byte by byte."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from corpus import manifest
from corpus.hashing import document_id
from corpus.storage import json_bytes

SAME_BYTES = ("documents", "ledger", "rejected", "report.json", "manifest.json")  # HOUSE: whatever order, partitions, cores, retries


def ledger(corpus: Path) -> list[dict[str, Any]]:
    return ds.dataset(corpus / "ledger", format="parquet").to_table().to_pylist()


def documents(corpus: Path) -> list[dict[str, Any]]:
    return ds.dataset(corpus / "documents", format="parquet").to_table().to_pylist()


def content(corpus: Path) -> dict[str, bytes]:
    """All files that must be the same, by their path in the folder."""
    files = [path for name in SAME_BYTES for path in ([corpus / name] if (corpus / name).is_file() else sorted((corpus / name).rglob("*")))]
    return {str(path.relative_to(corpus)): path.read_bytes() for path in files if path.is_file()}


def assert_accounted(corpus: Path) -> None:
    """Every row has an outcome, (id, origin) is unique, and the kept rows are the documents."""
    rows = ledger(corpus)
    assert all(row["outcome"] for row in rows)
    keys = [(row["id"], *row["origin"].values()) for row in rows]
    assert len(set(keys)) == len(keys)
    kept = sorted((row["id"], *row["origin"].values()) for row in rows if row["outcome"] == "kept")
    assert kept == sorted((row["id"], *row["origin"].values()) for row in documents(corpus))


def corpus_of(folder: Path, texts: Sequence[tuple[str, str]], *, held_out: int = 10) -> Path:
    """A corpus folder of (language, text), made without Spark: in hash order, every ``held_out``-th document for validation (0: none)."""
    rows = [
        {"id": document_id(str(number)), "source": "made", "language": language, "text": text}
        for number, (language, text) in enumerate(texts)
    ]
    rows.sort(key=lambda row: row["id"])
    for number, row in enumerate(rows):
        row["split"] = "validation" if held_out and number % held_out == 0 else "train"
    (folder / "documents").mkdir(parents=True)
    file = folder / "documents" / "00000.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=256)
    shards = [{"file": file.name, "bytes": file.stat().st_size, "rows": len(rows)}]
    (folder / manifest.NAME).write_bytes(json_bytes({"format": manifest.FORMAT, "shards": {"documents": shards}}))
    return folder
