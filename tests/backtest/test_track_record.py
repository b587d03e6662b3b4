"""What a backtest says: skill, calibration, misses, and over which origins."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from escalation.backtest import Backtest, run_backtest
from escalation.baselines import Conflictology, Persistence, Zero
from escalation.forecast import ALL_STREAMS
from escalation.series import CountSeries
from forecasters import MODELS, MONDAY, ORIGINS, Failing, Fixed, Poisson, week


@pytest.fixture(scope="module")
def truth_and_wrong():
    """The truth, a rate half too high, and one far too sure, over 60 origins."""
    counts = np.random.default_rng(7).poisson([4.0, 1.0], (400, 2))
    series = CountSeries.from_counts(counts, MONDAY, names=("A", "B"))
    models = {
        "truth": Poisson((4.0, 1.0)),
        "too high": Poisson((6.0, 1.5)),
        "conflictology": Conflictology(),
    }
    origins = [week(n) for n in range(140, 380, 4)]
    return run_backtest(models, series, origins, 12, seed=3, draws=200)


def test_skill_prefers_the_truth(truth_and_wrong):
    skill = truth_and_wrong.skill("truth")
    assert skill["block"].unique(maintain_order=True).to_list() == ["1–4", "5–8", "9–12", "1–12"]
    wrong = skill.filter(model="too high")
    assert (wrong["relative_crps_lower"] > 1).all()
    # Half an incident a week too many is not told in each block of the thin stream.
    busy = wrong.filter(pl.col("stream") != "B")
    assert (busy["log_score_difference_lower"] > 0).all()
    own = skill.filter(model="truth")
    assert (own["relative_crps"] == 1).all()
    assert (own["relative_crps_upper"] == 1).all()
    assert (own["log_score_difference"] == 0).all()


def test_skill_is_the_ratio_of_means(truth_and_wrong):
    skill = truth_and_wrong.skill("conflictology", [(2, 5)])
    row = skill.filter(model="truth", stream="A", block="2–5")
    steps = truth_and_wrong.table.filter(pl.col("step").is_between(2, 5), stream="A")
    mean = dict(steps.group_by("model").agg(pl.col("crps").mean()).rows())
    assert row["relative_crps"].item() == pytest.approx(mean["truth"] / mean["conflictology"])
    assert row["relative_crps_lower"].item() < row["relative_crps"].item()
    assert row["relative_crps"].item() < row["relative_crps_upper"].item()
    assert row["origins"].item() == 60


def test_skill_repeats_and_takes_randomness(truth_and_wrong, rng):
    first, again = truth_and_wrong.skill("truth"), truth_and_wrong.skill("truth")
    assert first.equals(again)
    assert not first.equals(truth_and_wrong.skill("truth", rng=rng))


def test_blocks_of_origins_hold_those_that_overlap(truth_and_wrong):
    origins = truth_and_wrong.table["origin"].unique().sort()
    # Twelve weeks ahead every four weeks: three neighbours share periods.
    assert truth_and_wrong._overlap(origins) == 3


def test_tables_have_the_same_columns_whatever_they_hold(series):
    few = run_backtest(MODELS, series, ORIGINS[:1], 12, seed=1, draws=20)
    none = run_backtest({"failing": Failing(MONDAY)}, series, ORIGINS, 12, seed=1, draws=20)
    assert few.skill("climatology").schema == none.skill("failing").schema
    assert few.calibration().schema == none.calibration().schema


def test_few_origins_have_no_interval(series):
    backtest = run_backtest(MODELS, series, ORIGINS[:3], 12, seed=1, draws=20)
    skill = backtest.skill("climatology")
    assert skill["relative_crps"].null_count() == 0
    assert skill["relative_crps_lower"].null_count() == skill.height
    assert backtest.calibration()["lower"].null_count() == 18


def test_skill_over_a_perfect_reference_is_null():
    series = CountSeries.from_counts(np.zeros(160), MONDAY)
    models = {"zero": Poisson((0.0,)), "persistence": Persistence()}
    skill = run_backtest(models, series, ORIGINS, 12, seed=1, draws=50).skill("zero")
    assert skill["relative_crps"].null_count() == skill.height
    assert (skill.filter(model="persistence")["log_score_difference"] > 0).all()


def test_paths_above_the_cap_do_not_break_the_summaries(series):
    class Capped(Fixed):
        def forecast(self, horizon, rng, draws=1000):
            forecast = super().forecast(horizon, rng, draws)
            values = forecast.draws.copy()
            values[:5] = np.inf
            return replace(forecast, draws=values)

    class Model:
        def fit(self, series, rng=None):
            return Capped(series, (3.0, 1.0))

    models = {"capped": Model(), "persistence": Persistence()}
    backtest = run_backtest(models, series, ORIGINS, 12, seed=1, draws=50)
    skill = backtest.skill("persistence").filter(model="capped")
    assert skill["relative_crps"].is_finite().all()
    assert (skill["relative_crps_lower"] > 1).all()
    assert skill["log_score"].is_finite().all()
    assert backtest.notes == (
        "capped: 10.00% of its draws ran away and were stopped above their cap",
    )
    assert backtest.calibration()["share"].is_finite().all()


def test_calibration_of_the_truth_and_of_a_wrong_rate(truth_and_wrong):
    table = truth_and_wrong.calibration()
    assert table.columns == ["model", "stream", "level", "share", "lower", "upper", "origins"]
    own = table.filter(model="truth")
    # 9 intervals of 90 %: more than four of them wrong has a probability below 1 in 1,000.
    assert own.filter(pl.col("level").is_between("lower", "upper")).height >= 5
    assert ((own["share"] - own["level"]).abs() < 0.06).all()
    wrong = table.filter(pl.col("upper") < pl.col("level"), model="too high", stream="A")
    assert wrong.height == 3


def test_pit_histogram_leans_where_the_rate_is_too_high(truth_and_wrong):
    flat = truth_and_wrong.pit_histogram("truth", "A")
    leaning = truth_and_wrong.pit_histogram("too high", "A", bins=4)
    assert flat.sum() == pytest.approx(1)
    assert np.abs(flat - 0.1).max() < 0.05
    assert leaning[0] > 0.4
    with pytest.raises(ValueError, match="no model 'nobody'"):
        truth_and_wrong.pit_histogram("nobody")
    with pytest.raises(ValueError, match="no scored stream 'C'"):
        truth_and_wrong.pit_histogram("truth", "C")


def test_misses_are_the_largest_once_a_period_and_stream(truth_and_wrong):
    table = truth_and_wrong.misses(8, model="truth")
    assert table.height == 8
    assert table["crps"].is_sorted(descending=True)
    single = truth_and_wrong.table.filter(pl.col("stream") != ALL_STREAMS, model="truth")
    assert table["crps"][0] == single["crps"].max()
    assert table.select("stream", "date").is_duplicated().sum() == 0
    assert ALL_STREAMS not in table["stream"]
    with pytest.raises(ValueError, match="no model"):
        truth_and_wrong.misses(model="nobody")


def test_skill_wants_a_reference_that_is_there(truth_and_wrong):
    with pytest.raises(ValueError, match="no model 'naive'"):
        truth_and_wrong.skill("naive")


def test_a_table_without_the_columns_is_refused():
    with pytest.raises(ValueError, match="lacks the columns"):
        Backtest(pl.DataFrame({"model": ["a"]}), 12, 1)


def test_names_from_data_are_not_html(series):
    renamed = replace(series, names=("<b>A", "B"))
    page = run_backtest(MODELS, renamed, ORIGINS[:1], 12, seed=1, draws=5)._repr_html_()
    assert "<b>A" not in page


@dataclass(frozen=True)
class Fails:
    """Persistence that fails on busy series."""

    def fit(self, series, rng=None):
        if series.counts.mean() > 50:
            raise RuntimeError("too busy")
        return Persistence().fit(series)


def test_a_model_gains_nothing_by_failing_on_the_hard_series():
    """Skill is over the origins and series that both have scores of."""
    data = {
        name: CountSeries.from_counts(
            np.random.default_rng(0).poisson(mean, (80, 1)), date(2020, 1, 6), "week", ["a"]
        )
        for name, mean in (("low", 3.0), ("high", 200.0))
    }
    origins = [data["low"].edges[n].item() for n in range(40, 60, 2)]
    models = {"persistence": Persistence(), "fails": Fails()}
    backtest = run_backtest(models, data, origins, 4, seed=0, draws=300)
    rows = backtest.skill("persistence").filter(pl.col("model") == "fails")
    assert rows["relative_crps"].is_between(0.9, 1.1).all()
    alone = backtest.of_series("low").skill("persistence").filter(pl.col("model") == "fails")
    assert rows["crps"].to_list() == pytest.approx(alone["crps"].to_list())


@pytest.mark.parametrize(
    ("blocks", "weeks", "wanted"), [((), 1, 12), ((12,), 1, 12), ((4, 4, 4), 1, 12), ((), 4, 3)]
)
def test_origins_whose_periods_overlap_are_counted(blocks, weeks, wanted):
    counts = np.random.default_rng(0).poisson(3.0, (80, 1))
    series = CountSeries.from_counts(counts, date(2020, 1, 6), "week", ["a"])
    origins = [series.edges[n].item() for n in range(30, 60, weeks)]
    backtest = run_backtest({"z": Zero()}, series, origins, 12, seed=0, draws=2, blocks=blocks)
    judged = backtest.of_sums() if blocks else backtest
    assert judged._overlap(pl.Series(origins)) == wanted
    if blocks:
        table = backtest.warnings().filter(pl.col("first") == 1)
        last = table["last"].max()
        assert (table["end"] - table["origin"]).dt.total_days().unique().to_list() == [7 * last]
