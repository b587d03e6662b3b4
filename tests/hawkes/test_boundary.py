"""Boundary and bad data: a right answer, or an error that says what is wrong."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.background import Background, Covariates
from escalation.engines import Laplace, MaximumLikelihood
from escalation.hawkes import Hawkes, Marks, Shrinkage
from escalation.kernels import Histogram, Lomax, Weibull
from escalation.series import EventSeries

START, END = date(2020, 1, 1), date(2021, 1, 1)


def days(*streams):
    names = [f"stream {k}" for k in range(len(streams))]
    return EventSeries.from_times(list(streams), START, END, names, resolution="day")


def exact(*streams, end=366.0):
    return EventSeries.from_times(list(streams), 0.0, end)


#: Exact times, and days: that likelihood of several streams takes a minute to compile.
CODED = pytest.mark.parametrize(
    "coded",
    [pytest.param(False, id="exact"), pytest.param(True, id="day", marks=pytest.mark.slow)],
)


@pytest.fixture
def scattered(rng):
    return np.sort(rng.random(80) * 366)


@CODED
def test_an_empty_stream(scattered, coded):
    series = days(np.floor(scattered), []) if coded else exact(scattered, [])
    fit = Hawkes().fit(series)
    assert np.isfinite(fit.log_likelihood)
    # No event of the second stream: nothing sets one off, and its rate is all but zero.
    np.testing.assert_allclose(fit.estimate["reproduction"][1, 0], 0, atol=1e-6)
    assert np.exp(fit.estimate["level"][1]) < 1e-3
    assert np.isfinite(fit.forecast(4, draws=50).draws).all()


@CODED
def test_all_streams_empty(coded):
    series = days([], []) if coded else exact([], [])
    fit = Hawkes().fit(series)
    assert np.isfinite(fit.log_likelihood)
    assert fit.log_likelihood > -1e-2


@pytest.mark.parametrize("coded", [False, True], ids=["exact", "day"])
@pytest.mark.parametrize("engine", [MaximumLikelihood(), Laplace()], ids=["ML", "Laplace"])
def test_one_event(coded, engine):
    series = days([100.0]) if coded else exact([100.3])
    fit = Hawkes().fit(series, engine)
    assert np.isfinite(fit.log_likelihood)
    lower, _ = fit.dynamics().interval()
    assert lower[0, 0] == 0


def test_all_on_one_day():
    fit = Hawkes().fit(days(np.full(40, 100.0)))
    # One cluster of forty: R is large, and how fast is known from below only.
    assert np.isfinite(fit.log_likelihood)
    assert fit.estimate["reproduction"][0, 0] > 0.5


def test_a_supercritical_truth_is_recovered():
    model = Hawkes()
    truth = {"level": np.log([0.1]), "reproduction": np.array([[1.3]]), "decay": np.array(0.2)}
    like = exact([], end=100.0)
    series = next(
        one
        for one in (model.simulate(truth, like, np.random.default_rng(i)) for i in range(50))
        if len(one) > 300
    )
    fit = model.fit(series)
    interval = np.quantile(fit.draws["reproduction"], [0.005, 0.995])
    assert interval[0] < 1.3 < interval[1]
    dynamics = fit.dynamics()
    assert dynamics.supercritical > 0.5
    assert np.isinf(dynamics.total_effect[dynamics.branching_ratio >= 1]).all()
    forecast = fit.forecast(8, draws=20)
    assert (forecast.draws >= 0).all()


def test_explosive_parameters_are_told():
    truth = {"level": np.log([5.0]), "reproduction": np.array([[2.0]]), "decay": np.array(2.0)}
    with pytest.raises(ValueError, match="is the process explosive"):
        Hawkes().simulate(truth, exact([]), np.random.default_rng(0))


def test_a_million_events():
    rng = np.random.default_rng(0)
    times = np.sort(rng.random(1_000_000) * 1e5)
    fit = Hawkes().fit(exact(times, end=1e5))
    # A Poisson process: no excitation, the rate known to a thousandth.
    assert fit.diagnostics["converged"]
    interval = np.exp(np.quantile(fit.draws["level"], [0.0005, 0.9995]))
    assert fit.estimate["reproduction"][0, 0] < 0.01
    assert interval[0] * 0.99 < 10 < interval[1] * 1.01


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1.0, 400.0], "event 1: time 400.0 lies outside the watch"),
        ([-1.0, 4.0], "event 0: time -1.0 lies outside the watch"),
        ([1.0, np.nan], "event 1: time nan is not a finite time"),
        ([1.0, np.inf], "event 1: time inf is not a finite time"),
    ],
)
def test_times_that_cannot_be(times, message):
    with pytest.raises(ValueError, match=message):
        exact(times)


def test_unsorted_times_are_sorted_or_refused():
    series = exact([5.0, 1.0, 3.0])
    np.testing.assert_array_equal(series.times[0], [1.0, 3.0, 5.0])
    with pytest.raises(ValueError, match="event 1: time 1 is out of order"):
        replace(series, times=(np.array([5.0, 1.0, 3.0]),))


def test_a_fraction_of_a_day_is_no_day():
    with pytest.raises(ValueError, match=r"time 1\.5 is not a whole day"):
        days([1.5])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: Hawkes(kernel_per="source"), "kernel_per must be one of all, target, pair"),
        (lambda: Hawkes(eras=(END, START)), "eras must be different dates in order"),
        (lambda: Hawkes(warmup=-1.0), "warmup must not be negative"),
        (lambda: Hawkes(day_coded="guess"), "day_coded must be one of"),
        (lambda: Marks("exponential"), "wants their bound"),
        (lambda: Marks("linear"), "effect must be power or exponential"),
        (lambda: Shrinkage("elastic"), "shrinkage must be lasso or ridge"),
        (lambda: Covariates(START, np.array([[np.nan]]), ("price",)), "2020-01-01 is missing"),
        (lambda: Background(trend=90, trend_kind="line"), "trend_kind must be spline or steps"),
    ],
)
def test_a_specification_that_cannot_be(model, message):
    with pytest.raises(ValueError, match=message):
        model()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Hawkes(eras=(END,)), "does not begin inside"),
        (Hawkes(warmup=400.0), "leaves nothing to fit"),
        (Hawkes(marks=Marks()), "the series has none"),
        (
            Hawkes(background=Background(covariates=Covariates(START, np.ones((9, 1)), ("x",)))),
            "covariates run from 2020-01-01 to 2020-01-09, 2020-01-10 is wanted",
        ),
    ],
)
def test_a_specification_that_does_not_fit_the_series(scattered, model, message):
    series = EventSeries.from_times([scattered], START, END)
    with pytest.raises(ValueError, match=message):
        model.fit(series)


@pytest.mark.parametrize(
    ("marks", "model", "message"),
    [
        ([1.0, -2.0], Hawkes(marks=Marks()), "event 1: mark -2 is negative"),
        ([1.0, np.nan], Hawkes(marks=Marks()), "event 1: mark nan is negative or not a number"),
        ([1.0, 9.0], Hawkes(marks=Marks("exponential", bound=8.0)), "mark 9 is not at most 8"),
    ],
)
def test_marks_that_cannot_be(marks, model, message):
    series = replace(exact([1.0, 2.0]), marks=(np.array(marks),))
    with pytest.raises(ValueError, match=message):
        model.fit(series)


@pytest.mark.parametrize("kernel", [Weibull(truncation=20.0), Histogram(), Lomax(exact=True)])
def test_day_coded_times_want_exponentials(scattered, kernel):
    with pytest.raises(ValueError, match="want a kernel made of exponentials"):
        Hawkes(kernel=kernel).fit(days(np.floor(scattered)))


def test_a_warm_up_is_for_exact_times(scattered):
    with pytest.raises(ValueError, match="a warm-up is for exact times"):
        Hawkes(warmup=10.0).fit(days(np.floor(scattered)))


def test_batches_are_for_quiet_streams():
    with pytest.raises(ValueError, match="incidents on 100 % of its days"):
        Hawkes(batches=True).fit(days(np.arange(366.0)))
    marked = replace(days([1.0, 2.0]), marks=(np.ones(2),))
    with pytest.raises(ValueError, match="the series has marks already"):
        Hawkes(batches=True, marks=Marks()).fit(marked)
