"""Constants of the likelihood of several day-coded streams, and the slopes by them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Fastest rate, a day, that is told apart within a day.
FASTEST = 300.0


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
def structure(
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
def to_parameters(
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
    """Adjoint of `structure`: adds to the last two arguments; `by_speed` is changed."""
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


@njit(cache=True, nogil=True, error_model="numpy")
def wide(model: Structure, now: int) -> tuple[FloatArray, FloatArray, IntArray]:
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
def narrow(
    by_speed: FloatArray,
    by_lift: FloatArray,
    model: Structure,
    to_speed: FloatArray,
    to_lift: FloatArray,
) -> None:
    """Adjoint of `wide`: adds to the last two arguments."""
    streams, width = model.lift.shape[1], model.lift.shape[2]
    targets = model.leave.shape[1]
    for c in range(by_speed.size):
        e, t, i = c // (targets * width), (c // width) % targets, c % width
        to_speed[model.pace[t, i]] += by_speed[c]
        for k in range(streams):
            if targets == 1 or t == k:
                to_lift[e, k, i] += by_lift[k, c]


@njit(cache=True, nogil=True, error_model="numpy")
def first_reach(theta: FloatArray, values: FloatArray, group: IntArray, first: int) -> FloatArray:
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
def rates(theta: FloatArray, design: FloatArray, column: IntArray) -> FloatArray:
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
def marked(exponent: IntArray) -> int:
    """1 where some stream has marks, else 0."""
    for k in range(exponent.size):
        if exponent[k] >= 0:
            return 1
    return 0
