"""Log-likelihood and gradient of the hurdle model: whether anything happens, and how much."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import (
    SMALL,
    add_scaled,
    assign,
    dot,
    lag_slopes,
    lagged_sums,
    lane_sum,
)
from escalation.likelihood.count_terms import dispersed_term, rising
from escalation.likelihood.exponential import fade, logarithm, one_minus_exp
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]
#: Log-means above this are no counts.
HIGHEST = 34.0
#: Below this the mean is no number of the machine's any more.
LOWEST = -700.0
#: Below this the difference of log(1 + x) and x/(1 + x) is taken from its series.
NEAR = 1e-2


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


@njit(cache=True, nogil=True, error_model="numpy")
def occurrence_row(
    state: FloatArray, odds: FloatArray, slope: FloatArray, value_at: FloatArray
) -> float:
    """Sum of `occurrence_term` over periods; the slopes by the log-odds are written.

    Parameters
    ----------
    state : ndarray (n,)
        1 for a period that is not empty, minus the watched share of an empty one, 0 for a period
        that is left out.
    odds, slope, value_at : ndarray (n,)
    """
    bad = 0
    for i in range(odds.size):
        bad += 0 if (abs(odds[i]) < np.inf) | (state[i] == 0.0) else 1
    if bad > 0:
        return -np.inf
    for i in range(odds.size):
        x = odds[i] if state[i] != 0.0 else 0.0
        above = x > 0.0
        small = fade(-x if above else x)
        u = 1.0 + small
        likely = 1.0 / u
        # The second part mends what the rounding of 1 + small has lost.
        log_u = logarithm(u) + (small - (u - 1.0)) * likely
        rare = small * likely
        happened = state[i] > 0.0
        empty = log_u + (x if above else 0.0)
        some = (0.0 if above else x) - log_u
        value_at[i] = state[i] * (some if happened else empty)
        slope[i] = state[i] * (likely if above != happened else rare)
    value: float = lane_sum(value_at)
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def truncated_row(
    y: FloatArray,
    exponent: FloatArray,
    psi: float,
    slope: FloatArray,
    value_at: FloatArray,
    bend_at: FloatArray,
    some: FloatArray,
) -> tuple[float, float]:
    """Sum of `truncated_term` over counts above zero, and its slope by psi.

    Several short loops: one with all of these arrays would not be vectorised.

    Parameters
    ----------
    y, exponent : ndarray (n,)
    psi : float
    slope : ndarray (n,)
        Slopes by the log-means are written here.
    value_at, bend_at, some : ndarray (n,)
        Overwritten.
    """
    high, low = 0, 0
    for i in range(y.size):
        high += 0 if exponent[i] < HIGHEST else 1
        low += 1 if exponent[i] < LOWEST + 50.0 else 0
    if high > 0:
        return -np.inf, 0.0
    if low > 0 or (psi != 0.0 and psi < SMALL):
        value = 0.0
        by_psi = 0.0
        for i in range(y.size):
            if psi < 0.0 and 1.0 + psi * np.exp(exponent[i]) <= 0.0:
                return -np.inf, 0.0
            term, slope[i], bend = truncated_term(y[i], exponent[i], psi)
            value += term
            by_psi += bend
        return value, by_psi
    mean, minus_log_empty = slope, value_at
    for i in range(y.size):
        mean[i] = fade(exponent[i])
    if psi == 0.0:
        for i in range(y.size):
            minus_log_empty[i] = mean[i]
            bend_at[i] = 0.5 * mean[i] * mean[i]
    else:
        inverse = 1.0 / psi
        for i in range(y.size):
            x = psi * mean[i]
            u = 1.0 + x
            over = 1.0 / u
            log_u = logarithm(u) + (x - (u - 1.0)) * over
            # The series of (log(1 + x) - x/(1 + x))/x**2 where the difference would cancel.
            z = x * x
            even = 1 / 2 + z * (3 / 4 + z * (5 / 6 + z * (7 / 8)))
            odd = 2 / 3 + z * (4 / 5 + z * (6 / 7 + z * (8 / 9)))
            curve = z * (even - x * odd) if x < NEAR else log_u - x * over
            minus_log_empty[i] = log_u * inverse
            bend_at[i] = curve * inverse * inverse
    for i in range(y.size):
        some[i] = one_minus_exp(minus_log_empty[i])
    for i in range(y.size):
        u = 1.0 + psi * mean[i]
        both = 1.0 / (u * some[i])
        raised, over = u * both, some[i] * both
        bend_at[i] = raised * bend_at[i] - y[i] * mean[i] * over
        slope[i] = (y[i] - mean[i] * raised) * over
    for i in range(y.size):
        q = minus_log_empty[i]
        value_at[i] = y[i] * (exponent[i] - psi * q) - q - logarithm(some[i])
    return lane_sum(value_at), lane_sum(bend_at)


@njit(cache=True, nogil=True, error_model="numpy")
def coefficients(theta: FloatArray, column: IntArray, multiplier: IntArray) -> FloatArray:
    """Coefficients (K, P): entries of `theta`, times their multipliers where they have one."""
    out = np.empty(column.shape)
    for k in range(column.shape[0]):
        for p in range(column.shape[1]):
            out[k, p] = theta[column[k, p]]
            if multiplier[k, p] >= 0:
                out[k, p] *= theta[multiplier[k, p]]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def coefficient_slopes(
    around: FloatArray,
    theta: FloatArray,
    column: IntArray,
    multiplier: IntArray,
    by_theta: FloatArray,
) -> None:
    """Add to `by_theta` what the slopes (K, P) by the coefficients say of its entries."""
    for k in range(column.shape[0]):
        for p in range(column.shape[1]):
            slope = around[k, p]
            if multiplier[k, p] >= 0:
                by_theta[multiplier[k, p]] += slope * theta[column[k, p]]
                slope *= theta[multiplier[k, p]]
            by_theta[column[k, p]] += slope


@njit(cache=True, nogil=True, error_model="numpy")
def hurdle(
    theta: FloatArray,
    values: FloatArray,
    state: FloatArray,
    logs: FloatArray,
    exceed: FloatArray,
    constant: FloatArray,
    scale: FloatArray,
    busy: IntArray,
    busy_counts: FloatArray,
    busy_first: IntArray,
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
        Lag weights; not read without influence.
    state : ndarray (K, T)
        Of `occurrence_row`; 0 as well where a period that is not empty was watched in part.
    logs : ndarray (K, T)
        Of `log_counts`.
    exceed, constant : ndarray (K, M), (1,)
        Of `count_tables`.
    scale : ndarray (T,)
        Watched share of each period; 1 where it is not in the likelihood (never one of the first
        L, where there is any influence).
    busy, busy_counts, busy_first : ndarray (N,), (N,), (K + 1,)
        Used periods that are not empty, stream by stream, their counts, and where each stream's
        begin.
    offset : ndarray (2, K, T)
        Of occurrence and size; that of the size holds the log of the watched share.
    design : ndarray (K, P, T)
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
    streams, periods = state.shape
    moved = place[0] >= 0 or place[1] >= 0
    lags = values.shape[1] if moved else 0
    size = periods - lags
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, values.shape[1]))
    coefficient = coefficients(theta, column, multiplier)
    by_coefficient = np.zeros(column.shape)
    past = np.zeros((streams, size))
    back = np.zeros((streams, size))
    if moved:
        lagged_sums(values[0], logs, past)
    exponent = np.empty(size)
    slope = np.empty(size)
    whole = np.empty(size)
    few = np.empty((5, size))
    value = constant[0]
    if place[2] > 0:
        risen, by_psi = rising(exceed, theta, place[3:])
        value += risen
        for k in range(streams):
            by_theta[place[3 + k]] += by_psi[k]
    for k in range(streams):
        own = busy[busy_first[k] : busy_first[k + 1]]
        y = busy_counts[busy_first[k] : busy_first[k + 1]]
        for part in range(2):
            if part == 1 and own.size == 0:
                break
            assign(exponent, offset[part, k, lags:])
            for p in range(bounds[part], bounds[part + 1]):
                add_scaled(exponent, coefficient[k, p], design[k, p, lags:])
            first = place[part] + k * streams
            reach = streams if place[part] >= 0 else 0
            for j in range(reach):
                if theta[first + j] != 0.0:
                    add_scaled(exponent, theta[first + j], past[j])
            if part == 0:
                value += occurrence_row(state[k, lags:], exponent, slope, whole)
                for t in own:
                    if scale[t] != 1.0:
                        term, slope[t - lags] = occurrence_term(True, exponent[t - lags], scale[t])
                        value += term
            else:
                number = own.size
                inner, steep = few[0, :number], few[1, :number]
                for i in range(number):
                    inner[i] = exponent[own[i] - lags]
                psi = theta[place[3 + k]] if place[2] > 0 else 0.0
                term, bend = truncated_row(
                    y, inner, psi, steep, few[2, :number], few[3, :number], few[4, :number]
                )
                value += term
                if place[2] > 0:
                    by_theta[place[3 + k]] += bend
                slope[:] = 0.0
                for i in range(number):
                    slope[own[i] - lags] = steep[i]
            if not value > -np.inf:
                return -np.inf, np.zeros(theta.size), np.zeros((1, values.shape[1]))
            for p in range(bounds[part], bounds[part + 1]):
                by_coefficient[k, p] += dot(slope, design[k, p, lags:])
            for j in range(reach):
                by_theta[first + j] += dot(slope, past[j])
                if theta[first + j] != 0.0:
                    add_scaled(back[j], theta[first + j], slope)
    coefficient_slopes(by_coefficient, theta, column, multiplier, by_theta)
    if moved:
        lag_slopes(back, logs, by_values[0])
    return value, by_theta, by_values
