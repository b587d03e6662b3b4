"""A baseline with a level and a season, estimated by statsmodels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from escalation.background import YEAR, Background
from escalation.baselines.base import Baseline, FittedBaseline, days_between
from escalation.forecast import future_edges
from escalation.series import CountSeries
from escalation.window import DateArray, FloatArray

HIGHEST_LOG_RATE = 20.0
"""A rate of e^20 incidents a period is as high as a baseline goes."""


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
