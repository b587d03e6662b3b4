"""Nested Laplace approximations, on a model whose integrals are known."""

from typing import override

import numpy as np
import pytest
from scipy import stats

from escalation.engines import Laplace, Problem
from escalation.engines.marginal import Marginal, Peak, definite_root
from escalation.engines.nested import (
    EFFECTIVE,
    NestedLaplace,
    nested,
    resampled,
    summit,
    tempered,
)
from escalation.parameters import Layout, Parameter
from escalation.priors import HalfNormal, LogNormal, Normal

#: Two blocks of three observations each with noise of one.
SEEN = np.array([1.2, -0.4, 2.5, 0.3, -1.9, 0.8])
ONES = np.ones(1)
LAW = LogNormal(1.0, 0.5)


def core(theta, values, seen):
    """Observations that are normal about a scale times a path."""
    away = seen - theta[6] * theta[:6]
    gradient = np.concatenate([theta[6] * away, [theta[:6] @ away]])
    return stats.norm.logpdf(away).sum(), gradient, np.zeros_like(values)


def toy(prior=LAW, support="positive"):
    layout = Layout((
        Parameter("path", (2, 3), "real", Normal(0.0, 1.0), "path"),
        Parameter("spread", (), support, prior, "scale"),
    ))  # fmt: skip
    return Problem(
        layout=layout, core=core, shape=lambda theta, constants: (ONES, np.zeros((1, 0))),
        constants=ONES, groups=np.zeros((1, 0), np.int64), data={"seen": SEEN}, structure=(),
        rates=ONES, starts=(np.append(np.zeros(6), 0.5),), resample=lambda theta, rng: {},
    )  # fmt: skip


class Toy(Marginal):
    @override
    def held(self, theta):
        return theta[6]

    @override
    def root(self, theta, held):
        return tuple(definite_root((1 + held**2) * np.eye(3), 1.0) for _ in range(2))


class ToyLaplace(NestedLaplace):
    @override
    def marginal(self, problem):
        return Toy(problem)


def density(spread, prior=LAW):
    """Log of the joint density of the observations and their scale, the path integrated out."""
    seen = stats.norm.logpdf(SEEN, scale=np.sqrt(1 + np.atleast_1d(spread)[:, None] ** 2))
    return seen.sum(axis=1) + prior.log_density(np.atleast_1d(spread))


def peak_at(marginal, spread):
    first = Peak(np.zeros(1), marginal.problem.starts[0], (), -np.inf, False)
    return marginal.peak(np.log([spread]), first)


@pytest.mark.parametrize("spread", [0.2, 1.0, 2.5])
@pytest.mark.parametrize("prior", [LAW, HalfNormal(1.0)])
def test_the_density_of_a_scale_is_that_without_the_path(spread, prior):
    problem = toy(prior, "positive" if prior is LAW else "nonnegative")
    found = peak_at(Toy(problem), spread)
    assert found.settled
    # On the working scale, of logs: the density is multiplied by the scale.
    np.testing.assert_allclose(found.value, density(spread, prior)[0] + np.log(spread), rtol=1e-9)
    ends = [density(spread + step, prior)[0] for step in (1e-5, -1e-5)]
    slope = (ends[0] - ends[1]) / 2e-5
    np.testing.assert_allclose(Toy(problem).slopes(found), [spread * slope + 1], atol=2e-3)


def test_draws_are_those_of_the_posterior(rng):
    grid = np.linspace(1e-3, 8, 4000)
    weight = np.exp(density(grid) - density(grid).max())
    weight /= weight.sum()
    found = nested(Toy(toy()), 4000, rng)
    told = found.diagnostics
    assert told["converged"] and not told["at_bound"] and not told["singular"]
    assert told["pareto_shape"] < 0.7 and told["weights_power"] == 1.0
    # The paths are normal given their scale: all weights are equal.
    assert told["path_shape"] < 0.7 and told["path_power"] == 1.0
    evidence = np.log(np.trapezoid(np.exp(density(grid)), grid))
    assert abs(told["evidence"] - evidence) < 0.05
    spread = found.draws["spread"]
    mean = weight @ grid
    error = np.sqrt(weight @ (grid - mean) ** 2)
    # 200 weighted points; the draws pick from them.
    assert abs(spread.mean() - mean) < 0.35 * error
    assert 0.75 < spread.std() / error < 1.25
    path = (weight * grid / (1 + grid**2)).sum() * SEEN
    np.testing.assert_allclose(found.draws["path"].mean(axis=0).ravel(), path, atol=0.15)


def test_an_engine_asks_for_the_density_and_keeps_its_draws(rng):
    found = ToyLaplace(draws=30).run(toy(), rng)
    assert isinstance(ToyLaplace(), Laplace) and found.draws["path"].shape == (30, 2, 3)


