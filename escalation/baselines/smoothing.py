"""A baseline whose level follows the counts, estimated by statsmodels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from escalation.baselines.base import Baseline, FittedBaseline, in_full
from escalation.series import CountSeries
from escalation.window import FloatArray

SHIFT = 3 / 8
"""Anscombe's: the square root of a Poisson count plus 3/8 has nearly the same variance anywhere."""

FEWEST = 20
"""Below so many periods the weight is not estimated: it is `ExponentialSmoothing.usual`."""


@dataclass(frozen=True)
class ExponentialSmoothing(Baseline):
    r"""A level that follows the counts: simple exponential smoothing of each stream.

    .. math:: \sqrt{y_t + 3/8} = \ell_{t-1} + \varepsilon_t, \qquad
              \ell_t = \ell_{t-1} + \alpha \varepsilon_t

    with the weight and the first level by maximum likelihood (statsmodels' `ETSModel`). A path
    goes on with errors of the past, drawn with those of all streams in one period together, and is
    squared and rounded to counts. Only periods watched in full are smoothed.

    Parameters
    ----------
    usual : float
        The weight where there are fewer than twenty periods.

    References
    ----------
    Hyndman, Koehler, Ord and Snyder (2008), Forecasting with Exponential Smoothing, section 2.5.
    """

    name: ClassVar[str] = "exponential smoothing"
    usual: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.usual <= 1:
            raise ValueError(f"usual lies above 0 and is at most 1, not {self.usual}")

    def learn(self, series: CountSeries) -> Mapping[str, FloatArray]:
        """Estimate each stream: `weight` (K,) and `start` (K,), the first level."""
        roots = np.sqrt(series.counts[in_full(series)] + SHIFT)
        found = [self._estimate(column) for column in roots.T]
        weight, start = np.array(found).T
        return {"weight": weight, "start": start}

    def _estimate(self, roots: FloatArray) -> tuple[float, float]:
        if len(roots) < FEWEST or np.ptp(roots) == 0:
            return self.usual, float(roots[: min(len(roots), 8)].mean())
        # Imported here: statsmodels brings pandas, and takes seconds.
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel

        with warnings.catch_warnings():
            # No convergence leaves the best weight seen, which serves a baseline.
            warnings.simplefilter("ignore")
            fit = ETSModel(roots, error="add", trend=None, seasonal=None).fit(disp=False)
        values = dict(zip(fit.param_names, np.asarray(fit.params), strict=True))
        return float(values["smoothing_level"]), float(values["initial_level"])

    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""
        weight, level = fitted.estimate["weight"], fitted.estimate["start"]
        roots = np.sqrt(fitted.series.counts[in_full(fitted.series)] + SHIFT)
        errors = np.empty_like(roots)
        for t, now in enumerate(roots):
            errors[t] = now - level
            level = level + weight * errors[t]
        errors -= errors.mean(axis=0)
        drawn = errors[rng.integers(len(errors), size=(draws, horizon))]
        before = np.cumsum(drawn, axis=1) - drawn
        paths = np.maximum(level + weight * before + drawn, 0.0)
        return np.asarray(np.maximum(np.rint(paths**2 - SHIFT), 0.0))
