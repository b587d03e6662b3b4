from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.engines import MaximumLikelihood
from escalation.hawkes import Hawkes
from escalation.hawkes.marks import Marks
from escalation.kernels import Exponential
from escalation.series import EventSeries

FEW = MaximumLikelihood(draws=20)


def truth(model, like, **given):
    """Values of all parameters: those given, the rest neutral."""
    out = {}
    for p in model.parameters(like):
        out[p.name] = np.broadcast_to(given.get(p.name, 0.0), p.shape).astype(float)
    return out


def test_a_kernel_a_pair_and_eras_reach_the_simulation(rng):
    like = EventSeries.from_times([[], []], date(2000, 1, 1), date(2010, 1, 1), ["a", "b"])
    model = Hawkes(kernel_per="pair", eras=(date(2005, 1, 1),))
    matrix = np.array([[[0.0, 0.0], [0.9, 0.0]], [[0.0, 0.9], [0.0, 0.0]]])
    values = truth(
        model, like, level=np.log([0.3, 0.2]), reproduction=matrix, decay=[[1.0, 0.05], [5.0, 1.0]]
    )
    series = model.simulate(values, like, rng)
    days, first = like.duration, 1827.0
    # Mean numbers, and the share of founders of the other stream; Poisson clusters of two at most.
    for k, (rate, other, watched) in enumerate(((0.3, 0.2, days - first), (0.2, 0.3, first))):
        mean = rate * days + 0.9 * other * watched
        assert abs(len(series.times[k]) - mean) < 4.5 * np.sqrt(mean + 0.9**2 * other * watched)
    # Answers to a are quick and those to b slow: times of b lie close after those of a at first.
    early = series.times[1][series.times[1] < first]
    waits = early - series.times[0][np.searchsorted(series.times[0], early) - 1]
    late = series.times[0][series.times[0] > first]
    slow = late - series.times[1][np.searchsorted(series.times[1], late) - 1]
    assert np.median(waits[1:]) < 0.6 < 1.5 < np.median(slow)


@pytest.mark.parametrize("effect", ["power", "exponential"])
def test_marks_are_resampled_and_kept(rng, effect):
    times = [np.sort(rng.random(40) * 100), np.sort(rng.random(30) * 100)]
    like = replace(
        EventSeries.from_times(times, 0, 100, ["a", "b"]),
        marks=(rng.integers(0, 4, 40).astype(float), np.full(30, 2.0)),
    )
    model = Hawkes(marks=Marks(effect, None if effect == "power" else 5.0))
    values = truth(
        model, like, level=np.log([0.4, 0.3]), reproduction=0.2, mark_exponent=[0.4, 0.1], decay=1.0
    )
    series = model.simulate(values, like, rng)
    assert set(np.round(series.marks[0], 9)) <= {0.0, 1.0, 2.0, 3.0}
    np.testing.assert_allclose(series.marks[1], 2.0)
    assert np.isfinite(model.problem(series).evaluate(model.problem(series).starts[0])[0])


def test_batches_are_simulated_as_the_incidents_they_hold(rng):
    days = np.sort(np.concatenate([rng.integers(0, 400, 150), rng.integers(0, 400, 30).repeat(3)]))
    series = EventSeries.from_times([days], 0, 400, ["a"], "day")
    model = Hawkes(batches=True, day_coded="naive", background=Background(harmonics=0))
    values = truth(model, series, level=np.log([0.3]), reproduction=0.3, decay=1.0)
    counts = [len(model.simulate(values, series, rng).times[0]) for _ in range(60)]
    batches = model.prepared(series)
    mean = 0.3 * 400 / 0.7 * (1 + batches.marks[0].mean())
    assert abs(np.mean(counts) - mean) < 4.5 * np.std(counts) / np.sqrt(60) + 0.01 * mean
    fit = model.fit(series, FEW)
    replicated = fit.replicate(rng, 40).sum(axis=(1, 2))
    assert abs(np.median(replicated) / len(days) - 1) < 0.4
    forecast = fit.forecast(4, rng, 400)
    weekly = 7 * len(days) / 400
    assert abs(forecast.draws.mean() / weekly - 1) < 0.5


def test_a_forecast_follows_the_marks_of_the_last_events(rng):
    # One large event on the last day against one small one.
    times = [np.append(np.sort(rng.random(200) * 199), 199.9)]
    means = []
    for last in (0.0, 20.0):
        marks = (np.append(rng.integers(0, 3, 200).astype(float), last),)
        series = replace(EventSeries.from_times(times, 0, 200), marks=marks)
        model = Hawkes(Exponential(), marks=Marks("power"))
        fit = model.fit(series, FEW)
        draws = {
            "level": np.log(0.5), "reproduction": 0.4, "mark_exponent": 1.0, "decay": 0.5,
        }  # fmt: skip
        fixed = {n: np.broadcast_to(draws[n], v.shape).copy() for n, v in fit.draws.items()}
        # Two weeks: the first may begin before the end of the series.
        means.append(replace(fit, draws=fixed).forecast(2, rng, 4000).draws.sum(axis=1).mean())
    assert means[1] > means[0] + 1.0
