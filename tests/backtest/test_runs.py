"""Runs of backtests: sums, several series, windows, shared fits; nothing is lost, nothing leaks."""

import io
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from escalation.backtest import TimeLeft, cluster, processes, run_backtest
from escalation.backtest.store import Store
from escalation.backtest.tasks import Task
from escalation.baselines import (
    Analogue,
    Conflictology,
    ExponentialResampling,
    Persistence,
)
from escalation.counts import EndemicEpidemic
from escalation.engines import Laplace
from escalation.fit import Estimator
from escalation.forecast import ALL_STREAMS
from escalation.scores import crps_draws
from escalation.series import CountSeries
from forecasters import MODELS, MONDAY, ORIGINS, Deadly, Slow, week


def made(seed, streams=("A", "B")):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.linspace(3, 1, len(streams)), (160, len(streams)))
    return CountSeries.from_counts(counts, MONDAY, names=streams)


@pytest.fixture
def series():
    return made(0)


def run(series, models=MODELS, origins=ORIGINS, **settings):
    return run_backtest(models, series, origins, 12, **({"seed": 1, "draws": 60} | settings))


@dataclass(frozen=True)
class Seen:
    """A baseline that keeps the series of each fit, and of each forecast."""

    fitted: list = field(default_factory=list)
    onward: list = field(default_factory=list)
    goes_on: bool = True

    def fit(self, series, rng=None):
        self.fitted.append(series)
        return Onward(series, self)


@dataclass(frozen=True)
class Onward:
    series: CountSeries
    model: Seen

    def carried_on(self, series):
        return replace(self, series=series) if self.model.goes_on else None

    def forecast(self, horizon, rng, draws=1000):
        self.model.onward.append(self.series)
        return Conflictology().fit(self.series).forecast(horizon, rng, draws=draws)


class TestSums:
    def test_sums_over_blocks_are_scored_as_paths(self, series):
        found = run(series, blocks=(4, 8))
        rng = np.random.default_rng(np.random.SeedSequence([1, 1, ORIGINS[2].toordinal()]))
        known, coming = series.split(ORIGINS[2])
        forecast = Persistence().fit(known).forecast(12, rng, draws=60)
        rows = found.sums.filter(model="persistence", origin=ORIGINS[2], stream="A")
        assert rows.select("step", "block").rows() == [(1, 4), (5, 8)]
        observed = [coming.counts[:4, 0].sum(), coming.counts[4:12, 0].sum()]
        assert rows["observed"].to_list() == observed
        sums = np.add.reduceat(forecast.draws[:, :, 0], [0, 4], axis=1)
        np.testing.assert_array_equal(rows["crps"], crps_draws(sums, observed))
        assert rows["date"].to_list() == [ORIGINS[2], ORIGINS[2] + timedelta(weeks=4)]

    def test_the_cells_are_those_without_sums(self, series):
        whole = run(series, blocks=(1, 3, 8))
        assert whole.table.equals(run(series).table)
        assert whole.table["block"].null_count() == whole.table.height
        skill = whole.of_sums().skill("climatology", [(1, 1), (2, 4), (5, 12)])
        row = skill.filter(model="persistence", stream=ALL_STREAMS, block="2–4")
        own = whole.sums.filter(stream=ALL_STREAMS, step=2)
        mean = dict(own.group_by("model").agg(pl.col("crps").mean()).rows())
        assert row["relative_crps"].item() == pytest.approx(
            mean["persistence"] / mean["climatology"]
        )
        with pytest.raises(ValueError, match="no sums"):
            run(series).of_sums()

    def test_blocks_must_fit(self, series):
        with pytest.raises(ValueError, match="do not fit a horizon of 12"):
            run(series, blocks=(4, 9))


