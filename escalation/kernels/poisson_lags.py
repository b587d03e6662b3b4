"""Poisson lag weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.kernels.base import Shape
from escalation.kernels.whole_lags import WholeLags
from escalation.parameters import FloatArray, Parameter
from escalation.priors import LogNormal


@dataclass(frozen=True)
class PoissonLags(WholeLags):
    r"""Weights :math:`w_l \propto m^{l-1} / (l-1)!` for l = 1, ..., L: a peak at a later lag.

    The delay less one is Poisson with mean m, cut off at the last lag. Source: Bracher & Held
    (2022), International Journal of Forecasting 38(3), section 2.2.

    Attributes
    ----------
    prior_median, prior_sd_log : float
        Log-normal prior of the mean further delay m.
    """

    prior_median: float = 1.0
    prior_sd_log: float = 1.0
    name = "Poisson lags"

    @override
    def parameters(self, unit: str) -> tuple[Parameter, ...]:
        prior = LogNormal(self.prior_median, self.prior_sd_log)
        return (Parameter("mean_delay", (), "positive", prior, "mean delay less one", f"{unit}s"),)

    @override
    def start(self, delay: float) -> FloatArray:
        return np.array([max(delay - 1, 0.2)])

    @override
    def lag_weights(self) -> Shape:
        from escalation.kernels.compiled_lags import poisson_lags

        shape: Shape = poisson_lags
        return shape
