"""Log-likelihood and gradient of the endemic-epidemic count model."""

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
def additive_row(
    k: int,
    theta: FloatArray,
    endemic: FloatArray,
    past: FloatArray,
    y: FloatArray,
    watched: FloatArray,
    counted: FloatArray,
    design: FloatArray,
    column: IntArray,
    first: int,
    place: IntArray,
    scratch: FloatArray,
    back: FloatArray,
    by_theta: FloatArray,
) -> float:
    r"""Log-likelihood of stream k, what depends on its counts and dispersion alone left out.

    Parameters
    ----------
    k : int
    theta : ndarray (p,)
    endemic : ndarray (n,)
        Log of the background rate; overwritten by the slopes by it.
    past, back : ndarray (K, n)
        Lag-weighted counts, and their slopes, which are added to.
    y, watched, counted : ndarray (n,)
        Counts, exposure, and 1 where a period is in the likelihood.
    design : ndarray (P, T)
        Of all periods, those before the n included.
    column : ndarray of int (P,)
        Place of this stream's background coefficients.
    first : int
        Place of R[0, 0]; -1: there is no R.
    place : ndarray of int (1 + K,)
        Number of dispersion parameters in force (0: Poisson), and the place of each stream's.
    scratch : ndarray (4, n)
    by_theta : ndarray (p,)
        Added to.
    """
    size = endemic.size
    before = design.shape[1] - size
    streams = past.shape[0] if first >= 0 else 0
    row = first + k * streams
    mean, slope = scratch[0], scratch[1]
    if not exponentials(endemic):
        return -np.inf
    assign(mean, endemic)
    for j in range(streams):
        if theta[row + j] != 0.0:
            add_scaled(mean, theta[row + j], past[j])
    for i in range(size):
        mean[i] *= watched[i]
    if place[0] > 0:
        psi = theta[place[1 + k]]
        term, change = dispersed_row(y, mean, counted, psi, slope, scratch[2:])
        by_theta[place[1 + k]] += change
    else:
        term = poisson_row(y, mean, counted, slope, scratch[2])
    if not term > -np.inf:
        return -np.inf
    for i in range(size):
        slope[i] *= watched[i]
        endemic[i] *= slope[i]
    for p in range(design.shape[0]):
        by_theta[column[p]] += dot(endemic, design[p, before:])
    for j in range(streams):
        by_theta[row + j] += dot(slope, past[j])
        if theta[row + j] != 0.0:
            add_scaled(back[j], theta[row + j], slope)
    return float(term)


@njit(cache=True, nogil=True, error_model="numpy")
def endemic_epidemic(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    used: FloatArray,
    scale: FloatArray,
    exceed: FloatArray,
    constant: FloatArray,
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
    counts : ndarray (K, T)
    used : ndarray (T,)
        1 where the period is in the likelihood (never one of the first L), else 0.
    scale : ndarray (T,)
        Exposure of the period, 1 where it was watched throughout; any positive number where the
        period is not used.
    exceed, constant : ndarray (K, M), (1,)
        Of `escalation.likelihood.count_terms.count_tables`.
    design : ndarray (P, T)
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
    """
    streams, periods = counts.shape
    lags = values.shape[1]
    size = periods - lags
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, lags))
    past = np.zeros((streams, size))
    lagged_sums(values[0], counts, past)
    back = np.zeros((streams, size))
    endemic = np.empty(size)
    scratch = np.empty((4, size))
    value = constant[0]
    if place[1] > 0:
        risen, by_psi = rising(exceed, theta, place[2:])
        value += risen
        for k in range(streams):
            by_theta[place[2 + k]] += by_psi[k]
    for k in range(streams):
        endemic[:] = 0.0
        for p in range(design.shape[0]):
            add_scaled(endemic, theta[column[k, p]], design[p, lags:])
        value += additive_row(
            k, theta, endemic, past, counts[k, lags:], scale[lags:], used[lags:],
            design, column[k], place[0], place[1:], scratch, back, by_theta,
        )  # fmt: skip
        if not value > -np.inf:
            return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
    lag_slopes(back, counts, by_values[0])
    return value, by_theta, by_values
