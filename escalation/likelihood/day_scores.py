"""Scores of single days, which are martingale differences, for day-coded streams."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_draws import (
    Draws,
    Slopes,
    Structure,
    _begin,
    _begin_back,
    _day,
    _day_back,
    _marked,
    _pass,
    _rates,
    _reach,
    _reduce,
    _room,
    _sort_out,
    _spread,
    _structure,
    _tilt,
    _tilt_back,
    _to_parameters,
    _wide,
    mark_weights,
)
from escalation.likelihood.day_filter import _day as _filter_day
from escalation.likelihood.day_filter import _day_back as _filter_day_back
from escalation.likelihood.day_filter import day_series, fade, slack
from escalation.likelihood.day_gap import gap_maps, settle, tamed
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Step of the differences by which the maps of days without watch are differentiated.
STEP = 1e-5


@njit(cache=True, nogil=True, error_model="numpy")
def _fixed(
    theta: FloatArray,
    values: FloatArray,
    group: IntArray,
    first: int,
    rate: FloatArray,
    has_gap: IntArray,
    start: int,
    through: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
) -> Structure:
    """What does not depend on the counts: constants, maps of unwatched days, start."""
    eras = has_gap.size
    model: Structure = _structure(theta, values, group, first, eras)
    for e in range(eras):
        if has_gap[e] == 1:
            speed, lift, source = _wide(model, e)
            _spread(gap_maps(speed, lift, source), through, e)
    if start == 1:
        speed, lift, source = _wide(model, 0)
        factor = tamed(_reach(theta, values, group, first))[0]
        for k in range(lift.shape[0]):
            for c in range(lift.shape[1]):
                lift[k, c] *= factor
        settle(gap_maps(speed, lift, source), rate, mean, variance)
    return model


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
    eras = 1
    for d in range(days):
        eras = max(eras, era[d] + 1)
    has_gap = np.zeros(eras, np.int64)
    for d in range(days):
        if watched[d] == 0.0:
            has_gap[era[d]] = 1
    rate = _rates(theta, design, column)
    mark, mark_slope = mark_weights(theta, stream, size, exponent)
    groups_, wide = values.shape
    model = _structure(theta, values, group, place[0], eras)
    states = model.fade.size
    block = states // eras
    parameters = theta.size
    total = parameters + values.size
    reaches = eras * streams * streams

    through = np.zeros((eras, 2, states, states + streams))
    mean = np.zeros((2, states))
    variance = np.zeros((2, states))
    _fixed(theta, values, group, place[0], rate, has_gap, start[0], through, mean, variance)
    any_gap = 0
    for e in range(eras):
        any_gap = max(any_gap, has_gap[e])
    slope_through = np.zeros((any_gap * total, eras, 2, states, states + streams))
    by_m = np.zeros((states, total))
    by_v = np.zeros((states, total))
    if any_gap + start[0] > 0:
        high = np.zeros(through.shape)
        low = np.zeros(through.shape)
        ends = np.zeros((4, 1, states))
        other, moved, shifted = theta.copy(), values.copy(), rate[:1].copy()
        for i in range(total):
            kernel = i >= parameters
            reaching = i >= place[0] and i < place[0] + reaches
            step = STEP
            if kernel:
                g, m = (i - parameters) // wide, (i - parameters) % wide
                step *= values[g, m]
                if step == 0.0:
                    continue
            for turn in range(2):
                sign = 1.0 if turn == 0 else -1.0
                if kernel:
                    moved[g, m] = values[g, m] + sign * step
                elif reaching:
                    other[i] = theta[i] + sign * step
                else:
                    for k in range(streams):
                        change = 0.0
                        for c in range(column.shape[1]):
                            if column[k, c] == i:
                                change += design[0, c]
                        shifted[0, k] = rate[0, k] * np.exp(sign * step * change)
                to = high if turn == 0 else low
                _fixed(
                    other, moved, group, place[0], shifted, has_gap, start[0], to,
                    ends[2 * turn], ends[2 * turn + 1],
                )  # fmt: skip
            if kernel:
                moved[g, m] = values[g, m]
            elif reaching:
                other[i] = theta[i]
            else:
                for k in range(streams):
                    shifted[0, k] = rate[0, k]
            for c in range(states):
                by_m[c, i] = (ends[0, 0, c] - ends[2, 0, c]) / (2.0 * step)
                by_v[c, i] = (ends[1, 0, c] - ends[3, 0, c]) / (2.0 * step)
            if any_gap == 1 and (kernel or reaching):
                for e in range(eras):
                    for a in range(2):
                        for c in range(states):
                            for b in range(states + streams):
                                change = high[e, a, c, b] - low[e, a, c, b]
                                slope_through[i, e, a, c, b] = change / (2.0 * step)

    largest = 0
    widest = 4
    for d in range(days):
        largest = max(largest, first[d + 1] - first[d])
    for i in range(lanes.size):
        widest = max(widest, lanes[i])
    draws = Draws(stream, lanes, origin, when, which, normal, decline, share, offset)
    room = _room(largest, model, widest)
    slopes = Slopes(
        np.zeros((eras, streams, model.lift.shape[2], widest)),
        np.zeros((eras, model.leave.shape[1], model.lift.shape[2], widest)),
        np.zeros((states, widest)),
        np.zeros((model.speed.size, widest)),
        np.zeros(_marked(exponent) * stream.size),
    )
    by_rate = np.zeros((days, streams))
    by_lift = np.zeros(model.lift.shape)
    by_leave = np.zeros(states)
    by_fade = np.zeros(states)
    by_speed = np.zeros(model.speed.size)
    by_state = np.empty((states, widest))
    by_mean = np.empty(states)
    by_variance = np.empty(states)
    by_theta = np.empty(parameters)
    by_values = np.empty(values.shape)
    m = np.empty(states)
    v = np.empty(states)
    tilted_m = np.empty(states)
    tilted_v = np.empty(states)
    out = np.zeros((parameters, parameters))
    score = np.empty(total)
    new_m = np.zeros((states, total))
    new_v = np.zeros((states, total))
    row = -1
    for d in range(days):
        now = era[d]
        used = (now + 1) * block
        n = first[d + 1] - first[d]
        row += 1 if n > 0 else 0
        if watched[d] == 0.0:
            _pass_slopes(
                through, slope_through, now, mean, variance, rate, d, design, column, place[0],
                reaches, parameters, by_m, by_v, new_m, new_v,
            )  # fmt: skip
            _pass(through, now, mean, variance, rate[d : d + 1], 0)
            for c in range(states):
                mean[0, c], variance[0, c] = mean[1, c], variance[1, c]
                for i in range(total):
                    by_m[c, i] = new_m[c, i]
                    by_v[c, i] = new_v[c, i]
            continue
        for c in range(states):
            tilted_m[c] = mean[0, c]
            tilted_v[c] = variance[0, c]
        _tilt(used, model, tilted_m, tilted_v)
        number = 0
        for c in range(states):
            m[c] = tilted_m[c]
            v[c] = tilted_v[c]
        if n > 0:
            _begin(used, row, model, draws, tilted_m, tilted_v, room)
            number = _sort_out(n, first[d], row, mark, model, draws, room)
            _day(n, number, now, rate, d, model, draws, row, room, m, v)
        else:
            for c in range(used):
                m[c] *= model.fade[c]
                v[c] *= model.fade[c] * model.fade[c]

        for o in range(-1, 2 * used):
            seed = 1.0 if o < 0 else 0.0
            for c in range(states):
                by_mean[c] = 1.0 if o == c else 0.0
                by_variance[c] = 1.0 if o == used + c and c < used else 0.0
                by_leave[c] = 0.0
                by_fade[c] = 0.0
            if o >= used:
                for c in range(states):
                    by_mean[c] = 0.0
            for q in range(model.speed.size):
                by_speed[q] = 0.0
            for e in range(eras):
                for k in range(streams):
                    for i in range(model.lift.shape[2]):
                        by_lift[e, k, i] = 0.0
            for k in range(streams):
                by_rate[d, k] = -seed
            for i in range(parameters):
                by_theta[i] = 0.0
            for g in range(groups_):
                for i in range(wide):
                    by_values[g, i] = 0.0
            if n > 0:
                _day_back(
                    n, number, now, rate, d, model, draws, row, room, m, v, by_mean,
                    by_variance, by_state, by_rate, slopes, seed,
                )  # fmt: skip
                _begin_back(
                    used, row, model, draws, tilted_m, tilted_v, room, by_state, by_mean,
                    by_variance,
                )  # fmt: skip
                _reduce(slopes, lanes[row], by_lift, by_leave, by_fade, by_speed)
                if slopes.mark.size > 0:
                    for i in range(first[d], first[d + 1]):
                        if exponent[stream[i]] >= 0:
                            by_theta[exponent[stream[i]]] += slopes.mark[i] * mark_slope[i]
                        slopes.mark[i] = 0.0
            else:
                for c in range(used):
                    kept = model.fade[c]
                    by_fade[c] += by_mean[c] * tilted_m[c]
                    by_fade[c] += 2.0 * by_variance[c] * kept * tilted_v[c]
                    by_mean[c] *= kept
                    by_variance[c] *= kept * kept
            _tilt_back(
                used, model, mean[0], variance[0], by_mean, by_variance, by_leave, by_fade, seed
            )
            _to_parameters(
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
                for i in range(total):
                    new_v[o - used, i] = score[i]
            elif o >= 0:
                for i in range(total):
                    new_m[o, i] = score[i]
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
            mean[0, c] = m[c]
            variance[0, c] = v[c]
            for i in range(total):
                by_m[c, i] = new_m[c, i]
                by_v[c, i] = new_v[c, i]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _pass_slopes(
    through: FloatArray,
    slope_through: FloatArray,
    now: int,
    mean: FloatArray,
    variance: FloatArray,
    rate: FloatArray,
    d: int,
    design: FloatArray,
    column: IntArray,
    place: int,
    reaches: int,
    parameters: int,
    by_m: FloatArray,
    by_v: FloatArray,
    new_m: FloatArray,
    new_v: FloatArray,
) -> None:
    """Derivatives of the states' moments after a day without watch."""
    states, total = by_m.shape
    streams = rate.shape[1]
    for c in range(states):
        for i in range(total):
            new_m[c, i] = 0.0
            new_v[c, i] = 0.0
        for a in range(states):
            kept, noise = through[now, 0, c, a], through[now, 1, c, a]
            for i in range(total):
                new_m[c, i] += kept * by_m[a, i]
                new_v[c, i] += kept * kept * by_v[a, i] + noise * by_m[a, i]
        for k in range(streams):
            for b in range(column.shape[1]):
                moved = rate[d, k] * design[d, b]
                new_m[c, column[k, b]] += through[now, 0, c, states + k] * moved
                new_v[c, column[k, b]] += through[now, 1, c, states + k] * moved
        for i in range(total):
            if i < parameters and not (i >= place and i < place + reaches):
                continue
            for a in range(states):
                one, two = slope_through[i, now, 0, c, a], slope_through[i, now, 1, c, a]
                new_m[c, i] += one * mean[0, a]
                new_v[c, i] += 2.0 * through[now, 0, c, a] * one * variance[0, a]
                new_v[c, i] += two * mean[0, a]
            for k in range(streams):
                new_m[c, i] += slope_through[i, now, 0, c, states + k] * rate[d, k]
                new_v[c, i] += slope_through[i, now, 1, c, states + k] * rate[d, k]


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
    largest = 0
    for d in range(days):
        if watched[d] > 0.0:
            largest = max(largest, int(counts[d]))
    scale, series, slopes = day_series(reach, decay, largest, nodes, integral)
    e, e_mean, e_slope = fade(decay - gain)
    gap, gap_slope = slack(reach)

    # Derivatives by all of theta, then by R and the decay, of the state's mean and variance.
    wide = size + 2
    by_m, by_v = np.zeros(wide), np.zeros(wide)
    rows = np.zeros((3, wide))
    by_series = np.zeros((5, largest + 1))
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
            _, new_mean, new_variance = _filter_day(
                number, rate, mean, variance, gain, scale, series, work, 0, whole
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
                on_rate, on_mean, on_variance, on_gain = _filter_day_back(
                    number, seeds, rate, mean, variance, gain, series, work, 0, room, by_series
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
