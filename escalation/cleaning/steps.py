"""What a step of cleaning hands on: the rows that stay, those that do not, and what was changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from escalation.actors import folded
from escalation.incidents import SCHEMA, empty

DROPPED: dict[str, pl.DataType] = {
    "step": pl.String(),
    "reason": pl.String(),
    "kept": pl.String(),
    **SCHEMA,
}
"""Columns of ``Cleaned.dropped``: the step, why, the id of the incident that stays in its place,
and the incident as the step found it."""

CHANGED: dict[str, pl.DataType] = {
    "step": pl.String(),
    "id": pl.String(),
    "column": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
}
"""Columns of ``Cleaned.changed``: one row a value that a step replaced."""

REPORT: dict[str, pl.DataType] = {
    "step": pl.String(),
    "before": pl.Int64(),
    "dropped": pl.Int64(),
    "changed": pl.Int64(),
    "added": pl.Int64(),
    "after": pl.Int64(),
    "why": pl.String(),
}
"""Columns of ``Cleaned.report``: ``changed`` counts the incidents of which a value was replaced."""


@dataclass(frozen=True)
class Outcome:
    """What one step did.

    Parameters
    ----------
    step : str
    table : polars.DataFrame
        The incidents after it.
    why : str
        Its rule in words.
    dropped, changed : polars.DataFrame
        In the columns of ``DROPPED`` and ``CHANGED``.
    """

    step: str
    table: pl.DataFrame
    why: str
    dropped: pl.DataFrame = field(default_factory=lambda: empty(DROPPED))
    changed: pl.DataFrame = field(default_factory=lambda: empty(CHANGED))

    def row(self, before: int) -> pl.DataFrame:
        """The line of the report, from the number of incidents before the step."""
        changed = self.changed["id"].n_unique()
        added = len(self.table) - before + len(self.dropped)
        row = (self.step, before, len(self.dropped), changed, added, len(self.table), self.why)
        return pl.DataFrame([row], schema=REPORT, orient="row")


def sift(
    step: str, table: pl.DataFrame, faults: Sequence[tuple[pl.Expr, str]], why: str
) -> Outcome:
    """Drop the rows for which an expression is true, each with the reason of the first that is.

    Parameters
    ----------
    faults : sequence of (polars.Expr, str)
        What is wrong, null counting as false, and the reason in words.
    """
    reason = pl.coalesce(
        *(pl.when(wrong.fill_null(False)).then(pl.lit(words)) for wrong, words in faults)
    )
    rows = table.with_columns(reason.alias("reason"))
    gone = rows.filter(pl.col("reason").is_not_null())
    return Outcome(step, rows.filter(pl.col("reason").is_null()).drop("reason"), why,
                   listed(step, gone))  # fmt: skip


def listed(step: str, gone: pl.DataFrame) -> pl.DataFrame:
    """Rows with a ``reason``, and perhaps the id ``kept``, in the columns of ``DROPPED``."""
    if "kept" not in gone.columns:
        gone = gone.with_columns(pl.lit(None, pl.String).alias("kept"))
    return gone.with_columns(pl.lit(step).alias("step")).select(*DROPPED)


def differences(
    step: str, before: pl.DataFrame, after: pl.DataFrame, columns: Sequence[str]
) -> pl.DataFrame:
    """The values in which two tables of the same rows differ, in the columns of ``CHANGED``."""
    parts = [empty(CHANGED)]
    for name in columns:
        other = before[name].ne_missing(after[name])
        parts.append(
            pl.DataFrame(
                {
                    "step": pl.repeat(step, int(other.sum()), dtype=pl.String, eager=True),
                    "id": before["id"].filter(other),
                    "column": pl.repeat(name, int(other.sum()), dtype=pl.String, eager=True),
                    "before": before[name].filter(other).cast(pl.String),
                    "after": after[name].filter(other).cast(pl.String),
                }
            )
        )
    return pl.concat(parts)


def comparable(name: str) -> pl.Expr:
    """A column as it is compared: case and runs of spaces do not count in text."""
    if SCHEMA[name] != pl.String:
        return pl.col(name)
    return pl.col(name).str.strip_chars().str.replace_all(r"\s+", " ").str.to_lowercase()


def plain(words: Sequence[str]) -> str:
    """Names in a row of words."""
    return ", ".join(folded(word) for word in words)
