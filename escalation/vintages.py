"""Releases of one source: what changed between two, what was known when, how late reports come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.backtest import Vintages
from escalation.incidents import SCHEMA, Incidents
from escalation.nowcast import ReportingTriangle
from escalation.parameters import FloatArray
from escalation.series import CountSeries

if TYPE_CHECKING:
    from escalation.actors import Actors
    from escalation.streams import Stream

ONE_DAY = timedelta(days=1)

REVISED: dict[str, pl.DataType] = {
    "id": pl.String(),
    "column": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
}
"""Columns of ``ReleaseChanges.revised``."""


@dataclass(frozen=True, eq=False)
class ReleaseChanges:
    """What a later release of one source changed, by the ids of the incidents.

    Attributes
    ----------
    added : polars.DataFrame
        Incidents that only the later release has, in the columns of ``SCHEMA``, and ``late``:
        whether the earlier release had watched that day already.
    removed : polars.DataFrame
        Incidents that only the earlier release has.
    revised : polars.DataFrame
        A row for each value that changed: id, column, before, after.
    same : int
        Incidents that both have with the same values.
    """

    added: pl.DataFrame
    removed: pl.DataFrame
    revised: pl.DataFrame
    same: int

    def summary(self) -> pl.DataFrame:
        """How many incidents each kind of change concerns; the revised ones by column too.

        Columns: change, column, incidents.
        """
        revised = self.revised.group_by("column").len()
        revised = revised.sort("len", "column", descending=[True, False])
        rows = [
            ("added", "", len(self.added)),
            ("added to days already covered", "", int(self.added["late"].sum())),
            ("removed", "", len(self.removed)),
            ("the same", "", self.same),
            ("revised", "", self.revised["id"].n_unique()),
            *(("revised", name, number) for name, number in revised.rows()),
        ]
        return pl.DataFrame(
            rows, {"change": pl.String, "column": pl.String, "incidents": pl.Int64}, orient="row"
        )

    def __repr__(self) -> str:
        """Say how many were added, removed and revised."""
        return (
            f"ReleaseChanges({len(self.added):,} added, {len(self.removed):,} removed, "
            f"{self.revised['id'].n_unique():,} revised, {self.same:,} the same)"
        )

    def _repr_html_(self) -> str:
        return str(self.summary()._repr_html_())


def compare_releases(
    before: Incidents, after: Incidents, columns: Iterable[str] | None = None
) -> ReleaseChanges:
    """Tell what a later release of one source added, removed and revised.

    Incidents are the same where their ids are. One that the earlier release has outside the
    window of the later is not called removed.

    Parameters
    ----------
    before, after : Incidents
    columns : iterable of str, optional
        Columns that are compared; all but the id if not given.

    Raises
    ------
    ValueError
        If an id is missing or stands twice, or there is no such column.
    """
    names = [name for name in SCHEMA if name != "id"] if columns is None else list(columns)
    for name in names:
        if name not in SCHEMA or name == "id":
            raise ValueError(f"incidents have no column {name!r} to compare")
    for release in (before, after):
        ids = release.table["id"]
        if ids.has_nulls() or ids.n_unique() < len(ids):
            raise ValueError(f"the ids of {release.provenance.file} must be there and differ")
    added = after.table.join(before.table.select("id"), on="id", how="anti", maintain_order="left")
    watched = pl.col("date").is_between(before.window.start, before.window.end, closed="left")
    inside = pl.col("date").is_between(after.window.start, after.window.end, closed="left")
    gone = before.table.join(after.table.select("id"), on="id", how="anti", maintain_order="left")
    both = before.table.join(after.table, on="id", suffix=" after", maintain_order="left")
    parts = [pl.DataFrame(schema=REVISED)]
    for name in names:
        other = both.filter(pl.col(name).ne_missing(pl.col(f"{name} after")))
        parts.append(
            other.select(
                "id",
                pl.lit(name).alias("column"),
                pl.col(name).cast(pl.String).alias("before"),
                pl.col(f"{name} after").cast(pl.String).alias("after"),
            )
        )
    revised = pl.concat(parts)
    return ReleaseChanges(
        added=added.with_columns(watched.alias("late")),
        removed=gone.filter(inside),
        revised=revised,
        same=len(both) - revised["id"].n_unique(),
    )


@dataclass(frozen=True, eq=False)
class Releases:
    """Releases of one source by the first day that each did not know.

    Parameters
    ----------
    releases : mapping of date to Incidents
        The incidents of a release lie before its day; its window is cut there.

    Raises
    ------
    ValueError
        Without a release, if one has watched no day before its own, or the windows begin on
        different days.
    """

    releases: Mapping[date, Incidents]

    def __post_init__(self) -> None:
        if not self.releases:
            raise ValueError("at least one release is needed")
        cut = {day: _until(self.releases[day], day) for day in sorted(self.releases)}
        starts = {one.window.start for one in cut.values()}
        if len(starts) > 1:
            raise ValueError(
                f"all releases must begin on one day, got {min(starts)} and {max(starts)}"
            )
        object.__setattr__(self, "releases", cut)

    @classmethod
    def from_reports(cls, incidents: Incidents, days: Iterable[date]) -> Releases:
        """What was known on each of these days, from the day of report of each incident.

        Values are those of the one file that is given, so revisions and withdrawals are not seen.

        Raises
        ------
        ValueError
            If no incident has a day of report.
        """
        if incidents.table["reported_on"].null_count() == len(incidents):
            raise ValueError("no incident tells when it was reported (reported_on)")
        return cls({day: incidents.where(pl.col("reported_on") < day) for day in days})

    def as_of(self, day: date) -> Incidents:
        """The last release of that day or before.

        Raises
        ------
        ValueError
            Where none is as old.
        """
        known = [own for own in self.releases if own <= day]
        if not known:
            first = next(iter(self.releases))
            raise ValueError(f"nothing is known as of {day}; the first release is of {first}")
        return self.releases[known[-1]]

    def changes(self) -> pl.DataFrame:
        """What each release changed of the one before.

        Columns: release, incidents, added, late (added to days already covered), removed,
        revised.
        """
        rows = []
        for (_, before), (day, after) in pairwise(self.releases.items()):
            found = compare_releases(before, after)
            late = int(found.added["late"].sum())
            revised = found.revised["id"].n_unique()
            rows.append((day, len(after), len(found.added), late, len(found.removed), revised))
        names = ("incidents", "added", "late", "removed", "revised")
        return pl.DataFrame(
            rows, {"release": pl.Date, **dict.fromkeys(names, pl.Int64)}, orient="row"
        )

    def vintages(
        self, streams: Sequence[Stream], period: str = "week", actors: Actors | None = None
    ) -> Vintages:
        """The same as vintages of a series of counts, for `run_backtest`."""
        return Vintages(
            {
                day: CountSeries.from_incidents(one, streams, period, actors)
                for day, one in self.releases.items()
            }
        )

    def triangle(
        self,
        streams: Sequence[Stream],
        period: str = "month",
        longest: int = 6,
        actors: Actors | None = None,
    ) -> ReportingTriangle:
        """When incidents first appeared, see `ReportingTriangle.from_vintages`."""
        ends = {day - ONE_DAY: one for day, one in self.releases.items()}
        return ReportingTriangle.from_vintages(
            ends, streams, period=period, longest=longest, actors=actors
        )

    def __len__(self) -> int:
        """Count the releases."""
        return len(self.releases)

    def __repr__(self) -> str:
        """Say how many, from when to when."""
        days = list(self.releases)
        return f"Releases({len(days)} from {days[0]} to {days[-1]})"


def reporting_delay(triangle: ReportingTriangle, level: float = 0.9) -> pl.DataFrame:
    """Share of the incidents reported within so many periods, without a model of the delay.

    The latest incidents can only have short delays so far, so the plain share is too high. Here
    the share is built from its far end: of the incidents reported within d periods, how many were
    reported in the d-th, over all periods that are d periods old. It is the share of those
    reported within the longest delay of the triangle; what comes later is not counted.

    Parameters
    ----------
    triangle : ReportingTriangle
    level : float
        Of the interval, from the variance of Greenwood's kind on the log of the share; it holds
        incidents to be independent, and is too narrow where reports come in bunches.

    Returns
    -------
    polars.DataFrame
        A row a stream and delay: stream, delay (periods), reports (with that delay, so far),
        within (share reported by then), lower, upper, plain (the share without the correction).

    References
    ----------
    Kalbfleisch, J. D. and Lawless, J. F. (1991). Regression models for right truncated data with
    applications to AIDS incubation times and reporting lags. Statistica Sinica 1, section 2.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}")
    counts = np.where(triangle.known[:, :, None], triangle.counts, 0)
    by_then = np.cumsum(counts, axis=1)
    at_risk = np.where(triangle.known[:, :, None], by_then, 0).sum(axis=0)
    reports = counts.sum(axis=0)
    ended = np.divide(reports, at_risk, out=np.zeros(reports.shape), where=at_risk > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_share = _from_the_end(np.log1p(-ended))
        spread = np.sqrt(_from_the_end(ended / ((1 - ended) * np.maximum(at_risk, 1))))
        reach = NormalDist().inv_cdf((1 + level) / 2) * spread
        within, lower, upper = np.exp([log_share, log_share - reach, log_share + reach])
    lower, upper = _bounded(within, lower, upper, reports, at_risk, (1 - level) / 2)
    total = reports.sum(axis=0)
    plain = np.cumsum(reports, axis=0) / np.maximum(total, 1)
    size = triangle.longest + 1
    columns = {"within": within, "lower": lower, "upper": upper, "plain": plain}
    table = pl.DataFrame(
        {
            "stream": np.repeat(np.array(triangle.names), size),
            "delay": np.tile(np.arange(size), triangle.n_streams),
            "reports": reports.T.ravel().astype(np.int64),
            **{name: np.where(total, one, np.nan).T.ravel() for name, one in columns.items()},
        }
    )
    return table.with_columns(pl.col(*columns).fill_nan(None))


def _bounded(
    within: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    reports: NDArray[np.int64],
    at_risk: NDArray[np.int64],
    tail: float,
) -> tuple[FloatArray, FloatArray]:
    """Bounds of the share, exact (Clopper and Pearson) where none or all were reported by then."""
    early = (reports > 0).argmax(axis=0)
    of_early = np.maximum(at_risk[early, np.arange(reports.shape[1])], 1)
    upper = np.where(within > 0, np.minimum(upper, 1.0), 1 - tail ** (1 / of_early))
    sure = (within == 1) & (np.arange(len(within)) < len(within) - 1)[:, None]
    lower = np.where(sure, tail ** (1 / np.maximum(at_risk[-1], 1)), np.nan_to_num(lower))
    return lower, upper


def _from_the_end(steps: FloatArray) -> FloatArray:
    """Sum of the steps after each delay, shape as the steps; 0 for the longest delay."""
    return np.concatenate([np.cumsum(steps[:0:-1], axis=0)[::-1], np.zeros_like(steps[:1])])


def _until(release: Incidents, day: date) -> Incidents:
    window = release.window
    if day <= window.start:
        raise ValueError(f"the release of {day} has watched no day before its own")
    if day >= window.end:
        return release
    table = release.table.filter(pl.col("date") < day)
    return replace(release, table=table, window=window.narrow(window.start, day))
