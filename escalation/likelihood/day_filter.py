"""Log-likelihood of one exponential Hawkes stream whose times are known to the day."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_count import WEIGHT, day_count, day_count_back
from escalation.likelihood.day_series import day_series, time_grid
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Slack of 1 - R below which the stationary start leaves the formula that diverges at R = 1.
SLACK = 0.05


@njit(cache=True, nogil=True, error_model="numpy")
def fade(rate: float) -> tuple[float, float, float]:
    """exp(-rate), its mean over [0, 1] of the exponent, and the derivative of that mean."""
    e = np.exp(-rate)
    if abs(rate) < 1e-3:
        mean = 1.0 - rate / 2.0 + rate * rate / 6.0 - rate * rate * rate / 24.0
        slope = -0.5 + rate / 3.0 - rate * rate / 8.0 + rate * rate * rate / 30.0
    else:
        mean = -np.expm1(-rate) / rate
        slope = (e - mean) / rate
    return e, mean, slope


@njit(cache=True, nogil=True, error_model="numpy")
def slack(reach: float) -> tuple[float, float]:
    """1 - R with its derivative, kept positive at R near and above 1."""
    gap = 1.0 - reach
    if gap >= SLACK:
        return gap, -1.0
    ratio = SLACK / (2.0 * SLACK - gap)
    return SLACK * ratio, -ratio * ratio


@njit(cache=True, nogil=True, error_model="numpy")
def largest_count(counts: FloatArray, watched: FloatArray) -> int:
    """Most incidents of a watched day."""
    largest = 0
    for d in range(counts.size):
        if watched[d] > 0.0:
            largest = max(largest, int(counts[d]))
    return largest


@njit(cache=True, nogil=True, error_model="numpy")
def day_filter(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    watched: FloatArray,
    design: FloatArray,
    nodes: FloatArray,
    integral: FloatArray,
    start: IntArray,
    column: IntArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood of daily counts with its gradients by the parameters and by the kernel.

    .. math:: \lambda(t) = \exp(x_d'b) + R \beta S(t), \quad dS = -\beta S dt + dN

    The times within the day are integrated out. Given the past, S at the start of a day is taken
    to be gamma distributed; its mean and variance given the day's count are then exact, and are
    all that is carried to the next day. Cost O(n + sum of squared counts).

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; the kernel's places are not read.
    values : ndarray (1, 2)
        Weight and rate (a day) of the exponential. Offspring a parent: R times the weight.
    counts : ndarray (D,)
        Incidents of each day.
    watched : ndarray (D,)
        1 where the day was watched, 0 in a gap, whose count is not read.
    design : ndarray (D, P)
    nodes, integral : ndarray (N,), (N, N)
        From `time_grid` of the largest count.
    start : ndarray of int (1,)
        1: the process is as if it had run for ever at the first day's background; 0: no
        incident before the window.
    column : ndarray of int (1, P)
        Place in `theta` of each background coefficient.
    place : ndarray of int (1,)
        Place of R.

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (1, 2)

    Notes
    -----
    The stationary start has mean rate background / (1 - R); at R above 0.95 the divisor is bent
    (with a continuous slope) so that it stays positive. Near or above 1 no stationary law exists:
    start empty.

    The gradient is the adjoint of the recursion, swept from the last day to the first.
    """
    days = counts.size
    columns = column.shape[1]
    decay = values[0, 1]
    reach = theta[place[0]] * values[0, 0]
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, 2))
    failed = -np.inf, by_theta, by_values
    if not (reach >= 0.0 and reach < 1e6 and decay > 0.0 and decay < 1e6):
        return failed

    largest = largest_count(counts, watched)
    offset = np.zeros(days + 1, np.int64)
    for d in range(days):
        n = int(counts[d]) if watched[d] > 0.0 else 0
        offset[d + 1] = offset[d] + n + 1
    scale, series, slopes = day_series(reach, decay, largest, nodes, integral)
    gain = reach * decay
    loss = decay - gain
    e, e_mean, e_slope = fade(loss)

    rate = np.empty(days)
    for d in range(days):
        exponent = 0.0
        for p in range(columns):
            exponent += design[d, p] * theta[column[0, p]]
        rate[d] = np.exp(exponent)
        if not (rate[d] > 0.0 and rate[d] < 1e15):
            return failed

    mean = np.zeros(days + 1)
    variance = np.zeros(days + 1)
    gap, gap_slope = slack(reach)
    if start[0] == 1:
        mean[0] = rate[0] / (gap * decay)
        variance[0] = mean[0] / (2.0 * gap)
    work = np.empty((7, offset[days]))
    whole = np.empty(largest + 1)
    value = 0.0
    for d in range(days):
        m, v = mean[d], variance[d]
        if watched[d] > 0.0:
            n = offset[d + 1] - offset[d] - 1
            gained, mean[d + 1], variance[d + 1] = day_count(
                n, rate[d], m, v, gain, scale, series, work, offset[d], whole
            )
            value += gained
        else:
            mean[d + 1] = e * m + rate[d] * e_mean
            variance[d + 1] = (
                e * e * v
                + gain * e * e_mean * m
                + rate[d] * e_mean * 0.5 * (1.0 + e + gain * e_mean)
            )
        if not (value > -np.inf and mean[d + 1] < 1e100 and variance[d + 1] < 1e100):
            return failed

    by_series = np.zeros((5, largest + 1))
    room = np.empty((5, largest + 1))
    to_mean = 0.0
    to_variance = 0.0
    by_gain = 0.0
    by_loss = 0.0
    by_reach = 0.0
    by_decay = 0.0
    for d in range(days - 1, -1, -1):
        m, v = mean[d], variance[d]
        by_mean, by_variance = to_mean, to_variance
        if watched[d] > 0.0:
            n = offset[d + 1] - offset[d] - 1
            by_rate, to_mean, to_variance, gained = day_count_back(
                n, (1.0, to_mean, to_variance), rate[d], m, v, gain, series, work, offset[d], room,
                by_series,
            )  # fmt: skip
            by_gain += gained
        else:
            by_rate = by_mean * e_mean
            by_rate += by_variance * e_mean * 0.5 * (1.0 + e + gain * e_mean)
            by_gain += by_variance * e_mean * (e * m + 0.5 * rate[d] * e_mean)
            by_e = by_mean * m + by_variance * (2.0 * e * v + gain * e_mean * m)
            by_e += by_variance * rate[d] * e_mean * 0.5
            by_e_mean = by_mean * rate[d] + by_variance * gain * e * m
            by_e_mean += by_variance * rate[d] * (0.5 * (1.0 + e) + gain * e_mean)
            by_loss += by_e_mean * e_slope - by_e * e
            to_mean = by_mean * e + by_variance * gain * e * e_mean
            to_variance = by_variance * e * e
        if d == 0 and start[0] == 1:
            by_mean = to_mean + to_variance / (2.0 * gap)
            by_rate += by_mean / (gap * decay)
            by_decay -= by_mean * m / decay
            by_reach -= (by_mean * m / gap + to_variance * variance[0] / gap) * gap_slope
        for p in range(columns):
            by_theta[column[0, p]] += by_rate * rate[d] * design[d, p]

    for q in range(5):
        for i in range(largest + 1):
            by_reach += by_series[q, i] * slopes[0, q, i]
            by_decay += by_series[q, i] * slopes[1, q, i]
    by_gain -= by_loss
    by_reach += by_gain * decay
    by_decay += by_gain * reach + by_loss
    by_theta[place[0]] += by_reach * values[0, 0]
    by_values[0, 0] = by_reach * theta[place[0]]
    by_values[0, 1] = by_decay
    return value, by_theta, by_values


