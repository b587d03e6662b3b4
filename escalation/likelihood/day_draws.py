"""Log-likelihood of several Hawkes streams whose times are known to the day."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_filter import log_term
from escalation.likelihood.day_gap import (
    STEPS,
    GapMaps,
    gap_maps,
    gap_maps_back,
    settle,
    settle_back,
    tamed,
)
from escalation.likelihood.exponential import fade as exponential
from escalation.likelihood.exponential import logarithm
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Fastest rate, a day, that is told apart within a day.
FASTEST = 300.0
#: Mean below which a state counts as empty; its square is still a normal number.
EMPTY = 1e-100
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
    """Working arrays for one day, read again by the sweep back; draws are the last axis.

    Attributes
    ----------
    grown, shrunk : ndarray (Q, n, draws)
        exp(speed * time) of the draws' events in order of time, and its inverse.
    mark : ndarray (n, draws)
        The events' offspring relative to the mean.
    present : ndarray of int (K,)
        The streams with events, first.
    mine : ndarray (K, n, draws)
        1 where the event is of the stream in this place of `present`.
    shape : ndarray (C,)
        Of the states' gamma laws; 0 for a state that is known.
    path : ndarray (n + 1, C, draws)
        States before each event and at last, each divided by its decay since midnight.
    intensity : ndarray (n, draws)
    weight : ndarray (draws,)
        The draws' weights; their sum is one.
    scratch : ndarray (4, draws)
    """

    grown: FloatArray
    shrunk: FloatArray
    mark: FloatArray
    present: IntArray
    mine: FloatArray
    shape: FloatArray
    path: FloatArray
    intensity: FloatArray
    weight: FloatArray
    scratch: FloatArray


class Slopes(NamedTuple):
    """Sums of the gradient by the constants, one lane a draw.

    Attributes
    ----------
    lift : ndarray (E, K, K M, draws)
    leave : ndarray (E, T, K M, draws)
    fade : ndarray (C, draws)
    speed : ndarray (Q, draws)
    mark : ndarray (N,)
        By the events' relative offspring; empty without marks.
    """

    lift: FloatArray
    leave: FloatArray
    fade: FloatArray
    speed: FloatArray
    mark: FloatArray


class Draws(NamedTuple):
    """The fixed random numbers of `day_times.day_data`.

    Attributes
    ----------
    stream : ndarray of int (N,)
        Of each event, day after day.
    lanes : ndarray of int (rows,)
        Draws of each day with events.
    origin : ndarray of int (rows, 3)
        Where a day begins in `when` and `which`, in `normal` to `share`, and in `offset`.
    when, which : ndarray
        Times in order and their events, (n, lanes) of each day.
    normal, decline, share : ndarray
        Normal and exponential numbers of the states at midnight, and the density of their law
        over that of the mixture they are drawn from, (K, lanes) of each day.
    offset : ndarray
        Log of the density of the times and numbers over that of their mixture, (lanes,).
    """

    stream: IntArray
    lanes: IntArray
    origin: IntArray
    when: FloatArray
    which: IntArray
    normal: FloatArray
    decline: FloatArray
    share: FloatArray
    offset: FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _room(largest: int, model: Structure, draws: int) -> Room:
    states = model.fade.size
    speeds = model.speed.size
    streams = model.lift.shape[1]
    return Room(
        np.empty((speeds, largest, draws)),
        np.empty((speeds, largest, draws)),
        np.empty((largest, draws)),
        np.empty(streams, np.int64),
        np.empty((streams, largest, draws)),
        np.empty(states),
        np.empty((largest + 1, states, draws)),
        np.empty((largest, draws)),
        np.empty(draws),
        np.empty((4, draws)),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _dot(a: FloatArray, i: int, b: FloatArray, j: int, size: int) -> float:
    """Sum of products of two rows, in four lanes; their length is a multiple of four."""
    one, two, three, four = 0.0, 0.0, 0.0, 0.0
    for p in range(0, size, 4):
        one += a[i, p] * b[j, p]
        two += a[i, p + 1] * b[j, p + 1]
        three += a[i, p + 2] * b[j, p + 2]
        four += a[i, p + 3] * b[j, p + 3]
    return (one + two) + (three + four)


@njit(cache=True, nogil=True, error_model="numpy")
def _tilt(used: int, model: Structure, mean: FloatArray, variance: FloatArray) -> float:
    """Log-probability that the past sets off nothing today, and the states given that.

    For a gamma state both are closed forms; `mean` and `variance` (C,) are changed in place.
    """
    value = 0.0
    targets, width = model.leave.shape[1], model.leave.shape[2]
    for c in range(used):
        if mean[c] <= EMPTY:
            continue
        leave = model.leave[c // (targets * width), (c // width) % targets, c % width]
        rate = leave * (1.0 - model.fade[c])
        x = rate * variance[c] / mean[c]
        value -= mean[c] * rate * log_term(-x)[0]
        mean[c] /= 1.0 + x
        variance[c] /= (1.0 + x) * (1.0 + x)
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _tilt_back(
    used: int,
    model: Structure,
    mean: FloatArray,
    variance: FloatArray,
    by_mean: FloatArray,
    by_variance: FloatArray,
    by_leave: FloatArray,
    by_fade: FloatArray,
    seed: float,
) -> None:
    """Adjoint of `_tilt` at its inputs, `seed` that of its value.

    `by_mean` and `by_variance` are changed in place.
    """
    targets, width = model.leave.shape[1], model.leave.shape[2]
    for c in range(used):
        m, v = mean[c], variance[c]
        if m <= EMPTY:
            continue
        leave = model.leave[c // (targets * width), (c // width) % targets, c % width]
        rate = leave * (1.0 - model.fade[c])
        x = rate * v / m
        f, slope = log_term(-x)
        q = 1.0 / (1.0 + x)
        by_x = (
            seed * m * rate * slope - by_mean[c] * m * q * q - 2.0 * by_variance[c] * v * q * q * q
        )
        by_mean[c] = by_mean[c] * q - seed * rate * f - by_x * x / m
        by_variance[c] = by_variance[c] * q * q + by_x * rate / m
        by_rate = by_x * v / m - seed * m * f
        by_leave[c] += by_rate * (1.0 - model.fade[c])
        by_fade[c] -= by_rate * leave


@njit(cache=True, nogil=True, error_model="numpy")
def _begin(
    used: int,
    row: int,
    model: Structure,
    draws: Draws,
    mean: FloatArray,
    variance: FloatArray,
    room: Room,
) -> None:
    """Draws of the states at the start of a day: gamma, with the exact mean.

    By the transform of `day_times.gamma_factor`, which is smooth in the moments.
    """
    size = draws.lanes[row]
    streams, width = model.lift.shape[1], model.lift.shape[2]
    terms = width // streams
    for c in range(used):
        m, v = mean[c], variance[c]
        if m <= EMPTY or v <= KNOWN * m * m:
            room.shape[c] = 0.0
            for p in range(size):
                room.path[0, c, p] = m
            continue
        mine = draws.origin[row, 1] + (c % width) // terms * size
        shape = m * m / v
        room.shape[c] = shape
        root = 1.0 / (3.0 * np.sqrt(shape + 1.0))
        middle = 1.0 - root * root
        slow = -1.0 / shape
        for p in range(size):
            h = max(middle + root * draws.normal[mine + p], 1e-3)
            room.path[0, c, p] = h * h * h * exponential(slow * draws.decline[mine + p])
        total = 0.0
        for p in range(size):
            total += draws.share[mine + p] * room.path[0, c, p]
        factor = m * size / total
        for p in range(size):
            room.path[0, c, p] *= factor


@njit(cache=True, nogil=True, error_model="numpy")
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
    size = draws.lanes[row]
    streams, width = model.lift.shape[1], model.lift.shape[2]
    terms = width // streams
    for c in range(used):
        m, v = mean[c], variance[c]
        by_mean[c] = 0.0
        by_variance[c] = 0.0
        if room.shape[c] == 0.0:
            for p in range(size):
                by_mean[c] += by_state[c, p]
            continue
        mine = draws.origin[row, 1] + (c % width) // terms * size
        shape = room.shape[c]
        root = 1.0 / (3.0 * np.sqrt(shape + 1.0))
        middle = 1.0 - root * root
        turn = -0.5 * root / (shape + 1.0)
        inverse = 1.0 / (shape * shape)
        average = 0.0
        along = 0.0
        level = 0.0
        for p in range(size):
            z = draws.normal[mine + p]
            h = middle + root * z
            slope = draws.decline[mine + p] * inverse
            if h > 1e-3:
                slope += 3.0 * turn * (z - 2.0 * root) / h
            state = room.path[0, c, p]
            average += draws.share[mine + p] * state * slope
            along += by_state[c, p] * state * slope
            level += by_state[c, p] * state
        by_shape = along - level * average / (m * size)
        by_variance[c] = -by_shape * shape / v
        by_mean[c] = level / m + 2.0 * by_shape * shape / m


@njit(cache=True, nogil=True, error_model="numpy")
def _sort_out(
    n: int, at: int, row: int, mark: FloatArray, model: Structure, draws: Draws, room: Room
) -> int:
    """What `_day` needs of its events; returns how many streams have any."""
    size = draws.lanes[row]
    number = 0
    for i in range(at, at + n):
        seen = False
        for place in range(number):
            seen = seen or room.present[place] == draws.stream[i]
        if not seen:
            room.present[number] = draws.stream[i]
            number += 1
    for s in range(n):
        base = draws.origin[row, 0] + s * size
        for p in range(size):
            event = draws.which[base + p]
            room.mark[s, p] = mark[event]
            k = draws.stream[event]
            for place in range(number):
                room.mine[place, s, p] = 1.0 if room.present[place] == k else 0.0
        for q in range(model.speed.size):
            speed = model.speed[q]
            for p in range(size):
                room.grown[q, s, p] = exponential(speed * draws.when[base + p])
            for p in range(size):
                room.shrunk[q, s, p] = 1.0 / room.grown[q, s, p]
    return number


@njit(cache=True, nogil=True, error_model="numpy")
def _day(
    n: int,
    number: int,
    now: int,
    rate: FloatArray,
    day: int,
    model: Structure,
    draws: Draws,
    row: int,
    room: Room,
    mean: FloatArray,
    variance: FloatArray,
) -> float:
    """Log of the mean over draws of a day's density, given that the past alone sets off nothing.

    `mean` and `variance` (C,) receive the states' at the end of the day. The weights' own variance
    corrects the logarithm's bias.
    """
    size = draws.lanes[row]
    streams, width = model.lift.shape[1], model.lift.shape[2]
    targets = model.leave.shape[1]
    terms = width // streams
    used = (now + 1) * targets * width
    for p in range(size):
        room.weight[p] = draws.offset[draws.origin[row, 2] + p]
    for s in range(n):
        for p in range(size):
            room.intensity[s, p] = 0.0
        for place in range(number):
            k = room.present[place]
            block = k if targets > 1 else 0
            for p in range(size):
                room.scratch[0, p] = rate[day, k]
            for e in range(now + 1):
                base = (e * targets + block) * width
                for j in range(width):
                    lift = model.lift[e, k, j]
                    q = model.pace[block, j]
                    c = base + j
                    for p in range(size):
                        room.scratch[0, p] += lift * room.shrunk[q, s, p] * room.path[s, c, p]
            for p in range(size):
                room.intensity[s, p] += room.mine[place, s, p] * room.scratch[0, p]
        for p in range(size):
            room.weight[p] += logarithm(room.intensity[s, p])
        for c in range(used):
            for p in range(size):
                room.path[s + 1, c, p] = room.path[s, c, p]
        for place in range(number):
            k = room.present[place]
            for p in range(size):
                room.scratch[0, p] = room.mark[s, p] * room.mine[place, s, p]
            for t in range(targets):
                for j in range(k * terms, (k + 1) * terms):
                    c = (now * targets + t) * width + j
                    q = model.pace[t, j]
                    leave, fade = model.leave[now, t, j], model.fade[c]
                    for p in range(size):
                        room.path[s + 1, c, p] += room.scratch[0, p] * room.grown[q, s, p]
                    for p in range(size):
                        kept = fade * room.grown[q, s, p]
                        room.weight[p] -= leave * room.scratch[0, p] * (1.0 - kept)

    top = -np.inf
    for p in range(size):
        top = max(top, room.weight[p])
    if not (top > -np.inf and top < np.inf):
        return -np.inf
    for p in range(size):
        room.weight[p] = exponential(room.weight[p] - top)
    total = 0.0
    for p in range(size):
        total += room.weight[p]
    uneven = 0.0
    for p in range(size):
        room.weight[p] /= total
        room.scratch[1, p] = room.weight[p]
        uneven += room.weight[p] * room.weight[p]
    last = room.path[n]
    for c in range(used):
        first = _dot(room.scratch, 1, last, c, size)
        for p in range(size):
            off = last[c, p] - first
            room.scratch[2, p] = off * off
        second = _dot(room.scratch, 1, room.scratch, 2, size)
        mean[c] = model.fade[c] * first
        variance[c] = model.fade[c] * model.fade[c] * second
    return float(top + np.log(total / size) + 0.5 * (uneven - 1.0 / size))


@njit(cache=True, nogil=True, error_model="numpy")
def _day_back(
    n: int,
    number: int,
    now: int,
    rate: FloatArray,
    day: int,
    model: Structure,
    draws: Draws,
    row: int,
    room: Room,
    mean: FloatArray,
    variance: FloatArray,
    by_mean: FloatArray,
    by_variance: FloatArray,
    by_state: FloatArray,
    by_rate: FloatArray,
    slopes: Slopes,
    seed: float,
) -> None:
    """Adjoint of `_day`, `seed` that of its value; mean and variance are those at the end.

    `by_state` (C, draws) is set, row `day` of `by_rate` and the other sums are added to.
    """
    size = draws.lanes[row]
    streams, width = model.lift.shape[1], model.lift.shape[2]
    targets = model.leave.shape[1]
    terms = width // streams
    used = (now + 1) * targets * width
    single = model.speed.size == 1
    uneven = 0.0
    for p in range(size):
        uneven += room.weight[p] * room.weight[p]
    for p in range(size):
        room.scratch[0, p] = seed * (1.0 + room.weight[p] - uneven)
    for c in range(used):
        one, two, fade = by_mean[c], by_variance[c], model.fade[c]
        m, v = mean[c], variance[c]
        for p in range(size):
            off = fade * room.path[n, c, p] - m
            room.scratch[0, p] += one * off + two * (off * off - v)
        for p in range(size):
            off = fade * room.path[n, c, p] - m
            by_state[c, p] = room.weight[p] * (one + 2.0 * two * off)
        for p in range(size):
            slopes.fade[c, p] += by_state[c, p] * room.path[n, c, p]
        for p in range(size):
            by_state[c, p] *= fade
    for p in range(size):
        room.scratch[0, p] *= room.weight[p]

    # Rows of scratch: pull on the log-weights, one stream's marks or pull, pull per intensity.
    for s in range(n - 1, -1, -1):
        first = draws.origin[row, 0] + s * size
        for place in range(number):
            k = room.present[place]
            for p in range(size):
                room.scratch[1, p] = room.mark[s, p] * room.mine[place, s, p]
            for t in range(targets):
                for j in range(k * terms, (k + 1) * terms):
                    c = (now * targets + t) * width + j
                    q = model.pace[t, j]
                    leave, fade = model.leave[now, t, j], model.fade[c]
                    for p in range(size):
                        room.scratch[2, p] = room.scratch[0, p] * room.scratch[1, p]
                    for p in range(size):
                        kept = fade * room.grown[q, s, p]
                        slopes.leave[now, t, j, p] -= room.scratch[2, p] * (1.0 - kept)
                    for p in range(size):
                        grown = room.grown[q, s, p]
                        slopes.fade[c, p] += leave * room.scratch[2, p] * grown
                    for p in range(size):
                        grown = room.grown[q, s, p]
                        room.scratch[2, p] *= leave * fade * grown
                        room.scratch[2, p] += by_state[c, p] * room.scratch[1, p] * grown
                    for p in range(size):
                        slopes.speed[q, p] += room.scratch[2, p] * draws.when[first + p]
                    if slopes.mark.size > 0:
                        for p in range(size):
                            grown = room.grown[q, s, p]
                            slope = by_state[c, p] * grown
                            slope -= leave * room.scratch[0, p] * (1.0 - fade * grown)
                            slopes.mark[draws.which[first + p]] += slope * room.mine[place, s, p]
        for p in range(size):
            room.scratch[2, p] = room.scratch[0, p] / room.intensity[s, p]
        for place in range(number):
            k = room.present[place]
            block = k if targets > 1 else 0
            for p in range(size):
                room.scratch[1, p] = room.scratch[2, p] * room.mine[place, s, p]
            total = 0.0
            for p in range(size):
                total += room.scratch[1, p]
            by_rate[day, k] += total
            if single:
                level = rate[day, k]
                for p in range(size):
                    felt = room.scratch[1, p] * (room.intensity[s, p] - level)
                    slopes.speed[0, p] -= felt * draws.when[first + p]
            for e in range(now + 1):
                base = (e * targets + block) * width
                for j in range(width):
                    q = model.pace[block, j]
                    c = base + j
                    lift = model.lift[e, k, j]
                    for p in range(size):
                        room.scratch[3, p] = room.scratch[1, p] * room.shrunk[q, s, p]
                    for p in range(size):
                        by_state[c, p] += lift * room.scratch[3, p]
                    for p in range(size):
                        room.scratch[3, p] *= room.path[s, c, p]
                    for p in range(size):
                        slopes.lift[e, k, j, p] += room.scratch[3, p]
                    if not single:
                        for p in range(size):
                            slopes.speed[q, p] -= lift * room.scratch[3, p] * draws.when[first + p]


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _reach(theta: FloatArray, values: FloatArray, group: IntArray, first: int) -> FloatArray:
    """Offspring of the first era, (K, K), the kernels' masses included."""
    streams = group.shape[0]
    terms = values.shape[1] // 2
    reach = np.zeros((streams, streams))
    for k in range(streams):
        for j in range(streams):
            for m in range(terms):
                reach[k, j] += theta[first + k * streams + j] * values[group[k, j], m]
    return reach


