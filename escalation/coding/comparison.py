"""Two codings of the same texts beside each other: how far they agree, column by column."""

from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.agreement import (
    alpha_interval,
    cohen_kappa,
    kappa_interval,
    krippendorff_alpha,
)
from escalation.codes import CAMEO, QUADS
from escalation.coding.check import check_coding
from escalation.coding.columns import COLUMNS, Column
from escalation.coding.matching import Match, Rule, alike_ids, matched_rows
from escalation.coding.reading import Coding, open_coding
from escalation.incidents import SCHEMA
from escalation.sources import DataError

Objects = NDArray[np.object_]

COARSER = (
    Column("code: root", "The first two digits of the CAMEO code.", "", ""),
    Column("code: quad class", "The quad class of the CAMEO code.", "", ""),
)
"""What is read off the code, and compared after it."""


@dataclass(frozen=True, eq=False)
class CodingComparison:
    """How far two codings of the same texts agree.

    Parameters
    ----------
    first, second : str
        The two files.
    rule : str
        How their rows were matched.
    rows : tuple of int
        How many each has.
    matches : polars.DataFrame
        One row an incident: first, second (ids), line first, line second, why. A row that only
        one coder has stands there with nulls.
    table : polars.DataFrame
        One row a column, over the incidents that both have: column, level, both (incidents for
        which both gave a value), same (share of those with the same value), one only (incidents
        for which just one gave a value), kappa and alpha with the ends of their intervals. Kappa
        is linearly weighted for ordinal columns, and absent for numbers and dates. NaN: not
        defined, since there are no two different values.
    disagreements : polars.DataFrame
        Every cell of the matched incidents in which the two differ: first, second (ids), column,
        value first, value second.
    coverage : float
        Of the intervals.
    """

    first: str
    second: str
    rule: str
    rows: tuple[int, int]
    matches: pl.DataFrame
    table: pl.DataFrame
    disagreements: pl.DataFrame
    coverage: float

    @property
    def matched(self) -> int:
        """Incidents that both coders have."""
        return len(self.matches.drop_nulls(["line first", "line second"]))

    @property
    def unit_agreement(self) -> float:
        """Share of all rows that have a match in the other coding (Dice); NaN without any row."""
        return 2 * self.matched / sum(self.rows) if sum(self.rows) else float("nan")

    def shown(self) -> pl.DataFrame:
        """The table for reading: coefficients with their intervals as text, two decimals."""
        return self.table.select(
            "column",
            "level",
            "both",
            pl.col("same").map_elements(_decimals, pl.String).alias("same"),
            "one only",
            *(
                pl.struct(name, f"{name} low", f"{name} high")
                .map_elements(_with_interval, pl.String)
                .alias(name)
                for name in ("kappa", "alpha")
            ),
        )

    def __str__(self) -> str:
        return (
            f"{self.first} ({self.rows[0]:,} rows) and {self.second} ({self.rows[1]:,} rows): "
            f"{self.matched:,} incidents in both, {len(self.disagreements):,} cells differ"
        )

    def __repr__(self) -> str:
        return f"CodingComparison({self})"

    def _repr_html_(self) -> str:
        text = (
            f"<p><b>Two codings</b>: {escape(str(self))}</p>"
            f"<p><small>Matched {escape(self.rule)}. Intervals: {self.coverage:.0%}, "
            f"bootstrap over incidents.</small></p>{self.shown()._repr_html_()}"
        )
        for title, table in (("They differ in", self.disagreements), ("Matches", self.matches)):
            if len(table):
                text += f"<p>{title}:</p>{table._repr_html_()}"
        return text


