"""What the whole-road tests share: reading a corpus folder, and comparing two of them byte by byte."""

from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

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
