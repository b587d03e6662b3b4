"""Incidents: the validated table of coded incidents, with the rows that were not taken."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import escape

import numpy as np
import polars as pl

from escalation.codes import CERTAINTIES, DISPUTED
from escalation.codes import nearest as nearest
from escalation.window import Window

SCHEMA: dict[str, pl.DataType] = {
    "id": pl.String(),
    "date": pl.Date(),
    "date_latest": pl.Date(),
    "source": pl.String(),
    "target": pl.String(),
    "source_country": pl.String(),
    "target_country": pl.String(),
    "code": pl.String(),
    "incident_class": pl.String(),
    "country": pl.String(),
    "province": pl.String(),
    "place": pl.String(),
    "place_precision": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "deaths_low": pl.Int64(),
    "deaths_best": pl.Int64(),
    "deaths_high": pl.Int64(),
    "certainty": pl.String(),
    "claimed_by": pl.String(),
    "dyad": pl.String(),
    "directed": pl.Boolean(),
    "clarity": pl.Int64(),
    "reports": pl.Int64(),
    "reported_on": pl.Date(),
}
"""Columns of ``Incidents.table``.

date, date_latest
    The first and the last day on which it may have happened; equal if the day is known.
source, target
    Who acted on whom, in the source's words; with ``directed`` false, just the two sides.
source_country, target_country
    The country that the source's coding gives the actor: a nationality, not where it stood.
code, incident_class
    The source's code, and its class in words.
country, province
    Country, and its first-level unit, in which it happened.
place_precision
    How exactly the place is known, one of ``PLACE_PRECISIONS``.
latitude, longitude
    Degrees north and east (WGS 84).
deaths_low, deaths_best, deaths_high
    People killed; null if unknown.
certainty
    confirmed, reported, alleged or denied.
clarity
    The source's own grade of how clearly one event is told apart: 1 is one event, 2 a report that
    sums up several.
reports
    Mentions, articles or reports on which the record rests.
reported_on
    The day on which the source had it.
