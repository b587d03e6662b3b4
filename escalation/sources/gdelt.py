"""GDELT 1.0 and 2.0 events."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from escalation.actors import names_by
from escalation.codes import CAMEO
from escalation.sources.base import Source
from escalation.sources.faults import each_once

NOBODY = "unknown"
"""The actor of a row whose source names none."""

PRECISIONS = {"1": "country", "2": "province", "3": "place", "4": "place", "5": "province"}
"""ActionGeo_Type: country, US state, US city, city elsewhere, first-level unit elsewhere."""


def _head(places: tuple[str, ...], last: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of an export file in their order (codebooks of versions 1.03 and 2.0)."""
    actor = (
        "Code", "Name", "CountryCode", "KnownGroupCode", "EthnicCode", "Religion1Code",
        "Religion2Code", "Type1Code", "Type2Code", "Type3Code",
    )  # fmt: skip
    return (
        "GlobalEventID", "SQLDATE", "MonthYear", "Year", "FractionDate",
        *(f"Actor{side}{part}" for side in (1, 2) for part in actor),
        "IsRootEvent", "EventCode", "EventBaseCode", "EventRootCode", "QuadClass",
        "GoldsteinScale", "NumMentions", "NumSources", "NumArticles", "AvgTone",
        *(f"{who}Geo_{part}" for who in ("Actor1", "Actor2", "Action") for part in places),
        *last,
    )  # fmt: skip


_OLD = ("Type", "FullName", "CountryCode", "ADM1Code", "Lat", "Long", "FeatureID")
_NEW = ("Type", "FullName", "CountryCode", "ADM1Code", "ADM2Code", "Lat", "Long", "FeatureID")

HEADS = (
    _head(_NEW, ("DATEADDED", "SOURCEURL")),
    _head(_OLD, ("DATEADDED", "SOURCEURL")),
    _head(_OLD, ("DATEADDED",)),
)
"""Columns of GDELT 2.0 (61), of 1.0 since April 2013 (58) and of its older files (57)."""


