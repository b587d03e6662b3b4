"""States of day-coded streams at midnight: tilted by a quiet past, and drawn."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_count import log_term
from escalation.likelihood.day_room import Draws, Room
from escalation.likelihood.day_structure import Structure
from escalation.likelihood.exponential import fade as exponential
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Mean below which a state counts as empty; its square is still a normal number.
EMPTY = 1e-100

#: Squared coefficient of variation below which a state counts as known.
KNOWN = 1e-20


@njit(cache=True, nogil=True, error_model="numpy")
def tilt(used: int, model: Structure, mean: FloatArray, variance: FloatArray) -> float:
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
def tilt_back(
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
    """Adjoint of `tilt` at its inputs, `seed` that of its value.

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
def begin(
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
def begin_back(
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
    """Adjoint of `begin`: `by_state` (C, draws) into `by_mean` and `by_variance`, set anew."""
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
