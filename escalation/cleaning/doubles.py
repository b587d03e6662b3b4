"""Incidents that a source has twice, and the one-a-day filter."""

from collections.abc import Sequence

import polars as pl

from escalation.cleaning.steps import Outcome, comparable, listed

SIDES = ("source", "target")


def duplicates(table: pl.DataFrame, columns: Sequence[str]) -> Outcome:
    """Keep one of the incidents with the same dates and the same values in the columns.

    The one with most reports stays, the first of them where they tie. An incident that lacks one
    of the values is never called a duplicate; the two sides of an undirected one have no order.
    """
    why = f"one of those with the same dates and the same {', '.join(columns)}"
    return _first_of("duplicates", table, ("date", "date_latest", *columns), why)


def one_a_day(table: pl.DataFrame, columns: Sequence[str]) -> Outcome:
    """Keep one incident a day for each combination of values in the columns.

    As `duplicates`; incidents whose day is not known are left alone.
    """
    known = table.with_row_index("at").filter(pl.col("date") == pl.col("date_latest"))
    rest = table.with_row_index("at").filter(pl.col("date") < pl.col("date_latest"))
    why = f"one a day of the same {', '.join(columns)}, where the day is known"
    found = _first_of("one_a_day", known, ("date", *columns), why)
    together = pl.concat([found.table, rest]).sort("at").drop("at")
    return Outcome(found.step, together, why, found.dropped)


def _first_of(step: str, table: pl.DataFrame, columns: Sequence[str], why: str) -> Outcome:
    values = {name: comparable(name) for name in columns}
    if set(SIDES) <= set(columns):
        one, other = (values[name] for name in SIDES)
        values["source"] = pl.when("directed").then(one).otherwise(pl.min_horizontal(one, other))
        values["target"] = pl.when("directed").then(other).otherwise(pl.max_horizontal(one, other))
        values["directed"] = pl.col("directed")
    keys = [f"key {name}" for name in values]
    whole = pl.all_horizontal(pl.col(name).is_not_null() for name in columns)
    rows = table.with_row_index("row").with_columns(
        whole.alias("whole"),
        *(value.alias(key) for key, value in zip(keys, values.values(), strict=True)),
    )
    order = rows.filter("whole").sort(
        pl.col("reports").fill_null(0), "row", descending=[True, False]
    )
    best = order.unique(keys, keep="first", maintain_order=True)
    best = best.select(*keys, pl.col("row").alias("best"), pl.col("id").alias("kept"))
    joined = rows.join(best, on=keys, how="left", maintain_order="left")
    double = pl.col("whole") & (pl.col("best") != pl.col("row"))
    gone = joined.filter(double.fill_null(False))
    gone = gone.with_columns(("the same as " + pl.col("kept")).alias("reason"))
    stays = joined.filter(~double.fill_null(False)).select(table.columns)
    return Outcome(step, stays, why, listed(step, gone))
