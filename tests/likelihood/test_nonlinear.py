from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from escalation.likelihood.nonlinear import hawkes_nonlinear
from escalation.likelihood.quadrature import (
    EXP,
    IDENTITY,
    SOFTPLUS,
    integrate,
    link_inverse,
    link_log_rate,
    link_rate,
)

GROUPS = {
    "all": lambda k: np.zeros((1, 1), np.int64),
    "target": lambda k: np.arange(k)[:, None],
    "pair": lambda k: np.arange(k * k).reshape(k, k),
}
RATE = {
    IDENTITY: lambda x, s: x,
    SOFTPLUS: lambda x, s: s * np.logaddexp(0, x / s),
    EXP: lambda x, s: np.exp(x),
}
PREDICTOR = {
    IDENTITY: lambda rate, s: rate,
    SOFTPLUS: lambda rate, s: s * np.log(np.expm1(rate / s)),
    EXP: lambda rate, s: np.log(rate),
}


def case(rng, link, streams, per, terms, cells, scale, events=10, span=12.0):
    """Parameters, exponentials and data, with a tie within a stream and one between two."""
    times, stream = np.sort(rng.uniform(0, span, events)), rng.integers(0, streams, events)
    times[3], stream[3] = times[2], stream[2]
    times[6], stream[6] = times[5], (stream[5] + 1) % streams
    edges = np.linspace(0, span, cells + 1)
    watched = np.ones(cells)
    if cells > 3:
        watched[2] = 0.0
        keep = (times < edges[2]) | (times >= edges[3])
        times, stream = times[keep], stream[keep]
    group = GROUPS[per](streams)
    weights = rng.dirichlet(np.ones(terms), group.size)
    values = np.concatenate([weights, np.exp(rng.normal(0.3, 1, weights.shape))], axis=1)
    influence = rng.normal(-0.1, 0.5, streams**2)
    if link == IDENTITY:
        influence = np.abs(influence)
    theta = np.concatenate([rng.normal(-0.8, 0.3, 2 * streams), influence])
    design = np.column_stack([np.ones(cells), np.sin(edges[:-1])])
    column = np.arange(2 * streams).reshape(streams, 2)
    data = (times, stream.astype(np.int64), edges, watched, design, np.full(streams, scale))
    return theta, values, (*data, column, np.array([2 * streams, link, 0]), group)


def predictor(theta, values, arguments, k, t, past):
    """Predictor of one stream from the definition; `past` are the events before t."""
    times, stream, edges, _, design, scale, column, place, group = arguments
    streams, terms = len(scale), values.shape[1] // 2
    influence = theta[place[0] :].reshape(streams, streams)
    cell = min(np.searchsorted(edges, t, side="right") - 1, len(edges) - 2)
    x = PREDICTOR[place[1]](np.exp(design[cell] @ theta[column[k]]), scale[k])
    for i in past:
        one = values[group[k % len(group), stream[i] % group.shape[1]]]
        w, b = one[:terms], one[terms:]
        x += influence[k, stream[i]] * (w * b * np.exp(-b * (t - times[i]))).sum()
    return x


def naive(theta, values, arguments):
    """Log-likelihood by double loop, the compensator by SciPy's adaptive quadrature."""
    times, stream, edges, watched, _, scale, _, place, _ = arguments
    total = 0.0
    for i, t in enumerate(times):
        past = [
            m for m, u in enumerate(times) if u < t or (u == t and m < i and stream[m] == stream[i])
        ]
        x = predictor(theta, values, arguments, stream[i], t, past)
        total += np.log(RATE[place[1]](x, scale[stream[i]]))
    points = np.unique(np.concatenate([edges, times]))
    for a, b in pairwise(points):
        if watched[np.searchsorted(edges, (a + b) / 2) - 1] == 0:
            continue
        past = np.flatnonzero(times <= a)
        for k in range(len(scale)):

            def rate(t, k=k, past=past):
                x = predictor(theta, values, arguments, k, t, past)
                return RATE[place[1]](x, scale[k])

            middle = a + (b - a) / 16
            for low, high in ((a, middle), (middle, b - 1e-13)):
                total -= quad(rate, low, high, epsabs=1e-11, epsrel=1e-11, limit=200)[0]
    return total


CASES = [
    (SOFTPLUS, 1, "all", 1, 1, 0.1),
    (SOFTPLUS, 2, "target", 1, 5, 0.05),
    (SOFTPLUS, 2, "pair", 2, 5, 1.0),
    (EXP, 2, "all", 2, 5, 1.0),
    (IDENTITY, 2, "pair", 1, 1, 1.0),
]


@pytest.mark.parametrize("setting", CASES)
def test_the_log_likelihood_is_that_of_the_definition(setting, rng):
    theta, values, arguments = case(rng, *setting)
    value, _, _ = hawkes_nonlinear(theta, values, *arguments)
    np.testing.assert_allclose(value, naive(theta, values, arguments), atol=1e-8)


@pytest.mark.parametrize("setting", CASES)
def test_the_gradient_is_that_of_finite_differences(setting, rng):
    theta, values, arguments = case(rng, *setting, events=40, span=30.0)
    _, by_theta, by_values = hawkes_nonlinear(theta, values, *arguments)
    h = 1e-6

    def rise(at, step):
        above = hawkes_nonlinear(*(one + s for one, s in zip(at, step, strict=True)), *arguments)
        below = hawkes_nonlinear(*(one - s for one, s in zip(at, step, strict=True)), *arguments)
        return (above[0] - below[0]) / (2 * h)

    for i in range(theta.size):
        step = h * (np.arange(theta.size) == i)
        numerical = rise((theta, values), (step, 0.0))
        np.testing.assert_allclose(by_theta[i], numerical, rtol=1e-6, atol=1e-5)
    for at in np.ndindex(values.shape):
        step = np.zeros_like(values)
        step[at] = h
        numerical = rise((theta, values), (0.0, step))
        np.testing.assert_allclose(by_values[at], numerical, rtol=1e-6, atol=1e-5)