"""

PLACE_PRECISIONS = ("place", "near", "district", "province", "country")
"""How exactly a place is known, from most to least."""

REJECTED: dict[str, pl.DataType] = {
    "line": pl.Int64(),
    "column": pl.String(),
    "value": pl.String(),
    "reason": pl.String(),
}
"""Columns of ``Incidents.rejected``: line of the file (the header is line 1), column, and why."""

KNOWN = ("date", "date_latest", "source", "target", "certainty", "directed")


def empty(schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """A table of those columns without rows."""
    return pl.DataFrame(schema=schema)


@dataclass(frozen=True)
class Provenance:
    """Where incidents come from and what became of each row that was read.

    Parameters
    ----------
    file : str
        Name of the file, without its folder.
    sha256 : str
        Of the file's bytes.
    source, version, licence, citation : str
        The data set, as its maker wants it named; version "" if the file does not tell.
    rows_read, rows_taken, rows_rejected, rows_outside : int
        ``rows_read`` is the sum of the others and of ``rows_left_out``; ``rows_outside`` lie
        outside the window.
    files : tuple of (str, str)
        Name and SHA-256 of each, where several files were read.
    remarks : tuple of str
        What the reader took for granted or left out, in words.
    rows_left_out : int
        Rows that the reader was asked to leave out, though nothing is wrong with them.
    """

    file: str
    sha256: str
    source: str
    version: str
    licence: str
    citation: str
    rows_read: int
    rows_taken: int
    rows_rejected: int
    rows_outside: int
    files: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    rows_left_out: int = 0

    def __post_init__(self) -> None:
        told = self.rows_taken + self.rows_rejected + self.rows_outside + self.rows_left_out
        if self.rows_read != told:
            left = f", {self.rows_left_out} left out" if self.rows_left_out else ""
            raise ValueError(
                f"{self.rows_read} rows read, but {self.rows_taken} taken, {self.rows_rejected} "
                f"rejected{left} and {self.rows_outside} outside the window"
            )

    def __str__(self) -> str:
        left = f", {self.rows_left_out:,} left out as asked" if self.rows_left_out else ""
        return (
            f"{self.file}: {self.rows_read:,} rows read, {self.rows_taken:,} taken, "
            f"{self.rows_rejected:,} rejected, {self.rows_outside:,} outside the window{left}"
        )


@dataclass(frozen=True, eq=False)
class Incidents:
    """Coded incidents over the window that was watched.

    An incident that spans several days, or whose day is not known, is placed on its first
    possible day (``date``).

    Parameters
    ----------
    table : polars.DataFrame
        One row an incident, columns and types as in ``SCHEMA``, in order of ``date``.
    window : Window
        What was watched: no incident lies outside its span (one may lie in a gap).
    provenance : Provenance
    rejected : polars.DataFrame
        Rows with a fault, one line each: line (header = 1), column, value, reason.
    amended : polars.DataFrame
        Rows that were taken after a figure was mended, in the columns of ``rejected``.

    Raises
    ------
    ValueError
        If a column is missing or of another type, a date lies outside the window, or a value
        that every incident has is missing.
    """

    table: pl.DataFrame
    window: Window
    provenance: Provenance
    rejected: pl.DataFrame = field(default_factory=lambda: empty(REJECTED))
    amended: pl.DataFrame = field(default_factory=lambda: empty(REJECTED))

    def __post_init__(self) -> None:
        for name, kind in SCHEMA.items():
            if name not in self.table.columns:
                near = nearest(name, self.table.columns)
                hint = f", the nearest is {near!r}" if near else ""
                raise ValueError(f"the table of incidents has no column {name!r}{hint}")
            if self.table.schema[name] != kind:
                raise ValueError(f"column {name!r} must be {kind}, got {self.table.schema[name]}")
        object.__setattr__(self, "table", self.table.select(*SCHEMA))
        for name in KNOWN:
            if self.table[name].has_nulls():
                raise ValueError(f"column {name!r} has missing values")
        outside = self.table.filter(
            (pl.col("date") < self.window.start) | (pl.col("date") >= self.window.end)
        )
        if len(outside):
            raise ValueError(f"an incident of {outside['date'][0]} lies outside {self.window}")
        odd = set(self.table["certainty"].unique()) - set(CERTAINTIES)
        if odd:
            raise ValueError(f"certainty must be one of {', '.join(CERTAINTIES)}, got {min(odd)!r}")

    def where(self, *conditions: pl.Expr, **values: str | Iterable[str]) -> "Incidents":
        """The incidents that meet all conditions, over the same window.

        Parameters
        ----------
        *conditions : polars.Expr
            On the columns of ``table``.
        **values : str or sequence of str
            Column = the value or values that it may have.

        Raises
        ------
        ValueError
            If there is no such column.
        """
        wanted = list(conditions)
        for name, allowed in values.items():
            if name not in SCHEMA:
                near = nearest(name, SCHEMA)
                hint = f", the nearest is {near!r}" if near else ""
                raise ValueError(f"incidents have no column {name!r}{hint}")
            options = [allowed] if isinstance(allowed, str) else list(allowed)
            wanted.append(pl.col(name).is_in(options))
        return replace(self, table=self.table.filter(*wanted)) if wanted else self

    def redated(self, rng: np.random.Generator) -> "Incidents":
        """The same incidents, each on a day drawn evenly from those on which it may have happened.

        Days outside the window or in a gap are left out of the draw; an incident without any
        other day stays on its first. `escalation.fit_over_dates` repeats a fit over such draws.

        Parameters
        ----------
        rng : numpy.random.Generator
        """
        window, watched = self.window, self.window.mask()
        before = np.concatenate([[0], np.cumsum(watched)])
        days = np.flatnonzero(watched)
        first = window.day_index(self.table["date"])
        latest = self.table["date_latest"].clip(upper_bound=window.end - timedelta(days=1))
        low, high = before[first], before[window.day_index(latest) + 1]
        drawn = days[np.minimum(rng.integers(low, np.maximum(high, low + 1)), days.size - 1)]
        placed = np.where((high > low) & (latest.to_numpy() > self.table["date"].to_numpy()),
                          drawn, first)  # fmt: skip
        start = np.datetime64(window.start, "D")
        dates = pl.Series("date", start + placed.astype("timedelta64[D]"), pl.Date)
        return replace(self, table=self.table.with_columns(dates).sort("date", maintain_order=True))

    def summary(self) -> pl.DataFrame:
        """Sum up each class of incidents, and all of them in the last row.

        Columns: class, incidents, deaths (low, best, high: the sum of what is known, the best
        figure standing in for bounds that are not coded), deaths unknown (incidents without a
        best figure), first and last date, imprecise (share of incidents whose day is not known),
        disputed (how many are alleged or denied), undirected (how many do not tell who acted).
        """
        best = pl.col("deaths_best")
        columns = [
            pl.len().cast(pl.Int64).alias("incidents"),
            pl.coalesce("deaths_low", best).sum().alias("deaths low"),
            best.sum().alias("deaths best"),
            pl.coalesce("deaths_high", best).sum().alias("deaths high"),
            best.null_count().cast(pl.Int64).alias("deaths unknown"),
            pl.col("date").min().alias("first"),
            pl.col("date").max().alias("last"),
            (pl.col("date_latest") > pl.col("date")).mean().alias("imprecise"),
            pl.col("certainty").is_in(DISPUTED).sum().cast(pl.Int64).alias("disputed"),
            (~pl.col("directed")).sum().cast(pl.Int64).alias("undirected"),
        ]
        label = pl.col("incident_class").fill_null("(no class)").alias("class")
        classes = self.table.group_by(label).agg(columns)
        everything = self.table.select(pl.lit("all").alias("class"), *columns)
        return pl.concat([classes.sort("incidents", "class", descending=[True, False]), everything])

    def __len__(self) -> int:
        """Count the incidents."""
        return len(self.table)

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same incidents, window, provenance and remarks."""
        if not isinstance(other, Incidents):
            return NotImplemented
        tables = ("table", "rejected", "amended")
        return (self.window, self.provenance) == (other.window, other.provenance) and all(
            getattr(self, name).equals(getattr(other, name)) for name in tables
        )

    __hash__ = None  # type: ignore[assignment]  # holds tables

    def __repr__(self) -> str:
        return f"Incidents({len(self):,} from {self.provenance.source}, {self.window})"

    def _repr_html_(self) -> str:
        text = f"<p><b>Incidents</b>: {len(self):,}, {escape(str(self.window))}</p>"
        text += (
            f"<p><small>{escape(str(self.provenance))}</small></p>{self.summary()._repr_html_()}"
        )
        for title, remarks in (("Not taken", self.rejected), ("Mended", self.amended)):
            if len(remarks):
                text += f"<p>{title}:</p>{remarks._repr_html_()}"
        return text
