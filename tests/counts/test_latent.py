"""Counts with a latent log-rate: the likelihood, its integral, and paths that go on."""

from dataclasses import replace
from datetime import date
from itertools import product

import numpy as np
import pytest
from scipy import special, stats

from counts.latent_by_hand import FLAT, PATHS, known, naive_path, some_values
from escalation.counts import (
    Autoregression,
    Component,
    EndemicEpidemic,
    GaussianProcess,
    Latent,
    RandomWalk,
)
from escalation.counts.latent_choice import process_of
from escalation.engines import Laplace
from escalation.parameters import Layout
from hard import START, weeks


@pytest.fixture
def gappy(rng):
    counts = rng.poisson(2.0, (60, 2))
    counts[30:32] = 0
    gap = ((date(2001, 7, 30), date(2001, 8, 13)), (date(2002, 1, 9), date(2002, 1, 11)))
    return weeks(counts, names=["strikes", "attacks"], gaps=gap)


def naive(model, values, series):
    """Log-likelihood by loops over SciPy's laws."""
    counts, scale = series.counts, series.scale
    path = naive_path(model.path, values, len(series), series.window.days)
    times = 7.0 * np.arange(len(series))
    design = model.background.design(times, series.window.days, START, times + 7.0)
    coefficients = np.concatenate([values["level"][:, None], values["season"]], axis=1)
    lags, weights = 0, np.zeros(0)
    if model.contagion:
        lags, weights = model.lags, model.kernel.pmf(values["decay"].reshape(-1), model.lags)
    total = 0.0
    for t in range(lags, len(series)):
        if scale[t] == 0 or not (scale[t - lags : t] > 1 - 1e-9).all():
            continue
        mean = np.exp(coefficients @ design[t] + path[t])
        if lags:
            past = sum(w * counts[t - 1 - lag] for lag, w in enumerate(weights))
            mean = mean + values["reproduction"] @ past
        mean = scale[t] * mean
        y = counts[t]
        if model.distribution == "poisson":
            total += (special.xlogy(y, mean) - mean - special.gammaln(y + 1)).sum()
        else:
            size = 1 / values["dispersion"]
            total += stats.nbinom.logpmf(y, size, size / (size + mean)).sum()
    return total


MODELS = [
    Latent(path, contagion=contagion, distribution=law, lags=3)
    for path, contagion, law in product(PATHS, [False, True], ["negative binomial", "poisson"])
]


def label(model):
    return f"{type(model.path).__name__} {'contagion' if model.contagion else 'alone'}"


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_the_likelihood_is_that_of_plain_loops(model, gappy, rng):
    problem, values = model.problem(gappy), some_values(model, gappy, rng)
    value, _ = problem.evaluate(problem.layout.pack(values))
    np.testing.assert_allclose(value, naive(model, values, gappy), rtol=1e-10)


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_the_gradient_is_that_of_finite_differences(model, gappy, rng):
    problem = model.problem(gappy)
    theta = problem.layout.pack(some_values(model, gappy, rng))
    _, gradient = problem.evaluate(theta)
    for i in problem.layout.free:
        step = 1e-6 * max(1.0, abs(theta[i])) * (np.arange(theta.size) == i)
        rise = problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]
        np.testing.assert_allclose(gradient[i], rise / (2 * step[i]), rtol=2e-5, atol=2e-3)


@pytest.mark.parametrize("model", MODELS[::2], ids=label)
def test_single_periods_sum_to_the_log_likelihood(model, gappy, rng):
    values = some_values(model, gappy, rng)
    single = model.pointwise(known(model, gappy, values))
    np.testing.assert_allclose(np.nansum(single), naive(model, values, gappy), rtol=1e-10)
    np.testing.assert_array_equal(~np.isnan(single[0]).any(axis=1), model.used(gappy))


def test_given_numbers_are_those_of_free_ones(gappy, rng):
    for path, given in (
        (RandomWalk(), {"scale": 0.3}),
        (Autoregression(), {"scale": 0.6, "persistence": 0.8}),
        (GaussianProcess(), {"scale": 0.6, "length": 300.0}),
    ):
        # As many waves over the same domain: both follow from the length where it is given.
        if isinstance(path, GaussianProcess):
            path = replace(path, margin=5.0, waves=20)
        free, fixed = Latent(path), Latent(replace(path, **given))
        values = some_values(free, gappy, rng) | {
            {"scale": "path_scale"}.get(name, name): np.array(value)
            for name, value in given.items()
        }
        problems = free.problem(gappy), fixed.problem(gappy)
        told = [one.evaluate(one.layout.pack(values))[0] for one in problems]
        np.testing.assert_allclose(*told, rtol=1e-12)
        assert not fixed.free_numbers() and len(free.free_numbers()) == len(given)