def panels(rate, bend, length, finest):
    """Integral over (0, length) by very many panels, finer at the start and where rates bend."""
    edges = [np.linspace(0.0, length, 400), np.minimum(finest * 1.3 ** np.arange(150), length)]
    grid = np.linspace(0.0, length, 20_000)
    for at in grid[:-1][np.diff(np.sign(bend(grid))) != 0]:
        around = grid[1] * np.geomspace(1e-4, 100, 80)
        edges += [at + grid[1] * np.linspace(0, 1, 200), at - around, at + around]
    edges = np.unique(np.clip(np.concatenate(edges), 0.0, length))
    x, w = np.polynomial.legendre.leggauss(20)
    width = np.diff(edges)[:, None] / 2
    return float((rate(edges[:-1, None] + width * (1 + x)) * width * w).sum())


@pytest.mark.parametrize("link", [SOFTPLUS, EXP])
@pytest.mark.parametrize("terms", [1, 3])
def test_integrals_hold_whatever_the_scale_the_decay_and_the_length(link, terms, rng):
    # Gaps much shorter and much longer than the delay; predictors through and far off the bend.
    for _ in range(40):
        scale = 10.0 ** rng.uniform(-3, 1)
        level = rng.normal(0, 1) * 10.0 ** rng.uniform(-2, 1)
        amplitude = rng.normal(0, 1, terms) * 10.0 ** rng.uniform(-3, 1)
        if link == EXP:
            scale, level, amplitude = 1.0, min(level, 3.0), np.minimum(amplitude, 3.0)
        decay = 10.0 ** rng.uniform(-2, 2, terms)
        length = 10.0 ** rng.uniform(-3, 1.5)

        def predictor(u, level=level, amplitude=amplitude, decay=decay):
            return level + (amplitude * np.exp(-decay * u[..., None])).sum(axis=-1)

        def rate(u, predictor=predictor, scale=scale):
            return RATE[link](predictor(u), scale)

        slopes = np.zeros(terms), np.zeros(terms), np.empty((3 + terms, 16))
        value, _ = integrate(level, amplitude, decay, length, scale, link, 0, *slopes)
        wanted = panels(rate, predictor, length, min(length, 1e-3 / decay.max()))
        np.testing.assert_allclose(value, wanted, rtol=1e-9, atol=1e-11 * scale * length)


@pytest.mark.parametrize(("link", "terms"), [(SOFTPLUS, 1), (SOFTPLUS, 3), (EXP, 1), (EXP, 3)])
def test_twice_the_nodes_change_the_log_likelihood_by_less_than_a_millionth(link, terms, rng):
    for scale in (0.003, 0.1, 1.0):
        setting = (link, 2, "all", terms, 400, scale)
        theta, values, arguments = case(rng, *setting, events=1500, span=800.0)
        value, gradient, _ = hawkes_nonlinear(theta, values, *arguments)
        place = arguments[7] + np.array([0, 0, 1])
        fine, slope, _ = hawkes_nonlinear(theta, values, *arguments[:7], place, arguments[8])
        assert np.isfinite(value)
        assert abs(value - fine) < 1e-8
        np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-6)


def test_no_jump_of_the_value_where_the_panels_change():
    # Along a line of amplitudes the value has differences of a smooth function.
    grid = np.linspace(-2.0, 2.0, 20_001)
    for terms in (1, 2):
        values = np.empty(grid.size)
        for i, size in enumerate(grid):
            amplitude, decay = np.full(terms, size), np.array([1.0, 7.0][:terms])
            scratch = np.zeros(terms), np.zeros(terms), np.empty((3 + terms, 16))
            values[i], _ = integrate(0.3, amplitude, decay, 3.0, 0.1, SOFTPLUS, 0, *scratch)
        curvature = np.diff(values, 2) / (grid[1] - grid[0]) ** 2
        # Rounding of the values alone is 1e-15 / 1e-8 = 1e-7.
        assert np.abs(np.diff(curvature)).max() < 5e-3
        assert np.abs(np.diff(curvature, 2)).max() < 2e-5


@pytest.mark.parametrize("link", [IDENTITY, SOFTPLUS, EXP])
def test_links_invert_and_their_slopes_are_right(link):
    for scale in (0.01, 1.0):
        for log_rate in (-40.0, -9.0, -1.0, 0.5, 4.0):
            x, slope = link_inverse(log_rate, scale, link)
            np.testing.assert_allclose(link_log_rate(x, scale, link)[0], log_rate, rtol=1e-9)
            h = 1e-6
            above, below = (link_inverse(log_rate + s, scale, link)[0] for s in (h, -h))
            np.testing.assert_allclose(slope, (above - below) / (2 * h), rtol=1e-6, atol=1e-12)
            above, below = (link_rate(x + s * scale, scale, link)[0] for s in (h, -h))
            slope = (above - below) / (2 * h * scale)
            np.testing.assert_allclose(link_rate(x, scale, link)[1], slope, rtol=1e-5, atol=1e-9)


def test_strong_inhibition_is_improbable_not_impossible():
    theta, values, arguments = case(np.random.default_rng(1), SOFTPLUS, 1, "all", 1, 1, 0.01)
    theta[-1] = -50.0
    value, gradient, _ = hawkes_nonlinear(theta, values, *arguments)
    assert -1e6 < value < -1e3
    assert np.isfinite(gradient).all()