def compare_codings(
    first: Any,
    second: Any,
    *,
    rng: np.random.Generator,
    by: Literal["id", "content"] | None = None,
    days: int = 3,
    draws: int = 2000,
    coverage: float = 0.95,
) -> CodingComparison:
    """Set two hand-coded files beside each other.

    A blank cell is a value that was not given, and counts as missing, not as a value of its own.

    Parameters
    ----------
    first, second : path, or polars, pandas or Arrow table
        In the columns of `write_coding_template`, without faults (`check_coding`).
    rng : numpy.random.Generator
        For the bootstrap.
    by : {"id", "content"}, optional
        How rows are matched. Without it by id, if at least half of the ids of the shorter file
        stand in the other, else by content: days, actors and place.
    days : int
        How far apart the days of one incident may lie, by content.
    draws, coverage
        As in ``escalation.agreement.alpha_interval``.

    Raises
    ------
    DataError
        If a file cannot be read, or has faults.

    Examples
    --------
    >>> import numpy as np
    >>> import polars as pl
    >>> a = pl.DataFrame({"id": ["1", "2", "3"], "date": ["2031-05-04", "2031-05-09", "2031-06-01"],
    ...                   "source": ["A", "B", "A"], "target": ["B", "A", "B"],
    ...                   "code": ["190", "195", "112"]})
    >>> b = a.with_columns(code=pl.Series(["190", "194", "112"]))
    >>> found = compare_codings(a, b, rng=np.random.default_rng(1), draws=100)
    >>> found.matched, found.disagreements.rows()
    (3, [('2', '2', 'code', '195', '194')])
    """
    if by not in (None, "id", "content"):
        raise ValueError(f"by must be 'id' or 'content', got {by!r}")
    if days < 0:
        raise ValueError(f"days must be at least 0, got {days}")
    one, other = _sound(first), _sound(second)
    rule = Rule(by or ("id" if alike_ids(one, other) else "content"), days)
    found = matched_rows(one, other, rule)
    table, differing = [], []
    for column, left, right in _columns(one, other, found):
        table.append(_agreement(column, left, right, rng, draws, coverage))
        if column not in COARSER:
            differing.extend(_differing(column.name, left, right, one, other, found))
    return CodingComparison(
        one.label,
        other.label,
        str(rule),
        (len(one), len(other)),
        _matches(one, other, found),
        pl.DataFrame(table, schema=TABLE, orient="row"),
        pl.DataFrame(differing, schema=DIFFERING, orient="row"),
        coverage,
    )


TABLE: dict[str, pl.DataType] = {
    "column": pl.String(),
    "level": pl.String(),
    "both": pl.Int64(),
    "same": pl.Float64(),
    "one only": pl.Int64(),
    "kappa": pl.Float64(),
    "kappa low": pl.Float64(),
    "kappa high": pl.Float64(),
    "alpha": pl.Float64(),
    "alpha low": pl.Float64(),
    "alpha high": pl.Float64(),
}

DIFFERING: dict[str, pl.DataType] = dict.fromkeys(
    ("first", "second", "column", "value first", "value second"), pl.String()
)

MATCHES: dict[str, pl.DataType] = {
    "first": pl.String(),
    "second": pl.String(),
    "line first": pl.Int64(),
    "line second": pl.Int64(),
    "why": pl.String(),
}


def _decimals(value: float) -> str:
    return "not defined" if np.isnan(value) else f"{value:.2f}"


def _with_interval(value: dict[str, float | None]) -> str:
    """A coefficient with its interval, as "0.87 (0.60 to 1.00)"."""
    middle, low, high = value.values()
    if middle is None or low is None or high is None:
        return ""
    if np.isnan(middle):
        return "not defined"
    # Samples of incidents that all agree tell nothing of how sure that is.
    told = "" if np.isnan(low) or low == middle == high else f" ({low:.2f} to {high:.2f})"
    return f"{middle:.2f}{told}"


def _sound(given: Any) -> Coding:
    check = check_coding(given)
    if not check.passed:
        line, column, value, reason, _ = check.faults.row(0)
        raise DataError(
            f"{check.file}: {len(check.faults)} faults to mend before two codings are compared; "
            f"the first: line {line}, column {column!r}: {value!r} {reason}"
        )
    return open_coding(given)


