"""Compiled functions of the power-law kernel."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.kernels.base import Values
from escalation.kernels.compiled import normalise
from escalation.parameters import FloatArray

#: Nodes and weights of Gauss's rule on [0, 1].
PLACES = (np.polynomial.legendre.leggauss(12)[0] + 1) / 2
SHARES = np.polynomial.legendre.leggauss(12)[1] / 2


@njit(cache=True, nogil=True, error_model="numpy")
def lomax_exponentials(theta: FloatArray, constants: FloatArray) -> Values:
    """Exponentials whose mixture is nearly the power law on [0, A], as `Lomax` says.

    The constants are A, the step of the logarithms of the rates, and the rates, the first of them
    for the constant part of the tail.
    """
    exponent, scale = theta[0], theta[1]
    reach, step = constants[0], constants[1]
    rates = constants[2:]
    terms = rates.size
    # Amplitudes of exp(-rate * age), up to one factor that keeps them from overflowing.
    slowest = np.log(scale * rates[1])
    level = exponent * slowest
    for m in range(1, terms):
        level = max(level, exponent * np.log(scale * rates[m]) - scale * rates[m])
    amplitude = np.zeros(terms)
    by_exponent = np.zeros(terms)
    by_scale = np.zeros(terms)
    for m in range(1, terms):
        log = np.log(scale * rates[m])
        amplitude[m] = np.exp(exponent * log - scale * rates[m] - level)
        by_exponent[m] = amplitude[m] * log
        by_scale[m] = amplitude[m] * (exponent - scale * rates[m]) / scale

    # Sums over all slower rates r of s^p (r / slowest)^k, k = 0, 1, 2, put on three nodes so that
    # polynomials of the second degree in the rate are kept.
    factor = np.exp(step)
    parts = np.array(
        [
            [1.0, 0.0, 0.0],
            [-1.0 - 1.0 / factor, factor / (factor - 1.0), -1.0 / (factor * (factor - 1.0))],
            [1.0 / factor, -1.0 / (factor - 1.0), 1.0 / (factor * (factor - 1.0))],
        ]
    )
    for k in range(3):
        left = -np.expm1(-(exponent + k) * step)
        total = np.exp(exponent * slowest - level - (exponent + k) * step) / left
        slope = total * (slowest - step / left)
        for m in range(3):
            fade = 1.0 if m == 0 else np.exp(-scale * rates[m])
            part = parts[k, m] * fade
            amplitude[m] += part * total
            by_exponent[m] += part * slope
            by_scale[m] += part * total * exponent / scale
            if m > 0:
                by_scale[m] -= rates[m] * part * total

    values = np.empty(2 * terms)
    jacobian = np.zeros((2 * terms, 2))
    mass, mass_exponent, mass_scale = 0.0, 0.0, 0.0
    for m in range(terms):
        held = -np.expm1(-rates[m] * reach) / rates[m]
        mass += amplitude[m] * held
        mass_exponent += by_exponent[m] * held
        mass_scale += by_scale[m] * held
    for m in range(terms):
        weight = amplitude[m] / (rates[m] * mass)
        values[m] = weight
        values[terms + m] = rates[m]
        jacobian[m, 0] = by_exponent[m] / (rates[m] * mass) - weight * mass_exponent / mass
        jacobian[m, 1] = by_scale[m] / (rates[m] * mass) - weight * mass_scale / mass
    return values, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def moments(tail: float, log: float) -> tuple[float, float]:
    """Integrals over t from 0 to `log` of exp(tail * t) and of t exp(tail * t)."""
    x = tail * log
    if abs(x) < 0.5:
        zeroth, first, power = 0.0, 0.0, 1.0
        for n in range(18):
            zeroth += power / (n + 1)
            first += power / (n + 2)
            power *= x / (n + 1)
        return log * zeroth, log * log * first
    zeroth = np.expm1(x) / tail
    return zeroth, (log * np.exp(x) - zeroth) / tail


@njit(cache=True, nogil=True, error_model="numpy")
def lomax_pairs(theta: FloatArray, constants: FloatArray) -> Values:
    """Densities, then probabilities, at the ages among the constants; the last of them is A."""
    exponent, scale = theta[0], theta[1]
    tail = 1.0 - exponent
    densities = int(constants[0])
    number = densities + int(constants[1])
    reach = constants[2 + number]
    values = np.empty(number)
    jacobian = np.empty((number, 2))
    log_reach = np.log1p(reach / scale)
    whole, turned = moments(tail, log_reach)
    # Derivatives by the scale of log(1 + u / c) and of the mass.
    end = np.exp(tail * log_reach) * reach / (scale * (scale + reach)) / whole
    peak = 1.0 / (scale * whole)
    for i in range(densities):
        age = constants[2 + i]
        log = np.log1p(age / scale)
        density = peak * np.exp(-exponent * log) if age <= reach else 0.0
        values[i] = density
        jacobian[i, 0] = density * (turned / whole - log)
        jacobian[i, 1] = density * (exponent * age / (scale * (scale + age)) - 1.0 / scale + end)
    for i in range(densities, number):
        age = constants[2 + i]
        if age >= reach:
            values[i] = 1.0
            jacobian[i, 0] = 0.0
            jacobian[i, 1] = 0.0
            continue
        log = np.log1p(age / scale)
        part, part_turned = moments(tail, log)
        share = part / whole
        values[i] = share
        jacobian[i, 0] = share * turned / whole - part_turned / whole
        moved = np.exp(tail * log) * age / (scale * (scale + age)) / whole
        jacobian[i, 1] = share * end - moved
    return values, jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def lomax_lags(theta: FloatArray, constants: FloatArray) -> Values:
    """Lag weights by quadrature; the constants are the number of lags and A.

    A delay u falls l periods on with probability max(0, 1 - |u - l|). Within the first period the
    intervals halve towards zero, down to the scale.
    """
    exponent, scale = theta[0], theta[1]
    lags, reach = int(constants[0]), constants[1]
    weights = np.zeros(lags)
    jacobian = np.zeros((lags, 2))
    finest = scale / max(exponent, 1.0)
    for period in range(lags + 1):
        upper = min(float(period + 1), reach)
        if upper <= period:
            break
        while True:
            lower = float(period)
            if period == 0 and upper > finest:
                lower = upper / 2.0
            for node in range(PLACES.size):
                age = lower + (upper - lower) * PLACES[node]
                share = (upper - lower) * SHARES[node]
                log = np.log1p(age / scale)
                power = share * np.exp(-exponent * log)
                by_exponent = -log * power
                by_scale = power * exponent * age / (scale * (scale + age))
                near = age - period
                if period < lags:
                    weights[period] += near * power
                    jacobian[period, 0] += near * by_exponent
                    jacobian[period, 1] += near * by_scale
                if period > 0:
                    weights[period - 1] += (1.0 - near) * power
                    jacobian[period - 1, 0] += (1.0 - near) * by_exponent
                    jacobian[period - 1, 1] += (1.0 - near) * by_scale
            upper = lower
            if upper <= period:
                break
    normalise(weights, jacobian)
    return weights, jacobian
