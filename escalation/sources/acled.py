"""Armed Conflict Location and Event Data (ACLED): exports and answers of its API."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from escalation.codes import ACLED
from escalation.sources.base import Source, lacking
from escalation.sources.delimited import Sheet
from escalation.sources.faults import DataError, Fault, faults
from escalation.sources.stack import found_in

ACTOR_KINDS = {
    "1": "State forces",
    "2": "Rebel group",
    "3": "Political militia",
    "4": "Identity militia",
    "5": "Rioters",
    "6": "Protesters",
    "7": "Civilians",
    "8": "External/Other forces",
}
"""``inter1`` and ``inter2``: a number in older files, 0 for nobody; words since 2024 (codebook)."""

KINDS = {
    **ACTOR_KINDS,
    **{form: word for word in ACTOR_KINDS.values() for form in (word.lower(), f"{word.lower()}s")},
}
"""Numbers, and words as some files spell them ("Rebel Groups")."""

WHERE = {"1": "place", "2": "district", "3": "province"}
"""``geo_precision``: a town, or a part of a large city; a town that stands for a small part of a
region, or that is near; a natural location or provincial capital that stands for a larger region
(codebook, "Spatial precision codes")."""

ONE_SIDED = ("Violence against civilians", "Explosions/Remote violence", "Remote violence")
"""Event types in which one side alone is violent (codebook, "Explosions/Remote violence", "Violence
against civilians"). That it stands as actor 1 is the custom of the files; the codebook does not say
it. Elsewhere the order means nothing."""

VICTIMS = "Civilians"
"""A kind of actor that "cannot engage in political violence" (codebook, "Violence against
civilians")."""

NOBODY = "nobody named"
WEEK = 3
"""Days before and after the day that stands for a week."""


def _any_case(*names: str) -> tuple[str, ...]:
    return (*names, *(name.upper() for name in names))


@dataclass(frozen=True)
class Acled(Source):
    """ACLED: one row an event of political violence, demonstration or strategic development.

    - ``time_precision`` 2 is a week or the like, whose middle is the day given: the span is that
      day, three days before and three after. 3 is a month, given as its midpoint (or as its first
      or last day where the source says so): the span is that calendar month. Where it begins
      before the window, the event lies outside.
    - ``code`` is the sub-event type, or the event type where a file has none (before 2019), and
      ``incident_class`` its common class in `escalation.codes.ACLED`.
    - ``directed`` is true where violence has one side (violence against civilians, explosions and
      remote violence) and where one actor alone is named. In battles actor 1 need not have begun.
      Older files have civilians as actor 1 where they were the victims: they acted on nobody, and
      ``directed`` is false.
    - Without an actor 2 the target is "Civilians" where ``civilian_targeting`` says so, else
      "nobody named". Associated actors are not read.
    - ``dyad`` holds the kinds of both sides, as in "State forces - Rebel group", in the words of
      the files made since 2024; older files have numbers (``inter1``, ``inter2``).
    - The country of an actor stands in its name alone, as in "Military Forces of A (2018-2022)":
      `escalation.Actors.home` reads it there.
    - ``reported_on`` is the day of ``timestamp``: the last upload of the row. A row that was
      revised looks as if it had been reported late.
    - Deaths are ACLED's one figure: the lowest that its sources report. It writes 3 or 10 for
      "several", 12 for "dozens", 100 for "hundreds", 0 where it is unclear whether anybody died,
      and divides a sum among the days and places of several events. Every event counts as
      *reported*.

    Dates are written YYYY-MM-DD (API) or like 07 January 2020 (export); releases before 2017 have
    18/04/2001 too, which is read if `dates` says "day first".

    References
    ----------
    Raleigh, C., Linke, A., Hegre, H. and Karlsen, J. (2010). Introducing ACLED: An Armed Conflict
    Location and Event Dataset. Journal of Peace Research 47(5). ACLED Codebook,
    acleddata.com/methodology/acled-codebook: "Spatial precision codes", "Time precision codes",
    "Actor names, types, and Inter codes", "Reported fatalities".
    """

    name: ClassVar[str] = "ACLED"
    licence: ClassVar[str] = "ACLED terms of use: acknowledge it; rows may not be passed on"
    citation: ClassVar[str] = (
        "Raleigh, C., Linke, A., Hegre, H. and Karlsen, J. (2010). Introducing ACLED: An Armed "
        "Conflict Location and Event Dataset. Journal of Peace Research 47(5); acleddata.com."
    )
    columns: ClassVar = {
        "id": _any_case("event_id_cnty"),
        "date": _any_case("event_date"),
        "code": _any_case("event_type"),
        "source": _any_case("actor1"),
        "country": _any_case("country"),
        "place": _any_case("location"),
        "latitude": _any_case("latitude"),
        "longitude": _any_case("longitude"),
        "deaths_best": _any_case("fatalities"),
    }
    more: ClassVar = {
        "province": _any_case("admin1"),
        "place_precision": _any_case("geo_precision", "geo_precis"),
        "reported_on": _any_case("timestamp"),
    }
    used: ClassVar = {
        "actor2": _any_case("actor2"),
        "sub_event_type": _any_case("sub_event_type"),
        "time_precision": _any_case("time_precision", "time_preci"),
        "inter1": _any_case("inter1"),
        "inter2": _any_case("inter2"),
        "civilian_targeting": _any_case("civilian_targeting"),
    }
    specimen: ClassVar[str] = (
        "event_id_cnty,event_date,year,time_precision,disorder_type,event_type,sub_event_type,"
        "actor1,assoc_actor_1,inter1,actor2,assoc_actor_2,inter2,interaction,civilian_targeting,"
        "iso,region,country,admin1,admin2,admin3,location,latitude,longitude,geo_precision,source,"
        "source_scale,notes,fatalities,tags,timestamp\n"
        "ALP1,2023-05-02,2023,1,Political violence,Battles,Armed clash,"
        "Military Forces of Alpha (2020-),,State forces,BLA: Blue Army,,Rebel group,"
        'State forces-Rebel group,,1,East,Alpha,Hills,Upper,,"Mill, the old",30.5,70.25,1,Post,'
        "National,Invented.,4,,1683590400\n"
        "ALP2,2023-05-17,2023,3,Political violence,Violence against civilians,Attack,"
        "BLA: Blue Army,,Rebel group,Civilians (Alpha),,Civilians,Rebel group-Civilians,"
        "Civilian targeting,1,East,Alpha,Hills,Upper,,Ford,31,71,2,Post,National,Invented.,0,,"
        "1684800000\n"
        "BET7,2023-06-10,2023,2,Demonstrations,Protests,Peaceful protest,Protesters (Beta),,"
        "Protesters,,,,Protesters only,,2,East,Beta,Plain,,,Beta City,-1.5,36,3,Post,National,"
        "Invented.,0,crowd size=no report,1686700800\n"
    )

    def matched(self, sheet: Sheet) -> dict[str, str]:
        """Find the columns; actor 2 must be among them, though many events have none."""
        names = super().matched(sheet)
        if not found_in(sheet, {"actor2": self.used["actor2"]}):
            spare = [name for name in sheet.header if name not in names.values()]
            raise DataError(f"{sheet.label}: {lacking(['actor2'], spare)}")
        return names

    def translate(self, text: pl.DataFrame) -> pl.DataFrame:
        """Spans from the precision of time, classes, sides and the precision of place."""
        first, last = _span()
        event, sides = pl.col("code"), [_kind("inter1"), _kind("inter2")]
        victims = (sides[0] == VICTIMS).fill_null(False)
        victims |= pl.col("source").str.starts_with(f"{VICTIMS} (").fill_null(False)
        one_sided = (event.is_in(ONE_SIDED) & ~victims) | pl.col("actor2").is_null()
        code = pl.coalesce("sub_event_type", "code")
        nobody = pl.when(pl.col("civilian_targeting").is_not_null()).then(pl.lit("Civilians"))
        text = text.with_columns(_iso_day(pl.col("date")).alias("date"))
        return text.with_columns(
            first.alias("date"),
            last.alias("date_latest"),
            code.alias("code"),
            code.replace_strict(ACLED.classes, default=None).alias("incident_class"),
            pl.coalesce("actor2", nobody.otherwise(pl.lit(NOBODY))).alias("target"),
            one_sided.cast(pl.String).alias("directed"),
            pl.concat_str(sides, separator=" - ").alias("dyad"),
            pl.col("place_precision").replace(WHERE),
            _uploaded().alias("reported_on"),
        )

    def faults(self) -> list[Fault]:
        """The faults of any row, and a precision of time that does not exist."""
        unknown = ~pl.col("time_precision").is_in(("1", "2", "3"))
        return [*faults(), Fault("time_precision", unknown, "is not one of 1, 2, 3")]


def _iso_day(text: pl.Expr) -> pl.Expr:
    """A date in the words of the export, or of eight digits, in ISO form; other text as it is."""
    words = text.str.extract(r"^(\d{1,2}[ -][A-Za-z]+[ -]\d{4})$").str.replace_all("-", " ")
    digits = text.str.extract(r"^(\d{8})$")
    day = pl.coalesce(
        words.str.to_date("%d %B %Y", strict=False), digits.str.to_date("%Y%m%d", strict=False)
    )
    return pl.coalesce(day.dt.to_string("%Y-%m-%d"), text)


def _span() -> tuple[pl.Expr, pl.Expr]:
    """First and last possible day as text; the text of the date where it is none."""
    date, precision = pl.col("date"), pl.col("time_precision")
    day = date.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    ends = []
    for week, month in (
        (day.dt.offset_by(f"-{WEEK}d"), day.dt.month_start()),
        (day.dt.offset_by(f"{WEEK}d"), day.dt.month_end()),
    ):
        wide = pl.when(precision == "2").then(week).when(precision == "3").then(month)
        ends.append(pl.coalesce(wide.dt.to_string("%Y-%m-%d"), date))
    return ends[0], ends[1]


def _kind(column: str) -> pl.Expr:
    """The kind of an actor in today's words; other words as they are."""
    given = pl.col(column)
    known = given.str.to_lowercase().replace_strict(KINDS, default=None)
    return pl.when(given != "0").then(pl.coalesce(known, given))


def _uploaded() -> pl.Expr:
    """The day of a time in seconds since 1970; any other text as it is."""
    text = pl.col("reported_on")
    seconds = pl.when(text.str.contains(r"^\d{8,11}$")).then(text).cast(pl.Int64, strict=False)
    return pl.coalesce(pl.from_epoch(seconds, "s").dt.to_string("%Y-%m-%d"), text)
