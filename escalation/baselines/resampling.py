"""Baselines that draw from the past as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from escalation.background import YEAR
from escalation.baselines.base import (
    Baseline,
    FittedBaseline,
    days_between,
    in_full,
    watched_in_full,
)
from escalation.series import CountSeries
from escalation.window import FloatArray, IntArray


@dataclass(frozen=True)
class Climatology(Baseline):
    """What followed at this time of the year in earlier years.

    Each draw is a stretch of the past, as long as the horizon and of all streams together, that
    begins within `half_width` days of the same season in an earlier year: five weeks a year with
    17.5 days, one month a year. The last weeks of the series are not among them, however short the
    horizon. Only stretches that were watched throughout serve. With less than two years of
    past, or no such stretch, every period is drawn by itself from all that were watched in full.

    Parameters
    ----------
    half_width : float
        Days on each side of the season.
    """

    name: ClassVar[str] = "climatology"
    half_width: float = 17.5

    def __post_init__(self) -> None:
        if not 0 < self.half_width < YEAR / 2:
            raise ValueError(f"half_width is above 0 and below half a year, not {self.half_width}")

    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""
        series = fitted.series
        starts = self._starts(series, horizon)
        if len(starts) == 0:
            return resample(series.counts[in_full(series)], horizon, rng, draws)
        rows = starts[rng.integers(len(starts), size=draws)][:, None] + np.arange(horizon)
        return series.counts[rows].astype(np.float64)

    def _starts(self, series: CountSeries, horizon: int) -> np.ndarray:
        """First periods of the stretches that serve."""
        places = np.arange(len(series) - horizon + 1)
        if series.window.days < 2 * YEAR or len(places) == 0:
            return places[:0]
        whole = whole_stretches(series, horizon)
        ago = days_between(series.edges[places], series.edges[-1])
        apart = np.minimum(ago % YEAR, YEAR - ago % YEAR)
        return np.asarray(places[whole & (apart <= self.half_width) & (ago > self.half_width)])


@dataclass(frozen=True)
class Conflictology(Baseline):
    """The last year again, in any order: each period is one of the last `window` ones.

    All streams of a period are drawn together, which keeps their dependence; the periods of a
    path are drawn independently. Only periods that were watched in full serve.

    Parameters
    ----------
    window : int
        How many of the last periods are drawn from.
    exact : bool
        Whether the forecast is made of as many draws as the window has periods, whatever number
        is asked for: each of them once in every period ahead, as the benchmark with the last twelve
        months has it. A path then runs through the window in its order, from one of its periods
        on and round to its beginning.

    References
    ----------
    Hegre et al. (2025), the VIEWS prediction challenge of 2023/24, where it is the benchmark.
    """

    name: ClassVar[str] = "conflictology"
    window: int = 52
    exact: bool = False

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window must be at least one period, not {self.window}")

    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""
        known = fitted.series.counts[in_full(fitted.series)][-self.window :]
        if not self.exact:
            return resample(known, horizon, rng, draws)
        rows = (np.arange(len(known))[:, None] + np.arange(horizon)) % len(known)
        return np.asarray(known[rows], dtype=np.float64)


@dataclass(frozen=True)
class ExponentialResampling(Baseline):
    """The past again, the later the likelier: weights halve with every `half_life` periods of age.

    All streams of a period are drawn together, and the periods of a path independently. Only
    periods that were watched in full serve; age counts all periods.

    Parameters
    ----------
    half_life : float
        Periods.
    """

    name: ClassVar[str] = "exponentially weighted resampling"
    half_life: float = 13.0

    def __post_init__(self) -> None:
        if not self.half_life > 0:
            raise ValueError(f"half_life must be above 0 periods, not {self.half_life}")

    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""
        serve = np.flatnonzero(in_full(fitted.series))
        weights = 0.5 ** ((serve[-1] - serve) / self.half_life)
        rows = rng.choice(serve, (draws, horizon), p=weights / weights.sum())
        return fitted.series.counts[rows].astype(np.float64)


@dataclass(frozen=True)
class Analogue(Baseline):
    """What followed the stretches of the past that were most like the last one.

    A stretch is `length` periods of all streams; two are as far apart as the Euclidean distance
    of the square roots of their counts, on which scale Poisson noise is even. Each draw is what
    followed one of the `neighbours` nearest, as long as the horizon and of all streams together.
    Only stretches watched in full with a whole horizon after them serve; with fewer than
    `neighbours` of these every period is drawn by itself from all that were watched in full.

    Parameters
    ----------
    neighbours : int
    length : int
        Periods.

    References
    ----------
    Lorenz (1969), Journal of the Atmospheric Sciences 26, for forecasts by analogues.
    """

    name: ClassVar[str] = "analogue"
    neighbours: int = 20
    length: int = 8

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.length < 1:
            raise ValueError(
                f"neighbours and length are at least 1, not {self.neighbours} and {self.length}"
            )

    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""
        series = fitted.series
        nearest = self._nearest(series, horizon)
        if len(nearest) < self.neighbours:
            return resample(series.counts[in_full(series)], horizon, rng, draws)
        starts = nearest[rng.integers(len(nearest), size=draws)]
        return np.asarray(series.counts[starts[:, None] + np.arange(horizon)], dtype=np.float64)

    def _nearest(self, series: CountSeries, horizon: int) -> IntArray:
        """First periods of what followed the nearest stretches."""
        reach = self.length + horizon
        served = np.flatnonzero(watched_in_full(series))
        if len(series) < reach or len(served) < self.length:
            return np.empty(0, np.int64)
        root = np.sqrt(series.counts)
        last = root[served[-self.length :]]
        stretches = np.lib.stride_tricks.sliding_window_view(root, self.length, axis=0)
        places = np.flatnonzero(whole_stretches(series, reach))
        apart = ((stretches[places].transpose(0, 2, 1) - last) ** 2).sum(axis=(1, 2))
        order = np.argsort(apart, kind="stable")[: self.neighbours]
        return np.asarray(places[order] + self.length, np.int64)


def resample(known: np.ndarray, horizon: int, rng: np.random.Generator, draws: int) -> FloatArray:
    """Rows of known counts (m, K), drawn with replacement: (draws, horizon, K)."""
    return np.asarray(known[rng.integers(len(known), size=(draws, horizon))], dtype=np.float64)


def whole_stretches(series: CountSeries, length: int) -> np.ndarray:
    """Whether the stretch of so many periods from each place on was watched in full."""
    missing = np.concatenate([[0], np.cumsum(~watched_in_full(series))])
    return np.asarray(missing[length:] == missing[: len(missing) - length])
