"""The span of days that was watched."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
DateArray = NDArray[np.datetime64]

PERIOD_DAYS = {"day": 1.0, "week": 7.0, "month": 30.4375}
"""Nominal length of a period in days; a month is a twelfth of 365.25 days."""

EPOCH_MONDAY = np.datetime64("1970-01-05", "D")
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """The half-open span of days that was watched, and the gaps in it.

    The window is always given, never read off the data: the last incident is not the end of the
    watch, and a period without incidents is a zero only inside the window and not in a gap.

    Parameters
    ----------
    start, end : date
        First day watched, and the day after the last one watched.
    gaps : tuple of (date, date)
        Half-open spans inside the window in which nobody watched; disjoint, kept in order.

    Raises
    ------
    ValueError
        If ``end`` is not after ``start``, or a gap is empty, overlaps another or leaves the window.

    Examples
    --------
    >>> from datetime import date
    >>> gap = (date(2020, 1, 6), date(2020, 1, 8))
    >>> window = Window(date(2020, 1, 1), date(2020, 2, 1), gaps=(gap,))
    >>> window.days, window.watched_days, date(2020, 1, 7) in window
    (31, 29, False)
    """

    start: date
    end: date
    gaps: tuple[tuple[date, date], ...] = ()

    def __post_init__(self) -> None:
        for name, day in (("start", self.start), ("end", self.end)):
            require_date(day, f"window {name}")
        if self.end <= self.start:
            raise ValueError(f"a window ends after it starts, got {self.start} to {self.end}")
        gaps = tuple(sorted((first, last) for first, last in self.gaps))
        latest = self.start
        for first, last in gaps:
            require_date(first, "gap start")
            require_date(last, "gap end")
            if last <= first:
                raise ValueError(f"a gap ends after it starts, got {first} to {last}")
            if first < self.start or last > self.end:
                raise ValueError(
                    f"the gap {first} to {last} leaves the window {self.start} to {self.end}"
                )
            if first < latest:
                raise ValueError(f"the gap {first} to {last} overlaps the one that ends {latest}")
            latest = last
        object.__setattr__(self, "gaps", gaps)

    @property
    def days(self) -> int:
        """Calendar days in the span, gaps included."""
        return (self.end - self.start).days

    @property
    def watched_days(self) -> int:
        """Days in the span and not in a gap."""
        return self.days - sum((last - first).days for first, last in self.gaps)

    def __contains__(self, day: date) -> bool:
        """Whether the day was watched: inside the span and not in a gap."""
        day = day.date() if isinstance(day, datetime) else day
        return self.start <= day < self.end and not any(a <= day < b for a, b in self.gaps)

    def mask(self) -> BoolArray:
        """Which days were watched, shape ``(days,)``."""
        watched = np.ones(self.days, dtype=bool)
        for first, last in self.gaps:
            watched[(first - self.start).days : (last - self.start).days] = False
        return watched

    def day_index(self, dates: DateArray | pl.Series | Sequence[date]) -> IntArray:
        """Days since ``start`` of each date, shape ``(n,)``; negative before the window."""
        values = dates.to_numpy() if isinstance(dates, pl.Series) else dates
        index = np.asarray(values, dtype="datetime64[D]") - np.datetime64(self.start, "D")
        if np.isnat(index).any():
            raise ValueError(f"date {int(np.flatnonzero(np.isnat(index))[0])} is missing")
        return index.astype(np.int64)

    def edges(self, period: str) -> DateArray:
        """Edges of the whole periods inside the window, shape ``(T + 1,)``, in days.

        Parameters
        ----------
        period : {"day", "week", "month"}
            Weeks start on Monday, months on the first.

        Raises
        ------
        ValueError
            If the period is unknown or no whole one fits.
        """
        check_period(period)
        start, end = np.datetime64(self.start, "D"), np.datetime64(self.end, "D")
        if period == "month":
            after = end.astype("datetime64[M]") + np.timedelta64(1, "M")
            edges = np.arange(start.astype("datetime64[M]"), after).astype("datetime64[D]")
            edges = edges[(edges >= start) & (edges <= end)]
        else:
            step = np.timedelta64(int(PERIOD_DAYS[period]), "D")
            if period == "week":
                start += (EPOCH_MONDAY - start) % step
            edges = np.arange(start, end + np.timedelta64(1, "D"), step)
        if len(edges) < 2:
            raise ValueError(f"no whole {period} lies between {self.start} and {self.end}")
        return edges

    def exposure(self, edges: DateArray) -> FloatArray:
        """Watched days in each period, shape ``(T,)``, from its edges, shape ``(T + 1,)``."""
        watched = np.concatenate([[0], np.cumsum(self.mask())])
        return np.diff(watched[np.clip(self.day_index(edges), 0, self.days)]).astype(np.float64)

    def split(self, day: date) -> tuple["Window", "Window"]:
        """The window before the day and the one from that day on; a gap across it is cut."""
        if not self.start < day < self.end:
            raise ValueError(f"{day} does not lie inside the window {self.start} to {self.end}")
        return self.narrow(self.start, day), self.narrow(day, self.end)

    def narrow(self, start: date, end: date) -> "Window":
        """The part of the window from ``start`` to before ``end``, with its gaps."""
        if start < self.start or end > self.end:
            raise ValueError(f"{start} to {end} leaves the window {self.start} to {self.end}")
        gaps = ((max(a, start), min(b, end)) for a, b in self.gaps)
        return Window(start, end, tuple((a, b) for a, b in gaps if a < b))

    def __str__(self) -> str:
        """Say first and last day in words, and the days in gaps."""
        gaps = f", {self.days - self.watched_days:,} of them not watched" if self.gaps else ""
        return f"{self.start} to {self.end - ONE_DAY} ({self.days:,} days{gaps})"


def check_period(period: str) -> None:
    """Raise ``ValueError`` unless the period is one of ``PERIOD_DAYS``."""
    if period not in PERIOD_DAYS:
        raise ValueError(f"period must be one of {', '.join(PERIOD_DAYS)}, got {period!r}")


def require_date(day: object, what: str) -> None:
    """Raise ``ValueError`` unless the value is a plain calendar date."""
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ValueError(f"{what} must be a datetime.date, got {day!r}")
