"""Log-likelihood of several Hawkes streams whose times are known to the day."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_filter import EMPTY, log_term
from escalation.likelihood.day_gap import (
    STEPS,
    GapMaps,
    gap_maps,
    gap_maps_back,
    settle,
    settle_back,
    tamed,
)
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Fastest rate, a day, that is told apart within a day.
FASTEST = 600.0
#: Squared coefficient of variation below which a state counts as known.
KNOWN = 1e-20


class Structure(NamedTuple):
    """Constants of one evaluation.

    A state is a sum over the past events of one source and era; with K sources and M terms a
    block of K M states serves one target, or all of them where they share a kernel. State c has
    era, block, source and term in the order of an array (E, T, K, M).

    Attributes
    ----------
    speed : ndarray (Q,)
        Rates of all terms of all groups.
    pace : ndarray of int (T, K M)
        Place in `speed` of each state of a block.
    lift : ndarray (E, K, K M)
        Intensity of a target per unit of a state of its block.
    leave : ndarray (E, T, K M)
        Offspring still to come per unit of a state, over all targets that it serves.
    fade : ndarray (C,)
        Share of a state that is left after a day.
    """

    speed: FloatArray
    pace: IntArray
    lift: FloatArray
    leave: FloatArray
    fade: FloatArray


class Room(NamedTuple):
    """Working arrays for one day, read again by the sweep back.

    Attributes
    ----------
    grown, shrunk : ndarray (Q, draws * n)
        exp(speed * time) of each draw's events, and the inverse.
    spread : ndarray (C,)
        Spread of the states' logarithms.
    state : ndarray (C, draws)
        States at the start of the day.
    path : ndarray (draws, n + 1, C)
        States before each event and at last, each divided by its decay since midnight.
    intensity : ndarray (draws, n)
    weight : ndarray (draws,)
        The draws' weights; their sum is one.
    """

    grown: FloatArray
    shrunk: FloatArray
    spread: FloatArray
    state: FloatArray
    path: FloatArray
    intensity: FloatArray
    weight: FloatArray


class Draws(NamedTuple):
    """The fixed random numbers, and what is known of the events."""

    stream: IntArray
    when: FloatArray
    which: IntArray
    normal: FloatArray


@njit(cache=True, nogil=True)
def mark_weights(
    theta: FloatArray, stream: IntArray, size: FloatArray, exponent: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Offspring of each event relative to its stream's mean, and the slope by the exponent."""
    weight = np.ones(stream.size)
    slope = np.zeros(stream.size)
    for k in range(exponent.size):
        if exponent[k] < 0:
            continue
        number = 0
        total = 0.0
        moment = 0.0
        for i in range(stream.size):
            if stream[i] == k:
                weight[i] = np.exp(theta[exponent[k]] * size[i])
                number += 1
                total += weight[i]
                moment += weight[i] * size[i]
        for i in range(stream.size):
            if stream[i] == k:
                slope[i] = size[i] - moment / total
                weight[i] *= number / total
                slope[i] *= weight[i]
    return weight, slope


@njit(cache=True, nogil=True)
def _structure(
    theta: FloatArray, values: FloatArray, group: IntArray, first: int, eras: int
) -> Structure:
    """The constants that follow from the parameters."""
    streams = group.shape[0]
    groups, terms = values.shape[0], values.shape[1] // 2
    shared = True
    for k in range(streams):
        for j in range(streams):
            shared = shared and group[k, j] == group[0, j]
    targets = 1 if shared else streams
    width = streams * terms
    speed = np.empty(groups * terms)
    for g in range(groups):
        for m in range(terms):
            speed[g * terms + m] = min(values[g, terms + m], FASTEST)
    pace = np.empty((targets, width), np.int64)
    lift = np.empty((eras, streams, width))
    leave = np.zeros((eras, targets, width))
    fade = np.empty(eras * targets * width)
    for e in range(eras):
        for k in range(streams):
            t = 0 if shared else k
            for j in range(streams):
                g = group[k, j]
                reach = theta[first + (e * streams + k) * streams + j]
                for m in range(terms):
                    i = j * terms + m
                    pace[t, i] = g * terms + m
                    lift[e, k, i] = reach * values[g, m] * speed[g * terms + m]
                    leave[e, t, i] += reach * values[g, m]
                    fade[(e * targets + t) * width + i] = np.exp(-speed[g * terms + m])
    return Structure(speed, pace, lift, leave, fade)