def test_a_scale_that_runs_off_is_told(rng):
    # All weight of the prior is below the least scale that is looked at.
    flat = toy(LogNormal(np.exp(-40.0), 0.5))
    best = summit(Toy(flat))
    assert best.diagnostics(Toy(flat))["at_bound"] == ["spread"]


def test_without_scales_the_paths_have_their_normal_law(rng):
    given = toy()
    layout = Layout(given.layout.parameters[:1])
    held = Problem(**{**vars(given), "layout": layout, "starts": (np.zeros(6),), "core": alone})

    class Given(Toy):
        @override
        def held(self, theta):
            return 1.0

    found = nested(Given(held), 2000, rng)
    np.testing.assert_allclose(found.draws["path"].mean(axis=0).ravel(), SEEN / 2, atol=0.08)
    exact = stats.norm.logpdf(SEEN, scale=np.sqrt(2)).sum()
    np.testing.assert_allclose(found.diagnostics["evidence"], exact, rtol=1e-9)


def alone(theta, values, seen):
    value, gradient, by_values = core(np.append(theta, 1.0), values, seen)
    return value, gradient[:6], by_values


def silent(theta, values, seen):
    """Six periods without an event: the log-rates are the paths."""
    with np.errstate(over="ignore"):
        rate = np.exp(theta)
    return -rate.sum(), -rate, np.zeros_like(values)


def without_events(sd):
    """A density of six log-rates with a normal prior, after as many periods without an event."""
    given = toy()
    layout = Layout((Parameter("path", (2, 3), "real", Normal(0.0, sd), "path"),))
    held = Problem(**{**vars(given), "layout": layout, "starts": (np.zeros(6),), "core": silent})

    class Empty(Toy):
        @override
        def held(self, theta):
            return 1.0

        @override
        def root(self, theta, held):
            return tuple(np.diag(np.sqrt(sd**-2 + np.exp(theta[i : i + 3]))) for i in (0, 3))

    return Empty(held)


def test_paths_have_their_own_law_where_it_is_skewed(rng):
    found = nested(without_events(1.5), 3000, rng)
    grid = np.linspace(-12, 6, 20_000)
    weight = np.exp(-np.exp(grid)) * stats.norm.pdf(grid, scale=1.5)
    weight /= weight.sum()
    exact = np.interp([0.05, 0.5, 0.95], np.cumsum(weight), grid)
    path = found.draws["path"].reshape(3000, 6)
    quantiles = np.quantile(path, [0.05, 0.5, 0.95], axis=0).mean(axis=1)
    np.testing.assert_allclose(quantiles, exact, atol=0.15)
    np.testing.assert_allclose(np.exp(path).mean(), weight @ np.exp(grid), rtol=0.05)


def test_the_tail_of_a_log_rate_without_events_is_cut_off(rng):
    marginal = without_events(10.0)
    first = Peak(np.zeros(0), np.zeros(6), (), -np.inf, False)
    theta, _ = marginal.drawn(marginal.peak(np.zeros(0), first), 500, rng)
    assert theta.max() > 10  # a rate of 22 000 a period, where none was seen
    assert np.exp(nested(marginal, 1000, rng).draws["path"]).max() < 30


def test_rows_are_kept_as_often_as_their_weights_say(rng):
    weights = np.array([0.0, 0.5, 0.0, 0.31, 0.19, 0.0])
    times = np.bincount(resampled(weights, 100, rng), minlength=6)
    np.testing.assert_allclose(times, 100 * weights, atol=1.0)
    assert not times[weights == 0].any()
    assert np.any(np.diff(resampled(weights, 100, rng)) < 0)


def test_what_weighs_nothing_is_given_no_weight():
    one = np.eye(1, 40)[0]
    np.testing.assert_array_equal(tempered(one, EFFECTIVE)[0], one)
    two = np.array([0.9, 0.0, 0.1, 0.0])
    weights, power = tempered(two, EFFECTIVE)
    np.testing.assert_allclose(weights, [0.5, 0.0, 0.5, 0.0], atol=1e-3)
    assert power < 0.01


def test_weights_of_few_points_are_tempered(rng):
    even = np.full(200, 1 / 200)
    np.testing.assert_array_equal(tempered(even, EFFECTIVE)[0], even)
    steep = np.exp(3 * rng.standard_normal(200))
    weights, power = tempered(steep / steep.sum(), EFFECTIVE)
    assert 0 < power < 1
    np.testing.assert_allclose([weights.sum(), 1 / np.sum(weights**2)], [1.0, EFFECTIVE], rtol=1e-4)
    np.testing.assert_array_equal(np.argsort(weights), np.argsort(steep))


def test_information_that_is_none_is_raised():
    root = definite_root(np.array([[1.0, 0.0], [0.0, -4.0]]), 0.5)
    np.testing.assert_allclose(root @ root.T, [[1, 0], [0, 4]])
