"""Backtest: no leak, the same figures in any order, nothing lost, and sound summaries."""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import date, timedelta
from multiprocessing import get_context

import numpy as np
import polars as pl
import pytest

from escalation.backtest import run_backtest
from escalation.backtest.tasks import Task, known_at
from escalation.backtest.track_record import SCHEMA
from escalation.baselines import Climatology, Persistence
from escalation.forecast import ALL_STREAMS, Forecast
from escalation.scores import crps_draws, pit_bounds
from escalation.series import CountSeries, PanelSeries
from forecasters import MODELS, MONDAY, ORIGINS, Failing, Fixed, week


@pytest.fixture
def backtest(series):
    return run_backtest(MODELS, series, ORIGINS, 12, seed=1, draws=60)


@dataclass(frozen=True)
class Recorder:
    """Keeps every series that it was given."""

    seen: list = field(default_factory=list)

    def fit(self, series, rng=None):
        self.seen.append(series)
        return Fixed(series, (1.0, 1.0))


def arrays_within(item, seen=None):
    """Every array that can be reached from an object: attributes, bases of views, closures."""
    seen = set() if seen is None else seen
    if id(item) in seen:
        return
    seen.add(id(item))
    if isinstance(item, np.ndarray):
        yield item
        yield from arrays_within(item.base, seen)
    elif isinstance(item, pl.DataFrame):
        yield from (column.to_numpy() for column in item)
    elif isinstance(item, Mapping):
        for value in item.values():
            yield from arrays_within(value, seen)
    elif isinstance(item, list | tuple):
        for value in item:
            yield from arrays_within(value, seen)
    elif is_dataclass(item) or hasattr(item, "__dict__"):
        for value in vars(item).values():
            yield from arrays_within(value, seen)


def test_a_model_is_given_the_past_only(series):
    recorder = Recorder()
    run_backtest({"recorder": recorder}, series, ORIGINS, 12, seed=1, draws=5)
    assert [seen.window.end for seen in recorder.seen] == ORIGINS
    for seen, origin in zip(recorder.seen, ORIGINS, strict=True):
        known = (origin - MONDAY).days // 7
        assert len(seen) == known
        np.testing.assert_array_equal(seen.counts, series.counts[:known])
        assert all(edge <= np.datetime64(origin) for edge in seen.edges)


def test_no_attribute_of_what_a_model_is_given_leads_to_the_future(series):
    # The future is marked by a count that the past does not have.
    marked = series.counts.copy()
    marked[120:] = 987_654
    recorder = Recorder()
    run_backtest(
        {"recorder": recorder}, replace(series, counts=marked), ORIGINS[:1], 12, seed=1, draws=5
    )
    [seen] = recorder.seen
    found = list(arrays_within(seen))
    assert len(found) >= 3
    for array in found:
        assert not np.isin(array, 987_654).any()
        assert array.nbytes < series.counts.nbytes
    names = {item.name for item in fields(seen)}
    values = [getattr(seen, name) for name in dir(type(seen)) if name in names or name == "scale"]
    assert all(len(v) <= 121 for v in values if isinstance(v, np.ndarray))


def test_a_changed_future_changes_no_forecast(series, backtest):
    counts = series.counts.copy()
    counts[132:] += 50
    other = run_backtest(MODELS, replace(series, counts=counts), ORIGINS, 12, seed=1, draws=60)
    forecast = ["model", "origin", "step", "stream", "mean", "median", "lo90", "hi90"]
    early = pl.col("origin") <= week(132)
    assert (
        other.table.filter(early)
        .select(forecast)
        .equals(backtest.table.filter(early).select(forecast))
    )
    assert not other.table.select("crps").equals(backtest.table.select("crps"))


def test_the_table_has_a_row_for_each_model_origin_step_and_stream(series, backtest):
    table = backtest.table
    assert dict(table.schema) == SCHEMA
    assert table.height == 2 * 5 * 12 * 3
    assert table["failure"].null_count() == table.height
    row = table.filter(model="persistence", origin=ORIGINS[1], step=3, stream="B")
    assert row["date"].item() == ORIGINS[1] + timedelta(weeks=2)
    assert row["observed"].item() == series.counts[126 + 2, 1]
    total = table.filter(stream=ALL_STREAMS, model="persistence", origin=ORIGINS[1], step=3)
    assert total["observed"].item() == series.counts[128].sum()
    assert backtest.models == ("climatology", "persistence")
    assert backtest.streams == ("A", "B", ALL_STREAMS)


