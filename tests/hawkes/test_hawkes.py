import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import expm

from escalation.background import Background
from escalation.engines import MaximumLikelihood
from escalation.hawkes import Hawkes
from escalation.parameters import Layout
from escalation.series import EventSeries

PUBLISHED = json.loads((Path(__file__).parents[1] / "references/published.json").read_text("utf-8"))
TRUTH = {
    "level": np.log([0.3, 0.2]),
    "reproduction": np.array([[0.4, 0.2], [0.0, 0.3]]),
    "decay": np.array(0.8),
}


def column(path, name):
    with path.open(encoding="utf-8") as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


def naive(series, values):
    """Log-likelihood by double loop over events, from the definition."""
    rate, reproduction = np.exp(values["level"]), values["reproduction"]
    decay = float(values["decay"])
    total = -rate.sum() * series.duration
    for k, times in enumerate(series.times):
        for t in times:
            intensity = rate[k]
            for j, others in enumerate(series.times):
                ages = t - others[others < t]
                intensity += reproduction[k, j] * (decay * np.exp(-decay * ages)).sum()
            total += np.log(intensity)
    for j, times in enumerate(series.times):
        total -= reproduction[:, j].sum() * (1 - np.exp(-decay * (series.duration - times))).sum()
    return total


@pytest.fixture
def series(rng):
    like = EventSeries.from_times([[], []], 0.0, 200.5, ["attacks", "strikes"])
    return Hawkes().simulate(TRUTH, like, rng)


def test_tangshan(shared):
    told = PUBLISHED["tangshan"]
    times = column(shared / "references/data/PtProcess_Tangshan.csv", "time")
    fit = Hawkes().fit(EventSeries.from_times([times], 0, 4018))
    assert abs(fit.log_likelihood - told["log_likelihood"]) < 1e-5
    np.testing.assert_allclose(np.exp(fit.estimate["level"]), told["background"], rtol=1e-4)
    np.testing.assert_allclose(fit.estimate["reproduction"], told["reproduction"], rtol=1e-4)
    np.testing.assert_allclose(fit.estimate["decay"], told["decay"], rtol=1e-4)


def test_two_streams_at_the_truth(shared):
    told = PUBLISHED["bivariate_hawkes"]
    path = shared / "references/data/stelfi_multi_hawkes.csv"
    times, stream = column(path, "t"), column(path, "s")
    series = EventSeries.from_times([times[stream == k] for k in (1, 2)], 0.0, float(times.max()))
    problem = Hawkes().problem(series)
    reproduction = np.array(told["jump"]) / told["decay"]
    theta = problem.layout.pack(
        {
            "level": np.log(told["background"]),
            "reproduction": reproduction,
            "decay": told["decay"],
        }
    )
    assert abs(problem.evaluate(theta)[0] - told["log_likelihood"]) < 1e-5


def test_two_streams_with_a_decay_each(shared):
    told = PUBLISHED["bivariate_hawkes"]
    path = shared / "references/data/stelfi_multi_hawkes.csv"
    times, stream = column(path, "t"), column(path, "s")
    series = EventSeries.from_times([times[stream == k] for k in (1, 2)], 0.0, float(times.max()))
    fit = Hawkes(kernel_per="target").fit(series)
    assert abs(fit.log_likelihood - told["maximum"]) < 1e-5
    np.testing.assert_allclose(fit.estimate["decay"], told["decay_there"], rtol=1e-3)
    jump = fit.estimate["reproduction"] * fit.estimate["decay"][:, None]
    np.testing.assert_allclose(jump, told["jump_there"], rtol=1e-3)


def test_coal(shared):
    told = PUBLISHED["coal"]
    times = column(shared / "references/data/boot_coal.csv", "date")
    fit = Hawkes().fit(EventSeries.from_times([times], 1851.0, 1963.0))
    assert abs(fit.log_likelihood - told["log_likelihood"]) < 1e-5
    np.testing.assert_allclose(fit.estimate["reproduction"], told["reproduction"], rtol=1e-3)


def test_the_likelihood_is_that_of_the_definition(series):
    problem = Hawkes().problem(series)
    value, _ = problem.evaluate(problem.layout.pack(TRUTH))
    np.testing.assert_allclose(value, naive(series, TRUTH), rtol=1e-10)


def test_the_gradient_is_that_of_finite_differences(series, rng):
    model = Hawkes(background=Background(harmonics=1, season_length=100, trend=100))
    problem = model.problem(series)
    theta = problem.layout.pack({k: v[0] for k, v in problem.layout.sample_prior(rng, 1).items()})
    _, gradient = problem.evaluate(theta)
    for i in range(theta.size):
        step = 1e-6 * (np.arange(theta.size) == i)
        rise = problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]
        np.testing.assert_allclose(gradient[i], rise / 2e-6, rtol=1e-5, atol=1e-4)


