"""The rows of one file or of several, under our names, and how to tell of a row in its file."""

import glob
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl

from escalation.incidents import REJECTED, SCHEMA
from escalation.sources.delimited import LINE, Sheet, tagged
from escalation.sources.faults import EARLIEST, MISSING, NO_DATE, DataError, Fault
from escalation.sources.layout import WORDS, Layout
from escalation.sources.naming import found_name

TIME = r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?$"
"""A time of day behind a date, which is not kept."""

SHOWN = 3
"""How many of several files are named."""


@dataclass(frozen=True)
class Stack:
    """The rows of all files as text.

    Parameters
    ----------
    label : str
        How to call the files in a message.
    sheets : tuple of Sheet
    names : tuple of mapping
        For each file, the column that each of ours was read from.
    text : polars.DataFrame
        A column of text for each of ours and of those that a source uses besides; ``line``, and
        ``sheet``, the index of the file.
    original : tuple of polars.DataFrame
        The rows of each file as they stand there, in the order of ``text``.
    misfits : tuple of polars.DataFrame
        For each file, rows without a field for each column, in the columns of ``REJECTED``.
    remarks : tuple of str
        What was taken for granted or left out.
    layout : Layout
    first : int
        Index of the first file among all, where they come one after the other.
    several : bool
        Whether remarks on a row name its file.
    """

    label: str
    sheets: tuple[Sheet, ...]
    names: tuple[Mapping[str, str], ...]
    text: pl.DataFrame
    original: tuple[pl.DataFrame, ...]
    misfits: tuple[pl.DataFrame, ...]
    remarks: tuple[str, ...]
    layout: Layout
    first: int = 0
    several: bool = False

    @classmethod
    def of(
        cls,
        sheets: Sequence[Sheet],
        match: Callable[[Sheet], dict[str, str]],
        layout: Layout,
        used: Mapping[str, Sequence[str]],
        first: int = 0,
        several: bool | None = None,
        without: Collection[str] = (),
    ) -> Self:
        """Read the rows of sheets, whose columns ``match`` finds for each, some left out."""
        texts, names, original, misfits = [], [], [], []
        remarks: list[str] = []
        for index, sheet in enumerate(sheets, start=first):
            found, beside = match(sheet), found_in(sheet, used)
            found = {ours: theirs for ours, theirs in found.items() if ours not in without}
            rows, unfit = sheet.rows({*found.values(), *beside.values()})
            remarks.extend(sheet.remarks)
            if sheet.first_line == 1 and tagged(rows):
                rows = rows.slice(1)
                remarks.append(f"{Path(sheet.label).name}: the row of HXL tags is no incident")
            text = rows.select(
                pl.col(LINE).cast(pl.Int64).alias("line"),
                pl.lit(index).alias("sheet"),
                *(text_of(found.get(name), name, layout) for name in SCHEMA),
                *(_other(beside.get(name), name) for name in used),
            )
            texts.append(text)
            names.append(found)
            original.append(rows)
            misfits.append(unfit)
        label = sheets[0].label if len(sheets) == 1 else f"{len(sheets)} files"
        return cls(
            label, tuple(sheets), tuple(names), pl.concat(texts), tuple(original), tuple(misfits),
            tuple(remarks), layout, first, len(sheets) > 1 if several is None else several,
        )  # fmt: skip

    @property
    def labels(self) -> tuple[str, ...]:
        """How to call each file in a message."""
        return tuple(sheet.label for sheet in self.sheets)

    @property
    def hashes(self) -> tuple[str, ...]:
        """SHA-256 of each file."""
        return tuple(sheet.sha256 for sheet in self.sheets)

    def told(
        self,
        rows: pl.DataFrame,
        number: pl.Series,
        listing: Sequence[Fault],
        misfits: Sequence[pl.DataFrame] = (),
    ) -> pl.DataFrame:
        """List rows by line, column of the file, its value and the reason, as in ``REJECTED``.

        Parameters
        ----------
        rows : polars.DataFrame
            One for each of ``text``, with the columns of ``parsed``.
        number : polars.Series
            Index of each row's fault in ``listing``, null where there is none.
        listing : sequence of Fault
        misfits : sequence of polars.DataFrame
            To be listed too, file by file.
        """
        parts, start = [pl.DataFrame(schema=REJECTED)], 0
        for index, (sheet, original) in enumerate(zip(self.sheets, self.original, strict=True)):
            own = number.slice(start, len(original))
            found = [
                self._one(rows.slice(start, len(original)), original, own == at, fault, index)
                for at, fault in enumerate(listing)
                if (own == at).any()
            ]
            start += len(original)
            table = pl.concat([parts[0], *found, *misfits[index : index + 1]]).sort("line")
            if self.several:
                mark = pl.lit(f" ({Path(sheet.label).name})")
                table = table.with_columns(pl.concat_str("reason", mark))
            parts.append(table)
        return pl.concat(parts)

    def _one(
        self,
        rows: pl.DataFrame,
        original: pl.DataFrame,
        wrong: pl.Series,
        fault: Fault,
        index: int,
    ) -> pl.DataFrame:
        """The rows of one file with one fault, by what stands in the file."""
        at, name = wrong.arg_true(), self.names[index].get(fault.column)
        value = rows[fault.column] if name is None else original[name]
        reason = fault.reason
        if self.layout.dates and reason == NO_DATE:
            named = ", a year of four digits" if self.layout.dates in WORDS else ""
            reason = f"is not a date ({self.layout.dates}{named})"
        return pl.DataFrame({"line": rows["line"][at], "value": value[at]}).select(
            "line",
            pl.lit(name or fault.column).alias("column"),
            pl.col("value").fill_null("").str.slice(0, 80),
            pl.lit(reason).alias("reason"),
        )


