"""Forecast: dated predictive draws, and what is read off them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from escalation.forecast.aggregation import (
    ALL_STREAMS,
    followed_by_total,
    over_blocks,
    over_groups,
)
from escalation.forecast.calendar import future_edges
from escalation.forecast.checking import check_calendar, check_shapes, own_arrays
from escalation.forecast.hub import from_hub, to_hub, write_table
from escalation.forecast.intervals import shortest
from escalation.forecast.readings import building_up, long, scores, summaries
from escalation.scores import HUB_LEVELS, quantile_draws
from escalation.scores.shapes import probability_between
from escalation.series import CountSeries
from escalation.window import DateArray, FloatArray, IntArray

LEVELS = (0.5, 0.8, 0.95)
"""The intervals that are shown unless others are asked for."""

RECENT = 104
"""How many of the last observed periods a forecast carries along."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """Draws of the counts of K streams in the H periods after the day it was made on.

    A draw is a whole path: its values over periods and streams belong together, so sums over them
    have honest intervals. A draw of infinity is a path that was stopped above its cap; it counts
    as larger than every number, so that quantiles stay right.

    Parameters
    ----------
    draws : array of float64, shape (n, H, K)
        Whole numbers or infinity.
    edges : array of datetime64[D], shape (H + 1,)
        First day of each period forecast, and the day after the last.
    names : tuple of str
        The K streams.
    made_on : date
        First day that was not known when the forecast was made.
    model : str
        What made it, in words.
    recent : array of int64, shape (m, K)
        Counts of the last m periods that were known.
    recent_edges : array of datetime64[D], shape (m + 1,)
        Their edges.
    recent_exposure : array of float64, shape (m, K) or (m,), optional
        The share of each that was watched; all of it unless given. Kept as (m, K).
    lengths : tuple of int, optional
        How many periods of `recent` each of the H entries is long; one each unless given.
    period : str
        What a period is called: "week", say.

    Raises
    ------
    ValueError
        When shapes disagree, a draw is negative, no whole number or NaN, the edges do not rise, or
        a period begins before `made_on`.
    """

    draws: FloatArray
    edges: DateArray
    names: tuple[str, ...]
    made_on: date
    model: str
    recent: IntArray
    recent_edges: DateArray
    recent_exposure: FloatArray | None = None
    lengths: tuple[int, ...] = ()
    period: str = "period"

    def __post_init__(self) -> None:
        for name, array in own_arrays(self).items():
            object.__setattr__(self, name, array)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "lengths", tuple(self.lengths) or (1,) * self.draws.shape[1])
        check_shapes(self)
        check_calendar(self)

    @classmethod
    def after(cls, series: CountSeries, draws: ArrayLike, model: str) -> "Forecast":
        """The forecast that follows a series: its calendar is carried on, its end kept as `recent`.

        Parameters
        ----------
        series : CountSeries
            What was known.
        draws : array_like, shape (n, H, K)
            Draws of the next H periods.
        model : str
            What made it, in words.
        """
        values = np.asarray(draws, dtype=np.float64)
        return cls(
            values,
            future_edges(series, values.shape[1]),
            series.names,
            series.window.end,
            model,
            series.counts[-RECENT:],
            series.edges[-RECENT - 1 :],
            series.watch[-RECENT:],
            period=series.period,
        )

    @property
    def mean(self) -> FloatArray:
        """Mean of the draws, shape (H, K); infinite where a draw is."""
        return np.asarray(self.draws.mean(axis=0))

    def quantile(self, q: ArrayLike) -> FloatArray:
        """Quantiles, shape of `q` followed by (H, K).

        Always one of the draws, hence a count: the smallest that at least the share q of the draws
        does not exceed (inverse of the distribution function, no interpolation).
        """
        return quantile_draws(self.draws, q)

    def interval(self, level: float = 0.9) -> FloatArray:
        """The central interval of probability `level`, shape (2, H, K): lower and upper end."""
        return self.quantile([(1 - probability_between(level)) / 2, (1 + level) / 2])

    def highest_density(self, level: float = 0.9) -> FloatArray:
        """The shortest interval with at least so much probability, shape (2, H, K).

        Of several as short the lowest is taken. For counts near zero it begins at zero, where the
        equal-tailed one may not.
        """
        return shortest(self.draws, level)

    def prob_at_least(self, n: float) -> FloatArray:
        """Probability of n incidents or more, shape (H, K)."""
        return np.asarray((self.draws >= n).mean(axis=0))

    def prob_above_recent(self, against: int = 52, factor: float = 1.0) -> FloatArray:
        """Probability of more than `factor` times the mean of the last known periods, shape (H, K).

        Of the last `against` periods; with 1 and 1 that of more than in the last period. NaN where
        none of them was watched. A block of periods is compared with as many means.
        """
        mean = self.recent_mean(against)
        share = (self.draws > factor * np.outer(self.lengths, mean)).mean(axis=0)
        return np.where(np.isnan(mean), np.nan, share)

    def onset(self, against: int = 12, n: float = 1) -> FloatArray:
        """Probability that violence begins: n or more by each period where none was before.

        Parameters
        ----------
        against : int
            Known periods without any incident that make a stream quiet.
        n : float
            Incidents together, from the first period forecast up to each.

        Returns
        -------
        numpy.ndarray
            (H, K), rising with the period; NaN for a stream that was not quiet, or not watched.
        """
        begun = (np.cumsum(self.draws, axis=1) >= n).mean(axis=0)
        return np.where(self.recent_mean(against) == 0, begun, np.nan)

    def total(self) -> "Forecast":
        """The forecast of the sum of the streams, one stream called "all streams".

        A past period in which one stream was watched less than another is not known of the sum.
        """
        return self.sums({ALL_STREAMS: self.names})

    def sums(self, groups: Mapping[str, Sequence[str]]) -> "Forecast":
        """The forecast of sums over groups of streams; their dependence is kept.

        A past period in which one stream of a group was watched less than another is not known of
        the sum.

        Parameters
        ----------
        groups : mapping of str to sequence of str
            Streams of each sum, by its name.

        Raises
        ------
        ValueError
            For a stream that is not among them, or a group without one.
        """
        return over_groups(self, groups)

    def blocks(self, sizes: Sequence[int]) -> "Forecast":
        """The forecast of the sums over consecutive blocks of the horizon.

        Parameters
        ----------
        sizes : sequence of int
            Periods in each block, from the first on; together no more than the horizon.
        """
        return over_blocks(self, sizes)

    def escalation(
        self, periods: int = 12, against: int = 52, level: float = 0.9, factor: float = 1.0
    ) -> pl.DataFrame:
        """Is it building up? The next periods against the last ones, for each stream and their sum.

        Parameters
        ----------
        periods : int
            Periods of the forecast that are averaged, from the first on.
        against : int
            Known periods that are averaged; fewer where fewer are known, and then `note` says so.
        level : float
            Probability of the ratio's interval.
        factor : float
            How many times the past mean counts as more.

        Returns
        -------
        polars.DataFrame
            A row a stream and one for "all streams": `stream`; `probability` that the mean of the
            next `periods` exceeds `factor` times that of the last `against`; the `ratio` of the
            two means (median) with `lower` and `upper`; `expected` and `past_mean`, incidents a
            period; `ahead`, `past`; `note`. The ratio is null where the past had no incidents.
        """
        return building_up(self, periods, against, level, factor)

    def score(self, observed: ArrayLike, levels: Sequence[float] = LEVELS) -> pl.DataFrame:
        """Compare with what came: a row a period and stream, the sum of the streams included.

        The CRPS looks at counts up to 100 times (1 + the largest of `recent`), a period and
        stream: fixed before anything came, out of reach of what comes, and a forecast with a few
        paths that were stopped above the cap has a finite score (`scores.crps_draws`). Where no
        past is known it looks at all counts.

        Parameters
        ----------
        observed : array_like, shape (H, K)
            What came; NaN where nobody watched, which scores null.
        levels : sequence of float
            Probabilities of the intervals.

        Returns
        -------
        polars.DataFrame
            `step` (1 is the first period), `date` (its first day), `stream`, `observed`, `mean`,
            `median`, `crps`, `log_score` (nats, by `scores.smoothed_pmf`), `squared_error` of the
            mean, `lo50`, `hi50`, `in50` and so on for each level, `pit_low`, `pit_high`, `capped`
            (the share of infinite draws).
        """
        return scores(self, observed, levels)

    def table(self, levels: Sequence[float] = LEVELS, at_least: Sequence[int] = ()) -> pl.DataFrame:
        """The forecast as a table: a row a period and stream.

        Parameters
        ----------
        levels : sequence of float
            Probabilities of the intervals.
        at_least : sequence of int
            Thresholds n whose probabilities P(>= n) are wanted.

        Returns
        -------
        polars.DataFrame
            `step`, `start`, `end` (the day after), `stream`, `mean`, `median`, `lo50`, `hi50` and
            so on for each level, `at_least_5` and so on for each threshold.
        """
        return summaries(self, levels, at_least)

    def to_hub(
        self,
        types: Sequence[str] = ("quantile", "sample"),
        *,
        target: str = "incidents",
        quantiles: Sequence[float] = HUB_LEVELS,
        at_most: Sequence[float] = (),
        day: str = "reference_date",
    ) -> pl.DataFrame:
        """The forecast as a table of model output that the hubverse tools read.

        Parameters
        ----------
        types : sequence of str
            Of "mean", "median", "quantile", "cdf" and "sample".
        target : str
            What is counted.
        quantiles : sequence of float
            Levels of the type "quantile".
        at_most : sequence of float
            Thresholds n of the type "cdf": P(Y <= n).
        day : {"reference_date", "origin_date"}
            Name of the column with the last day that was known.

        Returns
        -------
        polars.DataFrame
            Columns `reference_date` (or `origin_date`), `target`, `horizon` in periods from 1 on,
            `location` (the stream), `target_end_date` (the last day of the period), `output_type`,
            `output_type_id` (level, threshold or number of the path, as text; null for mean and
            median), `value`. A path has one number in all horizons and locations: a compound
            modelling task, whose sums are honest. Infinite draws are infinite values.

        Raises
        ------
        ValueError
            For a type or column that is none of these.

        References
        ----------
        hubDocs, "Model output" and "Sample output type", <https://docs.hubverse.io>.
        """
        return to_hub(self, types, target, quantiles, at_most, day)

    @classmethod
    def from_hub(
        cls, table: pl.DataFrame | Path | str, *, model: str = "hub", period: str = "period"
    ) -> "Forecast":
        """The forecast in a table, or a Parquet, CSV or JSON file, of model output.

        Only a table with one date, one target and samples over all horizons and locations makes a
        forecast: quantiles of single periods do not say how periods depend on each other. What
        was known before is not in such a table, so that `recent` is empty. Where the first horizon
        is 0 or less (a period that had begun), the forecast counts as made on its first day.

        Raises
        ------
        ValueError
            Where a column or the samples are missing, a path has holes, or the first day of a
            period that had begun cannot be told.
        """
        parts = from_hub(table)
        return cls(model=model, period=period, **parts)

    def write(self, path: Path | str, types: Sequence[str] = ("quantile", "sample")) -> Path:
        """Write the table of `to_hub` as .parquet, .csv or .json, whole or not at all.

        Raises
        ------
        ValueError
            For another suffix, and for infinite draws in JSON, which has no infinity.
        """
        return write_table(self.to_hub(types), Path(path))

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same draws of the same periods, by the same model."""
        if not isinstance(other, Forecast):
            return NotImplemented
        arrays = ("draws", "edges", "recent", "recent_edges", "recent_exposure")
        plain = ("names", "made_on", "model", "lengths", "period")
        return all(getattr(self, name) == getattr(other, name) for name in plain) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def __repr__(self) -> str:
        """Say of what, from when, how far, by what."""
        n, horizon, streams = self.draws.shape
        return (
            f"Forecast({self.model}, made on {self.made_on}, {horizon} {self.period}s, "
            f"{streams} stream{'' if streams == 1 else 's'}, {n:,} draws)"
        )

    def _repr_html_(self) -> str:
        return f"<p><b>Forecast</b>: {escape(repr(self)[9:-1])}</p>{self.table()._repr_html_()}"

    def with_total(self) -> "Forecast":
        """The forecast of the streams and of their sum, which comes last."""
        return followed_by_total(self)

    def recent_mean(self, past: int = 52) -> FloatArray:
        """Mean of the last `past` known periods, shape (K,); NaN where none was watched."""
        if past < 1:
            raise ValueError(f"against must be at least one period, not {past}")
        watched = cast(FloatArray, self.recent_exposure)[-past:].sum(axis=0)
        total = self.recent[-past:].sum(axis=0).astype(np.float64)
        out = np.full(len(total), np.nan)
        return np.asarray(np.divide(total, watched, out=out, where=watched > 0))

    def long(self, columns: dict[str, Any]) -> pl.DataFrame:
        """Arrays (H, K) as columns: a row a period and stream, with `step`, `start`, `end`."""
        return long(self, columns)