def test_a_walk_with_contagion_is_the_walk_of_the_endemic_epidemic_model(gappy, rng):
    hidden = Latent(RandomWalk(), contagion=True, lags=3)
    other = EndemicEpidemic(background=Component(1, walk=RandomWalk()), lags=3)
    values = some_values(hidden, gappy, rng)
    path = naive_path(hidden.path, values, len(gappy), gappy.window.days)
    theirs = values | {"walk": values["path"], "walk_scale": values["path_scale"]}
    problem = other.problem(gappy)
    fit = known(other, gappy, {p.name: theirs[p.name] for p in problem.layout.parameters})
    # The two centre the walk over periods and over days.
    shift = np.log(other.additive(fit).background[0, 0]) - path[0] - values["level"]
    shift -= np.log(hidden.parts(known(hidden, gappy, values)).background[0, 0]) - path[0]
    shift += values["level"]
    theirs["level"] = values["level"] - shift
    value, _ = problem.evaluate(problem.layout.pack(theirs))
    np.testing.assert_allclose(value, naive(hidden, values, gappy), rtol=1e-10)


# Paths -------------------------------------------------------------------------------------------


def test_the_waves_have_the_covariance_of_the_process():
    days, times = 3640.0, 7.0 * np.arange(520)
    for length in (200.0, 365.0, 500.0):
        process = process_of(GaussianProcess(), days)
        unit = np.eye(process.size)[:, None]
        rows = process.paths(unit, np.full(process.size, length), times, times)[:, :, 0]
        distance = np.sqrt(3) * np.abs(times[:, None] - times) / length
        exact = (1 + distance) * np.exp(-distance)
        np.testing.assert_allclose(rows.T @ rows, exact, atol=0.05)


@pytest.mark.parametrize(
    ("setting", "shape"),
    [(RandomWalk(), 1.0), (Autoregression(step=21.0), 0.8), (GaussianProcess(), 300.0)],
)
def test_paths_go_on_beyond_the_window_as_they_would_within_a_longer_one(setting, shape, rng):
    draws, days, total = 6000, 700.0, 910.0
    short, long = process_of(setting, days), process_of(setting, total)
    before, after = 7.0 * np.arange(100), 7.0 * np.arange(100, 130)
    moves = rng.standard_normal((draws, 1, short.size))
    given = np.full(draws, shape)
    parts = (
        short.paths(moves, given, before, before),
        short.onward(moves, given, before, after, rng),
    )
    found = np.concatenate(parts, axis=1)[:, :, 0]
    whole = 7.0 * np.arange(130)
    moves = rng.standard_normal((draws, 1, long.size))
    other = long.paths(moves, given, whole, whole)[:, :, 0]
    if isinstance(setting, RandomWalk):
        # Centred over different windows: moves are compared.
        found, other = found - found[:, [60]], other - other[:, [60]]
    points = [90, 99, 100, 104, 112, 129]
    one, two = (np.cov(values[:, points], rowvar=False) for values in (found, other))
    # Four standard errors of the difference of two covariances.
    spread = np.sqrt((np.outer(np.diag(two), np.diag(two)) + two**2) / draws)
    assert (np.abs(one - two) < 4 * np.sqrt(2) * spread + 0.02).all()


def test_a_longer_horizon_begins_with_the_same_path(rng):
    times = 7.0 * np.arange(100)
    for setting in PATHS:
        process = process_of(setting, 700.0)
        moves, shape = rng.standard_normal((3, 2, process.size)), np.full(3, 0.7)
        ends = [
            process.onward(
                moves, shape, times, 700.0 + 7.0 * np.arange(n), np.random.default_rng(1)
            )
            for n in (8, 20)
        ]
        np.testing.assert_allclose(ends[1][:, :8], ends[0], rtol=1e-10)


def test_an_autoregression_is_stationary(rng):
    process = process_of(Autoregression(step=7.0), 210.0)
    times = 7.0 * np.arange(30)
    moves = rng.standard_normal((20_000, 1, process.size))
    path = process.paths(moves, np.full(20_000, 0.9), times, times)[:, :, 0]
    np.testing.assert_allclose(path.var(axis=0), 1.0, atol=4 * np.sqrt(2 / 20_000))
    pair = np.mean(path[:, 1:] * path[:, :-1], axis=0)
    np.testing.assert_allclose(pair, 0.9, atol=4 * np.sqrt(2 / 20_000))


