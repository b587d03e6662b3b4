"""Latent log-rates of the periods, and their slopes carried back to the innovations."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import add_scaled, assign, dot, lane_sum
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]
#: Kinds of process.
WALK, AUTOREGRESSION, SMOOTH = 0, 1, 2


@njit(cache=True, nogil=True, error_model="numpy")
def amplitude(frequency: float, length: float) -> tuple[float, float]:
    """Square root of the Matérn 3/2 spectral density, and the slope of its log by the length."""
    inside = 3.0 / length**2 + frequency**2
    value = np.sqrt(12.0 * np.sqrt(3.0) / length**3) / inside
    return value, -1.5 / length + 6.0 / (length**3 * inside)


@njit(cache=True, nogil=True, error_model="numpy")
def add_waves(out: FloatArray, factor: FloatArray, basis: FloatArray) -> None:
    """Add multiples (K, M) of the waves (M, T) to vectors (K, T), four waves at a time."""
    fours = factor.shape[1] // 4 * 4
    for m in range(0, fours, 4):
        a, b, c, d = basis[m], basis[m + 1], basis[m + 2], basis[m + 3]
        for k in range(out.shape[0]):
            own = out[k]
            p, q, r, s = factor[k, m], factor[k, m + 1], factor[k, m + 2], factor[k, m + 3]
            for i in range(own.size):
                own[i] += (p * a[i] + q * b[i]) + (r * c[i] + s * d[i])
    for m in range(fours, factor.shape[1]):
        for k in range(out.shape[0]):
            add_scaled(out[k], factor[k, m], basis[m])


# Sums alone may be taken in another order, the same one on every run.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def wave_products(values: FloatArray, basis: FloatArray, out: FloatArray) -> None:
    """Products (K, M) of vectors (K, T) with each wave (M, T), four waves at a time."""
    fours = out.shape[1] // 4 * 4
    for k in range(values.shape[0]):
        own = values[k]
        for m in range(0, fours, 4):
            a, b, c, d = basis[m], basis[m + 1], basis[m + 2], basis[m + 3]
            p = q = r = s = 0.0
            for i in range(own.size):
                p += own[i] * a[i]
                q += own[i] * b[i]
                r += own[i] * c[i]
                s += own[i] * d[i]
            out[k, m], out[k, m + 1], out[k, m + 2], out[k, m + 3] = p, q, r, s
        for m in range(fours, out.shape[1]):
            out[k, m] = dot(own, basis[m])


@njit(cache=True, nogil=True, error_model="numpy")
def unit_states(
    kind: int,
    moves: FloatArray,
    shape: float,
    first: IntArray,
    share: FloatArray,
    basis: FloatArray,
    frequency: FloatArray,
    out: FloatArray,
) -> None:
    """Paths in units of their scale, of steps or (for waves) of periods.

    Parameters
    ----------
    kind : int
    moves : ndarray (K, M)
        Innovations.
    shape : float
        Persistence or length.
    first : ndarray of int (S + 1,)
        First period of each step, and the number of periods.
    share : ndarray (S,)
        Share of the periods that fall into each step.
    basis, frequency : ndarray (M, T), (M,)
        Waves and their frequencies.
    out : ndarray (K, S) or (K, T)
    """
    streams, size = moves.shape
    if kind == SMOOTH:
        out[:] = 0.0
        height = np.empty(size)
        for m in range(size):
            height[m] = amplitude(frequency[m], shape)[0]
        add_waves(out, height * moves, basis)
        return
    fresh = np.sqrt(1.0 - shape**2)
    for k in range(streams):
        state = 0.0
        if kind == WALK:
            out[k, 0] = 0.0
            for b in range(1, out.shape[1]):
                state += moves[k, b - 1]
                out[k, b] = state
            centre = dot(out[k], share)
            for b in range(out.shape[1]):
                out[k, b] -= centre
        else:
            state = moves[k, 0]
            out[k, 0] = state
            for b in range(1, size):
                state = shape * state + fresh * moves[k, b]
                out[k, b] = state


@njit(cache=True, nogil=True, error_model="numpy")
def add_path(kind: int, states: FloatArray, scale: float, first: IntArray, out: FloatArray) -> None:
    """Add a stream's states, times their scale, to its log rates (T - L,) of the last periods."""
    if kind == SMOOTH:
        add_scaled(out, scale, states[states.size - out.size :])
        return
    skipped = first[-1] - out.size
    for b in range(states.size):
        level = scale * states[b]
        for i in range(max(first[b] - skipped, 0), first[b + 1] - skipped):
            out[i] += level


@njit(cache=True, nogil=True, error_model="numpy")
def states_slopes(kind: int, slopes: FloatArray, first: IntArray, out: FloatArray) -> None:
    """Slopes by a stream's states, from those by its log rates (T - L,) of the last periods."""
    out[:] = 0.0
    skipped = first[-1] - slopes.size
    if kind == SMOOTH:
        assign(out[skipped:], slopes)
        return
    for b in range(out.size):
        begin = max(first[b] - skipped, 0)
        if first[b + 1] - skipped > begin:
            out[b] = lane_sum(slopes[begin : first[b + 1] - skipped])


@njit(cache=True, nogil=True, error_model="numpy")
def moves_slopes(
    kind: int,
    moves: FloatArray,
    shape: float,
    scale: float,
    share: FloatArray,
    basis: FloatArray,
    frequency: FloatArray,
    states: FloatArray,
    back: FloatArray,
    out: FloatArray,
) -> tuple[float, float]:
    """Slopes by the innovations; those by the scale and the shape are returned.

    Parameters
    ----------
    kind, moves, shape, share, basis, frequency
        Of `unit_states`, whose result is `states`.
    scale : float
    back : ndarray (K, S) or (K, T)
        Slopes by the states times the scale; overwritten.
    out : ndarray (K, M)
    """
    streams, size = moves.shape
    by_scale = 0.0
    by_shape = 0.0
    for k in range(streams):
        by_scale += dot(back[k], states[k])
    if kind == SMOOTH:
        wave_products(back, basis, out)
        for m in range(size):
            height, bend = amplitude(frequency[m], shape)
            for k in range(streams):
                out[k, m] *= scale * height
                by_shape += out[k, m] * moves[k, m] * bend
        return by_scale, by_shape
    fresh = np.sqrt(1.0 - shape**2)
    for k in range(streams):
        later = 0.0
        if kind == WALK:
            total = lane_sum(back[k])
            for b in range(back.shape[1] - 1, 0, -1):
                later += back[k, b] - share[b] * total
                out[k, b - 1] = scale * later
        else:
            for b in range(size - 1, 0, -1):
                later = scale * back[k, b] + shape * later
                out[k, b] = fresh * later
                by_shape += later * (states[k, b - 1] - shape / fresh * moves[k, b])
            out[k, 0] = scale * back[k, 0] + shape * later
    return by_scale, by_shape
