"""The sampler's coordinates: the same posterior, with its gradient."""

from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.counts import EndemicEpidemic
from escalation.engines.mixing import Coordinates, to_coordinates, to_parameters
from escalation.parameters import WorkingScale
from escalation.series import CountSeries

FULL = None
MASKED = ((True, False, True), (False, False, False), (True, True, True))


@pytest.fixture(params=[FULL, MASKED], ids=["full", "masked"])
def problem(request):
    counts = np.random.default_rng(4).poisson([2.0, 1.0, 4.0], (90, 3))
    model = EndemicEpidemic(background=Background((1, 0, 1)), arrows=request.param)
    return model.problem(CountSeries.from_counts(counts, date(2022, 1, 3)))


def log_posterior(problem, coordinates, x):
    theta = to_parameters(x, problem.rates, *coordinates.arrays)
    value, gradient = problem.evaluate(theta)
    value, gradient = to_coordinates(x, theta, value, gradient, problem.rates, *coordinates.arrays)
    return theta, value, gradient


def point(problem, coordinates, rng):
    """Coordinates near the data, the further ones on their own scale."""
    free = len(problem.layout.free)
    x = rng.normal(0.0, 0.3, free)
    x[coordinates.streams + coordinates.splits :] = np.abs(x[-1]) + 0.2
    return x


def test_the_density_is_that_of_the_plain_parameters(problem, rng):
    coordinates = Coordinates.of(problem)
    layout = problem.layout
    gaps = []
    for _ in range(4):
        theta, value, _ = log_posterior(problem, coordinates, point(problem, coordinates, rng))
        own = [p for p in layout.parameters if p.name in ("level", "reproduction")]
        plain = problem.evaluate(theta)[0]
        values = layout.unpack(theta)
        for p in own:
            plain += p.prior.at(p.mask).log_density(values[p.name][p.mask]).sum()
        plain += layout.joint.log_density(values["reproduction"])
        matrix = values["reproduction"]
        plain += np.log(matrix[matrix > 0]).sum()  # R is sampled through its logarithm
        gaps.append(value - plain)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-9)


def test_the_gradient_is_that_of_finite_differences(problem, rng):
    coordinates = Coordinates.of(problem)
    x = point(problem, coordinates, rng)
    _, _, gradient = log_posterior(problem, coordinates, x)
    for i in range(x.size):
        step = 1e-6 * (np.arange(x.size) == i)
        above = log_posterior(problem, coordinates, x + step)[1]
        below = log_posterior(problem, coordinates, x - step)[1]
        np.testing.assert_allclose(gradient[i], (above - below) / 2e-6, rtol=1e-5, atol=1e-3)


def test_every_parameter_can_be_reached_and_fixed_ones_stay_zero(problem, rng):
    coordinates = Coordinates.of(problem)
    xs = np.stack([point(problem, coordinates, rng) for _ in range(5)])
    theta = coordinates.back(xs, problem.rates)
    layout = problem.layout
    fixed = np.setdiff1d(np.arange(layout.size), layout.free)
    assert (theta[:, fixed] == 0).all()
    assert (np.ptp(theta[:, layout.free], axis=0) > 0).all()
    assert WorkingScale(tuple(layout.supports)).nonnegative.sum() > 0
    # The mean of each row: background and arrows times the sources' rates sum to its own rate.
    values = layout.unpack(theta)
    total = np.exp(values["level"]) + values["reproduction"] @ problem.rates
    np.testing.assert_allclose(total, problem.rates * np.exp(xs[:, : coordinates.streams]))
