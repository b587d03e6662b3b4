"""POLECAT: events in the PLOVER ontology."""

from dataclasses import dataclass, replace
from typing import ClassVar

import polars as pl

from escalation.codes import PLOVER, UNREAL_CONTEXTS
from escalation.sources.base import Source
from escalation.sources.delimited import Sheet

NOBODY = "unknown"
"""The recipient of a record that names none."""

SEVERAL = r"\s*[;|]\s*"
"""What stands between several values of a cell."""

TWO_SIDED = ("sideab",)
"""Modes that say both sides used force."""

_HEADER: tuple[str, ...] = (
    "Event ID", "Event Date", "Event Type", "Event Mode", "Intensity", "Quad Code", "Contexts",
    "Actor Name", "Actor Country", "Actor COW", "Primary Actor Sector", "Actor Sectors",
    "Actor Title", "Actor Name Raw", "Wikipedia Actor ID", "Recipient Name", "Recipient Country",
    "Recipient COW", "Primary Recipient Sector", "Recipient Sectors", "Recipient Title",
    "Recipient Name Raw", "Wikipedia Recipient ID", "Placename", "City", "District", "Province",
    "Country", "Latitude", "Longitude", "GeoNames ID", "Raw Placename", "Feature Type", "Source",
    "Publication Date", "Story People", "Story Organizations", "Story Locations", "Language",
    "Version",
)  # fmt: skip
"""Columns of the files: the header of the release files on Harvard Dataverse, which public loaders
for the graph data set tkgl-polecat quote whole."""

_ROWS: tuple[dict[str, str], ...] = (
    {
        "Event ID": "A1_0_0", "Event Date": "2023-03-06", "Event Type": "ASSAULT",
        "Event Mode": "drone", "Contexts": "military;territory", "Actor Name": "Alpha Air Force",
        "Actor Country": "ALP", "Recipient Name": "Red Army", "Placename": "Mill", "City": "Mill",
        "Province": "North", "Country": "BET", "Latitude": "30.5", "Longitude": "71.25",
        "Publication Date": "2023-03-07", "Version": "NGEC_coder-Vers001",
    },
    {
        "Event ID": "A2_0_0", "Event Date": "2023-03-06", "Event Type": "PROTEST",
        "Event Mode": "demo;obstruct", "Contexts": "economic", "Actor Name": "Farmers of Beta",
        "Actor Country": "BET", "Placename": "North", "Province": "North", "Country": "BET",
        "Latitude": "30", "Longitude": "71", "Publication Date": "2023-03-06",
        "Version": "NGEC_coder-Vers001",
    },
    {
        "Event ID": "A3_0_0", "Event Date": "2023-03-08", "Event Type": "CONSULT",
        "Contexts": "diplomatic", "Actor Name": "Alpha;Beta", "Actor Country": "ALP;BET",
        "Publication Date": "2023-03-08", "Version": "NGEC_coder-Vers001",
    },
)  # fmt: skip


