"""Providers of coded incidents, one a file."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

from escalation.incidents import Incidents
from escalation.sources.acled import Acled
from escalation.sources.base import DataError, RowError, Source
from escalation.sources.gdelt import Gdelt
from escalation.sources.gtd import Gtd
from escalation.sources.guessing import guessed
from escalation.sources.icews import Icews
from escalation.sources.layout import Layout
from escalation.sources.likeness import SOURCES
from escalation.sources.polecat import Polecat
from escalation.sources.table import Table
from escalation.sources.ucdp import UcdpGed
from escalation.window import Window

__all__ = [
    "SOURCES",
    "Acled",
    "DataError",
    "Gdelt",
    "Gtd",
    "Icews",
    "Layout",
    "Polecat",
    "RowError",
    "Source",
    "Table",
    "UcdpGed",
    "guess",
    "options_of",
    "read",
    "source_of",
]

SOURCES.update(
    table=Table,
    ucdp=UcdpGed,
    acled=Acled,
    gdelt=Gdelt,
    icews=Icews,
    polecat=Polecat,
    gtd=Gtd,
)


def read(
    given: Any,
    window: Window | None = None,
    source: str | Source = "table",
    columns: Mapping[str, str] | None = None,
    strict: bool = False,
    *,
    options: Mapping[str, Any] | None = None,
    encoding: str = "",
    separator: str = "",
    decimal: str = ".",
    dates: str = "",
    sheet: str = "",
) -> Incidents:
    """Read the incidents inside the window from files of a named source.

    Parameters
    ----------
    given : path, or polars, pandas or Arrow table, or a sequence of these
        Text, a workbook, Parquet or Arrow, packed or not; a path may be a pattern
        (``"events/*.csv"``).
    window : Window
        What was watched: it must be said, the last incident is not the end of the watch.
    source : str or Source
        A key of ``SOURCES``, or a source of one's own.
    columns : mapping, optional
        Only for "table": our column = the column in the file.
    strict : bool
        Whether the first row with a fault is an error.
    options : mapping, optional
        What else the source can be told, such as ``root_only`` for "gdelt".
    encoding, separator, decimal, dates, sheet : str
        What a file does not say of itself, see `Layout`.

    Raises
    ------
    DataError
        See ``Source.read``.
    ValueError
        If the window is not given, or the source or an option is unknown.
    """
    if window is None:
        raise ValueError("say what was watched: a Window with its start, its end and its gaps")
    layout = Layout(encoding, separator, decimal, dates, sheet)
    if isinstance(source, Source):
        if columns or options:
            raise ValueError("columns and options go with the name of a source")
        return source.read(given, window, strict=strict, layout=layout)
    reader = source_of(source, columns or {}, options or {})
    return reader.read(given, window, strict=strict, layout=layout)


def source_of(word: str, columns: Mapping[str, str], options: Mapping[str, Any]) -> Source:
    """Make a source of its name.

    Raises
    ------
    ValueError
        If there is none of this name, or it cannot be told one of the options.
    """
    if word not in SOURCES:
        raise ValueError(f"source must be one of {', '.join(SOURCES)}, got {word!r}")
    if columns and word != "table":
        raise ValueError(f"a map of columns goes with source 'table', not with {word!r}")
    known = options_of(word)
    for name in options:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise ValueError(f"source {word!r} has no option {name!r}; it has {listed}")
    return Table(columns) if word == "table" else SOURCES[word](**options)


def options_of(word: str) -> tuple[str, ...]:
    """What the source of that name can be told, besides what all are."""
    kind = SOURCES[word]
    return () if kind is Table else tuple(each.name for each in fields(cast(Any, kind)))


def guess(given: Any, layout: Layout | None = None) -> tuple[str, str]:
    """Tell by its columns which source a file, or each of several, is of.

    Parameters
    ----------
    given : path, or polars, pandas or Arrow table, or a sequence of these
    layout : Layout, optional
        What a file does not say of itself.

    Returns
    -------
    source : str
        A key of ``SOURCES``.
    why : str
        In words.

    Raises
    ------
    DataError
        If a file cannot be read, is of none of the sources, or of another than the first.
    """
    return guessed(given, SOURCES, layout)
