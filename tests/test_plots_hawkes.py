"""Drawings of Hawkes fits return their axes, repeat, and show what they should."""

import xml.etree.ElementTree as ElementTree
from datetime import date

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch

from escalation import plots
from escalation.engines import MaximumLikelihood
from escalation.fit import Fit
from escalation.hawkes import Hawkes
from escalation.hawkes.cascade import Cascade, cascade
from escalation.hawkes.residuals import Residuals, residuals
from escalation.kernels import Histogram
from escalation.plots.style import figure, style, svg
from escalation.series import EventSeries
from hawkes.branching import branch

NAMES = ("#strong[x] $y$ *z*", "Shelling across the border")


@pytest.fixture(scope="module")
def fit() -> Fit:
    rng = np.random.default_rng(3)
    times, _ = branch([0.3, 0.2], [[0.5, 0.3], [0.0, 0.3]], 1.0, 366.0, rng)
    series = EventSeries.from_times(times, date(2020, 1, 1), date(2021, 1, 1), NAMES)
    return Hawkes().fit(series, MaximumLikelihood(draws=60))


@pytest.fixture(scope="module")
def parents(fit: Fit) -> Cascade:
    return cascade(fit, draws=10)


@pytest.fixture(scope="module")
def left(fit: Fit) -> Residuals:
    return residuals(fit)


def panel() -> Axes:
    axes: Axes = figure(2.4)[1][0, 0]
    return axes


def draw(fit: Fit, parents: Cascade, left: Residuals) -> dict[str, Axes]:
    window = fit.series.window
    made = {name: panel() for name in ("rate", "delays", "network", "cascade", "qq", "counts")}
    returned = {
        "rate": plots.intensity(made["rate"], fit, 0),
        "delays": plots.delays(made["delays"], fit),
        "network": plots.network(made["network"], fit.dynamics()),
        "cascade": plots.cascade(made["cascade"], parents, window),
        "qq": plots.residual_quantiles(made["qq"], left, 0),
        "counts": plots.residual_counts(made["counts"], left, 0, window),
    }
    assert returned == made
    return made


def texts(ax: Axes) -> str:
    tree = ElementTree.fromstring(svg(ax.figure))
    return " ".join(
        "".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text")
    )


def test_every_drawing_returns_its_axes_and_is_the_same_twice(
    fit: Fit, parents: Cascade, left: Residuals
) -> None:
    with style():
        first = {name: svg(ax.figure) for name, ax in draw(fit, parents, left).items()}
        second = {name: svg(ax.figure) for name, ax in draw(fit, parents, left).items()}
    assert first == second


def test_names_are_drawn_as_they_are_written(fit: Fit, parents: Cascade, left: Residuals) -> None:
    with style():
        made = draw(fit, parents, left)
        for name in ("network", "cascade"):
            drawn = texts(made[name]).replace(" ", "")
            assert all(word in drawn for word in NAMES[0].split()), name


def test_the_network_has_an_arrow_for_each_that_is_allowed(fit: Fit) -> None:
    dynamics = Hawkes(arrows=((True, True), (False, True))).fit(
        fit.series, MaximumLikelihood(draws=40)
    ).dynamics()  # fmt: skip
    with style():
        ax = plots.network(panel(), dynamics)
    arrows = [one for one in ax.patches if isinstance(one, FancyArrowPatch)]
    assert len(arrows) == 3
    lower, _ = dynamics.interval(0.9)
    numbers = [one for one in ax.texts if "(" in one.get_text()]
    assert len(numbers) == int((lower >= 0.005).sum())


def test_a_cascade_has_a_line_for_each_child_in_the_span(fit: Fit, parents: Cascade) -> None:
    with style():
        whole = plots.cascade(panel(), parents, fit.series.window)
        part = plots.cascade(panel(), parents, fit.series.window, start=50, end=80)
        none = plots.cascade(panel(), parents, fit.series.window, start=0.0, end=1e-9)
    lines = [
        next(one for one in ax.collections if isinstance(one, LineCollection))
        for ax in (whole, part)
    ]
    assert len(lines[0].get_segments()) == (parents.most_likely >= 0).sum()
    assert 0 < len(lines[1].get_segments()) < len(lines[0].get_segments())
    assert "no incidents" in texts(none)


def test_the_rate_of_days_and_of_a_span_is_drawn(fit: Fit) -> None:
    days = EventSeries.from_times(
        [np.floor(fit.series.times[0])], date(2020, 1, 1), date(2021, 1, 1), resolution="day"
    )
    coded = Hawkes().fit(days, MaximumLikelihood(draws=20))
    with style():
        ax = plots.intensity(panel(), coded, 0, start=100, end=130)
        drawn = texts(ax)
    assert "10 Apr" in drawn
    assert ax.get_xlim()[1] - ax.get_xlim()[0] == 30


def test_plain_times_count_days_from_the_start(fit: Fit) -> None:
    plain = EventSeries.from_times(fit.series.times, 0.0, 366.0)
    again = Fit(fit.model, plain, fit.draws, fit.estimate, 0.0, {}, fit.engine)
    with style():
        ax = plots.intensity(panel(), again, 0)
    assert ax.get_xlim() == (0.0, 366.0)
    assert ax.get_xlabel() == "days"


def test_a_histogram_is_drawn_upright(fit: Fit) -> None:
    model = Hawkes(kernel=Histogram(edges=(0.0, 1.0, 3.0, 9.0)))
    problem = model.parameters(fit.series)
    rng = np.random.default_rng(0)
    draws = {p.name: p.sample_prior(rng, 30) for p in problem}
    drawn = Fit(model, fit.series, draws, {n: v[0] for n, v in draws.items()}, 0.0, {}, "")
    with style():
        ax = plots.delays(panel(), drawn, reach=8.0)
    x, y = (np.asarray(one) for one in ax.lines[0].get_data())
    steps = np.flatnonzero(np.abs(np.diff(y)) > 1e-6)
    np.testing.assert_allclose(x[steps], [1.0, 3.0], rtol=1e-6)
    np.testing.assert_allclose(x[steps + 1], [1.0, 3.0], rtol=1e-6)


def test_a_silent_stream_says_so(fit: Fit) -> None:
    series = EventSeries.from_times([fit.series.times[0], []], 0.0, 366.0)
    silent = Hawkes().fit(series, MaximumLikelihood(draws=20))
    with style():
        ax = plots.residual_quantiles(panel(), residuals(silent), 1)
        assert "too short" in texts(ax)
        svg(plots.intensity(panel(), silent, 1).figure)
