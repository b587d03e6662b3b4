"""Log-likelihood and gradient of deaths per incident: a discrete law with a heavy tail."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import assign
from escalation.likelihood.count_terms import dispersed_term
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Beyond this many standard deviations the normal tail is taken from its continued fraction.
FAR = 25.0
HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


@njit(cache=True, nogil=True, error_model="numpy")
def log_upper(z: float) -> float:
    """Log of the probability that a standard normal variable exceeds z."""
    out = -math.inf
    if z < -5.0:
        out = math.log1p(-0.5 * math.erfc(-z / math.sqrt(2.0)))
    elif z < FAR:
        out = math.log(0.5 * math.erfc(z / math.sqrt(2.0)))
    elif z < math.inf:
        tail = z
        for i in range(8, 0, -1):
            tail = z + i / tail
        out = -0.5 * z * z - HALF_LOG_TWO_PI - math.log(tail)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def log_between(low: float, high: float) -> float:
    """Log of the probability that a standard normal variable lies between two numbers."""
    if high < 0.0:
        low, high = -high, -low
    if low > 0.0:
        first: float = log_upper(low)
        return first + math.log(-math.expm1(log_upper(high) - first))
    return math.log1p(-math.exp(log_upper(-low)) - math.exp(log_upper(high)))


@njit(cache=True, nogil=True, error_model="numpy")
def body_term(low: float, high: float, level: float, spread: float, out: FloatArray) -> float:
    """Log-probability of low < Y <= high under the log-normal law; `out[:2]` takes its slopes.

    By level and spread. `low` may be 0 and `high` infinite.
    """
    z = (math.log(low) - level) / spread if low > 0.0 else -math.inf
    w = (math.log(high) - level) / spread if high < math.inf else math.inf
    value: float = log_between(z, w)
    out[0] = 0.0
    out[1] = 0.0
    if value == -math.inf:
        return value
    for side, at in ((1.0, w), (-1.0, z)):
        if abs(at) < math.inf:
            density = side * math.exp(-0.5 * at * at - HALF_LOG_TWO_PI - value) / spread
            out[0] -= density
            out[1] -= density * at
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def tail_term(low: float, high: float, scale: float, index: float, out: FloatArray) -> float:
    """Log-probability of low < X <= high of a generalised Pareto law; `out[2:4]` takes its slopes.

    By scale and index. `high` may be infinite.
    """
    first: float
    first, by_index = dispersed_term(0.0, low / scale, index)
    by_scale = low / (scale * (scale + index * low))
    if high == math.inf:
        out[2] = by_scale
        out[3] = by_index
        return first
    second, other = dispersed_term(0.0, high / scale, index)
    lost = math.exp(second - first)
    share = -math.expm1(second - first)
    if share <= 0.0:
        return -math.inf
    out[2] = (by_scale - lost * high / (scale * (scale + index * high))) / share
    out[3] = (by_index - lost * other) / share
    return first + math.log(share)


@njit(cache=True, nogil=True, error_model="numpy")
def beyond_threshold(p: FloatArray, threshold: float, out: FloatArray) -> None:
    """Write the log of P(Y > u | Y > 0) and its slopes by level and spread into `out` (3,)."""
    if threshold < math.inf:
        out[0] = body_term(threshold, math.inf, p[1], p[2], out[1:])


@njit(cache=True, nogil=True, error_model="numpy")
def severity_term(
    low: float, high: float, p: FloatArray, threshold: float, beyond: FloatArray, out: FloatArray
) -> float:
    r"""Log-probability of at least `low` and at most `high` deaths, with its slopes.

    .. math::
        P(Y > y) = (1 - p_0)\,\{1 - \Phi((\log y - \mu)/\sigma)\}, \quad 1 \le y \le u, \qquad
        P(Y > y) = P(Y > u)\,\{1 + \xi (y - u)/\beta\}^{-1/\xi}, \quad y > u

    Parameters
    ----------
    low, high : float
        Whole numbers; `high` may be infinite.
    p : ndarray (5,)
        p0, mu, sigma, beta, xi; the last two are not read where the threshold is infinite.
    threshold : float
        u.
    beyond : ndarray (3,)
        Of `beyond_threshold`; not read where the threshold is infinite.
    out : ndarray (13,)
        The first five take the slopes by `p`; the rest is scratch.
    """
    none, level, spread = p[0], p[1], p[2]
    out[:] = 0.0
    above = max(low - 1.0, 0.0)
    some = -math.inf
    piece, own = out[5:9], out[9:13]
    if high > above and high >= 1.0:
        if above < threshold:
            some = body_term(above, min(high, threshold), level, spread, piece)
        if high > threshold:
            start = max(above, threshold)
            own[0], own[1] = beyond[1], beyond[2]
            rest = beyond[0] + tail_term(start - threshold, high - threshold, p[3], p[4], own)
            if some == -math.inf:
                assign(piece, own)
                some = rest
            elif rest > -math.inf:
                both = max(some, rest) + math.log1p(math.exp(-abs(some - rest)))
                left = math.exp(some - both)
                right = math.exp(rest - both)
                for i in range(4):
                    piece[i] = left * piece[i] + right * own[i]
                some = both
    if low > 0.0:
        if some == -math.inf or none >= 1.0:
            return -math.inf
        out[0] = -1.0 / (1.0 - none)
        assign(out[1:5], piece)
        return some + math.log1p(-none)
    inner = math.exp(some)
    whole = none + (1.0 - none) * inner
    if not whole > 0.0:
        return -math.inf
    out[0] = (1.0 - inner) / whole
    share = (1.0 - none) * inner / whole
    for i in range(4):
        out[1 + i] = piece[i] * share
    return math.log(whole)


@njit(cache=True, nogil=True, error_model="numpy")
def of_stream(theta: FloatArray, place: IntArray, pooled: IntArray, k: int, p: FloatArray) -> None:
    """Write the five parameters of stream k into `p` (5,)."""
    for i in range(5):
        p[i] = theta[place[k, i]] if place[k, i] >= 0 else 0.0
    if pooled[0] >= 0:
        p[1] += theta[pooled[0]] * theta[pooled[1] + k]
        p[2] *= math.exp(theta[pooled[2]] * theta[pooled[3] + k])


@njit(cache=True, nogil=True, error_model="numpy")
def severity(
    theta: FloatArray,
    values: FloatArray,
    stream: IntArray,
    low: FloatArray,
    high: FloatArray,
    weight: FloatArray,
    threshold: FloatArray,
    place: IntArray,
    pooled: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    """Log-likelihood of deaths known to intervals, with its gradient.

    Parameters
    ----------
    theta : ndarray (p,)
    values : ndarray (G, m)
        Not read: the law has no kernel.
    stream : ndarray of int (C,)
        Of each cell: the records of one stream with one interval.
    low, high : ndarray (C,)
        Fewest and most deaths of a cell's records.
    weight : ndarray (C,)
        Number of the records.
    threshold : ndarray (1,)
        Where the Pareto tail begins; infinite without one.
    place : ndarray of int (K, 5)
        Place in `theta` of each stream's five parameters (see `severity_term`), -1: none.
    pooled : ndarray of int (4,)
        Place of the spread of levels among streams, of the first deviation, and the same of the
        logarithms of the spreads; -1 without partial pooling.

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (G, m)
    """
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    streams = place.shape[0]
    p = np.zeros((streams, 5))
    for k in range(streams):
        of_stream(theta, place, pooled, k, p[k])
        if not p[k, 2] > 0.0 or not p[k, 2] < math.inf:
            return -math.inf, by_theta, by_values
    own = np.zeros((streams, 5))
    beyond = np.zeros((streams, 3))
    for k in range(streams):
        beyond_threshold(p[k], threshold[0], beyond[k])
    slope = np.zeros(13)
    value = 0.0
    for c in range(stream.size):
        k = stream[c]
        term = severity_term(low[c], high[c], p[k], threshold[0], beyond[k], slope)
        if not term > -math.inf:
            return -math.inf, np.zeros(theta.size), by_values
        value += weight[c] * term
        for i in range(5):
            own[k, i] += weight[c] * slope[i]
    for k in range(streams):
        if pooled[0] >= 0:
            by_theta[pooled[0]] += own[k, 1] * theta[pooled[1] + k]
            by_theta[pooled[1] + k] += own[k, 1] * theta[pooled[0]]
            by_log = own[k, 2] * p[k, 2]
            by_theta[pooled[2]] += by_log * theta[pooled[3] + k]
            by_theta[pooled[3] + k] += by_log * theta[pooled[2]]
            own[k, 2] = by_log / theta[place[k, 2]]
        for i in range(5):
            if place[k, i] >= 0:
                by_theta[place[k, i]] += own[k, i]
    return value, by_theta, by_values


@njit(cache=True, nogil=True, error_model="numpy")
def interval_log_probability(
    draws: FloatArray,
    stream: IntArray,
    low: FloatArray,
    high: FloatArray,
    threshold: float,
) -> FloatArray:
    """Log-probability (n, N) of each record's interval, for draws (n, K, 5) of the parameters."""
    streams = draws.shape[1]
    out = np.empty((draws.shape[0], stream.size))
    slope, beyond = np.zeros(13), np.zeros((streams, 3))
    for n in range(draws.shape[0]):
        for k in range(streams):
            beyond_threshold(draws[n, k], threshold, beyond[k])
        for i in range(stream.size):
            k = stream[i]
            out[n, i] = severity_term(low[i], high[i], draws[n, k], threshold, beyond[k], slope)
    return out
