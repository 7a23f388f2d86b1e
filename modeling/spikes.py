"""Which steps are spikes: a loss or a gradient norm far above those of the steps before it. A pure function of the recorded curve.

rule = SpikeRule.of(train)                  # None where train.spike_deviations is 0
rule.judge(past, loss=9.1, gradient_norm=4.0)      # "loss", "gradient_norm", or "" for a step like the others
"""

import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Self, final

from modeling.config import TrainConfig

FIGURES = ("loss", "gradient_norm")
_LEAST_SHARE = 1e-3  # of the median: the least deviation, or equal losses would make a spike of rounding


@final
@dataclass(frozen=True, kw_only=True)
class SpikeRule:
    """A step is skipped whose loss or gradient norm lies more than ``deviations`` above the median of the ``window`` steps before. What
    lies below is no spike; nothing is judged before ``window`` steps were made; more than ``limit`` skips in a row are a run gone wrong.

    A deviation is the root of the mean squared distance from that median, skipped steps counted too (as OLMo 2's, 2025, which counts
    from the mean, with 6 and 128). So a rule cannot lock itself in: of a window no more than 1 in deviations² can be skipped, and a
    gradient that grows for good, as it does where a model finds a new way to lower its loss, is soon like its past. By median absolute
    deviations from steps taken alone, such a run skipped all steps from there on (tests/modeling/test_spikes.py).

    It is off by default: of 26 small runs that nothing disturbed, 5 would have skipped 8 of 7,572 judged steps at 6 deviations.
    """

    deviations: float
    window: int
    limit: int

    @classmethod
    def of(cls, train: TrainConfig) -> Self | None:
        if not train.spike_deviations:
            return None
        return cls(deviations=train.spike_deviations, window=train.spike_window, limit=train.spike_limit)

    def judge(self, past: Collection[tuple[float, float]], *, loss: float, gradient_norm: float) -> str:
        """The figure that is a spike, or "". ``past``: (loss, gradient norm) of the last ``window`` steps."""
        if len(past) < self.window:
            return ""
        for at, value in enumerate((loss, gradient_norm)):
            if excess([each[at] for each in past], value) > self.deviations:
                return FIGURES[at]
        return ""


def excess(past: Sequence[float], value: float) -> float:
    """By how many deviations ``value`` lies above the median of ``past``."""
    middle = median(past)
    spread = math.sqrt(sum((each - middle) ** 2 for each in past) / len(past))
    return (value - middle) / max(spread, _LEAST_SHARE * abs(middle), 1e-30)


@final
class Past:
    """What of the curve the rule needs: the figures of the last steps, how many steps were skipped, and how many of the last in a row."""

    def __init__(self, window: int):
        self.figures: deque[tuple[float, float]] = deque(maxlen=window)
        self.skipped = self.skipped_in_a_row = 0

    def read(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """The rows of ``curve.jsonl``, oldest first."""
        for row in rows:
            self.add(row["loss"], row["gradient_norm"], row.get("skipped", ""))

    def add(self, loss: float, gradient_norm: float, skipped: str) -> None:
        self.figures.append((loss, gradient_norm))
        self.skipped += bool(skipped)
        self.skipped_in_a_row = self.skipped_in_a_row + 1 if skipped else 0
