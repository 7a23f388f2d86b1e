"""Checkpoints while the steps go on: the state is copied between two steps, a thread writes the copy, and old ones go once it is whole.

A kill while it writes leaves the one before. One copy at a time: the next waits for the last to be written. Copying is collective and done
by all, so it works sharded too; the first process holds the copy (``checkpoint.copied``) until it is written, as it would without a thread.

    saver = Saver(folder, fingerprint, keep_last=2)
    saver.save(250, copied(model, optimizer, writes=True), updates=250)
    saver.wait()                                # until it is whole; raises what went wrong
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any, final

from modeling.checkpoint import FOLDER, STATE, Copied, remove, write
from modeling.curves import read_rows


@final
class Saver:
    """Of one run; keeps the last ``keep_last`` whole checkpoints, and the one that was best on validation. ``damaged`` ones go first."""

    def __init__(self, root: Path, fingerprint: Mapping[str, Any], *, validation: Path, keep_last: int, damaged: Iterable[Path] = ()):
        self._root, self._fingerprint, self._validation = root, fingerprint, validation
        self._keep_last, self._damaged = keep_last, tuple(damaged)
        self._thread: Thread | None = None
        self._failed: BaseException | None = None

    def save(self, step: int, state: Copied, *, updates: int) -> None:
        """Begin to write; returns at once unless the last one is still being written."""
        self.wait()
        self._thread = Thread(target=self._write, args=(step, state, updates), name="checkpoint", daemon=False)
        self._thread.start()

    def wait(self) -> None:
        """Until all is written. Raises OSError where it could not be."""
        if self._thread:
            self._thread.join()
            self._thread = None
        if self._failed:
            raise self._failed

    def _write(self, step: int, state: Copied, updates: int) -> None:
        try:
            write(self._root, step, self._fingerprint, state, updates)
            for folder in self._damaged:
                if folder.name != f"step-{step:08d}":
                    remove(folder)
            drop_old(self._root, self._validation, self._keep_last)
        except BaseException as error:  # it is raised where the run waits for it
            self._failed = error


def drop_old(root: Path, validation: Path, keep_last: int) -> None:
    """Remove all checkpoints but the last whole ones and the best whole one, and what was begun before the last and never ended."""
    whole = sorted(state.parent for state in root.glob(f"{FOLDER}/step-*/{STATE}"))
    kept = {*whole[-keep_last:], best(root, validation)}
    for folder in sorted(root.glob(f"{FOLDER}/step-*")):
        if folder not in kept and folder < whole[-1]:
            remove(folder)


def best(root: Path, validation: Path) -> Path | None:
    """The whole checkpoint of the least loss in ``validation.jsonl``; of equals the first."""
    losses = {row["step"]: row["loss"] for row in read_rows(validation) if math.isfinite(row["loss"])}
    scored = [
        (losses[step], step, state.parent)
        for state in root.glob(f"{FOLDER}/step-*/{STATE}")
        if (step := int(state.parent.name.removeprefix("step-"))) in losses
    ]
    return min(scored)[2] if scored else None
