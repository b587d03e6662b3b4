"""The compiled log-posterior is that of the declared PyMC model, for every model."""

from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.counts import (
    Autoregression,
    Component,
    EndemicEpidemic,
    GaussianProcess,
    Hurdle,
    Ingarch,
    Latent,
    LogLinear,
    Neighbours,
    Panel,
    RandomIntercepts,
    RandomWalk,
    Regimes,
)
from escalation.engines.coordinates import Coordinates
from escalation.engines.density import Density
from escalation.hawkes import Hawkes, Marks, NonlinearHawkes
from escalation.kernels import FreeLags, Histogram, Lomax, Mixture, Weibull
from escalation.nowcast import Nowcast, ReportingTriangle
from escalation.series import CountSeries, EventSeries
from escalation.severity import DeathRecords, Severity
from escalation.window import Window

ORDER = ((0, 1, 2), (1, 0, 1), (2, 1, 0))
COUNTS = {
    "endemic-epidemic": EndemicEpidemic(),
    "free lags": EndemicEpidemic(kernel=FreeLags(), lags=3),
    "trend and arrows": EndemicEpidemic(
        background=Background(trend=90.0),
        arrows=((True, False, True), (False, False, False), (True, True, True)),
    ),
    "components": EndemicEpidemic(own=Component(1), cross=Component(1), lags=3),
    "eras": EndemicEpidemic(eras=(date(2022, 9, 1),), lags=3),
    "neighbours": EndemicEpidemic(neighbours=Neighbours(ORDER, "power law"), lags=3),
    "random intercepts": EndemicEpidemic(
        background=Component(1, intercepts=RandomIntercepts()), lags=3
    ),
    "walk": EndemicEpidemic(background=Component(1, walk=RandomWalk(60.0)), lags=3),
    "shock": EndemicEpidemic(shared_shock=True, lags=3),
    "log-linear": LogLinear(),
    "log-linear with feedback": LogLinear(feedback=True),
    "ingarch": Ingarch(),
    "hurdle": Hurdle(kernel=FreeLags(), lags=3),
    "latent walk": Latent(RandomWalk(60.0)),
    "latent autoregression and contagion": Latent(Autoregression(60.0), contagion=True, lags=3),
    "latent Gaussian process": Latent(GaussianProcess(waves=8)),
    "regimes": Regimes(),
    "regimes with influence": Regimes(influence=True, kernel=FreeLags(), lags=3),
    "panel": Panel(lags=3),
    "panel without pooling": Panel(pooling="none", lags=3),
}
EVENTS = {
    "hawkes": Hawkes(background=Background(harmonics=1)),
    "hawkes, eras and marks": Hawkes(eras=(date(2022, 3, 1),), marks=Marks()),
    "kernel per pair": Hawkes(kernel_per="pair"),
    "mixture": Hawkes(kernel=Mixture()),
    "power law": Hawkes(kernel=Lomax()),
    "weibull": Hawkes(kernel=Weibull()),
    "histogram": Hawkes(kernel=Histogram()),
    "softplus": NonlinearHawkes(),
}
DAYS = {"day-coded": Hawkes()}
DEATHS = {
    "severity": Severity(threshold=5),
    "severity, partial pooling": Severity(threshold=5, streams="partial"),
}
REPORTS = {
    "nowcast": Nowcast(),
    "nowcast with momentum": Nowcast(momentum=True),
    "nowcast, delays by stream": Nowcast(delays="stream", pace=False),
}


def series_of(kind):
    rng = np.random.default_rng(5)
    if kind == "counts":
        drawn = rng.poisson([2.0, 1.0, 4.0], (70, 3))
        return CountSeries.from_counts(drawn, date(2022, 1, 3))
    if kind == "deaths":
        deaths = rng.geometric(0.2, 90)
        return DeathRecords.from_deaths(deaths, deaths - 1, 2 * deaths, stream=np.arange(90) % 3)
    if kind == "reports":
        edges = np.datetime64("2022-01-03") + 7 * np.arange(21)
        window = Window(edges[0].item(), edges[-1].item())
        return ReportingTriangle(rng.poisson(2.0, (20, 4, 2)), edges, ("a", "b"), window)
    times = [np.sort(rng.uniform(0, 181, n)) for n in (60, 40, 90)]
    marks = None
    if kind == "days":
        times, given = [np.floor(one) for one in times], "day"
    else:
        given, marks = "exact", [rng.exponential(1.0, one.size) for one in times]
    ends = date(2022, 1, 1), date(2022, 7, 1)
    return EventSeries.from_times(times, *ends, resolution=given, marks=marks)


CASES = [
    pytest.param(kind, model, id=name, marks=[pytest.mark.slow])
    for kind, models in (
        ("counts", COUNTS),
        ("events", EVENTS),
        ("days", DAYS),
        ("deaths", DEATHS),
        ("reports", REPORTS),
    )
    for name, model in models.items()
]


@pytest.mark.parametrize(("kind", "model"), CASES)
def test_density_and_gradient_are_those_of_the_declared_model(kind, model, rng):
    series = series_of(kind)
    problem = model.problem(series)
    declared = model.to_pymc(series)
    log_density = declared.compile_logp(mode="FAST_COMPILE")
    coordinates = Coordinates.of(problem)
    density = Density(problem, coordinates)
    start = coordinates.to(problem.starts[0])
    gaps = []
    for _ in range(3):
        x = start + rng.normal(0.0, 0.2, start.size)
        value, gradient = density.plain(x)
        gaps.append(value - log_density(point(declared, problem.layout, coordinates.back(x))))
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-8, atol=1e-6)
    for i in rng.choice(x.size, min(x.size, 12), replace=False):
        step = 1e-5 * (np.arange(x.size) == i)
        numeric = (density.plain(x + step)[0] - density.plain(x - step)[0]) / 2e-5
        np.testing.assert_allclose(gradient[i], numeric, rtol=1e-4, atol=1e-3)


def point(declared, layout, theta):
    """Values of the declared model's own unconstrained variables."""
    values, out = layout.unpack(theta), {}
    for p in layout.parameters:
        name = p.name if p.mask.all() else f"{p.name}_free"
        plain = values[p.name] if p.mask.all() else values[p.name][p.mask]
        for variable in declared.value_vars:
            if variable.name == f"{name}_log__":
                out[variable.name] = np.log(plain)
            elif variable.name == f"{name}_logodds__":
                out[variable.name] = np.log(plain / (1 - plain))
            elif variable.name == name:
                out[name] = plain
    return out
