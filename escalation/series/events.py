"""Times of events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from escalation.series.counts import (
    CountSeries,
    checked_names,
    count_days,
    plural,
    series_html,
    stream_days,
)
from escalation.window import FloatArray, Window

if TYPE_CHECKING:
    from escalation.actors import Actors
    from escalation.incidents import Incidents
    from escalation.streams import Stream

RESOLUTIONS = ("exact", "day")


@dataclass(frozen=True, eq=False)
class EventSeries:
    """The times of the events of K streams over one window.

    Parameters
    ----------
    times : tuple of K arrays of float64
        Days since ``window.start``, sorted, each within 0 to ``duration``.
    names : tuple of str
        The K streams.
    window : Window
        The days watched.
    duration : float
        Length of the watch in days, gaps included; its last day may be a part of one.
    resolution : {"exact", "day"}
        What the times can bear: with "day" they are whole numbers and events of one day have no
        order.
    marks : tuple of K arrays of float64, optional
        A size of each event, in the order of ``times``.
    dropped : str
        In words, what was not taken. "" if nothing.

    Raises
    ------
    ValueError
        If a time is not a number, out of order, outside the watch or in a gap: the message names
        the stream, the index and the value.
    """

    times: tuple[FloatArray, ...]
    names: tuple[str, ...]
    window: Window
    duration: float
    resolution: str = "exact"
    marks: tuple[FloatArray, ...] | None = None
    dropped: str = ""

    def __post_init__(self) -> None:
        if self.resolution not in RESOLUTIONS:
            raise ValueError(f"resolution must be 'exact' or 'day', got {self.resolution!r}")
        if not self.window.days - 1 < self.duration <= self.window.days:
            raise ValueError(
                f"the window of {self.window.days} days does not hold a watch of {self.duration}"
            )
        times = tuple(np.array(values, dtype=np.float64).reshape(-1) for values in self.times)
        object.__setattr__(self, "names", checked_names(self.names, len(times)))
        for name, values in zip(self.names, times, strict=True):
            self._check(name, values)
            values.setflags(write=False)
        object.__setattr__(self, "times", times)
        if self.marks is not None:
            marks = tuple(np.array(values, dtype=np.float64) for values in self.marks)
            if [m.shape for m in marks] != [t.shape for t in times]:
                raise ValueError("marks must have one value for each event of each stream")
            for values in marks:
                values.setflags(write=False)
            object.__setattr__(self, "marks", marks)

    def _check(self, name: str, values: FloatArray) -> None:
        if (values[1:] < values[:-1]).any():
            at = int(np.flatnonzero(np.diff(values) < 0)[0]) + 1
            raise ValueError(f"stream {name!r}, event {at}: time {values[at]:g} is out of order")
        check_times(name, values, values, self.duration)
        if self.resolution == "day":
            whole = (values == np.floor(values)) & (values < self.duration)
            complain(name, values, ~whole, "is not a whole day of the watch, resolution is 'day'")
        if self.window.gaps:
            watched = np.append(self.window.mask(), True)
            complain(name, values, ~watched[np.floor(values).astype(int)], "lies in a gap")

    @classmethod
    def from_incidents(
        cls,
        incidents: "Incidents",
        streams: "Sequence[Stream]",
        actors: "Actors | None" = None,
    ) -> "EventSeries":
        """Take the days of the incidents of each stream; ``resolution`` is "day".

        An incident of several days is placed on its first day. An incident in a gap is not taken,
        and told in ``dropped``. One incident may belong to several streams.
        """
        days, dropped = stream_days(incidents, streams, actors)
        times = tuple(values.astype(np.float64) for values in days)
        names = tuple(stream.name for stream in streams)
        window = incidents.window
        return cls(times, names, window, float(window.days), "day", None, dropped)

    @classmethod
    def from_times(
        cls,
        times: Any,
        start: date | float,
        end: date | float,
        names: Sequence[str] | None = None,
        resolution: str = "exact",
        marks: Any = None,
    ) -> "EventSeries":
        """Take plain times, which need not be in order.

        Parameters
        ----------
        times : array_like of shape (n,), or a sequence of K of them
            With dates as ``start`` and ``end``: dates, datetimes, or days since ``start``. With
            plain numbers: in the same unit as ``start``, and stored as ``times - start``.
        start, end : date or float
            The watch; an event at ``end`` itself is allowed when the resolution is "exact". Plain
            numbers need not be whole and may be in any unit, which the series then calls days: the
            window starts on 1970-01-01 and is the least number of days that holds ``end - start``.
        names : sequence of str, optional
            "stream 1", "stream 2", ... if not given.
        resolution : {"exact", "day"}
        marks : array_like like `times`, optional
            A size of each event, in the order in which the times are given.

        Raises
        ------
        ValueError
            If a time is not a number or outside the watch: names the stream, the index, the value.

        Examples
        --------
        >>> EventSeries.from_times([1962.2197, 1851.2026], start=1851.2026, end=1962.2197)
        EventSeries(1 stream, 2 events, 111.017 days, resolution 'exact')
        """
        origin, duration, window = watch(start, end)
        flat = is_flat(times)
        arrays = [np.asarray(values) for values in ([times] if flat else times)]
        labels = checked_names(names, len(arrays))
        sizes = None
        if marks is not None:
            sizes = [np.asarray(one, np.float64) for one in ([marks] if flat else marks)]
            if [len(one) for one in sizes] != [one.size for one in arrays]:
                raise ValueError("marks must have one value for each event of each stream")
        taken = []
        for k, (name, given) in enumerate(zip(labels, arrays, strict=True)):
            numbers = days_since(given, start) if isinstance(start, date) else given
            numbers = np.asarray(numbers, dtype=np.float64).reshape(-1)
            shown = given.reshape(-1)
            check_times(name, shown, numbers - origin, duration, f"{start} to {end}")
            order = np.argsort(numbers, kind="stable")
            taken.append(np.clip(numbers - origin, 0.0, duration)[order])
            if sizes is not None:
                sizes[k] = sizes[k][order]
        kept = tuple(sizes) if sizes is not None else None
        return cls(tuple(taken), labels, window, duration, resolution, kept)

    @property
    def n_streams(self) -> int:
        """Number of streams, K."""
        return len(self.times)

    def __len__(self) -> int:
        """Count the events of all streams."""
        return sum(len(values) for values in self.times)

    def counts(self, period: str) -> CountSeries:
        """Count the events in the whole periods of the window."""
        per_stream = [np.floor(values).astype(np.int64) for values in self.times]
        series = count_days(per_stream, self.window, period, self.names)
        return replace(series, dropped="; ".join(filter(None, (self.dropped, series.dropped))))

    def split(self, day: date) -> tuple["EventSeries", "EventSeries"]:
        """The events before the day and those from it on, each over its own window."""
        windows = self.window.split(day)
        cut = float(windows[0].days)
        first = [values < cut for values in self.times]
        spans = ((first, 0.0, cut), ([~keep for keep in first], cut, self.duration - cut))
        before, after = (
            replace(
                self,
                times=tuple(v[k] - shift for v, k in zip(self.times, keep, strict=True)),
                marks=self.marks and tuple(m[k] for m, k in zip(self.marks, keep, strict=True)),
                window=window,
                duration=duration,
            )
            for window, (keep, shift, duration) in zip(windows, spans, strict=True)
        )
        return before, after

    def summary(self) -> pl.DataFrame:
        """Sum up each stream: events, events a watched day, first and last day since the start."""
        lengths = [len(values) for values in self.times]
        unwatched = self.window.days - self.window.watched_days
        return pl.DataFrame(
            {
                "stream": self.names,
                "events": lengths,
                "a day": [n / (self.duration - unwatched) for n in lengths],
                "first day": [float(values[0]) if len(values) else None for values in self.times],
                "last day": [float(values[-1]) if len(values) else None for values in self.times],
            },
            schema_overrides={"first day": pl.Float64, "last day": pl.Float64},
        )

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same times over the same watch."""
        if not isinstance(other, EventSeries):
            return NotImplemented
        plain = ("names", "window", "duration", "resolution", "dropped")
        marked = (self.marks is None) == (other.marks is None)
        arrays = zip(
            (*self.times, *(self.marks or ())), (*other.times, *(other.marks or ())), strict=False
        )
        return (
            all(getattr(self, name) == getattr(other, name) for name in plain)
            and marked
            and all(np.array_equal(mine, theirs) for mine, theirs in arrays)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def __repr__(self) -> str:
        """Say how many streams, events and days."""
        return (
            f"EventSeries({plural(self.n_streams, 'stream')}, {plural(len(self), 'event')}, "
            f"{self.duration:,g} days, resolution {self.resolution!r})"
        )

    def _repr_html_(self) -> str:
        return series_html(self, f"{self.duration:,g} days, resolution {self.resolution}")


def watch(start: date | float, end: date | float) -> tuple[float, float, Window]:
    """Origin of the times, length of the watch in days, and the window that covers it."""
    if isinstance(start, date) and isinstance(end, date):
        window = Window(start, end)
        return 0.0, float(window.days), window
    if isinstance(start, date) or isinstance(end, date):
        raise ValueError(f"start and end must be two dates or two numbers, got {start}, {end}")
    duration = float(end) - float(start)
    if not 0 < duration < float("inf"):
        raise ValueError(f"a watch ends after it starts, got {start} to {end}")
    epoch = date(1970, 1, 1)
    return float(start), duration, Window(epoch, epoch + timedelta(days=int(np.ceil(duration))))


def is_flat(times: Any) -> bool:
    """Whether the times are those of one stream, not a sequence of streams."""
    if isinstance(times, np.ndarray):
        return times.ndim == 1 and times.dtype != np.object_
    return not any(np.ndim(values) for values in times)


def days_since(times: Any, start: date) -> FloatArray:
    """Days since the start of dates or datetimes; numbers already are days since it."""
    values = np.asarray(times)
    if values.size and (values.dtype == np.object_ or values.dtype.kind == "M"):
        elapsed = values.astype("datetime64[us]") - np.datetime64(start, "us")
        return elapsed / np.timedelta64(1, "D")
    return values.astype(np.float64)


def check_times(name: str, given: Any, days: FloatArray, duration: float, span: str = "") -> None:
    """Raise ``ValueError`` for a time that is no number or lies outside the watch."""
    complain(name, given, ~np.isfinite(days), "is not a finite time")
    # A difference of two decimal fractions may miss the end by a rounding.
    slack = 1e-9 * max(1.0, duration)
    outside = (days < -slack) | (days > duration + slack)
    complain(name, given, outside, f"lies outside the watch, {span or f'0 to {duration:g} days'}")


def complain(name: str, values: Any, wrong: Any, why: str) -> None:
    """Raise ``ValueError`` naming stream, index and value of the first wrong time."""
    if np.any(wrong):
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"stream {name!r}, event {at}: time {values[at]} {why}")
