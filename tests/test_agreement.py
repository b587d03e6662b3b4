"""Kappa and alpha: published examples, other programs, and what must hold of any of them."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from escalation.agreement import (
    LEVELS,
    alpha_interval,
    cohen_kappa,
    kappa_interval,
    krippendorff_alpha,
)

NONE = np.nan

#: Krippendorff (2011), section D: four observers, twelve units, missing values.
FOUR_OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
        [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
    ]
)


@pytest.mark.parametrize(
    ("level", "published"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_alpha_of_four_observers(level: str, published: float) -> None:
    assert krippendorff_alpha(FOUR_OBSERVERS, level) == pytest.approx(published, abs=0.0005)


def test_alpha_of_two_observers() -> None:
    """Krippendorff (2011), sections A (binary) and B (nominal)."""
    binary = [list("0100000010"), list("1110010000")]
    nominal = [list("aabbdcccedda"), list("babbbcccEddd".lower())]
    assert krippendorff_alpha(binary) == pytest.approx(0.095, abs=0.0005)
    assert krippendorff_alpha(nominal) == pytest.approx(0.692, abs=0.0005)


def units(table: list[list[int]]) -> tuple[list[int], list[int]]:
    """Two coders' values from a table of how often each pair of them occurred."""
    pairs = [
        (row, column)
        for row, counts in enumerate(table)
        for column, count in enumerate(counts)
        for _ in range(count)
    ]
    first, second = zip(*pairs, strict=True)
    return list(first), list(second)


def test_kappa_of_cohen() -> None:
    """Cohen (1960), table 2: observed .70, by chance .41."""
    assert cohen_kappa(*units([[88, 14, 18], [10, 40, 10], [2, 6, 12]])) == pytest.approx(
        (0.70 - 0.41) / 0.59
    )


