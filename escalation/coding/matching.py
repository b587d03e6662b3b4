"""Which rows of two codings are of the same incident."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from escalation.actors import folded
from escalation.coding.reading import Coding

Row = dict[str, Any]

WORDS = ("source", "target", "country", "province", "place", "code", "incident_class")
"""The columns of words in which two rows may be alike."""


class Match(NamedTuple):
    """Two rows, by their number in each coding, and why they are taken for one incident."""

    first: int
    second: int
    why: str


@dataclass(frozen=True)
class Rule:
    """How rows of two codings are matched.

    Parameters
    ----------
    by : {"id", "content"}
    days : int
        How far apart the spans of days may lie, by content.
    """

    by: Literal["id", "content"]
    days: int

    def __str__(self) -> str:
        if self.by == "id":
            return "by id"
        return (
            f"by content: days at most {self.days} apart and one actor in common at least; among "
            "those the assignment with most actors, places and days in common, and the kind of "
            "act where that leaves a choice"
        )


def matched_rows(first: Coding, second: Coding, rule: Rule) -> list[Match]:
    """Match each row to one of the other coding at most, in the order of the first."""
    if rule.by == "id":
        places = {row: place for place, row in enumerate(second.rows["id"])}
        return [
            Match(place, places[row], "same id")
            for place, row in enumerate(first.rows["id"])
            if row in places
        ]
    return sorted(_assigned(comparable(first), comparable(second), rule.days))


def alike_ids(first: Coding, second: Coding) -> bool:
    """Whether at least half of the ids of the shorter coding stand in the other one."""
    if "id" not in first.header or "id" not in second.header:
        return False
    one, other = set(first.rows["id"]), set(second.rows["id"])
    return 2 * len(one & other) >= min(len(one), len(other)) > 0


def _assigned(one: list[Row], other: list[Row], days: int) -> Iterator[Match]:
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    near = ((a, b, likeness(one[a], other[b])) for a, b in _near(one, other, days))
    found = [each for each in near if each[2] is not None]
    if not found:
        return
    columns = np.array(found, dtype=np.float64).T
    a, b, worth = columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2]
    # Rows that no pair connects are assigned apart, which keeps the tables small.
    size = len(one) + len(other)
    graph = coo_array((np.ones(len(a)), (a, b + len(one))), shape=(size, size))
    label = connected_components(graph, directed=False)[1][a]
    order = np.argsort(label, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        rows, at = np.unique(a[part], return_inverse=True)
        others, beside = np.unique(b[part], return_inverse=True)
        table = np.zeros((len(rows), len(others)))
        table[at, beside] = worth[part]
        for row, column in zip(*linear_sum_assignment(table, maximize=True), strict=True):
            if table[row, column] > 0:
                first, second = int(rows[row]), int(others[column])
                yield Match(first, second, _why(one[first], other[second]))


def _near(one: list[Row], other: list[Row], days: int) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose days are not too far apart."""
    first, last = (
        np.array([row[name] for row in other], dtype="datetime64[D]")
        for name in ("date taken", "date_latest taken")
    )
    margin = np.timedelta64(days, "D")
    for place, row in enumerate(one):
        begin, end = np.datetime64(row["date taken"]), np.datetime64(row["date_latest taken"])
        near = (first <= end + margin) & (last >= begin - margin)
        yield from ((place, int(found)) for found in np.flatnonzero(near))


def comparable(coding: Coding) -> list[Row]:
    """The rows with the words that are compared, folded; "" where there are none."""
    rows = coding.rows.select("date taken", "date_latest taken", *WORDS).iter_rows(named=True)
    return [row | {name: folded(row[name] or "") for name in WORDS} for row in rows]


def likeness(a: Row, b: Row) -> float | None:
    """How much two rows have in common, a positive number; None if no actor."""
    actors = _actors(a, b)
    if actors == 0:
        return None
    place = sum(_same(a, b, name) for name in ("country", "province", "place"))
    code, root = _same(a, b, "code"), (a["code"] or "?")[:2] == b["code"][:2]
    kind = (code + root + _same(a, b, "incident_class")) / 4
    return float(100 * actors + 10 * place - min(_gap(a, b), 9) + kind)


def _actors(a: Row, b: Row) -> int:
    straight = _same(a, b, "source") + _same(a, b, "target")
    swapped = {a["source"], a["target"]} == {b["source"], b["target"]}
    return max(straight, int(swapped))


def _same(a: Row, b: Row, name: str) -> bool:
    return bool(a[name]) and bool(a[name] == b[name])


def _gap(a: Row, b: Row) -> int:
    """Days between the first days, and between the last ones, whichever is more."""
    return max(abs(int((a[name] - b[name]).days)) for name in ("date taken", "date_latest taken"))


def _why(a: Row, b: Row) -> str:
    """What two matched rows have in common, in words."""
    same = [name for name in ("source", "target", "country", "place", "code") if _same(a, b, name)]
    gap = _gap(a, b)
    words = "same days" if gap == 0 else f"{gap} day{'s' if gap > 1 else ''} apart"
    return f"{words}; same {_and(same)}" if same else words


def _and(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
