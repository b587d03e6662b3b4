"""A table of matches to review: what agrees, what does not, and which are accepted."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from escalation.incidents import SCHEMA
from escalation.sources.faults import DataError

CRITERIA = ("days", "distance", "actors", "kind")

SHOWN = ("id", "date", "date_latest", "source", "target", "incident_class", "place", "deaths_best")
"""Columns of both records that a table of matches shows."""

MATCHES: dict[str, pl.DataType] = {
    "score": pl.Float64(),
    "best": pl.Boolean(),
    "lead": pl.Float64(),
    "accepted": pl.Boolean(),
    "criteria": pl.Int64(),
    "days apart": pl.Int64(),
    "km apart": pl.Float64(),
    **{name: pl.Float64() for name in CRITERIA},
    **{f"{name} {which}": SCHEMA[name] for which in ("first", "second") for name in SHOWN},
}
"""Columns of ``Matches.table``: score; best, whether no better match of either record stands before
it; lead, by how much the score is above that of any other pair with one of the two records;
accepted (null: not judged); how many criteria both tell; days and km apart; the four criteria; and
of both records id, dates, sides, class, place and deaths."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Pairs of records that may tell of one incident, the most alike first.

    Nothing is accepted before `accept` says so, or a reviewer does in a file that `write` gives.

    Parameters
    ----------
    table : polars.DataFrame
        A row a pair, in the columns of ``MATCHES``.

    Raises
    ------
    ValueError
        If a column is missing or of another type, or two accepted pairs share a record.
    """

    table: pl.DataFrame

    def __post_init__(self) -> None:
        if dict(self.table.schema) != MATCHES:
            missing = [name for name in MATCHES if name not in self.table.columns]
            raise ValueError(
                f"matches want the columns {', '.join(MATCHES)}; missing: {', '.join(missing)}"
            )
        for name in ("id first", "id second"):
            ids = self.accepted[name]
            if ids.n_unique() < len(ids):
                twice = ids.filter(ids.is_duplicated())[0]
                raise ValueError(
                    f"record {twice!r} ({name.removeprefix('id ')} source) stands in several "
                    "accepted matches; one incident can be one record of each source"
                )

    @property
    def accepted(self) -> pl.DataFrame:
        """The pairs that are accepted."""
        return self.table.filter(pl.col("accepted").fill_null(False))

    def accept(
        self, *conditions: pl.Expr, at_least: float = 0.0, pairs: Iterable[tuple[str, str]] = ()
    ) -> "Matches":
        """Accept the best pairs that meet the conditions; the others of the best are refused.

        What was judged before stays as it is, and so do pairs that are not the best of both.

        Parameters
        ----------
        *conditions : polars.Expr
            On the columns of ``table``.
        at_least : float
            The lowest score.
        pairs : iterable of (str, str)
            Ids of single pairs to accept, best or not.

        Raises
        ------
        ValueError
            If one of ``pairs`` is not there.
        """
        wanted = pl.all_horizontal(pl.col("score") >= at_least, *conditions)
        chosen = pl.DataFrame(
            list(pairs), {"id first": pl.String, "id second": pl.String}, orient="row"
        )
        ids = ["id first", "id second"]
        absent = chosen.join(self.table, on=ids, how="anti")
        if len(absent):
            raise ValueError(f"no match of {absent.row(0)[0]!r} and {absent.row(0)[1]!r}")
        named = pl.struct(ids).is_in(chosen.select(pl.struct(ids)).to_series().implode())
        open_ = pl.col("accepted").is_null() & pl.col("best")
        judged = pl.when(named).then(True).when(open_).then(wanted).otherwise("accepted")
        if len(chosen):
            judged = pl.when(named).then(True).otherwise("accepted")
        return replace(self, table=self.table.with_columns(judged.alias("accepted")))

    def write(self, path: Path | str) -> None:
        """Write a CSV file for review: put true or false into its column accepted."""
        self.table.write_csv(path)

    @classmethod
    def read(cls, path: Path | str) -> "Matches":
        """Read a reviewed file.

        Raises
        ------
        DataError
            If it cannot be read or lacks a column.
        """
        try:
            text = pl.read_csv(path, infer_schema=False)
        except (OSError, pl.exceptions.PolarsError) as fault:
            raise DataError(f"{path}: cannot be read: {str(fault).splitlines()[0]}") from None
        missing = [name for name in MATCHES if name not in text.columns]
        if missing:
            raise DataError(f"{path}: no column {missing[0]!r}")
        word = pl.col("accepted").str.strip_chars().str.to_lowercase()
        odd = text.filter(~word.is_in(("true", "false", "")))
        if len(odd):
            raise DataError(
                f"{path}: column 'accepted' must be true, false or empty, got "
                f"{odd['accepted'][0]!r}"
            )
        truth = {
            name: pl.col(name).str.strip_chars().str.to_lowercase() == "true"
            for name in ("best", "accepted")
        }
        values = (
            truth[name] if name in truth
            else pl.col(name).str.to_date("%Y-%m-%d") if kind == pl.Date
            else pl.col(name).cast(kind)
            for name, kind in MATCHES.items()
        )  # fmt: skip
        try:
            cleared = text.with_columns(pl.when(word != "").then("accepted").alias("accepted"))
            return cls(cleared.select(values))
        except pl.exceptions.PolarsError as fault:
            raise DataError(f"{path}: {str(fault).splitlines()[0]}") from None

    def __len__(self) -> int:
        """Count the pairs."""
        return len(self.table)

    def __repr__(self) -> str:
        """Say how many pairs there are, and how many are accepted."""
        best, taken = int(self.table["best"].sum()), len(self.accepted)
        return f"Matches({len(self):,} pairs, {best:,} of them best, {taken:,} accepted)"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.table._repr_html_()}"
