"""Tables that are read off a forecast: its summaries, its scores, and whether it is building up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from escalation.scores import (
    coverage,
    crps_draws,
    log_score_draws,
    pit_bounds,
    quantile_draws,
    squared_error,
)
from escalation.window import FloatArray

if TYPE_CHECKING:
    from escalation.forecast.forecast import Forecast

REACH = 100
"""The CRPS of a stream looks at counts up to this many times one more than its recent maximum."""


def building_up(
    forecast: Forecast, periods: int, against: int, level: float, factor: float
) -> pl.DataFrame:
    """The table that `Forecast.escalation` describes."""
    if not 1 <= periods <= len(forecast.lengths):
        raise ValueError(f"periods = {periods}, but the forecast has {len(forecast.lengths)}")
    whole = forecast.with_total()
    coming = whole.draws[:, :periods].sum(axis=1) / sum(forecast.lengths[:periods])
    mean = whole.recent_mean(against)
    median, lower, upper = quantile_draws(coming, [0.5, (1 - level) / 2, (1 + level) / 2])
    defined = mean > 0
    safe = np.where(defined, mean, 1.0)
    known = min(against, len(forecast.recent))
    columns = {
        "stream": whole.names,
        "probability": np.where(np.isnan(mean), np.nan, (coming > factor * mean).mean(axis=0)),
        "ratio": np.where(defined, median / safe, np.nan),
        "lower": np.where(defined, lower / safe, np.nan),
        "upper": np.where(defined, upper / safe, np.nan),
        "expected": coming.mean(axis=0),
        "past_mean": mean,
        "ahead": [periods] * len(mean),
        "past": [known] * len(mean),
        "note": [_note(forecast, value, against) for value in mean],
    }
    return pl.DataFrame(columns, nan_to_null=True)


def scores(forecast: Forecast, observed: ArrayLike, levels: Sequence[float]) -> pl.DataFrame:
    """The table that `Forecast.score` describes."""
    values = np.array(observed, dtype=np.float64)
    if values.shape != forecast.draws.shape[1:]:
        raise ValueError(f"observed must have shape {forecast.draws.shape[1:]}, got {values.shape}")
    whole, values = with_total(forecast, values)
    low, high = pit_bounds(whole.draws, values)
    columns = {
        "observed": values,
        "mean": whole.mean,
        "median": whole.quantile(0.5),
        "crps": crps_draws(whole.draws, values, reach(whole)),
        "log_score": log_score_draws(whole.draws, values),
        "squared_error": squared_error(whole.draws, values),
    }
    for level in levels:
        ends = whole.interval(level)
        name = percent(level)
        columns |= {f"lo{name}": ends[0], f"hi{name}": ends[1]}
        columns[f"in{name}"] = coverage(ends[0], ends[1], values)
    columns |= {"pit_low": low, "pit_high": high}
    columns["capped"] = np.isinf(whole.draws).mean(axis=0)
    return whole.long(columns).drop("end").rename({"start": "date"})


def summaries(forecast: Forecast, levels: Sequence[float], at_least: Sequence[int]) -> pl.DataFrame:
    """The table that `Forecast.table` describes."""
    columns = {"mean": forecast.mean, "median": forecast.quantile(0.5)}
    for level in levels:
        ends = forecast.interval(level)
        columns |= {f"lo{percent(level)}": ends[0], f"hi{percent(level)}": ends[1]}
    columns |= {f"at_least_{n}": forecast.prob_at_least(n) for n in at_least}
    return forecast.long(columns)


def long(forecast: Forecast, columns: dict[str, Any]) -> pl.DataFrame:
    """The table that `Forecast.long` describes."""
    _, horizon, streams = forecast.draws.shape
    steps = np.repeat(np.arange(horizon), streams)
    head = {
        "step": steps + 1,
        "start": forecast.edges[:-1][steps],
        "end": forecast.edges[1:][steps],
        "stream": forecast.names * horizon,
    }
    cells = {name: np.ravel(values) for name, values in columns.items()}
    return pl.DataFrame(head | cells, nan_to_null=True)


def with_total(forecast: Forecast, observed: FloatArray) -> tuple[Forecast, FloatArray]:
    """The forecast and what came, (H, K), with the sum of the streams as the last of them."""
    whole = forecast.with_total()
    if len(whole.names) > len(forecast.names):
        observed = np.concatenate([observed, observed.sum(axis=1, keepdims=True)], axis=1)
    return whole, observed


def reach(forecast: Forecast) -> FloatArray:
    """How far the CRPS of each cell looks, (H, K): fixed before anything came.

    `REACH` times (1 + the largest of the recent counts), for each period of a block; infinity
    where no recent period is known.
    """
    if not np.any(np.asarray(forecast.recent_exposure) > 0):
        return np.full(forecast.draws.shape[1:], np.inf)
    return REACH * np.outer(forecast.lengths, 1.0 + forecast.recent.max(axis=0))


def _note(forecast: Forecast, mean: float, past: int) -> str:
    if np.isnan(mean):
        return f"none of the last {past} {forecast.period}s was watched"
    notes = []
    if len(forecast.recent) < past:
        notes.append(f"only {len(forecast.recent)} of the last {past} {forecast.period}s are known")
    if mean == 0:
        notes.append(f"no incidents in the last {past} {forecast.period}s, so there is no ratio")
    return "; ".join(notes)


def percent(level: float) -> str:
    """A level in per cent, for the name of a column."""
    return f"{100 * level:g}"
