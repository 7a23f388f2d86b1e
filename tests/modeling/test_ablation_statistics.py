"""The statistics of ablations, without a model: worked by hand, against SciPy, and how often they err where nothing is to be found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from modeling.ablation.statistics import Effect, Noise, Scores, combined, compare, document_error, holm, noise_of, resolution

SEEDS, UNITS = 3, 60


def scores(arms: dict[str, np.ndarray], sizes: np.ndarray | None = None, name: str = "set", prefix: str = "") -> Scores:
    units = next(iter(arms.values())).shape[1]
    return Scores(name=name, values=arms, sizes=np.ones(units) if sizes is None else sizes, keys=[f"{prefix}{at}" for at in range(units)])


def test_a_paired_t_test_by_hand() -> None:
    """Three seeds: differences 1, 2, 3 have a standard deviation of 1."""
    sets = [scores({"a": np.array([[10.0], [20.0], [30.0]]), "b": np.array([[11.0], [22.0], [33.0]])})]
    assert noise_of("a", "b", sets) == Noise(1.0, 2)
    effect = compare("a", "b", sets)
    paired = stats.ttest_rel([11, 22, 33], [10, 20, 30])
    assert effect.effect == pytest.approx(2.0)
    assert effect.by_seed == pytest.approx([1, 2, 3])
    assert effect.error_of_documents == 0, "a single text is all there is"
    assert effect.p == pytest.approx(paired.pvalue)
    interval = paired.confidence_interval()
    assert (effect.low, effect.high) == pytest.approx((interval.low, interval.high))


def test_the_document_error_is_that_of_a_mean() -> None:
    drawn = np.random.default_rng(1).normal(size=40)
    found = document_error("a", "b", [scores({"a": np.zeros((2, 40)), "b": np.stack([drawn, drawn])})], replicates=20_000)
    assert found == pytest.approx(drawn.std(ddof=1) / np.sqrt(40), rel=0.03)


def test_the_document_error_of_a_ratio() -> None:
    """Bits over bytes: against the linearised variance of a ratio (Cochran 1977, 2.11)."""
    rng = np.random.default_rng(2)
    sizes = rng.lognormal(0, 0.5, 200)
    bits = sizes * 0.3 + rng.normal(size=200)
    ratio = bits.sum() / sizes.sum()
    expected = np.sqrt(((bits - ratio * sizes) ** 2).sum() / 199 * 200) / sizes.sum()
    found = document_error("a", "b", [scores({"a": np.zeros((2, 200)), "b": np.stack([bits, bits])}, sizes)], replicates=10_000)
    assert found == pytest.approx(expected, rel=0.05)


def test_a_document_in_two_sets_counts_once() -> None:
    values = np.random.default_rng(3).normal(size=(1, 50)).repeat(2, 0)
    one = scores({"a": 0 * values, "b": values})
    apart = scores({"a": 0 * values, "b": values}, prefix="other")
    alone = document_error("a", "b", [one])
    assert document_error("a", "b", [one, one]) == pytest.approx(alone), "the same documents again teach nothing"
    assert document_error("a", "b", [one, apart]) == pytest.approx(alone / np.sqrt(2), rel=0.1)


def test_combined_errors() -> None:
    assert combined(3.0, 2, 4.0, 10**9) == pytest.approx((5.0, 625 / (81 / 2)))
    assert combined(1.0, 4, 0.0, 50) == (1.0, 4.0)
    assert combined(0.0, 4, 0.0, 50) == (0.0, 4)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_one_and_bonferroni(ps: list[float]) -> None:
    found = holm(ps)
    assert all(p <= q <= min(1.0, len(ps) * p) + 1e-12 for p, q in zip(ps, found, strict=True))
    assert min(found) == pytest.approx(min(1.0, len(ps) * min(ps)))


@pytest.mark.parametrize(("effect", "sign", "p", "expected"), [
    (-0.1, -1, 0.01, "better"), (0.1, -1, 0.01, "worse"), (0.1, 1, 0.01, "better"), (-0.1, 1, 0.01, "worse"),
    (-9.0, -1, 0.05, "no detectable difference"),
])  # fmt: skip
def test_three_words(effect: float, sign: int, p: float, expected: str) -> None:
    found = Effect("b", "a", "set", effect, 0, 0, p, (), 0, 0, 4, 0, sign)
    assert found.verdict(p) == expected


def experiments(
    count: int, *, runs: float, documents: float, crossed: float, effect: float = 0.0, shared: float = 0.0, seeds: int = SEEDS
) -> list[Effect]:
    """Simulated ablations of two arms. Spread of: a run, what a document makes of an arm, and of a run.

    ``shared``: how much of a run's luck the two arms have in common.
    """
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        luck = {arm: rng.normal(size=(seeds, 1)) for arm in ("a", "b")}
        luck["b"] = shared * luck["a"] + np.sqrt(1 - shared**2) * luck["b"]
        hard = rng.normal(2, 0.5, UNITS)
        table = {arm: hard + runs * luck[arm] + crossed * rng.normal(size=(seeds, UNITS)) for arm in luck}
        table["b"] = table["b"] + documents * rng.normal(size=UNITS)
        table["b"] = table["b"] + effect
        found.append(compare("a", "b", [scores(table)], replicates=300))
    return found


@pytest.mark.parametrize(("runs", "documents", "crossed"), [
    (1.0, 0.0, 0.0), (0.0, 8.0, 0.0), (0.0, 0.0, 8.0), (1.0, 8.0, 0.0), (1.0, 8.0, 8.0), (0.3, 8.0, 1.0),
])  # fmt: skip
def test_under_no_difference_few_are_found(runs: float, documents: float, crossed: float) -> None:
    """At most 5 % (of 400 simulations, and three standard errors), whichever of the three kinds of chance prevails."""
    found = experiments(400, runs=runs, documents=documents, crossed=crossed)
    wrong = np.mean([each.verdict(each.p) != "no detectable difference" for each in found])
    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400), wrong
    if not crossed:  # what is counted twice is only what is of neither alone
        assert wrong >= 0.05 - 3 * np.sqrt(0.05 * 0.95 / 400), "no wider than need be"


def test_luck_in_common_is_not_in_the_difference() -> None:
    """Arms that share it are wrongly told apart no more often, and smaller differences between them are found."""
    alike, strange = (experiments(300, runs=1.0, documents=0.0, crossed=0.0, shared=shared) for shared in (0.95, 0.0))
    assert np.mean([each.p < 0.05 for each in alike]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert np.median([each.resolves for each in alike]) < 0.4 * np.median([each.resolves for each in strange])


def test_five_seeds_resolve_half_of_what_three_do() -> None:
    three, five = (experiments(200, runs=1.0, documents=0.0, crossed=0.0, seeds=seeds) for seeds in (3, 5))
    assert np.median([each.resolves for each in five]) < 0.65 * np.median([each.resolves for each in three])


def test_a_difference_is_found_as_often_as_was_said() -> None:
    """One as large as what is resolved, the two errors known: in four of five experiments."""
    resolves = resolution(*combined(np.sqrt(2 / SEEDS), SEEDS - 1, 3 / np.sqrt(UNITS), UNITS - 1))
    found = experiments(300, runs=1.0, documents=3.0, crossed=0.0, effect=-resolves)
    assert np.mean([each.verdict(each.p) == "better" for each in found]) == pytest.approx(0.8, abs=0.1)


def test_resampling_three_seeds_would_be_dishonest() -> None:
    """Why no bootstrap over seeds: its interval of three differences misses the truth in far more than a twentieth of experiments."""
    rng = np.random.default_rng(5)
    differences = rng.normal(size=(2000, 3))
    means = differences[:, rng.integers(0, 3, size=(500, 3))].mean(2)
    low, high = np.quantile(means, [0.025, 0.975], axis=1)
    assert np.mean((low > 0) | (high < 0)) > 0.2
    assert noise_of("a", "b", [scores({"a": np.zeros((3, 1)), "b": np.ones((3, 1))})]) == Noise(0.0, 2)