@njit(cache=True, nogil=True)
def _room(largest: int, model: Structure, draws: int) -> Room:
    states = model.fade.size
    speeds = model.speed.size
    return Room(
        np.empty((speeds, largest * draws)),
        np.empty((speeds, largest * draws)),
        np.empty(states),
        np.empty((states, draws)),
        np.empty((draws, largest + 1, states)),
        np.empty((draws, largest)),
        np.empty(draws),
    )


@njit(cache=True, nogil=True)
def _tilt(used: int, model: Structure, mean: FloatArray, variance: FloatArray) -> float:
    """Log-probability that the past sets off nothing today, and the states given that.

    For a gamma state both are closed forms; `mean` and `variance` (C,) are changed in place.
    """
    value = 0.0
    leave = model.leave.ravel()
    for c in range(used):
        if mean[c] <= EMPTY:
            continue
        rate = leave[c] * (1.0 - model.fade[c])
        x = rate * variance[c] / mean[c]
        value -= mean[c] * rate * log_term(-x)[0]
        mean[c] /= 1.0 + x
        variance[c] /= (1.0 + x) * (1.0 + x)
    return value


@njit(cache=True, nogil=True)
def _tilt_back(
    used: int,
    model: Structure,
    mean: FloatArray,
    variance: FloatArray,
    by_mean: FloatArray,
    by_variance: FloatArray,
    by_leave: FloatArray,
    by_fade: FloatArray,
) -> None:
    """Adjoint of `_tilt` at its inputs; `by_mean` and `by_variance` are changed in place."""
    leave = model.leave.ravel()
    for c in range(used):
        m, v = mean[c], variance[c]
        if m <= EMPTY:
            continue
        rate = leave[c] * (1.0 - model.fade[c])
        x = rate * v / m
        f, slope = log_term(-x)
        q = 1.0 / (1.0 + x)
        by_x = m * rate * slope - by_mean[c] * m * q * q - 2.0 * by_variance[c] * v * q * q * q
        by_mean[c] = by_mean[c] * q - rate * f - by_x * x / m
        by_variance[c] = by_variance[c] * q * q + by_x * rate / m
        by_rate = by_x * v / m - m * f
        by_leave[c] += by_rate * (1.0 - model.fade[c])
        by_fade[c] -= by_rate * leave[c]


@njit(cache=True, nogil=True)
def _begin(
    used: int,
    row: int,
    model: Structure,
    draws: Draws,
    mean: FloatArray,
    variance: FloatArray,
    room: Room,
) -> None:
    """Draws of the states at the start of a day: log-normal, with the exact mean."""
    size = room.weight.size
    streams, width = model.lift.shape[1], model.lift.shape[2]
    terms = width // streams
    for c in range(used):
        m, v = mean[c], variance[c]
        if m <= EMPTY or v <= KNOWN * m * m:
            room.spread[c] = 0.0
            for p in range(size):
                room.state[c, p] = m
            continue
        source = (c % width) // terms
        room.spread[c] = np.sqrt(np.log1p(v / (m * m)))
        total = 0.0
        for p in range(size):
            room.state[c, p] = np.exp(room.spread[c] * draws.normal[row, source, p])
            total += room.state[c, p]
        for p in range(size):
            room.state[c, p] *= m * size / total


