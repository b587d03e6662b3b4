"""Columns found by their names, where case and blanks around a name do not count."""

from collections.abc import Sequence
from functools import lru_cache

from escalation.sources.faults import DataError


def found_name(label: str, header: tuple[str, ...], names: Sequence[str]) -> str | None:
    """The column of a file that has one of these names, as the file writes it.

    A name that is written exactly so goes first; else one that differs in case, or in blanks.

    Parameters
    ----------
    label : str
        How to call the file in a message.
    header : tuple of str
        The names of all columns.
    names : sequence of str
        Those that one column may have, the preferred first.

    Returns
    -------
    str or None
        None if no column has such a name.

    Raises
    ------
    DataError
        If two columns differ in blanks alone, or two in case where none is written as wanted.

    Examples
    --------
    >>> found_name("own.csv", (" Date ", "place"), ["day", "date"])
    ' Date '
    """
    twins, alike = _by_key(header)
    if twins:
        raise DataError(f"{label}: columns {_listed(twins)} have one name but for blanks")
    for name in names:
        if name in header:
            return name
    for name in names:
        found = alike.get(_key(name), [])
        if len(found) > 1:
            raise DataError(f"{label}: column {name!r} may be {_listed(found, 'or')}: rename one")
        if found:
            return found[0]
    return None


def _key(name: str) -> str:
    return _plain(name).casefold()


def _plain(name: str) -> str:
    return " ".join(name.split())


def _listed(names: Sequence[str], word: str = "and") -> str:
    return f" {word} ".join(map(repr, names))


@lru_cache(maxsize=64)
def _by_key(header: tuple[str, ...]) -> tuple[list[str], dict[str, list[str]]]:
    """The first names that differ in blanks alone, if any, and all names by what counts of them."""
    plain: dict[str, str] = {}
    alike: dict[str, list[str]] = {}
    twins: list[str] = []
    for name in dict.fromkeys(header):
        if not name.strip():
            continue
        before = plain.setdefault(_plain(name), name)
        if before != name and not twins:
            twins = [before, name]
        alike.setdefault(_key(name), []).append(name)
    return twins, alike
