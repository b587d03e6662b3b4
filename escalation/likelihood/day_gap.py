"""How mean and variance of the states of Hawkes streams pass through days nobody watched."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_filter import SLACK, slack
from escalation.likelihood.day_series import solve
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Steps of Simpson's rule over a day, and terms of the exponential's series.
STEPS, TERMS = 32, 11


class GapMaps(NamedTuple):
    """The day's linear maps of (states' means, background rates) and how they were made.

    With C states and K streams: ``powers[-1][:C]`` gives the means after a day, and
    ``noise`` (C, C + K) what the day adds to the variances, which else are multiplied by the
    squared entries of ``powers[-1][:C, :C]``.
    """

    powers: FloatArray
    noise: FloatArray
    generator: FloatArray
    nested: FloatArray
    squares: FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def _add(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """Add a @ b to `out`."""
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            factor = a[i, k]
            if factor != 0.0:
                for j in range(b.shape[1]):
                    out[i, j] += factor * b[k, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_left(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """Add a.T @ b to `out`."""
    for k in range(a.shape[0]):
        for i in range(a.shape[1]):
            factor = a[k, i]
            if factor != 0.0:
                for j in range(b.shape[1]):
                    out[i, j] += factor * b[k, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_right(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """Add a @ b.T to `out`."""
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            total = 0.0
            for k in range(a.shape[1]):
                total += a[i, k] * b[j, k]
            out[i, j] += total


@njit(cache=True, nogil=True, error_model="numpy")
def _simpson(i: int) -> float:
    if i == 0 or i == STEPS:
        return 1.0 / (3.0 * STEPS)
    return (4.0 if i % 2 == 1 else 2.0) / (3.0 * STEPS)


@njit(cache=True, nogil=True, error_model="numpy")
def gap_maps(speed: FloatArray, lift: FloatArray, source: IntArray) -> GapMaps:
    r"""Maps of a day without watch, from the equations of the moments.

    .. math:: \dot m_c = -b_c m_c + \lambda_{j(c)}, \quad
              \lambda_k = \mu_k + \sum_c L_{kc} m_c, \quad
              \dot V = G V + V G' + \sum_j \lambda_j u_j u_j'

    where u_j marks the states that an event of j raises. The states are independent at the
    start of the day, and covariances at its end are dropped.

    Parameters
    ----------
    speed : ndarray (C,)
    lift : ndarray (K, C)
    source : ndarray of int (C,)
        The stream whose events raise the state; -1 for states of earlier eras.
    """
    streams, states = lift.shape
    size = states + streams
    generator = np.zeros((size, size))
    for c in range(states):
        generator[c, c] -= speed[c]
        if source[c] >= 0:
            generator[c, states + source[c]] += 1.0
            for d in range(states):
                generator[c, d] += lift[source[c], d]
    largest = 0.0
    for i in range(size):
        total = 0.0
        for j in range(size):
            total += abs(generator[i, j])
        largest = max(largest, total)
    halvings = 0
    length = 1.0 / STEPS
    while largest * length > 0.5:
        length /= 2.0
        halvings += 1
    small = generator * length

    nested = np.zeros((TERMS + 1, size, size))
    for i in range(size):
        nested[TERMS, i, i] = 1.0
    for k in range(TERMS, 0, -1):
        _add(small, nested[k], nested[k - 1])
        for i in range(size):
            for j in range(size):
                nested[k - 1, i, j] /= k
            nested[k - 1, i, i] += 1.0
    squares = np.zeros((halvings + 1, size, size))
    for i in range(size):
        for j in range(size):
            squares[0, i, j] = nested[0, i, j]
    for h in range(halvings):
        _add(squares[h], squares[h], squares[h + 1])
    powers = np.zeros((STEPS + 1, size, size))
    for i in range(size):
        powers[0, i, i] = 1.0
    for s in range(STEPS):
        _add(squares[halvings], powers[s], powers[s + 1])

    noise = np.zeros((states, size))
    for s in range(STEPS + 1):
        spike, rate = _at(s, powers, lift, source)
        squared = spike * spike * _simpson(s)
        _add(squared, rate, noise)
    return GapMaps(powers, noise, generator, nested, squares)


@njit(cache=True, nogil=True, error_model="numpy")
def _at(
    s: int, powers: FloatArray, lift: FloatArray, source: IntArray
) -> tuple[FloatArray, FloatArray]:
    """What an event at step s leaves in each state at the end of the day, and the rates at s."""
    streams, states = lift.shape
    spike = np.zeros((states, streams))
    for c in range(states):
        for d in range(states):
            if source[d] >= 0:
                spike[c, source[d]] += powers[STEPS - s, c, d]
    rate = np.zeros((streams, states + streams))
    _add(lift, powers[s, :states], rate)
    for k in range(streams):
        for j in range(streams):
            rate[k, states + j] += 1.0 if j == k else 0.0
    return spike, rate


@njit(cache=True, nogil=True, error_model="numpy")
def gap_maps_back(
    maps: GapMaps,
    lift: FloatArray,
    source: IntArray,
    by_map: FloatArray,
    by_noise: FloatArray,
    by_speed: FloatArray,
    by_lift: FloatArray,
) -> None:
    """Adjoint of `gap_maps`: adds to `by_speed` (C,) and `by_lift` (K, C).

    `by_map` and `by_noise` are (C, C + K).
    """
    streams, states = lift.shape
    size = states + streams
    by_powers = np.zeros(maps.powers.shape)
    for c in range(states):
        for i in range(size):
            by_powers[STEPS, c, i] = by_map[c, i]
    for s in range(STEPS + 1):
        spike, rate = _at(s, maps.powers, lift, source)
        squared = spike * spike
        share = _simpson(s)
        by_squared = np.zeros((states, streams))
        _add_right(by_noise, rate, by_squared)
        by_rate = np.zeros((streams, size))
        _add_left(squared, by_noise, by_rate)
        by_rate *= share
        for c in range(states):
            for d in range(states):
                if source[d] >= 0:
                    slope = 2.0 * share * spike[c, source[d]] * by_squared[c, source[d]]
                    by_powers[STEPS - s, c, d] += slope
        _add_right(by_rate, maps.powers[s, :states], by_lift)
        _add_left(lift, by_rate, by_powers[s, :states])

    halvings = maps.squares.shape[0] - 1
    by_square = np.zeros((size, size))
    for s in range(STEPS, 0, -1):
        _add_right(by_powers[s], maps.powers[s - 1], by_square)
        _add_left(maps.squares[halvings], by_powers[s], by_powers[s - 1])
    for h in range(halvings - 1, -1, -1):
        earlier = np.zeros((size, size))
        _add_right(by_square, maps.squares[h], earlier)
        _add_left(maps.squares[h], by_square, earlier)
        by_square = earlier
    length = 1.0 / STEPS / 2.0**halvings
    by_generator = np.zeros((size, size))
    for k in range(1, TERMS + 1):
        by_square /= k
        _add_right(by_square, maps.nested[k], by_generator)
        inner = np.zeros((size, size))
        _add_left(maps.generator, by_square, inner)
        by_square = inner * length
    for c in range(states):
        by_speed[c] -= by_generator[c, c] * length
        if source[c] >= 0:
            for d in range(states):
                by_lift[source[c], d] += by_generator[c, d] * length


@njit(cache=True, nogil=True, error_model="numpy")
def settle(maps: GapMaps, rate: FloatArray, mean: FloatArray, variance: FloatArray) -> None:
    """Means and variances that a day without watch leaves as they are.

    At the rates of row 0 of `rate` (D, K); written to row 0 of `mean` and `variance`.
    """
    states = maps.noise.shape[0]
    streams = rate.shape[1]
    one = np.zeros((states, 1))
    system = np.zeros((states, states))
    for c in range(states):
        for i in range(states):
            system[c, i] = (1.0 if c == i else 0.0) - maps.powers[STEPS, c, i]
        for k in range(streams):
            one[c, 0] += maps.powers[STEPS, c, states + k] * rate[0, k]
    solve(system, one)
    two = np.zeros((states, 1))
    for c in range(states):
        for i in range(states):
            system[c, i] = (1.0 if c == i else 0.0) - maps.powers[STEPS, c, i] ** 2
            two[c, 0] += maps.noise[c, i] * one[i, 0]
        for k in range(streams):
            two[c, 0] += maps.noise[c, states + k] * rate[0, k]
    solve(system, two)
    for c in range(states):
        mean[0, c] = one[c, 0]
        variance[0, c] = two[c, 0]


@njit(cache=True, nogil=True, error_model="numpy")
def settle_back(
    maps: GapMaps,
    rate: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    by_mean: FloatArray,
    by_variance: FloatArray,
    by_rate: FloatArray,
    by_map: FloatArray,
    by_noise: FloatArray,
) -> None:
    """Adjoint of `settle`: adds to row 0 of `by_rate` and to the maps (C, C + K)."""
    states = maps.noise.shape[0]
    streams = rate.shape[1]
    second = np.zeros((states, 1))
    first = np.zeros((states, 1))
    system = np.zeros((states, states))
    for c in range(states):
        second[c, 0] = by_variance[c]
        first[c, 0] = by_mean[c]
        for i in range(states):
            system[c, i] = (1.0 if c == i else 0.0) - maps.powers[STEPS, i, c] ** 2
    solve(system, second)
    for c in range(states):
        for i in range(states):
            by_noise[c, i] += second[c, 0] * mean[0, i]
            by_map[c, i] += 2.0 * maps.powers[STEPS, c, i] * second[c, 0] * variance[0, i]
            first[i, 0] += maps.noise[c, i] * second[c, 0]
            system[c, i] = (1.0 if c == i else 0.0) - maps.powers[STEPS, i, c]
        for k in range(streams):
            by_noise[c, states + k] += second[c, 0] * rate[0, k]
            by_rate[0, k] += maps.noise[c, states + k] * second[c, 0]
    solve(system, first)
    for c in range(states):
        for i in range(states):
            by_map[c, i] += first[c, 0] * mean[0, i]
        for k in range(streams):
            by_map[c, states + k] += first[c, 0] * rate[0, k]
            by_rate[0, k] += maps.powers[STEPS, c, states + k] * first[c, 0]


@njit(cache=True, nogil=True, error_model="numpy")
def tamed(reach: FloatArray) -> tuple[float, FloatArray]:
    """Factor that brings the spectral radius of R (K, K) below one, with its slope by R.

    It is one up to a radius of 0.95 and bends smoothly from there, as `slack` does.
    """
    streams = reach.shape[0]
    slope = np.zeros((streams, streams))
    rows = 0.0
    columns = 0.0
    for k in range(streams):
        out = 0.0
        into = 0.0
        for j in range(streams):
            into += reach[k, j]
            out += reach[j, k]
        rows = max(rows, into)
        columns = max(columns, out)
    if min(rows, columns) <= 1.0 - SLACK:
        return 1.0, slope
    right = np.ones(streams)
    left = np.ones(streams)
    for _ in range(2000):
        # The shift keeps a periodic R from making the iteration go round.
        new_right = rows * right
        new_left = rows * left
        for k in range(streams):
            for j in range(streams):
                new_right[k] += reach[k, j] * right[j]
                new_left[j] += reach[k, j] * left[k]
        sum_right = 0.0
        sum_left = 0.0
        for k in range(streams):
            sum_right += new_right[k]
            sum_left += new_left[k]
        for k in range(streams):
            right[k] = new_right[k] / sum_right
            left[k] = new_left[k] / sum_left
    radius = 0.0
    both = 0.0
    for k in range(streams):
        for j in range(streams):
            radius += left[k] * reach[k, j] * right[j]
        both += left[k] * right[k]
    radius /= both
    if not radius > 1.0 - SLACK:
        return 1.0, slope
    gap, gap_slope = slack(radius)
    factor = (1.0 - gap) / radius
    by_radius = (-gap_slope - factor) / radius
    for k in range(streams):
        for j in range(streams):
            slope[k, j] = by_radius * left[k] * right[j] / both
    return factor, slope
