"""Compiled functions of the Weibull kernel."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.kernels.base import Values
from escalation.kernels.compiled import normalise
from escalation.parameters import FloatArray

#: Nodes and weights of Gauss's rule on [0, 1].
PLACES = (np.polynomial.legendre.leggauss(16)[0] + 1) / 2
SHARES = np.polynomial.legendre.leggauss(16)[1] / 2


@njit(cache=True, nogil=True, error_model="numpy")
def weibull_pairs(theta: FloatArray, constants: FloatArray) -> Values:
    """Densities, then probabilities, at ages whose logs are given; the last constant is A."""
    shape, scale = theta[0], theta[1]
    densities = int(constants[0])
    number = densities + int(constants[1])
    reach = constants[2 + number]
    values = np.empty(number)
    jacobian = np.empty((number, 2))
    log_scale = np.log(scale)
    log_reach = np.log(reach)
    # Probability within the truncation, and the derivatives of its logarithm.
    whole, whole_shape, whole_scale = 1.0, 0.0, 0.0
    if reach < np.inf:
        log = log_reach - log_scale
        power = np.exp(min(max(shape * log, -700.0), 600.0))
        whole = -np.expm1(-power)
        slope = power * np.exp(-power) / whole
        whole_shape, whole_scale = slope * log, -slope * shape / scale
    for i in range(densities):
        log_age = constants[2 + i]
        if log_age > log_reach:
            values[i] = 0.0
            jacobian[i, 0] = 0.0
            jacobian[i, 1] = 0.0
            continue
        log = log_age - log_scale
        power = np.exp(min(shape * log, 600.0))
        density = shape * np.exp(shape * log - log_age - power) / whole
        values[i] = density
        jacobian[i, 0] = density * (1.0 / shape + log * (1.0 - power) - whole_shape)
        jacobian[i, 1] = density * (shape / scale * (power - 1.0) - whole_scale)
    for i in range(densities, number):
        log_age = constants[2 + i]
        if log_age >= log_reach:
            values[i] = 1.0
            jacobian[i, 0] = 0.0
            jacobian[i, 1] = 0.0
            continue
        log = log_age - log_scale
        power = np.exp(min(shape * log, 600.0))
        share = -np.expm1(-power) / whole
        slope = power * np.exp(-power) / whole
        values[i] = share
        jacobian[i, 0] = slope * log - share * whole_shape
        jacobian[i, 1] = -slope * shape / scale - share * whole_scale
    return values, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def weibull_lags(theta: FloatArray, constants: FloatArray) -> Values:
    """Lag weights by quadrature; the constants are the number of lags and A.

    A delay u falls l periods on with probability max(0, 1 - |u - l|). Within the first period the
    intervals halve towards zero, until u^(1 + k) no longer counts.
    """
    shape, scale = theta[0], theta[1]
    lags, reach = int(constants[0]), constants[1]
    weights = np.zeros(lags)
    jacobian = np.zeros((lags, 2))
    finest = min(1.0, scale) * 2.0 ** (-56.0 / (1.0 + shape))
    log_scale = np.log(scale)
    for period in range(lags + 1):
        upper = min(float(period + 1), reach)
        if upper <= period:
            break
        while upper > (finest if period == 0 else float(period)):
            lower = upper / 2.0 if period == 0 else float(period)
            # A steep density takes finer intervals.
            pieces = 1 + int(min(shape * (1.0 + (upper / scale) ** min(shape, 3.0)), 20.0) / 4.0)
            width = (upper - lower) / pieces
            for piece in range(pieces):
                for node in range(PLACES.size):
                    age = lower + width * (piece + PLACES[node])
                    log_age = np.log(age)
                    log = log_age - log_scale
                    power = np.exp(min(shape * log, 600.0))
                    density = width * SHARES[node] * shape * np.exp(shape * log - log_age - power)
                    by_shape = density * (1.0 / shape + log * (1.0 - power))
                    by_scale = density * shape / scale * (power - 1.0)
                    near = age - period
                    if period < lags:
                        weights[period] += near * density
                        jacobian[period, 0] += near * by_shape
                        jacobian[period, 1] += near * by_scale
                    if period > 0:
                        weights[period - 1] += (1.0 - near) * density
                        jacobian[period - 1, 0] += (1.0 - near) * by_shape
                        jacobian[period - 1, 1] += (1.0 - near) * by_scale
            upper = lower
    normalise(weights, jacobian)
    return weights, jacobian
