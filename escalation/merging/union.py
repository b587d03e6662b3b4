"""Two sources as one: accepted matches become one record each, the rest stays as it is."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from escalation.incidents import REJECTED, SCHEMA, Incidents, Provenance
from escalation.merging.matches import Matches

FIGURES = ("deaths_low", "deaths_best", "deaths_high")
SPOT = ("latitude", "longitude", "place_precision")

ORIGIN: dict[str, pl.DataType] = {
    "id": pl.String(),
    "id first": pl.String(),
    "id second": pl.String(),
    "score": pl.Float64(),
}
"""Columns of ``Merged.origin``."""

DIFFERENCES: dict[str, pl.DataType] = {
    "id": pl.String(),
    "column": pl.String(),
    "first": pl.String(),
    "second": pl.String(),
    "merged": pl.String(),
}
"""Columns of ``Merged.differences``."""


@dataclass(frozen=True, eq=False)
class Merged:
    """Two sources as one, with where each record comes from.

    Attributes
    ----------
    incidents : Incidents
        Ids are "source:id", those of the preferred record for merged ones. Rows read, rejected
        and outside are the sums of both sources; each merged pair counts as two rows taken.
    origin : polars.DataFrame
        A row an incident: id, id in the first and in the second source (null where it is not
        there), score of the match.
    differences : polars.DataFrame
        A row for each value in which the two records of a merged incident differ: id, column,
        what the first and the second say, and what was taken.
    """

    incidents: Incidents
    origin: pl.DataFrame
    differences: pl.DataFrame

    def __repr__(self) -> str:
        """Say how many incidents there are, and how many stand in both."""
        both = len(self.origin.drop_nulls(["id first", "id second"]))
        return f"Merged({self.incidents!r}, {both:,} of them in both)"


def merge(
    first: Incidents,
    second: Incidents,
    matches: Matches,
    *,
    prefer: str = "first",
    names: Sequence[str] | None = None,
) -> Merged:
    """Make one record of every accepted match, and keep all other records of both sources.

    A merged record has the values of the preferred source, and the other's where it has none. Its
    dates are the days that both allow, or, where there is none, the span from the first to the
    last day of either. Deaths on which both have a figure are the interval that holds all
    figures, with the best one of the preferred source. It has the earlier day of report. Sides
    and direction are never mixed.

    Parameters
    ----------
    first, second : Incidents
        As `Matching.match` got them, over the same window.
    matches : Matches
        Only the accepted pairs are merged.
    prefer : {"first", "second"}
    names : two names, optional
        For the ids; those of the sources if not given.

    Raises
    ------
    ValueError
        If the windows differ, both have one name, nobody judged the matches, or an accepted record
        is not there.
    """
    labels = tuple(names or (first.provenance.source, second.provenance.source))
    if prefer not in ("first", "second"):
        raise ValueError(f"prefer must be 'first' or 'second', got {prefer!r}")
    if len(labels) != 2 or labels[0] == labels[1]:
        raise ValueError(f"two different names are wanted for the ids, got {list(labels)}")
    if first.window != second.window:
        raise ValueError(
            f"both sources must have watched the same window, got {first.window} and "
            f"{second.window}"
        )
    if len(matches) and matches.table["accepted"].null_count() == len(matches):
        raise ValueError("no match was judged; accept some (or accept(at_least=2) for none)")
    pairs = matches.accepted.select("id first", "id second", "score")
    for given, name in ((first, "id first"), (second, "id second")):
        absent = pairs.filter(~pl.col(name).is_in(given.table["id"].implode()))
        if len(absent):
            raise ValueError(f"the accepted match has {absent[name][0]!r}, which is not there")
    table, origin, differences = _united(first.table, second.table, pairs, prefer, labels)
    rejected, amended = (
        pl.concat([_of_file(getattr(one, name), one.provenance.file) for one in (first, second)])
        for name in ("rejected", "amended")
    )
    said = (
        f"{len(pairs):,} records of {labels[0]} and {labels[1]} merged, of {len(matches):,} pairs "
        f"compared; {prefer} preferred"
    )
    provenance = _both(first.provenance, second.provenance, said)
    return Merged(
        Incidents(table, first.window, provenance, rejected, amended), origin, differences
    )


def _united(
    first: pl.DataFrame,
    second: pl.DataFrame,
    pairs: pl.DataFrame,
    prefer: str,
    labels: Sequence[str],
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    own, other = (first, second) if prefer == "first" else (second, first)
    label = labels[0] if prefer == "first" else labels[1]
    keys = ["id first", "id second"] if prefer == "first" else ["id second", "id first"]
    rows = pairs.join(own.rename(lambda name: f"{name} own"), left_on=keys[0], right_on="id own")
    rows = rows.join(
        other.rename(lambda name: f"{name} other"), left_on=keys[1], right_on="id other"
    )
    rows = rows.with_columns(pl.concat_str(pl.lit(f"{label}:"), keys[0]).alias("id"))
    together = rows.select(*_values(), "score", "id first", "id second")
    alone = [
        table.join(pairs, left_on="id", right_on=key, how="anti").with_columns(
            pl.col("id").alias(key), pl.concat_str(pl.lit(f"{name}:"), "id").alias("id")
        )
        for table, key, name in (
            (first, "id first", labels[0]), (second, "id second", labels[1]),
        )
    ]  # fmt: skip
    whole = pl.concat([together, *alone], how="diagonal").sort("date", maintain_order=True)
    sides = ("own", "other") if prefer == "first" else ("other", "own")
    return whole.select(*SCHEMA), whole.select(*ORIGIN), _differences(rows, together, sides)


def _values() -> list[pl.Expr]:
    """The values of merged records, from columns of both with endings "own" and "other"."""

    def both(name: str) -> tuple[pl.Expr, pl.Expr]:
        return pl.col(f"{name} own"), pl.col(f"{name} other")

    known = [pl.any_horizontal(pl.col(f"{name} {one}").is_not_null() for name in FIGURES)
             for one in ("own", "other")]  # fmt: skip
    disputed = known[0] & known[1]
    every = [one for name in FIGURES for one in both(name)]
    early, late = pl.max_horizontal(both("date")), pl.min_horizontal(both("date_latest"))
    shared = early <= late
    placed = pl.col("latitude own").is_not_null() & pl.col("longitude own").is_not_null()
    low, best, high = (pl.coalesce(both(name)) for name in FIGURES)
    values = {
        "id": pl.col("id"),
        "date": pl.when(shared).then(early).otherwise(pl.min_horizontal(both("date"))),
        "date_latest": pl.when(shared).then(late).otherwise(pl.max_horizontal(both("date_latest"))),
        "deaths_low": pl.when(disputed).then(pl.min_horizontal(every)).otherwise(low),
        "deaths_best": best,
        "deaths_high": pl.when(disputed).then(pl.max_horizontal(every)).otherwise(high),
        "reported_on": pl.min_horizontal(both("reported_on")),
        **{name: pl.when(placed).then(both(name)[0]).otherwise(both(name)[1]) for name in SPOT},
        **{name: both(name)[0] for name in ("source", "target", "directed")},
    }
    return [values.get(name, pl.coalesce(both(name))).alias(name) for name in SCHEMA]


def _differences(rows: pl.DataFrame, together: pl.DataFrame, sides: Sequence[str]) -> pl.DataFrame:
    parts: list[pl.DataFrame] = [pl.DataFrame(schema=DIFFERENCES)]
    for name in SCHEMA:
        if name == "id":
            continue
        first, second = (rows[f"{name} {side}"] for side in sides)
        other = first.ne_missing(second) & first.is_not_null() & second.is_not_null()
        said: dict[str, Any] = {"first": first, "second": second, "merged": together[name]}
        parts.append(
            pl.DataFrame(
                {
                    "id": together["id"].filter(other),
                    "column": pl.repeat(name, int(other.sum()), dtype=pl.String, eager=True),
                    **{key: value.filter(other).cast(pl.String) for key, value in said.items()},
                }
            )
        )
    return pl.concat(parts)


def _of_file(remarks: pl.DataFrame, file: str) -> pl.DataFrame:
    """Remarks on rows, each with the name of its file behind the reason."""
    marked = pl.concat_str("reason", pl.lit(f" ({file})"))
    return remarks.with_columns(marked.alias("reason")).select(*REJECTED)


def _both(first: Provenance, second: Provenance, said: str) -> Provenance:
    """Where the records of both come from."""

    def joined(name: str) -> str:
        words = (getattr(first, name), getattr(second, name))
        return " + ".join(dict.fromkeys(filter(None, words)))

    def added(name: str) -> int:
        return int(getattr(first, name) + getattr(second, name))

    files = tuple(
        file for one in (first, second) for file in (one.files or ((one.file, one.sha256),))
    )
    return Provenance(
        file=" + ".join((first.file, second.file)),
        sha256=hashlib.sha256((first.sha256 + second.sha256).encode()).hexdigest(),
        source=joined("source"),
        version=joined("version"),
        licence=joined("licence"),
        citation=joined("citation"),
        rows_read=added("rows_read"),
        rows_taken=added("rows_taken"),
        rows_rejected=added("rows_rejected"),
        rows_outside=added("rows_outside"),
        files=files,
        remarks=(*first.remarks, *second.remarks, said),
        rows_left_out=added("rows_left_out"),
    )
