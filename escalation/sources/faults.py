"""What can be wrong with a file of incidents, and with a row of it."""

from dataclasses import dataclass
from itertools import chain

import polars as pl

from escalation.codes import CERTAINTIES
from escalation.incidents import PLACE_PRECISIONS, SCHEMA
from escalation.sources.seen import Seen

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "None", "NaT")
"""What stands for no value in a column of numbers or dates."""

DAY = r"^(\d{4}-\d{2}-\d{2})(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$"
"""A calendar day, with a time of day or without, which is not kept."""

BARE, MONTH, YEAR = r"^(\d{4})(\d{2})(\d{2})$", r"^\d{4}-\d{2}$", r"^\d{4}$"
"""A day without hyphens; a month or a year, which are spans of days."""

REPEATED = "repeated"
"""The column that tells whether an earlier row has the same id."""

NO_DATE = "is not a date (YYYY-MM-DD)"

EARLIEST = 1000
"""Years before have not four digits, and were written with two."""

TRUE, FALSE = ("true", "1", "yes", "t"), ("false", "0", "no", "f")


class DataError(ValueError):
    """A fault of a file of incidents: one line that names the file and the column."""


class EmptyFileError(DataError):
    """A file without any text."""


class RowError(DataError):
    """The first fault of a row, where a caller asked to be strict."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with the rows for which ``wrong`` is true; blames one of our columns.

    ``wrong`` is an expression on the columns of ``parsed``.
    """

    column: str
    wrong: pl.Expr
    reason: str


def taken(column: str) -> pl.Expr:
    """The value as it is taken, null if there is none; the column itself holds its text."""
    return pl.col(f"{column} taken")


def parsed(text: pl.DataFrame, before: Seen | None = None) -> pl.DataFrame:
    """Put beside each column of text, named as in ``SCHEMA``, the values it stands for.

    The column `REPEATED` tells which ids stand in an earlier row, here or among those seen before.
    """
    values = (_values(text[name], kind).alias(f"{name} taken") for name, kind in SCHEMA.items())
    return text.with_columns(*values, (before or Seen()).repeated(text["id"]).alias(REPEATED))


def _values(text: pl.Series, kind: pl.DataType) -> pl.Series:
    if kind == pl.String:
        return text
    if text.null_count() == len(text):
        return pl.Series(text.name, [None], kind).new_from_index(0, len(text))
    if kind == pl.Float64:
        return text.to_frame().select(_value(text.name, kind)).to_series()
    return each_once(text, _value(text.name, kind), kind)


def each_once(text: pl.Series, value: pl.Expr, kind: pl.DataType) -> pl.Series:
    """What an expression makes of a column in which few texts stand in many rows."""
    known = text.unique()
    values = known.to_frame().select(value).to_series()
    if len(known) == 1:
        return values.cast(kind).new_from_index(0, len(text))
    return text.replace_strict(known, values, return_dtype=kind)


def _value(name: str, kind: pl.DataType) -> pl.Expr:
    text = pl.col(name)
    if kind == pl.Date:
        return _day(text, last=name == "date_latest")
    if kind == pl.Boolean:
        word = text.str.to_lowercase()
        return pl.when(word.is_in(TRUE)).then(True).when(word.is_in(FALSE)).then(False)
    number = text.cast(pl.Float64, strict=False)
    if kind == pl.Float64:
        return pl.when(number.is_finite()).then(number)
    whole = number.is_finite() & (number == number.floor()) & (number.abs() < 2**53)
    return pl.when(whole).then(number).cast(pl.Int64, strict=False)


def _day(text: pl.Expr, last: bool) -> pl.Expr:
    """The day of a date; of a month or a year its first day, or its last."""
    whole = text.str.replace(BARE, "$1-$2-$3").str.extract(DAY)
    day = whole.str.to_date("%Y-%m-%d", strict=False)
    for form, rest, span in ((MONTH, "-01", "1mo"), (YEAR, "-01-01", "1y")):
        first = (text + rest).str.to_date("%Y-%m-%d", strict=False)
        end = first.dt.offset_by(span).dt.offset_by("-1d") if last else first
        day = pl.when(text.str.contains(form)).then(end).otherwise(day)
    return pl.when(day.dt.year() >= EARLIEST).then(day)


def faults() -> list[Fault]:
    """What is wrong with a row of any source, the first fault of a row counting."""
    deaths = ("deaths_low", "deaths_best", "deaths_high")
    low, best, high = map(taken, deaths)
    return [
        *chain.from_iterable(
            (
                Fault(name, pl.col(name).is_null(), "is missing"),
                Fault(name, taken(name).is_null(), NO_DATE),
            )
            for name in ("date", "date_latest")
        ),
        Fault("date_latest", taken("date_latest") < taken("date"), "ends before it starts"),
        *(Fault(name, pl.col(name).is_null(), "is missing") for name in ("source", "target", "id")),
        Fault("id", pl.col(REPEATED), "stands in an earlier row too"),
        *chain.from_iterable(
            (
                Fault(name, _unreadable(name), "is not a whole number"),
                Fault(name, taken(name) < 0, "is negative"),
            )
            for name in (*deaths, "clarity", "reports")
        ),
        Fault("deaths_low", low > high, "is more than the high estimate"),
        Fault("deaths_best", (best < low) | (best > high), "is not between low and high estimate"),
        *chain.from_iterable(
            (
                Fault(name, _unreadable(name), "is not a number"),
                Fault(name, taken(name).abs() > limit, f"is not within {limit} degrees"),
            )
            for name, limit in (("latitude", 90), ("longitude", 180))
        ),
        Fault(
            "certainty",
            ~pl.col("certainty").is_in(CERTAINTIES),
            f"is not one of {', '.join(CERTAINTIES)}",
        ),
        Fault("reported_on", _unreadable("reported_on"), NO_DATE),
        Fault(
            "place_precision",
            pl.col("place_precision").is_in(PLACE_PRECISIONS).not_(),
            f"is not one of {', '.join(PLACE_PRECISIONS)}",
        ),
        Fault("directed", taken("directed").is_null(), "is neither true nor false"),
    ]


def _unreadable(name: str) -> pl.Expr:
    return taken(name).is_null() & pl.col(name).is_not_null()