def test_scores_are_those_of_the_forecast(series, backtest):
    rng = np.random.default_rng(np.random.SeedSequence([1, 1, ORIGINS[2].toordinal()]))
    known, coming = series.split(ORIGINS[2])
    forecast = Persistence().fit(known).forecast(12, rng, draws=60)
    rows = backtest.table.filter(model="persistence", origin=ORIGINS[2], stream="A")
    observed = coming.counts[:12, 0]
    np.testing.assert_array_equal(rows["crps"], crps_draws(forecast.draws[:, :, 0], observed))
    np.testing.assert_array_equal(
        rows["pit_high"], pit_bounds(forecast.draws[:, :, 0], observed)[1]
    )


def test_order_and_workers_change_nothing(series, backtest):
    with ThreadPoolExecutor(3) as pool:
        threads = run_backtest(MODELS, series, ORIGINS[::-1], 12, seed=1, draws=60, executor=pool)
    assert threads == backtest
    alone = run_backtest(MODELS, series, ORIGINS[3:4], 12, seed=1, draws=60)
    assert alone.table.equals(backtest.table.filter(origin=ORIGINS[3]))
    assert run_backtest(MODELS, series, ORIGINS, 12, seed=2, draws=60) != backtest


def test_processes_change_nothing(series, backtest):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        processes = run_backtest(MODELS, series, ORIGINS, 12, seed=1, draws=60, executor=pool)
    assert processes == backtest


class TestStore:
    def run(self, series, store, models=MODELS, stop=None, **settings):
        """Run, and return the labels of the progress; interrupt when `stop` are done."""
        calls = []

        def progress(label, done, total):
            calls.append((label, done, total))
            if stop is not None and done == stop:
                raise KeyboardInterrupt

        settings = {"seed": 1, "draws": 60} | settings
        try:
            found = run_backtest(
                models, series, ORIGINS, 12, store=store, progress=progress, **settings
            )
        except KeyboardInterrupt:
            found = None
        return found, calls

    def test_an_interrupted_run_goes_on_where_it_stopped(self, series, backtest, tmp_path):
        found, calls = self.run(series, tmp_path, stop=2)
        assert found is None
        assert len(list(tmp_path.glob("*.parquet"))) == 2
        found, calls = self.run(series, tmp_path)
        assert calls[0] == ("2 forecasts kept from before", 2, 10)
        assert [done for _, done, _ in calls] == list(range(2, 11))
        assert found == backtest
        found, calls = self.run(series, tmp_path)
        assert calls == [("10 forecasts kept from before", 10, 10)]
        assert found == backtest

    def test_with_workers_too(self, series, backtest, tmp_path):
        with ThreadPoolExecutor(2) as pool:
            self.run(series, tmp_path, stop=3, executor=pool)
            kept = len(list(tmp_path.glob("*.parquet")))
            assert kept >= 3
            found, calls = self.run(series, tmp_path, executor=pool)
        assert calls[0][1] == kept
        assert found == backtest

    def test_nothing_half_written_is_left_or_read(self, series, tmp_path):
        self.run(series, tmp_path)
        (tmp_path / ".torn.draft").write_bytes(b"half")
        assert self.run(series, tmp_path)[1][0][1] == 10
        assert len(list(tmp_path.iterdir())) == 11

    @pytest.mark.parametrize("change", ["seed", "draws", "model", "data"])
    def test_what_changes_the_figures_changes_the_key(self, series, tmp_path, change):
        self.run(series, tmp_path)
        counts = series.counts.copy()
        counts[0, 0] += 1
        options = {
            "seed": {"seed": 2},
            "draws": {"draws": 61},
            "model": {"models": {"climatology": Climatology(10.0), "persistence": Persistence(5)}},
            "data": {"series": replace(series, counts=counts)},
        }
        _, calls = self.run(**({"series": series, "store": tmp_path} | options[change]))
        assert calls[0][1] == 1

    def test_a_new_name_is_the_same_forecast(self, series, tmp_path):
        self.run(series, tmp_path)
        renamed = {"clim.": Climatology(), "pers.": Persistence()}
        found, calls = self.run(series, tmp_path, models=renamed)
        assert len(calls) == 1
        assert found.models == ("clim.", "pers.")

    def test_failures_are_tried_again(self, series, tmp_path):
        models = {"failing": Failing(week(130))}
        self.run(series, tmp_path, models=models)
        assert len(list(tmp_path.glob("*.parquet"))) == 2
        assert self.run(series, tmp_path, models=models)[1][0][1] == 2

    def test_a_model_that_does_not_tell_its_settings_is_refused(self, series, tmp_path):
        class Opaque:
            pass

        with pytest.raises(ValueError, match="does not tell its settings"):
            self.run(series, tmp_path, models={"opaque": Opaque()})