@dataclass(frozen=True)
class Polecat(Source):
    """POLECAT: one row an event that a program read out of a news story, coded in PLOVER.

    - ``code`` is the event type, and behind a stroke its mode: "ASSAULT/drone". Of several modes
      it is the first; ``incident_class`` is the common class in `escalation.codes.PLOVER`, that
      of the type where the mode is not known there.
    - Contexts have no column of ours. A record whose contexts say that the event did not happen
      then (historical, future, hypothetical, negation) is left out and counted.
    - Several actors of one side stay in one text, as in "A; B": PLOVER codes them as one actor.
      Give an actor that text as an alias, or select by country.
    - A record without a recipient is an event all the same; its target is called "unknown". With
      several actors and no recipient, or with the mode sideAB, nobody is known to have acted on
      the other, and ``directed`` is false.
    - Where the name of an actor is not resolved, it is that of the story (``Actor Name Raw``).
    - ``reported_on`` is the day of publication.
    - Some weekly files name more columns than their rows have, or end each line in needless tabs.
      They are read by the columns of the other weeks, and the provenance says so.
    - Loaders of others read the files as Latin-1. One that is no UTF-8 is refused, with its line,
      until it is said: ``encoding="latin-1"``. Zips of a year may hold a file a month: unpack them.

    Parameters
    ----------
    unreal : bool
        Whether to take records of events that did not happen on their day.

    References
    ----------
    Halterman, A., Bagozzi, B. E., Beger, A., Schrodt, P. A. and Scarborough, G. I. (2023). PLOVER
    and POLECAT: A New Political Event Ontology and Dataset. doi:10.31235/osf.io/rm5dw. Data:
    Harvard Dataverse, doi:10.7910/DVN/AJGVIT. On files out of form: Beger, A. (2024), POLECAT Event
    Data, andybeger.com.
    """

    unreal: bool = False

    name: ClassVar[str] = "POLECAT"
    licence: ClassVar[str] = "CC0 1.0"
    citation: ClassVar[str] = (
        "Halterman, A., Bagozzi, B. E., Beger, A., Schrodt, P. A. and Scarborough, G. I. (2023). "
        "PLOVER and POLECAT: A New Political Event Ontology and Dataset. "
        "Data: Harvard Dataverse, doi:10.7910/DVN/AJGVIT."
    )
    columns: ClassVar = {
        "id": ("Event ID",),
        "date": ("Event Date",),
        "code": ("Event Type",),
        "source": ("Actor Name",),
        "source_country": ("Actor Country",),
        "target": ("Recipient Name",),
        "target_country": ("Recipient Country",),
        "country": ("Country",),
        "province": ("Province",),
        "latitude": ("Latitude",),
        "longitude": ("Longitude",),
    }
    more: ClassVar = {"place": ("Placename",), "reported_on": ("Publication Date",)}
    versioned: ClassVar = ("release",)
    used: ClassVar = {
        "mode": ("Event Mode",),
        "contexts": ("Contexts",),
        "actor_raw": ("Actor Name Raw",),
        "recipient_raw": ("Recipient Name Raw",),
        "city": ("City",),
        "district": ("District",),
        "release": ("Version",),
    }
    separators: ClassVar[str] = "\t"
    specimen: ClassVar[str] = "\t".join(_HEADER) + "".join(
        "\n" + "\t".join(row.get(name, "") for name in _HEADER) for row in _ROWS
    )

    def mended(self, sheet: Sheet) -> Sheet:
        """The header mended where it does not fit its rows."""
        required = {names[0] for names in self.columns.values()}
        return _mended(sheet) if required <= set(sheet.header) else sheet

    def translate(self, text: pl.DataFrame) -> pl.DataFrame:
        """Type and mode as a code, its class, actors by name, and how exactly the place is known.

        The country of several actors is told only if they have one.
        """
        text = text.with_columns(
            *(
                pl.coalesce(_said(name), _said(raw)).str.replace_all(SEVERAL, "; ").alias(name)
                for name, raw in (("source", "actor_raw"), ("target", "recipient_raw"))
            ),
            *(_only(name) for name in ("source_country", "target_country", "country")),
            *(_said(name) for name in ("place", "province", "city", "district", "contexts")),
            pl.col("code").str.to_uppercase(),
            _said("mode").str.split(";").list.first().str.strip_chars().str.to_lowercase(),
        )
        full = pl.concat_str(pl.col("code"), pl.col("mode"), separator="/", ignore_nulls=True)
        lower = {code.lower(): code for code in PLOVER.codes}
        known = full.str.to_lowercase().replace_strict(lower, default=None)
        text = text.with_columns(pl.coalesce(known, full).alias("full"))
        return text.with_columns(
            pl.coalesce(
                pl.col("full").replace_strict(PLOVER.classes, default=None),
                pl.col("code").replace_strict(PLOVER.classes, default=None),
            ).alias("incident_class"),
            pl.when(pl.col("code").is_not_null()).then("full").alias("code"),
            (~_two_sided()).fill_null(True).cast(pl.String).alias("directed"),
            pl.col("target").fill_null(NOBODY),
            _precision().alias("place_precision"),
        )

    def left_out(self) -> dict[str, pl.Expr]:
        """Records of events that did not happen on their day, if they are not wanted."""
        if self.unreal:
            return {}
        contexts = pl.col("contexts").str.to_lowercase().str.split(";")
        unreal = contexts.list.eval(pl.element().str.strip_chars().is_in(UNREAL_CONTEXTS))
        return {"a context says the event did not happen then": unreal.list.any()}

    def version(self, rows: pl.DataFrame) -> str:
        """The versions of the coder that the rows name."""
        return ", ".join(sorted(rows["release"].drop_nulls().unique()))


def _mended(sheet: Sheet) -> Sheet:
    if not isinstance(sheet.body, bytes):
        return sheet
    _, _, rows = sheet.body.partition(b"\n")
    fields = rows.partition(b"\n")[0].count(sheet.separator.encode()) + 1
    if fields == len(_HEADER) < len(sheet.header):
        names = _HEADER
        remark = f"the header names {len(sheet.header)} columns, the first row has {fields}: "
        remark += "read by the columns of the other weeks"
    elif "" in sheet.header:
        names = tuple(name or f"blank {at}" for at, name in enumerate(sheet.header, start=1))
        remark = f"{sheet.header.count('')} columns without a name"
    else:
        return sheet
    body = sheet.separator.join(names).encode() + b"\n" + rows
    return replace(sheet, header=names, body=body, remarks=(*sheet.remarks, remark))


def _said(name: str) -> pl.Expr:
    return pl.when(~pl.col(name).is_in(["", "NA", "None", "nan"])).then(pl.col(name)).alias(name)


def _only(name: str) -> pl.Expr:
    """The value, or null if the cell has several."""
    several = pl.col(name).str.contains("[;|]")
    return pl.when(~several).then(_said(name)).alias(name)


def _two_sided() -> pl.Expr:
    alone = pl.col("target").is_null() & pl.col("source").str.contains("; ", literal=True)
    return alone | pl.col("mode").is_in(TWO_SIDED).fill_null(False)


def _precision() -> pl.Expr:
    """The smallest unit that is named: a town, a district, a province or the country."""
    levels = {"city": "place", "district": "district", "province": "province"}
    named = (pl.when(pl.col(name).is_not_null()).then(pl.lit(to)) for name, to in levels.items())
    country = pl.when(pl.col("country").is_not_null()).then(pl.lit("country"))
    return pl.coalesce(*named, country)
