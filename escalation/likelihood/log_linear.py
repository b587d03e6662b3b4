"""Log-likelihood and gradient of the log-linear count model."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import (
    add_scaled,
    assign,
    dispersed_row,
    dot,
    exponentials,
    lag_slopes,
    lagged_sums,
    poisson_row,
)
from escalation.likelihood.count_terms import rising
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
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
    counts : ndarray (K, T)
    logs : ndarray (K, T)
        g: log(1 + y), with the stream's mean where a period was not watched throughout.
    typical : ndarray (K,)
        That mean; before the first used period z is what it leads to.
    exceed, constant : ndarray (K, M), (1,)
        Of `count_tables`.
    used : ndarray (T,)
        1 where the period is in the likelihood (never one of the first L), else 0.
    log_scale : ndarray (T,)
        Log of the exposure, 0 where the period was watched throughout.
    design : ndarray (P, T)
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
    Along the periods, stream by stream. Where there is feedback, one pass forward, and one back for
    the slope of everything after a period by its z.
    """
    streams, periods = counts.shape
    lags = values.shape[1]
    size = periods - lags
    first, memory, dispersed = place[0], place[1], place[2] > 0
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, lags))
    past = np.zeros((streams, size))
    lagged_sums(values[0], logs, past)
    back = np.zeros((streams, size))
    pulled = np.empty(size)
    state = np.empty(size)
    mean = np.empty(size)
    slope = np.empty(size)
    scratch = np.empty((2, size))
    counted = used[lags:]
    value = constant[0]
    if dispersed:
        risen, by_psi = rising(exceed, theta, place[3:])
        value += risen
        for k in range(streams):
            by_theta[place[3 + k]] += by_psi[k]
    for k in range(streams):
        row = first + k * streams
        pulled[:] = 0.0
        begin = 0.0
        for j in range(streams):
            begin += theta[row + j] * typical[j]
            if theta[row + j] != 0.0:
                add_scaled(pulled, theta[row + j], past[j])
        assign(state, pulled)
        delta = 0.0
        if memory >= 0:
            delta = theta[memory + k]
            now = begin
            for i in range(size):
                now = delta * now + (1.0 - delta) * pulled[i]
                state[i] = now
        assign(mean, log_scale[lags:])
        add_scaled(mean, 1.0, state)
        for p in range(design.shape[0]):
            add_scaled(mean, theta[column[k, p]], design[p, lags:])
        if not exponentials(mean):
            return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
        y = counts[k, lags:]
        if dispersed:
            psi = theta[place[3 + k]]
            term, change = dispersed_row(y, mean, counted, psi, slope, scratch)
            by_theta[place[3 + k]] += change
        else:
            term = poisson_row(y, mean, counted, slope, scratch[0])
        value += term
        if not value > -np.inf:
            return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
        for i in range(size):
            slope[i] *= mean[i]
        for p in range(design.shape[0]):
            by_theta[column[k, p]] += dot(slope, design[p, lags:])
        if memory >= 0:
            later = 0.0
            for i in range(size - 1, -1, -1):
                later = slope[i] + delta * later
                before = state[i - 1] if i > 0 else begin
                by_theta[memory + k] += later * (before - pulled[i])
                slope[i] = (1.0 - delta) * later
            for j in range(streams):
                by_theta[row + j] += delta * later * typical[j]
        for j in range(streams):
            by_theta[row + j] += dot(slope, past[j])
            if theta[row + j] != 0.0:
                add_scaled(back[j], theta[row + j], slope)
    lag_slopes(back, logs, by_values[0])
    return value, by_theta, by_values
