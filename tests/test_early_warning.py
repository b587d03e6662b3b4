from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from escalation.backtest import run_backtest
from escalation.backtest.warnings import RECORD
from escalation.baselines import Conflictology
from escalation.early_warning import EarlyWarning, WarningRecord
from escalation.forecast import Forecast
from escalation.scores import net_benefit, roc_area
from escalation.series import CountSeries

START = date(2020, 1, 6)


@pytest.fixture
def forecast(rng):
    """Three units: one that doubles, one that falls, one that was quiet."""
    known = np.column_stack([np.full(30, 2), np.full(30, 6), np.zeros(30)]).astype(int)
    series = CountSeries.from_counts(known, START, "week", ["rising", "falling", "quiet"])
    draws = rng.poisson([4.0, 3.0, 0.05], (2000, 8, 3))
    return Forecast.after(series, draws, "made up")


def test_units_are_ranked_by_their_probability(forecast):
    table = EarlyWarning(forecast, periods=4, against=12, factor=1.2).table()
    draws = forecast.draws[:, :4].mean(axis=1)
    assert table["unit"].to_list()[0] == "rising"
    assert table["rank"].to_list() == [1, 2, 3]
    told = {row["unit"]: row for row in table.iter_rows(named=True)}
    for place, (unit, past) in enumerate([("rising", 2), ("falling", 6), ("quiet", 0)]):
        wanted = (draws[:, place] > 1.2 * past).mean()
        assert told[unit]["probability"] == pytest.approx(wanted)
        assert told[unit]["past_mean"] == past
    assert told["quiet"]["onset"] == pytest.approx((draws[:, 2] > 0).mean())
    assert told["rising"]["onset"] is None
    assert told["quiet"]["ratio"] is None


def test_a_warning_prints_and_escapes(forecast):
    warning = EarlyWarning(forecast, periods=4)
    assert "units: 3" in repr(warning)
    assert "<p>" in warning._repr_html_()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"periods": 9}, "has 8"),
        ({"periods": 4, "against": 0}, "against"),
        ({"factor": 0.0}, "factor"),
    ],
)
def test_impossible_warnings_are_refused(forecast, settings, said):
    with pytest.raises(ValueError, match=said):
        EarlyWarning(forecast, **settings)


def record_of(rng, origins=60, units=20, skill=True):
    """Warnings that are right, and ones that always tell the base rate."""
    rows = []
    for n in range(origins):
        origin = START + timedelta(weeks=4 * n)
        chance = rng.beta(1, 3, units)
        came = rng.random(units) < chance
        for unit in range(units):
            for model, told in (("right", chance[unit]), ("flat", 0.25)):
                rows.append((
                    model, "escalation", origin, 1, 12, origin + timedelta(weeks=12),
                    "", f"unit {unit}", told, float(came[unit]),
                ))  # fmt: skip
    return WarningRecord(pl.DataFrame(rows, schema=RECORD, orient="row"))


def test_a_summary_tells_skill_from_none(rng):
    record = record_of(rng)
    summary = record.summary(cost_ratio=4.0, resamples=200)
    told = {row["model"]: row for row in summary.iter_rows(named=True)}
    p, y, _ = record.cases("right", (1, 12))
    assert told["right"]["area"] == pytest.approx(roc_area(p, y))
    assert told["right"]["benefit"] == pytest.approx(net_benefit(p, y, [0.25])[0])
    assert told["right"]["area_lower"] > 0.6
    assert told["right"]["brier_skill_lower"] > 0
    # Told always, the base rate ranks nothing, and its benefit is that of always acting.
    assert told["flat"]["area"] == 0.5
    assert told["flat"]["benefit"] == pytest.approx(told["flat"]["benefit_always"])
    assert told["flat"]["discrimination"] == pytest.approx(0, abs=1e-12)
    assert (told["right"]["cases"], told["right"]["origins"]) == (1200, 60)


@pytest.mark.slow
def test_intervals_hold_what_they_should():
    """The area of 40 records of independent cases: 90 % intervals, at least 30 hold the truth."""
    rng = np.random.default_rng(0)
    large = record_of(rng, origins=400, units=40)
    p, y, _ = large.cases("right", (1, 12))
    truth, held = roc_area(p, y), 0
    for seed in range(40):
        record = record_of(np.random.default_rng(seed), origins=40)
        row = record.summary(resamples=200).row(0, named=True)
        held += row["area_lower"] <= truth <= row["area_upper"]
    assert held >= 30


def test_few_origins_have_no_interval(rng):
    row = record_of(rng, origins=3).summary().row(0, named=True)
    assert row["area"] is not None
    assert row["area_lower"] is None


def test_a_record_without_events_has_no_area(rng):
    record = record_of(rng, origins=10)
    quiet = WarningRecord(record.table.with_columns(outcome=pl.lit(0.0)))
    row = quiet.summary(resamples=20).row(0, named=True)
    assert row["area"] is None
    assert row["benefit"] < 0  # every alarm was in vain


def test_periods_not_watched_are_left_out(rng):
    record = record_of(rng, origins=10)
    some = pl.when(pl.col("stream") == "unit 0").then(None).otherwise("outcome")
    missing = WarningRecord(record.table.with_columns(outcome=some))
    assert missing.summary(resamples=20)["cases"].to_list() == [190, 190]


def test_what_is_no_record_is_refused(rng):
    table = record_of(rng, origins=2).table
    with pytest.raises(ValueError, match="lacks the columns end"):
        WarningRecord(table.drop("end"))
    with pytest.raises(ValueError, match="probabilities"):
        WarningRecord(table.with_columns(probability=pl.lit(1.5)))
    with pytest.raises(ValueError, match="0 or 1"):
        WarningRecord(table.with_columns(outcome=pl.lit(0.5)))
    with pytest.raises(ValueError, match="no model"):
        WarningRecord(table).cases("none", (1, 12))
    with pytest.raises(ValueError, match="cost_ratio"):
        WarningRecord(table).summary(cost_ratio=1.0)


def test_a_backtest_gives_its_warnings(rng):
    """Against counting by hand; what came is judged by the mean of the block."""
    counts = rng.poisson([3.0, 0.05], (60, 2))
    series = CountSeries.from_counts(counts, START, "week", ["busy", "rare"])
    origins = [START + timedelta(weeks=w) for w in (40, 44, 48, 52)]
    backtest = run_backtest(
        {"conflictology": Conflictology(12)}, series, origins, 8,
        seed=1, draws=200, blocks=(4, 4), against=6, factor=1.2,
    )  # fmt: skip
    table = WarningRecord.of(backtest).table
    for row in table.filter(pl.col("stream") == "busy").iter_rows(named=True):
        known = (row["origin"] - START).days // 7
        came = counts[known + row["first"] - 1 : known + row["last"], 0].mean()
        past = counts[known - 6 : known, 0].mean()
        assert row["event"] == "escalation"
        assert row["outcome"] == float(came > 1.2 * past)
        assert row["end"] == row["origin"] + timedelta(weeks=row["last"])
    assert set(table["stream"]) == {"busy", "rare"}
    assert "all streams" in set(backtest.warnings()["stream"])
    for row in table.filter(pl.col("stream") == "rare").iter_rows(named=True):
        known = (row["origin"] - START).days // 7
        quiet = not counts[known - 6 : known, 1].any()
        assert quiet or row["event"] == "escalation"
    assert table.filter(pl.col("event") == "onset").height > 0
