"""Who watches a run is told of each step: the panel of the command line, the page of the run.

pretrain(..., watcher=Unwatched())
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final


@final
@dataclass(frozen=True)
class Step:
    """One optimizer step: ``step`` counts from 1; ``loss`` is the mean over the targets of the global batch, in nats. ``mfu``: model
    FLOPs over the devices' peak, None where that is not known. ``batch``: digest of the ids that the step saw, whoever saw them.
    ``bits_per_byte``: the loss by what a target of the training split is in bytes on average. ``memory_bytes``: the first process's
    peak so far. ``skipped``: the figure for which the step was not taken (``modeling.spikes``), else empty."""

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    mfu: float | None
    batch: str
    bits_per_byte: float
    memory_bytes: int
    skipped: str = ""


class Watcher(Protocol):
    """Who is told: the command line draws it."""

    def begins(self, first_step: int, steps: int) -> None: ...

    def step(self, made: Step) -> None: ...

    def validated(self, step: int, result: Mapping[str, Any]) -> None: ...


@final
class Unwatched:
    """Tells nobody."""

    def begins(self, first_step: int, steps: int) -> None:
        pass

    def step(self, made: Step) -> None:
        pass

    def validated(self, step: int, result: Mapping[str, Any]) -> None:
        pass
