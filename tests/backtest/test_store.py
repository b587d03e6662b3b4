"""The store's key: whatever can change a forecast is in it, whole."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pytest

from escalation.backtest import Vintages, run_backtest
from escalation.backtest.store import Store, fingerprint
from escalation.backtest.tasks import Task
from escalation.own_history import SmoothedResampling
from escalation.series import CountSeries, PanelSeries

MONDAY = date(2022, 1, 3)
TASK = Task("model", 0, MONDAY, 4, 0, 50)


@dataclass(frozen=True)
class Weighted:
    weights: np.ndarray


@pytest.fixture
def panel(rng):
    plain = CountSeries.from_counts(rng.poisson(5, (100, 2)), MONDAY, names=("A", "B"))
    counts = plain.counts.copy()
    counts[60:90, 1] = 0
    return PanelSeries(
        counts, plain.exposure, plain.edges, plain.names, plain.window, plain.period,
        units=("A", "B"), kinds=("attacks",), shares=np.ones((100, 2)),
    )  # fmt: skip


def with_its_own_watch(panel):
    shares = panel.shares.copy()
    shares[60:90, 1] = 0
    return replace(panel, shares=shares)


def test_a_panel_is_told_from_others_by_its_units_kinds_and_their_watch(panel):
    plain = CountSeries(
        panel.counts, panel.exposure, panel.edges, panel.names, panel.window, panel.period
    )
    others = [
        panel,
        with_its_own_watch(panel),
        replace(panel, units=("A", "C")),
        replace(panel, kinds=("strikes",)),
        plain,
    ]
    assert len({fingerprint(one) for one in others}) == len(others)
    assert fingerprint(panel) == fingerprint(replace(panel, shares=np.ones((100, 2))))
    day = panel.window.end
    vintages = [Vintages({day: one}) for one in others]
    assert len({fingerprint(one) for one in vintages}) == len(others)


def test_panels_that_differ_in_their_watch_share_no_results(panel, tmp_path):
    models, origins = {"own": SmoothedResampling()}, [MONDAY + timedelta(weeks=92)]
    settings = {"seed": 0, "draws": 50}
    run_backtest(models, with_its_own_watch(panel), origins, 4, store=tmp_path, **settings)
    found = run_backtest(models, panel, origins, 4, store=tmp_path, **settings)
    assert found == run_backtest(models, panel, origins, 4, **settings)
    assert len(list(tmp_path.glob("*.parquet"))) == 2


@pytest.mark.parametrize("change", [-1.0, 1e-12])
@pytest.mark.parametrize("length", [3, 2000])
def test_settings_in_long_arrays_are_told_to_the_last_digit(panel, tmp_path, length, change):
    weights = np.arange(float(length))
    other = weights.copy()
    other[length // 2] += change * max(other[length // 2], 1)
    paths = {
        Store(tmp_path, {"model": Weighted(each)}, {"": panel})._path(TASK)
        for each in (weights, other, weights.copy())
    }
    assert len(paths) == 2


def test_what_its_array_says_of_a_place_in_memory_is_refused(panel, tmp_path):
    hidden = np.zeros(2000, dtype=object)
    hidden[1000] = object()
    assert " at 0x" not in repr(hidden)
    with pytest.raises(ValueError, match="does not tell its settings"):
        Store(tmp_path, {"model": Weighted(hidden)}, {"": panel})
