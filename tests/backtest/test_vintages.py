"""Vintages: a model sees what was known on the day, and is judged by what is known later."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import pytest

from escalation.backtest import Vintages, run_backtest
from escalation.baselines import Conflictology, ExponentialSmoothing, Persistence
from escalation.nowcast import ReportingTriangle
from escalation.series import CountSeries

MONDAY = date(2020, 1, 6)


def week(n):
    return MONDAY + timedelta(weeks=n)


def edges(n):
    return np.array([week(k) for k in range(n + 1)], dtype="datetime64[D]")


@pytest.fixture
def triangle(rng):
    counts = rng.poisson([6.0, 3.0, 1.0], (80, 3))[:, :, None]
    start = CountSeries.from_counts(np.zeros(80), MONDAY)
    return ReportingTriangle(counts, start.edges, ("A",), start.window)


@dataclass(frozen=True)
class Recorder:
    seen: list = field(default_factory=list)

    def fit(self, series, rng=None):
        self.seen.append(series)
        return Conflictology().fit(series)


def test_a_triangle_has_a_vintage_for_each_period(triangle):
    vintages = Vintages.from_triangle(triangle)
    assert vintages.latest.window.end == week(80)
    early = vintages.as_of(week(50))
    assert len(early) == 50
    # The last period has its first reports only, the one before two delays, the rest all.
    counts = triangle.counts[:, :, 0]
    assert early.counts[-1, 0] == counts[49, 0]
    assert early.counts[-2, 0] == counts[48, :2].sum()
    np.testing.assert_array_equal(early.counts[:48, 0], counts[:48].sum(axis=1))
    assert vintages.as_of(week(50) + timedelta(days=3)) == early
    with pytest.raises(ValueError, match="nothing is known as of"):
        vintages.as_of(MONDAY)


def test_a_model_sees_what_was_known_on_the_day(triangle):
    vintages, recorder = Vintages.from_triangle(triangle), Recorder()
    days = [week(40), week(60)]
    run_backtest({"recorder": recorder}, vintages, days, 4, seed=0, draws=20)
    for seen, day in zip(recorder.seen, days, strict=True):
        assert seen == vintages.as_of(day)


def test_forecasts_are_judged_by_the_latest_or_by_the_first_figures(triangle):
    vintages = Vintages.from_triangle(triangle)
    day, n = week(60), 60
    latest, first = (
        run_backtest({"p": Persistence()}, vintages, [day], 4, seed=0, draws=50, judged=judged)
        for judged in ("latest", "first")
    )
    counts = triangle.counts[n : n + 4, :, 0]
    assert latest.table.filter(stream="A")["observed"].to_list() == counts.sum(axis=1).tolist()
    assert first.table.filter(stream="A")["observed"].to_list() == counts[:, 0].tolist()
    assert latest.table["mean"].equals(first.table["mean"])
    plain = run_backtest({"p": Persistence()}, vintages.latest, [day], 4, seed=0, draws=50)
    assert not plain.table["mean"].equals(latest.table["mean"])
    with pytest.raises(ValueError, match="latest or first"):
        run_backtest({"p": Persistence()}, vintages, [day], 4, seed=0, judged="last")


def test_a_shared_fit_sees_the_vintage_of_its_own_day(triangle, tmp_path):
    vintages, days = Vintages.from_triangle(triangle), [week(n) for n in (50, 54, 58, 62)]
    models = {"smoothing": ExponentialSmoothing()}
    settings = {"seed": 0, "draws": 50, "refit_every": 4}
    found = run_backtest(models, vintages, days, 4, store=tmp_path, **settings)
    first = min(tmp_path.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    first.unlink()
    assert run_backtest(models, vintages, days, 4, store=tmp_path, **settings) == found
    for path in tmp_path.glob("*.parquet"):
        if path.name != first.name:
            path.unlink()
    assert run_backtest(models, vintages, days, 4, store=tmp_path, **settings) == found


def test_origins_on_which_no_vintage_ends_are_left_out_and_told(triangle):
    every = Vintages.from_triangle(triangle)
    held = [*range(40, 80, 4), 80]
    sparse = Vintages({week(n): every.as_of(week(n)) for n in held})
    days = [week(n) for n in (20, 48, 50, 60)]
    settings = {"seed": 0, "draws": 20}
    found = run_backtest({"p": Persistence()}, sparse, days, 4, **settings)
    assert found.table["origin"].unique().sort().to_list() == [week(48), week(60)]
    assert found.failures.is_empty()
    assert found.notes == (
        f"origins left out because the first vintage, of {week(40)}, is later: {week(20)}",
        f"origins left out because the last vintage known on them ends before them: {week(50)}",
    )
    alone = run_backtest({"p": Persistence()}, sparse, [week(48), week(60)], 4, **settings)
    assert alone == replace(found, notes=())
    for day, why in ((week(20), "first vintage"), (week(50), "ends before")):
        with pytest.raises(ValueError, match=why):
            run_backtest({"p": Persistence()}, sparse, [day], 4, **settings)


def test_a_fit_is_shared_by_origins_that_have_vintages(triangle):
    every, recorder = Vintages.from_triangle(triangle), Recorder()
    sparse = Vintages({week(n): every.as_of(week(n)) for n in (*range(40, 80, 4), 80)})
    days = [week(n) for n in (46, 48, 50, 52, 56)]
    found = run_backtest(
        {"recorder": recorder}, {"north": sparse}, days, 4, seed=0, draws=20, refit_every=2
    )
    assert [seen.window.end for seen in recorder.seen] == [week(48), week(56)]
    assert found.failures.is_empty()
    assert found.notes[0].startswith("north: origins left out because the last vintage")
    assert found.notes[0].endswith(f"{week(46)}, {week(50)}")


def test_a_vintage_that_lags_behind_its_day_serves_no_origin(triangle):
    late = Vintages.from_triangle(triangle)
    late = Vintages({day + timedelta(weeks=1): one for day, one in late.series.items()})
    with pytest.raises(ValueError, match="ends before them"):
        run_backtest({"p": Persistence()}, late, [week(50)], 4, seed=0, draws=20)


def test_revisions_are_shown(triangle):
    table = Vintages.from_triangle(triangle).revisions()
    counts = triangle.counts[:, :, 0]
    assert table.columns == ["start", "stream", "first", "latest"]
    assert table["first"].to_list()[2:] == counts[2:, 0].tolist()
    assert table["latest"].to_list()[:78] == counts[:78].sum(axis=1).tolist()


def test_a_later_vintage_changes_no_earlier_forecast(triangle, tmp_path):
    vintages = Vintages.from_triangle(triangle)
    garbled = {
        day: one if day <= week(60) else replace(one, counts=one.counts + 1000)
        for day, one in vintages.series.items()
    }
    tables = [
        run_backtest({"p": Persistence()}, each, [week(50), week(60)], 4, seed=0, draws=50).table
        for each in (vintages, Vintages(garbled))
    ]
    assert tables[0]["mean"].equals(tables[1]["mean"])
    assert not tables[0]["observed"].equals(tables[1]["observed"])


def test_vintages_must_belong_together():
    one = CountSeries.from_counts(np.ones(10), MONDAY)
    with pytest.raises(ValueError, match="at least one"):
        Vintages({})
    with pytest.raises(ValueError, match="cannot know of"):
        Vintages({week(9): one})
    other = CountSeries.from_counts(np.ones(12), MONDAY, names=("B",))
    with pytest.raises(ValueError, match="other streams or periods"):
        Vintages({week(10): one, week(12): other})
    assert "Vintages(1 from" in repr(Vintages({week(10): one}))
