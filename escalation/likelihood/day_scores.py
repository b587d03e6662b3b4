"""Scores of single days, which are martingale differences, for day-coded streams."""

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
from escalation.likelihood.day_unwatched import pass_day, pass_slopes, settled, unwatched_maps
from escalation.likelihood.day_within import reduce_slopes
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Step of the differences by which the maps of days without watch are differentiated.
STEP = 1e-5


@njit(cache=True, nogil=True, error_model="numpy")
def _before(
    theta: FloatArray,
    values: FloatArray,
    group: IntArray,
    place: int,
    has_gap: IntArray,
    start: int,
    rate: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """What precedes all counts: maps of unwatched days, and the moments (2, C) at the start."""
    model = structure(theta, values, group, place, has_gap.size)
    ends = np.zeros((2, 1, model.fade.size))
    if start == 1:
        settled(first_reach(theta, values, group, place), model, rate, ends[0], ends[1])
    return unwatched_maps(model, has_gap, group.shape[0]), ends[:, 0]


@njit(cache=True, nogil=True, error_model="numpy")
def _before_slopes(
    theta: FloatArray,
    values: FloatArray,
    group: IntArray,
    place: int,
    has_gap: IntArray,
    start: int,
    rate: FloatArray,
    row: FloatArray,
    column: IntArray,
    states: int,
) -> tuple[FloatArray, FloatArray]:
    """Derivatives of `_before` by theta, then by the kernels' values, by central differences.

    `rate` (1, K) and `row` (P,) of the design are those of the first day.
    """
    streams, parameters = group.shape[0], theta.size
    total = parameters + values.size
    eras = has_gap.size
    reaches = eras * streams * streams
    any_gap = 0
    for e in range(eras):
        any_gap = max(any_gap, has_gap[e])
    by_map = np.zeros((any_gap * total, eras, 2, states, states + streams))
    by_end = np.zeros((2, states, total))
    if any_gap + start == 0:
        return by_map, by_end
    for i in range(total):
        kernel = i >= parameters
        reaching = i >= place and i < place + reaches
        g, m = max(i - parameters, 0) // values.shape[1], max(i - parameters, 0) % values.shape[1]
        step = STEP * (values[g, m] if kernel else 1.0)
        if step == 0.0:
            continue
        for turn in range(2):
            sign = 1.0 if turn == 0 else -1.0
            other, moved, shifted = theta.copy(), values.copy(), rate.copy()
            if kernel:
                moved[g, m] += sign * step
            elif reaching:
                other[i] += sign * step
            else:
                for k in range(streams):
                    change = 0.0
                    for c in range(column.shape[1]):
                        if column[k, c] == i:
                            change += row[c]
                    shifted[0, k] *= np.exp(sign * step * change)
            maps, ends = _before(other, moved, group, place, has_gap, start, shifted)
            weight = sign / (2.0 * step)
            for q in range(2):
                for c in range(states):
                    by_end[q, c, i] += weight * ends[q, c]
            if any_gap == 1 and (kernel or reaching):
                by_map[i] += weight * maps
    return by_map, by_end


@njit(cache=True, nogil=True, error_model="numpy")
def day_draws_scores(
    theta: FloatArray,
    values: FloatArray,
    jacobians: FloatArray,
    groups: IntArray,
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
) -> FloatArray:
    """Sum over days of the outer products of the scores, ndarray (p, p).

    A day's score is the derivative of its log-probability given the days before, the states'
    moments at its start included. Its sum of squares estimates the information.

    Arguments as for `day_draws`, with `jacobians` (G, 2 M, q) and `groups` (G, q) of the kernels'
    parameters. The cost is that of 2 C gradients, C the number of states.
    """
    days, streams = watched.size, group.shape[0]
    has_gap, rows, largest, widest = opening(first, lanes, watched, era)
    eras = has_gap.size
    rate = rates(theta, design, column)
    mark, mark_slope = mark_weights(theta, stream, size, exponent)
    groups_, wide = values.shape
    model = structure(theta, values, group, place[0], eras)
    states = model.fade.size
    parameters = theta.size
    total = parameters + values.size
    through, ends = _before(theta, values, group, place[0], has_gap, start[0], rate)
    slope_through, by_ends = _before_slopes(
        theta, values, group, place[0], has_gap, start[0], rate[:1], design[0], column, states
    )
    # Rows of the moments: now, and after an unwatched day.
    mean, variance = np.zeros((2, states)), np.zeros((2, states))
    mean[0], variance[0] = ends[0], ends[1]
    by_m, by_v = by_ends[0].copy(), by_ends[1].copy()

    draws = Draws(stream, lanes, origin, when, which, normal, decline, share, offset)
    room = make_room(largest, model, widest)
    slopes = make_slopes(model, widest, marked(exponent) * stream.size)
    by_rate = np.zeros((days, streams))
    by_lift = np.zeros(model.lift.shape)
    by_leave, by_fade = np.zeros(states), np.zeros(states)
    by_speed = np.zeros(model.speed.size)
    by_state = np.empty((states, widest))
    by_mean, by_variance = np.empty(states), np.empty(states)
    by_theta, by_values = np.empty(parameters), np.empty(values.shape)
    tilted, after = np.empty((2, states)), np.empty((2, states))
    out = np.zeros((parameters, parameters))
    score = np.empty(total)
    new_m, new_v = np.zeros((states, total)), np.zeros((states, total))
    for d in range(days):
        now = era[d]
        used = (now + 1) * (states // eras)
        n = first[d + 1] - first[d]
        if watched[d] == 0.0:
            pass_slopes(
                through, slope_through, now, mean, variance, rate, d, design, column, place[0],
                eras * streams * streams, parameters, by_m, by_v, new_m, new_v,
            )  # fmt: skip
            pass_day(through, now, mean, variance, rate[d : d + 1], 0)
            mean[0], variance[0] = mean[1], variance[1]
            by_m[:], by_v[:] = new_m, new_v
            continue
        _, number = advance(
            d, rows[d], now, first, rate, mark, model, draws, room, mean[0], variance[0], tilted,
            after,
        )  # fmt: skip

        # The adjoints of the log-probability and of each moment at the end of the day.
        for o in range(-1, 2 * used):
            seed = 1.0 if o < 0 else 0.0
            by_mean[:], by_variance[:] = 0.0, 0.0
            if o >= used:
                by_variance[o - used] = 1.0
            elif o >= 0:
                by_mean[o] = 1.0
            by_leave[:], by_fade[:], by_speed[:], by_lift[:] = 0.0, 0.0, 0.0, 0.0
            by_rate[d], by_theta[:], by_values[:] = 0.0, 0.0, 0.0
            retreat(
                d, rows[d], now, n, number, rate, model, draws, room, mean[0], variance[0], tilted,
                after, by_mean, by_variance, by_state, by_rate, by_leave, by_fade, slopes, seed,
            )  # fmt: skip
            if n > 0:
                reduce_slopes(slopes, lanes[rows[d]], by_lift, by_leave, by_fade, by_speed)
                if slopes.mark.size > 0:
                    for i in range(first[d], first[d + 1]):
                        if exponent[stream[i]] >= 0:
                            by_theta[exponent[stream[i]]] += slopes.mark[i] * mark_slope[i]
                        slopes.mark[i] = 0.0
            to_parameters(
                theta, group, place[0], model, by_lift, by_leave, by_fade, by_speed, values,
                by_theta, by_values,
            )  # fmt: skip
            for k in range(streams):
                for c in range(column.shape[1]):
                    by_theta[column[k, c]] += by_rate[d, k] * rate[d, k] * design[d, c]
            for i in range(parameters):
                score[i] = by_theta[i]
            for i in range(parameters, total):
                score[i] = by_values[(i - parameters) // wide, (i - parameters) % wide]
            for c in range(used):
                one, two = by_mean[c], by_variance[c]
                if one == 0.0 and two == 0.0:
                    continue
                for i in range(total):
                    score[i] += one * by_m[c, i] + two * by_v[c, i]
            if o >= used:
                new_v[o - used] = score
            elif o >= 0:
                new_m[o] = score
            else:
                for g in range(groups_):
                    for q in range(groups.shape[1]):
                        for i in range(wide):
                            gained = score[parameters + g * wide + i] * jacobians[g, i, q]
                            score[groups[g, q]] += gained
                for i in range(parameters):
                    for j in range(parameters):
                        out[i, j] += score[i] * score[j]
        for c in range(used):
            mean[0, c], variance[0, c] = after[0, c], after[1, c]
            for i in range(total):
                by_m[c, i], by_v[c, i] = new_m[c, i], new_v[c, i]
    return out
