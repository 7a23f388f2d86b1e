"""The form of a result: one row of build/bench.json for each figure, with its ratio to a peer's and how sure that ratio is.

    compared("web", "WARC to Parquet on 2 cores", "documents/s", costs, lambda cost: cost.seconds, amount=10_315)
    # {"name": "web", "ours": 256.0, "peer": 50.5, "peer_name": "datatrove", "ratio": 5.1, "interval": [4.9, 5.3], …}

A ratio above 1 is to our good. It is the median over interleaved pairs; ``interval`` holds it in 95 of 100 bootstrap samples of the pairs.
"""

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np

from tests.benchmarks.sides import PEERS, Cost

SAMPLES = 2000
Row = dict[str, Any]


def row(
    name: str,
    what: str,
    unit: str,
    ours: float,
    *,
    peer_name: str | None = None,
    peer: float | None = None,
    ratio: float | None = None,
    interval: Sequence[float] | None = None,
    **quality: Any,
) -> Row:
    """``name`` is unique, and begins with the benchmark's; ``quality``: what else is known of it, such as precision and recall."""
    return {
        "name": name,
        "what": what,
        "unit": unit,
        "ours": float(ours),
        "peer_name": peer_name,
        "peer_version": version(peer_name) if peer_name else None,
        "peer": None if peer is None else float(peer),
        "ratio": None if ratio is None else float(ratio),
        "interval": None if interval is None else [float(value) for value in interval],
        "quality": {key: value for key, value in quality.items() if value == value},  # no NaN: JSON knows none
    }


def compared(
    name: str,
    what: str,
    unit: str,
    costs: Mapping[str, Sequence[Cost]],
    taken: Callable[[Cost], float],
    *,
    amount: float | None = None,
    **quality: Any,
) -> Row:
    """Sides, ours first, and what each run took of what one would rather not spend; told as a rate where ``amount`` was done.

    A peer that is not there leaves a row without ratio.
    """

    def told(values: Sequence[float]) -> float:
        return statistics.median(values) if amount is None else amount / statistics.median(values)

    (_, mine), *others = [(side, [taken(cost) for cost in each]) for side, each in costs.items()]
    quality["rounds"] = len(mine)
    if not others:
        return row(name, what, unit, told(mine), **quality)
    [(peer_name, theirs)] = others
    ratios = [other / one for one, other in zip(mine, theirs, strict=True)]
    found = {"peer": told(theirs), "ratio": statistics.median(ratios), "interval": bootstrap(ratios)}
    return row(name, what, unit, told(mine), peer_name=peer_name, **found, **quality)


def bootstrap(values: Sequence[float], statistic: Callable[..., np.ndarray] = np.median) -> list[float]:
    """[low, high] of the statistic (a function of an array and an axis) in 95 of 100 samples, drawn with replacement, always the same."""
    table = np.asarray(values, float)
    drawn = np.random.default_rng(0).integers(0, len(table), (SAMPLES, len(table)))
    low, high = np.quantile(statistic(table[drawn], axis=1), (0.025, 0.975))
    return [float(low), float(high)]


def ratio_of_sums(own: Sequence[float], others: Sequence[float]) -> list[float]:
    """[low, high] of sum(others) / sum(own) over samples of the things that both were measured on."""
    pairs = np.stack([np.asarray(own, float), np.asarray(others, float)], -1)
    drawn = np.random.default_rng(0).integers(0, len(pairs), (SAMPLES, len(pairs)))
    sums = pairs[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 1] / np.maximum(sums[:, 0], 1e-12), (0.025, 0.975))
    return [float(low), float(high)]


def version(name: str) -> str | None:
    """Of a peer: as pinned for its environment, else as installed beside us; "trafilatura fast" is trafilatura."""
    package = name.split()[0]
    pins = PEERS / f"{package.replace('-', '_')}.txt"
    pinned = pins.exists() and re.search(rf"^{package}(?:_analyzer)?==(\S+)", pins.read_text(), re.MULTILINE | re.IGNORECASE)
    if pinned:
        return pinned[1]
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def table(rows: Sequence[Row]) -> str:
    """Markdown, one line a row."""
    lines = ["| what | ours | peer | ratio | more |", "|---|---|---|---|---|"]
    for each in rows:
        peer = "" if each["peer"] is None else f"{each['peer_name']} {each['peer_version'] or ''}: {number(each['peer'])}"
        more = ", ".join(f"{key} {number(value)}" for key, value in each["quality"].items() if isinstance(value, int | float | str))
        lines.append(f"| {each['what']} | {number(each['ours'])} {each['unit']} | {peer} | {times(each)} | {more} |")
    return "\n".join(lines)


def times(each: Row) -> str:
    if each["ratio"] is None:
        return ""
    return f"{number(each['ratio'])}" + (f" [{number(each['interval'][0])}, {number(each['interval'][1])}]" if each["interval"] else "")


def number(value: Any) -> str:
    """Three digits that count, and no exponent."""
    if not isinstance(value, float) or not np.isfinite(value):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