class TestSeveralSeries:
    def test_each_is_what_it_would_be_in_any_order_and_by_any_worker(self):
        several = {"north": made(0), "south": made(1, ("A",))}
        found = run(several)
        assert found.table["series"].unique(maintain_order=True).to_list() == ["north", "south"]
        assert found.of_series("south").streams == ("A", ALL_STREAMS)
        with ThreadPoolExecutor(3) as pool:
            assert run(several, executor=pool) == found
        alone = run({"north": several["north"]})
        assert alone.table.equals(found.of_series("north").table)
        with pytest.raises(ValueError, match="no series 'west'"):
            found.of_series("west")

    def test_the_same_counts_twice_have_randomness_of_their_own(self):
        found = run({"one": made(0), "two": made(0)})
        mean = [found.of_series(name).table["mean"] for name in ("one", "two")]
        assert not mean[0].equals(mean[1])

    def test_a_failure_names_its_series(self):
        short = CountSeries.from_counts(np.zeros(160), MONDAY, gaps=((MONDAY, week(130)),))
        found = run({"good": made(0), "unwatched": short}, {"persistence": Persistence()})
        assert found.failures.select("series", "origin").rows() == [
            ("unwatched", origin) for origin in ORIGINS if origin <= week(130)
        ]

    def test_skill_and_calibration_take_the_mean_over_series(self):
        found = run({"one": made(0), "two": made(1)})
        row = found.skill("climatology", []).filter(model="persistence", stream="A")
        cells = found.table.filter(stream="A")
        mean = dict(cells.group_by("model").agg(pl.col("crps").mean()).rows())
        assert row["crps"].item() == pytest.approx(mean["persistence"])


class TestWindowsAndSharedFits:
    def test_a_sliding_window_holds_so_many_periods(self, series):
        seen = Seen()
        run(series, {"seen": seen}, window=52)
        assert [len(each) for each in seen.fitted] == [52] * 5
        assert [each.window.end for each in seen.fitted] == ORIGINS
        wide = Seen()
        run(series, {"seen": wide}, window=1000)
        assert [each.window.start for each in wide.fitted] == [MONDAY] * 5

    def test_origins_share_a_fit_and_go_on_from_what_is_known(self, series):
        seen = Seen()
        run(series, {"seen": seen}, refit_every=3)
        assert [each.window.end for each in seen.fitted] == [ORIGINS[0], ORIGINS[3]]
        assert [each.window.end for each in seen.onward] == ORIGINS

    def test_a_model_that_cannot_go_on_is_fitted_anew(self, series):
        seen = Seen(goes_on=False)
        run(series, {"seen": seen}, refit_every=3)
        assert [each.window.end for each in seen.fitted] == ORIGINS

    @pytest.mark.slow
    def test_shared_fits_are_the_same_however_the_work_is_cut(self, series, tmp_path):
        models = {"EE": Estimator(EndemicEpidemic(lags=2), Laplace(draws=60)), **MODELS}
        found = run(series, models, refit_every=3)
        own = run(series, models)
        first = pl.col("origin").is_in([ORIGINS[0], ORIGINS[3]])
        assert found.table.filter(first).equals(own.table.filter(first))
        later = pl.col("origin") == ORIGINS[1]
        assert not found.table.filter(later, model="EE").equals(own.table.filter(later, model="EE"))
        run(series, models, refit_every=3, store=tmp_path)
        files = sorted(tmp_path.glob("*.parquet"), key=lambda path: path.name)
        for path in files[::2]:  # some of those that share a fit, and not the others
            path.unlink()
        assert run(series, models, refit_every=3, store=tmp_path) == found

    def test_a_shared_fit_in_a_sliding_window_keeps_its_beginning(self, series):
        seen = Seen()
        run(series, {"seen": seen}, refit_every=2, window=60)
        assert [len(each) for each in seen.fitted] == [60] * 3
        assert [len(each) for each in seen.onward] == [60, 60 + 6, 60, 60 + 6, 60]

    @pytest.mark.parametrize("wrong", [{"refit_every": 0}, {"window": 0}])
    def test_impossible_settings_are_refused(self, series, wrong):
        with pytest.raises(ValueError, match="at least 1"):
            run(series, **wrong)


PEEKERS = {
    **MODELS,
    "conflictology": Conflictology(),
    "analogue": Analogue(),
    "weighted": ExponentialResampling(),
    "EE": Estimator(EndemicEpidemic(lags=2), Laplace(draws=60)),
}


