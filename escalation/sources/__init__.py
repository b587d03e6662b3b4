"""Providers of coded incidents, one a file."""

from collections.abc import Mapping
from typing import Any

from escalation.incidents import Incidents
from escalation.sources.base import DataError, RowError, Source
from escalation.sources.delimited import open_sheet
from escalation.sources.table import Table
from escalation.sources.ucdp import UcdpGed
from escalation.window import Window

__all__ = ["SOURCES", "DataError", "RowError", "Source", "Table", "UcdpGed", "guess", "read"]

SOURCES: dict[str, type[Source]] = {"table": Table, "ucdp": UcdpGed}
"""The sources by the word that a study file uses."""


def read(
    path_or_frame: Any,
    window: Window | None = None,
    source: str = "table",
    columns: Mapping[str, str] | None = None,
    strict: bool = False,
) -> Incidents:
    """Read the incidents inside the window from a file of a named source.

    Parameters
    ----------
    path_or_frame : path, or polars, pandas or Arrow table
    window : Window
        What was watched: it must be said, the last incident is not the end of the watch.
    source : {"table", "ucdp"}
    columns : mapping, optional
        Only for "table": our column = the column in the file.
    strict : bool
        Whether the first row with a fault is an error.

    Raises
    ------
    DataError
        See ``Source.read``.
    ValueError
        If the window is not given, or the source is unknown.
    """
    if window is None:
        raise ValueError("say what was watched: a Window with its start, its end and its gaps")
    if source not in SOURCES:
        raise ValueError(f"source must be one of {', '.join(SOURCES)}, got {source!r}")
    if columns and source != "table":
        raise ValueError(f"a map of columns goes with source 'table', not with {source!r}")
    reader = Table(columns or {}) if source == "table" else SOURCES[source]()
    return reader.read(path_or_frame, window, strict=strict)


def guess(path_or_frame: Any) -> tuple[str, str, dict[str, str] | None]:
    """Tell by its columns which source a file is of.

    Returns
    -------
    source : str
        A key of ``SOURCES``.
    why : str
        In words.
    columns : dict or None
        The map of columns that ``read`` wants, if any.

    Raises
    ------
    DataError
        If it cannot be read, or is of none of the sources.
    """
    sheet = open_sheet(path_or_frame)
    header = set(sheet.header)
    found = {
        word: [name for names in kind.columns.values() for name in names if name in header]
        for word, kind in SOURCES.items()
    }
    word = max(SOURCES, key=lambda word: (len(found[word]) / len(SOURCES[word].columns), word))
    if len(found[word]) <= len(SOURCES[word].columns) / 2:
        raise DataError(
            f"{sheet.label}: of no known source ({', '.join(SOURCES)}); "
            f"its first column is {sheet.header[0][:40]!r}"
        )
    columns = ", ".join(found[word][:4])
    return word, f"it has the columns {columns}{'' if len(found[word]) < 5 else ', ...'}", None