def test_a_failure_is_a_row_and_not_the_end(series):
    models = {"failing": Failing(week(130)), "persistence": Persistence()}
    backtest = run_backtest(models, series, ORIGINS, 12, seed=1, draws=20)
    assert backtest.failures.height == 3
    assert backtest.failures["failure"].unique().to_list() == ["RuntimeError: no luck in two lines"]
    assert "3 of 10 forecasts failed" in backtest.notes[0]
    skill = backtest.skill("persistence", blocks=[])
    # Compared on the two origins where both have a forecast.
    assert skill.filter(model="failing")["origins"].to_list() == [2, 2, 2]
    assert skill.filter(model="persistence")["origins"].to_list() == [5, 5, 5]
    assert backtest.streams == ("A", "B", ALL_STREAMS)
    assert "failed: 3" in backtest._repr_html_()


def test_a_backtest_where_all_fails_still_answers(series):
    backtest = run_backtest({"failing": Failing(MONDAY)}, series, ORIGINS, 12, seed=1, draws=20)
    assert backtest.failures.height == 5
    skill = backtest.skill("failing")
    assert skill.height == 0
    assert skill.filter(pl.col("relative_crps") < 1, stream="A").height == 0
    assert backtest.calibration().columns[-1] == "origins"
    assert backtest.misses().height == 0


def test_origins_without_a_whole_horizon_are_left_out_and_told(series):
    days = [MONDAY, week(140), week(148), week(149), week(170)]
    backtest = run_backtest(MODELS, series, days, 12, seed=1, draws=5)
    assert backtest.table["origin"].unique().sort().to_list() == [week(140), week(148)]
    early, late = backtest.notes
    assert str(MONDAY) in early
    assert f"{week(149)}, {week(170)}" in late
    with pytest.raises(ValueError, match="left out"):
        run_backtest(MODELS, series, [week(155)], 12, seed=1)


def test_origins_must_start_a_period(series):
    with pytest.raises(ValueError, match="no week starts on the origin 2020-01-01"):
        run_backtest(MODELS, series, [date(2020, 1, 1)], 12, seed=1)


@pytest.mark.parametrize(
    "wrong", [{"models": {}}, {"horizon": 0}, {"draws": 1}, {"origins": []}], ids=str
)
def test_impossible_backtests_are_refused(series, wrong):
    settings = {"models": MODELS, "origins": ORIGINS, "horizon": 12, "draws": 50} | wrong
    with pytest.raises(ValueError, match=r"at least|draws"):
        run_backtest(series=series, seed=1, **settings)


def test_what_was_not_watched_in_full_is_not_scored(rng):
    counts = rng.poisson(3.0, 160)
    counts[125] = 0
    gaps = ((week(125), week(126)), (week(127), week(127) + timedelta(days=2)))
    series = CountSeries.from_counts(counts, MONDAY, gaps=gaps)
    table = run_backtest(MODELS, series, [week(120)], 12, seed=1, draws=20).table
    unscored = table.filter(pl.col("crps").is_null())
    assert unscored["step"].unique().sort().to_list() == [6, 8]
    assert unscored["observed"].null_count() == unscored["pit_low"].null_count() == 8
    assert not any(column.is_nan().any() for column in table.select(pl.col(pl.Float64)))


def test_what_a_unit_of_a_panel_was_not_watched_for_is_no_zero():
    """Neither scored, nor part of the past mean, nor an onset."""
    begin = date(2020, 1, 6)
    counts = np.random.default_rng(0).poisson(5.0, (80, 1))
    late = begin + timedelta(weeks=70)
    panel = PanelSeries.from_series(
        {
            "whole": CountSeries.from_counts(counts, begin, "week", ["a"]),
            "late": CountSeries.from_counts(counts[70:], late, "week", ["a"]),
            "ended": CountSeries.from_counts(counts[:74], begin, "week", ["a"]),
        }
    )
    origin = begin + timedelta(weeks=72)
    known = known_at(panel, Task("m", 0, origin, 6, 0, 10))
    ended = list(panel.units).index("ended")
    assert np.isnan(known.observed[2:, ended]).all()
    assert np.isfinite(known.observed[:2]).all()
    forecast = Forecast.after(panel.split(origin)[0], np.zeros((5, 6, 3)), "nothing")
    fresh = list(panel.units).index("late")
    assert forecast.recent_mean(12)[fresh] == counts[70:72].mean()
    never = Forecast.after(panel.split(late)[0], np.zeros((5, 6, 3)), "nothing")
    assert np.isnan(never.onset()[0, fresh])
    # Of the sum only what was watched of all is known.
    assert forecast.total().recent_mean(12)[0] == pytest.approx(3 * counts[70:72].mean())
    with pytest.raises(ValueError, match="watched less than others"):
        Persistence().fit(panel)
