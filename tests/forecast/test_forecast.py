"""Forecast: quantiles, sums that keep dependence, is it building up, scores against what came."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from escalation.forecast import ALL_STREAMS, Forecast, future_edges
from escalation.scores import crps_draws, log_score_draws
from escalation.series import CountSeries

NAMES = ("A acts on B", "B acts on A")


@pytest.fixture
def series(rng):
    return CountSeries.from_counts(rng.poisson(2.0, (60, 2)), date(2020, 1, 6), names=NAMES)


@pytest.fixture
def forecast(series, rng):
    return Forecast.after(series, rng.poisson([2.0, 5.0], (400, 12, 2)), "a test")


def constant(past, coming, draws=10, **options):
    """A forecast of one stream whose past and future are constant."""
    series = CountSeries.from_counts(np.full(60, past), date(2020, 1, 6), **options)
    return Forecast.after(series, np.full((draws, 12, 1), coming), "constant")


def test_a_forecast_carries_the_calendar_on(series, forecast):
    assert forecast.made_on == series.window.end == forecast.edges[0].item()
    assert (np.diff(forecast.edges) == np.timedelta64(7, "D")).all()
    assert forecast.recent.shape == (60, 2)
    assert (forecast.recent_edges == series.edges).all()


@pytest.mark.parametrize(
    ("period", "start", "expected"),
    [
        ("month", date(2019, 10, 1), ["2020-01-01", "2020-02-01", "2020-03-01", "2020-04-01"]),
        ("day", date(2020, 2, 25), ["2020-02-28", "2020-02-29", "2020-03-01", "2020-03-02"]),
        ("week", date(2020, 1, 1), ["2020-01-22", "2020-01-29", "2020-02-05", "2020-02-12"]),
    ],
)
def test_future_periods_follow_the_calendar(period, start, expected):
    series = CountSeries.from_counts([1, 2, 3], start, period)
    assert future_edges(series, 3).astype(str).tolist() == expected


def test_at_most_two_years_of_weeks_are_carried_along(rng):
    series = CountSeries.from_counts(rng.poisson(1, 200), date(2015, 1, 5))
    forecast = Forecast.after(series, np.ones((2, 1, 1)), "a test")
    assert forecast.recent[:, 0].tolist() == series.counts[-104:, 0].tolist()


def test_arrays_are_read_only_and_not_the_callers(series):
    draws = np.ones((3, 2, 2))
    forecast = Forecast.after(series, draws, "a test")
    draws[:] = 7
    assert forecast.draws.max() == 1
    for name in ("draws", "edges", "recent", "recent_edges", "recent_exposure"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(forecast, name)[0] = getattr(forecast, name)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": np.ones((3, 2))}, "shape"),
        ({"draws": np.full((3, 12, 2), np.nan)}, "whole numbers"),
        ({"draws": np.full((3, 12, 2), -1.0)}, "whole numbers"),
        ({"draws": np.full((3, 12, 2), 0.5)}, "whole numbers"),
        ({"names": ("one",)}, "names"),
        ({"edges": np.arange(5).astype("datetime64[D]")}, "edges"),
        ({"recent": np.ones((3, 2))}, "recent"),
        ({"made_on": date(2030, 1, 1)}, "cannot begin"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_door(forecast, change, message):
    with pytest.raises(ValueError, match=message):
        replace(forecast, **change)


def test_edges_must_rise(forecast):
    with pytest.raises(ValueError, match="must rise"):
        replace(forecast, edges=np.repeat(forecast.edges[:1], 13))


def test_quantiles_are_counts_and_intervals_nest(forecast):
    quantiles = forecast.quantile([0.1, 0.5, 0.9])
    assert quantiles.shape == (3, 12, 2)
    assert (quantiles == np.floor(quantiles)).all()
    inner, outer = forecast.interval(0.5), forecast.interval(0.95)
    assert (outer[0] <= inner[0]).all()
    assert (inner[1] <= outer[1]).all()
    with pytest.raises(ValueError, match="level"):
        forecast.interval(90)


def test_infinite_draws_lie_above_every_quantile_and_bring_no_nan(forecast):
    draws = forecast.draws.copy()
    draws[:40, 0, 0] = np.inf  # one in ten
    capped = replace(forecast, draws=draws)
    assert np.isfinite(capped.quantile(0.9)).all()
    assert capped.quantile(0.95)[0, 0] == np.inf
    assert capped.prob_at_least(10**9)[0, 0] == 0.1
    table = capped.score(np.full((12, 2), 2))
    first = table.filter(step=1, stream=NAMES[0])
    assert first["capped"].item() == 0.1
    # A tenth of the draws lies beyond the reach of the score: 0.01 of its length, about.
    reach = 100 * (1 + capped.recent[:, 0].max())
    assert first["crps"].item() == pytest.approx(0.01 * reach, rel=0.05)
    assert first["mean"].item() == np.inf
    assert np.isfinite(first["log_score"].item())
    assert capped.escalation()["upper"].to_list()[0] == np.inf


def test_probabilities_count_draws(forecast):
    assert (forecast.prob_at_least(0) == 1).all()
    np.testing.assert_allclose(forecast.prob_at_least(3), (forecast.draws >= 3).mean(axis=0))


def test_the_total_keeps_the_dependence_between_streams(series, rng):
    one = rng.poisson(5, (500, 12, 1))
    together = Forecast.after(series, np.concatenate([one, one], axis=2), "together").total()
    assert together.names == (ALL_STREAMS,)
    assert together.draws.var() == pytest.approx(4 * one.var())
    assert (together.recent[:, 0] == series.counts.sum(axis=1)).all()


def test_blocks_sum_paths(forecast):
    blocks = forecast.blocks((4, 4, 3))
    assert blocks.draws.shape == (400, 3, 2)
    assert blocks.lengths == (4, 4, 3)
    np.testing.assert_array_equal(blocks.draws[:, 1], forecast.draws[:, 4:8].sum(axis=1))
    np.testing.assert_array_equal(blocks.draws[:, 2], forecast.draws[:, 8:11].sum(axis=1))
    assert blocks.edges[1] == forecast.edges[4]
    for sizes in ((), (0, 3), (13,)):
        with pytest.raises(ValueError, match="do not fit"):
            forecast.blocks(sizes)


def test_blocks_are_compared_with_as_many_past_means():
    forecast = constant(2, 3)
    assert forecast.prob_above_recent().tolist() == [[1.0]] * 12
    assert forecast.blocks((4, 8)).prob_above_recent().tolist() == [[1.0], [1.0]]
    assert constant(3, 3).blocks((4, 8)).prob_above_recent().tolist() == [[0.0], [0.0]]


def test_building_up_is_the_next_mean_against_the_last():
    table = constant(2, 3).escalation()
    assert table["stream"].to_list() == ["stream 1", ALL_STREAMS]
    assert table.select("probability", "ratio", "lower", "upper").rows() == [(1, 1.5, 1.5, 1.5)] * 2
    assert table["note"].to_list() == ["", ""]
    assert constant(2, 3).escalation(factor=1.5)["probability"].to_list() == [0, 0]


def test_building_up_agrees_with_its_definition(forecast):
    table = forecast.escalation(periods=6, against=20, level=0.8, factor=1.1)
    mean = forecast.draws[:, :6].mean(axis=1)
    past = forecast.recent[-20:].mean(axis=0)
    expected = (mean > 1.1 * past).mean(axis=0)
    np.testing.assert_allclose(table["probability"][:2], expected)
    whole = (mean.sum(axis=1) > 1.1 * past.sum()).mean()
    assert table["probability"][2] == pytest.approx(whole)


def test_there_is_no_ratio_to_a_past_without_incidents():
    table = constant(0, 1).escalation()
    assert table["ratio"].null_count() == table["lower"].null_count() == 2
    assert table["probability"].to_list() == [1, 1]
    assert "no incidents in the last 52 weeks" in table["note"][0]
    assert not any(column.is_nan().any() for column in table.select(pl.col(pl.Float64)))


def test_building_up_says_when_the_past_is_short():
    table = constant(2, 2).escalation(against=100)
    assert table["past"].to_list() == [60, 60]
    assert "only 60 of the last 100 weeks are known" in table["note"][0]


def test_gaps_do_not_thin_the_past():
    # 30 of the 60 weeks unwatched: the mean is that of the watched ones.
    counts = np.repeat([4, 0], 30)
    gap = (date(2020, 8, 3), date(2021, 3, 1))
    series = CountSeries.from_counts(counts, date(2020, 1, 6), gaps=(gap,))
    forecast = Forecast.after(series, np.full((5, 12, 1), 4), "constant")
    assert forecast.escalation()["ratio"].to_list() == [1, 1]
    note = forecast.escalation(against=20)
    assert note["probability"].null_count() == 2
    assert "watched" in note["note"][0]


def test_building_up_needs_enough_horizon(forecast):
    with pytest.raises(ValueError, match="periods = 13, but the forecast has 12"):
        forecast.escalation(periods=13)
    with pytest.raises(ValueError, match="against"):
        forecast.escalation(against=0)


def test_score_has_a_row_for_each_period_and_stream_and_their_sum(forecast, rng):
    observed = rng.poisson(3, (12, 2))
    table = forecast.score(observed)
    assert table.height == 12 * 3
    assert table["step"].to_list()[:4] == [1, 1, 1, 2]
    assert table["date"][3] == forecast.edges[1].item()
    crps = crps_draws(forecast.draws, observed)
    np.testing.assert_allclose(table.filter(stream=NAMES[1])["crps"], crps[:, 1])
    total = forecast.total()
    logs = log_score_draws(total.draws[:, :, 0], observed.sum(axis=1))
    np.testing.assert_allclose(table.filter(stream=ALL_STREAMS)["log_score"], logs)
    inside = table.filter(
        (pl.col("lo80") <= pl.col("observed")) & (pl.col("observed") <= pl.col("hi80"))
    )
    assert inside["in80"].to_list() == [1.0] * inside.height


def test_unobserved_periods_score_null(forecast):
    observed = np.full((12, 2), 2.0)
    observed[3, 0] = np.nan
    table = forecast.score(observed).filter(step=4)
    assert table["crps"].is_null().to_list() == [True, False, True]
    assert table["in95"].is_null().to_list() == [True, False, True]


def test_score_wants_the_shape_of_the_forecast(forecast):
    with pytest.raises(ValueError, match=r"shape \(12, 2\), got \(12, 3\)"):
        forecast.score(np.ones((12, 3)))


def test_the_table_names_its_levels_and_thresholds(forecast):
    table = forecast.table(levels=(0.5, 0.975), at_least=(5,))
    assert table.columns == [
        "step", "start", "end", "stream", "mean", "median",
        "lo50", "hi50", "lo97.5", "hi97.5", "at_least_5",
    ]  # fmt: skip
    np.testing.assert_allclose(table["at_least_5"], forecast.prob_at_least(5).ravel())


def test_equal_forecasts_are_equal(forecast):
    assert forecast == replace(forecast)
    assert forecast != replace(forecast, model="another")


def test_names_from_data_are_not_html(forecast):
    page = replace(forecast, names=("<b>x", "y"), model="<i>m")._repr_html_()
    assert "<b>x" not in page
    assert "<i>m" not in page
