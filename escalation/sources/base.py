"""What every source of incidents does: read a file, keep the good rows, tell of the others."""

from abc import ABC
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from escalation.incidents import SCHEMA, Incidents, Provenance, nearest
from escalation.sources.delimited import LINE, Sheet, open_sheet
from escalation.sources.faults import (
    MISSING,
    DataError,
    Fault,
    RowError,
    faults,
    listed,
    parsed,
    taken,
)
from escalation.window import Window

__all__ = ["DataError", "RowError", "Source"]

DEFAULTS = {"certainty": "reported", "directed": "true"}
"""What a row says where its source has no word on it."""


class Source(ABC):
    """A provider of coded incidents: which columns its files have, and what they mean.

    A new one is a subclass in its own file: the class variables, and ``translate`` where columns
    need more than a new name. What is wrong with a file ends in a ``DataError``; what is wrong
    with a row is kept in ``Incidents.rejected``.

    Attributes
    ----------
    name, licence, citation : str
        As the provider wants them named.
    columns : mapping
        The columns that a file must have: ours = the file's name or names, the newest first.
    specimen : str
        A few lines of such a file, invented ones where the licence asks for it.
    """

    name: ClassVar[str]
    licence: ClassVar[str]
    citation: ClassVar[str]
    columns: ClassVar[Mapping[str, Sequence[str]]]
    specimen: ClassVar[str]

    def read(self, path_or_frame: Any, window: Window, *, strict: bool = False) -> Incidents:
        """Read the incidents inside the window.

        An incident of several days, or of an unknown day, is placed on its first possible day,
        and lies in the window if that day does. Cells without text are missing values. Rows
        outside the window are counted, not judged, unless their date cannot be read.

        Parameters
        ----------
        path_or_frame : path, or polars, pandas or Arrow table
            Delimited text in UTF-8 with a header, or a table with the same columns.
        window : Window
            What was watched: never read off the data.
        strict : bool
            Whether the first row with a fault is an error.

        Raises
        ------
        DataError
            If the file is missing, empty, not text, of another source, or lacks a column: one
            line that names file and column. ``RowError`` for a row, if ``strict``.
        """
        if not isinstance(window, Window):
            raise ValueError(f"say what was watched: window must be a Window, got {window!r}")
        sheet = open_sheet(path_or_frame)
        names = self.matched(sheet)
        lines, misfits = sheet.rows()
        line = pl.col(LINE).alias("line")
        text = lines.select(line, *(_text(names.get(name), name) for name in SCHEMA))
        rows = parsed(self.translate(text.with_columns(_defaults(names))))
        inside = taken("date").is_between(window.start, window.end, closed="left")
        rows = rows.with_columns(inside.fill_null(True).alias("inside"))

        wrong = rows.select(_first(self.faults())).to_series()
        rejected = pl.concat([listed(rows, wrong, self.faults(), names), misfits]).sort("line")
        if strict and len(rejected):
            line, column, value, reason = rejected.row(0)
            raise RowError(f"{sheet.label}: line {line}, column {column!r}: {value!r} {reason}")

        good = rows.filter(wrong.is_null() & rows["inside"])
        odd = good.select(_first(self.mends())).to_series()
        amended = listed(good, odd, self.mends(), names)
        table = self.amend(good).select(taken(name).alias(name) for name in SCHEMA)
        provenance = Provenance(
            file=Path(sheet.label).name,
            sha256=sheet.sha256,
            source=self.name,
            version=self.version(rows),
            licence=self.licence,
            citation=self.citation,
            rows_read=len(rows) + len(misfits),
            rows_taken=len(table),
            rows_rejected=len(rejected),
            rows_outside=int((~rows["inside"]).sum()),
        )
        table = table.sort("date", maintain_order=True)
        return Incidents(table, window, provenance, rejected, amended)

    def matched(self, sheet: Sheet) -> dict[str, str]:
        """Find the column of the file for each of ours; ``DataError`` if one is missing."""
        names = {
            ours: next((name for name in theirs if name in sheet.header), "")
            for ours, theirs in self.columns.items()
        }
        missing = [self.columns[ours][0] for ours, found in names.items() if not found]
        if len(missing) > len(names) / 2:
            wanted = ", ".join(repr(name) for name in missing)
            raise DataError(f"{sheet.label}: not a {self.name} file, it lacks the columns {wanted}")
        if missing:
            spare = [name for name in sheet.header if name not in names.values()]
            raise DataError(f"{sheet.label}: {lacking(missing, spare)}")
        return names

    def translate(self, text: pl.DataFrame) -> pl.DataFrame:
        """Say in our words what the columns of text, named as ours, say in the source's."""
        return text

    def faults(self) -> list[Fault]:
        """What makes a row unfit to be taken, in the order in which it is told."""
        return faults()

    def mends(self) -> list[Fault]:
        """What is wrong with a row that is taken all the same, after ``amend``."""
        return []

    def amend(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Mend the rows that ``mends`` lists, in the columns that ``taken`` names."""
        return rows

    def version(self, rows: pl.DataFrame) -> str:
        """The version of the data, "" if the file does not tell."""
        return ""


def lacking(missing: Sequence[str], spare: Sequence[str]) -> str:
    """Say which columns are missing, and which of those not used each may be meant by."""
    near = {name: nearest(name, spare) for name in missing}
    words = [
        f"{name!r}" + (f" (the nearest is {near[name]!r})" if near[name] else "")
        for name in missing
    ]
    more = ", ..." if len(spare) > 12 else ""
    others = f"; the others are {', '.join(map(repr, spare[:12]))}{more}"
    return f"no column {', '.join(words)}{others if spare and None in near.values() else ''}"


def _text(name: str | None, ours: str) -> pl.Expr:
    if name is None:
        return pl.lit(None, pl.String).alias(ours)
    words = pl.col(name).str.strip_chars()
    blank = ("",) if SCHEMA[ours] == pl.String else MISSING
    return pl.when(~words.is_in(blank)).then(words).alias(ours)


def _defaults(names: Mapping[str, str]) -> list[pl.Expr]:
    given = [pl.col(name).fill_null(word) for name, word in DEFAULTS.items()]
    given.append(pl.col("date_latest").fill_null(pl.col("date")))
    if "id" not in names:
        given.append(pl.col("line").cast(pl.String).alias("id"))
    return given


def _first(listing: Sequence[Fault]) -> pl.Expr:
    """Index of the first fault of each row, null if it has none or lies outside the window."""
    if not listing:
        return pl.repeat(None, pl.len(), dtype=pl.Int32)
    found = (
        pl.when(fault.wrong.fill_null(False) & pl.col("inside")).then(pl.lit(index, pl.Int32))
        for index, fault in enumerate(listing)
    )
    return pl.coalesce(*found).alias("fault")