@dataclass(frozen=True)
class Gdelt(Source):
    """GDELT events: one row an event that a program read out of a news article.

    - Reads the export files of both versions, which have no header, and tables with the names of
      the codebook. The day is ``SQLDATE``; ``reported_on`` is the day of ``DATEADDED``.
    - ``source`` and ``target`` are the CAMEO codes of the actors ("PAK", "PAKGOV", "COP"): the
      names in the file are words of the article ("LOS ANGELES", "PRESIDENT"). About a third of
      all rows lack one of the two, protests mostly the second: such a row is an event all the
      same, and the missing actor is called "unknown".
    - ``source_country`` and ``target_country`` are what the coding takes for the actors'
      countries; country, province (code of the first-level unit, the country's FIPS 10-4 code
      first), place and coordinates are those of the action.
    - ``reports`` is ``NumMentions``, of the first 15 minutes in version 2.0 and of the first day
      in 1.0. The same event told by several articles often stands in several rows, with ids of
      their own.

    Parameters
    ----------
    root_only : bool
        Whether to leave out events that are not in the first sentences of their article
        (``IsRootEvent`` 0).
    once : bool
        Whether to leave out rows that tell of an event of an earlier row: same day, actors, code
        and place of the action.

    References
    ----------
    Leetaru, K. and Schrodt, P. A. (2013). GDELT: Global Data on Events, Location and Tone,
    1979-2012. Annual Meeting of the International Studies Association.

    The GDELT Event Database Data Format Codebook, versions 1.03 (2013) and 2.0 (2015).
    """

    root_only: bool = False
    once: bool = False

    name: ClassVar[str] = "GDELT"
    licence: ClassVar[str] = (
        "free for any use; redistribution must cite the GDELT Project and link to gdeltproject.org"
    )
    citation: ClassVar[str] = (
        "Leetaru, K. and Schrodt, P. A. (2013). GDELT: Global Data on Events, Location and Tone, "
        "1979-2012. Annual Meeting of the International Studies Association. "
        "The GDELT Project, gdeltproject.org."
    )
    caution: ClassVar[str] = (
        "a row is a telling of an event, not an event: counts grow with the number of articles"
    )
    columns: ClassVar = {
        "id": ("GlobalEventID", "GLOBALEVENTID"),
        "date": ("SQLDATE", "Day"),
        "source": ("Actor1Code",),
        "target": ("Actor2Code",),
        "code": ("EventCode",),
        "reports": ("NumMentions",),
        "place": ("ActionGeo_FullName", "ActionGeo_Fullname"),
        "place_precision": ("ActionGeo_Type",),
        "country": ("ActionGeo_CountryCode",),
        "province": ("ActionGeo_ADM1Code",),
        "latitude": ("ActionGeo_Lat",),
        "longitude": ("ActionGeo_Long",),
        "reported_on": ("DATEADDED",),
    }
    more: ClassVar = {
        "source_country": ("Actor1CountryCode",),
        "target_country": ("Actor2CountryCode",),
    }
    used: ClassVar = {"root": ("IsRootEvent",), "feature": ("ActionGeo_FeatureID",)}
    heads: ClassVar = HEADS
    separators: ClassVar[str] = "\t"
    quoting: ClassVar[bool] = False
    specimen: ClassVar[str] = "".join(
        "\t".join(fields.get(name, "") for name in HEADS[0]) + "\n"
        for fields in (
            {
                "GlobalEventID": "900000001", "SQLDATE": "20200107", "Actor1Code": "PAKMIL",
                "Actor1Name": "PAKISTAN", "Actor1CountryCode": "PAK", "Actor2Code": "AFGREB",
                "Actor2Name": "MILITANT", "Actor2CountryCode": "AFG", "IsRootEvent": "1",
                "EventCode": "195", "NumMentions": "6", "ActionGeo_Type": "4",
                "ActionGeo_FullName": "Mill, Khyber Pakhtunkhwa, Pakistan",
                "ActionGeo_CountryCode": "PK", "ActionGeo_ADM1Code": "PK03",
                "ActionGeo_Lat": "34.5", "ActionGeo_Long": "71.25", "ActionGeo_FeatureID": "-1",
                "DATEADDED": "20200107121500", "SOURCEURL": "https://example.org/\"a\"",
            },
            {
                "GlobalEventID": "900000002", "SQLDATE": "20200107", "Actor1Code": "CVL",
                "Actor1Name": "VILLAGER", "IsRootEvent": "0", "EventCode": "141",
                "NumMentions": "2", "ActionGeo_Type": "1", "ActionGeo_FullName": "Pakistan",
                "ActionGeo_CountryCode": "PK", "ActionGeo_ADM1Code": "PK", "ActionGeo_Lat": "30",
                "ActionGeo_Long": "70", "ActionGeo_FeatureID": "PK",
                "DATEADDED": "20200108000000", "SOURCEURL": "https://example.org/b",
            },
            {
                "GlobalEventID": "900000003", "SQLDATE": "20200109", "Actor2Code": "USAGOV",
                "Actor2Name": "UNITED STATES", "Actor2CountryCode": "USA", "IsRootEvent": "1",
                "EventCode": "112", "NumMentions": "1", "ActionGeo_Type": "0",
                "DATEADDED": "20200109233000", "SOURCEURL": "https://example.org/c",
            },
        )
    )  # fmt: skip

    def translate(self, text: pl.DataFrame) -> pl.DataFrame:
        """Name countries and classes, and say "unknown" where an actor is missing."""
        province, kind = pl.col("province"), pl.col("place_precision")
        added, named = pl.col("reported_on"), names_by("cameo")
        # The code of the country alone, or with 00, is no province.
        anywhere = (province.str.len_bytes() < 3) | province.str.ends_with("00")
        # Without a place version 1.0 has blanks, or zeros for the coordinates.
        placed = kind != "0"
        day = pl.when(added.str.contains(r"^\d{14}$")).then(added.str.head(8)).otherwise(added)
        return text.with_columns(
            *(pl.col(side).fill_null(NOBODY) for side in ("source", "target")),
            *(pl.col(f"{side}_country").replace(named) for side in ("source", "target")),
            pl.col("code").replace_strict(CAMEO.classes, default=None).alias("incident_class"),
            pl.col("country").replace(names_by("fips")),
            pl.when(~anywhere).then(province),
            pl.when(placed).then(kind.replace(PRECISIONS)),
            *(pl.when(placed).then(pl.col(name)) for name in ("latitude", "longitude")),
            each_once(text["reported_on"], day, pl.String()),
        )

    def left_out(self) -> dict[str, pl.Expr]:
        """Events that are not in the first sentences of their article, if they are not wanted."""
        if not self.root_only:
            return {}
        return {"not a root event": pl.col("root") == "0"}

    def event(self) -> pl.Expr | None:
        """Day, actors, code and place, if each event is wanted once."""
        if not self.once:
            return None
        place = pl.coalesce("feature", "place")
        parts = [pl.col(name) for name in ("date", "source", "target", "code")]
        return pl.concat_str(*parts, place.fill_null(""), separator="\t", ignore_nulls=True)
