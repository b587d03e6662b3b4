"""ICEWS coded event data."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from escalation.codes import CAMEO
from escalation.sources.base import Source

NOT_SAID = "NA"
"""What stands for no text in a cell."""

WORDS = ("place", "district", "province", "country", "source_country", "target_country")
"""Columns in which it stands for none."""

_HEADER = (
    "Event ID", "Event Date", "Source Name", "Source Sectors", "Source Country", "Event Text",
    "CAMEO Code", "Intensity", "Target Name", "Target Sectors", "Target Country", "Story ID",
    "Sentence Number", "Publisher", "City", "District", "Province", "Country", "Latitude",
    "Longitude",
)  # fmt: skip

_ROWS = (
    ("1", "2018-06-01", "Military (Alpha)", "Military,Government", "Alpha",
     "Employ aerial weapons", "195", "-10", "Red Army", "NA", "NA", "9", "1", "Post", "Mill",
     "NA", "North", "Beta", "30.5", "71.25"),
    ("2", "2018-06-02", "Police (Beta)", "Police,Government", "Beta",
     "Arrest, detain, or charge with legal action", "173", "-5", 'The "Lions"', "NA", "Beta",
     "10", "3", "Wire", "NA", "Ford District", "North", "Beta", "30", "71"),
    ("3", "2018-06-01", "Alpha", "NA", "Alpha", "Consult", "040", "1", "Beta", "NA", "Beta",
     "11", "2", "Wire", "NA", "NA", "NA", "NA", "NA", "NA"),
)  # fmt: skip


@dataclass(frozen=True)
class Icews(Source):
    """ICEWS: one row an event that a program read out of a news story.

    - An event's id returns on another day now and then: ``id`` is that of the file with the day
      behind it.
    - ``code`` is the CAMEO code; one that lost its leading zero in a spreadsheet ("40") gets it
      back. ``incident_class`` is its common class in `escalation.codes.CAMEO`; a code that CAMEO
      lacks has none.
    - ``source`` and ``target`` are the names in the file, as in "Police (India)", and
      ``source_country`` and ``target_country`` the countries that ICEWS gives them. Their sectors
      are not read.
    - ``place`` is the city, or else the district; "NA" is no text.
    - A meeting stands in two rows, once from each side (code 040, or 042 and 043).

    References
    ----------
    Boschee, E., Lautenschlager, J., O'Brien, S., Shellman, S., Starz, J. and Ward, M. (2015).
    ICEWS Coded Event Data. Harvard Dataverse, doi:10.7910/DVN/28075. On ids: Beger, A., ICEWS
    event data, vignette of the R package icews.
    """

    name: ClassVar[str] = "ICEWS"
    licence: ClassVar[str] = "as stated with doi:10.7910/DVN/28075, Harvard Dataverse"
    citation: ClassVar[str] = (
        "Boschee, E., Lautenschlager, J., O'Brien, S., Shellman, S., Starz, J. and Ward, M. "
        "(2015). ICEWS Coded Event Data. Harvard Dataverse, doi:10.7910/DVN/28075."
    )
    columns: ClassVar = {
        "id": ("Event ID",),
        "date": ("Event Date",),
        "source": ("Source Name",),
        "source_country": ("Source Country",),
        "code": ("CAMEO Code",),
        "target": ("Target Name",),
        "target_country": ("Target Country",),
        "place": ("City",),
        "province": ("Province",),
        "country": ("Country",),
        "latitude": ("Latitude",),
        "longitude": ("Longitude",),
    }
    used: ClassVar = {"district": ("District",)}
    separators: ClassVar[str] = "\t"
    quoting: ClassVar[bool] = False
    specimen: ClassVar[str] = "".join("\t".join(row) + "\n" for row in (_HEADER, *_ROWS))

    def translate(self, text: pl.DataFrame) -> pl.DataFrame:
        """Ids with their day, codes with their zero, classes, places without "NA"."""
        code = pl.col("code")
        short = code.is_in([known[1:] for known in CAMEO.codes if known.startswith("0")])
        code = pl.when(short & ~_whole(code)).then(pl.lit("0") + code).otherwise(code)
        text = text.with_columns(
            pl.concat_str("id", pl.col("date").str.head(10), separator=" ").alias("id"),
            code.alias("code"),
            *(_said(name) for name in WORDS),
        )
        precision = (
            pl.when(pl.col("place").is_not_null())
            .then(pl.lit("place"))
            .when(pl.col("district").is_not_null())
            .then(pl.lit("district"))
            .when(pl.col("province").is_not_null())
            .then(pl.lit("province"))
            .when(pl.col("country").is_not_null())
            .then(pl.lit("country"))
        )
        return text.with_columns(
            pl.col("code").replace_strict(CAMEO.classes, default=None).alias("incident_class"),
            pl.coalesce("place", "district").alias("place"),
            precision.alias("place_precision"),
        )


def _whole(code: pl.Expr) -> pl.Expr:
    """Whether it is a code as it stands: ICEWS codes no roots, so two digits are none."""
    return code.is_in(list(CAMEO.codes)) & (code.str.len_chars() > 2)


def _said(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != NOT_SAID).then(pl.col(name)).alias(name)