@njit(cache=True, nogil=True)
def _begin_back(
    used: int,
    row: int,
    model: Structure,
    draws: Draws,
    mean: FloatArray,
    variance: FloatArray,
    room: Room,
    by_state: FloatArray,
    by_mean: FloatArray,
    by_variance: FloatArray,
) -> None:
    """Adjoint of `_begin`: `by_state` (C, draws) into `by_mean` and `by_variance`, set anew."""
    size = room.weight.size
    streams, width = model.lift.shape[1], model.lift.shape[2]
    terms = width // streams
    for c in range(used):
        m, v = mean[c], variance[c]
        by_mean[c] = 0.0
        by_variance[c] = 0.0
        if room.spread[c] == 0.0:
            for p in range(size):
                by_mean[c] += by_state[c, p]
            continue
        source = (c % width) // terms
        middle = 0.0
        along = 0.0
        level = 0.0
        for p in range(size):
            z = draws.normal[row, source, p]
            middle += room.state[c, p] * z
            along += by_state[c, p] * room.state[c, p] * z
            level += by_state[c, p] * room.state[c, p]
        by_spread = along - level * middle / (m * size)
        slope = by_spread / (2.0 * room.spread[c] * (m * m + v))
        by_variance[c] = slope
        by_mean[c] = level / m - 2.0 * slope * v / m


@njit(cache=True, nogil=True)
def _day(
    n: int,
    at: int,
    now: int,
    rate: FloatArray,
    mark: FloatArray,
    model: Structure,
    draws: Draws,
    room: Room,
    mean: FloatArray,
    variance: FloatArray,
) -> float:
    """Log of the mean over draws of a day's density, given that the past alone sets off nothing.

    Events at, ..., at + n - 1 in era `now`. `mean` and `variance` (C,) receive the states' at the
    end of the day. The weights' own variance corrects the logarithm's bias.
    """
    size = room.weight.size
    streams, width = model.lift.shape[1], model.lift.shape[2]
    targets = model.leave.shape[1]
    terms = width // streams
    used = (now + 1) * targets * width
    for q in range(model.speed.size):
        for i in range(n * size):
            grown = np.exp(model.speed[q] * draws.when[at * size + i])
            room.grown[q, i] = grown
            room.shrunk[q, i] = 1.0 / grown

    top = -np.inf
    for p in range(size):
        total = 0.0
        product = 1.0
        for c in range(used):
            room.path[p, 0, c] = room.state[c, p]
        for s in range(n):
            i = p * n + s
            event = draws.which[at * size + i]
            k = draws.stream[event]
            block = k if targets > 1 else 0
            intensity = rate[k]
            for e in range(now + 1):
                base = (e * targets + block) * width
                for j in range(width):
                    shrunk = room.shrunk[model.pace[block, j], i]
                    intensity += model.lift[e, k, j] * shrunk * room.path[p, s, base + j]
            room.intensity[p, s] = intensity
            product *= intensity
            if not (product > 1e-200 and product < 1e200):
                total += np.log(product)
                product = 1.0
            for c in range(used):
                room.path[p, s + 1, c] = room.path[p, s, c]
            for t in range(targets):
                for j in range(k * terms, (k + 1) * terms):
                    c = (now * targets + t) * width + j
                    grown = room.grown[model.pace[t, j], i]
                    room.path[p, s + 1, c] += mark[event] * grown
                    total -= mark[event] * model.leave[now, t, j] * (1.0 - model.fade[c] * grown)
        room.weight[p] = total + np.log(product)
        top = max(top, room.weight[p])
    if not (top > -np.inf and top < np.inf):
        return -np.inf

    total = 0.0
    for p in range(size):
        room.weight[p] = np.exp(room.weight[p] - top)
        total += room.weight[p]
    uneven = 0.0
    for p in range(size):
        room.weight[p] /= total
        uneven += room.weight[p] * room.weight[p]
    for c in range(used):
        first = 0.0
        for p in range(size):
            first += room.weight[p] * room.path[p, n, c]
        second = 0.0
        for p in range(size):
            off = room.path[p, n, c] - first
            second += room.weight[p] * off * off
        mean[c] = model.fade[c] * first
        variance[c] = model.fade[c] * model.fade[c] * second
    return float(top + np.log(total / size) + 0.5 * (uneven - 1.0 / size))


