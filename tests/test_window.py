from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.window import Window

DAYS = st.dates(date(1990, 1, 1), date(2030, 1, 1))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    marks = sorted(draw(st.sets(DAYS, min_size=2, max_size=8)))
    inner = marks[1:-1]
    gaps = tuple(zip(inner[::2], inner[1::2], strict=False))
    return Window(marks[0], marks[-1], gaps)


@given(windows())
def test_mask_days_and_membership_agree(window: Window) -> None:
    mask = window.mask()
    assert len(mask) == window.days
    assert mask.sum() == window.watched_days
    for at in {0, window.days // 2, window.days - 1}:
        assert mask[at] == (window.start + timedelta(days=at) in window)
    assert window.end not in window


@given(windows(), st.sampled_from(["day", "week", "month"]))
def test_whole_periods_hold_the_days_watched_in_them(window: Window, period: str) -> None:
    try:
        edges = window.edges(period)
    except ValueError as fault:
        assert f"no whole {period}" in str(fault)
        assert window.days < 62
        return
    first, last = edges[0].item(), edges[-1].item()
    assert window.start <= first
    assert last <= window.end
    starts = [edge.item() for edge in edges[:5]]
    if period == "week":
        assert {day.weekday() for day in starts} == {0}
        assert set(np.diff(edges).astype(int)) == {7}
        assert (first - window.start).days < 7
        assert (window.end - last).days < 7
    if period == "month":
        assert {day.day for day in starts} == {1}
    exposure = window.exposure(edges)
    assert exposure.sum() == window.narrow(first, last).watched_days
    assert (exposure <= np.diff(edges).astype(int)).all()


@given(windows(), st.data())
def test_split_parts_hold_the_whole(window: Window, data: st.DataObject) -> None:
    if window.days < 2:
        return
    cut = data.draw(st.dates(window.start + timedelta(days=1), window.end - timedelta(days=1)))
    before, after = window.split(cut)
    assert before.end == after.start == cut
    assert np.array_equal(np.concatenate([before.mask(), after.mask()]), window.mask())


def test_exposure_counts_days_outside_the_window_as_not_watched() -> None:
    window = Window(
        date(2020, 1, 3), date(2020, 1, 20), gaps=((date(2020, 1, 8), date(2020, 1, 10)),)
    )
    edges = np.array("2019-12-30", "datetime64[D]") + 7 * np.arange(6).astype("timedelta64[D]")
    assert window.exposure(edges).tolist() == [3, 5, 7, 0, 0]
    assert window.exposure(edges).dtype == np.float64


def test_day_index_takes_lists_arrays_and_series() -> None:
    window = Window(date(2020, 1, 3), date(2021, 1, 3))
    days = [date(2020, 1, 3), date(2019, 12, 31), date(2020, 2, 3)]
    for given_days in (days, np.array(days, dtype="datetime64[D]"), pl.Series(days)):
        assert window.day_index(given_days).tolist() == [0, -3, 31]
    assert window.day_index([]).dtype == np.int64
    with pytest.raises(ValueError, match="date 1 is missing"):
        window.day_index(np.array(["2020-01-03", "NaT"], dtype="datetime64[D]"))


def test_gaps_are_kept_in_order() -> None:
    early, late = (date(2020, 1, 5), date(2020, 1, 8)), (date(2020, 1, 8), date(2020, 1, 9))
    assert Window(date(2020, 1, 1), date(2020, 2, 1), (late, early)).gaps == (early, late)


@pytest.mark.parametrize(
    ("start", "end", "gaps", "message"),
    [
        (date(2020, 1, 2), date(2020, 1, 2), (), "ends after it starts"),
        (date(2020, 1, 2), date(2019, 1, 2), (), "ends after it starts"),
        (datetime(2020, 1, 2), date(2021, 1, 1), (), "window start must be a datetime.date"),
        ("2020-01-01", date(2021, 1, 1), (), "window start must be"),
        (date(2020, 1, 1), date(2021, 1, 1), ((date(2020, 3, 1),) * 2,), "a gap ends after"),
        (date(2020, 1, 1), date(2021, 1, 1), ((date(2019, 3, 1), date(2020, 3, 1)),), "leaves"),
        (
            date(2020, 1, 1),
            date(2021, 1, 1),
            ((date(2020, 3, 1), date(2020, 4, 1)), (date(2020, 3, 31), date(2020, 5, 1))),
            "overlaps",
        ),
    ],
)
def test_bad_windows_say_what_is_wrong(
    start: date, end: date, gaps: tuple[tuple[date, date], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Window(start, end, gaps)


def test_unknown_period_and_split_outside() -> None:
    window = Window(date(2020, 1, 1), date(2021, 1, 1))
    with pytest.raises(ValueError, match="period must be one of day, week, month, got 'year'"):
        window.edges("year")
    for day in (window.start, window.end):
        with pytest.raises(ValueError, match="does not lie inside the window"):
            window.split(day)
    assert str(window) == "2020-01-01 to 2020-12-31 (366 days)"
