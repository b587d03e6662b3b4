"""The Weibull kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.kernels.base import ContinuousKernel, Pointwise, Shape
from escalation.parameters import FloatArray, Parameter
from escalation.priors import LogNormal


@dataclass(frozen=True)
class Weibull(ContinuousKernel):
    r"""Weibull delays: below shape 1 many at once and some late, above it a wait.

    .. math:: g(u) = \frac{k}{s}\Big(\frac us\Big)^{k-1} e^{-(u/s)^k}, \qquad u > 0

    with a truncation, divided by the probability of a delay up to there. Likelihoods cost O(n²),
    or the pairs within the truncation. Below shape 1 the density is unbounded at zero, so that
    tied times within a stream are refused.

    Attributes
    ----------
    truncation : float, optional
        Longest delay, days or periods. None: no end.
    prior_shape, prior_shape_sd_log, prior_scale, prior_scale_sd_log : float
        Log-normal priors of k and s: medians, and standard deviations of the logs.

    References
    ----------
    Weibull (1951), Journal of Applied Mechanics 18(3), for the law.
    """

    truncation: float | None = None
    prior_shape: float = 1.0
    prior_shape_sd_log: float = 0.4
    prior_scale: float = 2.0
    prior_scale_sd_log: float = 1.0
    name = "weibull"

    def __post_init__(self) -> None:
        if self.truncation is not None and not 0 < self.truncation < math.inf:
            raise ValueError(f"truncation must be a positive age, got {self.truncation}")

    @property
    @override
    def reach(self) -> float:
        return math.inf if self.truncation is None else self.truncation

    @override
    def parameters(self, unit: str) -> tuple[Parameter, ...]:
        shape = LogNormal(self.prior_shape, self.prior_shape_sd_log)
        scale = LogNormal(self.prior_scale, self.prior_scale_sd_log)
        return (
            Parameter("shape", (), "positive", shape, "shape of the delay, below 1 long-tailed"),
            Parameter("scale", (), "positive", scale, "delay that 63 % stay below", unit),
        )

    @override
    def start(self, delay: float) -> FloatArray:
        return np.array([1.0, delay / math.log(2)])

    @override
    def bounds(self, duration: float) -> dict[str, tuple[float, float]]:
        # A delay longer than the window cannot be told from a drift of the background.
        return {"scale": (0.0, duration)}

    def _power(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        """The age over the scale, to the power of the shape, kept within range."""
        log = np.log(np.maximum(age, 1e-300)) - np.log(theta[..., 1])
        power = np.exp(np.clip(theta[..., 0] * log, -700.0, 600.0))
        return np.where(age > 0, power, 0.0)

    def _whole(self, theta: FloatArray) -> FloatArray:
        """Probability, untruncated, of a delay within the truncation."""
        if self.truncation is None:
            return np.ones(theta.shape[:-1])
        return np.asarray(-np.expm1(-self._power(np.asarray(self.reach), theta)))

    @override
    def density(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        age = np.asarray(age, float)
        inside = (age > 0) & (age <= self.reach)
        age = np.where(inside, age, 1.0)
        power = self._power(age, theta)
        free = theta[..., 0] / age * power * np.exp(-power)
        return np.where(inside, free / self._whole(theta), 0.0)

    @override
    def cdf(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        age = np.clip(np.asarray(age, float), 0.0, self.reach)
        return np.asarray(-np.expm1(-self._power(age, theta)) / self._whole(theta))

    @override
    def quantile(self, probability: FloatArray, theta: FloatArray) -> FloatArray:
        hazard = -np.log1p(-np.asarray(probability) * self._whole(theta))
        log = np.log(np.maximum(hazard, 1e-300)) / theta[..., 0]
        delay = theta[..., 1] * np.exp(np.clip(log, -690.0, 690.0))
        return np.where(hazard > 0, np.minimum(delay, self.reach), 0.0)

    @override
    def lag_weights(self) -> Shape:
        from escalation.kernels.compiled_weibull import weibull_lags

        shape: Shape = weibull_lags
        return shape

    @override
    def lag_constants(self, lags: int) -> FloatArray:
        return np.array([float(lags), self.reach])

    @override
    def pair_densities(self) -> Shape:
        from escalation.kernels.compiled_weibull import weibull_pairs

        shape: Shape = weibull_pairs
        return shape

    @override
    def pair_constants(self) -> FloatArray:
        return np.array([self.reach])

    @override
    def pointwise(self, ages: FloatArray, elapsed: FloatArray) -> Pointwise:
        if np.any(ages == 0):
            raise ValueError(
                "the Weibull density may be unbounded at delay zero, and "
                f"{int((ages == 0).sum())} pairs of events share their time: take another "
                "kernel, or separate the ties"
            )
        # The compiled function reads logarithms of the ages.
        log_elapsed = np.log(np.maximum(elapsed, 1e-300))
        return super().pointwise(np.log(ages), log_elapsed)