@njit(cache=True, nogil=True)
def _day_back(
    n: int,
    at: int,
    now: int,
    mark: FloatArray,
    model: Structure,
    draws: Draws,
    room: Room,
    mean: FloatArray,
    by_mean: FloatArray,
    by_variance: FloatArray,
    by_state: FloatArray,
    by_rate: FloatArray,
    by_mark: FloatArray,
    by_lift: FloatArray,
    by_leave: FloatArray,
    by_fade: FloatArray,
    by_speed: FloatArray,
) -> None:
    """Adjoint of `_day`, with seed one for its value; `mean` (C,) is that at the end of the day.

    `by_state` (C, draws) and `by_rate` (K,) are set, the other sums are added to.
    """
    size = room.weight.size
    streams, width = model.lift.shape[1], model.lift.shape[2]
    targets = model.leave.shape[1]
    terms = width // streams
    used = (now + 1) * targets * width
    leave = by_leave.reshape(model.leave.shape)
    uneven = 0.0
    for p in range(size):
        uneven += room.weight[p] * room.weight[p]
    second = np.zeros(used)
    for p in range(size):
        for c in range(used):
            off = model.fade[c] * room.path[p, n, c] - mean[c]
            second[c] += room.weight[p] * off * off
    by_rate[:] = 0.0
    seed = np.empty(used)
    for p in range(size):
        pull = 1.0 + room.weight[p] - uneven
        for c in range(used):
            at_end = model.fade[c] * room.path[p, n, c]
            off = at_end - mean[c]
            pull += by_mean[c] * off + by_variance[c] * (off * off - second[c])
            by_end = room.weight[p] * (by_mean[c] + 2.0 * by_variance[c] * off)
            by_fade[c] += by_end * room.path[p, n, c]
            seed[c] = by_end * model.fade[c]
        pull *= room.weight[p]
        for s in range(n - 1, -1, -1):
            i = p * n + s
            time = draws.when[at * size + i]
            event = draws.which[at * size + i]
            k = draws.stream[event]
            for t in range(targets):
                for j in range(k * terms, (k + 1) * terms):
                    c = (now * targets + t) * width + j
                    q = model.pace[t, j]
                    grown = room.grown[q, i]
                    kept = model.fade[c] * grown
                    lost = pull * mark[event] * model.leave[now, t, j]
                    by_mark[event] += seed[c] * grown
                    by_mark[event] -= pull * model.leave[now, t, j] * (1.0 - kept)
                    leave[now, t, j] -= pull * mark[event] * (1.0 - kept)
                    by_fade[c] += lost * grown
                    by_speed[q] += (seed[c] * mark[event] * grown + lost * kept) * time
            block = k if targets > 1 else 0
            share = pull / room.intensity[p, s]
            by_rate[k] += share
            for e in range(now + 1):
                base = (e * targets + block) * width
                for j in range(width):
                    q = model.pace[block, j]
                    shrunk = room.shrunk[q, i] * share
                    felt = shrunk * room.path[p, s, base + j]
                    by_lift[e, k, j] += felt
                    by_speed[q] -= model.lift[e, k, j] * felt * time
                    seed[base + j] += model.lift[e, k, j] * shrunk
        for c in range(used):
            by_state[c, p] = seed[c]