def ratings(rng: np.random.Generator, coders: int, number: int, missing: float) -> np.ndarray:
    truth = rng.integers(0, 6, number)
    given = np.where(
        rng.random((coders, number)) < 0.6, truth, rng.integers(0, 6, (coders, number))
    )
    return np.where(rng.random((coders, number)) < missing, np.nan, given.astype(float))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_alpha_is_that_of_another_program(
    rng: np.random.Generator, level: str, missing: float
) -> None:
    krippendorff = pytest.importorskip("krippendorff")
    for coders in (2, 3, 5):
        given = ratings(rng, coders, 40, missing)
        theirs = krippendorff.alpha(given, level_of_measurement=level)
        assert krippendorff_alpha(given, level) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_kappa_is_that_of_another_program(rng: np.random.Generator, weights: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what that library says of itself
        from statsmodels.stats.inter_rater import cohens_kappa
    kinds = {None: None, "linear": "linear", "quadratic": "fc"}
    for _ in range(5):
        first, second = ratings(rng, 2, 60, 0.0).astype(int)
        table = np.zeros((6, 6))
        np.add.at(table, (first, second), 1)
        theirs = cohens_kappa(table, wt=kinds[weights], return_results=False)
        assert cohen_kappa(first, second, weights) == pytest.approx(theirs)


def test_alpha_and_the_kappa_of_fleiss(rng: np.random.Generator) -> None:
    """Nominal and complete, they differ by n − 1 in the place of n alone."""
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    given = ratings(rng, 4, 30, 0.0)
    fleiss = fleiss_kappa(aggregate_raters(given.T.astype(int))[0])
    assert krippendorff_alpha(given) == pytest.approx(1 - (1 - fleiss) * (120 - 1) / 120)


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_by_its_definition(rng: np.random.Generator, level: str) -> None:
    """Every pair of values, one by one."""
    given = ratings(rng, 3, 15, 0.2)
    kept = [[v for v in unit if not np.isnan(v)] for unit in given.T]
    kept = [unit for unit in kept if len(unit) > 1]
    pooled = [v for unit in kept for v in unit]
    tally = {v: pooled.count(v) for v in sorted(set(pooled))}

    def apart(c: float, k: float) -> float:
        if level == "nominal":
            return float(c != k)
        if level == "interval":
            return (c - k) ** 2
        if level == "ratio":
            return ((c - k) / (c + k)) ** 2 if c + k else 0.0
        between = sum(tally[v] for v in tally if min(c, k) <= v <= max(c, k))
        return (between - (tally[c] + tally[k]) / 2) ** 2

    observed = sum(
        sum(apart(a, b) for a in unit for b in unit) / (len(unit) - 1) for unit in kept
    ) / len(pooled)
    expected = sum(apart(a, b) for a in pooled for b in pooled)
    expected /= len(pooled) * (len(pooled) - 1)
    assert krippendorff_alpha(given, level) == pytest.approx(1 - observed / expected)


@settings(max_examples=40)
@given(arrays(np.int64, (3, 8), elements=st.integers(0, 4)))
def test_what_holds_of_any_ratings(given: np.ndarray) -> None:
    values = given.astype(float)
    for level in LEVELS:
        alpha = krippendorff_alpha(values, level)
        assert np.isnan(alpha) if np.unique(values).size == 1 else alpha <= 1
        if np.isnan(alpha):
            continue
        assert krippendorff_alpha(values[::-1], level) == pytest.approx(alpha)
        assert krippendorff_alpha(values[:, ::-1], level) == pytest.approx(alpha)
    renamed = np.array(list("edcba"))[given]
    assert krippendorff_alpha(renamed) == pytest.approx(krippendorff_alpha(values), nan_ok=True)
    shifted = krippendorff_alpha(7 - 3 * values, "interval")
    assert shifted == pytest.approx(krippendorff_alpha(values, "interval"), nan_ok=True)
    stretched = krippendorff_alpha(np.exp(values), "ordinal")
    assert stretched == pytest.approx(krippendorff_alpha(values, "ordinal"), nan_ok=True)
    scaled = krippendorff_alpha(3 * values, "ratio")
    assert scaled == pytest.approx(krippendorff_alpha(values, "ratio"), nan_ok=True)


@pytest.mark.parametrize("level", LEVELS)
def test_perfect_agreement(level: str) -> None:
    assert krippendorff_alpha([[1, 2, 3], [1, 2, 3]], level) == 1
    assert cohen_kappa([1, 2, 3], [1, 2, 3], "linear") == 1


def test_nothing_to_compare() -> None:
    assert np.isnan(krippendorff_alpha([[1.0, NONE], [NONE, 2.0]]))
    assert np.isnan(krippendorff_alpha([[2, 2], [2, 2]], "interval"))
    assert np.isnan(cohen_kappa([], []))
    assert np.isnan(cohen_kappa(["a", "a"], ["a", "a"]))
    assert np.isnan(cohen_kappa(["a", None], [None, "a"]))
    assert all(np.isnan(kappa_interval(["a"], ["a"], rng=np.random.default_rng(1))))


def test_missing_text_and_text_beside_missing() -> None:
    first, second = ["a", "b", None, "b"], ["a", "b", "a", "a"]
    assert krippendorff_alpha([first, second]) == pytest.approx(
        krippendorff_alpha([[0, 1, NONE, 1], [0, 1, 0, 0]])
    )
    assert cohen_kappa(first, second) == cohen_kappa(["a", "b", "b"], ["a", "b", "a"])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: krippendorff_alpha([[1]], "cardinal"), "level must be one of nominal"),
        (lambda: krippendorff_alpha([1, 2]), r"shape \(coders, units\), got \(2,\)"),
        (lambda: krippendorff_alpha([[-1, 2], [1, 2]], "ratio"), "at least 0, got -1"),
        (lambda: krippendorff_alpha([["a", "b"], ["a", "b"]], "interval"), "needs numbers"),
        (lambda: krippendorff_alpha([["a", None, 1], [2, "b", 1]]), "of one kind"),
        (lambda: cohen_kappa([1, 2], [1]), r"the same units, got shapes \(2,\) and \(1,\)"),
        (lambda: cohen_kappa([1], [1], "cubic"), "'linear', 'quadratic' or None"),
        (lambda: alpha_interval([[1], [1]], rng=None, draws=0), "positive number of draws"),
    ],
)
def test_what_cannot_be_computed(call, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize("level", LEVELS)
def test_an_interval_is_the_bootstrap_one_unit_at_a_time(level: str) -> None:
    """The same draws of units, each scored by the coefficient itself."""
    low, high = alpha_interval(FOUR_OBSERVERS, level, rng=np.random.default_rng(7), draws=100)
    paired = FOUR_OBSERVERS[:, (~np.isnan(FOUR_OBSERVERS)).sum(axis=0) > 1]
    number = paired.shape[1]
    drawn = np.random.default_rng(7).multinomial(number, np.full(number, 1 / number), size=100)
    slow = [
        krippendorff_alpha(np.repeat(paired, times, axis=1), level)
        for times in drawn
    ]  # fmt: skip
    assert (low, high) == pytest.approx(tuple(np.nanquantile(slow, [0.025, 0.975])))


def test_intervals_narrow_with_units_and_hold_the_value(rng: np.random.Generator) -> None:
    wide = []
    for number in (40, 160, 640):
        first, second = ratings(rng, 2, number, 0.0)
        for low, high, value in (
            (*kappa_interval(first, second, rng=rng, draws=400), cohen_kappa(first, second)),
            (
                *alpha_interval([first, second], "ordinal", rng=rng, draws=400),
                krippendorff_alpha([first, second], "ordinal"),
            ),
        ):
            assert low < value < high
        wide.append(high - low)
    assert all(after < before for before, after in pairwise(wide))


def test_large_files_are_compared_in_blocks(rng: np.random.Generator, monkeypatch) -> None:
    given = ratings(rng, 3, 50, 0.2)
    whole = {}
    for size in (2_000_000, 100):
        monkeypatch.setattr("escalation.agreement.BLOCK", size)
        whole[size] = [krippendorff_alpha(given, level) for level in LEVELS]
    assert whole[100] == pytest.approx(whole[2_000_000])
