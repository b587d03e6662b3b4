"""Scores against brute force, their definitions, and properties that they must have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from escalation.scores import (
    brier,
    coverage,
    crps_draws,
    implied_coverage,
    interval_score,
    log_score_draws,
    moving_blocks,
    pit_bounds,
    pit_histogram,
    pit_share,
    quantile_draws,
    relative_skill,
    smoothed_pmf,
    squared_error,
)

counts = arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 30))


@given(counts, st.integers(0, 40))
def test_crps_is_its_definition(draws, observed):
    apart = np.abs(draws[:, None] - draws[None, :]).mean() / 2
    assert crps_draws(draws, observed) == pytest.approx(np.abs(draws - observed).mean() - apart)


def test_crps_of_one_draw_is_the_absolute_error():
    assert crps_draws([[3.0, 8.0]], [5.0, 8.0]).tolist() == [2.0, 0.0]


def test_crps_takes_many_cells_at_once(rng):
    draws, observed = rng.poisson(4, (50, 3, 2)), rng.poisson(4, (3, 2))
    cells = [[crps_draws(draws[:, h, k], observed[h, k]) for k in range(2)] for h in range(3)]
    np.testing.assert_allclose(crps_draws(draws, observed), cells)


def test_crps_with_an_infinite_draw_is_infinite_and_of_that_cell_only():
    draws = np.array([[0.0, 1.0], [np.inf, 3.0], [2.0, 2.0]])
    score = crps_draws(draws, [1, 2])
    assert score[0] == np.inf
    assert np.isfinite(score[1])


@given(counts, st.integers(0, 40), st.integers(1, 40))
def test_capped_crps_is_the_integral_up_to_the_cap(draws, observed, cap):
    steps = np.arange(cap)
    share = (draws[:, None] <= steps).mean(axis=0)
    integral = ((share - (observed <= steps)) ** 2).sum()
    assert crps_draws(draws, observed, cap) == pytest.approx(integral)


def test_capped_crps_of_infinite_draws_is_finite_and_grows_with_their_number():
    draws = np.ones((100, 4))
    for cell in range(4):
        draws[: 10 * cell, cell] = np.inf
    scores = crps_draws(draws, np.ones(4), [500, 500, 500, np.inf])
    assert scores.tolist() == pytest.approx([0, 0.01 * 499, 0.04 * 499, np.inf])


def test_crps_is_that_of_a_poisson_law(rng):
    # Wei and Held (2014): the mean CRPS of draws from the truth, against the sum over the support.
    from scipy.stats import poisson

    support = np.arange(200)
    expected = ((poisson.cdf(support, 6.0) - (support >= 4)) ** 2).sum()
    assert crps_draws(rng.poisson(6.0, 200_000), 4) == pytest.approx(expected, abs=0.02)


def test_quantiles_of_counts_are_counts_and_infinity_is_the_largest():
    draws = np.array([0.0, np.inf, 2.0, 1.0])
    assert quantile_draws(draws, [0, 0.25, 0.26, 0.5, 0.75, 0.76, 1]).tolist() == [
        0, 0, 1, 1, 2, np.inf, np.inf,
    ]  # fmt: skip
    assert quantile_draws(np.full(3, np.inf), 0.5) == np.inf


@given(counts, st.floats(0, 1))
def test_quantiles_are_those_of_numpy(draws, q):
    assert quantile_draws(draws, q) == np.quantile(draws, q, method="inverted_cdf")


@pytest.mark.parametrize("q", [-0.1, 1.1, np.nan])
def test_a_quantile_level_outside_zero_and_one_is_refused(q):
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        quantile_draws([1, 2], q)


@given(counts)
def test_smoothed_probabilities_are_positive_and_sum_to_one(draws):
    last = 500
    values = np.arange(last)
    p = smoothed_pmf(np.broadcast_to(draws[:, None], (len(draws), last)), values)
    n = len(draws)
    scale = 1 + quantile_draws(draws, 0.5)
    beyond = np.sqrt(n) / (n + np.sqrt(n)) * scale / (scale + last)
    assert (p > 0).all()
    assert p.sum() + beyond == pytest.approx(1.0, abs=1e-9)


def test_smoothed_probabilities_of_infinite_draws_are_missing_from_the_sum():
    draws = np.array([1.0, 2.0, 2.0, np.inf])
    values = np.arange(200_000)
    p = smoothed_pmf(np.broadcast_to(draws[:, None], (4, len(values))), values)
    assert p.sum() == pytest.approx(1 - 1 / 6, abs=1e-4)


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_smoothed_probabilities_survive_many_infinite_draws(share):
    draws = np.where(np.arange(10) < 10 * share, np.inf, 3.0)
    assert 0 < smoothed_pmf(draws, 3) < 1


def test_small_counts_keep_their_share_of_draws():
    draws = np.repeat([0, 1, 2, 3], [700, 200, 90, 10])
    p = smoothed_pmf(np.broadcast_to(draws[:, None], (1000, 4)), np.arange(4))
    np.testing.assert_allclose(p, [0.7, 0.2, 0.09, 0.01], atol=0.02)


def test_large_counts_are_smoothed_towards_their_law(rng):
    from scipy.stats import nbinom

    law = nbinom(5, 5 / 105)
    draws, values = law.rvs(1000, random_state=rng), np.arange(40, 200)
    smooth = log_score_draws(np.broadcast_to(draws[:, None], (1000, 160)), values)
    weights = law.pmf(values) / law.pmf(values).sum()
    # The plain share of draws would be infinite here: many of these counts were never drawn.
    assert weights @ (smooth + law.logpmf(values)) < 0.12


def test_a_log_score_is_finite_far_out_and_grows_with_distance():
    draws = np.array([0, 0, 1, 2, 3])
    scores = [float(log_score_draws(draws, y)) for y in (1, 10, 1000, 10**6)]
    assert np.isfinite(scores).all()
    assert scores == sorted(scores)


@pytest.mark.parametrize(("draws", "observed"), [([0.5, 1], 1), ([-1, 1], 1), ([1, 2], 1.5)])
def test_a_log_score_of_what_is_no_count_is_refused(draws, observed):
    with pytest.raises(ValueError, match="must be counts"):
        log_score_draws(draws, observed)


def test_unobserved_cells_score_nan():
    draws, observed = np.ones((4, 2)), np.array([1.0, np.nan])
    cells = [
        crps_draws(draws, observed),
        log_score_draws(draws, observed),
        squared_error(draws, observed),
        *pit_bounds(draws, observed),
        coverage([1, 1], [1, 1], observed),
        interval_score([1, 1], [1, 1], observed, 0.5),
        pit_share(*pit_bounds(draws, observed), 0.5),
    ]
    assert all(np.isnan(cell).tolist() == [False, True] for cell in cells)


def test_squared_error_with_an_infinite_draw_is_infinite():
    assert squared_error([1.0, np.inf], 1.0) == np.inf


@pytest.mark.parametrize("score", [crps_draws, log_score_draws, pit_bounds, squared_error])
def test_shapes_that_do_not_fit_are_refused(score):
    with pytest.raises(ValueError, match=r"need observations of shape \(2,\), not \(3,\)"):
        score(np.ones((4, 2)), np.ones(3))
    with pytest.raises(ValueError, match="n >= 1"):
        score(np.ones((0, 2)), np.ones(2))


@given(counts, st.integers(0, 40))
def test_pit_bounds_are_the_distribution_function(draws, observed):
    low, high = pit_bounds(draws, observed)
    assert (low, high) == ((draws < observed).mean(), (draws <= observed).mean())


@pytest.mark.parametrize(
    ("low", "high", "level", "share"),
    [(0, 1, 0.8, 0.8), (0.4, 0.6, 0.5, 1.0), (0.0, 0.2, 0.8, 0.5), (0.5, 0.5, 0.5, 1.0),
     (0.0, 0.0, 0.9, 0.0), (1.0, 1.0, 0.9, 0.0), (0.9, 1.0, 0.9, 0.5)],
)  # fmt: skip
def test_pit_share_is_the_overlap(low, high, level, share):
    assert pit_share(low, high, level) == pytest.approx(share)


def test_pit_share_of_a_calibrated_count_forecast_is_the_level(rng):
    # 4,000 calibrated cases; false alarm below 1 in 10,000 (four standard errors).
    draws, observed = rng.poisson(1.5, (400, 4000)), rng.poisson(1.5, 4000)
    for level in (0.5, 0.8, 0.9):
        share = pit_share(*pit_bounds(draws, observed), level)
        assert abs(share.mean() - level) < 4 * share.std() / np.sqrt(4000) + 0.003


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1), st.integers(1, 12))
def test_pit_histogram_sums_to_one(ends, bins):
    low, high = np.sort(np.array(ends), axis=1).T
    heights = pit_histogram(low, high, bins)
    assert heights.sum() == pytest.approx(1)
    assert (heights >= -1e-12).all()


def test_pit_histogram_counts_points_at_both_ends_and_skips_the_unobserved():
    heights = pit_histogram([0, 1, np.nan], [0, 1, np.nan], 4)
    assert heights.tolist() == [0.5, 0, 0, 0.5]
    with pytest.raises(ValueError, match="needs observations"):
        pit_histogram([np.nan], [np.nan])


def test_implied_coverage_is_at_least_the_level(rng):
    draws = rng.poisson(1.0, (500, 30))
    low, high = quantile_draws(draws, [0.1, 0.9])
    implied = implied_coverage(draws, low, high)
    assert (implied >= 0.8).all()
    assert implied.mean() > 0.85


def test_coverage_is_of_the_closed_interval():
    assert coverage([1, 1, 1], [2, 2, 2], [1, 2, 3]).tolist() == [1, 1, 0]


def test_brier_refuses_what_is_no_probability():
    assert brier([0.2, 1.0], [0, 1]).tolist() == pytest.approx([0.04, 0.0])
    with pytest.raises(ValueError, match="probabilities"):
        brier([1.2], [1])


@pytest.mark.parametrize("level", [0.0, 1.0, 90])
def test_a_level_outside_zero_and_one_is_refused(level):
    with pytest.raises(ValueError, match="level"):
        interval_score(0, 1, 1, level)
    with pytest.raises(ValueError, match="level"):
        pit_share(0, 1, level)


def test_relative_skill_is_undefined_over_zero():
    assert relative_skill([[1, 1], [2, 4]], [[2, 2], [1, 1]]).tolist() == [0.5, 3.0]
    assert np.isnan(relative_skill([1.0], [0.0]))
    assert np.isnan(relative_skill([np.inf], [np.inf]))
    assert relative_skill([np.inf], [1.0]) == np.inf


@given(st.integers(1, 30), st.integers(1, 40))
def test_moving_blocks_are_runs(cases, length):
    index = moving_blocks(cases, length, 20, np.random.default_rng(1))
    assert index.shape == (20, cases)
    assert index.min() >= 0
    assert index.max() < cases
    inside = np.arange(1, cases) % min(length, cases) != 0
    assert (np.diff(index, axis=1)[:, inside] == 1).all()


def test_moving_blocks_widen_the_spread_of_a_mean_of_alike_neighbours(rng):
    values = np.repeat(rng.normal(size=50), 10)
    spread = [values[moving_blocks(500, length, 400, rng)].mean(axis=1).std() for length in (1, 10)]
    assert spread[1] > 2 * spread[0]


@pytest.fixture(scope="module")
def rules():
    return pytest.importorskip("scoringrules")


class TestAgainstScoringrules:
    """The same numbers from an independent implementation."""

    def test_crps(self, rules, rng):
        draws, observed = rng.negative_binomial(2, 0.2, (300, 40)), rng.poisson(8, 40)
        theirs = rules.crps_ensemble(observed, draws, m_axis=0, estimator="nrg")
        np.testing.assert_allclose(crps_draws(draws, observed), theirs, rtol=1e-12)

    def test_interval_score(self, rules, rng):
        low = rng.poisson(3, 50)
        high, observed = low + rng.poisson(6, 50), rng.poisson(8, 50)
        theirs = rules.interval_score(observed, low, high, 0.2)
        np.testing.assert_allclose(interval_score(low, high, observed, 0.8), theirs, rtol=1e-12)

    def test_brier(self, rules, rng):
        p, outcome = rng.uniform(size=20), rng.integers(0, 2, 20)
        np.testing.assert_allclose(brier(p, outcome), rules.brier_score(outcome, p), rtol=1e-12)


class TestAgainstSurveillance:
    """The values that the R package surveillance gives (references/README.md says how)."""

    def test_pit_histogram_of_one_step_forecasts(self, shared):
        import json

        import polars as pl
        from scipy.stats import nbinom

        reference = json.loads((shared / "references/values.json").read_text())
        expected = reference["surveillance"]["mWE_scores_B"]["pit_J10_density"]
        data = pl.read_csv(shared / "references/data/mWE_rolling_pred_B.csv")
        size = np.exp(data["psi"].to_numpy())
        law = nbinom(size, size / (size + data["mu"].to_numpy()))
        observed = data["obs"].to_numpy()
        heights = pit_histogram(law.cdf(observed - 1), law.cdf(observed), 10)
        np.testing.assert_allclose(10 * heights, expected, rtol=1e-10)

    def test_crps_of_evenly_spread_draws(self, shared):
        import polars as pl
        from scipy.stats import nbinom, poisson

        data = pl.read_csv(shared / "references/data/score_unit_values.csv", null_values="NA")
        for y, mu, size, _, rps, *_ in data.rows():
            endless = size is None or not np.isfinite(size)
            law = poisson(mu) if endless else nbinom(size, size / (size + mu))
            draws = law.ppf((np.arange(4000) + 0.5) / 4000)
            assert crps_draws(draws, y) == pytest.approx(rps, rel=0.01, abs=2e-3)
