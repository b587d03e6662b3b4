"""Log-likelihood and gradient of the INGARCH model with an identity link."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import assign
from escalation.likelihood.count_terms import dispersed_term, rising
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True)
def ingarch(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    past: FloatArray,
    typical: FloatArray,
    exceed: FloatArray,
    constant: FloatArray,
    used: FloatArray,
    scale: FloatArray,
    design: FloatArray,
    added: FloatArray,
    column: IntArray,
    obs_lags: IntArray,
    mean_lags: IntArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradient by the parameters.

    .. math:: \lambda_{tk} = e^{x_t'b_k} + v_t'\iota_k + \sum_i\sum_j B_{ikj} y_{t-l_i,j}
              + \sum_m \alpha_{mk}\lambda_{t-m,k}, \qquad \mathrm E\,y_{tk} = e_t\lambda_{tk}

    Parameters
    ----------
    theta : ndarray (p,)
    values : ndarray
        Not read: there is no kernel.
    counts : ndarray (T, K)
    past : ndarray (T, K)
        The counts, with the stream's mean where a period was not watched throughout.
    typical : ndarray (K,)
        That mean.
    exceed, constant : ndarray (K, M), (1,)
        Of `count_tables`.
    used : ndarray (T,)
    scale : ndarray (T,)
        Exposure, 1 where the period was watched throughout.
    design : ndarray (T, P)
    added : ndarray (T, I)
        Columns of the additive interventions.
    column : ndarray of int (K, P)
        Place in `theta` of each background coefficient.
    obs_lags, mean_lags : ndarray of int
        Lags l of the counts and m of the means.
    place : ndarray of int (6 + K,)
        Places of the first additive effect, of B and of alpha; where the recursion begins: at the
        mean after so many generations, at the marginal mean (-1) or at the mean count (0); place of
        the first level; number of dispersion parameters; place of each stream's dispersion.

    Returns
    -------
    value : float
        Minus infinity where the marginal mean is wanted and does not exist.
    by_theta : ndarray (p,)
    by_values : ndarray
        Zeros.
    """
    periods, streams = counts.shape
    columns, effects = design.shape[1], added.shape[1]
    first_added, first_obs, first_mean = place[0], place[1], place[2]
    generations, level, dispersed = place[3], place[4], place[5] > 0
    square = streams * streams
    by_theta = np.zeros(theta.size)
    by_values = np.zeros_like(values)

    total = np.zeros((streams, streams))
    for i in range(obs_lags.size):
        for k in range(streams):
            for j in range(streams):
                total[k, j] += theta[first_obs + i * square + k * streams + j]
    for m in range(mean_lags.size):
        for k in range(streams):
            total[k, k] += theta[first_mean + m * streams + k]
    before = typical.copy()
    flat = np.exp(theta[level : level + streams])
    chain = ancestry(flat, total, generations)
    if generations > 0:
        assign(before, chain[generations])
    elif generations < 0:
        before = np.linalg.solve(np.eye(streams) - total, flat)
        # All positive just where the spectral radius of the total is below 1 (an M-matrix).
        if not before.min() > 0.0:
            return -np.inf, by_theta, by_values

    value = constant[0]
    if dispersed:
        risen, by_psi = rising(exceed, theta, place[6:])
        value += risen
        for k in range(streams):
            by_theta[place[6 + k]] += by_psi[k]
    mean = np.zeros((periods, streams))
    slope = np.zeros((periods, streams))
    endemic = np.zeros((periods, streams))
    for t in range(periods):
        for k in range(streams):
            exponent = 0.0
            for p in range(columns):
                exponent += design[t, p] * theta[column[k, p]]
            endemic[t, k] = np.exp(exponent)
            now = endemic[t, k]
            for i in range(effects):
                now += added[t, i] * theta[first_added + k * effects + i]
            for i in range(obs_lags.size):
                s = t - obs_lags[i]
                row = first_obs + i * square + k * streams
                for j in range(streams):
                    now += theta[row + j] * (past[s, j] if s >= 0 else before[j])
            for m in range(mean_lags.size):
                s = t - mean_lags[m]
                now += theta[first_mean + m * streams + k] * (mean[s, k] if s >= 0 else before[k])
            mean[t, k] = now
            if not (now > 0.0 and now < 1e15):
                return -np.inf, np.zeros(theta.size), by_values
            if used[t] == 0:
                continue
            expected = scale[t] * now
            y = counts[t, k]
            value += y * np.log(expected)
            if dispersed:
                psi = theta[place[6 + k]]
                if 1 + psi * expected <= 0:
                    return -np.inf, np.zeros(theta.size), by_values
                term, bend = dispersed_term(y, expected, psi)
                value += term
                by_theta[place[6 + k]] += bend
                slope[t, k] = (y - expected) / ((1 + psi * expected) * now)
            else:
                value -= expected
                slope[t, k] = (y - expected) / now

    # Backwards: the slope by each mean, everything after it included.
    by_before = np.zeros(streams)
    for t in range(periods - 1, -1, -1):
        for k in range(streams):
            pull = slope[t, k]
            if pull == 0.0:
                continue
            for p in range(columns):
                by_theta[column[k, p]] += pull * endemic[t, k] * design[t, p]
            for i in range(effects):
                by_theta[first_added + k * effects + i] += pull * added[t, i]
            for i in range(obs_lags.size):
                s = t - obs_lags[i]
                row = first_obs + i * square + k * streams
                for j in range(streams):
                    if s >= 0:
                        by_theta[row + j] += pull * past[s, j]
                    else:
                        by_theta[row + j] += pull * before[j]
                        by_before[j] += pull * theta[row + j]
            for m in range(mean_lags.size):
                s = t - mean_lags[m]
                at = first_mean + m * streams + k
                if s >= 0:
                    by_theta[at] += pull * mean[s, k]
                    slope[s, k] += pull * theta[at]
                else:
                    by_theta[at] += pull * before[k]
                    by_before[k] += pull * theta[at]
    if generations == 0:
        return value, by_theta, by_values
    if generations > 0:
        by_flat, by_total = by_ancestry(by_before, total, chain)
    else:
        by_flat = np.linalg.solve(np.ascontiguousarray((np.eye(streams) - total).T), by_before)
        by_total = np.outer(by_flat, before)
    for k in range(streams):
        by_theta[level + k] += by_flat[k] * flat[k]
        for i in range(obs_lags.size):
            for j in range(streams):
                by_theta[first_obs + i * square + k * streams + j] += by_total[k, j]
        for m in range(mean_lags.size):
            by_theta[first_mean + m * streams + k] += by_total[k, k]
    return value, by_theta, by_values


