"""Predictive counts of single days given the days before, for several day-coded streams."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_midnight import EMPTY
from escalation.likelihood.day_room import Draws, make_room
from escalation.likelihood.day_step import advance, opening
from escalation.likelihood.day_structure import (
    Structure,
    first_reach,
    mark_weights,
    rates,
    structure,
)
from escalation.likelihood.day_unwatched import pass_day, settled, unwatched_maps
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: A simulated day with more events is stopped.
CAP = 10_000


@njit(cache=True, nogil=True, error_model="numpy")
def _simulate(
    state: FloatArray,
    rate: FloatArray,
    now: int,
    model: Structure,
    pool: FloatArray,
    begin: IntArray,
    counts: IntArray,
    rng: np.random.Generator,
) -> None:
    """One day by thinning: `state` (C,) at midnight is used up, `counts` (K,) are written.

    Marks' weights are resampled from the stream's, ``pool[begin[k] : begin[k + 1]]``.
    """
    streams, width = model.lift.shape[1], model.lift.shape[2]
    targets = model.leave.shape[1]
    terms = width // streams
    used = (now + 1) * targets * width
    intensity = np.zeros(streams)
    for k in range(streams):
        counts[k] = 0
    time = 0.0
    total = 0
    while total < CAP:
        whole = 0.0
        for turn in range(2):
            if turn == 1:
                # Between events every intensity falls: its value now bounds what comes.
                gap = -np.log1p(-rng.random()) / whole
                time += gap
                if time >= 1.0:
                    return
                for c in range(used):
                    q = model.pace[(c // width) % targets, c % width]
                    state[c] *= np.exp(-model.speed[q] * gap)
            bound = whole
            whole = 0.0
            for k in range(streams):
                block = k if targets > 1 else 0
                intensity[k] = rate[k]
                for e in range(now + 1):
                    for j in range(width):
                        c = (e * targets + block) * width + j
                        intensity[k] += model.lift[e, k, j] * state[c]
                whole += intensity[k]
        aim = rng.random() * bound
        if aim >= whole:
            continue
        k = 0
        while k < streams - 1 and aim >= intensity[k]:
            aim -= intensity[k]
            k += 1
        counts[k] += 1
        total += 1
        mark = 1.0
        if begin[k + 1] > begin[k]:
            chosen = begin[k] + int(rng.random() * (begin[k + 1] - begin[k]))
            mark = pool[chosen]
        for t in range(targets):
            for j in range(k * terms, (k + 1) * terms):
                state[(now * targets + t) * width + j] += mark


@njit(cache=True, nogil=True, error_model="numpy")
def day_predictions(
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
    paths: int,
    rng: np.random.Generator,
) -> FloatArray:
    """What simulated days say of each day's count, given the days before.

    Arguments as for `day_draws`; `paths` days are simulated from gamma states with the filter's
    moments.

    Returns
    -------
    ndarray (D, K, 3)
        Share of paths with fewer events of the stream than there were, share with as many or
        fewer, mean count; NaN on days without watch. A uniform number between the first two is
        uniformly distributed if the model holds, up to the paths' number.
    """
    days, streams = watched.size, group.shape[0]
    has_gap, rows, largest, widest = opening(first, lanes, watched, era)
    eras = has_gap.size
    rate = rates(theta, design, column)
    mark, _ = mark_weights(theta, stream, size, exponent)
    model = structure(theta, values, group, place[0], eras)
    states = model.fade.size
    through = unwatched_maps(model, has_gap, streams)
    mean, variance = np.zeros((2, states)), np.zeros((2, states))
    if start[0] == 1:
        settled(first_reach(theta, values, group, place[0]), model, rate, mean, variance)
    room = make_room(largest, model, widest)
    draws = Draws(stream, lanes, origin, when, which, normal, decline, share, offset)
    tilted, after = np.empty((2, states)), np.empty((2, states))

    pool = np.empty(stream.size)
    begin = np.zeros(streams + 1, np.int64)
    for k in range(streams):
        begin[k + 1] = begin[k]
        for i in range(stream.size):
            if stream[i] == k:
                pool[begin[k + 1]] = mark[i]
                begin[k + 1] += 1
    out = np.full((days, streams, 3), np.nan)
    state, counts = np.empty(states), np.empty(streams, np.int64)
    seen = np.empty(streams, np.int64)
    for d in range(days):
        now = era[d]
        if watched[d] == 0.0:
            pass_day(through, now, mean, variance, rate[d : d + 1], 0)
            mean[0], variance[0] = mean[1], variance[1]
            continue
        for k in range(streams):
            seen[k] = 0
            for q in range(3):
                out[d, k, q] = 0.0
        for i in range(first[d], first[d + 1]):
            seen[stream[i]] += 1
        for _ in range(paths):
            for c in range(states):
                state[c] = mean[0, c]
                if mean[0, c] > EMPTY and variance[0, c] > 1e-12 * mean[0, c] * mean[0, c]:
                    shape = mean[0, c] * mean[0, c] / variance[0, c]
                    state[c] = rng.gamma(shape, variance[0, c] / mean[0, c])
            _simulate(state, rate[d], now, model, pool, begin, counts, rng)
            for k in range(streams):
                out[d, k, 0] += (1.0 if counts[k] < seen[k] else 0.0) / paths
                out[d, k, 1] += (1.0 if counts[k] <= seen[k] else 0.0) / paths
                out[d, k, 2] += counts[k] / paths
        advance(
            d, rows[d], now, first, rate, mark, model, draws, room, mean[0], variance[0], tilted,
            after,
        )  # fmt: skip
        mean[0], variance[0] = after[0], after[1]
    return out
