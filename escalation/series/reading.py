"""Counts per period from a table: what `CountSeries.table` gives, in a file or not."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from escalation.series.counts import CountSeries
from escalation.sources.delimited import LINE, Sheet, open_sheet
from escalation.sources.faults import DataError
from escalation.window import PERIOD_DAYS, Window

SPANS = ("start", "end", "exposure")
"""The columns that are no streams."""


def read_counts(given: Any, gaps: Sequence[tuple[date, date]] = ()) -> CountSeries:
    """Read counts per period, as ``escalation count`` and `CountSeries.table` write them.

    Parameters
    ----------
    given : path, or polars, pandas or Arrow table
        Columns ``start`` and ``end`` (the day after), consecutive days, weeks or months; each
        other column is a stream, but ``exposure``: the days of each period that were watched, all
        of them if there is no such column.
    gaps : sequence of (date, date), optional
        Half-open spans that nobody watched. The table tells how many days of a period were not
        watched, not which: a period that was watched in part needs its gap here.

    Raises
    ------
    DataError
        If a column or a value is not such: one line that names the file, line and column.

    Examples
    --------
    >>> series = CountSeries.from_counts([[3, 1], [0, 2]], date(2020, 1, 6), names=("a", "b"))
    >>> read_counts(series.table()) == series
    True
    """
    sheet = open_sheet(given)
    rows, misfits = sheet.rows()
    if len(misfits):
        line, column, _, reason = misfits.row(0)
        raise DataError(f"{sheet.label}: line {line}, column {column!r}: {reason}")
    if missing := [name for name in SPANS[:2] if name not in sheet.header]:
        raise DataError(f"{sheet.label}: counts per period want columns 'start' and 'end', and a "
                        f"column for each stream; there is no {missing[0]!r}")  # fmt: skip
    names = [name for name in sheet.header if name not in SPANS]
    if not names or not len(rows):
        raise DataError(f"{sheet.label}: it has no {'periods' if names else 'column of a stream'}")
    starts, ends = (_values(sheet, rows, name, pl.Date()) for name in SPANS[:2])
    counts = np.stack([_values(sheet, rows, name, pl.Int64()) for name in names], axis=1)
    apart = np.flatnonzero(ends[:-1] != starts[1:])
    if len(apart):
        line = rows[LINE][int(apart[0]) + 1]
        raise DataError(f"{sheet.label}: line {line}: starts on {starts[apart[0] + 1]}, the period "
                        f"before ends on {ends[apart[0]]}")  # fmt: skip
    span = (starts[0].item(), ends[-1].item())
    said = tuple((max(a, span[0]), min(b, span[1])) for a, b in gaps)
    known = tuple((a, b) for a, b in said if a < b)
    exposure = _exposure(sheet, rows, starts, ends)
    try:
        whole = Window(*span, known or _unwatched(starts, ends, exposure))
        series = CountSeries.from_counts(
            counts, span[0], _period(starts, ends), names, gaps=whole.gaps
        )
    except ValueError as fault:
        raise DataError(f"{sheet.label}: {fault}") from None
    odd = np.flatnonzero(series.exposure != exposure)
    if len(odd):
        at = int(odd[0])
        raise DataError(
            f"{sheet.label}: line {rows[LINE][at]}: {exposure[at]:g} days of {starts[at]} to "
            f"{ends[at]} were watched, {series.exposure[at]:g} by the gaps that are given; say "
            "which were not, in gaps"
        )
    return series


def _values(sheet: Sheet, rows: pl.DataFrame, name: str, kind: pl.DataType) -> Any:
    """A column as dates or numbers, shape ``(T,)``."""
    text = rows[name]
    if kind == pl.Date:
        values = text.str.to_date("%Y-%m-%d", strict=False)
    else:
        values = text.cast(kind, strict=False)
    if values.has_nulls():
        at = int(values.is_null().arg_max() or 0)
        wanted = {pl.Date(): "a date (YYYY-MM-DD)", pl.Int64(): "a whole number"}
        raise DataError(
            f"{sheet.label}: line {rows[LINE][at]}, column {name!r}: {text[at] or ''!r} is not "
            f"{wanted.get(kind, 'a number')}"
        )
    return values.to_numpy().astype("datetime64[D]") if kind == pl.Date else values.to_numpy()


def _exposure(sheet: Sheet, rows: pl.DataFrame, starts: Any, ends: Any) -> Any:
    days = (ends - starts).astype(np.float64)
    if "exposure" not in sheet.header:
        return days
    return _values(sheet, rows, "exposure", pl.Float64())


def _unwatched(starts: Any, ends: Any, exposure: Any) -> tuple[tuple[date, date], ...]:
    """Periods that nobody watched: these gaps are known without being said."""
    return tuple((starts[at].item(), ends[at].item()) for at in np.flatnonzero(exposure == 0))


def _period(starts: Any, ends: Any) -> str:
    """The period that all lines span; ``ValueError`` if none."""
    lengths = {int(each) for each in (ends - starts).astype(int)}
    for period in ("day", "week"):
        if lengths == {int(PERIOD_DAYS[period])}:
            return period
    months = starts.astype("datetime64[M]")
    first = (starts == months.astype("datetime64[D]")).all()
    if first and (ends == (months + np.timedelta64(1, "M")).astype("datetime64[D]")).all():
        return "month"
    raise ValueError("periods are days, weeks or months, all alike")
