"""Tables of other formats than text: workbooks, Parquet, Arrow."""

import io

import polars as pl
from polars.exceptions import PanicException, PolarsError

from escalation.sources.faults import DataError
from escalation.sources.files import LARGEST, Kind, unpacked_size
from escalation.sources.layout import Layout

CELLS = 2_000_000_000
"""How many cells a Parquet or Arrow file may hold: a small file of equal values could hold any."""


def frame(label: str, raw: bytes, kind: Kind, layout: Layout) -> pl.DataFrame:
    """Read a table of another format.

    Raises
    ------
    DataError
        If it is damaged, or a workbook of several sheets of which none is chosen.
    """
    if kind == "workbook":
        return _workbook(label, raw, layout)
    try:
        lazy = pl.scan_parquet(io.BytesIO(raw)) if kind == "parquet" else _arrow(raw)
        width = len(lazy.collect_schema())
        if lazy.select(pl.len()).collect().item() * width > CELLS:
            raise DataError(f"{label}: holds more than {CELLS:,} cells")
        return lazy.collect()
    except (PolarsError, PanicException, OSError) as fault:
        words = " ".join(str(fault).split())
        raise DataError(f"{label}: a damaged file of {kind}: {words[:200]}") from None


def _arrow(raw: bytes) -> pl.LazyFrame:
    read = pl.read_ipc if raw.startswith(b"ARROW1") else pl.read_ipc_stream
    return read(io.BytesIO(raw)).lazy()


def _workbook(label: str, raw: bytes, layout: Layout) -> pl.DataFrame:
    """Cells of a sheet as text: the values of formulas, days as ISO 8601 writes them."""
    import fastexcel

    if unpacked_size(raw) > LARGEST:
        raise DataError(f"{label}: unpacks to more than a table of incidents could")
    try:
        book = fastexcel.read_excel(raw)
        name = _sheet(label, book.sheet_names, layout.sheet)
        cells = pl.DataFrame(book.load_sheet(name, header_row=None, skip_rows=0, dtypes="string"))
    except (fastexcel.FastExcelError, PanicException) as fault:
        words = " ".join(str(fault).split())
        raise DataError(f"{label}: a workbook that cannot be read: {words[:200]}") from None
    header = cells.row(0) if len(cells) else ()
    if not any(header):
        raise DataError(f"{label}: the first row is empty, it has no columns")
    named = {cells.columns[place]: name for place, name in enumerate(header) if name}
    twice = {name for name in named.values() if list(named.values()).count(name) > 1}
    if twice:
        raise DataError(f"{label}: column {min(twice)!r} stands twice in the header")
    return cells.slice(1).select(*named).rename(named)


def _sheet(label: str, names: list[str], wanted: str) -> str:
    if wanted:
        if wanted not in names:
            raise DataError(f"{label}: no sheet {wanted!r}; it has {', '.join(map(repr, names))}")
        return wanted
    if len(names) != 1:
        raise DataError(
            f"{label}: has {len(names)} sheets, say which is meant: "
            f"{', '.join(map(repr, names[:8]))}"
        )
    return names[0]
