import itertools

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from escalation.likelihood.day_filter import (
    day_filter,
    day_probabilities,
    day_series,
    fade,
    filter_data,
    slack,
    time_grid,
)
from escalation.likelihood.day_filter_scores import day_filter_scores

EMPTY, STATIONARY = np.array([0]), np.array([1])


def transform(z, s, reach, decay):
    """A and B of E[z^N exp(-s S1) | S0] = exp(background A + S0 B), by SciPy's integrator."""

    def slope(_, y):
        g = z * np.exp(y[0])
        return [-decay * y[0] + reach * decay * (g - 1), g - 1]

    end = np.array([-s, 0], complex)
    return solve_ivp(slope, (0, 1), end, method="DOP853", rtol=1e-11, atol=1e-13).y[::-1, -1]


def circle(function, degree, radius, points=40):
    """Coefficient of a power series by Cauchy's integral."""
    # The function is real on the real line: the upper half of the circle is enough.
    z = radius * np.exp(2j * np.pi * (np.arange(points // 2) + 0.5) / points)
    return np.mean([(function(each) / each**degree).real for each in z])


def one_day(n, background, mean, variance, reach, decay):
    """Probability, mean and variance after one day with a gamma state, from the definition."""
    shape, size = mean**2 / variance, variance / mean

    def at(z, s):
        a, b = transform(z, s, reach, decay)
        return np.exp(background * a) * (1 - size * b) ** -shape

    step = 1e-3
    low, middle, high = (circle(lambda z, s=s: at(z, s), n, 0.7) for s in (-step, 0.0, step))
    first = (low - high) / (2 * step) / middle
    second = (low - 2 * middle + high) / step**2 / middle
    return middle, first, second - first**2


@pytest.fixture
def series(rng):
    days = 120
    middle = np.arange(days) + 0.5
    design = np.stack([np.ones(days), np.sin(middle / 9)], axis=1)
    counts = rng.negative_binomial(1, 0.5, days).astype(float)
    counts[40] = 17
    watched = np.ones(days)
    watched[[0, 7, 8, 9, 77]] = 0
    return filter_data(counts, watched, design)


def evaluate(series, theta, values, start):
    places = np.array([[0, 1]]), np.array([2])
    return day_filter(theta, values, *series.values(), start, *places)


@pytest.mark.parametrize(("reach", "decay"), [(0.6, 1.5), (0.3, 0.05), (1.2, 3.0), (0.5, 40.0)])
def test_series_are_the_taylor_coefficients_of_the_transform(reach, decay):
    scale, series, _ = day_series(reach, decay, 6, *time_grid(6))
    for degree, row in itertools.product((0, 1, 4, 6), (0, 1)):
        wanted = circle(lambda z, r=row: transform(z, 0.0, reach, decay)[r], degree, 0.7, 48)
        assert abs(series[row, degree] / scale**degree - wanted) < 1e-10


@pytest.mark.parametrize(
    ("n", "reach", "decay"), [(0, 0.6, 1.5), (1, 0.8, 9.0), (5, 0.6, 0.4), (2, 0.0, 1.0)]
)
def test_a_day_is_that_of_the_transform(n, reach, decay):
    """Two days with the same count: the first fixes the state, the second the probability."""
    data = filter_data(np.array([n, n], float), np.ones(2), np.ones((2, 1)))
    theta = np.array([np.log(0.7), reach])
    places = np.array([[0]]), np.array([1])
    value, _, _ = day_filter(
        theta, np.array([[1, decay]]), *data.values(), STATIONARY, *places
    )  # fmt: skip
    mean = 0.7 / (1 - reach) / decay
    first, mean, variance = one_day(n, 0.7, mean, mean / (2 * (1 - reach)), reach, decay)
    second, _, _ = one_day(n, 0.7, mean, variance, reach, decay)
    assert abs(value - np.log(first) - np.log(second)) < 1e-4


@pytest.mark.parametrize("start", [EMPTY, STATIONARY])
@pytest.mark.parametrize("reach", [0.0, 0.5, 0.97, 1.4])
@pytest.mark.parametrize("decay", [0.01, 1.5, 50.0])
def test_gradient_is_that_of_finite_differences(series, start, reach, decay):
    point = np.array([-1.0, 0.4, reach, 0.9, decay])

    def value(x):
        return evaluate(series, x[:3], x[None, 3:], start)[0]

    _, by_theta, by_values = evaluate(series, point[:3], point[None, 3:], start)
    steps = np.diag(1e-4 * np.maximum(np.abs(point), 1e-2))
    moves = np.array([-2.0, -1.0, 1.0, 2.0])
    weights = np.array([1.0, -8.0, 8.0, -1.0]) / 12
    if reach == 0.0:  # one-sided where R ends
        steps[2] *= -1
    for i, step in enumerate(steps):
        if i == 2 and reach == 0.0:
            step = abs(step)
            moves_here, weights_here = np.arange(5.0), np.array([-25, 48, -36, 16, -3]) / 12
        else:
            moves_here, weights_here = moves, weights
        numeric = sum(
            w * value(point + m * step) for m, w in zip(moves_here, weights_here, strict=True)
        )
        exact = np.concatenate([by_theta, by_values[0]])[i]
        assert abs(exact - numeric / step[i]) < 1e-5 * max(1.0, np.abs(by_theta).max())


def test_without_offspring_counts_are_poisson(series):
    theta = np.array([-0.3, 0.5, 0.0])
    value = evaluate(series, theta, np.array([[1.0, 2.0]]), STATIONARY)[0]
    mean = np.exp(series["design"] @ theta[:2])
    log_factorial = np.array([np.log(np.arange(1, n + 1)).sum() for n in series["counts"]])
    terms = series["counts"] * np.log(mean) - mean - log_factorial
    assert abs(value - terms[series["watched"] > 0].sum()) < 1e-9


def test_a_gap_follows_the_moments_of_the_process():
    """Mean and variance through a gap against SciPy's solution of their equations."""
    reach, decay, rate, mean, variance = 0.7, 1.3, 0.4, 0.9, 0.2
    loss = decay * (1 - reach)

    def slope(_, y):
        return [rate - loss * y[0], -2 * loss * y[1] + rate + reach * decay * y[0]]

    end = solve_ivp(slope, (0, 3), [mean, variance], rtol=1e-10, atol=1e-12).y[:, -1]
    e, e_mean, _ = fade(loss)
    gain = reach * decay
    for _ in range(3):
        variance = e * e * variance + e_mean * (
            gain * e * mean + 0.5 * rate * (1 + e + gain * e_mean)
        )
        mean = e * mean + rate * e_mean
    np.testing.assert_allclose([mean, variance], end, rtol=1e-8)


@pytest.mark.parametrize("reach", [0.3, 0.9])
def test_probabilities_of_a_day_sum_to_one(reach):
    theta, values = np.array([np.log(0.5), reach]), np.array([[1.0, 1.2]])
    past = [1.0, 0.0, 2.0]
    total = 0.0
    for n in range(80):
        data = filter_data(np.array([*past, n]), np.ones(4), np.ones((4, 1)))
        pit = day_probabilities(
            theta, values, *data.values(), EMPTY, np.array([[0]]), np.array([1])
        )
        assert abs(pit[3, 0] - total) < 1e-10
        total = pit[3, 1]
    assert total > 1 - 1e-6


@pytest.mark.parametrize("largest", [150, 700])
def test_busy_days_neither_overflow_nor_vanish(largest):
    counts = np.zeros(30)
    counts[10] = largest
    data = filter_data(counts, np.ones(30), np.ones((30, 1)))
    places = np.array([[0]]), np.array([1])
    for level, reach in ((-8.0, 0.1), (-2.0, 0.9), (6.0, 0.0), (-30.0, 0.5)):
        theta = np.array([level, reach])
        value, slope, _ = day_filter(theta, np.array([[1.0, 1.0]]), *data.values(), EMPTY, *places)
        assert np.isfinite(value)
        assert np.isfinite(slope).all()


def test_the_bent_divisor_is_smooth_and_positive():
    reach = np.linspace(0, 3, 3001)
    gap = np.array([slack(r) for r in reach])
    assert (gap[:, 0] > 0).all()
    np.testing.assert_allclose(np.diff(gap[:, 0]) / 0.001, gap[:-1, 1], atol=0.02)
    np.testing.assert_allclose(gap[:950, 0], 1 - reach[:950])


def test_outside_the_parameters_the_value_is_minus_infinity(series):
    for reach, decay in ((-0.1, 1.0), (np.nan, 1.0), (0.5, 0.0), (0.5, -1.0)):
        value = evaluate(series, np.array([0.0, 0.0, reach]), np.array([[1.0, decay]]), EMPTY)[0]
        assert value == -np.inf


@pytest.mark.parametrize("start", [EMPTY, STATIONARY])
def test_scores_are_the_slopes_of_each_days_log_probability(series, start):
    """Against differences over growing parts of the series."""
    part = {name: series[name][:30] for name in ("counts", "watched", "design")}
    theta = np.array([-1.0, 0.3, 0.5, 1.3])
    places = np.array([[0, 1]]), np.array([2])

    def steps(x):
        whole = []
        for d in range(1, 31):
            data = series | {name: rows[:d] for name, rows in part.items()}
            values = np.array([[1.0, x[3]]])
            whole.append(day_filter(x, values, *data.values(), start, *places)[0])
        return np.diff(whole, prepend=0.0)

    scores = np.stack([(steps(theta + h) - steps(theta - h)) / 2e-5 for h in np.eye(4) * 1e-5])
    jacobians = np.array([[[0.0], [1.0]]])
    found = day_filter_scores(
        theta, np.array([[1.0, 1.3]]), jacobians, np.array([[3]]), *(series | part).values(), start,
        *places,
    )  # fmt: skip
    wanted = scores @ scores.T
    np.testing.assert_allclose(found, wanted, atol=1e-6 * wanted.max())
