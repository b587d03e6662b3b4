"""Compiled steps of Newton's method within bounds; apart, so that engines are listed without it."""

from __future__ import annotations

import numpy as np
from numba import njit

#: Smallest pivot of a scaled information that counts as positive definite.
PIVOT = 1e-9
#: What is added to a scaled information that is not positive definite, in turn.
SHIFTS = (0.1, 0.5)
#: Longest step of an entry.
REACH = 2.0
#: Curvature and slope below these are taken as none: the entry stays.
FLAT, LEVEL = 1e-6, 1e-6


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"}, error_model="numpy")
def _dot(a, b, size):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(size):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_inner(  # type: ignore[no-untyped-def]
    matrix, pull, index, size, damping, half, scale, solved, out
):
    """Solve for the entries of `index` by Cholesky's method; false if not positive definite.

    Parameters
    ----------
    matrix : ndarray (F, F)
    pull : ndarray (F,)
    index : ndarray of int (F,)
        Entries that are solved for, `size` of them.
    damping : float
        Added to the diagonal of the scaled matrix.
    half, scale, solved : ndarray (F, F), (F,), (F,)
        Work space.
    out : ndarray (F,)
        Written at the entries of `index`.
    """
    for a in range(size):
        scale[a] = 1.0 / np.sqrt(max(abs(matrix[index[a], index[a]]), 1e-10))
    for a in range(size):
        i = index[a]
        for b in range(a):
            entry = matrix[i, index[b]] * scale[a] * scale[b]
            half[a, b] = (entry - _dot(half[a], half[b], b)) / half[b, b]
        entry = matrix[i, i] * scale[a] * scale[a] + damping
        pivot = entry - _dot(half[a], half[a], a)
        if not pivot > PIVOT:
            return False
        half[a, a] = np.sqrt(pivot)
    for a in range(size):
        entry = pull[index[a]] * scale[a]
        solved[a] = (entry - _dot(half[a], solved, a)) / half[a, a]
    for a in range(size - 1, -1, -1):
        solved[a] /= half[a, a]
        for b in range(a):
            solved[b] -= half[a, b] * solved[a]
        out[index[a]] = solved[a] * scale[a]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _cut_step(  # type: ignore[no-untyped-def]
    matrix, gradient, here, zero, held, free, damping, step, spaces
):
    """Newton step with the entries that may sit on zero kept there, or let go of.

    Parameters
    ----------
    matrix : ndarray (F, F)
    gradient, here : ndarray (F,)
    zero, held, free : ndarray of bool (F,)
        Entries bounded by zero; those on a bound now; those that move at all. `held` is changed.
    damping : float
    step : ndarray (F,)
        Filled.
    spaces : tuple
        Work space of `_solve_inner`, then ndarray of int (F,) and ndarray (F,).

    Returns
    -------
    bool
        False where the matrix is not positive definite off the bounds.
    """
    half, scale, solved, index, pull = spaces
    size = gradient.size
    for _ in range(12):
        inner = 0
        for i in range(size):
            step[i] = 0.0
            if held[i]:
                step[i] = -here[i] if zero[i] else 0.0
            elif free[i]:
                index[inner] = i
                inner += 1
        for i in range(size):
            pull[i] = gradient[i]
            for j in range(size):
                if held[j] and step[j] != 0.0:
                    pull[i] -= matrix[i, j] * step[j]
        if not _solve_inner(matrix, pull, index, inner, damping, half, scale, solved, step):
            return False
        low = False
        for a in range(inner):
            i = index[a]
            if zero[i] and here[i] + step[i] < 0.0:
                held[i] = low = True
        if low:
            continue
        let_go = False
        for i in range(size):
            if held[i] and zero[i]:
                slope = gradient[i] - _dot(matrix[i], step, size)
                if slope > 1e-9:
                    held[i] = False
                    let_go = True
        if not let_go:
            break
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def newton_steps(  # type: ignore[no-untyped-def]
    which, x, gradient, outer, observed, place, lower, upper, zero, damping, step, rise, steepest
):
    """Steps of the parts `which`, what they promise, and the steepest slopes off the bounds.

    Parameters
    ----------
    step : ndarray (P, F)
        Filled.
    rise, steepest : ndarray (P,)
        Filled.
    """
    size = gradient.shape[1]
    half, scale, solved = np.empty((size, size)), np.empty(size), np.empty(size)
    index, pull = np.empty(size, np.int64), np.empty(size)
    spaces = (half, scale, solved, index, pull)
    held, begun, free = np.empty(size, np.bool_), np.empty(size, np.bool_), np.empty(size, np.bool_)
    bounded, here = np.zeros(size, np.bool_), np.zeros(size)
    for r in which:
        steepest[r] = 0.0
        for i in range(size):
            at = place[r, i]
            free[i], begun[i], bounded[i], here[i] = at >= 0, False, False, 0.0
            if at < 0:
                continue
            slope, here[i], bounded[i] = gradient[r, i], x[at], zero[at]
            low = x[at] <= lower[at] + 1e-10 and slope <= 0.0
            high = x[at] >= upper[at] - 1e-10 and slope >= 0.0
            begun[i] = low or high
            if not begun[i]:
                steepest[r] = max(steepest[r], abs(slope))
                if abs(slope) < LEVEL and abs(observed[r, i, i]) < FLAT:
                    free[i] = False
        held[:] = begun
        found = _cut_step(
            observed[r], gradient[r], here, bounded, held, free, damping[r], step[r], spaces
        )
        for shift in SHIFTS:
            if found:
                break
            held[:] = begun
            found = _cut_step(
                observed[r], gradient[r], here, bounded, held, free, max(damping[r], shift),
                step[r], spaces,
            )  # fmt: skip
        if not found:
            held[:] = begun
            found = _cut_step(
                outer[r], gradient[r], here, bounded, held, free, max(damping[r], 1e-6), step[r],
                spaces,
            )  # fmt: skip
        if not found:
            step[r] = 0.0
            rise[r] = 1.0
            continue
        rise[r] = 0.0
        for i in range(size):
            least = -here[i] if bounded[i] else -REACH
            step[r, i] = min(max(step[r, i], least), REACH)
            rise[r] += step[r, i] * gradient[r, i]


@njit(cache=True, nogil=True, error_model="numpy")
def joined(  # type: ignore[no-untyped-def]
    size, place, gradient, outer, observed
):
    """Sums (size,), (size, size) and (size, size) of the derivatives of parts that share entries.

    Arguments after the first are those of `Parts`.
    """
    slope = np.zeros(size)
    products, minus = np.zeros((size, size)), np.zeros((size, size))
    for r in range(place.shape[0]):
        for a in range(place.shape[1]):
            i = place[r, a]
            if i < 0:
                continue
            slope[i] += gradient[r, a]
            for b in range(place.shape[1]):
                j = place[r, b]
                if j >= 0:
                    products[i, j] += outer[r, a, b]
                    minus[i, j] += observed[r, a, b]
    return slope, products, minus
