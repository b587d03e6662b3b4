"""Global Terrorism Database (GTD)."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from escalation.codes import GTD
from escalation.sources.base import Source, lacking
from escalation.sources.delimited import Sheet
from escalation.sources.faults import DataError, Fault, faults
from escalation.sources.stack import found_in

WHERE = {"1": "place", "2": "district", "3": "district", "4": "province", "5": "country"}
"""``specificity``: coordinates of the town (1); of the centre of the smallest region known, because
those of the town were not found (2) or it was in no town (3); of the centre of the first-level
region (4); none (5) (codebook, section III, geocoding specificity)."""

UNKNOWN = ("Unknown", ".")
"""Words for a place or nationality that is not known; the point is that of files before 2017."""

PARTS = ("imonth", "iday", "vicinity", "doubtterr", "guncertain1", "claimed", "place_precision")
NUMBERS = tuple(f"{number:02}" for number in range(1, 13))


@dataclass(frozen=True)
class Gtd(Source):
    """GTD: one row a terrorist attack, by those who carried it out on a type of target.

    - A day that is not known (``iday`` 0) makes the span the month, a month that is not (``imonth``
      0) the year. Where ``approxdate`` names two days of that month ("June 3-5, 2012"), the span
      is theirs; other words in it are not read. An attack that went on for days (``extended``)
      stands on its first day.
    - The source is ``gname``, which may be "Unknown"; the target is the type of the first target
      (``targtype1_txt``), with its nationality in ``target_country``.
    - ``certainty`` is *alleged* where the group is only suspected (``guncertain1`` 1), else
      *reported*; ``claimed_by`` is the group where it claimed the attack (``claimed`` 1).
    - Where GTD doubts that it was terrorism at all (``doubtterr`` 1), the incident is kept unless
      ``doubtful`` is false. -9 means that nobody graded it, and is no doubt. This field,
      ``claimed`` and the sources cited are filled systematically after 1997 only.
    - ``nkill`` counts all who died, the attackers too, and is empty where nobody knows. A fraction
      comes of deaths shared among several attacks: the bounds are then the whole numbers around it,
      and the best figure the nearer.
    - ``reports`` counts the sources cited, three at most.

    The CSV files that circulate are written in Latin-1: they need ``encoding="latin-1"``.

    Parameters
    ----------
    doubtful : bool
        Whether incidents are taken of which GTD doubts that they were terrorism.

    References
    ----------
    LaFree, G. and Dugan, L. (2007). Introducing the Global Terrorism Database. Terrorism and
    Political Violence 19(2). START, GTD Codebook: Inclusion Criteria and Variables (June 2017 and
    2021): sections I to III, VII and VIII.
    """

    doubtful: bool = True

    name: ClassVar[str] = "GTD"
    licence: ClassVar[str] = (
        "START, University of Maryland: terms of use of the GTD; rows may not be passed on"
    )
    citation: ClassVar[str] = (
        "START (National Consortium for the Study of Terrorism and Responses to Terrorism). "
        "Global Terrorism Database. University of Maryland."
    )
    columns: ClassVar = {
        "id": ("eventid",),
        "date": ("iyear",),
        "country": ("country_txt",),
        "place": ("city",),
        "latitude": ("latitude",),
        "longitude": ("longitude",),
        "code": ("attacktype1",),
        "target": ("targtype1_txt",),
        "source": ("gname",),
        "deaths_best": ("nkill",),
    }
    more: ClassVar = {
        "province": ("provstate",),
        "place_precision": ("specificity",),
        "target_country": ("natlty1_txt",),
    }
    used: ClassVar = {
        name: (name,)
        for name in (
            "imonth", "iday", "approxdate", "vicinity", "doubtterr", "guncertain1", "claimed",
            "scite1", "scite2", "scite3",
        )
    }  # fmt: skip
    specimen: ClassVar[str] = (
        "eventid,iyear,imonth,iday,approxdate,extended,country,country_txt,provstate,city,latitude,"
        "longitude,specificity,vicinity,doubtterr,attacktype1,attacktype1_txt,targtype1,"
        "targtype1_txt,target1,natlty1,natlty1_txt,gname,guncertain1,claimed,claimmode_txt,nkill,"
        "nkillter,scite1,scite2,scite3\n"
        '201205030001,2012,5,3,,0,999,Alpha,Hills,"Mill, the old",30.5,70.25,1,0,0,3,'
        "Bombing/Explosion,14,Private Citizens & Property,Market,999,Alpha,Blue Army,0,1,"
        'Personal claim,4,1,"Post, May 4","Daily, May 5",\n'
        '201206000002,2012,6,0,"June 3-5, 2012",0,999,Alpha,Hills,Ford,31,71,2,0,1,2,Armed Assault,'
        "4,Military,Patrol,998,Beta,Unknown,0,,,2.5,,Post,,\n"
        "201300000003,2013,0,0,,0,999,Alpha,Unknown,Unknown,30,70,4,-9,-9,6,"
        "Hostage Taking (Kidnapping),14,Private Citizens & Property,Farmer,999,Alpha,Blue Army,1,0,"
        ",,,Post,Daily,Evening\n"
    )

    def matched(self, sheet: Sheet) -> dict[str, str]:
        """Find the columns; without month and day every incident would be a year long."""
        names = super().matched(sheet)
        parts = ("imonth", "iday")
        found = found_in(sheet, {name: (name,) for name in parts})
        missing = [name for name in parts if name not in found]
        if missing:
            spare = [name for name in sheet.header if name not in names.values()]
            raise DataError(f"{sheet.label}: {lacking(missing, spare)}")
        return names

    def translate(self, text: pl.DataFrame) -> pl.DataFrame:
        """Spans from unknown days and months, classes, claims and bounds of the deaths."""
        text = text.with_columns(_plain("id"), _plain("date"), _plain("code"), *map(_plain, PARTS))
        deaths = pl.col("deaths_best").cast(pl.Float64, strict=False)
        shared = deaths.is_finite() & (deaths >= 0) & (deaths != deaths.floor())
        bound = [
            pl.when(shared).then(value.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(pl.col(name)).alias(name)
            for name, value in (
                ("deaths_low", deaths.floor()),
                ("deaths_best", (deaths + 0.5).floor()),
                ("deaths_high", deaths.ceil()),
            )
        ]  # fmt: skip
        near = (pl.col("vicinity") == "1") & (pl.col("place_precision") == "1")
        cited = pl.sum_horizontal(
            pl.col(name).is_not_null().cast(pl.Int64) for name in ("scite1", "scite2", "scite3")
        )
        return text.with_columns(
            pl.col("code").replace_strict(GTD.classes, default=None).alias("incident_class"),
            pl.when(near).then(pl.lit("near"))
            .otherwise(pl.col("place_precision").replace(WHERE)).alias("place_precision"),
            *(pl.when(~pl.col(name).is_in(UNKNOWN)).then(name).alias(name)
              for name in ("place", "province", "target_country")),
            pl.when(pl.col("guncertain1") == "1").then(pl.lit("alleged"))
            .otherwise("certainty").alias("certainty"),
            pl.when(pl.col("claimed") == "1").then("source").alias("claimed_by"),
            pl.when(cited > 0).then(cited).cast(pl.String).alias("reports"),
            *bound,
            **_dated(),
        )  # fmt: skip

    def faults(self) -> list[Fault]:
        """The faults of any row, and days and months that do not exist."""
        return [
            Fault("imonth", pl.col("wrong month"), "is not a month (1 to 12, 0 if unknown)"),
            Fault("iday", pl.col("wrong day"), "is not a day of that month (0 if unknown)"),
            *faults(),
        ]

    def left_out(self) -> dict[str, pl.Expr]:
        """Incidents in doubt, where they are not wanted."""
        reason = "GTD doubts that it was terrorism (doubtterr 1)"
        return {} if self.doubtful else {reason: pl.col("doubtterr") == "1"}


def _plain(column: str) -> pl.Expr:
    """A whole number as workbooks give it (5.0), without its point."""
    return pl.col(column).str.replace(r"^(-?\d+)\.0+$", "$1").alias(column)


def _known(column: str) -> pl.Expr:
    """Whether a day or month is given: 0 stands for one that is not known."""
    return (~pl.col(column).is_in(("0", "00"))).fill_null(False)


def _dated() -> dict[str, pl.Expr]:
    """First and last possible day as text, and whether month or day do not exist.

    A year or a year and a month are spans; where the year is none, its text stays.
    """
    year, month = pl.col("date"), pl.col("imonth").str.zfill(2)
    right = year.str.contains(r"^\d{4}$")
    there = _known("imonth") & month.is_in(NUMBERS)
    in_month = pl.when(right & there).then(pl.concat_str(year, month, separator="-"))

    def on(day: pl.Expr) -> pl.Expr:
        return _checked(pl.concat_str(in_month, day.str.zfill(2), separator="-"))

    words, form = pl.col("approxdate"), r"^([A-Z][a-z]+) (\d{1,2}) ?[-–] ?(\d{1,2}),? (\d{4})$"
    ends = [_named(*(words.str.extract(form, at) for at in (4, 1, group))) for group in (2, 3)]
    meant = ~_known("iday") & (ends[0] <= ends[1])
    meant &= ends[0].str.starts_with(in_month) & ends[1].str.starts_with(in_month)
    day = pl.when(_known("iday")).then(on(pl.col("iday")))
    first, last = (pl.coalesce(pl.when(meant).then(end), day, in_month, year) for end in ends)
    return {
        "date": first,
        "date_latest": last,
        "wrong month": right & _known("imonth") & ~there,
        "wrong day": in_month.is_not_null() & _known("iday") & day.is_null(),
    }


def _named(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """A day with the English name of its month in ISO form, null if it is none."""
    text = pl.concat_str(year, month, day, separator=" ")
    return text.str.to_date("%Y %B %d", strict=False).dt.to_string("%Y-%m-%d")


def _checked(text: pl.Expr) -> pl.Expr:
    """Text that is a day, else null."""
    return pl.when(text.str.to_date("%Y-%m-%d", strict=False).is_not_null()).then(text)
