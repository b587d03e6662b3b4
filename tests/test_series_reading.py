"""Counts from a table."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation import CountSeries, read_counts
from escalation.sources import DataError

HEAD = "start,end,exposure,a\n"


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(
        st.lists(st.integers(0, 10**9), min_size=2, max_size=2), min_size=2, max_size=9
    ),
    period=st.sampled_from(["day", "week", "month"]),
)
def test_what_a_series_writes_is_read_back(counts: list[tuple[int, int]], period: str) -> None:
    start = date(2020, 1, 1 if period == "month" else 7)
    series = CountSeries.from_counts(counts, start, period, ("a", "β, γ"))
    assert read_counts(series.table()) == series


@pytest.mark.parametrize("period", ["week", "month"])
def test_gaps_are_said_where_a_period_was_watched_in_part(period: str, tmp_path: Path) -> None:
    gaps = ((date(2020, 3, 3), date(2020, 3, 20)),)
    counts = np.zeros(15, int)
    counts[::5] = 3
    start = date(2020, 1, 1 if period == "month" else 6)
    series = CountSeries.from_counts(counts, start, period, ("a",), gaps)
    file = tmp_path / "counts.csv"
    series.table().write_csv(file)
    assert read_counts(file, gaps) == series
    with pytest.raises(DataError, match=r"counts.csv: line \d+: .* were watched, .* say which"):
        read_counts(file)


def test_a_whole_period_without_a_watch_is_a_gap(tmp_path: Path) -> None:
    gaps = ((date(2020, 1, 13), date(2020, 1, 27)),)
    series = CountSeries.from_counts([3, 0, 0, 1], date(2020, 1, 6), "week", ("a",), gaps)
    found = read_counts(series.table())
    assert np.array_equal(found.exposure, [7, 0, 0, 7])
    assert np.array_equal(found.window.mask(), series.window.mask())


def test_without_exposure_every_day_was_watched(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("start;end;a;b\n2020-02-01;2020-03-01;1;0\n2020-03-01;2020-04-01;2;9\n")
    series = read_counts(file)
    assert (series.period, series.names) == ("month", ("a", "b"))
    assert series.exposure.tolist() == [29, 31]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,a\n2020-01-06,1\n", "there is no 'start'"),
        ("start,end\n2020-01-06,2020-01-13\n", "no column of a stream"),
        (HEAD, "it has no periods"),
        (HEAD + "2020-01-06,2020-01-13,7,x\n", "line 2, column 'a': 'x' is not a whole number"),
        (HEAD + "2020-01-06,2020-01-13,7,1.5\n", "'1.5' is not a whole number"),
        (HEAD + "2020-01-06,2020-01-13,7,\n", "line 2, column 'a': '' is not a whole number"),
        (HEAD + "2020-01-06,2020-01-13,7,-1\n", "count -1 is not a whole number >= 0"),
        (HEAD + "6.1.2020,2020-01-13,7,1\n", "line 2, column 'start': '6.1.2020' is not a date"),
        (HEAD + "2020-01-06,2020-01-13,much,1\n", "column 'exposure': 'much' is not a number"),
        (HEAD + "2020-01-06,2020-01-13,9,1\n", "9 days of 2020-01-06 to 2020-01-13 were watched"),
        (HEAD + "2020-01-06,2020-01-09,3,1\n", "periods are days, weeks or months, all alike"),
        (
            HEAD + "2020-01-06,2020-01-13,7,1\n2020-01-20,2020-01-27,7,1\n",
            "line 3: starts on 2020-01-20, the period before ends on 2020-01-13",
        ),
        (HEAD + "2020-01-06,2020-01-13,7\n", "line 2"),
    ],
)
def test_a_fault_is_one_line_with_file_line_and_column(
    text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "counts.csv"
    file.write_text(text)
    with pytest.raises(DataError) as fault:
        read_counts(file)
    assert str(fault.value).startswith(f"{file}: ")
    assert said in str(fault.value)