@njit(cache=True, nogil=True)
def _wide(model: Structure, now: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Rates (C,), intensities (K, C) and sources (C,) of the states up to an era."""
    streams, width = model.lift.shape[1], model.lift.shape[2]
    targets = model.leave.shape[1]
    terms = width // streams
    used = (now + 1) * targets * width
    speed = np.empty(used)
    lift = np.zeros((streams, used))
    source = np.full(used, -1, np.int64)
    for e in range(now + 1):
        for t in range(targets):
            for i in range(width):
                c = (e * targets + t) * width + i
                speed[c] = model.speed[model.pace[t, i]]
                if e == now:
                    source[c] = i // terms
        for k in range(streams):
            base = (e * targets + (k if targets > 1 else 0)) * width
            for i in range(width):
                lift[k, base + i] = model.lift[e, k, i]
    return speed, lift, source


@njit(cache=True, nogil=True)
def _narrow(
    by_speed: FloatArray,
    by_lift: FloatArray,
    model: Structure,
    to_speed: FloatArray,
    to_lift: FloatArray,
) -> None:
    """Adjoint of `_wide`: adds to the last two arguments."""
    streams, width = model.lift.shape[1], model.lift.shape[2]
    targets = model.leave.shape[1]
    for c in range(by_speed.size):
        e, t, i = c // (targets * width), (c // width) % targets, c % width
        to_speed[model.pace[t, i]] += by_speed[c]
        for k in range(streams):
            if targets == 1 or t == k:
                to_lift[e, k, i] += by_lift[k, c]


@njit(cache=True, nogil=True)
def _reach(theta: FloatArray, values: FloatArray, group: IntArray, first: int) -> FloatArray:
    """Offspring of the first era, (K, K), the kernels' masses included."""
    streams = group.shape[0]
    terms = values.shape[1] // 2
    reach = np.zeros((streams, streams))
    for k in range(streams):
        for j in range(streams):
            reach[k, j] = theta[first + k * streams + j] * values[group[k, j], :terms].sum()
    return reach


@njit(cache=True, nogil=True)
def _rates(theta: FloatArray, design: FloatArray, column: IntArray) -> FloatArray:
    """Background rates (D, K)."""
    days = design.shape[0]
    streams, columns = column.shape
    rate = np.empty((days, streams))
    for d in range(days):
        for k in range(streams):
            exponent = 0.0
            for p in range(columns):
                exponent += design[d, p] * theta[column[k, p]]
            rate[d, k] = np.exp(exponent)
    return rate


@njit(cache=True, nogil=True)
def day_draws(
    theta: FloatArray,
    values: FloatArray,
    first: IntArray,
    stream: IntArray,
    size: FloatArray,
    when: FloatArray,
    which: IntArray,
    normal: FloatArray,
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
    first, stream, size, when, which, normal, watched, design, era
        From `day_data`.
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
    Rates above 600 a day count as 600. With the stationary start R is scaled down smoothly where
    its spectral radius is above 0.95; near or above 1 no stationary law exists: start empty.

    The same draws serve every evaluation, which makes the likelihood smooth; the gradient is the
    adjoint of the recursion, swept from the last day to the first.
    """
    days, streams = watched.size, group.shape[0]
    terms = values.shape[1] // 2
    eras = era.max() + 1
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    failed = -np.inf, by_theta, by_values
    for i in range(eras * streams * streams):
        if not (theta[place[0] + i] >= 0.0 and theta[place[0] + i] < 1e6):
            return failed
    for g in range(values.shape[0]):
        for m in range(terms):
            if not (values[g, terms + m] > 0.0 and values[g, m] >= 0.0 and values[g, m] < 1e6):
                return failed
    model = _structure(theta, values, group, place[0], eras)
    mark, mark_slope = mark_weights(theta, stream, size, exponent)
    rate = _rates(theta, design, column)
    if not (rate.min() > 0.0 and rate.max() < 1e15 and mark.max() < 1e15):
        return failed
    states = model.fade.size
    block = states // eras

    # Maps of the days without watch, one pair an era that has such days.
    has_gap = np.zeros(eras, np.int64)
    for d in range(days):
        if watched[d] == 0.0:
            has_gap[era[d]] = 1
    through = np.zeros((eras, states, states + streams))
    noise = np.zeros((eras, states, states + streams))
    for e in range(eras):
        if has_gap[e] == 1:
            speed, lift, source = _wide(model, e)
            maps = gap_maps(speed, lift, source)
            used = speed.size
            for c in range(used):
                through[e, c, :used] = maps.powers[STEPS, c, :used]
                through[e, c, states:] = maps.powers[STEPS, c, used:]
                noise[e, c, :used] = maps.noise[c, :used]
                noise[e, c, states:] = maps.noise[c, used:]

    mean = np.zeros((days + 1, states))
    variance = np.zeros((days + 1, states))
    if start[0] == 1:
        speed, lift, source = _wide(model, 0)
        factor, factor_slope = tamed(_reach(theta, values, group, place[0]))
        begun = gap_maps(speed, lift * factor, source)
        mean[0, :block], variance[0, :block] = settle(begun, rate[0])

    row = np.zeros(days, np.int64)
    largest = 0
    rows = 0
    for d in range(days):
        n = first[d + 1] - first[d]
        row[d] = rows
        if n > 0:
            rows += 1
            largest = max(largest, n)
    draws = Draws(stream, when, which, normal)
    room = _room(largest, model, normal.shape[2])

    value = 0.0
    for d in range(days):
        m, v = mean[d + 1], variance[d + 1]
        m[:] = mean[d]
        v[:] = variance[d]
        now = era[d]
        used = (now + 1) * block
        n = first[d + 1] - first[d]
        if watched[d] == 0.0:
            _pass(through[now], noise[now], mean[d], variance[d], rate[d], m, v)
            continue
        value += _tilt(used, model, m, v) - rate[d].sum()
        if n == 0:
            for c in range(used):
                m[c] *= model.fade[c]
                v[c] *= model.fade[c] * model.fade[c]
        else:
            _begin(used, row[d], model, draws, m, v, room)
            value += _day(n, first[d], now, rate[d], mark, model, draws, room, m, v)
        if not (value > -np.inf and m.max() < 1e100 and v.max() < 1e100):
            return failed

    by_rate = np.zeros((days, streams))
    by_mark = np.zeros(stream.size)
    by_lift = np.zeros(model.lift.shape)
    by_leave = np.zeros(model.leave.size)
    by_fade = np.zeros(states)
    by_speed = np.zeros(model.speed.size)
    by_through = np.zeros(through.shape)
    by_noise = np.zeros(noise.shape)
    by_state = np.empty((states, normal.shape[2]))
    by_mean = np.zeros(states)
    by_variance = np.zeros(states)
    m = np.empty(states)
    v = np.empty(states)
    for d in range(days - 1, -1, -1):
        now = era[d]
        used = (now + 1) * block
        n = first[d + 1] - first[d]
        m[:] = mean[d]
        v[:] = variance[d]
        if watched[d] == 0.0:
            _pass_back(
                through[now], noise[now], m, v, rate[d], by_mean, by_variance,
                by_through[now], by_noise[now], by_rate[d],
            )  # fmt: skip
            continue
        _tilt(used, model, m, v)
        if n == 0:
            for c in range(used):
                by_fade[c] += by_mean[c] * m[c] + 2.0 * by_variance[c] * model.fade[c] * v[c]
                by_mean[c] *= model.fade[c]
                by_variance[c] *= model.fade[c] * model.fade[c]
        else:
            _begin(used, row[d], model, draws, m, v, room)
            at_end, spread = m.copy(), v.copy()
            _day(n, first[d], now, rate[d], mark, model, draws, room, at_end, spread)
            _day_back(
                n, first[d], now, mark, model, draws, room, at_end, by_mean, by_variance,
                by_state, by_rate[d], by_mark, by_lift, by_leave, by_fade, by_speed,
            )  # fmt: skip
            _begin_back(used, row[d], model, draws, m, v, room, by_state, by_mean, by_variance)
        _tilt_back(used, model, mean[d], variance[d], by_mean, by_variance, by_leave, by_fade)
        by_rate[d] -= 1.0

    for e in range(eras):
        if has_gap[e] == 1:
            speed, lift, source = _wide(model, e)
            used = speed.size
            by_map = np.empty((used, used + streams))
            by_added = np.empty((used, used + streams))
            for c in range(used):
                by_map[c, :used] = by_through[e, c, :used]
                by_map[c, used:] = by_through[e, c, states:]
                by_added[c, :used] = by_noise[e, c, :used]
                by_added[c, used:] = by_noise[e, c, states:]
            _to_structure(
                gap_maps(speed, lift, source), lift, source, by_map, by_added, model,
                by_speed, by_lift,
            )  # fmt: skip
    if start[0] == 1:
        speed, lift, source = _wide(model, 0)
        by_map = np.zeros((block, block + streams))
        by_added = np.zeros((block, block + streams))
        settle_back(
            begun, rate[0], mean[0, :block], variance[0, :block], by_mean[:block],
            by_variance[:block], by_rate[0], by_map, by_added,
        )  # fmt: skip
        extra = np.zeros(model.lift.shape)
        _to_structure(begun, lift * factor, source, by_map, by_added, model, by_speed, extra)
        by_lift += extra * factor
        by_factor = (extra * model.lift).sum()
        for k in range(streams):
            for j in range(streams):
                mass = values[group[k, j], :terms].sum()
                reach = theta[place[0] + k * streams + j]
                slope = by_factor * factor_slope[k, j]
                by_theta[place[0] + k * streams + j] += slope * mass
                by_values[group[k, j], :terms] += slope * reach

    for d in range(days):
        for k in range(streams):
            for p in range(column.shape[1]):
                by_theta[column[k, p]] += by_rate[d, k] * rate[d, k] * design[d, p]
    for i in range(stream.size):
        if exponent[stream[i]] >= 0:
            by_theta[exponent[stream[i]]] += by_mark[i] * mark_slope[i]
    _to_parameters(
        theta, group, place[0], model, by_lift, by_leave.reshape(model.leave.shape), by_fade,
        by_speed, values, by_theta, by_values,
    )  # fmt: skip
    return value, by_theta, by_values


@njit(cache=True, nogil=True)
def _pass(
    through: FloatArray,
    noise: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    rate: FloatArray,
    new_mean: FloatArray,
    new_variance: FloatArray,
) -> None:
    """One day without watch."""
    states = mean.size
    for c in range(states):
        first = 0.0
        second = 0.0
        for i in range(states):
            first += through[c, i] * mean[i]
            second += through[c, i] * through[c, i] * variance[i] + noise[c, i] * mean[i]
        for k in range(rate.size):
            first += through[c, states + k] * rate[k]
            second += noise[c, states + k] * rate[k]
        new_mean[c] = first
        new_variance[c] = second


@njit(cache=True, nogil=True)
def _pass_back(
    through: FloatArray,
    noise: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    rate: FloatArray,
    by_mean: FloatArray,
    by_variance: FloatArray,
    by_through: FloatArray,
    by_noise: FloatArray,
    by_rate: FloatArray,
) -> None:
    """Adjoint of `_pass`; `by_mean` and `by_variance` are changed in place."""
    states = mean.size
    to_mean = np.zeros(states)
    to_variance = np.zeros(states)
    for c in range(states):
        one, two = by_mean[c], by_variance[c]
        for i in range(states):
            by_through[c, i] += one * mean[i] + 2.0 * two * through[c, i] * variance[i]
            by_noise[c, i] += two * mean[i]
            to_mean[i] += one * through[c, i] + two * noise[c, i]
            to_variance[i] += two * through[c, i] * through[c, i]
        for k in range(rate.size):
            by_through[c, states + k] += one * rate[k]
            by_noise[c, states + k] += two * rate[k]
            by_rate[k] += one * through[c, states + k] + two * noise[c, states + k]
    by_mean[:] = to_mean
    by_variance[:] = to_variance


@njit(cache=True, nogil=True)
def _to_structure(
    maps: GapMaps,
    lift: FloatArray,
    source: IntArray,
    by_map: FloatArray,
    by_noise: FloatArray,
    model: Structure,
    by_speed: FloatArray,
    by_lift: FloatArray,
) -> None:
    """Adjoint of the maps of a day without watch, added to that of the constants."""
    wide_speed = np.zeros(lift.shape[1])
    wide_lift = np.zeros(lift.shape)
    gap_maps_back(maps, lift, source, by_map, by_noise, wide_speed, wide_lift)
    _narrow(wide_speed, wide_lift, model, by_speed, by_lift)


@njit(cache=True, nogil=True)
def _to_parameters(
    theta: FloatArray,
    group: IntArray,
    first: int,
    model: Structure,
    by_lift: FloatArray,
    by_leave: FloatArray,
    by_fade: FloatArray,
    by_speed: FloatArray,
    values: FloatArray,
    by_theta: FloatArray,
    by_values: FloatArray,
) -> None:
    """Adjoint of `_structure`: adds to the last two arguments."""
    eras, streams, width = model.lift.shape
    targets = by_leave.shape[1]
    terms = width // streams
    for c in range(by_fade.size):
        by_speed[model.pace[(c // width) % targets, c % width]] -= by_fade[c] * model.fade[c]
    for e in range(eras):
        for k in range(streams):
            for j in range(streams):
                g = group[k, j]
                where = first + (e * streams + k) * streams + j
                for m in range(terms):
                    w, b = values[g, m], model.speed[g * terms + m]
                    one = by_lift[e, k, j * terms + m]
                    two = by_leave[e, k if targets > 1 else 0, j * terms + m]
                    by_theta[where] += w * (one * b + two)
                    by_values[g, m] += theta[where] * (one * b + two)
                    by_speed[g * terms + m] += one * theta[where] * w
    for g in range(values.shape[0]):
        for m in range(terms):
            if values[g, terms + m] < FASTEST:
                by_values[g, terms + m] += by_speed[g * terms + m]


def day_data(
    counts: IntArray,
    watched: FloatArray,
    design: FloatArray,
    marks: tuple[FloatArray, ...] | None = None,
    era: IntArray | None = None,
    draws: int = 32,
    seed: int = 0,
) -> dict[str, FloatArray | IntArray]:
    """The arrays that `day_draws` takes after the kernel's values, in its order.

    Parameters
    ----------
    counts : ndarray of int (D, K)
        Incidents of each day and stream; what stands in a gap is not read.
    watched : ndarray (D,)
        1 where the day was watched, else 0.
    design : ndarray (D, P)
        Rows at the days' middles.
    marks : tuple of K ndarray, optional
        What multiplies the exponent of each watched event in day order: the mark for the
        exponential form, the logarithm of one plus it for the power form.
    era : ndarray of int (D,), optional
        Which R holds for the parents of each day; the first by default.
    draws : int
        Draws of each day's times and states.
    seed : int
        The random numbers are data: the same for the same counts and seed.

    Raises
    ------
    ValueError
        For marks that do not fit the counts.
    """
    days, streams = counts.shape
    seen = np.where(np.asarray(watched)[:, None] > 0, counts, 0).astype(np.int64)
    number = seen.sum(axis=1)
    first = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
    stream = np.repeat(np.tile(np.arange(streams), days), seen.ravel()).astype(np.int64)
    size = np.zeros(len(stream))
    if marks is not None:
        for k, each in enumerate(marks):
            mine = stream == k
            if len(each) != mine.sum():
                raise ValueError(f"stream {k}: {len(each)} marks for {mine.sum()} watched events")
            size[mine] = each

    when, which, normal = _random_numbers(number, first, streams, draws, seed)
    return {
        "first": first,
        "stream": stream,
        "size": size,
        "when": when,
        "which": which,
        "normal": normal,
        "watched": np.asarray(watched, float),
        "design": np.ascontiguousarray(design, float),
        "era": np.zeros(days, np.int64) if era is None else np.asarray(era, np.int64),
    }


def _random_numbers(
    number: IntArray, first: IntArray, streams: int, draws: int, seed: int
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Stratified times (sorted by draw, with their events) and normal numbers of each day."""
    from scipy.special import ndtri

    rng = np.random.default_rng([20, seed])
    busy = np.flatnonzero(number)
    cell = rng.permuted(np.tile(np.arange(draws), (first[-1], 1)), axis=1)
    jitter = rng.random((first[-1], draws))
    jitter[np.repeat(number, number) == 1] = 0.5
    uniform = (cell + jitter) / draws
    when = np.empty(first[-1] * draws)
    which = np.empty(first[-1] * draws, np.int64)
    for n in np.unique(number[busy]):
        at = first[:-1][number == n]
        events = at[:, None] + np.arange(n)
        times = uniform[events].transpose(0, 2, 1)
        order = np.argsort(times, axis=2, kind="stable")
        places = at[:, None] * draws + np.arange(n * draws)
        when[places] = np.take_along_axis(times, order, axis=2).reshape(len(at), -1)
        which[places] = (at[:, None, None] + order).reshape(len(at), -1)
    middle = ndtri((np.arange(draws) + 0.5) / draws)
    middle /= np.sqrt((middle**2).mean())
    normal = rng.permuted(np.tile(middle, (len(busy), streams, 1)), axis=2)
    return when, which, normal
