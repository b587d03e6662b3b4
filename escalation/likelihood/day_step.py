"""One watched day of several day-coded streams, with or without events, forward and back."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_midnight import begin, begin_back, tilt, tilt_back
from escalation.likelihood.day_room import Draws, Room, Slopes
from escalation.likelihood.day_structure import Structure
from escalation.likelihood.day_within import day_back, day_density, sort_out
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def opening(
    first: IntArray, lanes: IntArray, watched: FloatArray, era: IntArray
) -> tuple[IntArray, IntArray, int, int]:
    """What the sweeps over the days need to know of them all.

    Returns
    -------
    has_gap : ndarray of int (E,)
        1 for eras with days that were not watched.
    rows : ndarray of int (D,)
        Number of days with events before each day: its row in the arrays of draws.
    largest, widest : int
        Most events of a day, and most draws.
    """
    days = watched.size
    eras, largest, widest = 1, 0, 4
    rows = np.zeros(days + 1, np.int64)
    for d in range(days):
        eras = max(eras, era[d] + 1)
        n = first[d + 1] - first[d]
        largest = max(largest, n)
        rows[d + 1] = rows[d] + (1 if n > 0 else 0)
    has_gap = np.zeros(eras, np.int64)
    for d in range(days):
        if watched[d] == 0.0:
            has_gap[era[d]] = 1
    for i in range(lanes.size):
        widest = max(widest, lanes[i])
    return has_gap, rows[:days], largest, widest


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    d: int,
    row: int,
    now: int,
    first: IntArray,
    rate: FloatArray,
    mark: FloatArray,
    model: Structure,
    draws: Draws,
    room: Room,
    mean: FloatArray,
    variance: FloatArray,
    tilted: FloatArray,
    after: FloatArray,
) -> tuple[float, int]:
    """Log-probability of a day's counts, and how many streams have events.

    From the states' moments at its start, `mean` and `variance` (C,); what they are given that
    the past sets off nothing is written to `tilted` (2, C), what they are at its end to `after`.
    """
    states = model.fade.size
    used = (now + 1) * model.leave.shape[1] * model.leave.shape[2]
    for c in range(states):
        tilted[0, c] = mean[c]
        tilted[1, c] = variance[c]
    value = tilt(used, model, tilted[0], tilted[1])
    for k in range(rate.shape[1]):
        value -= rate[d, k]
    for c in range(states):
        after[0, c] = tilted[0, c]
        after[1, c] = tilted[1, c]
    n = first[d + 1] - first[d]
    number = 0
    if n > 0:
        begin(used, row, model, draws, tilted[0], tilted[1], room)
        number = sort_out(n, first[d], row, mark, model, draws, room)
        value += day_density(
            n, number, now, rate, d, model, draws, row, room, after[0], after[1]
        )  # fmt: skip
    else:
        for c in range(used):
            after[0, c] *= model.fade[c]
            after[1, c] *= model.fade[c] * model.fade[c]
    return value, number


@njit(cache=True, nogil=True, error_model="numpy")
def retreat(
    d: int,
    row: int,
    now: int,
    n: int,
    number: int,
    rate: FloatArray,
    model: Structure,
    draws: Draws,
    room: Room,
    mean: FloatArray,
    variance: FloatArray,
    tilted: FloatArray,
    after: FloatArray,
    by_mean: FloatArray,
    by_variance: FloatArray,
    by_state: FloatArray,
    by_rate: FloatArray,
    by_leave: FloatArray,
    by_fade: FloatArray,
    slopes: Slopes,
    seed: float,
) -> None:
    """Adjoint of `advance`, whose results are still in `room`; `seed` is that of its value.

    `by_mean` and `by_variance` go from those of the day's end to those of its start; row `d` of
    `by_rate` and the other sums are added to.
    """
    used = (now + 1) * model.leave.shape[1] * model.leave.shape[2]
    if n > 0:
        day_back(
            n, number, now, rate, d, model, draws, row, room, after[0], after[1], by_mean,
            by_variance, by_state, by_rate, slopes, seed,
        )  # fmt: skip
        begin_back(
            used, row, model, draws, tilted[0], tilted[1], room, by_state, by_mean, by_variance
        )
    else:
        for c in range(used):
            kept = model.fade[c]
            by_fade[c] += by_mean[c] * tilted[0, c] + 2.0 * by_variance[c] * kept * tilted[1, c]
            by_mean[c] *= kept
            by_variance[c] *= kept * kept
    tilt_back(used, model, mean, variance, by_mean, by_variance, by_leave, by_fade, seed)
    for k in range(rate.shape[1]):
        by_rate[d, k] -= seed
