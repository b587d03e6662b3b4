"""Series of units that were watched over spans of their own."""

from datetime import date, timedelta

import numpy as np
import pytest

from escalation.series import CountSeries, PanelSeries

START = date(2024, 1, 1)


def one(counts, weeks=0, period="week", names=("raids",)):
    return CountSeries.from_counts(counts, START + timedelta(weeks=weeks), period, names)


def test_units_stand_side_by_side_in_one_calendar() -> None:
    panel = PanelSeries.from_series({"north": one([1, 0, 2]), "south": one([4, 3], weeks=2)})
    assert panel.units == panel.names == ("north", "south")
    np.testing.assert_array_equal(panel.counts, [[1, 0], [0, 0], [2, 4], [0, 3]])
    np.testing.assert_array_equal(panel.shares, [[1, 0], [1, 0], [1, 1], [0, 1]])
    assert panel.uneven
    assert panel.unit("south") == one([4, 3], weeks=2)
    assert repr(panel) == "PanelSeries(2 streams, 4 weeks from 2024-01-01, 10 incidents, 2 units)"


def test_kinds_of_streams_are_named_with_their_unit() -> None:
    both = {"north": one([[1, 2]], names=("a", "b")), "south": one([[3, 4]], names=("a", "b"))}
    panel = PanelSeries.from_series(both)
    assert panel.names == ("north: a", "north: b", "south: a", "south: b")
    assert not panel.uneven
    np.testing.assert_array_equal(panel.unit("south").counts, [[3, 4]])


def test_a_time_in_which_nobody_watched_is_a_gap() -> None:
    panel = PanelSeries.from_series({"north": one([1]), "south": one([2], weeks=3)})
    assert panel.window.gaps == ((date(2024, 1, 8), date(2024, 1, 22)),)
    np.testing.assert_array_equal(panel.exposure, [7, 0, 0, 7])


def test_months() -> None:
    first = CountSeries.from_counts([1, 2], date(2024, 1, 1), "month", ["raids"])
    later = CountSeries.from_counts([3], date(2024, 4, 1), "month", ["raids"])
    panel = PanelSeries.from_series({"north": first, "south": later})
    assert len(panel) == 4
    np.testing.assert_array_equal(panel.scale, [1, 1, 0, 1])


def test_a_panel_is_split_with_its_watch() -> None:
    panel = PanelSeries.from_series({"north": one([1, 0, 2]), "south": one([4, 3], weeks=2)})
    before, after = panel.split(date(2024, 1, 15))
    np.testing.assert_array_equal(before.shares, panel.shares[:2])
    np.testing.assert_array_equal(after.counts, panel.counts[2:])
    assert panel == PanelSeries.from_series(
        {"north": one([1, 0, 2]), "south": one([4, 3], weeks=2)}
    )
    assert panel != before


def test_what_is_no_panel() -> None:
    with pytest.raises(ValueError, match="at least one unit"):
        PanelSeries.from_series({})
    with pytest.raises(ValueError, match="south has a by week, the first unit raids by week"):
        PanelSeries.from_series({"north": one([1]), "south": one([1], names=("a",))})
    odd = CountSeries.from_counts([1], date(2024, 1, 3), "week", ["raids"])
    with pytest.raises(ValueError, match="south: its weeks start on other days"):
        PanelSeries.from_series({"north": one([1, 2]), "south": odd})
    panel = PanelSeries.from_series({"north": one([1]), "south": one([2], weeks=1)})
    with pytest.raises(ValueError, match="no unit 'east'"):
        panel.unit("east")
    with pytest.raises(ValueError, match="make each unit's series coarser"):
        panel.coarser("month")
