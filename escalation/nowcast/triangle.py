"""Counts by period of the event and delay of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.incidents import REJECTED, empty, nearest
from escalation.parameters import BoolArray, FloatArray
from escalation.series import CountSeries
from escalation.series.counts import checked_names, plural
from escalation.window import DateArray, Window, check_period

if TYPE_CHECKING:
    from escalation.actors import Actors
    from escalation.incidents import Incidents
    from escalation.streams import Stream

IntArray = NDArray[np.int64]
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, eq=False)
class ReportingTriangle:
    """Incidents by period in which they happened and by how many periods later they were reported.

    Parameters
    ----------
    counts : array of int64, shape (T, D + 1, K)
        Incidents of period t reported d periods later, for d = 0, …, D. Cells with t + d >= T could
        not have been reported yet; they are not read, and are set to zero.
    edges : array of datetime64[D], shape (T + 1,)
        First day of each period; the last is *now*, the first day that was not known.
    names : tuple of str
        The K streams.
    window : Window
        From ``edges[0]`` to ``edges[-1]``, with the gaps in which nobody watched.
    period : {"day", "week", "month"}
    rejected : polars.DataFrame
        Rows with a fault: line (header = 1), column, value, reason.
    dropped : str
        In words, what was not counted. "" if nothing.

    Raises
    ------
    ValueError
        If shapes disagree, a count is negative, or D < 1.
    """

    counts: IntArray
    edges: DateArray
    names: tuple[str, ...]
    window: Window
    period: str = "week"
    rejected: pl.DataFrame = field(default_factory=lambda: empty(REJECTED))
    dropped: str = ""

    def __post_init__(self) -> None:
        check_period(self.period)
        counts = np.array(self.counts, np.int64)
        edges = np.array(self.edges, "datetime64[D]")
        if counts.ndim != 3 or counts.shape[1] < 2 or len(edges) != len(counts) + 1:
            raise ValueError(
                f"counts must have shape (T, D + 1, K) with D >= 1 and T + 1 edges, got "
                f"{counts.shape} and {len(edges)} edges"
            )
        if counts.min(initial=0) < 0:
            raise ValueError("counts must not be negative")
        counts[~self._known(counts.shape)] = 0
        for name, values in (("counts", counts), ("edges", edges)):
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        object.__setattr__(self, "names", checked_names(self.names, counts.shape[2]))

    @staticmethod
    def _known(shape: tuple[int, ...]) -> BoolArray:
        periods, cells = shape[:2]
        return np.asarray(np.arange(periods)[:, None] + np.arange(cells) < periods)

    @classmethod
    def from_table(
        cls,
        table: pl.DataFrame | Path | str,
        start: date,
        now: date,
        *,
        event: str = "event",
        report: str = "report",
        stream: str | None = None,
        period: str = "week",
        longest: int = 8,
        gaps: tuple[tuple[date, date], ...] = (),
    ) -> ReportingTriangle:
        """Count a table with a row an incident: when it happened and when it was reported.

        Parameters
        ----------
        table : polars.DataFrame or path of a CSV file
        start, now : date
            First day that was watched, and first day that is not known: reports from it on are
            left out. The last period ends by then.
        event, report : str
            Columns of the dates (YYYY-MM-DD, or dates).
        stream : str, optional
            Column of the stream; one stream for all if not given.
        period : {"day", "week", "month"}
        longest : int
            D: incidents reported more periods later are left out and told.
        gaps : tuple of (date, date)
            Half-open spans that nobody watched.

        Raises
        ------
        ValueError
            If a column is missing. A row with a fault (no date, reported before it happened) is
            kept in ``rejected``.
        """
        rows = table if isinstance(table, pl.DataFrame) else pl.read_csv(table, infer_schema=False)
        for name in (event, report, *([stream] if stream else [])):
            if name not in rows.columns:
                near = nearest(name, rows.columns)
                hint = f", the nearest is {near!r}" if near else ""
                raise ValueError(f"the table of reports has no column {name!r}{hint}")
        label = pl.col(stream).cast(pl.String) if stream else pl.lit("all reports")
        text = rows.select(
            (pl.int_range(pl.len()) + 2).alias("line"),
            pl.col(event).cast(pl.String).alias("event"),
            pl.col(report).cast(pl.String).alias("report"),
            label.alias("stream"),
        )
        days = text.with_columns(
            pl.col(one).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).alias(f"{one} day")
            for one in ("event", "report")
        )
        good, rejected = _sorted_out(days, event, report, stream)
        places = checked_names(sorted(good["stream"].unique()) or ["all reports"],
                               max(good["stream"].n_unique(), 1))  # fmt: skip
        return _counted(
            good["event day"].to_numpy(), good["report day"].to_numpy(),
            np.array([places.index(one) for one in good["stream"]], np.int64),
            places, Window(start, now, gaps), period, longest, rejected,
        )  # fmt: skip

    @classmethod
    def from_vintages(
        cls,
        releases: Mapping[date, Incidents],
        streams: Sequence[Stream],
        *,
        period: str = "month",
        longest: int = 6,
        actors: Actors | None = None,
    ) -> ReportingTriangle:
        """Take successive releases of one data set: an incident is reported when it first appears.

        A release tells of the periods that were over on its day; what it has of a later one counts
        when the next release has it. What stands in the first release has no known delay, so the
        triangle begins with the period that the first release does not cover. Streams and dates
        are those of the last release that has the incident; one that a later release withdrew is
        left out and told.

        Parameters
        ----------
        releases : mapping of date to Incidents
            By the day of the release; ``id`` tells which incidents are the same.
        streams : sequence of Stream
        period : {"day", "week", "month"}
        longest : int
            D.
        actors : Actors, optional

        Raises
        ------
        ValueError
            If there are fewer than two releases, or an incident has no id.
        """
        days = sorted(releases)
        if len(days) < 2:
            raise ValueError(f"vintages want at least 2 releases, got {len(days)}")
        names = tuple(stream.name for stream in streams)
        whole = Window(days[0] - timedelta(days=366), days[-1] + ONE_DAY).edges(period)
        seen: list[pl.DataFrame] = []
        for day in days:
            over = whole[whole <= np.datetime64(day + ONE_DAY)][-1].item()
            for k, stream in enumerate(streams):
                table = stream.select(releases[day], actors).table.select("id", "date")
                if table["id"].has_nulls():
                    raise ValueError(f"the release of {day} has incidents without an id")
                last_day = pl.lit(over - ONE_DAY).alias("report")
                rows = table.filter(pl.col("date") < over)
                seen.append(rows.with_columns(last_day, pl.lit(k).alias("stream")))
        every = pl.concat(seen)
        first = every.group_by("id", "stream").agg(
            pl.col("report").min(), pl.col("date").last(), pl.col("report").max().alias("latest")
        )
        withdrawn = int((first["latest"] < first["latest"].max()).sum()) if len(first) else 0
        kept = first.filter(pl.col("latest") == pl.col("latest").max())
        begin = whole[whole <= np.datetime64(days[0] + ONE_DAY)][-1].item()
        end = whole[-1].item()
        kept = kept.filter(pl.col("date") >= begin)
        found = _counted(
            kept["date"].to_numpy(), kept["report"].to_numpy(),
            kept["stream"].to_numpy().astype(np.int64), names, Window(begin, end), period, longest,
            empty(REJECTED),
        )  # fmt: skip
        told = f"{plural(withdrawn, 'incident')} withdrawn by a later release" if withdrawn else ""
        return replace(found, dropped="; ".join(filter(None, (told, found.dropped))))

    @property
    def n_streams(self) -> int:
        """Number of streams, K."""
        return len(self.names)

    @property
    def longest(self) -> int:
        """The longest delay that counts, D, in periods."""
        return int(self.counts.shape[1]) - 1

    @property
    def known(self) -> BoolArray:
        """Which cells (T, D + 1) could have been reported by now."""
        return self._known(self.counts.shape)

    @property
    def reported(self) -> IntArray:
        """Incidents (T, K) reported so far: the naive count."""
        return np.asarray(self.counts.sum(axis=1), np.int64)

    @property
    def scale(self) -> FloatArray:
        """Share (T,) of each period that was watched."""
        return self.window.exposure(self.edges) / np.diff(self.edges).astype(np.int64)

    @property
    def totals(self) -> FloatArray:
        """Incidents (T, K) reported within the longest delay; NaN where more may still come."""
        out = self.reported.astype(float)
        out[~self.known.all(axis=1)] = np.nan
        return out

    def __len__(self) -> int:
        """Count the periods, T."""
        return len(self.counts)

    def as_of(self, now: date) -> ReportingTriangle:
        """What was known on an earlier day, which must start a period."""
        at = int(np.searchsorted(self.edges, np.datetime64(now, "D")))
        if not 0 < at < len(self.edges) or self.edges[at] != np.datetime64(now, "D"):
            raise ValueError(f"no {self.period} of {self.window} starts on {now}")
        window = self.window.narrow(self.window.start, now)
        return replace(self, counts=self.counts[:at], edges=self.edges[: at + 1], window=window)

    def latest(self, periods: int) -> ReportingTriangle:
        """The last so many periods alone."""
        if not 1 <= periods:
            raise ValueError(f"at least 1 period is wanted, got {periods}")
        if periods >= len(self):
            return self
        edges = self.edges[-periods - 1 :]
        window = self.window.narrow(edges[0].item(), self.window.end)
        return replace(self, counts=self.counts[-periods:], edges=edges, window=window)

    def series(self, totals: Any = None) -> CountSeries:
        """A series of counts: those given (T, K), or what was reported so far."""
        counts = self.reported if totals is None else np.asarray(totals, np.int64)
        exposure = self.window.exposure(self.edges)
        return CountSeries(counts, exposure, self.edges, self.names, self.window, self.period,
                           self.dropped)  # fmt: skip

    def table(self) -> pl.DataFrame:
        """A row a period and stream: start, stream, reported, and a column a delay (null: not yet).

        Columns of delays are called "0", "1", ….
        """
        periods, cells, streams = self.counts.shape
        rows: dict[str, Any] = {
            "start": np.repeat(self.edges[:-1], streams),
            "stream": list(self.names) * periods,
            "reported": self.reported.ravel(),
        }
        for d in range(cells):
            column = np.where(self.known[:, d, None], self.counts[:, d], np.nan).ravel()
            rows[str(d)] = pl.Series(column, nan_to_null=True).cast(pl.Int64)
        return pl.DataFrame(rows)

    def __repr__(self) -> str:
        """Say how many streams, periods, delays and reports."""
        return (
            f"ReportingTriangle({plural(self.n_streams, 'stream')}, "
            f"{plural(len(self), self.period)} from {self.window.start} to {self.window.end}, "
            f"delays to {plural(self.longest, self.period)}, "
            f"{plural(int(self.reported.sum()), 'report')})"
        )

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _sorted_out(
    days: pl.DataFrame, event: str, report: str, stream: str | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows without a fault, and the others with column, value and reason."""
    faults = [
        (event, pl.col("event day").is_null(), pl.col("event"), "is no date"),
        (report, pl.col("report day").is_null(), pl.col("report"), "is no date"),
        (report, pl.col("report day") < pl.col("event day"), pl.col("report"),
         "is before the event"),
        (stream or "stream", pl.col("stream").is_null(), pl.col("stream"), "is missing"),
    ]  # fmt: skip
    good, rejected = days, []
    for column, wrong, value, reason in faults:
        rejected.append(
            good.filter(wrong).select(
                pl.col("line").cast(pl.Int64), pl.lit(column).alias("column"),
                value.alias("value"), pl.lit(reason).alias("reason"),
            )
        )  # fmt: skip
        good = good.filter(~wrong.fill_null(False))
    return good, pl.concat(rejected).sort("line")


