"""Base of the kernels whose delays are whole periods, for counts alone."""

from __future__ import annotations

import math
from typing import override

import numpy as np

from escalation.kernels.base import Kernel
from escalation.parameters import FloatArray


class WholeLags(Kernel):
    """A kernel that says nothing of delays within a period: probabilities of 1, 2, ... periods."""

    @override
    def pmf(self, theta: FloatArray, lags: int) -> FloatArray:
        theta = np.asarray(theta, float)
        weigh, constants = self.lag_weights(), self.lag_constants(lags)
        rows = np.ascontiguousarray(theta.reshape(math.prod(theta.shape[:-1]), theta.shape[-1]))
        out = np.array([weigh(row, constants)[0] for row in rows]).reshape(len(rows), lags)
        return out.reshape(*theta.shape[:-1], lags)

    @override
    def same_period(self, theta: FloatArray) -> FloatArray:
        # The delay is a whole number of periods by definition.
        return np.zeros(np.shape(theta)[:-1])
