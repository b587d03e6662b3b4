import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from escalation.hawkes.gibbs import gibbs
from escalation.likelihood.day_filter import day_filter, filter_data
from escalation.likelihood.gibbs import exact_likelihood, sweep_times


def test_the_likelihood_is_that_of_the_definition(rng):
    times, stream = np.sort(rng.random(12) * 5), rng.integers(0, 2, 12)
    rate, decay = rng.random((5, 2)), 1.3
    reach = np.array([[0.4, 0.2], [0.1, 0.5]])
    total = -rate.sum()
    for i, (t, k) in enumerate(zip(times, stream, strict=True)):
        ages = t - times[:i]
        pull = reach[k, stream[:i]] * decay * np.exp(-decay * ages)
        total += np.log(rate[int(t), k] + pull.sum())
        total -= reach[:, k].sum() * (1 - np.exp(-decay * (5 - t)))
    assert abs(exact_likelihood(times, stream, rate, reach, decay) - total) < 1e-10


def test_times_of_two_events_follow_their_density(rng):
    """The gap of two events of one day against quadrature of the likelihood.

    Autocorrelation counted, five standard errors are about 0.02: one false alarm in a million.
    """
    rate, reach, decay = np.array([[0.3], [0.0]]), np.array([[0.7]]), 3.0

    def density(gap):
        own = [
            np.exp(
                exact_likelihood(np.array([s, s + gap]), np.zeros(2, np.int64), rate, reach, decay)
            )
            for s in (np.arange(20) + 0.5) / 20 * (1 - gap)
        ]
        return np.mean(own) * (1 - gap)

    whole = quad(density, 0, 1, limit=40, epsabs=1e-8)[0]
    mean = quad(lambda gap: gap * density(gap), 0, 1, limit=40, epsabs=1e-8)[0] / whole
    times, stream = np.array([0.2, 0.7]), np.zeros(2, np.int64)
    gaps = []
    for _ in range(30_000):
        sweep_times(times, stream, rate, reach, decay, rng)
        assert 0 <= times[0] <= times[1] < 1
        gaps.append(times[1] - times[0])
    blocks = np.array(gaps).reshape(100, -1).mean(axis=1)
    assert abs(np.mean(gaps) - mean) < 5 * blocks.std() / 10


def test_without_offspring_times_are_uniform(rng):
    times, stream = rng.random(400) + np.repeat(np.arange(4), 100), rng.integers(0, 2, 400)
    times.sort()
    seen = []
    for _ in range(50):
        sweep_times(times, stream, np.ones((4, 2)), np.zeros((2, 2)), 1.0, rng)
        assert (np.bincount(times.astype(int)) == 100).all()
        seen.append(times % 1)
    # 20,000 independent numbers; five standard errors.
    assert abs(np.mean(seen) - 0.5) < 5 * np.sqrt(1 / 12 / 20_000)
    assert abs(np.var(seen) - 1 / 12) < 5 * np.sqrt(1 / 180 / 20_000)


def fitted(counts):
    """The filter's estimate (level, log R, log decay) of one stream, and its covariance."""
    data = filter_data(counts.astype(float), np.ones(len(counts)), np.ones((len(counts), 1)))

    def loss(x):
        value, by_theta, by_values = day_filter(
            np.array([x[0], np.exp(x[1])]), np.array([[1.0, np.exp(x[2])]]), *data.values(),
            np.array([0]), np.array([[0]]), np.array([1]),
        )  # fmt: skip
        slope = [by_theta[0], by_theta[1] * np.exp(x[1]), by_values[0, 1] * np.exp(x[2])]
        return -value, -np.array(slope)

    x = minimize(loss, np.log([0.5, 0.5, 1.0]), jac=True).x
    steps = np.eye(3) * 1e-4
    return x, np.linalg.inv([(loss(x + s)[1] - loss(x - s)[1]) / 2e-4 for s in steps])


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0.2, 1.5, 8.0])
def test_the_filter_agrees_with_the_exact_posterior(rng, decay):
    """Medians within 0.35 posterior deviations, deviations within 25 %, of one data set.

    The sampler's own error is about a tenth of a deviation; the seed is fixed.
    """
    times = rng.random(rng.poisson(0.5 * 1500)) * 1500
    found = [times]
    while len(times):
        children = np.repeat(times, rng.poisson(0.6, len(times)))
        times = children + rng.exponential(1 / decay, len(children))
        times = times[times < 1500]
        found.append(times)
    counts = np.bincount(np.concatenate(found).astype(int), minlength=1500)
    x, covariance = fitted(counts)
    draws = gibbs(counts[:, None], np.ones((1500, 1)), x, covariance, 1500, rng)[200:]
    error = (np.median(draws, axis=0) - x) / draws.std(axis=0)
    assert np.abs(error).max() < 0.35
    np.testing.assert_allclose(draws.std(axis=0), np.sqrt(np.diag(covariance)), rtol=0.25)


def test_an_arrow_that_is_not_there_stays_away(rng):
    counts = rng.poisson(0.5, (40, 2))
    start = np.array([-1.0, -1.0, -1.0, -np.inf, -1.5, -1.0, 0.0])
    draws = gibbs(counts, np.ones((40, 1)), start, np.eye(7) * 0.05, 20, rng)
    assert draws.shape == (20, 7)
    assert (draws[:, 3] == -np.inf).all()
    assert len(np.unique(draws[:, 0])) > 3


def test_what_does_not_fit_is_refused(rng):
    with pytest.raises(ValueError, match="want a start of 3, got"):
        gibbs(np.ones((4, 1), int), np.ones((4, 1)), np.zeros(4), np.eye(3), 2, rng)
    with pytest.raises(ValueError, match="no finite posterior"):
        start = np.array([-np.inf, 0.0, 0.0])
        gibbs(np.ones((4, 1), int), np.ones((4, 1)), start, np.eye(3), 2, rng)
