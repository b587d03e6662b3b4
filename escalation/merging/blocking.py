"""Pairs of records of two sources that are near in time and space, without comparing all."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from escalation.actors import folded
from escalation.cleaning.geometry import arc, geocentric
from escalation.window import FloatArray, IntArray

CHUNK = 20_000
"""Records of the second source that are looked up at once: it bounds the memory."""

PRIMES = np.array([1, 73_856_093, 19_349_663, 83_492_791], np.int64)
"""Factors that make one number of a cell in time and space; chance collisions are filtered."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of records within the limits of days and distance.

    Parameters
    ----------
    first, second : array of int64, shape (n,)
        Rows of the two tables.
    apart : array of int64, shape (n,)
        Days between the two spans of dates; 0 where they share a day.
    kilometres : array of float, shape (n,)
        NaN where one of the two has no coordinates; both then name the same place.
    """

    first: IntArray
    second: IntArray
    apart: IntArray
    kilometres: FloatArray


def near_pairs(first: pl.DataFrame, second: pl.DataFrame, days: int, kilometres: float) -> Pairs:
    """Find every pair of records no more days and km apart.

    Records fall into cells of time and space; only those in touching cells are compared. Where
    one of the two has no coordinates, both must name the same country and place instead.
    """
    one, other = _Records(first), _Records(second)
    found = [
        pairs
        for part in _parts(len(second))
        for pairs in (
            _by_cells(one, other, part, days, kilometres),
            _by_names(one, other, part, days),
        )
    ]
    stacked = Pairs(*(
        np.concatenate([getattr(pairs, name) for pairs in found])
        for name in ("first", "second", "apart", "kilometres")
    ))  # fmt: skip
    order = np.lexsort((stacked.second, stacked.first))
    return Pairs(*(getattr(stacked, name)[order] for name in stacked.__dataclass_fields__))


class _Records:
    """What is compared of a table of incidents: days since 1970, and points in space."""

    def __init__(self, table: pl.DataFrame) -> None:
        self.day = _days(table["date"])
        self.last = _days(table["date_latest"])
        degrees = (table[name].to_numpy().astype(float) for name in ("longitude", "latitude"))
        self.point = geocentric(*degrees)
        self.placed = np.isfinite(self.point).all(axis=1)
        named = table.select(
            pl.when(pl.col("place").is_not_null()).then(
                pl.concat_str(pl.col("country").fill_null(""), "place", separator="\n")
            )
        ).to_series()
        known = named.unique().drop_nulls()
        self.name = named.replace_strict(
            known, [folded(each) for each in known], default=None, return_dtype=pl.String
        )


def _days(dates: pl.Series) -> IntArray:
    return np.asarray(dates.to_physical().to_numpy(), np.int64)


def _parts(size: int) -> Iterator[slice]:
    for start in range(0, max(size, 1), CHUNK):
        yield slice(start, min(start + CHUNK, size))


def _by_cells(one: _Records, other: _Records, part: slice, days: int, kilometres: float) -> Pairs:
    """Pairs with coordinates.

    A cell is 2 days + 1 long and twice the distance wide: a record of the second source reaches
    two cells a direction at most.
    """
    wide, long = 2 * kilometres, 2 * days + 1
    mine = np.flatnonzero(one.placed)
    theirs = np.arange(part.start, part.stop)[other.placed[part]]
    cell = np.floor(one.point[mine] / wide).astype(np.int64)
    row, time = _spread(one.day[mine] // long, one.last[mine] // long)
    left = pl.DataFrame({"key": _key(time, cell[row]), "first": mine[row]})
    point = other.point[theirs]
    low = np.floor((point - kilometres) / wide).astype(np.int64)
    high = np.floor((point + kilometres) / wide).astype(np.int64)
    row, time = _spread((other.day[theirs] - days) // long, (other.last[theirs] + days) // long)
    corners = []
    for choice in np.ndindex(2, 2, 2):
        upper = np.array(choice, bool)
        touched = ~(upper & (low == high)).any(axis=1)[row]
        corner = np.where(upper, high, low)[row[touched]]
        keys = {"key": _key(time[touched], corner), "second": theirs[row[touched]]}
        corners.append(pl.DataFrame(keys))
    joined = left.join(pl.concat(corners), on="key").select("first", "second").unique()
    return _within(one, other, joined, days, kilometres)


def _by_names(one: _Records, other: _Records, part: slice, days: int) -> Pairs:
    """Pairs of which at least one has no coordinates, by the name of the place."""
    long, frames = 2 * days + 1, []
    whole = np.arange(len(one.day))
    for records, rows, reach in ((one, whole, 0), (other, np.arange(part.start, part.stop), days)):
        named = rows[records.name[rows].is_not_null().to_numpy()]
        at, time = _spread(
            (records.day[named] - reach) // long, (records.last[named] + reach) // long
        )
        row = named[at]
        columns = {"row": row, "time": time, "placed": records.placed[row]}
        frames.append(pl.DataFrame(columns).with_columns(records.name[row].alias("name")))
    left, right = frames
    bare = pl.concat(
        some.join(others, on=["name", "time"], suffix=" second")
        for some, others in (
            (left.filter(~pl.col("placed")), right),
            (left.filter("placed"), right.filter(~pl.col("placed"))),
        )
    )
    joined = bare.select(first="row", second="row second").unique()
    return _within(one, other, joined, days, np.inf)


def _spread(low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
    """Rows, and each of their whole numbers from low to high."""
    number = high - low + 1
    row = np.repeat(np.arange(len(low)), number)
    place = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    return row, low[row] + place


def _key(time: IntArray, cell: IntArray) -> IntArray:
    with np.errstate(over="ignore"):
        return np.asarray(time * PRIMES[0] * 1_000_003 + cell @ PRIMES[1:], np.int64)


def _within(
    one: _Records, other: _Records, joined: pl.DataFrame, days: int, kilometres: float
) -> Pairs:
    first, second = (joined[name].to_numpy() for name in ("first", "second"))
    gap = np.maximum(one.day[first] - other.last[second], other.day[second] - one.last[first])
    chosen = np.flatnonzero(np.maximum(gap, 0) <= days)
    first, second, gap = first[chosen], second[chosen], np.maximum(gap[chosen], 0)
    distance = arc(np.linalg.norm(one.point[first] - other.point[second], axis=1))
    near = np.isnan(distance) | (distance <= kilometres)
    return Pairs(first[near], second[near], gap[near], distance[near])
