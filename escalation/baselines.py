"""Baselines: simple forecasts that a model must beat to be worth its trouble."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from escalation.background import YEAR, Background
from escalation.forecast import Forecast, future_edges
from escalation.series import CountSeries
from escalation.window import BoolArray, DateArray, FloatArray

__all__ = ["Baseline", "Climatology", "Conflictology", "Persistence", "SeasonalGLM"]

HIGHEST_LOG_RATE = 20.0
"""A rate of e^20 incidents a period is as high as a baseline goes."""


class Baseline(ABC):
    """A simple forecast. A concrete one is a frozen dataclass of its settings.

    Periods that were not watched are not observations, and those watched in part are used only
    where the baseline can weigh them.
    """

    name: ClassVar[str]

    def fit(self, series: CountSeries, rng: np.random.Generator | None = None) -> FittedBaseline:
        """Learn from a series what the forecast needs; `rng` is not used.

        Raises
        ------
        ValueError
            When no period of the series was watched.
        """
        if not (series.exposure > 0).any():
            raise ValueError(f"{self.name}: no {series.period} of the series was watched")
        return FittedBaseline(self, series, self.learn(series))

    def learn(self, series: CountSeries) -> Mapping[str, FloatArray]:
        """Estimates that the draws need; nothing for a baseline that resamples."""
        return {}

    @abstractmethod
    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""


@dataclass(frozen=True, eq=False)
class FittedBaseline:
    """A baseline with the series that it learned from.

    Parameters
    ----------
    baseline : Baseline
    series : CountSeries
    estimate : mapping of str to array
        What it learned, if anything.
    """

    baseline: Baseline
    series: CountSeries
    estimate: Mapping[str, FloatArray]

    def forecast(self, horizon: int, rng: np.random.Generator, draws: int = 1000) -> Forecast:
        """Draw the next `horizon` periods after the series."""
        if horizon < 1 or draws < 1:
            raise ValueError(f"horizon and draws are at least 1, not {horizon} and {draws}")
        paths = self.baseline.sample(self, horizon, rng, draws)
        return Forecast.after(self.series, paths, self.baseline.name)


@dataclass(frozen=True)
class Climatology(Baseline):
    """What followed at this time of the year in earlier years.

    Each draw is a stretch of the past, as long as the horizon and of all streams together, that
    begins within `half_width` days of the same season: five weeks a year with 17.5 days, one
    month a year. Only stretches that were watched throughout serve. With less than two years of
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
        missing = np.concatenate([[0], np.cumsum(~_full(series))])
        whole = missing[places + horizon] == missing[places]
        ago = days_between(series.edges[places], series.edges[-1]) % YEAR
        return np.asarray(places[whole & (np.minimum(ago, YEAR - ago) <= self.half_width)])


@dataclass(frozen=True)
class Persistence(Baseline):
    r"""The level of the last periods goes on, Poisson.

    A rate for each stream and draw from the Jeffreys posterior of the last `periods` watched
    periods, :math:`\lambda \sim \text{Gamma}(\sum y + 1/2, \sum e)` with e the share of each
    that was watched, then Poisson counts around it. A quiet past is not taken for certainty.

    Parameters
    ----------
    periods : int
        Watched periods that make up the last level.
    """

    name: ClassVar[str] = "persistence"
    periods: int = 4

    def __post_init__(self) -> None:
        if self.periods < 1:
            raise ValueError(f"periods must be at least 1, not {self.periods}")

    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""
        series = fitted.series
        last = np.flatnonzero(series.exposure > 0)[-self.periods :]
        total, watched = series.counts[last].sum(axis=0), series.scale[last].sum()
        rate = rng.gamma(total + 0.5, 1 / watched, (draws, series.n_streams))
        return rng.poisson(rate[:, None], (draws, horizon, series.n_streams)).astype(np.float64)


@dataclass(frozen=True)
class Conflictology(Baseline):
    """The last year again, in any order: each period is one of the last `window` ones.

    All streams of a period are drawn together, which keeps their dependence; the periods of a
    path are drawn independently. Only periods that were watched in full serve.

    Parameters
    ----------
    window : int
        How many of the last periods are drawn from.

    References
    ----------
    Hegre et al. (2025), the VIEWS prediction challenge of 2023/24, where it is the benchmark.
    """

    name: ClassVar[str] = "conflictology"
    window: int = 52

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window must be at least one period, not {self.window}")

    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""
        known = fitted.series.counts[in_full(fitted.series)][-self.window :]
        return resample(known, horizon, rng, draws)


