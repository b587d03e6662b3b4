from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.actors import Actor, Actors
from escalation.incidents import Incidents
from escalation.series import CountSeries, EventSeries
from escalation.sources import read
from escalation.streams import Stream
from escalation.window import Window

# 2020-01-01 is a Wednesday, 2020-02-03 a Monday.
WINDOW = Window(date(2020, 1, 1), date(2020, 3, 5), gaps=((date(2020, 1, 15), date(2020, 1, 18)),))
STREAMS = (Stream("from A", source=("A",)), Stream("from B", source=("B",)))


def coded(days: list[str], sources: list[str], window: Window = WINDOW) -> Incidents:
    rows = {"date": days, "source": sources, "target": ["X"] * len(days)}
    return read(pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String)), window)


@st.composite
def day_lists(draw: st.DrawFn) -> list[tuple[date, str]]:
    day = st.dates(WINDOW.start, WINDOW.end - timedelta(days=1))
    return draw(st.lists(st.tuples(day, st.sampled_from("AB")), max_size=30))


@settings(max_examples=30)
@given(day_lists(), st.sampled_from(["day", "week", "month"]))
def test_each_incident_is_counted_in_its_period_or_told(
    given_days: list[tuple[date, str]], period: str
) -> None:
    incidents = coded([str(day) for day, _ in given_days], [who for _, who in given_days])
    series = CountSeries.from_incidents(incidents, STREAMS, period)
    for at, (start, end) in enumerate(zip(series.edges[:-1], series.edges[1:], strict=True)):
        for k, who in enumerate("AB"):
            expected = sum(
                start.item() <= day < end.item() and source == who and day in WINDOW
                for day, source in given_days
            )
            assert series.counts[at, k] == expected
    in_gap = sum(day not in WINDOW for day, _ in given_days)
    assert (f"{in_gap} incident" in series.dropped and "in a gap" in series.dropped) == (in_gap > 0)
    assert series.exposure.sum() == series.window.watched_days
    assert series.counts.dtype == np.int64


@settings(max_examples=30)
@given(day_lists(), st.sampled_from(["week", "month"]))
def test_days_summed_up_are_the_coarser_counts(
    given_days: list[tuple[date, str]], period: str
) -> None:
    incidents = coded([str(day) for day, _ in given_days], [who for _, who in given_days])
    daily = CountSeries.from_incidents(incidents, STREAMS, "day")
    direct = CountSeries.from_incidents(incidents, STREAMS, period)
    assert daily.coarser(period) == direct


def test_partial_edge_periods_are_dropped_and_told() -> None:
    days = ["2020-01-02", "2020-01-05", "2020-01-06", "2020-03-01", "2020-03-04"]
    series = CountSeries.from_incidents(coded(days, ["A"] * 5), STREAMS, "week")
    assert series.edges[0] == np.datetime64("2020-01-06")
    assert series.edges[-1] == np.datetime64("2020-03-02")
    assert series.counts.sum() == 2
    assert series.dropped == (
        "partial weeks at the edges dropped: "
        "2020-01-01 to 2020-01-05 and 2020-03-02 to 2020-03-04 (3 incidents)"
    )
    assert series.window == WINDOW.narrow(date(2020, 1, 6), date(2020, 3, 2))
    assert "(3 incidents)" in series._repr_html_()


def test_a_period_partly_in_a_gap_has_its_exposure() -> None:
    series = CountSeries.from_incidents(
        coded(["2020-01-16", "2020-01-20"], ["A", "B"]), STREAMS, "week"
    )
    assert series.exposure.tolist() == [7, 4, 7, 7, 7, 7, 7, 7]
    assert series.scale.tolist()[:2] == [1.0, 4 / 7]
    assert series.counts.sum() == 1
    assert "1 incident in a gap not counted" in series.dropped
    monthly = CountSeries.from_incidents(coded([], []), STREAMS, "month")
    assert monthly.scale.tolist() == [28 / 31, 1.0]
    assert monthly.counts.tolist() == [[0, 0], [0, 0]]


