"""Delimited text: a file's bytes to rows of text, each with its line."""

import csv
import hashlib
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl
from polars.exceptions import PanicException, PolarsError

from escalation.incidents import REJECTED
from escalation.sources.faults import DataError, EmptyFileError
from escalation.sources.files import as_utf8, contents
from escalation.sources.layout import Layout
from escalation.sources.tables import frame
from escalation.sources.unquoted import stripped, unquoted_rows

SEPARATORS = ",;\t|"

LINE = "\0line"
"""The column of `Sheet.rows` with each row's line: no file has a column of this name."""

HEAD = 1_000_000
"""How much of a file is searched for its header, in characters."""

FEW = 200_000
"""Quotes of a file that are looked at one by one."""

TAG = "#"
"""How each cell begins of a row of HXL tags, which may follow the header (hxlstandard.org)."""


@dataclass(frozen=True)
class Sheet:
    """Rows of text under a header.

    Parameters
    ----------
    label : str
        How to call it in a message: the file as the caller named it.
    sha256 : str
        Of the file's bytes.
    header : tuple of str
        Names of the columns.
    body : bytes or polars.DataFrame
        The file, or the rows of a table that came as a data frame.
    separator : str
        Between the fields of the file.
    quoting : bool
        Whether a field may stand in quotes; a quote is a letter otherwise.
    headless : bool
        Whether the first line of the file is a row already, not the header.
    remarks : tuple of str
        What was taken for granted on the way.
    first_line : int
        The line of the file on which the body begins: more than 1 for a part of a file.
    heads : sequence of sequence of str
        Of a headless file, the columns that its rows may have, by their number.
    """

    label: str
    sha256: str
    header: tuple[str, ...]
    body: bytes | pl.DataFrame
    separator: str = ","
    quoting: bool = True
    headless: bool = False
    remarks: tuple[str, ...] = ()
    first_line: int = 1
    heads: Sequence[Sequence[str]] = ()

    @classmethod
    def without_rows(cls, path: str | Path, header: Sequence[str]) -> Self:
        """An empty file among others of a source whose files have no header."""
        label, digest = str(path), hashlib.sha256(Path(path).read_bytes()).hexdigest()
        remark = f"{Path(path).name}: the file is empty"
        body = pl.DataFrame(schema=dict.fromkeys(header, pl.String()))
        return cls(label, digest, tuple(header), body, headless=True, remarks=(remark,))

    def rows(self, columns: Collection[str] | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Read the rows of text, and list those that have not one field for each column.

        Parameters
        ----------
        columns : collection of str, optional
            Those of the header that are wanted; all, if not given.

        Returns
        -------
        rows : polars.DataFrame
            A column of text for each that is wanted, without blanks around it and null where
            nothing is left, and `LINE`, the line of the file on which the row starts (a header
            starts on line 1; a field in quotes may hold line breaks). Of a data frame, the number
            of the row plus one. Rows without any value are left out.
        misfits : polars.DataFrame
            In the columns of ``REJECTED``.

        Raises
        ------
        DataError
            If a column stands twice in the header, or a quote is never closed.
        """
        twice = {name for name in self.header if self.header.count(name) > 1}
        if twice:
            raise DataError(f"{self.label}: column {min(twice)!r} stands twice in the header")
        wanted = [name for name in self.header if columns is None or name in columns]
        if isinstance(self.body, pl.DataFrame):
            rows = self._filled(self.body.with_row_index(LINE, self.first_line + 1))
            misfits = pl.DataFrame(schema=REJECTED)
        elif (self.quoting and b'"' in self.body) or b"\n" not in self.body:
            rows, misfits = self._quoted(self.body)
        else:
            head = 0 if self.headless else self.body.index(b"\n") + 1
            first = self.first_line + (not self.headless)
            return unquoted_rows(
                self.body[head:], self.header, self.separator, wanted, first, LINE, self.heads
            )
        return stripped(rows.select(LINE, *wanted)), misfits

    def _quoted(self, body: bytes) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Read rows in which a field may stand in quotes, and hold separators and line breaks."""
        if self.quoting and body.count(b'"') % 2:  # one is a letter, or never closed
            return self._one_by_one(body)
        try:
            table = pl.read_csv(
                body,
                separator=self.separator,
                infer_schema=False,
                quote_char='"' if self.quoting else None,
                has_header=not self.headless,
                new_columns=self.header,
            )
        except (PolarsError, PanicException):
            return self._one_by_one(body)
        # Polars fills up short rows without a word, so count what stands between the fields.
        separator = self.separator.encode()
        held = _in_quotes(body, separator) if self.quoting else None
        inside = _count(table, self.separator).sum() if held is None else held.count(separator)
        between = (len(table) + (not self.headless)) * (len(self.header) - 1)
        head = sum(name.count(self.separator) for name in self.header)
        head = 0 if self.headless or held is not None else head
        if table.width != len(self.header) or body.count(separator) != inside + between + head:
            return self._one_by_one(body)
        head_breaks = sum(name.count("\n") for name in self.header)
        plain = held is not None and b"\n" not in held
        breaks = pl.zeros(len(table), pl.Int64, eager=True) if plain else _count(table, "\n")
        start = self.first_line
        start += 0 if self.headless else 1 + head_breaks
        lines = pl.int_range(len(table), eager=True) + start + breaks.cum_sum() - breaks
        return self._filled(table.with_columns(lines.alias(LINE))), pl.DataFrame(schema=REJECTED)

    def _filled(self, table: pl.DataFrame) -> pl.DataFrame:
        kept = table.select(LINE, *self.header)
        if any(not column.has_nulls() for column in kept if column.name != LINE):
            return kept
        return kept.filter(pl.any_horizontal(pl.col(*self.header).is_not_null()))

    def _one_by_one(self, raw: bytes) -> tuple[pl.DataFrame, pl.DataFrame]:
        text = io.StringIO(raw.decode("utf-8-sig"), newline="")
        reader = _reader(text, self.separator, self.quoting)
        rows: list[list[Any]] = []
        misfits: list[tuple[int, str, str, str]] = []
        line, width = self.first_line, len(self.header)
        try:
            for fields in reader:
                if len(fields) != width and any(fields):
                    column = self.header[min(len(fields), width) - 1]
                    reason = f"the row has {len(fields)} fields, the header {width}"
                    misfits.append((line, column, self.separator.join(fields)[:80], reason))
                elif any(fields):
                    rows.append([line, *fields])
                line = reader.line_num + self.first_line
        except csv.Error as fault:
            raise DataError(f"{self.label}: line {line}: {fault}") from None
        schema = {LINE: pl.Int64(), **dict.fromkeys(self.header, pl.String())}
        first = 0 if self.headless else 1
        table = pl.DataFrame(rows[first:], schema=schema, orient="row")
        return self._filled(table), pl.DataFrame(misfits, schema=REJECTED, orient="row")


def tagged(rows: pl.DataFrame) -> bool:
    """Whether the first of a sheet's rows holds HXL tags, and no incident."""
    first = [each for each in rows.drop(LINE).head(1).row(0) if each] if len(rows) else []
    return bool(first) and all(each.strip().startswith(TAG) for each in first)


def open_sheet(
    given: Any,
    layout: Layout | None = None,
    *,
    separators: str = SEPARATORS,
    quoting: bool = True,
    heads: Sequence[Sequence[str]] = (),
) -> Sheet:
    """Open a file of delimited text or of another format, or take a table.

    Delimited text, workbooks, Parquet and Arrow are told by a file's first bytes, not by its name;
    packed ones (.gz, .zip, .zst) are unpacked.

    Parameters
    ----------
    given : path, or polars, pandas or Arrow table
    layout : Layout
        What the file does not say.
    separators : str
        Those that may stand between fields.
    quoting : bool
        Whether a field may stand in quotes.
    heads : sequence of sequence of str
        For files without a header, the names of the columns by their number.

    Raises
    ------
    DataError
        If the file is missing, empty, damaged, or no table.
    """
    if not isinstance(given, str | Path):
        return _from_frame(given)
    layout, label = layout or Layout(), " ".join(str(given).splitlines())
    try:
        raw = Path(given).read_bytes()
    except FileNotFoundError:
        raise DataError(f"{label}: no such file") from None
    except IsADirectoryError:
        raise DataError(
            f"{label}: cannot be read: it is a directory; give its files, such as {label}/*.csv"
        ) from None
    except OSError as fault:
        raise DataError(f"{label}: cannot be read ({fault.strerror or fault})") from None
    digest = hashlib.sha256(raw).hexdigest()
    raw, kind = contents(label, raw)
    if kind != "text":
        table = frame(label, raw, kind, layout)
        return _from_frame(table, label, digest)
    return text_sheet(label, digest, raw, layout, separators, quoting, heads)


def text_sheet(
    label: str,
    digest: str,
    raw: bytes,
    layout: Layout,
    separators: str,
    quoting: bool,
    heads: Sequence[Sequence[str]],
) -> Sheet:
    """Find the header of delimited text; see `open_sheet`.

    Raises
    ------
    DataError
        If the file is empty, or not text.
    """
    raw = as_utf8(label, raw, layout).rstrip(b"\r\n")
    if not raw.strip():
        raise EmptyFileError(f"{label}: the file is empty, it has no columns")
    text = raw[: 4 * HEAD].decode(errors="ignore")
    first = text[:HEAD].split("\n", 1)[0]
    separator = layout.separator or max(separators, key=first.count)
    try:
        header = next(_reader(io.StringIO(text[:HEAD], newline=""), separator, quoting))
    except csv.Error as fault:
        raise DataError(f"{label}: line 1, the names of the columns: {fault}") from None
    if not any(cell.strip() for cell in header):
        raise DataError(f"{label}: the first line is empty, it has no columns")
    head = _head(header, heads)
    return Sheet(
        label, digest, tuple(head or header), raw, separator, quoting, bool(head),
        heads=heads if head else (),
    )  # fmt: skip


def _head(first: Sequence[str], heads: Sequence[Sequence[str]]) -> Sequence[str] | None:
    """The names of the columns of a file whose first row is no header, None if it is one."""
    if any({*first} >= {*each} for each in heads):
        return None
    return next((each for each in heads if len(each) == len(first)), None)


def _reader(text: io.StringIO, separator: str, quoting: bool) -> Any:
    if quoting:
        return csv.reader(text, delimiter=separator, strict=True)
    return csv.reader(text, delimiter=separator, quoting=csv.QUOTE_NONE)


def _from_frame(given: Any, label: str = "the table", digest: str = "") -> Sheet:
    if not isinstance(given, pl.DataFrame) and not hasattr(given, "__arrow_c_stream__"):
        raise DataError(
            f"incidents come as a path or as a polars, pandas or Arrow table, got "
            f"{type(given).__name__}"
        )
    table = pl.DataFrame(given)
    if not table.width:
        raise DataError(f"{label}: the table is empty, it has no columns")
    plain = [name for name, kind in table.schema.items() if not kind.is_nested()]
    text = table.select(_plain(table[name]).cast(pl.String, strict=False) for name in plain)
    digest = digest or hashlib.sha256(text.write_csv().encode()).hexdigest()
    return Sheet(label, digest, tuple(plain), text)


def _plain(column: pl.Series) -> pl.Series:
    """Values whose text is that of a file.

    Whole numbers that came as fractions, as pandas has them where some are missing, lose the
    point; times of a zone are those of its clocks.
    """
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.replace_time_zone(None)
    if not column.dtype.is_float():
        return column
    known = column.fill_nan(None)
    whole = known.is_finite() & (known == known.floor()) & (known.abs() < 2**53)
    return known.cast(pl.Int64) if whole.all() else column


def _in_quotes(body: bytes, separator: bytes) -> bytes | None:
    """All that stands in quotes; None if quotes are many, or one stands inside a field."""
    if body.count(b'"') > FEW:
        return None
    pieces = body.split(b'"')
    before, after = (separator, b"\n"), (separator, b"\n", b"\r")
    opened = all(not piece or piece.endswith(before) for piece in pieces[:-1:2])
    closed = all(not piece or piece.startswith(after) for piece in pieces[2::2])
    return b"".join(pieces[1::2]) if len(pieces) % 2 and opened and closed else None


def _count(table: pl.DataFrame, mark: str) -> pl.Series:
    counts = pl.all().str.count_matches(mark, literal=True).fill_null(0)
    return table.select(pl.sum_horizontal(counts).cast(pl.Int64)).to_series()
