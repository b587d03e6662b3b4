"""Daily counts of one stream, day by day: probabilities given the past, and signs of doubling."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_count import WEIGHT, day_count
from escalation.likelihood.day_filter import fade, largest_count, slack
from escalation.likelihood.day_series import day_series
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True)
def daily_steps(
    reach: float,
    decay: float,
    rate: FloatArray,
    counts: FloatArray,
    watched: FloatArray,
    nodes: FloatArray,
    integral: FloatArray,
    stationary: bool,
) -> FloatArray:
    r"""What the day filter says of each day's count, given the days before.

    If every incident were written down twice with probability q, without the copy setting off
    anything, a count of n would have the probability :math:`p_n + q\{(n-1)p_{n-1} - n p_n\}` to
    the first order in q. The last column is the derivative of its log at q = 0, by the count of
    the day itself: its mean given the past is zero.

    Parameters
    ----------
    reach, decay : float
        R and the rate of the exponential, a day.
    rate : ndarray (D,)
        What else there is, a day.
    counts, watched : ndarray (D,)
        As in `day_filter`.
    nodes, integral : ndarray
        From `time_grid`.
    stationary : bool
        Whether the process has run for ever at the first day's rate, or starts empty.

    Returns
    -------
    ndarray (D, 5)
        Log-probability of the count, probability of less, expected count, its variance where the
        within-day excitation is left out, score of doubling; zero on unwatched days.
    """
    days = counts.size
    out = np.zeros((days, 5))
    largest = largest_count(counts, watched)
    scale, series, _ = day_series(reach, decay, largest, nodes, integral)
    gain = reach * decay
    e, e_mean, _ = fade(decay - gain)
    # Mean over the day of the mean over the time passed: the background's share in the state.
    loss = decay - gain
    e_twice = 0.5 - loss / 6.0 if abs(loss) < 1e-4 else (1.0 - e_mean) / loss
    mean = 0.0
    variance = 0.0
    if stationary:
        gap, _ = slack(reach)
        mean = rate[0] / (gap * decay)
        variance = mean / (2.0 * gap)
    # No literal, for which the functions of a day would be compiled once more.
    at = np.int64(0)
    work = np.empty((7, largest + 1))
    whole = np.empty(largest + 1)
    for d in range(days):
        if watched[d] > 0.0:
            n = int(counts[d])
            out[d, 2] = rate[d] + gain * (mean * e_mean + rate[d] * e_twice)
            out[d, 3] = out[d, 2] + gain * gain * e_mean * e_mean * variance
            value, mean, variance = day_count(
                n, rate[d], mean, variance, gain, scale, series, work, at, whole
            )
            out[d, 0] = value
            for i in range(1, n + 1):
                if work[WEIGHT, i] > 0.0:
                    out[d, 1] += np.exp(value + np.log(work[WEIGHT, i]) + i * np.log(scale))
            if n > 1:
                out[d, 4] = (n - 1) * work[WEIGHT, 1] * scale
            out[d, 4] -= n
        else:
            # As in `day_filter`.
            variance = (
                e * e * variance
                + gain * e * e_mean * mean
                + rate[d] * e_mean * 0.5 * (1.0 + e + gain * e_mean)
            )
            mean = e * mean + rate[d] * e_mean
    return out
