"""Log-likelihood of several Hawkes streams whose times are known to the day."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_room import Draws, make_room, make_slopes
from escalation.likelihood.day_step import advance, opening, retreat
from escalation.likelihood.day_structure import (
    first_reach,
    mark_weights,
    marked,
    rates,
    structure,
    to_parameters,
)
from escalation.likelihood.day_unwatched import (
    pass_back,
    pass_day,
    settled,
    settled_back,
    unwatched_back,
    unwatched_maps,
)
from escalation.likelihood.day_within import reduce_slopes
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def _allowed(theta: FloatArray, values: FloatArray, first: int, number: int) -> bool:
    """Whether the entries of R, from place `first` on, and the kernels are valid."""
    for i in range(number):
        if not (theta[first + i] >= 0.0 and theta[first + i] < 1e6):
            return False
    terms = values.shape[1] // 2
    for g in range(values.shape[0]):
        for i in range(terms):
            if not (values[g, terms + i] > 0.0 and values[g, i] >= 0.0 and values[g, i] < 1e6):
                return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _finite(rate: FloatArray, mark: FloatArray) -> bool:
    """Whether rates and marks can be computed with."""
    for d in range(rate.shape[0]):
        for k in range(rate.shape[1]):
            if not (rate[d, k] > 1e-300 and rate[d, k] < 1e15):
                return False
    for i in range(mark.size):
        if not mark[i] < 1e15:
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _orders(first: IntArray, stream: IntArray) -> float:
    """Log of the product of the factorials of all counts: counts have no order within a day."""
    value = 0.0
    for d in range(first.size - 1):
        same = 0
        for i in range(first[d], first[d + 1]):
            same = same + 1 if i > first[d] and stream[i] == stream[i - 1] else 1
            value += np.log(same)
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def day_draws(
    theta: FloatArray,
    values: FloatArray,
    first: IntArray,
    stream: IntArray,
    size: FloatArray,
    lanes: IntArray,
    origin: IntArray,
    when: FloatArray,
    which: IntArray,
    normal: FloatArray,
    decline: FloatArray,
    share: FloatArray,
    offset: FloatArray,
    watched: FloatArray,
    design: FloatArray,
    era: IntArray,
    group: IntArray,
    start: IntArray,
    exponent: IntArray,
    column: IntArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood of daily counts with its gradients by the parameters and by the kernels.

    .. math:: \lambda_k(t) = \exp(x_d'b_k)
              + \sum_j \sum_{t_i < t, \kappa_i = j} R_{e(i)kj} y_i
                \sum_m w_m \beta_m e^{-\beta_m (t - t_i)}

    The times within the day are integrated out by fixed draws, and with them the states: sums
    over past events, one a source, term and era (and a target, where kernels differ by target).
    Given the past, states at the start of a day are drawn independently, those of one source with
    the same normal number; mean and variance of each are carried to the next day. That the past
    sets off nothing today is a closed form of gamma states, so that days without events need no
    draws and the draws of other days start from states that know it.

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; the kernel's places are not read.
    values : ndarray (G, 2 M)
        Weights, then rates (a day), of the exponentials of each group.
    first, stream, size, lanes, origin, when, which, normal, decline, share, offset,
    watched, design, era
        From `day_times.day_data`.
    group : ndarray of int (K, K)
        Row of `values` for [target, source].
    start : ndarray of int (1,)
        1: the process is as if it had run for ever at the first day's background and R; 0: no
        incident before the window.
    exponent : ndarray of int (K,)
        Place in `theta` of each stream's exponent of marks; -1 without marks.
    column : ndarray of int (K, P)
        Place in `theta` of each background coefficient.
    place : ndarray of int (1,)
        Place of R[0, 0, 0]; R is (eras, K, K), [era of the parent, target, source].

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (G, 2 M)

    Notes
    -----
    Rates above 300 a day count as 300. With the stationary start R is scaled down smoothly where
    its spectral radius is above 0.95; near or above 1 no stationary law exists: start empty.

    The same draws serve every evaluation, which makes the likelihood smooth; the gradient is the
    adjoint of the recursion, swept from the last day to the first.
    """
    days, streams = watched.size, group.shape[0]
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    failed = -np.inf, by_theta, by_values
    has_gap, rows, largest, widest = opening(first, lanes, watched, era)
    eras = has_gap.size
    if not _allowed(theta, values, place[0], eras * streams * streams):
        return failed
    mark, mark_slope = mark_weights(theta, stream, size, exponent)
    rate = rates(theta, design, column)
    if not _finite(rate, mark):
        return failed
    model = structure(theta, values, group, place[0], eras)
    through = unwatched_maps(model, has_gap, streams)
    states = model.fade.size
    mean = np.zeros((days + 1, states))
    variance = np.zeros((days + 1, states))
    reach = first_reach(theta, values, group, place[0])
    if start[0] == 1:
        begun = settled(reach, model, rate, mean, variance)

    draws = Draws(stream, lanes, origin, when, which, normal, decline, share, offset)
    room = make_room(largest, model, widest)
    tilted = np.empty((2, states))
    after = np.empty((2, states))
    value = -_orders(first, stream)
    for d in range(days):
        now = era[d]
        if watched[d] == 0.0:
            pass_day(through, now, mean, variance, rate, d)
            continue
        gained, _ = advance(
            d, rows[d], now, first, rate, mark, model, draws, room, mean[d], variance[d], tilted,
            after,
        )  # fmt: skip
        value += gained
        for c in range(states):
            mean[d + 1, c] = after[0, c]
            variance[d + 1, c] = after[1, c]
            if not (after[0, c] < 1e100 and after[1, c] < 1e100):
                return failed
        if not value > -np.inf:
            return failed

    by_rate = np.zeros((days, streams))
    slopes = make_slopes(model, widest, marked(exponent) * stream.size)
    by_leave = np.zeros(states)
    by_fade = np.zeros(states)
    by_speed = np.zeros(model.speed.size)
    by_lift = np.zeros(model.lift.shape)
    by_through = np.zeros(through.shape)
    by_state = np.empty((states, widest))
    by_mean = np.zeros(states)
    by_variance = np.zeros(states)
    for d in range(days - 1, -1, -1):
        now = era[d]
        if watched[d] == 0.0:
            pass_back(
                through, now, mean, variance, rate, d, by_mean, by_variance, by_through, by_rate
            )
            continue
        _, number = advance(
            d, rows[d], now, first, rate, mark, model, draws, room, mean[d], variance[d], tilted,
            after,
        )  # fmt: skip
        retreat(
            d, rows[d], now, first[d + 1] - first[d], number, rate, model, draws, room, mean[d],
            variance[d], tilted, after, by_mean, by_variance, by_state, by_rate, by_leave, by_fade,
            slopes, 1.0,
        )  # fmt: skip

    if start[0] == 1:
        by_reach = settled_back(
            begun, reach, model, rate, mean, variance, by_mean, by_variance, by_rate, by_speed,
            by_lift,
        )  # fmt: skip
        for k in range(streams):
            for j in range(streams):
                g, where = group[k, j], place[0] + k * streams + j
                for i in range(values.shape[1] // 2):
                    by_theta[where] += by_reach[k, j] * values[g, i]
                    by_values[g, i] += by_reach[k, j] * theta[where]
    unwatched_back(model, has_gap, by_through, by_speed, by_lift)
    for d in range(days):
        for k in range(streams):
            for i in range(column.shape[1]):
                by_theta[column[k, i]] += by_rate[d, k] * rate[d, k] * design[d, i]
    for i in range(slopes.mark.size):
        if exponent[stream[i]] >= 0:
            by_theta[exponent[stream[i]]] += slopes.mark[i] * mark_slope[i]
    reduce_slopes(slopes, widest, by_lift, by_leave, by_fade, by_speed)
    to_parameters(
        theta, group, place[0], model, by_lift, by_leave, by_fade, by_speed, values, by_theta,
        by_values,
    )  # fmt: skip
    return value, by_theta, by_values
