"""What every kernel must satisfy, whoever writes it."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import escalation.kernels
from discover import concrete
from escalation.kernels import ContinuousKernel, ExponentialFamily, Kernel

KERNELS = concrete(Kernel, escalation.kernels)
CONTINUOUS = concrete(ContinuousKernel, escalation.kernels)
EXPONENTIAL = concrete(ExponentialFamily, escalation.kernels)


def thetas(kernel):
    """Some parameter vectors (5, q), from the kernel's own prior."""
    rng = np.random.default_rng(7)
    parameters = kernel.parameters("day")
    columns = [p.sample_prior(rng, 5).reshape(5, -1) for p in parameters]
    return np.concatenate(columns, axis=1) if columns else np.zeros((5, 0))


def differences(function, theta, h=1e-6):
    """Central differences of a vector function by each parameter, as columns."""
    steps = np.eye(theta.size) * h
    columns = [(function(theta + s) - function(theta - s)) / (2 * h) for s in steps]
    return np.stack(columns, axis=-1) if columns else np.zeros((len(function(theta)), 0))


@pytest.mark.parametrize("kind", KERNELS, ids=lambda kind: kind.__name__)
def test_lag_weights_are_probabilities_and_the_compiled_ones_agree(kind):
    kernel = kind()
    for theta in thetas(kernel):
        weights = kernel.pmf(theta, 12)
        assert weights.shape == (12,)
        assert (weights >= 0).all()
        np.testing.assert_allclose(weights.sum(), 1)
        compiled, jacobian = kernel.lag_weights()(theta, kernel.lag_constants(12))
        np.testing.assert_allclose(compiled, weights, rtol=1e-12)
        numerical = differences(
            lambda x: kernel.lag_weights()(x, kernel.lag_constants(12))[0], theta
        )
        np.testing.assert_allclose(jacobian, numerical, atol=1e-8)


@pytest.mark.parametrize("kind", CONTINUOUS, ids=lambda kind: kind.__name__)
def test_the_cdf_is_the_integral_of_the_density(kind):
    kernel = kind()
    for theta in thetas(kernel):
        for age in (0.1, 1.0, 7.0):
            integral, _ = quad(lambda u, theta=theta: float(kernel.density(u, theta)), 0, age)
            np.testing.assert_allclose(kernel.cdf(np.asarray(age), theta), integral, rtol=1e-7)
        shares = np.array([0.05, 0.5, 0.9])
        np.testing.assert_allclose(kernel.cdf(kernel.quantile(shares, theta), theta), shares)


@pytest.mark.parametrize("kind", CONTINUOUS, ids=lambda kind: kind.__name__)
def test_samples_follow_the_cdf(kind, rng):
    kernel = kind()
    theta = thetas(kernel)[0]
    sample = kernel.sample(rng, theta, 5000)
    # False alarm once in a thousand.
    assert stats.kstest(sample, lambda age: kernel.cdf(age, theta)).pvalue > 0.001


@pytest.mark.parametrize("kind", CONTINUOUS, ids=lambda kind: kind.__name__)
def test_lag_weights_average_over_the_place_in_the_period(kind, rng):
    # Simulated: an incident at a uniform place of its period, its offspring's period counted.
    kernel = kind()
    for theta in thetas(kernel)[:2]:
        period = np.floor(rng.random(400_000) + kernel.sample(rng, theta, 400_000)).astype(int)
        np.testing.assert_allclose((period == 0).mean(), kernel.same_period(theta), atol=0.004)
        later = period[(period > 0) & (period <= 30)]
        share = np.bincount(later, minlength=31)[1:] / len(later)
        np.testing.assert_allclose(share, kernel.pmf(theta, 30), atol=0.006)


@pytest.mark.parametrize("kind", EXPONENTIAL, ids=lambda kind: kind.__name__)
def test_the_mixture_of_exponentials_is_the_density(kind):
    kernel = kind()
    for theta in thetas(kernel):
        mixture, jacobian = kernel.as_exponentials()(theta, kernel.nodes())
        weights, rates = np.split(mixture, 2)
        age = np.array([0.01, 0.5, 3.0])
        density = (weights * rates * np.exp(-rates * age[:, None])).sum(axis=1)
        np.testing.assert_allclose(density, kernel.density(age, theta), rtol=1e-10)
        numerical = differences(lambda x: kernel.as_exponentials()(x, kernel.nodes())[0], theta)
        np.testing.assert_allclose(jacobian, numerical, atol=1e-8)
