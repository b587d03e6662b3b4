"""Log-likelihood and gradient of the log-linear count model."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_terms import dispersed_term, rising
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]
#: Log-means above this are no counts.
HIGHEST = 34.0


@njit(cache=True, nogil=True)
def log_linear(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    logs: FloatArray,
    typical: FloatArray,
    exceed: FloatArray,
    constant: FloatArray,
    used: FloatArray,
    log_scale: FloatArray,
    design: FloatArray,
    column: IntArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the lag weights.

    .. math:: \nu_{tk} = \log e_t + x_t'b_k + z_{tk}, \qquad
              z_{tk} = \delta_k z_{t-1,k} + (1-\delta_k)\sum_j A_{kj}\sum_l w_l g_{t-l,j}

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; those of the kernel are not read.
    values : ndarray (1, L)
        Lag weights.
    counts : ndarray (T, K)
    logs : ndarray (T, K)
        g: log(1 + y), with the stream's mean where a period was not watched throughout.
    typical : ndarray (K,)
        That mean; before the first used period z is what it leads to.
    exceed, constant : ndarray (K, M), (1,)
        Of `count_tables`.
    used : ndarray (T,)
        1 where the period is in the likelihood (never one of the first L), else 0.
    log_scale : ndarray (T,)
        Log of the exposure, 0 where the period was watched throughout.
    design : ndarray (T, P)
    column : ndarray of int (K, P)
        Place in `theta` of each background coefficient.
    place : ndarray of int (3 + K,)
        Place of A[0, 0], of the first feedback (-1: none), the number of dispersion parameters
        (0: Poisson), and the place of each stream's dispersion.

    Returns
    -------
    value : float
        Constants (the factorials) included.
    by_theta : ndarray (p,)
    by_values : ndarray (1, L)

    Notes
    -----
    One pass forward, and one back for the derivative of everything after a period by its z.
    """
    periods, streams = counts.shape
    weights = values[0]
    lags = weights.size
    columns = design.shape[1]
    first, memory, dispersed = place[0], place[1], place[2] > 0
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, lags))
    delta = np.zeros(streams)
    state = np.zeros(streams)
    for k in range(streams):
        if memory >= 0:
            delta[k] = theta[memory + k]
        for j in range(streams):
            state[k] += theta[first + k * streams + j] * typical[j]
    past = np.zeros((periods, streams))
    pulled = np.zeros((periods, streams))
    before = np.zeros((periods, streams))
    slope = np.zeros((periods, streams))

    value = constant[0]
    if dispersed:
        risen, by_psi = rising(exceed, theta, place[3:])
        value += risen
        for k in range(streams):
            by_theta[place[3 + k]] += by_psi[k]
    for t in range(lags, periods):
        if memory < 0 and used[t] == 0:
            continue
        for lag in range(lags):
            w = weights[lag]
            if w != 0.0:
                for j in range(streams):
                    past[t, j] += w * logs[t - 1 - lag, j]
        for k in range(streams):
            pull = 0.0
            row = first + k * streams
            for j in range(streams):
                pull += theta[row + j] * past[t, j]
            pulled[t, k] = pull
            before[t, k] = state[k]
            state[k] = delta[k] * state[k] + (1 - delta[k]) * pull
            if used[t] == 0:
                continue
            exponent = log_scale[t] + state[k]
            for p in range(columns):
                exponent += design[t, p] * theta[column[k, p]]
            if not exponent < HIGHEST:
                return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
            mean = np.exp(exponent)
            y = counts[t, k]
            value += y * exponent
            if dispersed:
                psi = theta[place[3 + k]]
                if 1 + psi * mean <= 0:
                    return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
                term, bend = dispersed_term(y, mean, psi)
                value += term
                by_theta[place[3 + k]] += bend
                slope[t, k] = (y - mean) / (1 + psi * mean)
            else:
                value -= mean
                slope[t, k] = y - mean
            for p in range(columns):
                by_theta[column[k, p]] += slope[t, k] * design[t, p]

    later = np.zeros(streams)
    back = np.zeros(streams)
    for t in range(periods - 1, lags - 1, -1):
        if memory < 0 and used[t] == 0:
            continue
        for j in range(streams):
            back[j] = 0.0
        for k in range(streams):
            later[k] = slope[t, k] + later[k]
            row = first + k * streams
            share = later[k] * (1 - delta[k])
            for j in range(streams):
                by_theta[row + j] += share * past[t, j]
                back[j] += share * theta[row + j]
            if memory >= 0:
                by_theta[memory + k] += later[k] * (before[t, k] - pulled[t, k])
            later[k] *= delta[k]
        for lag in range(lags):
            for j in range(streams):
                by_values[0, lag] += back[j] * logs[t - 1 - lag, j]
    for k in range(streams):
        for j in range(streams):
            by_theta[first + k * streams + j] += later[k] * typical[j]
    return value, by_theta, by_values
