"""How what was measured grows with the number of documents, and what that makes of a whole crawl: arithmetic alone.

growth([10_000, 100_000], [20.0, 180.0])    # (0.95, 0.95): the exponent over all sizes, and between the two largest
estimate(Crawl(), Cluster(), pages, sets)   # [Line("fused pass", core_hours=…, hours=…, terabytes=…), …]
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import final

import numpy as np

HOUR, TERA = 3600, 1e12


@final
@dataclass(frozen=True, kw_only=True)
class Crawl:
    """A snapshot of Common Crawl's main archive, as it says of itself: WARC files of 1 GB, gzip."""

    compressed_bytes: float = 90e12
    pages: float = 2.75e9  # 2.5 to 3 thousand million


@final
@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Machines whose cores are as fast as the one measured on. ``busy``: the share of the time that a core has work, stragglers and all."""

    machines: int = 64
    cores: int = 16
    network_bytes_a_second: float = 10e9 / 8 * 0.7  # 10 Gbit/s, of which 70 % arrive as data
    disk_bytes_a_second: float = 1e9  # one NVMe
    busy: float = 0.8


@final
@dataclass(frozen=True, kw_only=True)
class Pages:
    """The fused pass as measured on real pages. ``judged_by_sets``: the share that filters let through to the set stages."""

    core_milliseconds_a_page: float
    compressed_bytes_a_page: float
    judged_by_sets: float
    digest_bytes_a_second: float  # of a core


@final
@dataclass(frozen=True, kw_only=True)
class Stage:
    """One set stage at the largest size measured: core seconds there, and the exponent that it grew by."""

    core_seconds: float
    exponent: float


@final
@dataclass(frozen=True, kw_only=True)
class Sets:
    """``shuffle_bytes`` were written to shuffles by all stages together, for ``documents``."""

    documents: float
    stages: Mapping[str, Stage]
    shuffle_bytes: float
    shuffle_exponent: float


@final
@dataclass(frozen=True, kw_only=True)
class Line:
    """A stage of the crawl's run: ``hours`` on the whole cluster, as the slower of cores and wires."""

    stage: str
    core_hours: float
    hours: float
    terabytes: float  # over the network


def growth(sizes: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Slopes of log(value) over log(size): of the line through all, and between the two largest, where fixed costs weigh least.

    A value of 0 counts as one thousandth: a stage that took no measurable time. One size has no slope: NaN.
    """
    if len(sizes) < 2:
        return float("nan"), float("nan")
    x, y = np.log(np.asarray(sizes, float)), np.log(np.maximum(np.asarray(values, float), 1e-3))
    return float(np.polyfit(x, y, 1)[0]), float((y[-1] - y[-2]) / (x[-1] - x[-2]))


def estimate(crawl: Crawl, cluster: Cluster, pages: Pages, sets: Sets) -> list[Line]:
    """Stages one after another, no overlap of cores and wires. Pages weigh by their compressed bytes; no exponent below 1 is believed."""
    size = crawl.compressed_bytes / crawl.pages / pages.compressed_bytes_a_page
    fused = crawl.pages * pages.core_milliseconds_a_page / 1000 * size
    documents = crawl.pages * pages.judged_by_sets
    factor = documents / sets.documents
    lines = [
        _line(
            "inputs: every byte read and digested", crawl.compressed_bytes / pages.digest_bytes_a_second, crawl.compressed_bytes, 0, cluster
        ),
        _line("read: the fused pass", fused, crawl.compressed_bytes, 0, cluster),
    ]
    shuffled = sets.shuffle_bytes * factor ** max(1.0, sets.shuffle_exponent)
    together = sum(stage.core_seconds for stage in sets.stages.values())
    for name, stage in sets.stages.items():
        part = shuffled * stage.core_seconds / together  # by stage only the time is known
        lines.append(_line(name, stage.core_seconds * factor ** max(1.0, stage.exponent), part, 2 * part, cluster))
    return [*lines, Line(stage="all", **{key: sum(asdict(line)[key] for line in lines) for key in ("core_hours", "hours", "terabytes")})]


def _line(stage: str, core_seconds: float, wired_bytes: float, disk_bytes: float, cluster: Cluster) -> Line:
    """``disk_bytes``: a shuffle is written once and read once."""
    seconds = [
        core_seconds / (cluster.machines * cluster.cores * cluster.busy),
        wired_bytes / (cluster.machines * cluster.network_bytes_a_second),
        disk_bytes / (cluster.machines * cluster.disk_bytes_a_second),
    ]
    return Line(stage=stage, core_hours=core_seconds / HOUR, hours=max(seconds) / HOUR, terabytes=wired_bytes / TERA)
