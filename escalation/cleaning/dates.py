"""Incidents of several days or of an unknown day, and the figures of their deaths."""

import numpy as np
import polars as pl

from escalation.cleaning.steps import Outcome, differences, listed
from escalation.incidents import Incidents

FIGURES = ("deaths_low", "deaths_best", "deaths_high")
SPAN = (pl.col("date_latest") - pl.col("date")).dt.total_days() + 1


def on_first_day(incidents: Incidents) -> Outcome:
    """Place every incident on its first possible day, as if the day were known."""
    table = incidents.table.with_columns(pl.col("date").alias("date_latest"))
    changed = differences("spans", incidents.table, table, ("date_latest",))
    return Outcome(
        "spans", table, "on the first possible day, as if it were known", changed=changed
    )


def on_drawn_day(incidents: Incidents, rng: np.random.Generator) -> Outcome:
    """Place every incident on one of its possible days, drawn evenly, as if the day were known."""
    order = incidents.table.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("id"))
    named = Incidents(order, incidents.window, incidents.provenance)
    drawn = named.redated(rng).table.select(pl.col("id").cast(pl.Int64), "date").sort("id")
    date = drawn["date"]
    table = incidents.table.with_columns(date, date.alias("date_latest"))
    changed = differences("spans", incidents.table, table, ("date", "date_latest"))
    return Outcome("spans", table, "on a day drawn from the possible ones", changed=changed)


def spread(incidents: Incidents, step: str, only: pl.Expr | None = None) -> Outcome:
    """Make of an incident of n days n incidents, one a day, and share its deaths among them.

    Every day has the whole part of the deaths by n, the first days one more until the sum is that
    of the incident. Ids get the number of the day: "7#1", "7#2", …. Days past the window are
    dropped and listed.
    """
    chosen = (SPAN > 1) if only is None else (SPAN > 1) & only.fill_null(False)
    rows = incidents.table.with_columns(
        pl.when(chosen).then(SPAN).otherwise(1).alias("days"), chosen.alias("several")
    )
    rows = rows.with_columns(pl.int_ranges(0, "days").alias("day")).explode("day")
    day, days = pl.col("day"), pl.col("days")
    shared = [
        pl.when("several").then(pl.col(name) // days + (day < pl.col(name) % days).cast(pl.Int64))
        .otherwise(pl.col(name)).alias(name)
        for name in FIGURES
    ]  # fmt: skip
    date = pl.col("date") + pl.duration(days=day)
    rows = rows.with_columns(
        *shared,
        date.alias("date"),
        pl.when("several").then(date).otherwise("date_latest").alias("date_latest"),
        pl.when("several").then(pl.format("{}#{}", "id", day + 1)).otherwise("id").alias("id"),
    )
    late = rows.filter(pl.col("date") >= incidents.window.end)
    late = late.with_columns(pl.lit("this day lies past the window").alias("reason"))
    number = incidents.table.select(chosen.sum()).item()
    why = f"{number:,} of several days made into one incident a day, their deaths shared"
    kept = rows.filter(pl.col("date") < incidents.window.end).select(incidents.table.columns)
    return Outcome(step, kept, why, listed(step, late))


def figures(table: pl.DataFrame, which: str) -> Outcome:
    """Deaths as intervals, or one of the three figures in the place of all.

    For "interval" a bound that is missing is the best figure, and bounds that hold it are widened
    to do so; for "low", "best" or "high" that figure stands for all three, null where the source
    does not give it.
    """
    low, best, high = (pl.col(name) for name in FIGURES)
    if which == "interval":
        values = [pl.min_horizontal(low, best), pl.coalesce(best, low_is_high(low, high)),
                  pl.max_horizontal(high, best)]  # fmt: skip
        why = "intervals; the best figure stands for a bound that is missing"
    else:
        values = [pl.col(f"deaths_{which}")] * 3
        why = f"the {which} figure alone"
    after = table.with_columns(
        *(value.alias(name) for value, name in zip(values, FIGURES, strict=True))
    )
    return Outcome("deaths", after, why, changed=differences("deaths", table, after, FIGURES))


def low_is_high(low: pl.Expr, high: pl.Expr) -> pl.Expr:
    """The figure on which both bounds agree, else null."""
    return pl.when(low == high).then(low)
