"""Drawings of early warnings."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from escalation import plots
from escalation.backtest.warnings import RECORD
from escalation.early_warning import EarlyWarning, WarningRecord
from escalation.forecast import Forecast
from escalation.plots import figure, style, svg
from escalation.series import CountSeries

BLOCK = (1, 4)


@pytest.fixture
def record(rng):
    """Thirty origins of ten units, warned of by one model that knows the chances."""
    rows = []
    for n in range(30):
        origin = date(2015, 1, 5) + timedelta(weeks=4 * n)
        for unit, chance in enumerate(rng.beta(1, 2, 10)):
            came = float(rng.random() < chance)
            end = origin + timedelta(weeks=4)
            rows.append(("$m$", "escalation", origin, *BLOCK, end, "", f"u{unit}", chance, came))
    return WarningRecord(pl.DataFrame(rows, schema=RECORD, orient="row"))


def drawn(draw):
    with style():
        made, axes = figure(3.0)
        ax = draw(axes[0, 0])
        return ax, svg(made)


def test_the_ranking_names_units_and_means(rng):
    known = np.column_stack([np.full(30, 2), np.full(30, 6)]).astype(int)
    series = CountSeries.from_counts(known, date(2020, 1, 6), "week", ["$a$", "b"])
    forecast = Forecast.after(series, rng.poisson([6.0, 3.0], (200, 8, 2)), "made up")
    ax, text = drawn(lambda ax: plots.ranking(ax, EarlyWarning(forecast, periods=4)))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$a$", "b"]
    assert "exceed 1.5 times the last 12" in text
    assert len(ax.patches) == 4


def test_a_calibrated_record_lies_within_its_band(record):
    ax, _ = drawn(lambda ax: plots.reliability(ax, record, "$m$", BLOCK, resamples=200))
    band = ax.collections[0].get_paths()[0]
    line = ax.lines[1].get_xydata()
    inside = np.mean([band.contains_point(point, radius=0.02) for point in line])
    assert inside > 0.7


def test_curves_tell_their_figures(record):
    ax, text = drawn(lambda ax: plots.roc(ax, record, BLOCK))
    assert "$m$: 0." in text
    np.testing.assert_allclose(ax.lines[1].get_xydata()[[0, -1]], [[0, 0], [1, 1]])
    _, text = drawn(lambda ax: plots.precision_recall(ax, record, BLOCK))
    assert "mean precision" in text


def test_the_decision_curve_marks_the_cost_ratio(record):
    ax, text = drawn(lambda ax: plots.decision_curve(ax, record, BLOCK, cost_ratio=4.0))
    assert "cost ratio 4" in text
    assert any(np.allclose(line.get_xdata(), 0.25) for line in ax.lines)


def test_records_without_events_say_so(record):
    quiet = WarningRecord(record.table.with_columns(outcome=pl.lit(0.0)))
    for draw in (plots.roc, plots.precision_recall):
        _, text = drawn(lambda ax, draw=draw: draw(ax, quiet, BLOCK))
        assert "no events" in text