def test_ties_within_a_stream_follow_one_another_and_across_streams_do_not():
    values = {
        "level": np.log([0.5, 0.5]),
        "reproduction": np.array([[0.5, 0.4], [0.3, 0.2]]),
        "decay": 2.0,
    }
    tied = EventSeries.from_times([[1.0] + [2.0] * 2 + list(range(3, 30)), [2.0]], 0, 30)
    nudged = EventSeries.from_times([[1.0, 2.0, 2.0 + 1e-9, *range(3, 30)], [2.0]], 0, 30)
    model = Hawkes()
    results = []
    for series in (tied, nudged):
        problem = model.problem(series)
        results.append(problem.evaluate(problem.layout.pack(values))[0])
    # Nudged, the second tied event also follows the other stream's: 0.4 times the decay more.
    before = 0.5 + 0.5 * 2 * np.exp(-2) + 0.5 * 2
    extra = np.log(before + 0.4 * 2) - np.log(before)
    np.testing.assert_allclose(results[1] - results[0], extra, atol=1e-6)


def test_simulated_counts_have_the_mean_of_the_process(rng):
    like = EventSeries.from_times([[], []], 0, 20_000, ["a", "b"])
    series = Hawkes().simulate(TRUTH, like, rng)
    mean = np.linalg.solve(np.eye(2) - TRUTH["reproduction"], np.exp(TRUTH["level"]))
    seen = np.array([len(times) for times in series.times]) / 20_000
    # The variance of the counts is that of clusters: standard errors are about one per cent.
    np.testing.assert_allclose(seen, mean, rtol=0.05)


def test_residuals_of_simulated_times_are_exponential(series, rng):
    # Time rescaling: increments of the compensator at the events of the first stream.
    from scipy import stats

    like = EventSeries.from_times([[], []], 0.0, 3000.0, ["a", "b"])
    series = Hawkes().simulate(TRUTH, like, rng)
    grid = series.times[0]
    compensator = np.exp(TRUTH["level"][0]) * grid
    for j, times in enumerate(series.times):
        ages = grid[:, None] - times[None, :]
        gone = np.where(ages > 0, 1 - np.exp(-0.8 * np.maximum(ages, 0)), 0)
        compensator = compensator + TRUTH["reproduction"][0, j] * gone.sum(axis=1)
    # False alarm once in a thousand.
    assert stats.kstest(np.diff(compensator), "expon").pvalue > 0.001


def test_responses_are_the_integral_of_the_linear_system(series):
    dynamics = Hawkes().fit(series, MaximumLikelihood(draws=20)).dynamics()
    fit = Hawkes().fit(series, MaximumLikelihood(draws=20))
    decay, matrix = fit.draws["decay"][3], fit.draws["reproduction"][3]
    times = np.linspace(0, 14, 4001)
    path = np.stack([expm(decay * (matrix - np.eye(2)) * t) @ (decay * matrix) for t in times])
    wanted = np.trapezoid(path, times, axis=0)
    got = np.stack([dynamics.response(name, 14)[3] for name in dynamics.names], axis=1)
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_a_forecast_goes_on_from_the_history(series):
    fit = Hawkes().fit(series)
    forecast = fit.forecast(8, np.random.default_rng(1), draws=400)
    again = fit.forecast(8, np.random.default_rng(1), draws=400)
    np.testing.assert_array_equal(forecast.draws, again.draws)
    assert forecast.draws.shape == (400, 8, 2)
    long_run = 7 * np.linalg.solve(
        np.eye(2) - fit.estimate["reproduction"], np.exp(fit.estimate["level"])
    )
    ratio = forecast.draws[:, -1].mean(axis=0) / long_run
    np.testing.assert_allclose(np.median(ratio), 1, atol=0.4)


def test_offspring_of_the_history_is_in_the_forecast():
    # A burst on the last day: the next week must expect more than a week later on.
    times = [np.concatenate([np.arange(0.5, 300, 10), 300 - np.linspace(0.01, 1, 30)])]
    series = EventSeries.from_times(times, 0.0, 300.0)
    forecast = Hawkes().fit(series).forecast(4, np.random.default_rng(1), draws=2000)
    assert forecast.mean[0, 0] > 1.5 * forecast.mean[3, 0]


def test_many_ties_in_times_said_to_be_exact_are_refused():
    series = EventSeries.from_times([[1.0, 1, 2, 2, 3, 3]], 0, 10)
    with pytest.raises(ValueError, match="share their time with another"):
        Hawkes().fit(series)


def test_an_empty_stream_is_no_trouble():
    series = EventSeries.from_times([np.arange(0.5, 100, 1.7), []], 0, 100)
    fit = Hawkes().fit(series)
    assert np.isfinite(fit.log_likelihood)
    assert fit.estimate["reproduction"][1, 0] == 0
    assert Layout(fit.parameters).labels[0] == "level[0]"
