"""Probabilities of escalation and onset that a forecast told, beside what came."""

from __future__ import annotations

import numpy as np
import polars as pl

from escalation.forecast import Forecast
from escalation.forecast.readings import with_total
from escalation.window import FloatArray

EVENTS = ("escalation", "onset")
TOLD = {name: pl.Float64 for event in EVENTS for name in (f"{event}_probability", f"{event}_came")}
"""Columns of a backtest's sums: the probability of each event, and 0 or 1 for what came."""

RECORD = {
    "model": pl.String,
    "event": pl.String,
    "origin": pl.Date,
    "first": pl.Int64,
    "last": pl.Int64,
    "end": pl.Date,
    "series": pl.String,
    "stream": pl.String,
    "probability": pl.Float64,
    "outcome": pl.Float64,
}
"""Columns of a record of warnings.

`first` and `last` are steps, `end` is the day after the last one, `outcome` is 0 or 1.
"""


def told(forecast: Forecast, observed: FloatArray, against: int, factor: float) -> pl.DataFrame:
    """Chances of the sums over blocks, and whether it came so, for each stream and their sum.

    Parameters
    ----------
    forecast : Forecast
        Of the sums over blocks of the horizon: see `Forecast.blocks`.
    observed : array of float64, shape (B, K)
        What came, NaN where not watched in full.
    against : int
        Known periods whose mean is compared.
    factor : float
        How many times that mean is an escalation.

    Returns
    -------
    polars.DataFrame
        `step` (place of the block, from 1), `stream`, and the columns of `TOLD`. Onset is any
        incident after `against` periods without: null elsewhere. Null where no past was watched.
    """
    whole, came = with_total(forecast, observed)
    mean = whole.recent_mean(against)
    limit = factor * np.outer(whole.lengths, mean)
    quiet = np.where(mean == 0, 1.0, np.nan)
    events = {
        "escalation": (whole.prob_above_recent(against, factor), came > limit),
        "onset": (quiet * whole.prob_at_least(1), came > 0),
    }
    columns: dict[str, object] = {
        "step": np.repeat(np.arange(1, len(came) + 1), len(mean)),
        "stream": whole.names * len(came),
    }
    for event, (chance, happened) in events.items():
        known = ~np.isnan(chance) & ~np.isnan(came)
        columns[f"{event}_probability"] = chance.ravel()
        columns[f"{event}_came"] = np.where(known, happened, np.nan).ravel()
    return pl.DataFrame(columns, nan_to_null=True)


def record(sums: pl.DataFrame) -> pl.DataFrame:
    """Warnings from a backtest's table of sums, one row an event: columns as in `RECORD`."""
    rows = sums.filter(pl.col("block").is_not_null()).with_columns(
        first=pl.col("step"), last=pl.col("step") + pl.col("block") - 1
    )
    found = [
        rows.filter(pl.col(f"{event}_probability").is_not_null()).with_columns(
            event=pl.lit(event),
            probability=pl.col(f"{event}_probability"),
            outcome=pl.col(f"{event}_came"),
        )
        for event in EVENTS
    ]
    return pl.concat([one.select(*RECORD) for one in found]).cast(RECORD)  # type: ignore[arg-type]


def overlap(spans: pl.DataFrame, origins: pl.Series) -> int:
    """How many neighbouring origins forecast the same period.

    Parameters
    ----------
    spans : polars.DataFrame
        `origin`, and `end`, the day after the last period that was forecast from it.
    origins : polars.Series of dates
        In the order of time, two or more.
    """
    reach = (spans["end"] - spans["origin"]).dt.total_days().to_numpy()
    stride = origins.diff().drop_nulls().dt.total_days().to_numpy()
    return int(np.ceil(np.median(reach) / np.median(stride)))
