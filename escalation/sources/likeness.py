"""Which provider's files a file is like, by its columns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from escalation.sources.delimited import SEPARATORS, Sheet
from escalation.sources.stack import found_in

if TYPE_CHECKING:
    from escalation.sources.base import Source

SOURCES: dict[str, "type[Source]"] = {}
"""The sources by the word that a study file uses; `escalation.sources` fills it."""

NAMED = 4
"""How many of the columns that tell are named."""

WRITTEN_DAY = r"^\d{8}$|^\d{4}-\d{2}-\d{2}"
"""How the date begins in files without a header."""


@dataclass(frozen=True)
class Likeness:
    """How far the columns of a file are those of a source.

    Attributes
    ----------
    word, name : str
        Of the source, in a study file and in words.
    share : float
        Of the columns that its files must have.
    known, every : int
        How many of all columns that are read are there, and how many there could be.
    told : str
        Some of those that must be there, in words.
    """

    word: str
    name: str
    share: float
    known: int
    every: int
    told: str


def likeness(sheet: Sheet, word: str, kind: "type[Source]") -> Likeness:
    """How far a file is of a source."""
    required = found_in(sheet, kind.columns)
    others = [found_in(sheet, columns) for columns in (kind.more, kind.used)]
    names = [*required.values()]
    return Likeness(
        word,
        kind.name,
        share=len(required) / len(kind.columns),
        known=len(required) + sum(map(len, others)),
        every=sum(map(len, (kind.columns, kind.more, kind.used))),
        told=", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else ""),
    )


def likeliest(sheet: Sheet, kinds: Mapping[str, "type[Source]"]) -> Likeness:
    """The source that most of the columns speak for."""
    found = [likeness(sheet, word, kind) for word, kind in kinds.items()]
    return max(found, key=lambda each: (each.share, each.known, each.word))


def provider_of(sheet: Sheet) -> Likeness | None:
    """The provider of a file, by more than half of the columns that its files must have.

    A file without a header is told by the number of its fields, and a date where it has one.

    Returns
    -------
    Likeness or None
        None if it is like no provider's.
    """
    sheet = _split(sheet)
    kinds = {word: kind for word, kind in SOURCES.items() if word != "table"}
    for word, kind in kinds.items():
        if _is_row_of(kind, sheet.header):
            fields = len(sheet.header)
            told = f"no header and {fields} fields a line, with a date where {kind.name} has one"
            return Likeness(word, kind.name, 1.0, fields, fields, told)
    found = likeliest(sheet, kinds)
    return found if found.share > 1 / 2 else None


def hint(sheet: Sheet, kind: "type[Source]") -> str:
    """Say which other provider's a file looks like than was said; "" if none, or less so."""
    found = provider_of(sheet)
    if found is None or issubclass(kind, SOURCES[found.word]):
        return ""
    if found.share <= likeness(sheet, "", kind).share:
        return ""
    return f'it looks like {found.name} (it has {found.told}): say source = "{found.word}"'


def _split(sheet: Sheet) -> Sheet:
    """The sheet, its header split where the source that was said knows no such separator."""
    if len(sheet.header) != 1:
        return sheet
    separator = max(SEPARATORS, key=sheet.header[0].count)
    return replace(sheet, header=tuple(sheet.header[0].replace('"', "").split(separator)))


def _is_row_of(kind: "type[Source]", header: tuple[str, ...]) -> bool:
    """Whether what is taken for a header is a row of a source whose files have none."""
    names = next((each for each in kind.heads if len(each) == len(header)), None)
    if names is None:
        return False
    days = [header[names.index(name)] for name in kind.columns["date"] if name in names]
    return any(re.match(WRITTEN_DAY, day.strip()) for day in days)
