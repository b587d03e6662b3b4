"""The kernels' compiled functions; apart, so that listing a kernel compiles nothing."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.parameters import FloatArray


@njit(cache=True, nogil=True)
def geometric_weights(theta: FloatArray, constants: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights proportional to exp(-decay (l - 1)) and their derivative by the decay."""
    lags = int(constants[0])
    weights = np.empty(lags)
    total = 0.0
    mean = 0.0
    for lag in range(lags):
        weights[lag] = np.exp(-theta[0] * lag)
        total += weights[lag]
        mean += weights[lag] * lag
    mean /= total
    jacobian = np.empty((lags, 1))
    for lag in range(lags):
        weights[lag] /= total
        jacobian[lag, 0] = weights[lag] * (mean - lag)
    return weights, jacobian


@njit(cache=True, nogil=True)
def next_period(theta: FloatArray, constants: FloatArray) -> tuple[FloatArray, FloatArray]:
    """All weight on the first lag."""
    lags = int(constants[0])
    weights = np.zeros(lags)
    weights[0] = 1.0
    return weights, np.zeros((lags, theta.size))


@njit(cache=True, nogil=True)
def one_exponential(theta: FloatArray, constants: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A single exponential: weight one, rate the decay."""
    values = np.array([1.0, theta[0]])
    jacobian = np.array([[0.0], [1.0]])
    return values, jacobian
