"""The exponential kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.kernels.base import ExponentialFamily, Shape
from escalation.parameters import FloatArray, Parameter
from escalation.priors import LogNormal


@dataclass(frozen=True)
class Exponential(ExponentialFamily):
    r"""Exponentially decaying delays, :math:`g(u) = \beta e^{-\beta u}` for :math:`u > 0`.

    In periods the delay is geometric with ratio :math:`\rho = e^{-\beta}`:
    :math:`w_l = (1-\rho)\rho^{l-1}`, whatever the incident's place in its period, truncated at
    the last lag. Source: Hawkes (1971), Biometrika 58(1); Bracher & Held (2022), International
    Journal of Forecasting 38(3), for the geometric lags.

    Attributes
    ----------
    prior_median, prior_sd_log : float
        Log-normal prior of the decay, per day or per period.
    """

    prior_median: float = 0.7
    prior_sd_log: float = 1.0
    name = "exponential"

    @override
    def parameters(self, unit: str) -> tuple[Parameter, ...]:
        prior = LogNormal(self.prior_median, self.prior_sd_log)
        return (Parameter("decay", (), "positive", prior, "decay of the delay", f"per {unit}"),)

    @override
    def start(self, delay: float) -> FloatArray:
        return np.array([math.log(2) / delay])

    @override
    def bounds(self, duration: float) -> dict[str, tuple[float, float]]:
        # A delay longer than the window cannot be told from a drift of the background.
        return {"decay": (1 / duration, math.inf)}

    @override
    def density(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        rate = theta[..., 0]
        return np.where(age > 0, rate * np.exp(-rate * age), 0.0)

    @override
    def cdf(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        return np.where(age > 0, -np.expm1(-theta[..., 0] * age), 0.0)

    @override
    def quantile(self, probability: FloatArray, theta: FloatArray) -> FloatArray:
        return -np.log1p(-probability) / theta[..., 0]

    @override
    def pmf(self, theta: FloatArray, lags: int) -> FloatArray:
        rate = np.asarray(theta[..., 0])[..., None]
        weights = np.exp(-rate * np.arange(lags))
        return weights / weights.sum(axis=-1, keepdims=True)

    @override
    def same_period(self, theta: FloatArray) -> FloatArray:
        # One minus the mean over a uniform place v in the period of P(delay > 1 - v).
        rate = theta[..., 0]
        return 1 + np.expm1(-rate) / rate

    @override
    def lag_weights(self) -> Shape:
        from escalation.kernels.compiled import geometric_weights

        shape: Shape = geometric_weights
        return shape

    @override
    def as_exponentials(self) -> Shape:
        from escalation.kernels.compiled import one_exponential

        shape: Shape = one_exponential
        return shape

    @override
    def pair_densities(self) -> Shape:
        from escalation.kernels.compiled import one_exponential_pairs

        shape: Shape = one_exponential_pairs
        return shape
