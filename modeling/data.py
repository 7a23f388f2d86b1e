"""From windows and their order to the batches of one process.

A global batch is cut in one place: micro-batch m of process r takes windows [m, r] of the batch seen as (accumulate, processes,
micro). Its items carry how many targets the whole global batch has, so that the loss is a mean over the batch, however it was cut.

    windows, order = arrange(tokens.split("train"), context_length, train)
    loader = batches(windows, order, plan, rank=0, first_step=0, steps=800)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
import xxhash
from torch.utils.data import DataLoader, Dataset, Sampler

from modeling.config import SettingError, TrainConfig
from modeling.mixture import Mixture
from modeling.order import DataOrder, MixedOrder, Order
from tokenization.packing import Windows, pack, pack_groups
from tokenization.shards import TokenSplit


@final
@dataclass(frozen=True)
class BatchPlan:
    """How a global batch of windows is cut: ``accumulate`` x ``processes`` x ``micro`` windows."""

    accumulate: int
    processes: int
    micro: int

    @property
    def windows(self) -> int:
        return self.accumulate * self.processes * self.micro


def plan_batches(train: TrainConfig, context_length: int, processes: int) -> BatchPlan:
    """The largest micro-batch within the bound that divides evenly. Raises SettingError where the processes do not divide the batch."""
    windows, rest = divmod(train.global_batch_tokens, context_length)
    if rest or windows % processes:
        raise SettingError(
            f"a global batch of {train.global_batch_tokens:,} tokens does not divide into windows of {context_length:,} "
            f"for {processes:,} processes",
            where="train.global_batch_tokens",
            hint=f"take a multiple of {context_length * processes:,}",
        )
    each = windows // processes
    micro = max(size for size in range(1, min(each, train.micro_batch_windows) + 1) if each % size == 0)
    return BatchPlan(each // micro, processes, micro)


def arrange(split: TokenSplit, context_length: int, train: TrainConfig) -> tuple[Windows, Order]:
    """The windows, and which of them are seen when; both functions of the tokens and the settings alone.

    Raises InputError where there are too few tokens for a window, SettingError where the mixture cannot be.
    """
    global_batch = train.global_batch_tokens // context_length
    if train.mixture is None:
        windows = pack(split, context_length, train.packing)
        return windows, DataOrder(windows.count, global_batch, train.seed)
    mixture = Mixture.of(train.mixture)
    groups = pack_groups(split, context_length, train.packing, by=mixture.by)
    return groups, mixture.order(groups, global_batch=global_batch, steps=train.steps, seed=train.seed)


def reading(order: Order, steps: int) -> dict[str, Any]:
    """How often the data is gone through, for ``run.json``: in all, and of a mixture by group."""
    told: dict[str, Any] = {"epochs": order.epochs(steps)}
    return {**told, "epochs_by_group": order.epochs_by_group(steps)} if isinstance(order, MixedOrder) else told


@final
class WindowDataset(Dataset[dict[str, torch.Tensor]]):
    """(window numbers of a micro-batch, targets in its global batch) -> ``ids`` (micro, T + 1), ``mask`` (micro, T), ``batch_targets``,
    ``digest`` (of ids and mask) and ``group`` (its number in ``windows.groups``) (micro,)."""

    def __init__(self, windows: Windows):
        self._windows = windows

    def __getitem__(self, item: tuple[np.ndarray, int]) -> dict[str, torch.Tensor]:
        numbers, batch_targets = item
        windows = [self._windows.read(number) for number in numbers.tolist()]
        ids, mask = np.stack([window.ids for window in windows]), np.stack([window.mask for window in windows])
        return {
            "ids": torch.from_numpy(ids),
            "mask": torch.from_numpy(mask),
            "batch_targets": torch.full((len(windows),), batch_targets),
            "group": torch.tensor([self._windows.group_of(number) for number in numbers.tolist()]),
            "digest": torch.tensor([_digest(*each) for each in zip(ids, mask, strict=True)]),
        }


def _digest(ids: np.ndarray, mask: np.ndarray) -> int:
    found = xxhash.xxh3_64(ids.data)
    found.update(mask.data)
    return found.intdigest() - (1 << 63)


@final
class ProcessBatches(Sampler[tuple[np.ndarray, int]]):
    """The micro-batches of one process from ``first_step`` on; sized, so that nothing is fetched ahead of its time."""

    def __init__(self, windows: Windows, order: Order, plan: BatchPlan, *, rank: int, first_step: int, steps: int):
        assert order.global_batch == plan.windows
        self._windows, self._order, self._plan = windows, order, plan
        self._rank, self._steps = rank, range(first_step, steps)

    def __len__(self) -> int:
        return len(self._steps) * self._plan.accumulate

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        plan = self._plan
        for step in self._steps:
            numbers = self._order.windows_of(step)
            targets = int(self._windows.targets(numbers).sum())
            for micro_batch in numbers.reshape(plan.accumulate, plan.processes, plan.micro)[:, self._rank]:
                yield micro_batch, targets


def batches(windows: Windows, order: Order, plan: BatchPlan, *, rank: int, first_step: int, steps: int) -> DataLoader[Any]:
    """The loader of one process: ``ids`` (micro, T + 1), ``mask`` (micro, T), ``batch_targets``, ``digest`` and ``group`` (micro,)."""
    sampler = ProcessBatches(windows, order, plan, rank=rank, first_step=first_step, steps=steps)
    # in this process: a batch of 16 mapped windows of 1,024, digests and all, takes 0.5 ms of a core (`make bench BENCH=loader`); a step
    # takes milliseconds at the least
    return DataLoader(WindowDataset(windows), sampler=sampler, batch_size=None, num_workers=0)
