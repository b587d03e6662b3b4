"""What is odd in a row that can be read: for the coder to look at again."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from escalation.actors import folded, near_duplicates
from escalation.codes import CAMEO, DISPUTED, INCIDENT_CLASSES, PLOVER, Code, common_class
from escalation.coding.reading import Coding

Row = dict[str, Any]

LONG = timedelta(days=31)
"""A span of days above which a row likely sums up several events."""


class Doubt(NamedTuple):
    """A cell that is odd, and why."""

    line: int
    column: str
    value: str
    reason: str


def doubts(coding: Coding) -> list[Doubt]:
    """List what is odd, in the order of the lines."""
    rows = coding.rows.to_dicts()
    found = [Doubt(row["line"], *each) for row in rows for each in _of_row(row)]
    return sorted([*found, *_twice(rows), *_spellings(rows)])


def _of_row(row: Row) -> Iterator[tuple[str, str, str]]:
    for part in (_of_code, _of_author, _of_place, _of_days):
        for column, reason in part(row):
            yield column, row[column] or "", reason


def _of_code(row: Row) -> Iterator[tuple[str, str]]:
    code = CAMEO.get(row["code"] or "")
    if code is None:
        return
    if len(code.code) == 2 and f"0{code.code}" in CAMEO:
        yield "code", f"{code.name.capitalize()}; or a spreadsheet dropped the zero of 0{code.code}"
    yield from _of_plover(code, row)
    word = row["incident_class"] or ""
    if folded(word) in INCIDENT_CLASSES and common_class(word) != code.incident_class:
        yield "incident_class", f"CAMEO {code.code} is of the class {code.incident_class!r}"
    if code.quad in (1, 3) and (row["deaths_best taken"] or 0) > 0:
        yield "deaths_best", f"deaths in an act of words (CAMEO {code.code}, {code.name})"


def _of_plover(code: Code, row: Row) -> Iterator[tuple[str, str]]:
    event, mode = PLOVER.get(row["plover"] or ""), (row["plover_mode"] or "").casefold()
    if event is None:
        return
    if code.plover is None:
        yield "plover", f"PLOVER has no event for CAMEO {code.code} ({code.name})"
        return
    wanted, its_mode, _ = code.plover
    if event.code != wanted:
        if event.incident_class != code.incident_class:
            yield "plover", f"does not go with CAMEO {code.code}, which is {wanted} in PLOVER"
    elif mode and its_mode and mode != its_mode:
        # Later lists of modes tell apart more than the conversion of 2021.
        other = PLOVER.get(f"{wanted}/{mode}")
        if other is None or other.incident_class != code.incident_class:
            yield "plover_mode", f"does not go with CAMEO {code.code}, whose mode is {its_mode}"


def _of_author(row: Row) -> Iterator[tuple[str, str]]:
    disputed = row["certainty"] in DISPUTED
    if disputed and not row["claimed_by"]:
        yield "claimed_by", f"who says so is missing, though it is {row['certainty']}"
    elif disputed and folded(row["claimed_by"]) == folded(row["source"] or ""):
        yield "claimed_by", f"the source says so itself: then it is not {row['certainty']}"
    if not disputed and row["claimed_by"]:
        yield "claimed_by", f"somebody claims it, though it is {row['certainty']}"
    if row["source"] and row["target"] and folded(row["source"]) == folded(row["target"]):
        yield "target", "is the source too"


def _of_place(row: Row) -> Iterator[tuple[str, str]]:
    precision = row["place_precision"]
    for word, column in (("place", "place"), ("province", "province"), ("country", "country")):
        if precision == word and not row[column]:
            yield "place_precision", f"the {column} is blank"
    if (row["latitude"] is None) != (row["longitude"] is None):
        yield "latitude", "latitude and longitude go together"


def _of_days(row: Row) -> Iterator[tuple[str, str]]:
    first, last = row["date taken"], row["date_latest taken"]
    if first and last and last - first > LONG and row["clarity taken"] in (None, 1):
        yield "date_latest", f"spans {(last - first).days + 1} days; one event, or a sum of several"
    if first and row["reported_on taken"] and row["reported_on taken"] < first:
        yield "reported_on", "was reported before it happened"


def _twice(rows: list[Row]) -> Iterator[Doubt]:
    """Rows alike in day, actors, place and kind of act."""
    alike: dict[tuple[Any, ...], list[Row]] = {}
    names = ("source", "target", "country", "province", "place")
    for row in rows:
        code = (row["code"] or row["incident_class"] or "")[:2]
        words = (folded(row[name] or "") for name in names)
        key = (row["date taken"], row["date_latest taken"], code, *words)
        alike.setdefault(key, []).append(row)
    for first, *later in alike.values():
        reason = f"same days, actors, place and kind of act as line {first['line']}"
        yield from (Doubt(row["line"], "id", row["id"] or "", reason) for row in later)


def _spellings(rows: list[Row]) -> Iterator[Doubt]:
    """Names of actors that may mean one actor; told where the rarer one first stands."""
    shown: dict[str, str] = {}
    places: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        for column in ("source", "target", "claimed_by"):
            if row[column]:
                name = shown.setdefault(folded(row[column]), row[column])
                places.setdefault(name, []).append((row["line"], column))
    for name, other, _, why in near_duplicates(places).rows():
        rare, known = sorted((name, other), key=lambda each: len(places[each]))
        yield Doubt(*places[rare][0], rare, f"may be {known!r} under another name ({why})")