@njit(cache=True, nogil=True, error_model="numpy")
def day_probabilities(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    watched: FloatArray,
    design: FloatArray,
    nodes: FloatArray,
    integral: FloatArray,
    start: IntArray,
    column: IntArray,
    place: IntArray,
) -> FloatArray:
    """Probability of a lower count, and of this or a lower one, of each day given earlier days.

    Arguments as for `day_filter`.

    Returns
    -------
    ndarray (D, 2)
        NaN on days that were not watched. A uniform number between the two is uniformly
        distributed if the model holds.
    """
    days = counts.size
    decay = values[0, 1]
    reach = theta[place[0]] * values[0, 0]
    gain = reach * decay
    largest = largest_count(counts, watched)
    scale, series, _ = day_series(reach, decay, largest, nodes, integral)
    e, e_mean, _ = fade(decay - gain)
    out = np.full((days, 2), np.nan)
    # No literal, for which the functions of a day would be compiled once more.
    at = np.int64(0)
    work = np.empty((7, largest + 1))
    whole = np.empty(largest + 1)
    mean, variance = 0.0, 0.0
    for d in range(days):
        exponent = 0.0
        for p in range(column.shape[1]):
            exponent += design[d, p] * theta[column[0, p]]
        rate = np.exp(exponent)
        if d == 0 and start[0] == 1:
            gap = slack(reach)[0]
            mean = rate / (gap * decay)
            variance = mean / (2.0 * gap)
        if watched[d] > 0.0:
            n = int(counts[d])
            value, mean, variance = day_count(
                n, rate, mean, variance, gain, scale, series, work, at, whole
            )
            below = 0.0
            for i in range(1, n + 1):
                if work[WEIGHT, i] > 0.0:
                    below += np.exp(value + np.log(work[WEIGHT, i]) + i * np.log(scale))
            out[d, 0] = min(below, 1.0)
            out[d, 1] = min(below + np.exp(value), 1.0)
        else:
            variance = e * e * variance + e_mean * (
                gain * e * mean + 0.5 * rate * (1.0 + e + gain * e_mean)
            )
            mean = e * mean + rate * e_mean
    return out


def filter_data(
    counts: FloatArray, watched: FloatArray, design: FloatArray
) -> dict[str, FloatArray]:
    """The arrays that `day_filter` takes after the kernel's values, in its order.

    Parameters
    ----------
    counts : ndarray (D,)
        Whole numbers; what stands in a gap is not read.
    watched : ndarray (D,)
        1 where the day was watched, else 0.
    design : ndarray (D, P)
        Rows at the days' middles.
    """
    seen = np.where(watched > 0, counts, 0.0).astype(float)
    nodes, integral = time_grid(int(seen.max(initial=0.0)))
    return {
        "counts": seen,
        "watched": np.asarray(watched, float),
        "design": np.ascontiguousarray(design, float),
        "nodes": nodes,
        "integral": integral,
    }
