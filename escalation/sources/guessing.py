"""Which source a file is of, by its columns."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from escalation.sources.base import Source
from escalation.sources.delimited import Sheet, open_sheet
from escalation.sources.faults import DataError, EmptyFileError
from escalation.sources.layout import Layout
from escalation.sources.likeness import WRITTEN_DAY, likeliest
from escalation.sources.stack import each_file

SHOWN = 12
"""How many columns of a file of no known source are named."""


def guessed(
    given: Any, kinds: Mapping[str, type[Source]], layout: Layout | None = None
) -> tuple[str, str]:
    """Tell which source a file, or each of several, is of.

    It is the source most of whose required columns stand in the header, and more than half of
    them; of two such, the one of whose columns, required or not, more are there. A file without
    a header is told by the number of its fields, if what then is the date can be read as one.

    Returns
    -------
    word : str
        A key of ``kinds``.
    why : str
        In words.

    Raises
    ------
    DataError
        If a file cannot be read, is of none of the sources, or of another than the first.
    """
    found, files = [], each_file(given)
    for each in files:
        try:
            found.append((each, _one(each, kinds, layout)))
        except EmptyFileError:
            if each is files[-1] and not found:
                raise
    first, (word, why) = found[0]
    for each, (other, _) in found[1:]:
        if other != word:
            raise DataError(f"{each}: is of source {other!r}, but {first} of {word!r}")
    return word, why


def _one(given: Any, kinds: Mapping[str, type[Source]], layout: Layout | None) -> tuple[str, str]:
    try:
        sheet: Sheet | None = open_sheet(given, layout)
    except DataError as fault:
        # Quotes that are letters break a line only for those who take them for quotes.
        if not any(kind.heads for kind in kinds.values()) or "line 1" not in str(fault):
            raise
        sheet, told = None, fault
    if sheet is not None:
        like = likeliest(sheet, kinds)
        if like.share > 1 / 2:
            counted = f"{like.known} of the {like.every} columns that are read"
            return like.word, f"it has {counted}: {like.told}"
    for word, kind in kinds.items():
        if kind.heads and (headless := _headless(given, kind, layout)) is not None:
            return word, (
                f"it has no header and {len(headless.header)} fields a line, as "
                f"{kind.name} has, with a date where it has one"
            )
    if sheet is None:
        raise told
    shown = ", ".join(repr(name[:40]) for name in sheet.header[:SHOWN])
    more = ", ..." if len(sheet.header) > SHOWN else ""
    raise DataError(
        f"{sheet.label}: of no known source ({', '.join(kinds)}), its columns are {shown}{more}; "
        "any other table is read by a map of its columns, [data.columns] in a study file, "
        "--columns date=...,source=...,target=... of inspect"
    )


def _headless(given: Any, kind: type[Source], layout: Layout | None) -> Sheet | None:
    """The file under the source's names of columns, None if it cannot be of that source."""
    try:
        sheet = kind().opened(given, layout)
        if not sheet.headless:
            return None
        name = kind().matched(sheet)["date"]
    except DataError:
        return None
    rows, _ = sheet.rows({name})
    text = rows.head(1).select(pl.col(name).alias("date"))
    return sheet if text["date"].str.contains(WRITTEN_DAY).all() else None