@njit(cache=True, nogil=True)
def ancestry(background: FloatArray, total: FloatArray, generations: int) -> FloatArray:
    """Means (generations + 1, K) with no ancestors, with one generation of them, and so on.

    Parameters
    ----------
    background : ndarray (K,)
    total : ndarray (K, K)
        What a mean of one in each stream adds to the mean of each, all lags together.
    generations : int
        None if it is negative.
    """
    out = np.empty((max(generations, 0) + 1, background.size))
    out[0] = background
    for g in range(generations):
        for k in range(background.size):
            out[g + 1, k] = background[k]
            for j in range(background.size):
                out[g + 1, k] += total[k, j] * out[g, j]
    return out


@njit(cache=True, nogil=True)
def by_ancestry(
    by_last: FloatArray, total: FloatArray, chain: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Slopes (K,) by the background and (K, K) by `total`, of a slope by the last mean.

    Parameters
    ----------
    by_last : ndarray (K,)
    total : ndarray (K, K)
    chain : ndarray (generations + 1, K)
        Of `ancestry`.
    """
    by_background, by_total = by_last.copy(), np.zeros(total.shape)
    later = by_last.copy()
    for g in range(len(chain) - 1, 0, -1):
        earlier = np.zeros(later.size)
        for k in range(later.size):
            for j in range(later.size):
                by_total[k, j] += later[k] * chain[g - 1, j]
                earlier[j] += later[k] * total[k, j]
        by_background += earlier
        later = earlier
    return by_background, by_total
