"""Counts of incidents per period."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from html import escape
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from escalation.window import PERIOD_DAYS, DateArray, FloatArray, IntArray, Window, check_period

if TYPE_CHECKING:
    from escalation.actors import Actors
    from escalation.incidents import Incidents
    from escalation.streams import Stream


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
        arrays = {
            "counts": whole_numbers(self.counts, self.names),
            "exposure": np.array(self.exposure, dtype=np.float64),
            "edges": np.array(self.edges, dtype="datetime64[D]"),
        }
        for name, values in arrays.items():
            values.setflags(write=False)
            object.__setattr__(self, name, values)
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
        days, lost = stream_days(incidents, streams, actors)
        names = tuple(stream.name for stream in streams)
        series = count_days(days, incidents.window, period, names)
        return replace(series, dropped="; ".join(filter(None, (lost, series.dropped))))

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
            edges = first.astype("datetime64[M]") + steps.astype("timedelta64[M]")
        else:
            edges = first + steps.astype("timedelta64[D]") * int(PERIOD_DAYS[period])
        edges = edges.astype("datetime64[D]")
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
        return int(self.counts.shape[1])

    @property
    def uneven(self) -> bool:
        """Whether some streams were watched less than others, as in a `PanelSeries` they may be."""
        return False

    @property
    def scale(self) -> FloatArray:
        """Exposure in periods, shape ``(T,)``: 1 where every day of the period was watched.

        Days and weeks are compared with their length, a month with its own number of days.
        """
        if self.period == "month":
            return self.exposure / np.diff(self.edges).astype(np.int64)
        return self.exposure / PERIOD_DAYS[self.period]

    @property
    def watch(self) -> FloatArray:
        """The share of each period in which each stream was watched, shape ``(T, K)``."""
        return np.repeat(self.scale[:, None], self.n_streams, axis=1)

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
        series = sum_days(self.counts, self.window, period, self.names)
        return replace(series, dropped="; ".join(filter(None, (self.dropped, series.dropped))))

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
        plain = ("names", "window", "period", "dropped")
        arrays = ("counts", "exposure", "edges")
        return all(getattr(self, name) == getattr(other, name) for name in plain) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def __repr__(self) -> str:
        """Say how many streams, periods and incidents."""
        return (
            f"CountSeries({plural(self.n_streams, 'stream')}, {plural(len(self), self.period)} "
            f"from {self.window.start}, {plural(int(self.counts.sum()), 'incident')})"
        )

    def _repr_html_(self) -> str:
        return series_html(self, f"{plural(len(self), self.period)}, {self.window}")


def stream_days(
    incidents: "Incidents", streams: "Sequence[Stream]", actors: "Actors | None"
) -> tuple[list[IntArray], str]:
    """Sorted days of the incidents of each stream, and in words what lies in a gap."""
    if not streams:
        raise ValueError("a series needs at least one stream")
    window, mask = incidents.window, incidents.window.mask()
    days = [
        np.sort(window.day_index(stream.select(incidents, actors).table["date"]))
        for stream in streams
    ]
    lost = sum(int((~mask[values]).sum()) for values in days)
    told = f"{plural(lost, 'incident')} in a gap not counted" if lost else ""
    return [values[mask[values]] for values in days], told


def count_days(
    days: Sequence[IntArray], window: Window, period: str, names: tuple[str, ...]
) -> CountSeries:
    """Count day indices (n_k,) of each stream in the whole periods of the window."""
    # An event at the very end of the watch is on the day after.
    daily = [np.bincount(values, minlength=window.days + 1) for values in days]
    return sum_days(np.stack(daily, axis=1), window, period, names)


def sum_days(daily: IntArray, window: Window, period: str, names: tuple[str, ...]) -> CountSeries:
    """Sum counts of each day, shape (days, K), in the whole periods of the window."""
    edges = window.edges(period)
    before = np.concatenate([np.zeros((1, len(names)), dtype=np.int64), daily.cumsum(axis=0)])
    counts = np.diff(before[window.day_index(edges)], axis=0)
    lost = int(daily.sum() - counts.sum())
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


def whole_numbers(counts: Any, names: Sequence[str]) -> IntArray:
    """Counts as int64, shape (T, K); ``ValueError`` names the first that is no whole number."""
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


def stream_place(names: Sequence[str], stream: str) -> int:
    """Place of a stream among the names; ``ValueError`` that lists them if it is none of them."""
    if stream not in names:
        raise ValueError(f"no stream {stream!r}; the streams are {', '.join(names)}")
    return list(names).index(stream)


def plural(number: int, noun: str) -> str:
    """Write a number with its noun, as in "2 weeks"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def series_html(series: Any, span: str) -> str:
    """Describe a series for a notebook: what it is, each stream, what was not counted."""
    dropped = f"<p><small>{escape(series.dropped)}</small></p>" if series.dropped else ""
    kind = type(series).__name__
    return f"<p><b>{kind}</b>: {escape(span)}</p>{series.summary()._repr_html_()}{dropped}"