# Marginal likelihood -----------------------------------------------------------------------------


def integrated(model, series, rng, draws=60_000):
    """Log of the probability of a series and its standard error, by sampling the posterior's box.

    Importance sampling from a t law with five degrees of freedom about Laplace's normal law.
    """
    engine = Laplace(draws=4000, starts=1)
    fit = model.fit(series, engine, rng)
    problem, theta = model.problem(series), fit.theta
    centre, root = theta.mean(axis=0), np.linalg.cholesky(np.cov(theta, rowvar=False))
    z = rng.standard_normal((draws, len(centre)))
    z *= np.sqrt(5 / rng.chisquare(5, draws))[:, None]
    size = len(centre)
    told = special.gammaln((5 + size) / 2) - special.gammaln(2.5) - size / 2 * np.log(5 * np.pi)
    told -= np.log(np.diag(root)).sum() + (5 + size) / 2 * np.log1p((z**2).sum(axis=1) / 5)
    points = centre + z @ root.T
    terms = np.array([
        problem.evaluate(point)[0] + problem.layout.penalty(point, True)[0] for point in points
    ]) - told  # fmt: skip
    weights = np.exp(terms - terms.max())
    error = weights.std() / weights.mean() / np.sqrt(draws)
    return terms.max() + np.log(weights.mean()), error, fit.diagnostics["evidence"]


@pytest.mark.parametrize(
    "path",
    [RandomWalk(step=7.0, scale=0.4), Autoregression(step=7.0, scale=0.7, persistence=0.8)],
)
def test_the_evidence_of_a_scale_is_the_integral(path, rng):
    series = weeks(np.array([3, 1, 4, 6, 9, 7]))
    model = Latent(path, background=FLAT, distribution="poisson")
    sampled, error, told = integrated(model, series, rng, 5000)
    assert error < 0.03
    # Laplace's formula itself is not exact; its error here is that of six small counts.
    assert abs(told - sampled) < 0.05 + 3 * error


def test_the_integral_over_one_state_is_that_of_quadrature():
    # One step: a Poisson count whose log-mean is level + scale z.
    model = Latent(Autoregression(step=7.0, scale=0.5, persistence=0.5), background=FLAT,
                   distribution="poisson")  # fmt: skip
    problem = model.problem(weeks(np.array([4])))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    level = np.log(3.0)
    sum_by_nodes = 0.0
    for node, weight in zip(nodes, weights / np.sqrt(2 * np.pi), strict=True):
        sum_by_nodes += weight * np.exp(problem.evaluate(np.array([level, node]))[0])
    grid = np.linspace(-6, 6, 4001)
    values = stats.poisson.pmf(4, np.exp(level + 0.5 * grid)) * stats.norm.pdf(grid)
    np.testing.assert_allclose(sum_by_nodes, np.trapezoid(values, grid), rtol=1e-8)


def test_simulation_does_not_read_counts_and_repeats(gappy, rng):
    model = Latent(RandomWalk(), contagion=True, lags=2)
    values = some_values(model, gappy, rng)
    values["reproduction"] = values["reproduction"] / 4
    again = [model.simulate(values, one, np.random.default_rng(3)).counts
             for one in (gappy, replace(gappy, counts=0 * gappy.counts))]  # fmt: skip
    np.testing.assert_array_equal(*again)
    assert (again[0][gappy.scale == 0] == 0).all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Latent(arrows=((True,),)), "arrows are those of the contagion"),
        (lambda: Latent("walk"), "path must be a RandomWalk, an Autoregression or a Gaussian"),
        (lambda: Latent(lags=0), "lags must be at least 1"),
        (lambda: Autoregression(persistence=1.0), "persistence must be between 0 and 1, got 1.0"),
        (lambda: Autoregression(step=-1.0), "step of Autoregression must be positive, got -1.0"),
        (lambda: GaussianProcess(margin=0.9), "margin must be above 1, got 0.9"),
        (lambda: GaussianProcess(waves=0), "waves must be at least 1, got 0"),
    ],
)
def test_impossible_settings_are_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_layouts_of_all_paths_hold_what_is_declared(gappy):
    for path, names in zip(
        PATHS, (["path_scale"], ["path_scale", "persistence"], ["path_scale", "length"]),
        strict=True,
    ):  # fmt: skip
        model = Latent(path, background=FLAT)
        found = [p.name for p in model.parameters(gappy)]
        assert found == ["level", "path", *names, "dispersion"]
        assert Layout(model.parameters(gappy)).joint is None
