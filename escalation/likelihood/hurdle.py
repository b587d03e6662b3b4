"""Log-likelihood and gradient of the hurdle model: whether anything happens, and how much."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_terms import dispersed_term, rising
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]
#: Log-means above this are no counts.
HIGHEST = 34.0
#: Below this the mean is no number of the machine's any more.
LOWEST = -700.0


@njit(cache=True, nogil=True)
def occurrence_term(happened: bool, odds: float, share: float) -> tuple[float, float]:
    r"""Log-probability of an empty period, or of one that is not, and its slope by the log-odds.

    .. math:: P(y = 0) = (1 + e^\eta)^{-e}

    Parameters
    ----------
    happened : bool
    odds : float
        :math:`\eta`, for a period that is watched throughout.
    share : float
        e: the watched share of the period.
    """
    small = np.exp(-abs(odds))
    log_one = np.log1p(small)
    probability = 1 / (1 + small) if odds > 0 else small / (1 + small)
    # log(1 + exp(odds)) without overflow.
    empty = log_one + max(odds, 0.0)
    if not happened:
        return -share * empty, -share * probability
    if share == 1.0:
        return -log_one + min(odds, 0.0), 1 - probability if odds < 0 else small / (1 + small)
    if odds < LOWEST:
        return np.log(share) + odds, 1.0
    part = share * empty
    if part > -LOWEST:
        return 0.0, 0.0
    some = np.log1p(-np.exp(-part)) if part > 1 else np.log(-np.expm1(-part))
    return some, share * probability / np.expm1(part)


@njit(cache=True, nogil=True)
def truncated_term(y: float, exponent: float, psi: float) -> tuple[float, float, float]:
    r"""What a zero-truncated term has beside factorials, and its slopes by log-mean and psi.

    .. math:: y\{\log\mu - \log(1 + \psi\mu)\} - \log(e^q - 1), \qquad
              q = \log(1 + \psi\mu)/\psi = -\log P(0)

    with :math:`q = \mu` at :math:`\psi = 0`, the Poisson law.

    Parameters
    ----------
    y : float
        At least 1.
    exponent : float
        :math:`\log\mu`, of the law that is not truncated.
    psi : float
    """
    if exponent < LOWEST:
        return (y - 1) * exponent, y - 1, 0.0
    mean = np.exp(exponent)
    minus_q, bend = dispersed_term(0.0, mean, psi)
    q = -minus_q
    some = -np.expm1(-q)
    raised = 1 / some
    inside = 1 + psi * mean
    value = y * (exponent - psi * q) - q - np.log(some)
    return value, (y - mean * raised) / inside, raised * bend - y * mean / inside


@njit(cache=True, nogil=True)
def hurdle(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    logs: FloatArray,
    exceed: FloatArray,
    constant: FloatArray,
    used: FloatArray,
    scale: FloatArray,
    offset: FloatArray,
    design: FloatArray,
    column: IntArray,
    multiplier: IntArray,
    bounds: IntArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the lag weights.

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; those of the kernel are not read.
    values : ndarray (1, L)
        Lag weights.
    counts : ndarray (T, K)
    logs : ndarray (T, K)
        Of `log_counts`.
    exceed, constant : ndarray (K, M), (1,)
        Of `count_tables`.
    used : ndarray (T,)
        1 where the period is in the likelihood (never one of the first L, where there is any
        influence), else 0.
    scale : ndarray (T,)
        Watched share of each period; 1 where it is not used.
    offset : ndarray (2, K, T)
        Of occurrence and size.
    design : ndarray (K, T, P)
        Columns of both predictors.
    column, multiplier : ndarray of int (K, P)
        Place in `theta` of each coefficient, and of its multiplier (-1: none).
    bounds : ndarray of int (3,)
        First column of occurrence and of size, and the number of columns.
    place : ndarray of int (3 + K,)
        Place of the first influence on occurrence and on size (-1: none), the number of
        dispersion parameters (0: Poisson), and the place of each stream's dispersion.

    Returns
    -------
    value : float
        Constants (the factorials) included.
    by_theta : ndarray (p,)
    by_values : ndarray (1, L)
    """
    periods, streams = counts.shape
    weights = values[0]
    lags = weights.size
    dispersed = place[2] > 0
    moved = place[0] >= 0 or place[1] >= 0
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, lags))
    coefficient = np.zeros(column.shape)
    by_coefficient = np.zeros(column.shape)
    for k in range(streams):
        for p in range(bounds[2]):
            coefficient[k, p] = theta[column[k, p]]
            if multiplier[k, p] >= 0:
                coefficient[k, p] *= theta[multiplier[k, p]]
    past = np.zeros(streams)
    back = np.zeros(streams)

    value = constant[0]
    if dispersed:
        risen, by_psi = rising(exceed, theta, place[3:])
        value += risen
        for k in range(streams):
            by_theta[place[3 + k]] += by_psi[k]
    for t in range(periods):
        if used[t] == 0:
            continue
        if moved:
            past[:] = 0.0
            back[:] = 0.0
            for lag in range(lags):
                w = weights[lag]
                if w != 0.0:
                    for j in range(streams):
                        past[j] += w * logs[t - 1 - lag, j]
        for k in range(streams):
            y = counts[t, k]
            for part in range(2):
                if part == 1 and y == 0:
                    break
                exponent = offset[part, k, t]
                for p in range(bounds[part], bounds[part + 1]):
                    exponent += design[k, t, p] * coefficient[k, p]
                first = place[part] + k * streams
                if place[part] >= 0:
                    for j in range(streams):
                        exponent += theta[first + j] * past[j]
                if part == 0:
                    if not abs(exponent) < np.inf:
                        return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
                    term, slope = occurrence_term(y > 0, exponent, scale[t])
                else:
                    exponent += np.log(scale[t])
                    psi = theta[place[3 + k]] if dispersed else 0.0
                    if not exponent < HIGHEST or (psi < 0 and 1 + psi * np.exp(exponent) <= 0):
                        return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
                    term, slope, bend = truncated_term(y, exponent, psi)
                    if dispersed:
                        by_theta[place[3 + k]] += bend
                value += term
                for p in range(bounds[part], bounds[part + 1]):
                    by_coefficient[k, p] += slope * design[k, t, p]
                if place[part] >= 0:
                    for j in range(streams):
                        by_theta[first + j] += slope * past[j]
                        back[j] += slope * theta[first + j]
        if moved:
            for lag in range(lags):
                for j in range(streams):
                    by_values[0, lag] += back[j] * logs[t - 1 - lag, j]
    for k in range(streams):
        for p in range(bounds[2]):
            around = by_coefficient[k, p]
            if multiplier[k, p] >= 0:
                by_theta[multiplier[k, p]] += around * theta[column[k, p]]
                around *= theta[multiplier[k, p]]
            by_theta[column[k, p]] += around
    return value, by_theta, by_values
