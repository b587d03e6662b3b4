import numpy as np
import pytest
from scipy.optimize import minimize

from escalation.hawkes.expectation_maximisation import expectation_maximisation
from escalation.kernels import Exponential, Histogram
from escalation.likelihood.pairs import find_pairs, hawkes_pairs

ONE = np.zeros((2, 2), np.int64)
SPANS = np.array([[20.0, 300.0], [320.0, 500.0]])
TRUTH = np.array([[0.5, 0.2], [0.1, 0.3]])


def simulated(rng, duration, kernel, theta):
    """Two streams, stream after stream, by their births and deaths from the definition."""
    times = [[], []]
    waiting = [
        (k, t) for k in (0, 1) for t in rng.uniform(0, duration, rng.poisson(0.3 * duration))
    ]
    while waiting:
        j, t = waiting.pop()
        times[j].append(t)
        for k in (0, 1):
            delays = kernel.sample(rng, theta, rng.poisson(TRUTH[k, j]))
            waiting += [(k, t + u) for u in delays if t + u < duration]
    times = [np.sort(one) for one in times]
    return np.concatenate(times), np.array([0, len(times[0]), len(times[0]) + len(times[1])])


@pytest.fixture
def events(rng):
    times, first = simulated(rng, 500.0, Exponential(), np.array([0.5]))
    keep = (times < 300) | (times >= 320)
    first = np.concatenate([[0], np.cumsum(keep)])[first]
    return times[keep], first


def objective(kernel, times, first, spans):
    """Penalised log-likelihood, with its gradient, of the general code for pairs of events."""
    n, streams = len(times), len(first) - 1
    zeros = np.zeros(n, np.int64)
    watched = np.array([np.diff(spans).sum()])
    data = (times, first, zeros, zeros, np.zeros(0), watched, np.ones((1, 1)), spans)
    column, group = np.arange(streams)[:, None], np.zeros((streams, streams), np.int64)
    structure = (column, np.array([streams]), group, group + 1, np.zeros(streams, np.int64),
                 np.ones(1, np.int64))  # fmt: skip
    found = find_pairs(kernel, times, first, spans, group, group + 1)
    shape = kernel.pair_densities()
    split = streams + streams**2

    def function(theta):
        values, jacobian = shape(theta[split:], found.constants)
        value, gradient, by_values = hawkes_pairs(
            theta, values[None], *data, *found.data().values(), *structure
        )
        gradient[split:] += by_values[0] @ jacobian
        at = split
        for p in kernel.parameters("day"):
            own = theta[at : at + p.size]
            sd = p.prior.sd
            value -= 0.5 * (own**2).sum() / sd**2
            gradient[at : at + p.size] -= own / sd**2
            at += p.size
        return value, gradient

    return function


def test_the_penalised_likelihood_rises_to_the_direct_maximum(events):
    times, first = events
    kernel = Histogram((0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0))
    found = expectation_maximisation(times, first, kernel, SPANS, tolerance=1e-13)
    assert found.converged
    assert (np.diff(found.objective) >= -1e-9).all()
    np.testing.assert_allclose(found.heights @ np.diff(kernel.edges), 1)
    function = objective(kernel, times, first, SPANS)
    theta = np.concatenate(
        [np.log(found.background), found.reproduction.ravel(), kernel.parameters_of(found.heights)]
    )
    value, gradient = function(theta)
    np.testing.assert_allclose(found.objective[-1], value, rtol=1e-12)
    np.testing.assert_allclose(gradient, 0, atol=0.01)

    start = np.concatenate([[-1.5, -1.5], np.full(4, 0.3), kernel.start(1.0)])
    bounds = [(-9, 5)] * 2 + [(0, 3)] * 4 + [(None, None)] * (theta.size - 6)
    direct = minimize(
        lambda x: tuple(-part for part in function(x)), start, jac=True, method="L-BFGS-B",
        bounds=bounds, options={"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-8},
    )  # fmt: skip
    np.testing.assert_allclose(found.objective[-1], -direct.fun, atol=1e-5)
    np.testing.assert_allclose(theta, direct.x, atol=5e-3)


def test_the_kernel_is_recovered(rng):
    times, first = simulated(rng, 3000.0, Exponential(), np.array([0.5]))
    kernel = Histogram((0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0))
    found = expectation_maximisation(times, first, kernel, np.array([[0.0, 3000.0]]))
    edges = np.array(kernel.edges)
    wanted = np.diff(Exponential().cdf(edges, np.array([0.5])))
    # About 2,000 offspring: three standard errors of a share are at most .06.
    np.testing.assert_allclose(found.heights * np.diff(edges), wanted, atol=0.06)
    np.testing.assert_allclose(found.reproduction, TRUTH, atol=0.15)
    np.testing.assert_allclose(found.background, 0.3, rtol=0.25)


def test_a_stronger_penalty_is_smoother(events):
    times, first = events
    rough = []
    for roughness in (5.0, 0.05):
        kernel = Histogram((0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0), roughness=roughness)
        found = expectation_maximisation(times, first, kernel, SPANS)
        rough.append(np.abs(np.diff(np.log(found.heights), n=2)).sum())
    assert rough[1] < 0.2 * rough[0]


@pytest.mark.parametrize("first", [[0, 0, 3], [0, 3, 3]])
def test_an_empty_stream_and_ties_are_no_trouble(first):
    times = np.array([1.0, 1.0, 9.5])
    found = expectation_maximisation(times, np.array(first), Histogram(), np.array([[0.0, 10.0]]))
    assert np.isfinite(found.log_likelihood)
    empty = first.index(0, 1) - 1 if first[1] == 0 else 1
    assert found.background[empty] == 0
    assert (found.reproduction[empty] == 0).all()


def test_no_event_is_refused():
    with pytest.raises(ValueError, match="no event lies in the watch"):
        expectation_maximisation(
            np.zeros(0), np.array([0, 0]), Histogram(), np.array([[0.0, 10.0]])
        )
