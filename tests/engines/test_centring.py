"""A panel's coordinates: the same posterior, standard normal where the effects are."""

import numpy as np
import pytest
from scipy.stats import halfnorm, norm

from escalation.counts import Panel
from escalation.counts.panel_fit import normal_law
from escalation.engines.centring import Centring, half_normal, to_deviations, to_slopes
from escalation.engines.coordinates import Coordinates
from escalation.engines.density import Density
from hard import uneven


def test_centred_coordinates_leave_the_posterior_as_it_is(rng):
    problem = Panel(lags=3).problem(uneven())
    theta, covariance, centring = normal_law(problem)
    assert np.linalg.eigvalsh(covariance)[0] > 0
    plain = Coordinates.of(problem)
    partly = plain.partly_centred(centring)
    first, second = Density(problem, plain), Density(problem, partly)
    off = []
    for spread in (0.02, 0.6, 3.0):
        there = theta + 0.1 * rng.standard_normal(theta.size)
        there[centring.spread] = spread
        there[-1] = 0.5
        x = partly.to(there)
        np.testing.assert_allclose(partly.back(x), there, rtol=1e-10)
        value, gradient = second.plain(x)
        # The Jacobian is that of the map, by differences.
        own = np.concatenate([centring.mean, centring.spread, centring.deviation.ravel()])
        slopes = np.empty((own.size, own.size))
        for i, place in enumerate(own):
            step = 1e-6 * (np.arange(theta.size) == place)
            moved = centring.to(there + step) - centring.to(there - step)
            slopes[:, i] = moved[own] / 2e-6
        volume = np.linalg.slogdet(slopes)[1] + np.log(there[centring.spread]).sum()
        off.append(value + volume - first.plain(plain.to(there))[0])
        for i in range(x.size):
            step = 1e-6 * (np.arange(x.size) == i)
            numeric = (second.plain(x + step)[0] - second.plain(x - step)[0]) / 2e-6
            np.testing.assert_allclose(gradient[i], numeric, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(off, off[0], atol=1e-6)


def test_a_spread_is_the_quantile_that_its_coordinate_says():
    x = np.array([-30.0, -8.0, -2.0, -1e-9, 0.0, 0.5, 1.0, 6.0, 24.9])
    found = np.array([half_normal(one) for one in x])
    np.testing.assert_allclose(norm.logsf(found) + np.log(2), norm.logsf(x), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(halfnorm.logcdf(found), norm.logcdf(x), rtol=1e-12, atol=1e-14)
    assert half_normal(25.01) == pytest.approx(half_normal(24.99), rel=1e-3)


@pytest.mark.parametrize("spread", [0.01, 0.5, 5.0])
def test_centred_coordinates_of_a_normal_hierarchy_are_standard_normal(spread):
    # Two units known very differently: mean and deviations are normal given the spread, exactly.
    known, score = np.array([[30.0, 0.4]]), np.array([[25.0, 0.2]])
    whole = np.array([0.0, norm.ppf(halfnorm.cdf(spread, scale=2.0)), 0.0, 0.0])
    kept = np.empty((1, 2))
    own = np.array([0, 2, 3])
    centring = Centring(
        np.array([0]),
        np.array([1]),
        np.array([[2, 3]]),
        known,
        score,
        np.array([[-1.0, 0.25, 2.0]]),
    )
    places = centring.arrays

    def slopes(y):
        theta = whole.copy()
        theta[own] = y
        to_deviations(theta, kept, *places)
        effects = theta[0] + spread * theta[2:]
        by_effects = score[0] - known[0] * effects
        by_theta = np.array([by_effects.sum(), by_effects @ theta[2:], *(spread * by_effects)])
        to_slopes(theta, by_theta, kept, *places)
        return by_theta[own]

    for y in (np.zeros(3), np.array([1.0, -0.5, 2.0])):
        np.testing.assert_allclose(slopes(y), -y, atol=1e-9)
