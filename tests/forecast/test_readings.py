"""What is read off a forecast: shortest intervals, onset, sums over groups of streams."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.forecast import Forecast
from escalation.forecast.intervals import shortest
from escalation.series import CountSeries


@pytest.fixture
def series(rng):
    counts = np.column_stack([rng.poisson(2.0, 60), np.zeros(60, int), rng.poisson(1.0, 60)])
    return CountSeries.from_counts(counts, date(2020, 1, 6), names=("A", "B", "C"))


@pytest.fixture
def forecast(series, rng):
    return Forecast.after(series, rng.poisson([2.0, 0.1, 1.0], (400, 12, 3)), "a test")


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_the_shortest_interval_agrees_with_a_search(rng, level):
    draws = rng.negative_binomial(1, 0.2, (101, 7))
    found = shortest(draws, level)
    for column, (lower, upper) in zip(draws.T, found.T, strict=True):
        held = ((column >= lower) & (column <= upper)).mean()
        assert held >= level
        widths = [
            b - a
            for a in column
            for b in column
            if b >= a and ((column >= a) & (column <= b)).mean() >= level
        ]
        assert upper - lower == min(widths)


def test_shortest_intervals_of_stopped_paths(forecast):
    draws = np.array([0.0, 1.0, 1.0, np.inf, np.inf])
    assert shortest(draws, 0.6).tolist() == [0, 1]
    assert shortest(draws, 0.9)[1] == np.inf
    assert shortest(np.full(3, np.inf), 0.5).tolist() == [np.inf, np.inf]
    assert (forecast.highest_density(0.8)[1] - forecast.highest_density(0.8)[0]).max() <= (
        forecast.interval(0.8)[1] - forecast.interval(0.8)[0]
    ).max()
    with pytest.raises(ValueError, match="level"):
        forecast.highest_density(90)


def test_onset_is_told_of_quiet_streams_only(forecast):
    onset = forecast.onset(against=12)
    assert np.isnan(onset[:, [0, 2]]).all()
    expected = (np.cumsum(forecast.draws[:, :, 1], axis=1) >= 1).mean(axis=0)
    np.testing.assert_array_equal(onset[:, 1], expected)
    assert (np.diff(onset[:, 1]) >= 0).all()
    assert (forecast.onset(against=12, n=3)[:, 1] <= onset[:, 1]).all()


def test_more_than_the_last_period(forecast):
    last = forecast.recent[-1]
    expected = (forecast.draws > last).mean(axis=0)
    np.testing.assert_array_equal(forecast.prob_above_recent(1), expected)
    twice = (forecast.draws > 2 * last).mean(axis=0)
    np.testing.assert_array_equal(forecast.prob_above_recent(1, factor=2), twice)


def test_sums_over_groups_keep_dependence(series, rng):
    one = rng.poisson(5, (500, 12, 1))
    forecast = Forecast.after(series, np.concatenate([one, one, 10 - one.clip(0, 10)], 2), "test")
    sums = forecast.sums({"both": ("A", "B"), "level": ("A", "C"), "C": ("C",)})
    assert sums.names == ("both", "level", "C")
    assert sums.draws[:, :, 0].var() == pytest.approx(4 * one.var())
    assert (sums.draws[:, :, 1][one[:, :, 0] <= 10] == 10).all()
    np.testing.assert_array_equal(sums.recent[:, 0], series.counts[:, 0] + series.counts[:, 1])
    whole = forecast.sums({"all": series.names})
    np.testing.assert_array_equal(whole.draws, forecast.total().draws)
    for wrong in ({}, {"x": ()}, {"x": ("nobody",)}):
        with pytest.raises(ValueError, match="want one or more of the streams A, B, C"):
            forecast.sums(wrong)


def test_sums_over_streams_and_periods_commute(forecast):
    first = forecast.total().blocks((4, 8))
    second = forecast.blocks((4, 8)).total()
    assert first == second
    assert replace(first, model="x") != second