def test_an_incident_of_several_days_counts_once_on_its_first() -> None:
    rows = {"date": ["2020-02-02"], "date_latest": ["2020-02-20"], "source": ["A"], "target": ["B"]}
    series = CountSeries.from_incidents(read(pl.DataFrame(rows), WINDOW), STREAMS[:1], "week")
    assert series.counts[:, 0].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]


def test_streams_see_aliases() -> None:
    actors = Actors((Actor("A", ("Alpha",)),))
    incidents = coded(["2020-02-02"], ["Alpha"])
    assert CountSeries.from_incidents(incidents, STREAMS, "week", actors).counts.sum() == 1
    assert CountSeries.from_incidents(incidents, STREAMS, "week").counts.sum() == 0
    with pytest.raises(ValueError, match="at least one stream"):
        CountSeries.from_incidents(incidents, (), "week")


@given(st.integers(1, 29), st.sampled_from(["day", "week", "month"]))
def test_split_counts_hold_the_whole(cut: int, period: str) -> None:
    counts = np.arange(60).reshape(30, 2)
    gaps = () if period == "day" else WINDOW.gaps
    series = CountSeries.from_counts(counts, date(2020, 1, 1), period, gaps=gaps)
    before, after = series.split(series.edges[cut].item())
    assert len(before) == cut
    assert np.array_equal(np.concatenate([before.counts, after.counts]), counts)
    assert np.array_equal(np.concatenate([before.exposure, after.exposure]), series.exposure)
    assert before.window.end == after.window.start


def test_split_wants_the_start_of_a_period() -> None:
    series = CountSeries.from_counts([1, 2, 3], date(2020, 1, 6), names=["s"])
    with pytest.raises(ValueError, match="nearest start on 2020-01-13 and 2020-01-20"):
        series.split(date(2020, 1, 15))
    for day in (date(2020, 1, 6), date(2020, 1, 27), date(2021, 1, 1)):
        with pytest.raises(ValueError, match="does not lie inside the series"):
            series.split(day)


def test_from_counts_starts_where_it_is_told() -> None:
    series = CountSeries.from_counts([[1, 2], [0, 5]], date(2020, 1, 1), names=["a", "b"])
    assert series.edges.astype(str).tolist() == ["2020-01-01", "2020-01-08", "2020-01-15"]
    monthly = CountSeries.from_counts([1, 2, 3], date(2019, 12, 1), "month")
    assert monthly.edges.astype(str).tolist()[1:] == ["2020-01-01", "2020-02-01", "2020-03-01"]
    assert monthly.exposure.tolist() == [31, 31, 29]
    assert monthly.names == ("stream 1",)
    assert repr(series) == "CountSeries(2 streams, 2 weeks from 2020-01-01, 8 incidents)"


