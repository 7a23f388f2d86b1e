"""What is judged of each step before the weights move, the same on every process: whether its figures are finite, whether it is a spike
to be skipped, and whether the machine is to be given back.

    guard = Guard(train)
    with guard.listening():                     # to SIGTERM
        trainer.fit(...)                        # may raise NotFinite, TooManySpikes or Preempted, on all processes behind the same step
"""

import math
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from modeling.config import TrainConfig
from modeling.spikes import Past, SpikeRule

if TYPE_CHECKING:
    from lightning.pytorch.strategies import Strategy  # evaluation knows Stopped, and need not wait for Lightning


class Stopped(Exception):
    """A run that ends before its last step; ``step`` (from 1) is the one that was not taken, or behind which it ended."""

    def __init__(self, step: int, what: str):
        super().__init__(what)
        self.step, self.what = step, what


class NotFinite(Stopped):
    """The loss or the gradient is no number."""


class TooManySpikes(Stopped):
    """More steps in a row were skipped than the rule allows."""


class Preempted(Stopped):
    """SIGTERM came; the step was made and saved."""


@final
class Guard:
    """``updates``: steps that moved the weights. ``ending``: all processes know that one of them was asked to end."""

    def __init__(self, train: TrainConfig):
        self._rule = SpikeRule.of(train)
        self._past = Past(train.spike_window)
        self._asked = self.ending = False

    def begin(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """With what ``curve.jsonl`` tells of the steps that were made; every process must be told the same."""
        self._past.read(rows)

    def updates(self, step: int) -> int:
        return step - self._past.skipped

    def judge(self, strategy: "Strategy", step: int, loss_sum: Tensor, gradient_norm: float) -> tuple[float, str]:
        """(loss of the whole batch, why the step is to be skipped or ""), before step ``step``. Raises NotFinite or TooManySpikes.

        One sum over the processes, which carries the loss and the wish to end: whoever is asked, all end behind the same step.
        """
        summed = strategy.reduce(torch.stack((loss_sum, torch.full_like(loss_sum, self._asked))), reduce_op="sum")
        assert isinstance(summed, Tensor)
        loss, asked = summed.tolist()
        self.ending = asked > 0
        for name, value in (("loss", loss), ("gradient's norm", gradient_norm)):
            if not math.isfinite(value):
                raise NotFinite(step, f"the {name} is {value} at step {step:,}")
        skipped = self._rule.judge(self._past.figures, loss=loss, gradient_norm=gradient_norm) if self._rule else ""
        self._past.add(loss, gradient_norm, skipped)
        if self._rule and self._past.skipped_in_a_row > self._rule.limit:
            raise TooManySpikes(step, f"{self._past.skipped_in_a_row:,} steps in a row were spikes until step {step:,}")
        return loss, skipped

    @contextmanager
    def listening(self) -> Iterator[None]:
        """SIGTERM ends the run behind its step, here; nothing changes outside the main thread, which alone hears signals."""
        before = signal.getsignal(signal.SIGTERM)
        self.listen()
        try:
            yield
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)

    def listen(self) -> None:
        """Lightning's handler, set when training begins, would start a collective from within the signal: ours is set again then."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._hear)

    def _hear(self, *_: Any) -> None:
        self._asked = True
