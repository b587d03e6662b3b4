"""UCDP Georeferenced Event Dataset and its candidate events."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from escalation.codes import UCDP_DIRECTED, UCDP_VIOLENCE
from escalation.sources.base import Source
from escalation.sources.faults import Fault, faults, taken

DEATHS = ("deaths_low", "deaths_best", "deaths_high")

WHERE = {
    "1": "place", "2": "near", "3": "district", "4": "province", "5": None, "6": "country",
    "7": None,
}  # fmt: skip
"""``where_prec``: how exactly the place is known (GED Codebook 25.1, section 5.4.2): the place;
near it; a second-order division; a first-order division; a line, an area without sharp borders, or
somewhere between two points; the country; international waters or the air."""

UNCOUNTED = "-1"
"""``number_of_sources`` of events coded before sources were counted."""


@dataclass(frozen=True)
class UcdpGed(Source):
    """UCDP GED: one row an event of organised violence with at least one death.

    - ``date_start`` to ``date_end`` is the span of days in which the event lies: it has several
      days, or its day is not known. ``date_prec`` says which: 1 the day, 2 within 2 to 6 days, 3
      the week, 4 the month or 8 to 30 days, 5 more than a month and at most a year. The span says
      it better, and ``date_prec`` is not read.
    - ``side_a`` acted on ``side_b`` only in one-sided violence. In state-based dyads side A is the
      government whoever attacked, and in non-state ones the order means nothing: ``directed`` is
      false there.
    - Every event counts as *reported*: UCDP codes what its sources say happened, ``event_clarity``
      2 tells that the report sums up several events, and who did it is not put in doubt apart.
    - Where the estimates of deaths contradict each other (low above high, the best outside both:
      some 200 of the 6,416 events in Pakistan), the event is taken, its bounds are widened to hold
      all three figures, and the row is listed in ``Incidents.amended``.
    - ``where_prec`` 1 to 4 is an exact place, one within 25 km of it, a district (second-order
      division), a province (first-order division). 5 (a line, an area without sharp borders, or
      somewhere between two points more than 25 km apart) and 7 (international waters, or the air)
      have no like here: ``place_precision`` is null. 6 is a country.
    - ``number_of_sources`` is -1 where it was not counted (older events): ``reports`` is null.

    Reads GED and Candidate files of all versions, those with ``best_est`` too. The columns of ids,
    whose names changed (``dyad_dset_id``, ``dyad_new_id``), are not needed. Of files from HDX the
    row of HXL tags below the header is left out.

    References
    ----------
    Sundberg, R. and Melander, E. (2013). Introducing the UCDP Georeferenced Event Dataset. Journal
    of Peace Research 50(4). UCDP GED Codebook 25.1.
    """

    name: ClassVar[str] = "UCDP GED"
    licence: ClassVar[str] = "CC BY 4.0"
    citation: ClassVar[str] = (
        "Sundberg, R. and Melander, E. (2013). Introducing the UCDP Georeferenced Event Dataset. "
        "Journal of Peace Research 50(4)."
    )
    columns: ClassVar = {
        "id": ("id",),
        "code": ("type_of_violence",),
        "dyad": ("dyad_name",),
        "source": ("side_a",),
        "target": ("side_b",),
        "place": ("where_coordinates",),
        "latitude": ("latitude",),
        "longitude": ("longitude",),
        "country": ("country",),
        "date": ("date_start",),
        "date_latest": ("date_end",),
        "deaths_best": ("best", "best_est"),
        "deaths_high": ("high", "high_est"),
        "deaths_low": ("low", "low_est"),
    }
    more: ClassVar = {
        "province": ("adm_1",),
        "place_precision": ("where_prec",),
        "clarity": ("event_clarity",),
        "reports": ("number_of_sources",),
    }
    specimen: ClassVar[str] = (
        "id,type_of_violence,dyad_new_id,dyad_name,side_a_new_id,side_a,side_b_new_id,side_b,"
        "number_of_sources,where_prec,where_coordinates,adm_1,latitude,longitude,country,"
        "event_clarity,date_prec,date_start,date_end,best,high,low\n"
        '1,1,10,Government of A - B,1,Government of A,2,B,-1,1,"Mill, the old",Hills,30.5,70.25,A,'
        "1,1,2008-01-01 00:00:00.000,2008-01-01 00:00:00.000,4,6,3\n"
        "2,3,11,B - Civilians,2,B,9999,Civilians,3,2,Ford town,Hills,31,71,A,1,2,2008-02-03,"
        "2008-02-06,0,2,0\n"
        "3,2,12,B - C,2,B,3,C,1,6,A,,30,70,A,2,5,2008-03-01,2008-05-31,5,4,5\n"
    )

    def translate(self, text: pl.DataFrame) -> pl.DataFrame:
        """Put the type of violence in words, and say whether the two sides have an order."""
        known = list(UCDP_VIOLENCE)
        directed = {code: str(value).lower() for code, value in UCDP_DIRECTED.items()}
        code = pl.col("code")
        return text.with_columns(
            code.replace_strict(UCDP_VIOLENCE, default=None).alias("incident_class"),
            pl.when(code.is_in(known))
            .then(code.replace_strict(directed, default=None))
            .otherwise(pl.lit("false"))
            .alias("directed"),
            pl.col("place_precision").replace(WHERE),
            pl.when(pl.col("reports") != UNCOUNTED).then("reports").alias("reports"),
        )

    def faults(self) -> list[Fault]:
        """The faults of any row, and a type of violence that does not exist."""
        unknown = pl.col("incident_class").is_null()
        bounds = ("is more than the high estimate", "is not between low and high estimate")
        general = [fault for fault in faults() if fault.reason not in bounds]
        return [*general, Fault("code", unknown, f"is not one of {', '.join(UCDP_VIOLENCE)}")]

    def mends(self) -> list[Fault]:
        """Estimates of deaths that contradict each other."""
        low, best, high = map(taken, DEATHS)
        reason = "contradicts the other estimates; the bounds were widened to hold all three"
        return [
            Fault("deaths_low", low > high, reason),
            Fault("deaths_best", (best < low) | (best > high), reason),
        ]

    def amend(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Widen the bounds of the deaths to hold all three figures."""
        figures = [taken(name) for name in DEATHS]
        return rows.with_columns(
            pl.min_horizontal(figures).alias("deaths_low taken"),
            pl.max_horizontal(figures).alias("deaths_high taken"),
        )

    def version(self, rows: pl.DataFrame) -> str:
        """The years it covers: the file itself names no version."""
        if not len(rows):
            return ""
        first, last = rows.select(
            taken("date").dt.year().min().alias("first"), taken("date").dt.year().max()
        ).row(0)
        return f"events of {first} to {last}"
