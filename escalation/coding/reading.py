"""A hand-coded file as rows of text, with the values they stand for."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from escalation.coding.columns import BY_NAME
from escalation.incidents import SCHEMA
from escalation.sources import Table
from escalation.sources.delimited import LINE
from escalation.sources.faults import parsed
from escalation.sources.layout import Layout
from escalation.sources.stack import found_in, text_of

EXTRA = tuple(name for name in BY_NAME if name not in SCHEMA)
"""Columns of a hand-coded file that incidents have not."""


@dataclass(frozen=True, eq=False)
class Coding:
    """The rows of a hand-coded file.

    Parameters
    ----------
    label : str
        The file, as the caller named it.
    header : tuple of str
        Its columns.
    rows : polars.DataFrame
        ``line``; a column of text for each of `COLUMNS`, null where nothing stands; and the value
        that each of ``SCHEMA`` stands for, as ``escalation.sources.faults.parsed`` gives it.
    misfits : polars.DataFrame
        Rows that have not one cell for each column: line, column, value, reason.
    """

    label: str
    header: tuple[str, ...]
    rows: pl.DataFrame
    misfits: pl.DataFrame

    def __len__(self) -> int:
        return len(self.rows)


def open_coding(given: Any) -> Coding:
    """Read a hand-coded file, or a table of text with the same columns.

    Raises
    ------
    DataError
        If it cannot be read, or lacks date, source or target.
    """
    table = Table()
    sheet = table.opened(given)
    table.matched(sheet)
    cells, misfits = sheet.rows()
    ours = {theirs: name for name, theirs in found_in(sheet, {n: (n,) for n in BY_NAME}).items()}
    cells, header = cells.rename(ours), tuple(ours.get(name, name) for name in sheet.header)
    text = cells.select(
        pl.col(LINE).cast(pl.Int64).alias("line"),
        *(text_of(name if name in header else None, name, Layout()) for name in BY_NAME),
    )
    # What the reader of tables takes for granted too.
    whole = text.with_columns(
        pl.col("date_latest").fill_null(pl.col("date")),
        pl.col("certainty").fill_null("reported"),
        pl.col("directed").fill_null("true"),
    )
    if "id" not in header:
        whole = whole.with_columns(pl.col("line").cast(pl.String).alias("id"))
    return Coding(sheet.label, header, parsed(whole), misfits)
