"""Forecast: dated predictive draws, and what is read off them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from html import escape
from typing import Any, cast

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
from escalation.series import CountSeries
from escalation.window import PERIOD_DAYS, DateArray, FloatArray, IntArray

ALL_STREAMS = "all streams"
"""The name of the sum of the streams."""

LEVELS = (0.5, 0.8, 0.95)
"""The intervals that are shown unless others are asked for."""

REACH = 100
"""The CRPS of a stream looks at counts up to this many times one more than its recent maximum."""

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
    recent_exposure : array of float64, shape (m,), optional
        The share of each that was watched; all of it unless given.
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
        draws = np.array(self.draws, dtype=np.float64)
        if draws.ndim != 3 or 0 in draws.shape:
            raise ValueError(f"draws must have shape (draws, periods, streams), got {draws.shape}")
        if not np.all((draws >= 0) & (draws == np.floor(draws))):
            raise ValueError("draws must be counts: whole numbers, not negative and not NaN")
        horizon, streams = draws.shape[1:]
        recent = np.array(self.recent, dtype=np.int64)
        exposure = np.ones(len(recent)) if self.recent_exposure is None else self.recent_exposure
        exposure = np.array(exposure, dtype=np.float64)
        arrays = {
            "draws": draws,
            "edges": np.array(self.edges, dtype="datetime64[D]"),
            "recent": recent,
            "recent_edges": np.array(self.recent_edges, dtype="datetime64[D]"),
            "recent_exposure": exposure,
        }
        for name, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "lengths", tuple(self.lengths) or (1,) * horizon)
        wanted = {
            "edges": (self.edges.shape, (horizon + 1,)),
            "names": ((len(self.names),), (streams,)),
            "lengths": ((len(self.lengths),), (horizon,)),
            "recent": (recent.shape, (len(self.recent_edges) - 1, streams)),
            "recent_exposure": (exposure.shape, (len(self.recent_edges) - 1,)),
        }
        for name, (came, want) in wanted.items():
            if came != want:
                raise ValueError(
                    f"draws of shape {draws.shape} want {name} of shape {want}, got {came}"
                )
        for name, edges in (("edges", self.edges), ("recent_edges", self.recent_edges)):
            if not np.all(np.diff(edges) > np.timedelta64(0, "D")):
                raise ValueError(f"{name} must rise")
        if self.edges[0] < np.datetime64(self.made_on, "D"):
            raise ValueError(f"a forecast made on {self.made_on} cannot begin on {self.edges[0]}")

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
            series.scale[-RECENT:],
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
        if not 0 < level < 1:
            raise ValueError(f"a level must lie between 0 and 1, not {level}")
        return self.quantile([(1 - level) / 2, (1 + level) / 2])

    def prob_at_least(self, n: float) -> FloatArray:
        """Probability of n incidents or more, shape (H, K)."""
        return np.asarray((self.draws >= n).mean(axis=0))

    def prob_above_recent(self, past: int = 52) -> FloatArray:
        """Probability of more than the mean of the last `past` known periods, shape (H, K).

        NaN where none of them was watched. A block of periods is compared with as many means.
        """
        mean = self._recent_mean(past)
        share = (self.draws > np.outer(self.lengths, mean)).mean(axis=0)
        return np.where(np.isnan(mean), np.nan, share)

    def total(self) -> "Forecast":
        """The forecast of the sum of the streams, one stream called "all streams"."""
        return replace(
            self,
            draws=self.draws.sum(axis=2, keepdims=True),
            recent=self.recent.sum(axis=1, keepdims=True),
            names=(ALL_STREAMS,),
        )

    def blocks(self, sizes: Sequence[int]) -> "Forecast":
        """The forecast of the sums over consecutive blocks of the horizon.

        Parameters
        ----------
        sizes : sequence of int
            Periods in each block, from the first on; together no more than the horizon.
        """
        ends = np.cumsum([0, *sizes])
        if len(sizes) == 0 or min(sizes) < 1 or ends[-1] > self.draws.shape[1]:
            raise ValueError(
                f"blocks of {list(sizes)} periods do not fit a horizon of {self.draws.shape[1]}"
            )
        lengths = np.add.reduceat(self.lengths[: ends[-1]], ends[:-1])
        return replace(
            self,
            draws=np.add.reduceat(self.draws[:, : ends[-1]], ends[:-1], axis=1),
            edges=self.edges[ends],
            lengths=tuple(lengths.tolist()),
        )

    def escalation(
        self, ahead: int = 12, past: int = 52, level: float = 0.9, factor: float = 1.0
    ) -> pl.DataFrame:
        """Is it building up? The next periods against the last ones, for each stream and their sum.

        Parameters
        ----------
        ahead : int
            Periods of the forecast that are averaged, from the first on.
        past : int
            Known periods that are averaged; fewer where fewer are known, and then `note` says so.
        level : float
            Probability of the ratio's interval.
        factor : float
            How many times the past mean counts as more.

        Returns
        -------
        polars.DataFrame
            A row a stream and one for "all streams": `stream`; `probability` that the mean of the
            next `ahead` periods exceeds `factor` times that of the last `past`; the `ratio` of the
            two means (median) with `lower` and `upper`; `expected` and `past_mean`, incidents a
            period; `ahead`, `past`; `note`. The ratio is null where the past had no incidents.
        """
        if not 1 <= ahead <= len(self.lengths):
            raise ValueError(f"ahead = {ahead} periods, but the forecast has {len(self.lengths)}")
        whole = self._with_total()
        coming = whole.draws[:, :ahead].sum(axis=1) / sum(self.lengths[:ahead])
        mean = whole._recent_mean(past)
        median, lower, upper = quantile_draws(coming, [0.5, (1 - level) / 2, (1 + level) / 2])
        defined = mean > 0
        safe = np.where(defined, mean, 1.0)
        known = min(past, len(self.recent))
        columns = {
            "stream": whole.names,
            "probability": np.where(np.isnan(mean), np.nan, (coming > factor * mean).mean(axis=0)),
            "ratio": np.where(defined, median / safe, np.nan),
            "lower": np.where(defined, lower / safe, np.nan),
            "upper": np.where(defined, upper / safe, np.nan),
            "expected": coming.mean(axis=0),
            "past_mean": mean,
            "ahead": [ahead] * len(mean),
            "past": [known] * len(mean),
            "note": [self._note(value, past) for value in mean],
        }
        return pl.DataFrame(columns, nan_to_null=True)

    def score(self, observed: ArrayLike, levels: Sequence[float] = LEVELS) -> pl.DataFrame:
        """Compare with what came: a row a period and stream, the sum of the streams included.

        The CRPS looks at counts up to 100 times (1 + the largest of `recent`), a period and
        stream: fixed before anything came, out of reach of what comes, and a forecast with a few
        paths that were stopped above the cap has a finite score (`scores.crps_draws`).

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
        values = np.array(observed, dtype=np.float64)
        if values.shape != self.draws.shape[1:]:
            raise ValueError(f"observed must have shape {self.draws.shape[1:]}, got {values.shape}")
        whole = self._with_total()
        if len(whole.names) > len(self.names):
            values = np.concatenate([values, values.sum(axis=1, keepdims=True)], axis=1)
        low, high = pit_bounds(whole.draws, values)
        reach = REACH * np.outer(whole.lengths, 1 + whole.recent.max(axis=0, initial=0))
        columns = {
            "observed": values,
            "mean": whole.mean,
            "median": whole.quantile(0.5),
            "crps": crps_draws(whole.draws, values, reach),
            "log_score": log_score_draws(whole.draws, values),
            "squared_error": squared_error(whole.draws, values),
        }
        for level in levels:
            ends = whole.interval(level)
            name = _percent(level)
            columns |= {f"lo{name}": ends[0], f"hi{name}": ends[1]}
            columns[f"in{name}"] = coverage(ends[0], ends[1], values)
        columns |= {"pit_low": low, "pit_high": high}
        columns["capped"] = np.isinf(whole.draws).mean(axis=0)
        return whole._long(columns).drop("end").rename({"start": "date"})

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
        columns = {"mean": self.mean, "median": self.quantile(0.5)}
        for level in levels:
            ends = self.interval(level)
            columns |= {f"lo{_percent(level)}": ends[0], f"hi{_percent(level)}": ends[1]}
        columns |= {f"at_least_{n}": self.prob_at_least(n) for n in at_least}
        return self._long(columns)

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

    def _with_total(self) -> "Forecast":
        if ALL_STREAMS in self.names:
            return self
        total = self.total()
        return replace(
            self,
            draws=np.concatenate([self.draws, total.draws], axis=2),
            recent=np.concatenate([self.recent, total.recent], axis=1),
            names=(*self.names, ALL_STREAMS),
        )

    def _recent_mean(self, past: int) -> FloatArray:
        if past < 1:
            raise ValueError(f"past must be at least one period, not {past}")
        watched = cast(FloatArray, self.recent_exposure)[-past:].sum()
        total = self.recent[-past:].sum(axis=0).astype(np.float64)
        return total / watched if watched > 0 else np.full(len(total), np.nan)

    def _note(self, mean: float, past: int) -> str:
        if np.isnan(mean):
            return f"none of the last {past} {self.period}s was watched"
        notes = []
        if len(self.recent) < past:
            notes.append(f"only {len(self.recent)} of the last {past} {self.period}s are known")
        if mean == 0:
            notes.append(f"no incidents in the last {past} {self.period}s, so there is no ratio")
        return "; ".join(notes)

    def _long(self, columns: dict[str, Any]) -> pl.DataFrame:
        _, horizon, streams = self.draws.shape
        steps = np.repeat(np.arange(horizon), streams)
        head = {
            "step": steps + 1,
            "start": self.edges[:-1][steps],
            "end": self.edges[1:][steps],
            "stream": self.names * horizon,
        }
        cells = {name: np.ravel(values) for name, values in columns.items()}
        return pl.DataFrame(head | cells, nan_to_null=True)


def future_edges(series: CountSeries, horizon: int) -> DateArray:
    """Edges of the periods that follow a series, shape (horizon + 1,): its calendar carried on.

    Raises
    ------
    ValueError
        For a horizon below one period.
    """
    if horizon < 1:
        raise ValueError(f"a horizon is at least one period, not {horizon}")
    last, steps = series.edges[-1], np.arange(horizon + 1)
    if series.period == "month":
        return cast(DateArray, (last.astype("datetime64[M]") + steps).astype("datetime64[D]"))
    return cast(DateArray, last + steps * int(PERIOD_DAYS[series.period]))


def _percent(level: float) -> str:
    return f"{100 * level:g}"