@pytest.mark.parametrize(
    ("counts", "more", "message"),
    [
        ([1, -2], {}, "stream 'stream 1', period 1: count -2 is not a whole number"),
        ([[1, 2], [1, 2.5]], {"names": ["a", "b"]}, "stream 'b', period 1: count 2.5"),
        ([1, np.nan], {}, "period 1: count nan"),
        ([1, np.inf], {}, "period 1: count inf"),
        ([[[1]]], {}, "shape"),
        ([], {}, "shape"),
        ([1], {"names": ["a", "b"]}, "1 streams want as many different names"),
        ([[1, 2]], {"names": ["a", "a"]}, "different names"),
        ([1], {"period": "year"}, "period must be one of"),
        ([1], {"period": "month"}, "months start on the first, got 2020-01-06"),
        ([1, 2], {"gaps": ((date(2020, 1, 6), date(2020, 1, 13)),)}, "not watched"),
    ],
)
def test_bad_counts_name_stream_period_and_value(
    counts: list[Any], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        CountSeries.from_counts(counts, date(2020, 1, 6), **more)


def test_arrays_are_read_only_and_the_callers_are_left_alone() -> None:
    counts = np.array([[1], [2]])
    series = CountSeries.from_counts(counts, date(2020, 1, 6))
    with pytest.raises(ValueError, match="read-only"):
        series.counts[0, 0] = 5
    counts[0, 0] = 7
    assert series.counts[0, 0] == 1
    events = EventSeries.from_times([1.0], 0, 2)
    with pytest.raises(ValueError, match="read-only"):
        events.times[0][0] = 5


def test_weeks_do_not_nest_in_months() -> None:
    series = CountSeries.from_counts([1, 2], date(2020, 1, 6))
    assert series.coarser("week") is series
    with pytest.raises(ValueError, match="a week does not nest in a month"):
        series.coarser("month")


def test_table_and_summary() -> None:
    series = CountSeries.from_counts(
        [[0, 1], [3, 0], [0, 0]], date(2020, 1, 6), names=["a", "<b>"],
        gaps=((date(2020, 1, 20), date(2020, 1, 27)),),
    )  # fmt: skip
    table = series.table()
    assert table.columns == ["start", "end", "exposure", "a", "<b>"]
    assert table["a"].to_list() == [0, 3, 0]
    rows = series.summary().to_dicts()
    assert [row["mean"] for row in rows] == [1.5, 0.5]
    assert [row["share without"] for row in rows] == [0.5, 0.5]
    assert [(row["most"], row["from"]) for row in rows] == [
        (3, date(2020, 1, 13)),
        (1, date(2020, 1, 6)),
    ]
    html = series._repr_html_()
    assert "<b>CountSeries</b>" in html
    assert "&lt;b&gt;" in html
    assert '"<b>"' not in html


def test_event_series_from_incidents_has_days() -> None:
    incidents = coded(
        ["2020-02-02", "2020-01-01", "2020-01-16", "2020-01-01"], ["A", "A", "A", "B"]
    )
    series = EventSeries.from_incidents(incidents, STREAMS)
    assert [values.tolist() for values in series.times] == [[0.0, 32.0], [0.0]]
    assert series.resolution == "day"
    assert series.duration == WINDOW.days
    assert series.dropped == "1 incident in a gap not counted"
    assert series.counts("week") == CountSeries.from_incidents(incidents, STREAMS, "week")


def test_plain_times_are_kept_from_the_start() -> None:
    series = EventSeries.from_times([1962.2197, 1851.2026, 1900.0], 1851.2026, 1962.2197)
    assert series.duration == pytest.approx(111.0171)
    assert series.times[0] == pytest.approx([0, 48.7974, 111.0171])
    assert series.window == Window(date(1970, 1, 1), date(1970, 4, 23))
    assert series.times[0][-1] <= series.duration
    assert repr(series) == "EventSeries(1 stream, 3 events, 111.017 days, resolution 'exact')"


@pytest.mark.parametrize(
    "times",
    [
        [date(2020, 1, 2), date(2020, 1, 4)],
        [datetime(2020, 1, 4), datetime(2020, 1, 2)],
        np.array(["2020-01-04", "2020-01-02"], dtype="datetime64[D]"),
        [3, 1],
        np.array([1.0, 3.0]),
        [[3.0, 1.0]],
    ],
)
def test_dated_times(times: object) -> None:
    series = EventSeries.from_times(times, date(2020, 1, 1), date(2020, 2, 1))
    assert [values.tolist() for values in series.times] == [[1.0, 3.0]]
    assert series.window == Window(date(2020, 1, 1), date(2020, 2, 1))


def test_streams_of_plain_times() -> None:
    series = EventSeries.from_times([[0.5, 0.1], []], start=0, end=10, names=["a", "b"])
    assert [values.tolist() for values in series.times] == [[0.1, 0.5], []]
    assert (series.names, series.n_streams, len(series)) == (("a", "b"), 2, 2)
    assert len(EventSeries.from_times([], 0, 10)) == 0


@pytest.mark.parametrize(
    ("times", "more", "message"),
    [
        ([1.0, np.nan], {}, "stream 'stream 1', event 1: time nan is not a finite time"),
        (
            [[1.0], [2.0, 11.5]],
            {"names": ["a", "b"]},
            "stream 'b', event 1: time 11.5 lies outside",
        ),
        ([-0.5], {}, "event 0: time -0.5 lies outside the watch, 0 to 10"),
        ([1.0, 2.5], {"resolution": "day"}, "event 1: time 2.5 is not a whole day"),
        ([10.0], {"resolution": "day"}, "event 0: time 10.0 is not a whole day"),
        ([1.0], {"resolution": "hour"}, "resolution must be 'exact' or 'day', got 'hour'"),
        ([1.0], {"end": 0}, "a watch ends after it starts, got 0 to 0"),
        ([1.0], {"end": date(2020, 1, 1)}, "two dates or two numbers"),
        ([1.0], {"names": ["a", "b"]}, "1 streams want as many different names"),
    ],
)
def test_bad_times_name_stream_index_and_value(
    times: list[float], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        EventSeries.from_times(times, **({"start": 0, "end": 10} | more))


def test_an_event_in_a_gap_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"stream 'a', event 0: time 14\.5 lies in a gap"):
        EventSeries((np.array([14.5]),), ("a",), WINDOW, float(WINDOW.days))
    with pytest.raises(ValueError, match="event 1: time 1 is out of order"):
        EventSeries((np.array([2.0, 1.0]),), ("a",), WINDOW, float(WINDOW.days))


def test_counts_of_exact_times_put_each_in_its_day() -> None:
    series = EventSeries.from_times([0.0, 0.99, 1.0, 2.5, 3.0], 0, 3)
    daily = series.counts("day")
    assert daily.counts[:, 0].tolist() == [2, 1, 1]
    assert daily.dropped == "1 event at the very end of the watch not counted"


@given(st.lists(st.floats(0, 40.5), max_size=20), st.integers(1, 40))
def test_split_events_hold_the_whole(times: list[float], cut: int) -> None:
    series = EventSeries.from_times(times, 0, 40.5)
    before, after = series.split(date(1970, 1, 1) + timedelta(days=cut))
    assert before.duration == cut
    assert before.duration + after.duration == pytest.approx(series.duration)
    joined = np.concatenate([before.times[0], after.times[0] + cut])
    assert joined == pytest.approx(series.times[0])
    assert (before.times[0] < cut).all()


def test_events_are_equal_by_what_they_hold() -> None:
    one = EventSeries.from_times([[1.0], [2.0]], 0, 10)
    assert one == EventSeries.from_times([[1.0], [2.0]], 0, 10)
    assert one != EventSeries.from_times([[1.0], [2.5]], 0, 10)
    assert one != EventSeries.from_times([[1.0]], 0, 10)
    marked = EventSeries(one.times, one.names, one.window, 10.0, marks=one.times)
    assert marked != one
    with pytest.raises(ValueError, match="marks must have one value for each event"):
        EventSeries(one.times, one.names, one.window, 10.0, marks=(one.times[0], np.empty(0)))


def test_event_summary() -> None:
    rows = EventSeries.from_times([[1.0, 4.0], []], 0, 10, names=["a", "b"]).summary().to_dicts()
    assert rows[0] == {"stream": "a", "events": 2, "a day": 0.2, "first day": 1.0, "last day": 4.0}
    assert (rows[1]["events"], rows[1]["first day"]) == (0, None)
    assert "a day" in EventSeries.from_times([1.0], 0, 2)._repr_html_()


def test_coal_mining_times_fit_their_watch(shared: Path) -> None:
    times = pl.read_csv(shared / "references" / "data" / "boot_coal.csv")["date"].to_numpy()
    series = EventSeries.from_times(times, times[0], times[-1])
    assert len(series) == 191
    assert series.times[0][0] == 0
    assert series.times[0][-1] == series.duration


def test_marks_go_with_their_times() -> None:
    series = EventSeries.from_times([[3.0, 1.0], [2.0]], 0, 5, marks=[[30.0, 10.0], [20.0]])
    assert series.marks is not None
    np.testing.assert_array_equal(series.marks[0], [10.0, 30.0])
    np.testing.assert_array_equal(series.marks[1], [20.0])
    with pytest.raises(ValueError, match="one value for each event"):
        EventSeries.from_times([1.0, 2.0], 0, 5, marks=[1.0])
