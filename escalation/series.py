"""Series of K streams over one window: the times of events, and counts per period."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from html import escape
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from escalation.window import (
    PERIOD_DAYS,
    DateArray,
    FloatArray,
    IntArray,
    Window,
    check_period,
)

if TYPE_CHECKING:
    from escalation.actors import Actors
    from escalation.incidents import Incidents
    from escalation.streams import Stream

RESOLUTIONS = ("exact", "day")
TOLD = "{} outside the window or in a gap not counted"


@dataclass(frozen=True, eq=False)
class CountSeries:
    """Incidents counted per period, K streams side by side.

    A zero is an observation: it stands only inside the window, and in a period that lies partly in
    a gap it is worth the days that were watched (``exposure``).

    Parameters
    ----------
    counts : array of int64, shape (T, K)
        Incidents of each stream in each period.
    exposure : array of float64, shape (T,)
        Days watched in each period; 0 where the whole period lies in a gap.
    edges : array of datetime64[D], shape (T + 1,)
        First day of each period, and the day after the last.
    names : tuple of str
        The K streams.
    window : Window
        From ``edges[0]`` to ``edges[-1]``, with the gaps.
    period : {"day", "week", "month"}
    dropped : str
        In words, what was not counted: partial periods at the edges, incidents in gaps. "" if none.

    Raises
    ------
    ValueError
        If shapes disagree, a count is negative, or a period that nobody watched has a count.
    """

    counts: IntArray
    exposure: FloatArray
    edges: DateArray
    names: tuple[str, ...]
    window: Window
    period: str
    dropped: str = ""

    def __post_init__(self) -> None:
        check_period(self.period)
        freeze(self, "counts", whole_numbers(self.counts, self.names))
        freeze(self, "exposure", np.array(self.exposure, dtype=np.float64))
        freeze(self, "edges", np.array(self.edges, dtype="datetime64[D]"))
        object.__setattr__(self, "names", checked_names(self.names, self.counts.shape[1]))
        length = len(self.counts)
        if len(self.edges) != length + 1 or self.exposure.shape != (length,) or not length:
            raise ValueError(
                f"{length} periods of counts want as many exposures and one more edge, "
                f"got {self.exposure.shape} exposures and {len(self.edges)} edges"
            )
        span = (cast(date, self.edges[0].item()), cast(date, self.edges[-1].item()))
        if span != (self.window.start, self.window.end):
            raise ValueError(
                f"edges from {span[0]} to {span[1]} do not span the window "
                f"{self.window.start} to {self.window.end}"
            )
        unwatched = np.flatnonzero((self.exposure <= 0) & (self.counts.sum(axis=1) > 0))
        if len(unwatched):
            raise ValueError(
                f"the {self.period} from {self.edges[unwatched[0]]} has counts, but was not watched"
            )

    @classmethod
    def from_incidents(
        cls,
        incidents: "Incidents",
        streams: "Sequence[Stream]",
        period: str,
        actors: "Actors | None" = None,
    ) -> "CountSeries":
        """Count the incidents of each stream in the whole periods of their window.

        An incident of several days counts once, on its first day.

        Parameters
        ----------
        incidents : Incidents
        streams : sequence of Stream
            In the order of the K columns.
        period : {"day", "week", "month"}
            Weeks start on Monday, months on the first; partial periods at the edges are dropped
            and told in ``dropped``.
        actors : Actors, optional
            Aliases to resolve before actors are compared.
        """
        return EventSeries.from_incidents(incidents, streams, actors).counts(period)

    @classmethod
    def from_counts(
        cls,
        counts: Any,
        start: date,
        period: str = "week",
        names: Sequence[str] | None = None,
        gaps: tuple[tuple[date, date], ...] = (),
    ) -> "CountSeries":
        """Take plain numbers as counts of consecutive periods.

        Parameters
        ----------
        counts : array_like of whole numbers, shape (T, K) or (T,)
        start : date
            First day of the first period; weeks then start on that day of the week, months must
            start on the first.
        period : {"day", "week", "month"}
        names : sequence of str, optional
            "stream 1", "stream 2", ... if not given.
        gaps : tuple of (date, date)
            Half-open spans that nobody watched; the exposure is less by them.

        Examples
        --------
        >>> from datetime import date
        >>> CountSeries.from_counts([3, 0, 2], date(2020, 1, 6))
        CountSeries(1 stream, 3 weeks from 2020-01-06, 5 incidents)
        """
        check_period(period)
        values = np.asarray(counts)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or not values.size:
            raise ValueError(f"counts must have shape (T, K) or (T,), got {np.shape(counts)}")
        steps = np.arange(len(values) + 1)
        first = np.datetime64(start, "D")
        if period == "month":
            if start.day != 1:
                raise ValueError(f"months start on the first, got {start}")
            edges = (first.astype("datetime64[M]") + steps).astype("datetime64[D]")
        else:
            edges = first + steps * int(PERIOD_DAYS[period])
        window = Window(start, edges[-1].item(), gaps)
        labels = checked_names(names, values.shape[1])
        exposure = window.exposure(edges)
        return cls(whole_numbers(values, labels), exposure, edges, labels, window, period)

    def __len__(self) -> int:
        """Count the periods, T."""
        return len(self.counts)

    @property
    def n_streams(self) -> int:
        """Number of streams, K."""
        return self.counts.shape[1]

    @property
    def scale(self) -> FloatArray:
        """Exposure in periods, shape ``(T,)``: 1 where every day of the period was watched.

        Days and weeks are compared with their length, a month with its own number of days.
        """
        if self.period == "month":
            return self.exposure / np.diff(self.edges).astype(np.float64)
        return self.exposure / PERIOD_DAYS[self.period]

    def split(self, day: date) -> tuple["CountSeries", "CountSeries"]:
        """The periods before the day and those from it on; the day must start a period.

        Raises
        ------
        ValueError
            If no period starts on that day, or one side would be empty.
        """
        at = int(np.searchsorted(self.edges, np.datetime64(day, "D")))
        if not 0 < at < len(self):
            raise ValueError(
                f"{day} does not lie inside the series {self.window.start} to {self.window.end}"
            )
        if self.edges[at] != np.datetime64(day, "D"):
            raise ValueError(
                f"no {self.period} starts on {day}; "
                f"the nearest start on {self.edges[at - 1]} and {self.edges[at]}"
            )
        before, after = self.window.split(day)
        return (
            replace(
                self,
                counts=self.counts[:at],
                exposure=self.exposure[:at],
                edges=self.edges[: at + 1],
                window=before,
            ),
            replace(
                self,
                counts=self.counts[at:],
                exposure=self.exposure[at:],
                edges=self.edges[at:],
                window=after,
            ),
        )

    def coarser(self, period: str) -> "CountSeries":
        """Sum days into weeks or months, as if they had been counted so from the start.

        Raises
        ------
        ValueError
            If the periods of this series do not nest in the wanted ones.
        """
        check_period(period)
        if period == self.period:
            return self
        if self.period != "day":
            raise ValueError(f"a {self.period} does not nest in a {period}; count days first")
        days = np.arange(len(self), dtype=np.int64)
        per_stream = [np.repeat(days, column) for column in self.counts.T]
        series = count_days(per_stream, self.window, period, self.names)
        return replace(series, dropped=told(self.dropped, series.dropped))

    def table(self) -> pl.DataFrame:
        """The counts as a table: start, end (the day after), exposure in days, each stream."""
        columns = {"start": self.edges[:-1], "end": self.edges[1:], "exposure": self.exposure}
        columns |= dict(zip(self.names, self.counts.T, strict=True))
        return pl.DataFrame({name: pl.Series(values.copy()) for name, values in columns.items()})

    def summary(self) -> pl.DataFrame:
        """Sum up each stream.

        Columns: stream, incidents, mean (in a fully watched period), variance over mean, share of
        watched periods without incidents, most in one period, and when that period started.
        """
        watched = self.exposure > 0
        counts = self.counts[watched]
        mean = counts.mean(axis=0) if len(counts) else np.full(self.n_streams, np.nan)
        spread = counts.var(axis=0, ddof=1) if len(counts) > 1 else np.full_like(mean, np.nan)
        dispersion = np.divide(spread, mean, out=np.full_like(mean, np.nan), where=mean > 0)
        total = self.counts.sum(axis=0)
        return pl.DataFrame(
            {
                "stream": self.names,
                "incidents": total,
                "mean": total / self.scale.sum() if watched.any() else mean,
                "variance over mean": dispersion,
                "share without": (counts == 0).mean(axis=0) if len(counts) else mean,
                "most": self.counts.max(axis=0),
                "from": self.edges[self.counts.argmax(axis=0)],
            },
            nan_to_null=True,
        )

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same counts over the same periods."""
        if not isinstance(other, CountSeries):
            return NotImplemented
        return same(self, other, ("counts", "exposure", "edges"), ("names", "window", "period"))

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def __repr__(self) -> str:
        """Say how many streams, periods and incidents."""
        return (
            f"CountSeries({plural(self.n_streams, 'stream')}, {plural(len(self), self.period)} "
            f"from {self.window.start}, {plural(int(self.counts.sum()), 'incident')})"
        )

    def _repr_html_(self) -> str:
        return series_html(self, f"{plural(len(self), self.period)}, {self.window}")


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
        if (np.diff(values) < 0).any():
            at = int(np.flatnonzero(np.diff(values) < 0)[0]) + 1
            raise ValueError(f"stream {name!r}, event {at}: time {values[at]:g} is out of order")
        check_times(name, values, values, 0.0, self.duration)
        if self.resolution == "day":
            whole = (values == np.floor(values)) & (values < self.duration)
            complain(name, values, ~whole, "is not a whole day of the watch, resolution is 'day'")
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
        if not streams:
            raise ValueError("a series needs at least one stream")
        window, mask = incidents.window, incidents.window.mask()
        times, lost = [], 0
        for stream in streams:
            days = window.day_index(stream.select(incidents, actors).table["date"])
            inside = (days >= 0) & (days < window.days)
            inside[inside] = mask[days[inside]]
            lost += int((~inside).sum())
            times.append(np.sort(days[inside]).astype(np.float64))
        dropped = TOLD.format(plural(lost, "incident")) if lost else ""
        names = tuple(stream.name for stream in streams)
        return cls(tuple(times), names, window, float(window.days), "day", None, dropped)

    @classmethod
    def from_times(
        cls,
        times: Any,
        start: date | float,
        end: date | float,
        names: Sequence[str] | None = None,
        resolution: str = "exact",
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

        Raises
        ------
        ValueError
            If a time is not a number or outside the watch: names the stream, the index, the value.

        Examples
        --------
        >>> EventSeries.from_times([1851.2026, 1962.2197], start=1851.2026, end=1962.2197).duration
        111.0171
        """
        origin, duration, window = watch(start, end)
        arrays = [np.asarray(values) for values in ([times] if is_flat(times) else times)]
        labels = checked_names(names, len(arrays))
        taken = []
        for name, given in zip(labels, arrays, strict=True):
            numbers = days_since(given, start) if isinstance(start, date) else given
            numbers = np.asarray(numbers, dtype=np.float64).reshape(-1)
            check_times(
                name, given.reshape(-1), numbers - origin, 0.0, duration, f"{start} to {end}"
            )
            taken.append(np.sort(np.clip(numbers - origin, 0.0, duration)))
        return cls(tuple(taken), labels, window, duration, resolution)

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
        return replace(series, dropped=told(self.dropped, series.dropped))

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
        plain = ("names", "window", "duration", "resolution")
        arrays = all(map(np.array_equal, self.times, other.times))
        marks = (self.marks is None) == (other.marks is None) and all(
            map(np.array_equal, self.marks or (), other.marks or ())
        )
        return same(self, other, (), plain) and arrays and marks

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def __repr__(self) -> str:
        """Say how many streams, events and days."""
        return (
            f"EventSeries({plural(self.n_streams, 'stream')}, {plural(len(self), 'event')}, "
            f"{self.duration:,g} days, resolution {self.resolution!r})"
        )

    def _repr_html_(self) -> str:
        return series_html(self, f"{self.duration:,g} days, resolution {self.resolution}")


def count_days(
    days: Sequence[IntArray], window: Window, period: str, names: tuple[str, ...]
) -> CountSeries:
    """Count day indices (n_k,) of each stream in the whole periods of the window."""
    edges = window.edges(period)
    bounds = window.day_index(edges)
    counts = np.stack([np.histogram(values, bounds)[0] for values in days], axis=1)
    # np.histogram closes its last bin, whose right edge is the day after.
    counts[-1] -= [int((values == bounds[-1]).sum()) for values in days]
    lost = sum(len(values) for values in days) - int(counts.sum())
    first, last = edges[0].item(), edges[-1].item()
    partial = [
        f"{a} to {b - timedelta(days=1)}"
        for a, b in ((window.start, first), (last, window.end))
        if a < b
    ]
    dropped = ""
    if partial:
        dropped = f"partial {plural(len(partial), period)[2:]} at the edges dropped: "
        dropped += f"{' and '.join(partial)} ({plural(lost, 'incident')})"
    elif lost:
        dropped = f"{plural(lost, 'event')} at the very end of the watch not counted"
    span = window.narrow(first, last)
    return CountSeries(counts, window.exposure(edges), edges, names, span, period, dropped)


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
        return cast(FloatArray, elapsed / np.timedelta64(1, "D"))
    return values.astype(np.float64)


def check_times(
    name: str, given: Any, days: FloatArray, low: float, high: float, span: str = ""
) -> None:
    """Raise ``ValueError`` for a time that is no number or lies outside the watch."""
    complain(name, given, ~np.isfinite(days), "is not a finite time")
    slack = 1e-9 * max(1.0, high)
    outside = (days < low - slack) | (days > high + slack)
    complain(name, given, outside, f"lies outside the watch, {span or f'{low:g} to {high:g} days'}")


def complain(name: str, values: Any, wrong: Any, why: str) -> None:
    """Raise ``ValueError`` naming stream, index and value of the first wrong time."""
    if np.any(wrong):
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"stream {name!r}, event {at}: time {values[at]} {why}")


def whole_numbers(counts: Any, names: Sequence[str]) -> IntArray:
    """Counts as int64, shape (T, K); ``ValueError`` names the first that is no whole number >= 0."""
    values = np.array(counts)
    if values.ndim != 2:
        raise ValueError(f"counts must have shape (T, K), got {values.shape}")
    numbers = values.astype(np.float64)
    wrong = ~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        stream = names[column] if column < len(names) else column
        raise ValueError(
            f"stream {stream!r}, period {row}: count {values[row, column]} is not a whole number "
            f">= 0 (a period that was not watched is a gap, not a count)"
        )
    return values.astype(np.int64)


def checked_names(names: Sequence[str] | None, number: int) -> tuple[str, ...]:
    """Names of the streams; ``ValueError`` unless there are as many as streams, none twice."""
    taken = tuple(names) if names is not None else tuple(f"stream {k + 1}" for k in range(number))
    if len(taken) != number or len(set(taken)) != number or not number:
        raise ValueError(f"{number} streams want as many different names, got {taken}")
    return taken


def freeze(noun: object, name: str, values: Any) -> None:
    """Set a read-only array on a frozen dataclass."""
    values.setflags(write=False)
    object.__setattr__(noun, name, values)


def same(one: object, other: object, arrays: Sequence[str], plain: Sequence[str]) -> bool:
    """Whether two nouns agree in the named arrays and plain fields."""
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


def plural(number: int, noun: str) -> str:
    """Write a number with its noun, as in "2 weeks"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def told(*remarks: str) -> str:
    """Join remarks in words, without the empty ones."""
    return "; ".join(remark for remark in remarks if remark)


def series_html(series: CountSeries | EventSeries, span: str) -> str:
    """Describe a series for a notebook: what it is, each stream, what was not counted."""
    dropped = f"<p><small>{escape(series.dropped)}</small></p>" if series.dropped else ""
    kind = type(series).__name__
    return f"<p><b>{kind}</b>: {escape(span)}</p>{series.summary()._repr_html_()}{dropped}"
