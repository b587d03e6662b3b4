"""Scores of draws against brute force, their definitions, and properties that they must have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from escalation.scores import (
    crps_draws,
    dawid_sebastiani,
    dawid_sebastiani_draws,
    log_score_draws,
    mean_difference,
    pit_bounds,
    quantile_draws,
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


def test_squared_error_with_an_infinite_draw_is_infinite():
    assert squared_error([1.0, np.inf], 1.0) == np.inf


@pytest.mark.parametrize("score", [crps_draws, log_score_draws, pit_bounds, squared_error])
def test_shapes_that_do_not_fit_are_refused(score):
    with pytest.raises(ValueError, match=r"need observations of shape \(2,\), not \(3,\)"):
        score(np.ones((4, 2)), np.ones(3))
    with pytest.raises(ValueError, match="n >= 1"):
        score(np.ones((0, 2)), np.ones(2))


def test_many_cells_are_scored_as_each_by_itself(rng):
    # More cells than one block holds.
    draws, observed = rng.poisson(3, (1000, 700)), rng.poisson(3, 700).astype(float)
    observed[5] = np.nan
    for score in (crps_draws, log_score_draws, dawid_sebastiani_draws, squared_error):
        whole = score(draws, observed)
        each = [score(draws[:, cell], observed[cell]) for cell in (0, 5, 300, 699)]
        np.testing.assert_allclose(whole[[0, 5, 300, 699]], each, rtol=1e-12)
    assert crps_draws(np.empty((5, 0)), []).shape == (0,)


@given(counts)
def test_the_mean_difference_is_its_definition(draws):
    apart = np.abs(draws[:, None] - draws[None, :]).mean()
    assert mean_difference(draws) == pytest.approx(apart)


def test_dawid_sebastiani_is_that_of_the_moments(rng):
    draws, observed = rng.poisson(4, (500, 6)), rng.poisson(4, 6)
    expected = dawid_sebastiani(draws.mean(axis=0), draws.var(axis=0), observed)
    np.testing.assert_allclose(dawid_sebastiani_draws(draws, observed), expected)


def test_dawid_sebastiani_of_draws_that_are_alike_or_endless():
    draws = np.array([[0, 0, 1, 2], [0, 0, np.inf, 3]])
    score = dawid_sebastiani_draws(draws, [0, 1, 1, np.nan])
    assert score[:3].tolist() == [-np.inf, np.inf, np.inf]
    assert np.isnan(score[3])


@pytest.mark.parametrize("score", [crps_draws, log_score_draws, dawid_sebastiani_draws])
def test_a_score_is_proper(score, rng):
    # 2,000 cases from the truth: no shifted, narrowed or widened forecast scores better.
    observed = rng.negative_binomial(2, 0.3, 2000)
    truth = rng.negative_binomial(2, 0.3, (150, 2000))
    best = score(truth, observed).mean()
    for other in (
        truth + 1,
        rng.poisson(14 / 3, truth.shape),
        rng.negative_binomial(1, 0.176, truth.shape),
    ):
        assert score(other, observed).mean() > best


def test_unobserved_cells_score_nan():
    draws, observed = np.stack([np.ones(2), np.zeros(2)]), np.array([1.0, np.nan])
    for score in (crps_draws, log_score_draws, squared_error, dawid_sebastiani_draws):
        assert np.isnan(score(draws, observed)).tolist() == [False, True]
    assert np.isnan(pit_bounds(draws, observed)).all(axis=0).tolist() == [False, True]
