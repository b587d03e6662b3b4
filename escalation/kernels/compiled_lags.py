"""Compiled lag weights of the kernels that are made of whole periods."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.kernels.base import Values
from escalation.parameters import FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def geometric_lags(theta: FloatArray, constants: FloatArray) -> Values:
    """Weights proportional to (1 - p)^(l - 1) and their derivative by p."""
    lags = int(constants[0])
    p = theta[0]
    stay = 1.0 - p
    weights = np.empty(lags)
    jacobian = np.empty((lags, 1))
    total = 0.0
    change = 0.0
    power = 1.0
    before = 0.0
    for lag in range(lags):
        weights[lag] = power
        jacobian[lag, 0] = -lag * before
        total += power
        change += jacobian[lag, 0]
        before = power
        power *= stay
    for lag in range(lags):
        weights[lag] /= total
        jacobian[lag, 0] = (jacobian[lag, 0] - weights[lag] * change) / total
    return weights, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def poisson_lags(theta: FloatArray, constants: FloatArray) -> Values:
    """Weights proportional to m^(l - 1) / (l - 1)! and their derivative by m."""
    lags = int(constants[0])
    weights = np.empty(lags)
    jacobian = np.empty((lags, 1))
    # Relative to the largest term, which may lie anywhere.
    log_weight = 0.0
    highest = 0.0
    for lag in range(1, lags):
        log_weight += np.log(theta[0] / lag)
        highest = max(highest, log_weight)
    log_weight = -highest
    total = 0.0
    mean = 0.0
    for lag in range(lags):
        if lag > 0:
            log_weight += np.log(theta[0] / lag)
        weights[lag] = np.exp(log_weight)
        total += weights[lag]
        mean += lag * weights[lag]
    mean /= total
    for lag in range(lags):
        weights[lag] /= total
        jacobian[lag, 0] = weights[lag] * (lag - mean) / theta[0]
    return weights, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def free_lags(theta: FloatArray, constants: FloatArray) -> Values:
    """Weights proportional to 1, e^theta[0], e^theta[1], ..., zero beyond the last."""
    lags = int(constants[0])
    number = min(theta.size + 1, lags)
    weights = np.zeros(lags)
    jacobian = np.zeros((lags, theta.size))
    highest = 0.0
    for lag in range(1, number):
        highest = max(highest, theta[lag - 1])
    total = 0.0
    for lag in range(number):
        weights[lag] = np.exp((theta[lag - 1] if lag > 0 else 0.0) - highest)
        total += weights[lag]
    for lag in range(number):
        weights[lag] /= total
    for lag in range(number):
        for q in range(number - 1):
            same = 1.0 if lag == q + 1 else 0.0
            jacobian[lag, q] = weights[lag] * (same - weights[q + 1])
    return weights, jacobian
