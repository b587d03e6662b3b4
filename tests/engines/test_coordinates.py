"""The sampler's coordinates: the same posterior, with its gradient."""

from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.counts import EndemicEpidemic, Ingarch, LogLinear
from escalation.engines.coordinates import Coordinates
from escalation.engines.density import Density, Metric, climb, covariance_at
from escalation.hawkes import Hawkes
from escalation.parameters import WorkingScale
from escalation.series import CountSeries, EventSeries

MASKED = ((True, False, True), (False, False, False), (True, True, True))
MODELS = {
    "full": EndemicEpidemic(background=Background((1, 0, 1))),
    "masked": EndemicEpidemic(background=Background((1, 0, 1)), arrows=MASKED),
    "one dispersion": EndemicEpidemic(dispersion="shared"),
    "poisson": EndemicEpidemic(distribution="poisson"),
    "log-linear": LogLinear(),
    "ingarch": Ingarch(past_obs=(1, 2), past_mean=(1, 2, 3), arrows=MASKED),
    "hawkes": Hawkes(background=Background(harmonics=1)),
    "eras": Hawkes(eras=(date(2022, 3, 1),)),
}


def counts():
    drawn = np.random.default_rng(4).poisson([2.0, 1.0, 4.0], (90, 3))
    return CountSeries.from_counts(drawn, date(2022, 1, 3))


def events():
    rng = np.random.default_rng(5)
    times = [np.sort(rng.uniform(0, 181, n)) for n in (60, 40, 90)]
    return EventSeries.from_times(times, date(2022, 1, 1), date(2022, 7, 1), names=["a", "b", "c"])


@pytest.fixture(scope="module", params=MODELS, ids=str)
def problem(request):
    model = MODELS[request.param]
    return model.problem(events() if isinstance(model, Hawkes) else counts())


def points(problem, coordinates, rng, number):
    """Coordinates about those of the model's first start."""
    start = coordinates.to(problem.starts[0])
    return start + rng.normal(0.0, 0.3, (number, coordinates.free))


def plain_density(problem, theta):
    """Log-likelihood, every prior, and the Jacobian of logs and logits, from the parameters."""
    value = problem.evaluate(theta)[0] + problem.layout.penalty(theta, every=True)[0]
    for place, support in zip(problem.layout.free, problem.layout.supports, strict=True):
        if support in ("positive", "nonnegative"):
            value += np.log(theta[place])
        elif support == "unit":
            value += np.log(theta[place] * (1 - theta[place]))
    return value


def test_the_density_is_that_of_the_plain_parameters(problem, rng):
    coordinates = Coordinates.of(problem)
    density = Density(problem, coordinates)
    xs = points(problem, coordinates, rng, 5)
    thetas = coordinates.back(xs)
    gaps = [
        density.plain(x)[0] - plain_density(problem, theta)
        for x, theta in zip(xs, thetas, strict=True)
    ]
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-9, atol=1e-7)


def test_the_gradient_is_that_of_finite_differences(problem, rng):
    coordinates = Coordinates.of(problem)
    density = Density(problem, coordinates)
    x = points(problem, coordinates, rng, 1)[0]
    root = np.tril(rng.normal(0.0, 0.1, (x.size, x.size))) + np.eye(x.size)
    density.use(Metric(x, root))
    z = rng.normal(0.0, 0.05, x.size)
    density(z)
    gradient = density.by_z.copy()
    for i in range(x.size):
        step = 1e-5 * (np.arange(x.size) == i)
        numeric = (density(z + step) - density(z - step)) / 2e-5
        np.testing.assert_allclose(gradient[i], numeric, rtol=1e-4, atol=1e-3)


def test_coordinates_and_parameters_are_one_to_one(problem, rng):
    coordinates = Coordinates.of(problem)
    xs = points(problem, coordinates, rng, 5)
    theta = coordinates.back(xs)
    layout = problem.layout
    fixed = np.setdiff1d(np.arange(layout.size), layout.free)
    assert (theta[:, fixed] == 0).all()
    assert (np.ptp(theta[:, layout.free], axis=0) > 0).all()
    WorkingScale(tuple(layout.supports)).to(theta[:, layout.free])
    for x, one in zip(xs, theta, strict=True):
        np.testing.assert_allclose(coordinates.to(one), x, rtol=1e-6, atol=1e-9)


def test_the_first_coordinates_are_the_mean_rates():
    problem = MODELS["full"].problem(counts())
    coordinates = Coordinates.of(problem)
    assert coordinates.rows == 3 and coordinates.splits == 9
    x = points(problem, coordinates, np.random.default_rng(0), 1)
    values = problem.layout.unpack(coordinates.back(x))
    # Background and arrows times the sources' rates sum to a row's rate.
    total = np.exp(values["level"]) + values["reproduction"] @ problem.rates
    np.testing.assert_allclose(total, problem.rates * np.exp(x[:, :3]))


def test_the_metric_makes_a_normal_law_standard(rng):
    size = 6
    root = np.tril(rng.normal(size=(size, size))) + 2 * np.eye(size)
    centre, precision = rng.normal(size=size), np.linalg.inv(root @ root.T)

    class Normal:
        def plain(self, x):
            gap = precision @ (x - centre)
            return -0.5 * float((x - centre) @ gap), -gap

    mode, value = climb(Normal().plain, np.zeros(size))
    # The climb ends where a step would raise the density by nothing that matters.
    assert value > -1e-3
    covariance = covariance_at(Normal(), mode)
    np.testing.assert_allclose(covariance, root @ root.T, rtol=1e-5, atol=1e-6)
    metric = Metric.of(mode, covariance)
    x = rng.normal(size=size)
    np.testing.assert_allclose(metric.to_x(metric.to_z(x)), x)
