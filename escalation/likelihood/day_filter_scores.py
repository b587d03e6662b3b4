"""Scores of single days of one day-coded stream."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_count import day_count, day_count_back
from escalation.likelihood.day_filter import fade, largest_count, slack
from escalation.likelihood.day_series import day_series
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def day_filter_scores(
    theta: FloatArray,
    values: FloatArray,
    jacobians: FloatArray,
    groups: IntArray,
    counts: FloatArray,
    watched: FloatArray,
    design: FloatArray,
    nodes: FloatArray,
    integral: FloatArray,
    start: IntArray,
    column: IntArray,
    place: IntArray,
) -> FloatArray:
    """Sum over days of the outer products of the scores, ndarray (p, p), for `day_filter`.

    Its arguments, with `jacobians` (1, 2, q) and `groups` (1, q) of the kernel's parameters.
    """
    days, size = counts.size, theta.size
    decay = values[0, 1]
    reach = theta[place[0]] * values[0, 0]
    gain = reach * decay
    largest = largest_count(counts, watched)
    scale, series, slopes = day_series(reach, decay, largest, nodes, integral)
    e, e_mean, e_slope = fade(decay - gain)
    gap, gap_slope = slack(reach)

    # Derivatives by all of theta, then by R and the decay, of the state's mean and variance.
    wide = size + 2
    by_m, by_v = np.zeros(wide), np.zeros(wide)
    rows = np.zeros((3, wide))
    by_series = np.zeros((5, largest + 1))
    # No literal, for which the functions of a day would be compiled once more.
    at = np.int64(0)
    work, whole = np.empty((7, largest + 1)), np.empty(largest + 1)
    room = np.empty((5, largest + 1))
    out = np.zeros((size, size))
    mean, variance = 0.0, 0.0
    for d in range(days):
        exponent = 0.0
        for p in range(column.shape[1]):
            exponent += design[d, p] * theta[column[0, p]]
        rate = np.exp(exponent)
        if d == 0 and start[0] == 1:
            mean = rate / (gap * decay)
            variance = mean / (2.0 * gap)
            for p in range(column.shape[1]):
                by_m[column[0, p]] += mean * design[0, p]
                by_v[column[0, p]] += variance * design[0, p]
            by_m[size] = -mean * gap_slope / gap
            by_v[size] = -2.0 * variance * gap_slope / gap
            by_m[size + 1] = -mean / decay
            by_v[size + 1] = -variance / decay
        number = int(counts[d]) if watched[d] > 0.0 else 0
        new_mean, new_variance = 0.0, 0.0
        if watched[d] > 0.0:
            _, new_mean, new_variance = day_count(
                number, rate, mean, variance, gain, scale, series, work, at, whole
            )
        else:
            spent = 0.5 * (1.0 + e + gain * e_mean)
            new_mean = e * mean + rate * e_mean
            new_variance = e * e * variance + gain * e * e_mean * mean + rate * e_mean * spent
        for o in range(3):
            for i in range(wide):
                rows[o, i] = 0.0
            if watched[d] > 0.0:
                seeds = (
                    1.0 if o == 0 else 0.0, 1.0 if o == 1 else 0.0, 1.0 if o == 2 else 0.0
                )  # fmt: skip
                for q in range(5):
                    for i in range(number + 1):
                        by_series[q, i] = 0.0
                on_rate, on_mean, on_variance, on_gain = day_count_back(
                    number, seeds, rate, mean, variance, gain, series, work, at, room, by_series
                )
                for q in range(5):
                    for i in range(number + 1):
                        rows[o, size] += by_series[q, i] * slopes[0, q, i]
                        rows[o, size + 1] += by_series[q, i] * slopes[1, q, i]
                on_loss = 0.0
            elif o == 0:
                continue
            elif o == 1:
                on_rate, on_mean, on_variance, on_gain = e_mean, e, 0.0, 0.0
                on_loss = rate * e_slope - mean * e
            else:
                on_rate = e_mean * spent
                on_mean, on_variance = gain * e * e_mean, e * e
                on_gain = e * e_mean * mean + 0.5 * rate * e_mean * e_mean
                on_e = 2.0 * e * variance + gain * e_mean * mean + 0.5 * rate * e_mean
                on_e_mean = gain * e * mean + rate * (spent + 0.5 * gain * e_mean)
                on_loss = on_e_mean * e_slope - on_e * e
            on_gain -= on_loss
            rows[o, size] += on_gain * decay
            rows[o, size + 1] += on_gain * reach + on_loss
            for p in range(column.shape[1]):
                rows[o, column[0, p]] += on_rate * rate * design[d, p]
            for i in range(wide):
                rows[o, i] += on_mean * by_m[i] + on_variance * by_v[i]
        mean, variance = new_mean, new_variance
        for i in range(wide):
            by_m[i], by_v[i] = rows[1, i], rows[2, i]
        rows[0, place[0]] += rows[0, size] * values[0, 0]
        for q in range(groups.shape[1]):
            gained = rows[0, size] * theta[place[0]] * jacobians[0, 0, q]
            rows[0, groups[0, q]] += gained + rows[0, size + 1] * jacobians[0, 1, q]
        for i in range(size):
            for j in range(size):
                out[i, j] += rows[0, i] * rows[0, j]
    return out
