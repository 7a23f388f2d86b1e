"""Is an arm better? A difference between two arms, its interval, and one of three words, from few seeds and some dozens of documents.

Two things move a difference that would not be there again: the runs (initial weights, order, which documents were drawn) and the choice
of held-out documents. They are crossed: every run is scored on every document.

* **Runs.** Runs of one seed share weights, order and, as far as their arms do, documents: what they have in common is not in their
  difference, and the differences of a pair of arms, one a seed, are all that tells how far it would move. Three are too few to resample:
  a bootstrap over k units makes their variance (k - 1)/k of what it is, two thirds for three. Student's t with k - 1 degrees of freedom is
  exact. Noise is not pooled over arms, though that would add degrees of freedom: arms that share their documents move together, strangers
  do not, and pooled with a null control that hardly moves, two strangers would be told apart wrongly in up to 15 % of experiments
  (Student's t with 2 degrees of freedom beyond 2.27). What helps is a seed more: five resolve half of what three do.
* **Documents.** A paired bootstrap over documents (Koehn 2004; Bayesian, Rubin 1981, so that no set is ever empty), of the mean over
  seeds. A document that stands in two sets has one weight in both.

The two variances are added, which counts what is of neither alone twice (Owen 2007: the safe side), and Student's t of Welch and
Satterthwaite's degrees of freedom makes the interval. Holm (1979) corrects over comparisons. Under no difference a verdict other than "no
detectable difference" comes about in 5 % of comparisons, or less: tests/modeling/test_ablation_statistics.py simulates it.

    found = compare("A", "B", [own_a, own_b])
    found.effect, found.low, found.high
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from scipy.special import stdtr, stdtrit

ALPHA = 0.05
POWER = 0.8
REPLICATES = 2000
Verdict = Literal["better", "worse", "no detectable difference"]


@final
@dataclass(frozen=True, kw_only=True)
class Scores:
    """One held-out set, every run scored on it: for each arm ``values`` (seeds, units), ``sizes`` (units,) and the units' names.

    An arm's value is sum(values) / sum(sizes): bits over bytes of documents, or bits over 1 for items of a task. ``sign``: -1 where less
    is better, 1 where more is.
    """

    name: str
    values: Mapping[str, np.ndarray]
    sizes: np.ndarray
    keys: Sequence[str]
    sign: Literal[-1, 1] = -1

    def of(self, arm: str) -> np.ndarray:
        """The value for each seed: (seeds,)."""
        return self.values[arm].sum(1) / self.sizes.sum()


@final
@dataclass(frozen=True)
class Noise:
    """Of the difference between two runs of one seed, in units of the outcome: standard deviation and degrees of freedom."""

    deviation: float
    freedom: int


@final
@dataclass(frozen=True)
class Effect:
    """Value of ``arm`` less value of ``reference``; ``low`` and ``high``: 95 %, not corrected. ``resolves``: what would be found in four
    of five experiments. ``p`` is two-sided."""

    arm: str
    reference: str
    outcome: str
    effect: float
    low: float
    high: float
    p: float
    by_seed: tuple[float, ...]
    error_of_runs: float
    error_of_documents: float
    freedom: float
    resolves: float
    sign: int

    def verdict(self, p: float) -> Verdict:
        """With ``p`` as it stands, or corrected."""
        if p >= ALPHA:
            return "no detectable difference"
        return "better" if self.effect * self.sign > 0 else "worse"


def noise_of(reference: str, arm: str, sets: Sequence[Scores]) -> Noise:
    """How far the differences of paired seeds spread, in the mean over ``sets``. There must be two seeds or more."""
    differences = mean_of(sets, arm) - mean_of(sets, reference)
    return Noise(float(differences.std(ddof=1)), len(differences) - 1)


def mean_of(sets: Sequence[Scores], arm: str) -> np.ndarray:
    """The mean over sets of equal weight: (seeds,)."""
    return np.mean([each.of(arm) for each in sets], axis=0)


def compare(reference: str, arm: str, sets: Sequence[Scores], *, outcome: str = "", replicates: int = REPLICATES) -> Effect:
    """The difference of two arms in the mean over ``sets``, which is one set or the primary outcome."""
    by_seed = mean_of(sets, arm) - mean_of(sets, reference)
    effect = float(by_seed.mean())
    noise = noise_of(reference, arm, sets)
    of_runs = noise.deviation / np.sqrt(len(by_seed))
    of_documents = document_error(reference, arm, sets, replicates)
    error, freedom = combined(of_runs, noise.freedom, of_documents, min(len(each.sizes) for each in sets) - 1)
    half = error * stdtrit(freedom, 1 - ALPHA / 2)
    return Effect(
        arm=arm,
        reference=reference,
        outcome=outcome or sets[0].name,
        effect=effect,
        low=effect - half,
        high=effect + half,
        p=float(2 * stdtr(freedom, -abs(effect) / error)) if error else 1.0 if effect == 0 else 0.0,
        by_seed=tuple(by_seed.tolist()),
        error_of_runs=float(of_runs),
        error_of_documents=of_documents,
        freedom=freedom,
        resolves=resolution(error, freedom),
        sign=sets[0].sign,
    )


def document_error(reference: str, arm: str, sets: Sequence[Scores], replicates: int = REPLICATES) -> float:
    """Standard error of the difference over the choice of documents: the paired bootstrap, weights from Exp(1)."""
    names = {key: at for at, key in enumerate(sorted({key for each in sets for key in each.keys}))}
    weights = np.random.Generator(np.random.PCG64(0)).exponential(size=(replicates, len(names)))
    total = np.zeros(replicates)
    for each in sets:
        units = len(each.sizes)
        mine = weights[:, [names[key] for key in each.keys]]
        difference = (each.values[arm] - each.values[reference]).mean(0)
        drawn = mine @ difference / (mine @ each.sizes)
        # weights from Exp(1) spread a mean by n - 1 over n + 1 of what its unbiased variance is
        total += (drawn - difference.sum() / each.sizes.sum()) * np.sqrt((units + 1) / max(1, units - 1)) / len(sets)
    return float(total.std())


def combined(one: float, freedom: float, other: float, other_freedom: float) -> tuple[float, float]:
    """Two independent standard errors as one, and its degrees of freedom (Welch 1947, Satterthwaite 1946)."""
    variance = one**2 + other**2
    if variance == 0:
        return 0.0, freedom
    return float(np.sqrt(variance)), float(variance**2 / (one**4 / freedom + other**4 / max(1, other_freedom)))


def resolution(error: float, freedom: float) -> float:
    """The least difference that is found with probability 0.8, at two sides of 5 %."""
    return float(error * (stdtrit(freedom, 1 - ALPHA / 2) + stdtrit(freedom, POWER)))


def holm(ps: Sequence[float]) -> list[float]:
    """Corrected so that the chance of any false finding among all is at most that of one (Holm 1979); in the order given."""
    order = np.argsort(ps, kind="stable")
    corrected, worst = [0.0] * len(ps), 0.0
    for rank, at in enumerate(order.tolist()):
        worst = max(worst, min(1.0, (len(ps) - rank) * ps[at]))
        corrected[at] = worst
    return corrected
