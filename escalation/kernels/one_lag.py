"""The kernel of plain autoregression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.kernels.base import Kernel, Shape
from escalation.parameters import FloatArray, Parameter


@dataclass(frozen=True)
class OneLag(Kernel):
    """Every offspring falls in the very next period; for counts only, without a parameter.

    Source: Held, Höhle & Hofmann (2005), Statistical Modelling 5(3).
    """

    name = "one lag"

    @override
    def parameters(self, unit: str) -> tuple[Parameter, ...]:
        return ()

    @override
    def start(self, delay: float) -> FloatArray:
        return np.zeros(0)

    @override
    def pmf(self, theta: FloatArray, lags: int) -> FloatArray:
        out = np.zeros((*np.shape(theta)[:-1], lags))
        out[..., 0] = 1.0
        return out

    @override
    def same_period(self, theta: FloatArray) -> FloatArray:
        # The delay is one period by definition: nothing is said of shorter ones.
        return np.zeros(np.shape(theta)[:-1])

    @override
    def lag_weights(self) -> Shape:
        from escalation.kernels.compiled import next_period

        shape: Shape = next_period
        return shape
