"""Exact second derivatives of the Hawkes likelihood against differences of its gradient."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.engines.objective import Objective
from escalation.hawkes import Hawkes
from escalation.hawkes.exact import exact_problem
from escalation.kernels import Mixture
from escalation.parameters import Layout
from escalation.series import EventSeries
from escalation.window import Window

START = date(2020, 1, 1)
GAP = (date(2020, 1, 20), date(2020, 1, 30))
ERAS = (date(2020, 2, 1), date(2020, 3, 1))
MASK = ((True, False, True), (True, True, True), (False, True, True))
CASES = {
    "plain": {},
    "season, trend": {"background": Background(harmonics=1, weekday=True, trend=30)},
    "mask, warm-up, a kernel a pair": {"arrows": MASK, "warmup": 7.5, "kernel_per": "pair"},
    "eras, a kernel a target": {"eras": ERAS, "kernel_per": "target"},
    "ties apart": {"ties": "apart"},
    "two exponentials": {"kernel": Mixture(terms=2), "kernel_per": "target"},
}


@pytest.fixture(params=list(CASES), ids=list(CASES))
def problem(request, rng):
    window = Window(START, date(2020, 4, 1), (GAP,))
    watched = window.mask()
    times = []
    for digits, number in ((9, 60), (1, 25), (1, 300)):
        drawn = np.round(np.sort(rng.random(number) * (window.days - 0.1)), digits)
        times.append(drawn[watched[drawn.astype(int)]])
    series = EventSeries(tuple(times), ("a", "b", "c"), window, float(window.days))
    return exact_problem(Hawkes(**CASES[request.param]), series)


@pytest.fixture
def theta(problem, rng):
    drawn = problem.layout.sample_prior(rng, 1)
    values = {name: value[0] for name, value in drawn.items()}
    return problem.layout.pack(values | {"level": np.log([0.3, 0.2, 1.0])})


def whole(problem, theta):
    """Sums over the rows: value, gradient and Hessian in all parameters."""
    gradient, hessian = np.zeros(theta.size), np.zeros((theta.size, theta.size))
    value, member, slope, outer, bend = problem.curved(theta)
    for row in range(len(value)):
        own = member[row][member[row] >= 0]
        size = own.size
        gradient[own] += slope[row, :size]
        hessian[np.ix_(own, own)] += (bend - outer)[row, :size, :size]
    return value.sum(), gradient, hessian


def test_value_and_gradient_are_those_of_the_likelihood(problem, theta):
    value, gradient, _ = whole(problem, theta)
    wanted, slope = problem.evaluate(theta)
    np.testing.assert_allclose(value, wanted, rtol=1e-12)
    free = problem.layout.free
    np.testing.assert_allclose(gradient[free], slope[free], rtol=1e-9, atol=1e-9)


def test_the_hessian_is_that_of_differences(problem, theta):
    free = problem.layout.free
    found = whole(problem, theta)[2][np.ix_(free, free)]
    wanted = np.empty_like(found)
    for row, i in enumerate(free):
        step = 1e-5 * max(0.1, abs(theta[i])) * (np.arange(theta.size) == i)
        change = problem.evaluate(theta + step)[1] - problem.evaluate(theta - step)[1]
        wanted[row] = change[free] / (2 * step.max())
    scale = np.sqrt(np.abs(np.diag(wanted)) + 1e-3)
    np.testing.assert_allclose(found / np.outer(scale, scale), wanted / np.outer(scale, scale),
                               atol=2e-6)  # fmt: skip


def test_outer_products_are_those_of_the_scores(problem, theta):
    value, member, _, outer, _ = problem.curved(theta)
    found = np.zeros((theta.size, theta.size))
    for row in range(len(value)):
        own = member[row][member[row] >= 0]
        found[np.ix_(own, own)] += outer[row, : own.size, : own.size]
    np.testing.assert_allclose(found, problem.outer_scores(theta), rtol=1e-9, atol=1e-9)


def test_two_threads_and_single_rows_give_the_same(problem, theta):
    every = problem.curved(theta)
    shared = replace(problem, shares=(problem.structure, problem.structure))
    for one, other in zip(every, shared.curved(theta), strict=True):
        np.testing.assert_array_equal(one, other)
    for row in range(3):
        single = problem.curved(theta, parts=np.array([row]))
        for one, other in zip(every, single, strict=True):
            np.testing.assert_array_equal(one[row], other[0])


@pytest.mark.parametrize("posterior", [False, True])
def test_the_information_on_the_working_scale(problem, theta, posterior):
    objective = Objective(problem, posterior=posterior)
    x = objective.start(theta)
    exact = replace(objective, exact=True).information(x)
    scale = np.sqrt(np.abs(np.diag(exact)) + 1e-3)
    found = objective.information(x)
    np.testing.assert_allclose(found / np.outer(scale, scale), exact / np.outer(scale, scale),
                               atol=5e-5)  # fmt: skip


def test_an_intensity_of_zero_is_minus_infinity():
    series = EventSeries.from_times([[1.0, 2.0], [1.5]], 0, 10)
    problem = exact_problem(Hawkes(), series)
    layout = Layout(Hawkes().parameters(series))
    theta = layout.pack({"level": np.full(2, -800.0), "reproduction": np.zeros((2, 2)),
                         "decay": np.array(1.0)})  # fmt: skip
    assert np.isneginf(problem.curved(theta)[0]).all()
