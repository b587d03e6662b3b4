"""Day-coded streams through days nobody watched, and what precedes all counts."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_gap import (
    STEPS,
    GapMaps,
    gap_maps,
    gap_maps_back,
    settle,
    settle_back,
    tamed,
)
from escalation.likelihood.day_structure import Structure, narrow, wide
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def unwatched_maps(model: Structure, has_gap: IntArray, streams: int) -> FloatArray:
    """Maps (E, 2, C, C + K) of a day without watch in each era, zero where there is none."""
    states = model.fade.size
    through = np.zeros((has_gap.size, 2, states, states + streams))
    for e in range(has_gap.size):
        if has_gap[e] == 1:
            speed, lift, source = wide(model, e)
            spread(gap_maps(speed, lift, source), through, e)
    return through


@njit(cache=True, nogil=True, error_model="numpy")
def unwatched_back(
    model: Structure,
    has_gap: IntArray,
    by_through: FloatArray,
    by_speed: FloatArray,
    by_lift: FloatArray,
) -> None:
    """Adjoint of `unwatched_maps`: adds to the last two arguments."""
    streams = model.lift.shape[1]
    for e in range(has_gap.size):
        if has_gap[e] == 1:
            speed, lift, source = wide(model, e)
            maps = gap_maps(speed, lift, source)
            used = speed.size
            by_map = np.zeros((2, used, used + streams))
            gather(by_through, e, by_map)
            wide_speed = np.zeros(used)
            wide_lift = np.zeros((streams, used))
            gap_maps_back(maps, lift, source, by_map[0], by_map[1], wide_speed, wide_lift)
            narrow(wide_speed, wide_lift, model, by_speed, by_lift)


@njit(cache=True, nogil=True, error_model="numpy")
def settled(
    reach: FloatArray, model: Structure, rate: FloatArray, mean: FloatArray, variance: FloatArray
) -> GapMaps:
    """The stationary moments in row 0 of `mean` and `variance`, and the maps that leave them.

    R (K, K) of the first era is scaled down where it is near criticality or above.
    """
    speed, lift, source = wide(model, 0)
    lift *= tamed(reach)[0]
    maps: GapMaps = gap_maps(speed, lift, source)
    settle(maps, rate, mean, variance)
    return maps


@njit(cache=True, nogil=True, error_model="numpy")
def settled_back(
    maps: GapMaps,
    reach: FloatArray,
    model: Structure,
    rate: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    by_mean: FloatArray,
    by_variance: FloatArray,
    by_rate: FloatArray,
    by_speed: FloatArray,
    by_lift: FloatArray,
) -> FloatArray:
    """Adjoint of `settled`: adds to the last three arguments, returns the slope by R (K, K)."""
    _, lift, source = wide(model, 0)
    factor, factor_slope = tamed(reach)
    lift *= factor
    streams, block = lift.shape
    by_map = np.zeros((2, block, block + streams))
    settle_back(maps, rate, mean, variance, by_mean, by_variance, by_rate, by_map[0], by_map[1])
    wide_speed = np.zeros(block)
    wide_lift = np.zeros((streams, block))
    gap_maps_back(maps, lift, source, by_map[0], by_map[1], wide_speed, wide_lift)
    by_factor = 0.0
    for k in range(streams):
        for c in range(block):
            by_factor += wide_lift[k, c] * lift[k, c] / factor
            wide_lift[k, c] *= factor
    narrow(wide_speed, wide_lift, model, by_speed, by_lift)
    by_reach: FloatArray = by_factor * factor_slope
    return by_reach


@njit(cache=True, nogil=True, error_model="numpy")
def spread(maps: GapMaps, through: FloatArray, e: int) -> None:
    """Write an era's maps, of the states up to it, into the rows of all states."""
    used = maps.noise.shape[0]
    states, streams = through.shape[2], maps.noise.shape[1] - used
    for c in range(used):
        for i in range(used + streams):
            to = i if i < used else i - used + states
            through[e, 0, c, to] = maps.powers[STEPS, c, i]
            through[e, 1, c, to] = maps.noise[c, i]


@njit(cache=True, nogil=True, error_model="numpy")
def gather(by_through: FloatArray, e: int, by_map: FloatArray) -> None:
    """Adjoint of `spread`."""
    used = by_map.shape[1]
    states, streams = by_through.shape[2], by_map.shape[2] - used
    for c in range(used):
        for i in range(used + streams):
            to = i if i < used else i - used + states
            by_map[0, c, i] = by_through[e, 0, c, to]
            by_map[1, c, i] = by_through[e, 1, c, to]


@njit(cache=True, nogil=True, error_model="numpy")
def pass_day(
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
def pass_back(
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
    """Adjoint of `pass_day`; `by_mean` and `by_variance` are changed in place."""
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
def pass_slopes(
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
