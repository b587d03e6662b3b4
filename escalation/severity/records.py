"""What is known of the deaths of single incidents: lowest, best and highest figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.parameters import FloatArray
from escalation.series.counts import checked_names, plural
from escalation.window import DateArray, Window

if TYPE_CHECKING:
    from escalation.actors import Actors
    from escalation.incidents import Incidents
    from escalation.streams import Stream

IntArray = NDArray[np.int64]
FIGURES = ("low", "best", "high")


@dataclass(frozen=True, eq=False)
class DeathRecords:
    """Deaths of N incidents in K streams, each with its lowest, best and highest figure.

    Parameters
    ----------
    low, best, high : array of int64, shape (N,)
        ``low <= best <= high``.
    stream : array of int64, shape (N,)
        Place in `names`.
    days : array of datetime64[D], shape (N,)
        Of the incidents.
    names : tuple of str
        The K streams.
    window : Window
        What was watched.
    dropped : str
        In words, what was left out. "" if nothing.

    Raises
    ------
    ValueError
        If shapes disagree, figures are no whole numbers, negative or out of order, or a day lies
        outside the window.

    Examples
    --------
    >>> DeathRecords.from_deaths([0, 3, 12], high=[4, 3, 20])
    DeathRecords(3 incidents in 1 stream, 2 known to an interval, best figures sum to 15)
    """

    low: IntArray
    best: IntArray
    high: IntArray
    stream: IntArray
    days: DateArray
    names: tuple[str, ...]
    window: Window
    dropped: str = ""

    def __post_init__(self) -> None:
        figures = {name: _whole(getattr(self, name), name) for name in FIGURES}
        arrays: dict[str, Any] = {
            **figures,
            "stream": np.array(self.stream, np.int64),
            "days": np.array(self.days, "datetime64[D]"),
        }
        size = len(figures["best"])
        for name, values in arrays.items():
            if values.shape != (size,):
                raise ValueError(f"{size} records want {name} of that length, got {values.shape}")
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        object.__setattr__(self, "names", checked_names(self.names, len(self.names)))
        wrong = (self.low > self.best) | (self.best > self.high)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"record {at}: low {self.low[at]}, best {self.best[at]} and high {self.high[at]} "
                "are not in order"
            )
        if size and (self.stream.min() < 0 or self.stream.max() >= len(self.names)):
            raise ValueError(f"stream must be 0 to {len(self.names) - 1}")
        start, end = np.datetime64(self.window.start), np.datetime64(self.window.end)
        outside = (self.days < start) | (self.days >= end)
        if outside.any():
            raise ValueError(f"a record of {self.days[outside][0]} lies outside {self.window}")

    @classmethod
    def from_incidents(
        cls,
        incidents: Incidents,
        streams: Sequence[Stream],
        actors: Actors | None = None,
        longest: int | None = None,
    ) -> DeathRecords:
        """The deaths of the incidents of each stream.

        A bound that is not coded is the best figure, a best figure that is not coded the middle of
        its bounds, rounded down; an incident without either is left out and told in ``dropped``.

        Parameters
        ----------
        incidents : Incidents
        streams : sequence of Stream
        actors : Actors, optional
            Aliases to resolve before actors are compared.
        longest : int, optional
            Records that span more days are left out and told: some sources put the deaths of many
            incidents into one record of a month or a year.
        """
        bounds = pl.col("deaths_low"), pl.col("deaths_high")
        best = pl.coalesce("deaths_best", (bounds[0] + bounds[1]) // 2)
        figures = (
            pl.coalesce(bounds[0], best).alias("low"),
            best.alias("best"),
            pl.coalesce(bounds[1], best).alias("high"),
        )
        parts = []
        for k, stream in enumerate(streams):
            table = stream.select(incidents, actors).table
            days = (pl.col("date_latest") - pl.col("date")).dt.total_days() + 1
            parts.append(table.select(*figures, pl.lit(k).alias("stream"), "date", days=days))
        if not parts:
            raise ValueError("records of deaths need at least one stream")
        every = pl.concat(parts)
        short = every if longest is None else every.filter(pl.col("days") <= longest)
        known = short.drop_nulls()
        lost = {
            f"of more than {longest} days left out": len(every) - len(short),
            "of unknown deaths left out": len(short) - len(known),
        }
        return cls(
            low=known["low"].to_numpy(),
            best=known["best"].to_numpy(),
            high=known["high"].to_numpy(),
            stream=known["stream"].to_numpy(),
            days=known["date"].to_numpy(),
            names=tuple(stream.name for stream in streams),
            window=incidents.window,
            dropped="; ".join(f"{plural(n, 'record')} {why}" for why, n in lost.items() if n),
        )

    @classmethod
    def from_deaths(
        cls,
        best: Any,
        low: Any = None,
        high: Any = None,
        stream: Any = None,
        names: Sequence[str] | None = None,
        start: date = date(2000, 1, 1),
    ) -> DeathRecords:
        """Take plain numbers as the deaths of incidents, one a day from `start` on.

        Parameters
        ----------
        best, low, high : array_like of whole numbers, shape (N,)
            Bounds that are not given are the best figure.
        stream : array_like of int, shape (N,), optional
            The first stream for all if not given.
        names : sequence of str, optional
            "stream 1", "stream 2", … if not given.
        start : date
        """
        figures = np.atleast_1d(np.asarray(best))
        place = np.zeros(figures.shape, np.int64) if stream is None else np.asarray(stream)
        taken = checked_names(names, len(names) if names else int(place.max(initial=0)) + 1)
        days = np.datetime64(start, "D") + np.arange(len(figures) + 1).astype("timedelta64[D]")
        return cls(
            figures if low is None else np.asarray(low),
            figures,
            figures if high is None else np.asarray(high),
            place,
            days[:-1],
            taken,
            Window(start, max(days[-1].item(), start + timedelta(days=1))),
        )

    @property
    def n_streams(self) -> int:
        """Number of streams, K."""
        return len(self.names)

    def split(self, day: date) -> tuple[DeathRecords, DeathRecords]:
        """The records before the day, and those from it on."""
        before = self.days < np.datetime64(day, "D")
        windows = self.window.split(day)
        return self._of(before, windows[0]), self._of(~before, windows[1])

    def _of(self, chosen: NDArray[np.bool_], window: Window) -> DeathRecords:
        low, best, high = (getattr(self, name)[chosen] for name in FIGURES)
        stream, days = self.stream[chosen], self.days[chosen]
        return DeathRecords(low, best, high, stream, days, self.names, window, self.dropped)

    def totals(self, edges: DateArray, figure: str = "best") -> IntArray:
        """Deaths (T, K) in the periods between edges (T + 1,), by one of the three figures."""
        values = getattr(self, figure)
        period = np.searchsorted(edges, self.days, side="right") - 1
        inside = (period >= 0) & (period < len(edges) - 1)
        out = np.zeros((len(edges) - 1, self.n_streams), np.int64)
        np.add.at(out, (period[inside], self.stream[inside]), values[inside])
        return out

    def summary(self) -> pl.DataFrame:
        """Sum up each stream.

        Columns: stream, incidents, share without deaths (best figure), known to an interval
        (incidents whose lowest and highest figure differ), mean, median, 90 % and 99 % point and
        largest of the best figures, and the sums of all three.
        """
        rows = []
        for k, name in enumerate(self.names):
            own = self.stream == k
            best = self.best[own].astype(float)
            points = np.quantile(best, [0.5, 0.9, 0.99]) if best.size else [np.nan] * 3
            rows.append(
                {
                    "stream": name,
                    "incidents": int(own.sum()),
                    "share without": float((best == 0).mean()) if best.size else np.nan,
                    "known to an interval": int((self.high > self.low)[own].sum()),
                    "mean": float(best.mean()) if best.size else np.nan,
                    "median": float(points[0]),
                    "90 %": float(points[1]),
                    "99 %": float(points[2]),
                    "largest": int(best.max(initial=0)),
                    **{figure: int(getattr(self, figure)[own].sum()) for figure in FIGURES},
                }
            )
        return pl.DataFrame(rows, nan_to_null=True)

    def __len__(self) -> int:
        """Count the incidents, N."""
        return len(self.best)

    def __repr__(self) -> str:
        """Say how many incidents, how many of them known to an interval, and how many deaths."""
        open_ones = int((self.high > self.low).sum())
        return (
            f"DeathRecords({plural(len(self), 'incident')} in {plural(self.n_streams, 'stream')}, "
            f"{open_ones} known to an interval, best figures sum to {int(self.best.sum())})"
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def _whole(values: Any, name: str) -> IntArray:
    numbers = np.atleast_1d(np.asarray(values, float))
    wrong = ~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers)))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"record {at}: {name} {numbers[at]} is not a whole number >= 0")
    return numbers.astype(np.int64)


def cells(
    stream: IntArray, low: FloatArray, high: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Records of one stream with one interval taken together: stream, low, high, their number."""
    rows, number = np.unique(np.stack([stream, low, high]), axis=1, return_counts=True)
    return rows[0].astype(np.int64), rows[1].copy(), rows[2].copy(), number.astype(float)