def in_words(labels: Sequence[str]) -> str:
    """The file's name, or how many there are and the first of them."""
    names = [Path(label).name for label in labels]
    if len(names) == 1:
        return names[0]
    more = ", ..." if len(names) > SHOWN else ""
    return f"{len(names)} files ({', '.join(names[:SHOWN])}{more})"


def joint_hash(hashes: Sequence[str]) -> str:
    """SHA-256 of the file's bytes; of several files, of their hashes in order."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def each_file(given: Any) -> list[Any]:
    """Give each of several files or tables; a path may be a pattern.

    Raises
    ------
    DataError
        If there is none, or no file fits the pattern.
    """
    if isinstance(given, list | tuple):
        if not given:
            raise DataError("no file of incidents is given")
        return [one for each in given for one in each_file(each)]
    if not isinstance(given, str | Path) or Path(given).exists() or not glob.has_magic(str(given)):
        return [given]
    found = sorted(glob.glob(str(given), recursive=True))
    if not found:
        raise DataError(f"{given}: no file fits this pattern")
    return [Path(each) for each in found]


def found_in(sheet: Sheet, columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The file's name of each column that it has, see `found_name`."""
    found = {
        ours: found_name(sheet.label, sheet.header, theirs) for ours, theirs in columns.items()
    }
    return {ours: name for ours, name in found.items() if name is not None}


def text_of(name: str | None, ours: str, layout: Layout) -> pl.Expr:
    """The text of a column of `Sheet.rows`, null where it stands for no value.

    Parameters
    ----------
    name : str or None
        As the file has it; None if the file lacks it.
    ours : str
        The name that it gets, which tells what it holds; text, if it is none of ``SCHEMA``.
    layout : Layout
    """
    if name is None:
        return pl.lit(None, pl.String).alias(ours)
    words, kind = pl.col(name), SCHEMA.get(ours, pl.String())
    if kind == pl.String:
        return words.alias(ours)
    given = ~words.is_in(MISSING)
    if kind.is_numeric() and layout.decimal == ",":
        words = _decimals(words)
    if kind == pl.Date:
        words = dated(words, layout.date_forms)
    return pl.when(given).then(words).alias(ours)


def _decimals(words: pl.Expr) -> pl.Expr:
    """Numbers with a decimal comma; a point between digits is no number then."""
    point = words.str.contains(r"\.", literal=False)
    return pl.when(point).then(words + ",").otherwise(words.str.replace(",", ".", literal=True))


def dated(words: pl.Expr, forms: Sequence[str]) -> pl.Expr:
    """Dates of these forms as ISO 8601 writes them; others as they are."""
    if not forms:
        return words
    day_alone = words.str.replace(TIME, "")
    days = [each.str.to_date(form, strict=False) for form in forms for each in (words, day_alone)]
    # A year of two digits is read as one of the first century.
    known = (pl.when(day.dt.year() >= EARLIEST).then(day.dt.strftime("%Y-%m-%d")) for day in days)
    return pl.coalesce(*known, words)


def _other(name: str | None, used: str) -> pl.Expr:
    return (pl.lit(None, pl.String) if name is None else pl.col(name)).alias(used)
