"""Recalibration out of sample, of forecasters that are too narrow, too wide or in a wrong place."""

import numpy as np
import pytest

from escalation.ensemble import Recalibration, pit_log_odds
from escalation.scores import crps_draws, log_score_draws, pit_bounds, pit_share

FAULTS = {
    # What is added to and multiplied with the distance of a draw from its mean.
    "too narrow": (0.0, 0.4),
    "too wide": (0.0, 2.5),
    "too high": (20.0, 1.0),
}


def cases(rng, n, shift, spread, draws=200):
    """Counts about a level that changes, and forecasts of them with a fault."""
    level = rng.uniform(60, 140, n)
    observed = np.rint(rng.normal(level, 12.0)).clip(0)
    forecast = np.rint(level + shift + spread * rng.normal(0, 12.0, (draws, n))).clip(0)
    return forecast, observed


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_forecaster_is_repaired_out_of_sample(fault, rng):
    """Learned on 300 cases, judged on 1,000 others."""
    shift, spread = FAULTS[fault]
    learned = Recalibration.learn(*pit_log_odds(*cases(rng, 300, shift, spread)))
    forecast, observed = cases(rng, 1000, shift, spread)
    mended = learned.apply(forecast, rng)
    for level in (0.5, 0.8, 0.9):
        before, after = (
            pit_share(*pit_bounds(x, observed), level).mean() for x in (forecast, mended)
        )
        # 300 cases leave a standard error of .03 for the map itself.
        assert abs(after - level) < 0.08
        assert abs(after - level) < abs(before - level)
    for score in (crps_draws, log_score_draws):
        before, after = (score(x, observed).mean() for x in (forecast, mended))
        assert after < before
    # The expected CRPS of the normal law that made the counts is its scale over the root of pi.
    assert crps_draws(mended, observed).mean() < 1.06 * 12 / np.sqrt(np.pi)


def test_a_calibrated_forecaster_is_left_nearly_alone(rng):
    learned = Recalibration.learn(*pit_log_odds(*cases(rng, 300, 0.0, 1.0)))
    forecast, observed = cases(rng, 2000, 0.0, 1.0)
    mended = learned.apply(forecast, rng)
    assert crps_draws(mended, observed).mean() < 1.02 * crps_draws(forecast, observed).mean()


def test_small_counts_with_many_zeros_are_repaired(rng):
    """A Poisson forecaster of a law with twice as many zeros and a longer tail."""

    def make(n):
        level = rng.uniform(0.5, 3.0, n)
        return rng.poisson(level, (200, n)), rng.negative_binomial(0.5, 0.5 / (0.5 + level))

    learned = Recalibration.learn(*pit_log_odds(*make(500)))
    forecast, observed = make(1000)
    mended = learned.apply(forecast, rng)
    before, after = (log_score_draws(x, observed).mean() for x in (forecast, mended))
    assert after < before - 0.1
    for level in (0.5, 0.8, 0.9):
        assert abs(pit_share(*pit_bounds(mended, observed), level).mean() - level) < 0.07


def test_a_forecaster_that_never_saw_an_incident_learns_of_one(rng):
    """All draws zero, one case in ten is not: the law goes on past the draws."""
    observed = (rng.uniform(size=400) < 0.1).astype(float)
    learned = Recalibration.learn(*pit_log_odds(np.zeros((200, 400)), observed))
    mended = learned.apply(np.zeros((200, 50)), rng)
    assert (mended > 0).mean() == pytest.approx(observed.mean(), abs=0.04)


def test_without_cases_nothing_changes(rng):
    draws = rng.poisson(20.0, (1000, 3)).astype(float)
    same = Recalibration.learn([], [])
    assert same.cases == 0
    np.testing.assert_array_equal(same.apply(draws, rng), draws)


def test_the_map_rises_from_zero_to_one_whatever_came(rng):
    low, high = pit_log_odds(rng.poisson(3.0, (50, 30)), rng.poisson(9.0, 30))
    learned = Recalibration.learn(low, high, prior=0.1)
    assert (np.diff(learned.actual) >= 0).all()
    assert (learned.actual[0], learned.actual[-1]) == (-35.0, 35.0)
    with pytest.raises(ValueError, match="more than 0 cases"):
        Recalibration.learn(low, high, prior=0.0)
    assert (np.diff(learned.nominal) > 0).all()


def test_pits_as_log_odds_are_those_of_the_draws_inside(rng):
    draws, observed = rng.poisson(5.0, (400, 60)), rng.poisson(5.0, 60).astype(float)
    observed[3] = np.nan
    for found, expected in zip(
        pit_log_odds(draws, observed), pit_bounds(draws, observed), strict=True
    ):
        inside = (expected > 0.01) & (expected < 0.99)
        np.testing.assert_allclose(1 / (1 + np.exp(-found[inside])), expected[inside])
        assert np.isnan(found[3])


def test_pits_go_on_past_the_draws_and_keep_their_order():
    draws = np.arange(100.0, 200.0)[:, None] * np.ones(8)
    low, high = pit_log_odds(draws, [0.0, 40.0, 90.0, 99.0, 198.0, 199.0, 260.0, 1e6])
    assert (np.diff(high) > 0).all()
    assert (low[:-1] < high[:-1]).all()
    assert (low[0], high[-1]) == (-35.0, 35.0)


def test_endless_draws_are_the_largest(rng):
    draws = rng.poisson(5.0, (200, 3)).astype(float)
    draws[:4] = np.inf
    low, high = pit_log_odds(draws, [5.0, 50.0, 1e5])
    assert np.isfinite(low).all()
    assert np.isfinite(high).all()
    same = Recalibration.learn([], []).apply(draws, rng)
    assert np.isinf(same).sum(axis=0).tolist() == [4, 4, 4]