def _counted(
    events: DateArray,
    reports: DateArray,
    stream: IntArray,
    names: tuple[str, ...],
    window: Window,
    period: str,
    longest: int,
    rejected: pl.DataFrame,
) -> ReportingTriangle:
    """The triangle of single reports."""
    if longest < 1:
        raise ValueError(f"longest must be at least 1 period, got {longest}")
    edges = window.edges(period)
    size = len(edges) - 1
    when = np.searchsorted(edges, events.astype("datetime64[D]"), side="right") - 1
    delay = np.searchsorted(edges, reports.astype("datetime64[D]"), side="right") - 1 - when
    inside = (when >= 0) & (when < size)
    known = inside & (when + delay < size)
    watched = window.exposure(edges) > 0
    open_days = np.ones(len(events), bool)
    open_days[inside] = watched[when[inside]]
    taken = known & (delay <= longest) & open_days
    counts = np.zeros((size, longest + 1, len(names)), np.int64)
    np.add.at(counts, (when[taken], delay[taken], stream[taken]), 1)
    lost = {
        f"outside {edges[0]} to {edges[-1]}": int((~inside).sum()),
        "not reported by then": int((inside & ~known).sum()),
        f"reported more than {longest} {period}s later": int((known & (delay > longest)).sum()),
        "in a period that nobody watched": int((known & ~open_days).sum()),
    }
    dropped = "; ".join(f"{plural(n, 'incident')} {why}" for why, n in lost.items() if n)
    span = window.narrow(edges[0].item(), edges[-1].item())
    return ReportingTriangle(counts, edges, names, span, period, rejected, dropped)