@dataclass(frozen=True)
class SeasonalGLM(Baseline):
    r"""A level and a season, no memory: a generalised linear model of each stream by itself.

    .. math:: \log \mu_t = \log e_t + \alpha + \sum_s \{\gamma_s \sin(2\pi s t/P)
              + \delta_s \cos(2\pi s t/P)\}, \quad \text{Var} = \mu + \psi\mu^2

    fitted by statsmodels; e is the share of the period that was watched. Parameters are drawn from
    the normal law around the estimate (the dispersion on the log scale). A stream without
    over-dispersion, or where its estimation fails, is Poisson; one with fewer than ten incidents a
    coefficient has no season, and its level is drawn around log((sum + 1/2) / watched).

    Parameters
    ----------
    harmonics : int
        Sine-cosine pairs.
    season_length : float
        P, in days.
    distribution : {"negative binomial", "poisson"}
    """

    name: ClassVar[str] = "seasonal GLM"
    harmonics: int = 1
    season_length: float = YEAR
    distribution: str = "negative binomial"

    def __post_init__(self) -> None:
        if self.distribution not in ("negative binomial", "poisson"):
            raise ValueError(
                f"distribution must be 'negative binomial' or 'poisson', not {self.distribution!r}"
            )
        self._background()

    def learn(self, series: CountSeries) -> Mapping[str, FloatArray]:
        """Estimate each stream.

        Returns
        -------
        mapping
            `coefficients` (K, P), `covariance` (K, P, P), `dispersion` psi (K,), 0 where Poisson,
            and `dispersion_sd` (K,) of its logarithm.
        """
        watched = series.exposure > 0
        scale = series.scale[watched]
        design = self._design(series, series.edges)[watched]
        found = [self._estimate(y, design, scale) for y in series.counts[watched].T]
        names = ("coefficients", "covariance", "dispersion", "dispersion_sd")
        return {
            n: np.array(v, np.float64) for n, v in zip(names, zip(*found, strict=True), strict=True)
        }

    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""
        estimate, series = fitted.estimate, fitted.series
        values, vectors = np.linalg.eigh(estimate["covariance"])
        root = vectors * np.sqrt(np.clip(values, 0, None))[:, None, :]
        normal = rng.standard_normal((draws, *estimate["coefficients"].shape))
        beta = estimate["coefficients"] + np.einsum("kpq,nkq->nkp", root, normal)
        design = self._design(series, future_edges(series, horizon))
        log_rate = np.einsum("hp,nkp->nhk", design, beta)
        rate = np.exp(np.minimum(log_rate, HIGHEST_LOG_RATE))
        spread = np.exp(rng.standard_normal((draws, series.n_streams)) * estimate["dispersion_sd"])
        psi = (estimate["dispersion"] * spread)[:, None, :]
        shape = 1 / np.where(psi > 0, psi, 1.0)
        mixed = rng.gamma(np.broadcast_to(shape, rate.shape)) / shape
        counts = rng.poisson(np.where(psi > 0, rate * mixed, rate))
        return np.asarray(counts, dtype=np.float64)

    def _background(self) -> Background:
        return Background(harmonics=self.harmonics, season_length=self.season_length)

    def _design(self, series: CountSeries, edges: DateArray) -> FloatArray:
        since = days_between(series.edges[0], edges)
        middle = (since[1:] + since[:-1]) / 2
        return np.asarray(self._background().design(middle, series.window.days))

    def _estimate(
        self, counts: np.ndarray, design: FloatArray, scale: FloatArray
    ) -> tuple[FloatArray, FloatArray, float, float]:
        columns = design.shape[1]
        if counts.sum() < 10 * columns:
            coefficients, covariance = np.zeros(columns), np.zeros((columns, columns))
            coefficients[0] = np.log((counts.sum() + 0.5) / scale.sum())
            covariance[0, 0] = 1 / (counts.sum() + 0.5)
            return coefficients, covariance, 0.0, 0.0
        # Imported here: statsmodels brings pandas, and takes seconds.
        from statsmodels.discrete.discrete_model import NegativeBinomial, Poisson

        with warnings.catch_warnings():
            # What statsmodels warns of (no convergence, a singular Hessian) is looked at below.
            warnings.simplefilter("ignore")
            plain = Poisson(counts, design, exposure=scale).fit(disp=0, maxiter=100)
            start = np.asarray(plain.params)
            poisson = (start, np.asarray(plain.cov_params()), 0.0, 0.0)
            mean = scale * np.exp(design @ start)
            # The slope of the log-likelihood in psi at 0: without a rise, the maximum is there.
            rises = ((counts - mean) ** 2 - counts).sum() > 0
            if self.distribution == "poisson" or not rises:
                return poisson
            model = NegativeBinomial(counts, design, exposure=scale)
            full = model.fit(start_params=[*start, 0.2], disp=0, maxiter=500)
        if not full.mle_retvals["converged"] or full.normalized_cov_params is None:
            return poisson
        estimate, covariance = np.asarray(full.params), np.asarray(full.cov_params())
        if estimate[-1] < 1e-4 or not np.isfinite(covariance).all() or covariance[-1, -1] <= 0:
            return poisson
        # Beyond one unit the normal law of log psi no longer describes its likelihood.
        dispersion_sd = min(float(np.sqrt(covariance[-1, -1]) / estimate[-1]), 1.0)
        return estimate[:-1], covariance[:-1, :-1], float(estimate[-1]), dispersion_sd


def resample(known: np.ndarray, horizon: int, rng: np.random.Generator, draws: int) -> FloatArray:
    """Rows of known counts (m, K), drawn with replacement: (draws, horizon, K)."""
    return known[rng.integers(len(known), size=(draws, horizon))].astype(np.float64)


def in_full(series: CountSeries) -> BoolArray:
    """Periods watched in full, (T,); those watched at all where none was in full."""
    full = _full(series)
    return full if full.any() else series.exposure > 0


def _full(series: CountSeries) -> BoolArray:
    return np.asarray(series.scale > 1 - 1e-9)


def days_between(first: np.ndarray | np.datetime64, last: DateArray | np.datetime64) -> FloatArray:
    """Days from one date to another, element by element."""
    return np.asarray((last - first) / np.timedelta64(1, "D"), dtype=np.float64)
