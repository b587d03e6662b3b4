"""Counts that switch between phases: the likelihood and the phases against all paths."""

from datetime import date
from itertools import product

import numpy as np
import pytest

from counts.regimes_by_hand import FLAT, TWO, as_fit, chain, emissions, known, log_means, stationary
from escalation.counts import Regimes
from escalation.kernels import Exponential
from escalation.parameters import Layout
from hard import weeks


@pytest.fixture
def short(rng):
    """Seven weeks, one of them unwatched and one in part."""
    counts = rng.poisson(2.0, (7, 2))
    counts[3] = 0
    gaps = ((date(2001, 1, 22), date(2001, 1, 29)), (date(2001, 2, 7), date(2001, 2, 9)))
    return weeks(counts, names=["strikes", "attacks"], gaps=gaps)


def every_path(model, values, series):
    """Log-likelihood, and probability of each path, by the sum over all of them."""
    matrix, term = chain(values, len(model.phases)), emissions(model, values, series)
    begin, periods = stationary(matrix), term.shape[1]
    paths = np.array(list(product(range(len(begin)), repeat=periods)))
    prior = begin[paths[:, 0]] * np.prod(matrix[paths[:, :-1], paths[:, 1:]], axis=1)
    weight = prior * np.exp(term[paths, np.arange(periods)].sum(axis=1))
    return np.log(weight.sum()), paths, weight / weight.sum()


MODELS = {
    "three phases": Regimes(background=FLAT),
    "two phases": Regimes(TWO),
    "four phases": Regimes(tuple("abcd"), background=FLAT, dispersion="shared"),
    "no jumps": Regimes(background=FLAT, jumps=False),
    "poisson, ordered by a stream": Regimes(
        background=FLAT, distribution="poisson", order="attacks"
    ),
    "influence": Regimes(background=FLAT, influence=True, lags=1),
    "influence by a kernel": Regimes(TWO, influence=True, lags=2, kernel=Exponential()),
}
FOUR = {
    "rise": np.array([0.8, 0.6, 0.5]),
    "departure": np.array([[0.3], [-0.2], [0.1]]),
    "stay": np.array([0.9, 0.8, 0.7, 0.85]),
    "up": np.array([0.4, 0.7]),
    "jump": np.array([[0.2, 0.1], [0.0, 0.3], [0.25, 0.0], [0.15, 0.35]]),
    "dispersion": np.array(0.3),
}


def truth(name, series):
    return known(MODELS[name], series, FOUR if name == "four phases" else None)


@pytest.mark.parametrize("name", MODELS)
def test_the_likelihood_is_the_sum_over_all_paths(name, short):
    model, values = MODELS[name], truth(name, short)
    problem = model.problem(short)
    value, _ = problem.evaluate(problem.layout.pack(values))
    np.testing.assert_allclose(value, every_path(model, values, short)[0], rtol=1e-11)


@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_is_that_of_finite_differences(name, short, rng):
    problem = MODELS[name].problem(short)
    for _ in range(3):
        values = {k: v[0] for k, v in problem.layout.sample_prior(rng, 1).items()}
        theta = problem.layout.pack(values)
        _, gradient = problem.evaluate(theta)
        for i in problem.layout.free:
            step = 1e-6 * (np.arange(theta.size) == i)
            rise = problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]
            np.testing.assert_allclose(gradient[i], rise / 2e-6, rtol=2e-5, atol=1e-5)


def test_a_vanishing_dispersion_is_the_poisson_law(short):
    poisson, free = (Regimes(background=FLAT, distribution=one) for one in
                     ("poisson", "negative binomial"))  # fmt: skip
    values = known(free, short) | {"dispersion": np.full(2, 0.0)}
    told, near = (
        model.problem(short).evaluate(Layout(model.parameters(short)).pack(values))
        for model in (poisson, free)
    )
    np.testing.assert_allclose(near[0], told[0], rtol=1e-12)
    problem = free.problem(short)
    theta = problem.layout.pack(values | {"dispersion": np.full(2, 2e-5)})
    place = problem.layout.start("dispersion")
    rise = (problem.evaluate(theta)[0] - near[0]) / 4e-5
    slope = 0.5 * (near[1][place : place + 2] + problem.evaluate(theta)[1][place : place + 2])
    np.testing.assert_allclose(rise * 2, slope.sum(), rtol=1e-4)


@pytest.mark.parametrize("name", ["three phases", "four phases", "influence"])
def test_phases_and_the_path_are_those_of_the_sum_over_all_paths(name, short):
    model, values = MODELS[name], truth(name, short)
    fit = as_fit(model, short, values)
    _, paths, weight = every_path(model, values, short)
    told = model.phases_of(fit, 2)
    number, first = len(model.phases), model.reach
    for t in range(paths.shape[1]):
        law = [weight[paths[:, t] == s].sum() for s in range(number)]
        np.testing.assert_allclose(told.smoothed[0, first + t], law, rtol=1e-9)
    np.testing.assert_array_equal(told.path[first:], paths[weight.argmax()])
    assert (told.path[:first] == -1).all()
    # Filtered: the same of the series cut off there.
    cut, _ = short.split(short.edges[6].item())
    _, paths, weight = every_path(model, values, cut)
    law = [weight[paths[:, -1] == s].sum() for s in range(number)]
    # Influence conditions on the mean of the whole series in unwatched periods.
    if not model.influence:
        np.testing.assert_allclose(told.filtered[0, 5], law, rtol=1e-9)


@pytest.mark.parametrize("name", ["three phases", "influence"])
def test_single_periods_sum_to_the_log_likelihood(name, short):
    model = MODELS[name]
    fit = as_fit(model, short, truth(name, short))
    single = model.pointwise(fit, np.repeat(fit.theta, 3, axis=0))
    assert single.shape == (3, 7, 1)
    value = model.problem(short).evaluate(fit.theta[0])[0]
    np.testing.assert_allclose(np.nansum(single[0]), value, rtol=1e-11)
    np.testing.assert_array_equal(~np.isnan(single[0, :, 0]), model.used(short))
    # What comes later changes nothing.
    longer = weeks(np.concatenate([short.counts, [[3, 1]]]), names=short.names,
                   gaps=short.window.gaps)  # fmt: skip
    both = model.pointwise(fit, series=longer)
    if not model.influence:
        np.testing.assert_allclose(both[:, :7], single[:1], rtol=1e-11)
    assert np.isfinite(both[0, 7])


def test_means_and_variances_are_those_of_the_mixture(short):
    model = MODELS["three phases"]
    values = truth("three phases", short)
    fit = as_fit(model, short, values)
    cut, _ = short.split(short.edges[5].item())
    _, paths, weight = every_path(model, values, cut)
    last = np.array([weight[paths[:, -1] == s].sum() for s in range(3)])
    law = last @ chain(values, 3)
    mean = np.exp(log_means(model, values, short))[:, 5]
    square = mean + mean**2 * (1 + values["dispersion"])
    np.testing.assert_allclose(model.means(fit)[0, 5], law @ mean)
    np.testing.assert_allclose(model.variances(fit)[0, 5], law @ square - (law @ mean) ** 2)
    assert (model.means(fit)[0, 3] == 0).all()