class TestNoLeak:
    """The future garbled: every forecast the same, to the bit."""

    @pytest.mark.parametrize("settings", [{}, {"window": 60}, {"refit_every": 2}], ids=str)
    def test_a_garbled_future_changes_no_forecast(self, series, settings, tmp_path):
        last = ORIGINS[3]
        at = (last - MONDAY).days // 7
        counts = series.counts.copy()
        counts[at:] = np.random.default_rng(9).integers(0, 100_000, counts[at:].shape)
        garbled = replace(series, counts=counts)
        gap = ((week(150), week(152)),)
        garbled = CountSeries.from_counts(
            np.where(np.isin(np.arange(160), [150, 151])[:, None], 0, counts),
            MONDAY, names=series.names, gaps=gap,
        )  # fmt: skip
        kept = []
        for number, one in enumerate((series, garbled)):
            folder = tmp_path / str(number)
            run(one, PEEKERS, ORIGINS[:4], store=folder, keep_draws=True, **settings)
            store = Store(folder, PEEKERS, {"": one}, keep_draws=True)
            every = settings.get("refit_every", 1)
            fitted = [ORIGINS[n - n % every] for n in range(4)]
            tasks = [
                Task(name, place, day, 12, 1, 60, window=settings.get("window"),
                     fitted_on=None if base == day else base)
                for day, base in zip(ORIGINS, fitted, strict=False)
                for place, name in enumerate(PEEKERS)
            ]  # fmt: skip
            kept.append([store.draws(task) for task in tasks])
        assert len(kept[0]) == 4 * len(PEEKERS)
        for before, after in zip(*kept, strict=True):
            np.testing.assert_array_equal(before, after)


class TestNothingIsLost:
    @pytest.mark.slow
    def test_processes_that_die_are_replaced(self, series, tmp_path):
        models = {"deadly": Deadly(tmp_path), "persistence": Persistence()}
        found = run(series, models, executor=2)
        assert found.failures.is_empty()
        assert len(list(tmp_path.glob("death *"))) == 1
        harmless = run(series, {"deadly": Conflictology(), "persistence": Persistence()})
        assert found == harmless

    @pytest.mark.slow
    def test_whoever_always_kills_its_process_becomes_a_failure(self, series, tmp_path):
        models = {"deadly": Deadly(tmp_path, deaths=1000), "persistence": Persistence()}
        found = run(series, models, ORIGINS[:2], executor=1, store=tmp_path / "store")
        assert "BrokenProcessPool" in found.failures["failure"][0]
        assert found.failures.select("model", "origin").rows() == [
            ("deadly", origin) for origin in ORIGINS[:2]
        ]
        # What was finished is kept, and the rest is tried again.
        assert len(list((tmp_path / "store").glob("*.parquet"))) == 2
        harmless = replace(models["deadly"], deaths=0)
        again = run(series, models | {"deadly": harmless}, ORIGINS[:2], store=tmp_path / "store")
        assert again.failures.is_empty()

    @pytest.mark.slow
    def test_a_worker_of_a_given_pool_that_dies_is_a_failure_and_not_the_end(
        self, series, tmp_path
    ):
        models = {"deadly": Deadly(tmp_path)}
        with processes(1) as pool:
            found = run(series, models, ORIGINS[:2], executor=pool)
        assert found.failures.height == 2
        assert "2 of 2 forecasts failed" in found.notes[0]

    @pytest.mark.slow
    def test_a_run_killed_in_the_middle_goes_on(self, series, tmp_path):
        code = (
            "import sys; sys.path[:0] = sys.argv[2:]\n"
            "from backtest_of_a_slow_model import go\n"
            "go(sys.argv[1])\n"
        )
        (tmp_path / "backtest_of_a_slow_model.py").write_text(
            "import numpy as np\n"
            "from datetime import date, timedelta\n"
            "from escalation.backtest import run_backtest\n"
            "from escalation.series import CountSeries\n"
            "from forecasters import Slow\n"
            "def go(store):\n"
            "    counts = np.random.default_rng(0).poisson(np.linspace(3, 1, 2), (160, 2))\n"
            "    series = CountSeries.from_counts(counts, date(2018, 1, 1), names=('A', 'B'))\n"
            "    origins = [date(2018, 1, 1) + timedelta(weeks=n) for n in range(120, 145)]\n"
            "    return run_backtest({'slow': Slow()}, series, origins, 12, seed=1, draws=60,\n"
            "                        store=store)\n"
        )
        store, tests = tmp_path / "store", Path(__file__).parents[1]
        command = [sys.executable, "-c", code, str(store), str(tmp_path), str(tests)]
        process = subprocess.Popen(command)
        try:
            give_up = time.monotonic() + 60
            while len(list(store.glob("*.parquet"))) < 3 and time.monotonic() < give_up:
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        kept = len(list(store.glob("*.parquet")))
        assert 3 <= kept < 25
        calls = []
        origins = [week(n) for n in range(120, 145)]
        found = run(
            series,
            {"slow": Slow()},
            origins,
            store=store,
            progress=lambda *call: calls.append(call),
        )
        assert calls[0] == (f"{kept} forecasts kept from before", kept, 25)
        assert found == run(series, {"slow": Slow(0.0)}, origins)

    def test_draws_are_kept_where_wanted(self, series, tmp_path):
        run(series, store=tmp_path, keep_draws=True)
        store = Store(tmp_path, MODELS, {"": series}, keep_draws=True)
        draws = store.draws(Task("persistence", 1, ORIGINS[0], 12, 1, 60))
        rng = np.random.default_rng(np.random.SeedSequence([1, 1, ORIGINS[0].toordinal()]))
        known = series.split(ORIGINS[0])[0]
        own = Persistence().fit(known).forecast(12, rng, draws=60)
        np.testing.assert_array_equal(draws, own.draws)
        with pytest.raises(ValueError, match="no draws of persistence"):
            store.draws(Task("persistence", 1, week(3), 12, 1, 60))
        with pytest.raises(ValueError, match="there is none"):
            run(series, keep_draws=True)