@njit(cache=True, nogil=True, error_model="numpy")
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
    terms = values.shape[1] // 2
    eras = 1
    for d in range(days):
        eras = max(eras, era[d] + 1)
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    failed = -np.inf, by_theta, by_values
    for i in range(eras * streams * streams):
        if not (theta[place[0] + i] >= 0.0 and theta[place[0] + i] < 1e6):
            return failed
    for g in range(values.shape[0]):
        for i in range(terms):
            if not (values[g, terms + i] > 0.0 and values[g, i] >= 0.0 and values[g, i] < 1e6):
                return failed
    model = _structure(theta, values, group, place[0], eras)
    mark, mark_slope = mark_weights(theta, stream, size, exponent)
    rate = _rates(theta, design, column)
    for d in range(days):
        for k in range(streams):
            if not (rate[d, k] > 1e-300 and rate[d, k] < 1e15):
                return failed
    for i in range(mark.size):
        if not mark[i] < 1e15:
            return failed
    states = model.fade.size
    block = states // eras

    # Maps of the days without watch, one pair an era that has such days.
    has_gap = np.zeros(eras, np.int64)
    for d in range(days):
        if watched[d] == 0.0:
            has_gap[era[d]] = 1
    through = np.zeros((eras, 2, states, states + streams))
    for e in range(eras):
        if has_gap[e] == 1:
            speed, lift, source = _wide(model, e)
            maps = gap_maps(speed, lift, source)
            _spread(maps, through, e)

    mean = np.zeros((days + 1, states))
    variance = np.zeros((days + 1, states))
    speed, lift, source = _wide(model, 0)
    factor, factor_slope = tamed(_reach(theta, values, group, place[0]))
    for k in range(streams):
        for c in range(block):
            lift[k, c] *= factor
    if start[0] == 1:
        begun = gap_maps(speed, lift, source)
        settle(begun, rate, mean, variance)

    row = np.zeros(days, np.int64)
    largest = 0
    rows = 0
    value = 0.0
    for d in range(days):
        n = first[d + 1] - first[d]
        row[d] = rows
        if n > 0:
            rows += 1
            largest = max(largest, n)
        # A day's counts, not its ordered times: over the factorial of each stream's.
        same = 0
        for i in range(first[d], first[d + 1]):
            same = same + 1 if i > first[d] and stream[i] == stream[i - 1] else 1
            value -= np.log(same)
    draws = Draws(stream, lanes, origin, when, which, normal, decline, share, offset)
    widest = 4
    for i in range(lanes.size):
        widest = max(widest, lanes[i])
    room = _room(largest, model, widest)

    m = np.empty(states)
    v = np.empty(states)
    for d in range(days):
        now = era[d]
        used = (now + 1) * block
        n = first[d + 1] - first[d]
        if watched[d] == 0.0:
            _pass(through, now, mean, variance, rate, d)
            continue
        for c in range(states):
            m[c] = mean[d, c]
            v[c] = variance[d, c]
        value += _tilt(used, model, m, v)
        for k in range(streams):
            value -= rate[d, k]
        if n == 0:
            for c in range(used):
                m[c] *= model.fade[c]
                v[c] *= model.fade[c] * model.fade[c]
        else:
            _begin(used, row[d], model, draws, m, v, room)
            number = _sort_out(n, first[d], row[d], mark, model, draws, room)
            value += _day(n, number, now, rate, d, model, draws, row[d], room, m, v)
        for c in range(states):
            mean[d + 1, c] = m[c]
            variance[d + 1, c] = v[c]
            if not (m[c] < 1e100 and v[c] < 1e100):
                return failed
        if not value > -np.inf:
            return failed

    by_rate = np.zeros((days, streams))
    slopes = Slopes(
        np.zeros((eras, streams, model.lift.shape[2], widest)),
        np.zeros((eras, model.leave.shape[1], model.lift.shape[2], widest)),
        np.zeros((states, widest)),
        np.zeros((model.speed.size, widest)),
        np.zeros(_marked(exponent) * stream.size),
    )
    by_leave = np.zeros(states)
    by_fade = np.zeros(states)
    by_speed = np.zeros(model.speed.size)
    by_lift = np.zeros(model.lift.shape)
    by_through = np.zeros(through.shape)
    by_state = np.empty((states, widest))
    by_mean = np.zeros(states)
    by_variance = np.zeros(states)
    end_mean = np.empty(states)
    end_variance = np.empty(states)
    for d in range(days - 1, -1, -1):
        now = era[d]
        used = (now + 1) * block
        n = first[d + 1] - first[d]
        if watched[d] == 0.0:
            _pass_back(
                through, now, mean, variance, rate, d, by_mean, by_variance, by_through, by_rate
            )
            continue
        for c in range(states):
            m[c] = mean[d, c]
            v[c] = variance[d, c]
        _tilt(used, model, m, v)
        if n == 0:
            for c in range(used):
                by_fade[c] += by_mean[c] * m[c] + 2.0 * by_variance[c] * model.fade[c] * v[c]
                by_mean[c] *= model.fade[c]
                by_variance[c] *= model.fade[c] * model.fade[c]
        else:
            _begin(used, row[d], model, draws, m, v, room)
            number = _sort_out(n, first[d], row[d], mark, model, draws, room)
            _day(n, number, now, rate, d, model, draws, row[d], room, end_mean, end_variance)
            _day_back(
                n, number, now, rate, d, model, draws, row[d], room, end_mean, end_variance,
                by_mean, by_variance, by_state, by_rate, slopes, 1.0,
            )  # fmt: skip
            _begin_back(used, row[d], model, draws, m, v, room, by_state, by_mean, by_variance)
        for c in range(states):
            m[c] = mean[d, c]
            v[c] = variance[d, c]
        _tilt_back(used, model, m, v, by_mean, by_variance, by_leave, by_fade, 1.0)
        for k in range(streams):
            by_rate[d, k] -= 1.0

    if start[0] == 1:
        by_map = np.zeros((2, block, block + streams))
        settle_back(
            begun, rate, mean, variance, by_mean, by_variance, by_rate, by_map[0], by_map[1]
        )
        wide_speed = np.zeros(block)
        wide_lift = np.zeros((streams, block))
        gap_maps_back(begun, lift, source, by_map[0], by_map[1], wide_speed, wide_lift)
        by_factor = 0.0
        for k in range(streams):
            for c in range(block):
                by_factor += wide_lift[k, c] * lift[k, c] / factor
                wide_lift[k, c] *= factor
        _narrow(wide_speed, wide_lift, model, by_speed, by_lift)
        for k in range(streams):
            for j in range(streams):
                g = group[k, j]
                for i in range(terms):
                    slope = by_factor * factor_slope[k, j]
                    by_theta[place[0] + k * streams + j] += slope * values[g, i]
                    by_values[g, i] += slope * theta[place[0] + k * streams + j]
    for e in range(eras):
        if has_gap[e] == 1:
            speed, lift, source = _wide(model, e)
            maps = gap_maps(speed, lift, source)
            used = speed.size
            by_map = np.zeros((2, used, used + streams))
            _gather(by_through, e, by_map)
            wide_speed = np.zeros(used)
            wide_lift = np.zeros((streams, used))
            gap_maps_back(maps, lift, source, by_map[0], by_map[1], wide_speed, wide_lift)
            _narrow(wide_speed, wide_lift, model, by_speed, by_lift)

    for d in range(days):
        for k in range(streams):
            for i in range(column.shape[1]):
                by_theta[column[k, i]] += by_rate[d, k] * rate[d, k] * design[d, i]
    for i in range(slopes.mark.size):
        if exponent[stream[i]] >= 0:
            by_theta[exponent[stream[i]]] += slopes.mark[i] * mark_slope[i]
    _reduce(slopes, widest, by_lift, by_leave, by_fade, by_speed)
    _to_parameters(
        theta, group, place[0], model, by_lift, by_leave, by_fade, by_speed, values, by_theta,
        by_values,
    )  # fmt: skip
    return value, by_theta, by_values


