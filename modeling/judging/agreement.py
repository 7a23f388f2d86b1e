"""Krippendorff's alpha: how far people agree beyond chance, whoever of them judged what (Krippendorff 2011, "Computing Krippendorff's
Alpha-Reliability"). 1: always, 0: as chance would, below: less.

    units = [("p1", [2, 2, 3]), ("p2", [0, 0])]       # (prompt, the codes that people gave one item)
    alpha(units, codes=5, ordinal=True)               # Alpha(value=…, low=…, high=…)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from modeling.resampling import interval, replicates


@final
@dataclass(frozen=True, kw_only=True)
class Alpha:
    """None: not defined, since no item has two judgements, or all judgements are the same."""

    value: float | None
    low: float | None
    high: float | None


def alpha(units: Sequence[tuple[str, Sequence[int]]], *, codes: int, ordinal: bool) -> Alpha:
    """Alpha of units (prompt, codes 0 … ``codes`` - 1), with the bootstrap interval over prompts."""
    prompts = sorted({prompt for prompt, _ in units})
    at = {prompt: number for number, prompt in enumerate(prompts)}
    per_prompt = np.zeros((len(prompts), codes, codes))
    for prompt, values in units:
        per_prompt[at[prompt]] += coincidences(values, codes)
    value = float(of_coincidences(per_prompt.sum(0), ordinal=ordinal))
    if np.isnan(value):
        return Alpha(value=None, low=None, high=None)
    sums = (replicates(len(prompts)) @ per_prompt.reshape(len(prompts), -1)).reshape(-1, codes, codes)
    low, high = interval(of_coincidences(sums, ordinal=ordinal)) or (None, None)
    return Alpha(value=value, low=low, high=high)


def coincidences(values: Sequence[int], codes: int) -> np.ndarray:
    """float64 (codes, codes): the ordered pairs of judgements of one unit, each weighed 1 / (judgements - 1); none of a lone one."""
    counts = np.bincount(np.asarray(values, int), minlength=codes).astype(float)
    return (np.outer(counts, counts) - np.diag(counts)) / max(1, len(values) - 1)


def of_coincidences(matrices: np.ndarray, *, ordinal: bool) -> np.ndarray:
    """Alpha of each matrix (…, codes, codes): 1 - (n - 1) · Σ o δ² / Σ n_c n_k δ²; NaN where the lower sum is 0.

    Nominal δ² is 1 between different codes. Ordinal δ_ck = n_c / 2 + Σ n_g between + n_k / 2: the distance of their mid-ranks.
    """
    n_c = matrices.sum(-1)
    products = n_c[..., :, None] * n_c[..., None, :]
    if ordinal:
        middle = n_c.cumsum(-1) - n_c / 2
        distance = (middle[..., :, None] - middle[..., None, :]) ** 2
    else:
        distance = 1 - np.eye(matrices.shape[-1])
    observed, expected = (matrices * distance).sum((-2, -1)), (products * distance).sum((-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - (n_c.sum(-1) - 1) * observed / expected, np.nan)