class TestTimeLeft:
    def test_lines_tell_how_much_is_left(self, monkeypatch):
        clock = iter([0.0, 1.0, 10.0, 11.0, 20.0])
        monkeypatch.setattr(time, "monotonic", lambda: next(clock))
        out = io.StringIO()
        tell = TimeLeft(every=5.0, out=out)
        tell("50 forecasts kept from before", 50, 100)
        for done in (52, 60, 61, 100):
            tell("EE from 2018-01-01", done, 100)
        assert out.getvalue().splitlines() == [
            "50 of 100 forecasts (50 forecasts kept from before)",
            "60 of 100 forecasts, 40 s left (EE from 2018-01-01)",
            "100 of 100 forecasts, 0 s left (EE from 2018-01-01)",
        ]


@pytest.mark.slow
def test_a_dask_cluster_that_loses_a_worker_loses_nothing(series, tmp_path):
    """Two worker processes; one is killed while it works."""
    distributed = pytest.importorskip("distributed")
    tests = str(Path(__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (tests, os.environ.get("PYTHONPATH"))))
    origins = [week(n) for n in range(110, 145)]
    models = {"slow": Slow(0.3), "deadly": Deadly(tmp_path)}
    killed = []
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**settings) as local:
        pids = [worker.pid for worker in local.workers.values()]

        def progress(label, done, total):
            if done >= 8 and not killed:
                with distributed.Client(local.scheduler_address) as client:
                    found = sorted(client.run(os.getpid).values())
                os.kill(found[0], signal.SIGKILL)
                killed.append(found[0])

        with cluster(local.scheduler_address) as executor:
            found = run(series, models, origins, executor=executor, progress=progress)
    assert killed, pids
    assert found.failures.is_empty()
    harmless = {"slow": Slow(0.0), "deadly": Conflictology()}
    assert found == run(series, harmless, origins)


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_told():
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match="no Dask scheduler"), cluster("nonsense://x"):
        pass


@pytest.mark.slow
def test_the_command_line_hands_its_backtest_to_a_cluster(tmp_path):
    distributed = pytest.importorskip("distributed")
    from typer.testing import CliRunner

    from escalation.cli import app
    from small import small_study

    file = small_study(tmp_path)
    command = ["backtest", str(file), "--json", "--quiet", "--no-cache"]
    run = [CliRunner().invoke(app, command)]
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**settings) as local:
        more = ["--scheduler", local.scheduler_address]
        run.append(CliRunner().invoke(app, [*command, *more]))
    assert [one.exit_code for one in run] == [0, 0], run[1].output
    assert run[0].output == run[1].output
    wrong = CliRunner().invoke(app, [*command, "--scheduler", "nonsense://x"])
    assert wrong.exit_code == 2
