"""``curve.jsonl`` and ``validation.jsonl``, read back by a run that goes on: a line that a kill has cut off is none.

rows = read_rows(folder / CURVE)
cut(folder / CURVE, step=250)               # the steps behind are made again
"""

import json
from pathlib import Path
from typing import Any

CURVE, VALIDATION = "curve.jsonl", "validation.jsonl"
RATES = "rates.jsonl"  # of a search for the learning rate (modeling.find_rate)


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The lines that are whole, oldest first; none where there is no file."""
    found = []
    for line in file.read_text(errors="replace").splitlines() if file.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "step" in row:
            found.append(row)
    return found


def cut(file: Path, step: int) -> list[dict[str, Any]]:
    """Keep the lines up to ``step``, and return them: those behind it belong to steps that will be made again."""
    rows = [row for row in read_rows(file) if row["step"] <= step]
    if file.exists():
        beside = file.with_suffix(".tmp")
        beside.write_text("".join(json.dumps(row) + "\n" for row in rows))
        beside.replace(file)
    return rows
