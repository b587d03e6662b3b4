"""What every kernel must satisfy, whoever writes it."""

import numpy as np
import pytest
from scipy import stats

import escalation.kernels
from discover import concrete
from escalation.kernels import ContinuousKernel, ExponentialFamily, Kernel, Lomax, Mixture, Weibull

DURATION = 400.0
KERNELS = [kind().within(DURATION) for kind in concrete(Kernel, escalation.kernels)]
# Beside the defaults: rates that are given, an end to the delays, three terms.
KERNELS += [
    Mixture(scales=(0.3, 2.0, 20.0)),
    Mixture(terms=3),
    Weibull(truncation=9.0),
    Lomax(truncation=9.0),
]
CONTINUOUS = [kernel for kernel in KERNELS if isinstance(kernel, ContinuousKernel)]
EXPONENTIAL = [kernel for kernel in KERNELS if isinstance(kernel, ExponentialFamily)]


def label(kernel):
    return repr(kernel).split(", prior")[0]


def thetas(kernel, number=5):
    """Some parameter vectors (number, q), from the kernel's own prior."""
    rng = np.random.default_rng(7)
    parameters = kernel.parameters("day")
    columns = [p.sample_prior(rng, number).reshape(number, -1) for p in parameters]
    return np.concatenate(columns, axis=1) if columns else np.zeros((number, 0))


def differences(function, theta, h=1e-6):
    """Central differences of a vector function by each parameter, as columns."""
    steps = np.eye(theta.size) * h * np.maximum(np.abs(theta), 0.1)
    columns = [(function(theta + s) - function(theta - s)) / (2 * s.sum()) for s in steps]
    return np.stack(columns, axis=-1) if columns else np.zeros((len(function(theta)), 0))


def integral(function, upper, points=()):
    """Gauss's rule over pieces that halve towards zero and break at the given points."""
    halves = upper * 0.5 ** np.arange(50)
    edges = np.unique(np.concatenate([halves, [p for p in points if 0 < p < upper]]))
    node, weight = np.polynomial.legendre.leggauss(30)
    width = np.diff(edges)[:, None] / 2
    return float((width * weight * function(edges[:-1, None] + width * (1 + node))).sum())


def breaks(kernel):
    return (*getattr(kernel, "edges", ()), min(kernel.reach, 1e9))


@pytest.mark.parametrize("kernel", KERNELS, ids=label)
def test_lag_weights_are_probabilities_and_the_compiled_ones_agree(kernel):
    constants = kernel.lag_constants(12)
    for theta in thetas(kernel):
        weights = kernel.pmf(theta, 12)
        assert weights.shape == (12,)
        assert (weights >= 0).all()
        np.testing.assert_allclose(weights.sum(), 1)
        compiled, jacobian = kernel.lag_weights()(theta, constants)
        np.testing.assert_allclose(compiled, weights, rtol=1e-12)
        numerical = differences(lambda x: kernel.lag_weights()(x, constants)[0], theta)
        np.testing.assert_allclose(jacobian, numerical, atol=1e-8)


@pytest.mark.parametrize("kernel", CONTINUOUS, ids=label)
def test_the_cdf_is_the_integral_of_the_density(kernel):
    for theta in thetas(kernel):
        for age in (0.1, 1.0, 7.0):
            area = integral(lambda u, theta=theta: kernel.density(u, theta), age, breaks(kernel))
            np.testing.assert_allclose(kernel.cdf(np.asarray(age), theta), area, atol=1e-7)
        shares = np.array([0.0, 0.05, 0.5, 0.9, 1 - 1e-9])
        np.testing.assert_allclose(
            kernel.cdf(kernel.quantile(shares, theta), theta), shares, atol=1e-12
        )


@pytest.mark.parametrize("kernel", CONTINUOUS, ids=label)
def test_ages_and_parameters_broadcast(kernel):
    theta = thetas(kernel, 3)
    age = np.array([0.2, 1.5, 3.0, 8.0])
    for method in (kernel.density, kernel.cdf):
        wide = method(age[None, :], theta[:, None, :])
        assert wide.shape == (3, 4)
        np.testing.assert_array_equal(wide[1], method(age, theta[1]))
    shares = np.array([0.1, 0.5, 0.7])
    each = [float(kernel.quantile(q, row)) for q, row in zip(shares, theta, strict=True)]
    np.testing.assert_allclose(kernel.quantile(shares, theta), each, rtol=1e-12)
    assert kernel.median(theta).shape == kernel.same_period(theta).shape == (3,)
    assert kernel.pmf(theta[:, None, :], 5).shape == (3, 1, 5)