def _columns(
    one: Coding, other: Coding, found: list[Match]
) -> list[tuple[Column, Objects, Objects]]:
    """The matched values of each column that both files have and that somebody filled in."""
    out = []
    for column in COLUMNS:
        if column.level is None or not {column.name} <= {*one.header} & {*other.header}:
            continue
        left = _values(one, column, [each.first for each in found])
        right = _values(other, column, [each.second for each in found])
        if all(value is None for value in (*left, *right)):
            continue
        out.append((column, left, right))
        if column.name == "code":
            out.extend((each, _coarser(left, each), _coarser(right, each)) for each in COARSER)
    return out


def _values(coding: Coding, column: Column, places: list[int]) -> Objects:
    taken = f"{column.name} taken"
    text = SCHEMA.get(column.name, pl.String()) == pl.String
    cells = coding.rows[column.name if text else taken].to_list()
    return np.array([*(cells[place] for place in places), None], dtype=object)[:-1]


def _coarser(codes: Objects, column: Column) -> Objects:
    known = [CAMEO.get(code or "") for code in codes]
    if column is COARSER[0]:
        out = [code and code.code[:2] for code in known]
    else:
        out = [QUADS.get(code.quad or 0) if code else None for code in known]
    return np.array([*out, None], dtype=object)[:-1]


def _agreement(
    column: Column,
    left: Objects,
    right: Objects,
    rng: np.random.Generator,
    draws: int,
    coverage: float,
) -> tuple[Any, ...]:
    """One row of the table."""
    given = np.array([[value is not None for value in side] for side in (left, right)], dtype=bool)
    both = given.all(axis=0)
    same = float(np.mean(left[both] == right[both])) if both.any() else float("nan")
    level = column.level or "nominal"
    ratings = np.array([_comparable(column, side) for side in (left, right)])
    span = alpha_interval(ratings, level, rng=rng, draws=draws, coverage=coverage)
    alpha = krippendorff_alpha(ratings, level), *span
    kappa: tuple[float | None, ...] = (None, None, None)
    if level in ("nominal", "ordinal"):
        weights: Literal["linear"] | None = "linear" if level == "ordinal" else None
        a, b = ratings
        span = kappa_interval(a, b, weights, rng=rng, draws=draws, coverage=coverage)
        kappa = cohen_kappa(a, b, weights), *span
    only = int((given.any(axis=0) & ~both).sum())
    return column.name, level, int(both.sum()), same, only, *kappa, *alpha


def _comparable(column: Column, values: Objects) -> Objects | NDArray[np.float64]:
    """Words as they are, or as their place in the order; dates as days; NaN or None if missing."""
    if column.level == "nominal":
        return np.array([*(None if v is None else str(v) for v in values), None], object)[:-1]
    if column.order:
        numbers = [None if v is None else column.order.index(v) for v in values]
    else:
        numbers = [v.toordinal() if hasattr(v, "toordinal") else v for v in values]
    return np.array(numbers, dtype=np.float64)


def _differing(
    name: str, left: Objects, right: Objects, one: Coding, other: Coding, found: list[Match]
) -> list[tuple[str, ...]]:
    ids = one.rows["id"], other.rows["id"]
    return [
        (ids[0][each.first], ids[1][each.second], name, _shown(a), _shown(b))
        for each, a, b in zip(found, left, right, strict=True)
        if a != b
    ]


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _matches(one: Coding, other: Coding, found: list[Match]) -> pl.DataFrame:
    first, second = (each.rows.select("id", "line").rows() for each in (one, other))
    rows: list[tuple[Any, ...]] = [
        (first[a][0], second[b][0], first[a][1], second[b][1], why) for a, b, why in found
    ]
    for place in sorted(set(range(len(first))) - {each.first for each in found}):
        rows.append((first[place][0], None, first[place][1], None, "only in the first"))
    for place in sorted(set(range(len(second))) - {each.second for each in found}):
        rows.append((None, second[place][0], None, second[place][1], "only in the second"))
    return pl.DataFrame(rows, schema=MATCHES, orient="row")
