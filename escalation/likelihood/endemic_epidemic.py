"""Log-likelihood and gradient of the endemic-epidemic count model."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True)
def endemic_epidemic(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    used: FloatArray,
    scale: FloatArray,
    design: FloatArray,
    column: IntArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the lag weights.

    .. math:: \mu_{tk} = e_t\{\exp(x_t'b_k) + \sum_j R_{kj} \sum_l w_l y_{t-l,j}\}, \quad
              y_{tk} \sim \mathrm{NB}(\mu_{tk}, \mathrm{var} = \mu_{tk}(1 + \psi_k \mu_{tk}))

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; those of the kernel are not read.
    values : ndarray (1, L)
        Lag weights.
    counts : ndarray (T, K)
    used : ndarray (T,)
        1 where the period is in the likelihood (never one of the first L), else 0.
    scale : ndarray (T,)
        Exposure of the period, 1 where it was watched throughout.
    design : ndarray (T, P)
    column : ndarray of int (K, P)
        Place in `theta` of each background coefficient.
    place : ndarray of int (2 + K,)
        Place of R[0, 0], the number of dispersion parameters in force (0: Poisson), and the place
        of each stream's dispersion.

    Returns
    -------
    value : float
        Constants (the factorials) included.
    by_theta : ndarray (p,)
    by_values : ndarray (1, L)

    Notes
    -----
    :math:`\log\Gamma(y + 1/\psi) - \log\Gamma(1/\psi) + y\log\psi = \sum_{i<y}\log(1 + i\psi)` is
    tabulated once an evaluation, as is its derivative; the form has the Poisson law as its limit
    at :math:`\psi = 0`.
    """
    periods, streams = counts.shape
    weights = values[0]
    lags = weights.size
    columns = design.shape[1]
    first = place[0]
    dispersed = place[1] > 0
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, lags))

    largest = 0
    for t in range(periods):
        for k in range(streams):
            if used[t] > 0 and counts[t, k] > largest:
                largest = int(counts[t, k])
    log_factorial = np.zeros(largest + 1)
    for i in range(1, largest + 1):
        log_factorial[i] = log_factorial[i - 1] + np.log(float(i))
    log_rising = np.zeros((streams, largest + 1))
    rising_slope = np.zeros((streams, largest + 1))
    if dispersed:
        for k in range(streams):
            psi = theta[place[2 + k]]
            for i in range(largest):
                log_rising[k, i + 1] = log_rising[k, i] + np.log1p(i * psi)
                rising_slope[k, i + 1] = rising_slope[k, i] + i / (1 + i * psi)

    value = 0.0
    past = np.empty(streams)
    slope = np.empty(streams)
    back = np.empty(streams)
    for t in range(periods):
        if used[t] == 0:
            continue
        for j in range(streams):
            past[j] = 0.0
        for lag in range(lags):
            w = weights[lag]
            for j in range(streams):
                past[j] += w * counts[t - 1 - lag, j]
        for j in range(streams):
            back[j] = 0.0
        for k in range(streams):
            exponent = 0.0
            for p in range(columns):
                exponent += design[t, p] * theta[column[k, p]]
            endemic = np.exp(exponent)
            mean = endemic
            row = first + k * streams
            for j in range(streams):
                mean += theta[row + j] * past[j]
            mean *= scale[t]
            if not (mean > 0.0 and mean < 1e15):
                return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
            y = counts[t, k]
            n = int(y)
            value += y * np.log(mean) - log_factorial[n]
            if dispersed:
                psi = theta[place[2 + k]]
                x = psi * mean
                if 1 + x <= 0:
                    return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
                if abs(x) < 1e-2:
                    # Series of log1p(x)/x and of (log1p(x) - x/(1+x))/x**2: no cancellation.
                    ratio = 1.0
                    curve = 0.5
                    power = 1.0
                    for i in range(1, 9):
                        power *= -x
                        ratio += power / (i + 1)
                        curve += power * (i + 1) / (i + 2)
                    log_term = mean * ratio
                    curve_term = mean * mean * curve
                else:
                    log_term = np.log1p(x) / psi
                    curve_term = (np.log1p(x) - x / (1 + x)) / (psi * psi)
                value += log_rising[k, n] - log_term - y * np.log1p(x)
                slope[k] = y / mean - (1 + psi * y) / (1 + x)
                by_theta[place[2 + k]] += rising_slope[k, n] + curve_term - y * mean / (1 + x)
            else:
                value -= mean
                slope[k] = y / mean - 1
            slope[k] *= scale[t]
            for p in range(columns):
                by_theta[column[k, p]] += slope[k] * endemic * design[t, p]
            for j in range(streams):
                by_theta[row + j] += slope[k] * past[j]
                back[j] += slope[k] * theta[row + j]
        for lag in range(lags):
            for j in range(streams):
                by_values[0, lag] += back[j] * counts[t - 1 - lag, j]
    return value, by_theta, by_values
