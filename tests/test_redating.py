"""Dates known to a span: drawn evenly over it, and their uncertainty carried into the fit."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from escalation import Background, EndemicEpidemic, Hawkes, OneLag, Stream, Window, fit_over_dates
from escalation.incidents import Incidents
from escalation.sources import read

START = date(2020, 1, 1)
STREAM = [Stream("raids", source=("A",), target=("B",))]
QUIET = Background(harmonics=0)


def table(first: list[int], latest: list[int], days: int, gaps=()) -> Incidents:
    rows = pl.DataFrame(
        {
            "date": [str(START + timedelta(days=d)) for d in first],
            "date_latest": [str(START + timedelta(days=d)) for d in latest],
            "source": "A",
            "target": "B",
        }
    )
    return read(rows, Window(START, START + timedelta(days=days), gaps))


def drawn_days(incidents: Incidents, times: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    draws = [incidents.redated(rng).table["date"] for _ in range(times)]
    return np.array([incidents.window.day_index(one) for one in draws])


def test_a_span_is_drawn_evenly_and_a_known_day_stays():
    days = drawn_days(table([3, 10], [7, 10], 30), 1000)
    assert (days[:, 1] == 10).all()
    counted = np.bincount(days[:, 0], minlength=30)
    assert set(np.flatnonzero(counted)) == set(range(3, 8))
    # Five cells of 200 expected: chi-square with 4 degrees of freedom, 1e-6 of false alarms.
    assert ((counted[3:8] - 200) ** 2 / 200).sum() < 33.4


def test_draws_leave_out_gaps_and_what_lies_after_the_window():
    gap = (START + timedelta(days=12), START + timedelta(days=16))
    days = drawn_days(table([10, 27, 13], [18, 45, 14], 30, (gap,)), 500)
    first = {tuple(sorted(row)) for row in days}
    seen = {day for row in first for day in row}
    assert not seen & {12, 15} and max(seen) == 29
    assert {10, 11, 16, 17, 18, 27, 28, 29} <= seen
    # The third has no watched day in its span: it stays on its first, in the gap.
    assert all(13 in row for row in days)


def test_redating_keeps_the_rows_in_order_and_repeats_with_the_seed():
    incidents = table([1, 2, 3, 4], [9, 9, 9, 9], 20)
    one, two = (incidents.redated(np.random.default_rng(5)) for _ in range(2))
    assert one == two
    assert one.table["date"].is_sorted()
    assert len(one) == 4


def test_where_every_day_is_known_nothing_comes_from_the_dates():
    rng = np.random.default_rng(1)
    days = sorted(rng.integers(0, 700, 150).tolist())
    found = fit_over_dates(
        EndemicEpidemic(OneLag(), QUIET, lags=1), table(days, days, 700), STREAM, "week", fits=3
    )
    assert found.share == 0.0
    estimates = [one.estimate["level"] for one in found.fits]
    np.testing.assert_allclose(estimates, found.at_first_days.estimate["level"][None].repeat(3, 0))
    assert "from dates" in found.table().columns


def test_unknown_days_blur_the_response_and_widen_what_is_said_of_it():
    truth = {"level": np.array([np.log(0.2)]), "reproduction": np.array([[0.6]]), "decay": 1.0}
    rng = np.random.default_rng(2)
    like = Hawkes(background=QUIET)
    from escalation import EventSeries

    empty = EventSeries.from_times([[]], START, START + timedelta(days=2000))
    series = like.simulate({k: np.asarray(v, float) for k, v in truth.items()}, empty, rng)
    days = np.floor(series.times[0]).astype(int)
    vague = rng.random(days.size) < 0.3
    first = np.where(vague, np.maximum(days - rng.integers(0, 7, days.size), 0), days)
    latest = np.where(vague, first + 6, days)
    order = np.argsort(first, kind="stable")
    incidents = table(first[order].tolist(), latest[order].tolist(), 2000)
    found = fit_over_dates(Hawkes(background=QUIET), incidents, STREAM, fits=6)
    assert found.share == pytest.approx(vague.mean(), abs=0.03)
    rows = {row["parameter"]: row for row in found.table().to_dicts()}
    assert rows["decay"]["from dates"] > 0.02
    inner = np.mean([one.draws["decay"].std() for one in found.fits])
    assert found.pooled.draws["decay"].std() > inner
    assert len(found.pooled.draws["decay"]) == 6 * len(found.fits[0].draws["decay"])
    assert np.isfinite(found.pooled.dynamics().branching_ratio).all()


def test_one_draw_of_the_days_is_refused():
    incidents = table([1], [1], 20)
    with pytest.raises(ValueError, match="at least 2 draws"):
        fit_over_dates(Hawkes(), incidents, STREAM, fits=1)


def test_redating_a_table_without_rows():
    incidents = table([1], [1], 20)
    none = replace(incidents, table=incidents.table.head(0))
    assert len(none.redated(np.random.default_rng(0))) == 0
