"""One day of several streams, over fixed draws of its times."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_room import Draws, Room, Slopes
from escalation.likelihood.day_structure import Structure
from escalation.likelihood.exponential import fade as exponential
from escalation.likelihood.exponential import logarithm
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


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
def sort_out(
    n: int, at: int, row: int, mark: FloatArray, model: Structure, draws: Draws, room: Room
) -> int:
    """What `day_density` needs of its events; returns how many streams have any."""
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
def day_density(
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
def day_back(
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
    """Adjoint of `day_density`, `seed` that of its value; mean and variance are those at the end.

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
def reduce_slopes(
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