@pytest.mark.parametrize("kernel", CONTINUOUS, ids=label)
def test_samples_follow_the_cdf(kernel, rng):
    theta = thetas(kernel)
    for row in theta[:2]:
        sample = kernel.sample(rng, row, 5000)
        # False alarm twice in a thousand.
        assert stats.kstest(sample, lambda age, row=row: kernel.cdf(age, row)).pvalue > 0.001
    rows = theta[np.arange(5000) % 5]
    place = kernel.cdf(kernel.sample(rng, rows, 5000), rows)
    assert stats.kstest(place, "uniform").pvalue > 0.001


@pytest.mark.parametrize("kernel", CONTINUOUS, ids=label)
def test_lag_weights_average_over_the_place_in_the_period(kernel):
    # A delay u from a uniform place in the period falls l periods on with probability 1 - |u - l|.
    for theta in thetas(kernel)[:2]:

        def share(lag, theta=theta):
            def part(u):
                return kernel.density(u, theta) * np.maximum(0.0, 1 - np.abs(u - lag))

            upper = min(lag + 1.0, kernel.reach)
            return integral(part, upper, (*breaks(kernel), lag - 1.0, lag))

        np.testing.assert_allclose(kernel.same_period(theta), share(0), atol=1e-8)
        wanted = np.array([share(lag) for lag in (1, 2, 3, 4)])
        np.testing.assert_allclose(kernel.pmf(theta, 4), wanted / wanted.sum(), atol=1e-8)


@pytest.mark.parametrize("kernel", CONTINUOUS, ids=label)
def test_compiled_densities_at_given_ages(kernel):
    ages = np.array([1e-3, 0.2, 1.0, 3.3, 8.0, 30.0])
    elapsed = np.array([0.0, 0.01, 2.0, 8.9, 100.0])
    plan = kernel.pointwise(ages, elapsed)

    def both(theta):
        values, jacobian = kernel.pair_densities()(theta, plan.constants)
        shares, slopes = np.zeros(len(elapsed)), np.zeros((len(elapsed), theta.size))
        np.add.at(shares, plan.cdf_entry, plan.cdf_factor * values[plan.cdf_place])
        np.add.at(slopes, plan.cdf_entry, plan.cdf_factor[:, None] * jacobian[plan.cdf_place])
        density, slope = values[plan.density_place], jacobian[plan.density_place]
        return np.concatenate([density, shares]), np.concatenate([slope, slopes])

    for theta in thetas(kernel):
        values, jacobian = both(theta)
        wanted = np.concatenate([kernel.density(ages, theta), kernel.cdf(elapsed, theta)])
        np.testing.assert_allclose(values, wanted, rtol=1e-10, atol=1e-14)
        numerical = differences(lambda x: both(x)[0], theta)
        np.testing.assert_allclose(jacobian, numerical, atol=2e-8, rtol=2e-6)


@pytest.mark.parametrize("kernel", EXPONENTIAL, ids=label)
def test_the_mixture_of_exponentials_is_the_density(kernel):
    bound = max(kernel.approximation_error, 1e-10)
    age = np.concatenate([[1e-4, 0.01, 0.5, 3.0], np.geomspace(0.02, 0.999, 40) * 9])
    age = age if kernel.reach < np.inf else age[:4]
    for theta in thetas(kernel):
        mixture, jacobian = kernel.as_exponentials()(theta, kernel.nodes())
        weights, rates = np.split(mixture, 2)
        assert len(rates) == kernel.terms
        assert (weights >= 0).all()
        density = (weights * rates * np.exp(-rates * age[:, None])).sum(axis=1)
        np.testing.assert_allclose(density, kernel.density(age, theta), rtol=bound)
        end = kernel.reach
        gone = -np.expm1(-rates * end) if end < np.inf else 1.0
        np.testing.assert_allclose((weights * gone).sum(), 1)
        numerical = differences(lambda x: kernel.as_exponentials()(x, kernel.nodes())[0], theta)
        scale = np.abs(mixture)[:, None] + 1e-3
        np.testing.assert_allclose(jacobian / scale, numerical / scale, atol=2e-7)
        if not kernel.rates_vary:
            assert (jacobian[kernel.terms :] == 0).all()


@pytest.mark.parametrize("kernel", CONTINUOUS, ids=label)
def test_starts_have_about_the_median_asked_for(kernel):
    size = sum(p.size for p in kernel.parameters("day"))
    for delay in (0.3, 1.0, 4.0):
        start = kernel.start(delay)
        assert start.shape == (size,)
        if not isinstance(kernel, Mixture) or kernel.rates_vary:
            assert delay / 3 < kernel.median(start) < 3 * delay


@pytest.mark.parametrize("kernel", KERNELS, ids=label)
def test_bounds_name_parameters_and_leave_room(kernel):
    names = {p.name for p in kernel.parameters("day")}
    for name, (low, high) in kernel.bounds(DURATION).items():
        assert name in names
        assert 0 <= low < high
