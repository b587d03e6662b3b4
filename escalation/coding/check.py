"""Check a hand-coded file: every fault of every row, and what is odd."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl

from escalation.codes import CAMEO, PLOVER
from escalation.coding.columns import BY_NAME
from escalation.coding.doubts import doubts
from escalation.coding.reading import Coding, open_coding
from escalation.incidents import nearest
from escalation.sources.faults import faults

FAULTS: dict[str, pl.DataType] = {
    "line": pl.Int64(),
    "column": pl.String(),
    "value": pl.String(),
    "reason": pl.String(),
    "expected": pl.String(),
}
"""Columns of ``CodingCheck.faults``: line of the file (the header is line 1) and what is wrong."""

WARNINGS = {name: kind for name, kind in FAULTS.items() if name != "expected"}


@dataclass(frozen=True, eq=False)
class CodingCheck:
    """What is wrong with a hand-coded file, and what is odd.

    Parameters
    ----------
    file : str
    rows : int
        How many were coded.
    faults : polars.DataFrame
        One row a fault, every one of every row: line (the header is line 1), column, value,
        reason, expected. A row with a fault of a column of incidents is not taken by ``read``.
    warnings : polars.DataFrame
        What can be read and is odd, in the same columns but for the last.
    """

    file: str
    rows: int
    faults: pl.DataFrame
    warnings: pl.DataFrame

    @property
    def passed(self) -> bool:
        """Whether there is no fault; warnings do not count."""
        return self.faults.is_empty()

    def __str__(self) -> str:
        found = (self.rows, "row"), (len(self.faults), "fault"), (len(self.warnings), "warning")
        words = (f"{number:,} {noun}{'' if number == 1 else 's'}" for number, noun in found)
        return f"{self.file}: {', '.join(words)}"

    def __repr__(self) -> str:
        return f"CodingCheck({self})"

    def _repr_html_(self) -> str:
        text = f"<p><b>Check of a coding</b>: {escape(str(self))}</p>"
        for title, table in (("Faults", self.faults), ("Warnings", self.warnings)):
            if len(table):
                text += f"<p>{title} (the header is line 1):</p>{table._repr_html_()}"
        return text


def check_coding(path_or_frame: Any) -> CodingCheck:
    """Check a hand-coded file.

    Parameters
    ----------
    path_or_frame : path, or polars, pandas or Arrow table
        In the columns of `write_coding_template`; date, source and target must be there.

    Raises
    ------
    DataError
        If it cannot be read, or lacks date, source or target.

    Examples
    --------
    >>> import polars as pl
    >>> rows = pl.DataFrame({
    ...     "id": ["a", "b"], "date": ["2031-05-04", "2031-05-32"], "source": ["A", "B"],
    ...     "target": ["B", "A"], "code": ["195", "1095"], "certainty": ["alleged", "reported"],
    ... })
    >>> check = check_coding(rows)
    >>> check.faults.select("line", "column", "value").rows()
    [(3, 'date', '2031-05-32'), (3, 'code', '1095')]
    >>> check.warnings.select("line", "column", "reason").rows()
    [(2, 'claimed_by', 'who says so is missing, though it is alleged')]
    """
    coding = open_coding(path_or_frame)
    wrong = [*_misfits(coding), *_values(coding), *_codes(coding)]
    order = {name: place for place, name in enumerate(BY_NAME)}
    wrong.sort(key=lambda row: (row[0], order.get(row[1], -1)))
    odd = [*_columns(coding), *doubts(coding)]
    return CodingCheck(coding.label, len(coding), _table(wrong, FAULTS), _table(odd, WARNINGS))


def _table(rows: Iterable[tuple[Any, ...]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")


def _misfits(coding: Coding) -> Iterator[tuple[Any, ...]]:
    expected = f"{len(coding.header)} fields"
    yield from ((*row, expected) for row in coding.misfits.rows())


def _values(coding: Coding) -> Iterator[tuple[Any, ...]]:
    """Every fault that a reader would find, the first of each cell."""
    listing = faults()
    found = coding.rows.select(
        fault.wrong.fill_null(False).alias(str(index)) for index, fault in enumerate(listing)
    )
    for row, wrong in zip(coding.rows.iter_rows(named=True), found.iter_rows(), strict=True):
        told = set[str]()
        for fault, is_wrong in zip(listing, wrong, strict=True):
            # A blank last day is the first one: its fault is told there.
            echo = fault.column == "date_latest" and "date" in told
            if is_wrong and fault.column not in told and not echo:
                told.add(fault.column)
                value = (row[fault.column] or "")[:80]
                expected = BY_NAME[fault.column].expected
                yield row["line"], fault.column, value, fault.reason, expected


def _codes(coding: Coding) -> Iterator[tuple[Any, ...]]:
    """Codes that their scheme does not know."""
    for row in coding.rows.select("line", "code", "plover", "plover_mode").iter_rows(named=True):
        line, code, event, mode = row.values()
        if code and code not in CAMEO:
            # A spreadsheet that takes 042 for a number keeps 42.
            whole = f"0{code}"
            near = whole if whole in CAMEO else CAMEO.nearest(code)
            yield line, "code", code, "is no CAMEO code", _near(near)
        if event and ("/" in event or event not in PLOVER):
            near = (PLOVER.nearest(event) or "").partition("/")[0]
            yield line, "plover", event, "is no PLOVER event type", _near(near)
        elif event and mode and f"{event}/{mode}" not in PLOVER:
            known = [each.code.partition("/")[2] for each in PLOVER.children(event)]
            expected = f"one of {', '.join(known)}" if known else "blank"
            yield line, "plover_mode", mode, f"is no mode of {event}", expected
        elif mode and not event:
            yield line, "plover", "", f"is blank, though there is a mode, {mode}", "an event type"


def _near(code: str | None) -> str:
    return f"perhaps {code}" if code else "see the codebook"


def _columns(coding: Coding) -> Iterator[tuple[Any, ...]]:
    for name in coding.header:
        if name not in BY_NAME:
            near = nearest(name, [each for each in BY_NAME if each not in coding.header])
            hint = f"; the nearest is {near!r}" if near else ""
            yield 1, name, name, f"is no column of a coding, and is not read{hint}"