@njit(cache=True, nogil=True, error_model="numpy")
def _marked(exponent: IntArray) -> int:
    """1 where some stream has marks, else 0."""
    for k in range(exponent.size):
        if exponent[k] >= 0:
            return 1
    return 0


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(maps: GapMaps, through: FloatArray, e: int) -> None:
    """Write an era's maps, of the states up to it, into the rows of all states."""
    used = maps.noise.shape[0]
    states, streams = through.shape[2], maps.noise.shape[1] - used
    for c in range(used):
        for i in range(used + streams):
            to = i if i < used else i - used + states
            through[e, 0, c, to] = maps.powers[STEPS, c, i]
            through[e, 1, c, to] = maps.noise[c, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(by_through: FloatArray, e: int, by_map: FloatArray) -> None:
    """Adjoint of `_spread`."""
    used = by_map.shape[1]
    states, streams = by_through.shape[2], by_map.shape[2] - used
    for c in range(used):
        for i in range(used + streams):
            to = i if i < used else i - used + states
            by_map[0, c, i] = by_through[e, 0, c, to]
            by_map[1, c, i] = by_through[e, 1, c, to]


@njit(cache=True, nogil=True, error_model="numpy")
def _pass(
    through: FloatArray,
    now: int,
    mean: FloatArray,
    variance: FloatArray,
    rate: FloatArray,
    d: int,
) -> None:
    """One day without watch: rows d of mean and variance to rows d + 1."""
    states = mean.shape[1]
    for c in range(states):
        first = 0.0
        second = 0.0
        for i in range(states):
            kept = through[now, 0, c, i]
            first += kept * mean[d, i]
            second += kept * kept * variance[d, i] + through[now, 1, c, i] * mean[d, i]
        for k in range(rate.shape[1]):
            first += through[now, 0, c, states + k] * rate[d, k]
            second += through[now, 1, c, states + k] * rate[d, k]
        mean[d + 1, c] = first
        variance[d + 1, c] = second


@njit(cache=True, nogil=True, error_model="numpy")
def _pass_back(
    through: FloatArray,
    now: int,
    mean: FloatArray,
    variance: FloatArray,
    rate: FloatArray,
    d: int,
    by_mean: FloatArray,
    by_variance: FloatArray,
    by_through: FloatArray,
    by_rate: FloatArray,
) -> None:
    """Adjoint of `_pass`; `by_mean` and `by_variance` are changed in place."""
    states = mean.shape[1]
    to_mean = np.zeros(states)
    to_variance = np.zeros(states)
    for c in range(states):
        one, two = by_mean[c], by_variance[c]
        for i in range(states):
            kept = through[now, 0, c, i]
            by_through[now, 0, c, i] += one * mean[d, i] + 2.0 * two * kept * variance[d, i]
            by_through[now, 1, c, i] += two * mean[d, i]
            to_mean[i] += one * kept + two * through[now, 1, c, i]
            to_variance[i] += two * kept * kept
        for k in range(rate.shape[1]):
            by_through[now, 0, c, states + k] += one * rate[d, k]
            by_through[now, 1, c, states + k] += two * rate[d, k]
            by_rate[d, k] += one * through[now, 0, c, states + k]
            by_rate[d, k] += two * through[now, 1, c, states + k]
    for c in range(states):
        by_mean[c] = to_mean[c]
        by_variance[c] = to_variance[c]


@njit(cache=True, nogil=True, error_model="numpy")
def _reduce(
    slopes: Slopes,
    size: int,
    by_lift: FloatArray,
    by_leave: FloatArray,
    by_fade: FloatArray,
    by_speed: FloatArray,
) -> None:
    """Add the first lanes of `slopes` to the other arguments, and set them to zero."""
    eras, streams, width = by_lift.shape
    targets = slopes.leave.shape[1]
    for c in range(by_fade.size):
        for p in range(size):
            by_fade[c] += slopes.fade[c, p]
            slopes.fade[c, p] = 0.0
    for q in range(by_speed.size):
        for p in range(size):
            by_speed[q] += slopes.speed[q, p]
            slopes.speed[q, p] = 0.0
    for e in range(eras):
        for i in range(width):
            for t in range(targets):
                for p in range(size):
                    by_leave[(e * targets + t) * width + i] += slopes.leave[e, t, i, p]
                    slopes.leave[e, t, i, p] = 0.0
            for k in range(streams):
                for p in range(size):
                    by_lift[e, k, i] += slopes.lift[e, k, i, p]
                    slopes.lift[e, k, i, p] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
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
    """Adjoint of `_structure`: adds to the last two arguments; `by_speed` is changed."""
    eras, streams, width = model.lift.shape
    targets = model.leave.shape[1]
    terms = width // streams
    for c in range(by_fade.size):
        q = model.pace[(c // width) % targets, c % width]
        by_speed[q] -= by_fade[c] * model.fade[c]
    for e in range(eras):
        for k in range(streams):
            for j in range(streams):
                g = group[k, j]
                where = first + (e * streams + k) * streams + j
                for m in range(terms):
                    i = j * terms + m
                    w, b = values[g, m], model.speed[g * terms + m]
                    one = by_lift[e, k, i]
                    two = by_leave[(e * targets + (k if targets > 1 else 0)) * width + i]
                    by_theta[where] += w * (one * b + two)
                    by_values[g, m] += theta[where] * (one * b + two)
                    by_speed[g * terms + m] += one * theta[where] * w
    for g in range(values.shape[0]):
        for m in range(terms):
            if values[g, terms + m] < FASTEST:
                by_values[g, terms + m] += by_speed[g * terms + m]
