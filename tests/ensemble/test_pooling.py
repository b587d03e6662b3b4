"""Linear pool and quantile average, against their definitions."""

import numpy as np
import pytest

from escalation.ensemble import linear_pool, quantile_average
from escalation.ensemble.pooling import ordered_like, shares
from escalation.scores import crps_draws


def test_shares_are_the_nearest_whole_numbers():
    assert shares([0.7, 0.3], 10).tolist() == [7, 3]
    assert shares([1 / 3] * 3, 10).tolist() == [4, 3, 3]
    assert shares([0.0, 1.0], 7).tolist() == [0, 7]


def test_a_linear_pool_is_the_mixture(rng):
    low, high = rng.poisson(2.0, (400, 5)), rng.poisson(20.0, (400, 5))
    pool = linear_pool([low, high], [0.25, 0.75], 400, rng)
    assert pool.shape == (400, 5)
    for y in (0, 5, 30):
        share = (pool <= y).mean(axis=0)
        expected = 0.25 * (low <= y).mean(axis=0) + 0.75 * (high <= y).mean(axis=0)
        np.testing.assert_allclose(share, expected, atol=0.08)


def test_a_pool_of_all_draws_has_the_crps_of_the_mixture(rng):
    low, high = rng.poisson(2.0, (300, 5)), rng.poisson(20.0, (300, 5))
    y = rng.poisson(8.0, 5)
    pool = linear_pool([low, high], [0.5, 0.5], 600, rng)
    together = crps_draws(np.concatenate([low, high]), y)
    np.testing.assert_allclose(crps_draws(pool, y), together)
    # No worse than the members' mean: the CRPS is convex in the forecast.
    assert (crps_draws(pool, y) <= (crps_draws(low, y) + crps_draws(high, y)) / 2 + 1e-9).all()


def test_a_linear_pool_keeps_whole_paths(rng):
    paths = np.arange(50)[:, None] * np.ones(3)
    pool = linear_pool([paths, paths + 100], [0.5, 0.5], 160, rng)
    assert (pool == pool[:, :1]).all()
    # 80 of 50 paths: each once, thirty of them twice.
    values, times = np.unique(pool[pool[:, 0] < 100, 0], return_counts=True)
    assert len(values) == 50
    assert sorted(times) == [1] * 20 + [2] * 30


def test_pools_refuse_what_does_not_fit(rng):
    with pytest.raises(ValueError, match="same cells"):
        linear_pool([np.ones((3, 2)), np.ones((3, 3))], [0.5, 0.5], 4, rng)
    for weights in ([0.5], [0.7, 0.7], [1.5, -0.5]):
        with pytest.raises(ValueError, match="sum to 1"):
            linear_pool([np.ones((3, 2)), np.ones((3, 2))], weights, 4, rng)


def test_a_quantile_average_makes_the_draws_asked_for(rng):
    few, many = np.arange(12.0)[:, None], rng.poisson(50.0, (1000, 1))
    pool = quantile_average([few, many], [0.5, 0.5], rng, 600)
    assert pool.shape == (600, 1)
    both = np.repeat(few, 50, axis=0).mean() / 2 + many.mean() / 2
    assert pool.mean() == pytest.approx(both, abs=0.2)
    assert len(quantile_average([few, many], [0.5, 0.5], rng)) == 12


def test_a_quantile_average_averages_quantiles(rng):
    first, second = rng.poisson(5.0, (1000, 2)), rng.poisson(50.0, (1000, 2))
    pool = quantile_average([first, second], [0.5, 0.5], rng)
    levels = [0.1, 0.5, 0.9]
    expected = (np.quantile(first, levels, axis=0) + np.quantile(second, levels, axis=0)) / 2
    np.testing.assert_allclose(np.quantile(pool, levels, axis=0), expected, atol=1.0)
    assert pool.mean() == pytest.approx((first.mean() + second.mean()) / 2, abs=0.05)
    assert (pool == np.floor(pool)).all()


def test_a_quantile_average_of_one_member_is_that_member(rng):
    draws = rng.poisson(5.0, (100, 4, 2)).astype(float)
    pool = quantile_average([draws], [1.0], rng)
    np.testing.assert_array_equal(np.sort(pool, axis=0), np.sort(draws, axis=0))
    # A member of weight zero leaves no trace, infinite or not.
    pool = quantile_average([draws, np.full_like(draws, np.inf)], [1.0, 0.0], rng)
    np.testing.assert_array_equal(np.sort(pool, axis=0), np.sort(draws, axis=0))


def test_a_quantile_average_keeps_the_dependence(rng):
    level = rng.gamma(3.0, 20.0, (1000, 1))
    members = [rng.poisson(level * np.ones(2)) for _ in range(2)]
    pool = quantile_average(members, [0.5, 0.5], rng)
    expected = np.corrcoef(np.concatenate(members).T)[0, 1]
    assert np.corrcoef(pool.T)[0, 1] == pytest.approx(expected, abs=0.1)


def test_members_may_have_draws_of_different_number(rng):
    few, many = rng.poisson(8.0, (40, 2)), rng.poisson(8.0, (4000, 2))
    assert quantile_average([few, many], [0.5, 0.5], rng).shape == (40, 2)
    pool = quantile_average([many, few], [0.5, 0.5], rng)
    expected = (few.mean(axis=0) + many.mean(axis=0)) / 2
    np.testing.assert_allclose(pool.mean(axis=0), expected, atol=0.05)


def test_values_are_ordered_like_their_template(rng):
    template = rng.permutation(20).astype(float)[:, None]
    values = np.arange(20.0)[:, None] * 3
    np.testing.assert_array_equal(ordered_like(values, template, rng), template * 3)


def test_ties_of_a_template_say_nothing(rng):
    values = np.tile(np.arange(500.0)[:, None], 2)
    found = ordered_like(values, np.zeros((500, 2)), rng)
    # Four standard errors.
    assert abs(np.corrcoef(found.T)[0, 1]) < 4 / np.sqrt(500)
