"""The likelihood by rows and blocks against its definition, a double loop over events."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.hawkes import Hawkes, Marks
from escalation.hawkes.exact import exact_problem, watched_arrays, watched_spans
from escalation.parameters import Layout
from escalation.series import EventSeries
from escalation.window import Window

START = date(2020, 1, 1)
GAP = (date(2020, 1, 20), date(2020, 1, 30))
ERAS = (date(2020, 2, 1), date(2020, 3, 1))
SEASON = Background(harmonics=1, weekday=True, trend=30, trend_kind="steps")
MASK = ((True, False, True), (True, True, True), (False, True, True))


def make(rng, gaps=(), marks=False):
    """Three streams with ties, the last longer than a block."""
    window = Window(START, date(2020, 4, 1), gaps)
    watched = window.mask()
    times = []
    for digits, number in ((9, 60), (1, 25), (1, 300)):
        drawn = np.round(np.sort(rng.random(number) * (window.days - 0.1)), digits)
        times.append(drawn[watched[drawn.astype(int)]])
    sizes = tuple(rng.exponential(3, len(t)) for t in times) if marks else None
    return EventSeries(tuple(times), ("a", "b", "c"), window, float(window.days), marks=sizes)


def naive(model, series, values):
    """Log-likelihood from the definition."""
    layout = Layout(model.parameters(series))
    theta = layout.pack(values)[None]
    streams = range(len(series.names))
    edges = model.cell_edges(series)
    rates = model.background_rates(layout, theta, series, edges)[0]
    groups = model.kernel_groups(len(series.names))
    inner = model.kernel_draws(layout, theta, len(series.names))[0]
    kernel = model.bound_kernel(series)
    reproduction = np.asarray(values["reproduction"]).reshape(-1, *groups.shape)
    effects = [np.ones(len(t)) for t in series.times]
    if model.marks is not None:
        exponents = np.asarray(values["mark_exponent"])[None]
        effects = [one[0] for one in model.marks.effects(series, exponents)]
    eras = [model.era_of(series, t) for t in series.times]
    total = -(rates * watched_arrays(model, series)["lengths"][:, None]).sum()
    for k in streams:
        for i, t in enumerate(series.times[k]):
            if t < model.warmup:
                continue
            cell = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, len(edges) - 2)
            intensity = rates[cell, k]
            for j in streams:
                past = series.times[j]
                ahead = past < t
                if j == k and model.ties == "ordered":
                    ahead = np.arange(len(past)) < i
                age = np.maximum(t - past[ahead], 1e-300)
                density = kernel.density(age, inner[groups[k, j]])
                reach = reproduction[eras[j][ahead], k, j]
                intensity += (reach * effects[j][ahead] * density).sum()
            total += np.log(intensity)
        for j in streams:
            past = series.times[j]
            for begin, end in watched_spans(series, model.warmup):
                mass = kernel.cdf(np.maximum(end - past, 0), inner[groups[k, j]])
                mass = mass - kernel.cdf(np.maximum(begin - past, 0), inner[groups[k, j]])
                total -= (reproduction[eras[j], k, j] * effects[j] * mass).sum()
    return total


CASES = {
    "plain": ({}, {}),
    "season, trend, gap": ({"background": SEASON}, {"gaps": (GAP,)}),
    "warm-up, mask": ({"warmup": 7.5, "arrows": MASK}, {}),
    "eras, warm-up, gap": ({"eras": ERAS, "warmup": 7.5}, {"gaps": (GAP,)}),
    "marks": ({"marks": Marks(), "warmup": 7.5}, {"marks": True}),
    "marks, eras": ({"marks": Marks(), "eras": ERAS}, {"marks": True, "gaps": (GAP,)}),
    "a kernel a target": ({"kernel_per": "target", "background": SEASON}, {}),
    "a kernel a pair": ({"kernel_per": "pair", "arrows": MASK, "marks": Marks()}, {"marks": True}),
    "a kernel a pair, eras": ({"kernel_per": "pair", "eras": ERAS}, {}),
    "ties apart": ({"ties": "apart"}, {}),
    "ties apart, marks": ({"ties": "apart", "marks": Marks(), "eras": ERAS}, {"marks": True}),
}


@pytest.fixture(params=list(CASES), ids=list(CASES))
def case(request, rng):
    settings, series = CASES[request.param]
    model = Hawkes(**settings)
    made = make(rng, **series)
    drawn = Layout(model.parameters(made)).sample_prior(rng, 1)
    values = {name: value[0] for name, value in drawn.items()}
    return model, made, values | {"level": np.log([0.3, 0.2, 1.0])}


def test_the_likelihood_is_that_of_the_definition(case):
    model, series, values = case
    problem = exact_problem(model, series)
    value, _ = problem.evaluate(problem.layout.pack(values))
    np.testing.assert_allclose(value, naive(model, series, values), rtol=1e-10)


def test_the_gradient_is_that_of_finite_differences(case):
    model, series, values = case
    problem = exact_problem(model, series)
    theta = problem.layout.pack(values)
    gradient = problem.evaluate(theta)[1]
    for i in problem.layout.free:
        step = 1e-6 * (np.arange(theta.size) == i)
        rise = problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]
        np.testing.assert_allclose(gradient[i], rise / 2e-6, rtol=1e-5, atol=1e-4)


def test_shares_of_the_receiving_streams_add_up(case):
    model, series, values = case
    problem = exact_problem(model, series)
    parts = tuple((*problem.structure[:-1], np.array(rows)) for rows in ([0, 2], [1]))
    shared = replace(problem, shares=parts)
    theta = problem.layout.pack(values)
    whole, gradient = problem.evaluate(theta)
    value, slope = shared.evaluate(theta)
    np.testing.assert_allclose(value, whole, rtol=1e-12)
    np.testing.assert_allclose(slope, gradient, rtol=1e-10, atol=1e-10)


def test_scores_are_those_of_the_intensities(case):
    # The sum of outer products changes with a parameter's own square as differences of log
    # intensities say: checked event by event on the streams' likelihoods without one event.
    model, series, values = case
    problem = exact_problem(model, series)
    theta = problem.layout.pack(values)
    scores = problem.outer_scores(theta)
    np.testing.assert_allclose(scores, scores.T)
    free = problem.layout.free
    assert np.linalg.eigvalsh(scores[np.ix_(free, free)]).min() > -1e-8 * np.abs(scores).max()
    # For R, in which the intensity is linear, they are minus the second derivatives.
    place = problem.layout.start("reproduction")
    step = 1e-5 * (np.arange(theta.size) == place)
    change = problem.evaluate(theta - step)[1] - problem.evaluate(theta + step)[1]
    first = problem.layout.start("reproduction")
    size = values["reproduction"].size
    block = slice(first, first + size)
    np.testing.assert_allclose(scores[place, block], change[block] / 2e-5, rtol=1e-4, atol=1e-5)
