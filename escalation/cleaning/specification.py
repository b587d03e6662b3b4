"""Which steps of cleaning are wanted, as plain values; applied in one order, and reported."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import cast

import numpy as np
import polars as pl

from escalation.cleaning.dates import figures, on_drawn_day, on_first_day, spread
from escalation.cleaning.doubles import duplicates, one_a_day
from escalation.cleaning.filters import (
    clear,
    deadly,
    exact_places,
    in_box,
    in_polygon,
    inside_any,
    narrow_dates,
    near_border,
    no_summaries,
    reported_often,
)
from escalation.cleaning.outlines import Outlines
from escalation.cleaning.steps import CHANGED, DROPPED, REPORT, Outcome
from escalation.incidents import PLACE_PRECISIONS, SCHEMA, Incidents, empty, nearest

SPANS = ("keep", "start", "draw", "spread")
SUMMARIES = ("keep", "drop", "spread")
DEATHS = ("keep", "interval", "low", "best", "high")
UNKNOWN = ("keep", "drop")

Step = Callable[[Incidents], Outcome]


@dataclass(frozen=True, eq=False)
class Cleaned:
    """Incidents after cleaning, with what became of every one that is not there as it was.

    Attributes
    ----------
    incidents : Incidents
        Provenance, window and remarks are those of the incidents that were given.
    report : polars.DataFrame
        A row a step, in order: step, before, dropped, changed, added, after (incidents), why.
    dropped : polars.DataFrame
        Every incident that was left out, with step, reason, and the id of the one that was kept
        in its place.
    changed : polars.DataFrame
        Every value that was replaced: step, id, column, before, after.
    """

    incidents: Incidents
    report: pl.DataFrame
    dropped: pl.DataFrame
    changed: pl.DataFrame

    def __repr__(self) -> str:
        """Say how many are left, and how many steps it took."""
        return f"Cleaned({self.incidents!r}, {len(self.report)} steps, {len(self.dropped)} dropped)"

    def _repr_html_(self) -> str:
        return f"{self.incidents._repr_html_()}<p>Cleaning:</p>{self.report._repr_html_()}"


@dataclass(frozen=True)
class Cleaning:
    """Which incidents to keep, and how to read them; every step only if it is asked for.

    The steps run in the order of the parameters: first the filters, so that of two duplicates the
    one that passes them is kept; then summaries, duplicates and spans; last the one-a-day filter.

    Parameters
    ----------
    place_precision : {"", "place", "near", "district", "province", "country"}
        Places known less exactly are dropped.
    box : tuple of float
        West, south, east, north in degrees; west above east crosses 180 degrees.
    polygon : tuple of (longitude, latitude)
        Vertices of an area in degrees.
    outlines : str
        GeoJSON file with the outlines that ``within`` and ``border`` name.
    within : tuple of str
        Incidents inside any of these outlines are kept.
    border : tuple of str
        Two neighbours; incidents within ``border_distance`` of the line they share are kept.
    border_distance : float, optional
        In km.
    clarity : int, optional
        The worst grade that is kept: 1 is one clear event.
    reports : int, optional
        The fewest reports on which an incident may rest.
    widest_span : int, optional
        Incidents that may have happened on more days are dropped; 1 keeps known days only.
    deaths : {"keep", "interval", "low", "best", "high"}
        "interval" fills missing bounds with the best figure; the others put one figure for all.
    least_deaths : int, optional
        Fewer are dropped, by the best figure, else the high, else the low one.
    summaries : {"keep", "drop", "spread"}
        Records that sum up several events (clarity 2 or more): kept as they are, dropped, or
        spread over their days as with ``spans``.
    duplicates : tuple of str
        Columns that make two incidents of the same dates one: the one with most reports stays.
    spans : {"keep", "start", "draw", "spread"}
        Incidents of several days or of an unknown day: left as they are, on the first day, on a
        day drawn evenly from the possible ones, or one incident on each of the days.
    one_a_day : tuple of str
        Columns of which each combination of values counts once a day, if the day is known.
    unknown : {"keep", "drop"}
        Incidents without the grade or figure that a filter asks for. Those without coordinates
        are always dropped by a filter of where.

    Raises
    ------
    ValueError
        If a value is none of those, or one lacks the other that it needs.

    Examples
    --------
    >>> Cleaning(clarity=1, spans="draw", one_a_day=("source", "target")).steps
    ('clarity', 'spans', 'one_a_day')

    References
    ----------
    One-a-day filters: Schrodt, P. A. (2012). Precedents, progress, and prospects in political
    event data. International Interactions 38(4).
    """

    place_precision: str = ""
    box: tuple[float, ...] = ()
    polygon: tuple[tuple[float, float], ...] = ()
    outlines: str = ""
    within: tuple[str, ...] = ()
    border: tuple[str, ...] = ()
    border_distance: float | None = None
    clarity: int | None = None
    reports: int | None = None
    widest_span: int | None = None
    deaths: str = "keep"
    least_deaths: int | None = None
    summaries: str = "keep"
    duplicates: tuple[str, ...] = ()
    spans: str = "keep"
    one_a_day: tuple[str, ...] = ()
    unknown: str = "keep"

    def __post_init__(self) -> None:
        for name in ("box", "within", "border", "duplicates", "one_a_day"):
            given = getattr(self, name)
            if isinstance(given, str):
                raise ValueError(f"{name} must be a list, got {given!r}")
            object.__setattr__(self, name, tuple(given))
        object.__setattr__(self, "polygon", tuple(tuple(one) for one in self.polygon))
        for name, words in (
            ("place_precision", ("", *PLACE_PRECISIONS)),
            ("summaries", SUMMARIES),
            ("deaths", DEATHS),
            ("spans", SPANS),
            ("unknown", UNKNOWN),
        ):
            given = getattr(self, name)
            if given not in words:
                listed = ", ".join(filter(None, words))
                raise ValueError(f"{name} must be one of {listed}, got {given!r}")
        self._check_numbers()
        self._check_places()
        self._check_columns()

    def _check_numbers(self) -> None:
        for name, least in (
            ("clarity", 1),
            ("reports", 1),
            ("widest_span", 1),
            ("least_deaths", 0),
        ):
            given = getattr(self, name)
            if given is not None and (isinstance(given, bool) or given != int(given)):
                raise ValueError(f"{name} must be a whole number, got {given!r}")
            if given is not None and given < least:
                raise ValueError(f"{name} must be at least {least}, got {given!r}")

    def _check_places(self) -> None:
        if self.box:
            if len(self.box) != 4:
                raise ValueError(f"box wants west, south, east and north, got {list(self.box)}")
            west, south, east, north = self.box
            if not (max(abs(west), abs(east)) <= 180 and -90 <= south < north <= 90):
                raise ValueError(
                    f"box must be west, south, east and north in degrees, got {list(self.box)}"
                )
        if self.polygon and (len(self.polygon) < 3 or any(len(one) != 2 for one in self.polygon)):
            raise ValueError("polygon wants three or more pairs of longitude and latitude")
        if any(abs(x) > 180 or abs(y) > 90 for x, y in self.polygon):
            raise ValueError("polygon wants longitude and latitude in degrees, in that order")
        if self.border and len(self.border) != 2:
            raise ValueError(f"border wants the names of two neighbours, got {list(self.border)}")
        if bool(self.border) != (self.border_distance is not None):
            raise ValueError("border and border_distance (in km) go together")
        if self.border_distance is not None and not self.border_distance > 0:
            raise ValueError(f"border_distance must be above 0 km, got {self.border_distance!r}")
        if bool(self.outlines) != bool(self.within or self.border):
            raise ValueError("outlines (a GeoJSON file) goes together with within or border")

    def _check_columns(self) -> None:
        for step in ("duplicates", "one_a_day"):
            for name in getattr(self, step):
                if name not in SCHEMA or name in ("id", "date", "date_latest"):
                    near = nearest(name, SCHEMA)
                    hint = f", the nearest is {near!r}" if near else ""
                    raise ValueError(f"{step} cannot compare the column {name!r}{hint}")

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that are asked for, in the order in which they run."""
        usual = {one.name: one.default for one in fields(self)}
        apart = ("outlines", "border_distance", "unknown")
        return tuple(
            name for name in usual if name not in apart and getattr(self, name) != usual[name]
        )

    def apply(self, incidents: Incidents, rng: np.random.Generator | None = None) -> Cleaned:
        """Clean incidents; what is left out or changed is told, row by row.

        Parameters
        ----------
        incidents : Incidents
        rng : numpy.random.Generator, optional
            For ``spans="draw"``; seeded with 0 if not given.

        Raises
        ------
        DataError
            If the file of outlines cannot be read, or lacks one that is named.
        """
        rng = np.random.default_rng(0) if rng is None else rng
        outlines = Outlines.read(self.outlines) if self.outlines else None
        report, dropped, changed = [empty(REPORT)], [empty(DROPPED)], [empty(CHANGED)]
        for name in self.steps:
            found = self._step(name, outlines, rng)(incidents)
            report.append(found.row(len(incidents)))
            dropped.append(found.dropped)
            changed.append(found.changed)
            table = found.table.sort("date", maintain_order=True)
            incidents = replace(incidents, table=table)
        return Cleaned(incidents, pl.concat(report), pl.concat(dropped), pl.concat(changed))

    def _step(self, name: str, outlines: Outlines | None, rng: np.random.Generator) -> Step:
        unknown, number = self.unknown, cast(int, getattr(self, name))
        known, furthest = cast(Outlines, outlines), self.border_distance or 0.0
        spread_summaries = pl.col("clarity") > 1
        steps: dict[str, Step] = {
            "place_precision": lambda one: exact_places(one.table, self.place_precision, unknown),
            "box": lambda one: in_box(one.table, self.box),
            "polygon": lambda one: in_polygon(one.table, self.polygon),
            "within": lambda one: inside_any(one.table, known, self.within),
            "border": lambda one: near_border(one.table, known, self.border, furthest),
            "clarity": lambda one: clear(one.table, number, unknown),
            "summaries": lambda one: (
                no_summaries(one.table)
                if self.summaries == "drop"
                else spread(one, "summaries", spread_summaries)
            ),
            "reports": lambda one: reported_often(one.table, number, unknown),
            "widest_span": lambda one: narrow_dates(one.table, number),
            "deaths": lambda one: figures(one.table, self.deaths),
            "least_deaths": lambda one: deadly(one.table, number, unknown),
            "duplicates": lambda one: duplicates(one.table, self.duplicates),
            "spans": lambda one: {
                "start": lambda: on_first_day(one),
                "draw": lambda: on_drawn_day(one, rng),
                "spread": lambda: spread(one, "spans"),
            }[self.spans](),
            "one_a_day": lambda one: one_a_day(one.table, self.one_a_day),
        }
        return steps[name]
