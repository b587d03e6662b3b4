"""Compiled functions of the histogram kernel."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.kernels.base import Values
from escalation.kernels.compiled import normalise
from escalation.parameters import FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def heights_of(theta: FloatArray, edges: FloatArray) -> Values:
    """Density over each bin, by the first step of its logarithm and the changes of the step."""
    bins = edges.size - 1
    heights = np.empty(bins)
    jacobian = np.zeros((bins, theta.size))
    log, step, highest = 0.0, 0.0, 0.0
    for b in range(bins):
        if b > 0:
            step += theta[b - 1]
            log += step
            for q in range(b):
                jacobian[b, q] = float(b - q)
        heights[b] = log
        highest = max(highest, log)
    mass = 0.0
    for b in range(bins):
        heights[b] = np.exp(heights[b] - highest)
        mass += heights[b] * (edges[b + 1] - edges[b])
    for b in range(bins):
        heights[b] /= mass
    for q in range(theta.size):
        mean = 0.0
        for b in range(bins):
            mean += heights[b] * (edges[b + 1] - edges[b]) * jacobian[b, q]
        for b in range(bins):
            jacobian[b, q] = heights[b] * (jacobian[b, q] - mean)
    return heights, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def histogram_values(theta: FloatArray, constants: FloatArray) -> Values:
    """Heights (bins,), then probabilities up to each edge (bins + 1,); the constants are edges."""
    bins = constants.size - 1
    heights, by_theta = heights_of(theta, constants)
    values = np.zeros(2 * bins + 1)
    jacobian = np.zeros((2 * bins + 1, theta.size))
    for b in range(bins):
        width = constants[b + 1] - constants[b]
        values[b] = heights[b]
        values[bins + b + 1] = values[bins + b] + width * heights[b]
        for q in range(theta.size):
            jacobian[b, q] = by_theta[b, q]
            jacobian[bins + b + 1, q] = jacobian[bins + b, q] + width * by_theta[b, q]
    return values, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def histogram_lags(theta: FloatArray, constants: FloatArray) -> Values:
    """Lag weights; the constants are lags, bins, the edges, and each bin's share in each lag."""
    lags, bins = int(constants[0]), int(constants[1])
    heights, by_theta = heights_of(theta, constants[2 : 3 + bins])
    weights = np.zeros(lags)
    jacobian = np.zeros((lags, theta.size))
    for lag in range(lags):
        for b in range(bins):
            share = constants[3 + bins + lag * bins + b]
            weights[lag] += share * heights[b]
            for q in range(theta.size):
                jacobian[lag, q] += share * by_theta[b, q]
    normalise(weights, jacobian)
    return weights, jacobian
