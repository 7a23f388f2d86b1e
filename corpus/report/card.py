"""The corpus folder's README.md: a dataset card, in Markdown.

text = render_card(report, run)
"""

from collections.abc import Mapping, Sequence
from typing import Any

from corpus.document import AFTER_SIGNALS, BEFORE_SIGNALS


def render_card(report: Mapping[str, Any], run: Mapping[str, Any] | None) -> str:
    """What is in the corpus, how it was made, and what its limits are."""
    kept, read = report["kept"], report["read"]
    lines = [
        f"# Corpus by the recipe `{report['recipe']['name']}`",
        "",
        report["recipe"]["description"],
        "",
        f"{kept['documents']:,} documents and {kept['characters']:,} characters of text,",
        f"kept of {read['documents']:,} documents that were read",
        f"from {report['inputs']['files']:,} files ({report['inputs']['bytes']:,} bytes).",
        "`report.html` shows what became of the rest and why;",
        "`ledger/` has a row for every document read. Made by gristmill" + (f", {run['finished'][:10]}." if run else "."),
        "",
        "## Reading it",
        "",
        "```python",
        "import pyarrow.dataset",
        'documents = pyarrow.dataset.dataset("documents", format="parquet")',
        "```",
        "",
        "## Columns",
        "",
        "| column | type |",
        "|---|---|",
        *(f"| `{name}` | {_type(kind)} |" for name, kind in BEFORE_SIGNALS),
        "| `signals` | struct of every measured value |",
        *(f"| `{name}` | {_type(kind)} |" for name, kind in AFTER_SIGNALS),
        "",
        *_table("Languages", "language", report["languages"]),
        *_table("Sources", "source", report["sources"]),
        *_table("Licences that pages declare", "licence", report["licenses"]),
        "## Limits",
        "",
        "Filters are rules of thumb; languages are told by fastText's lid.176, which is less sure for short texts and small",
        "languages. Personal data",
        "is found by patterns and check digits: names and addresses are not. A page's own word on its licence is recorded, not verified.",
        "",
    ]
    return "\n".join(lines)


def _type(kind: Any) -> str:
    return str(kind).replace("|", "\\|")


def _table(title: str, what: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    kept = [row for row in rows if row["kept"]]
    if not kept:
        return []
    return [f"## {title}", "", f"| {what} | documents |", "|---|---:|", *(f"| {row['name']} | {row['kept']:,} |" for row in kept), ""]
