"""A chain of ordered phases: its matrix, its stationary law, and passes along the periods."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.likelihood.count_sums import dot
from escalation.parameters import FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def transitions(theta: FloatArray, stay: int, up: int, jump: int, phases: int) -> FloatArray:
    r"""Transition matrix (S, S) of ordered phases.

    A phase is kept with its probability to stay. Else the chain moves up with the phase's
    probability to go up (1 in the lowest, 0 in the highest phase), and passes over each phase on
    its way with a probability to jump it.

    Parameters
    ----------
    theta : ndarray (p,)
    stay, up, jump : int
        Places in `theta` of the first stay (S), up (S - 2) and jump (S, S - 2: from, over); -1
        for jump: no phase is passed over.
    phases : int
        S.
    """
    out = np.zeros((phases, phases))
    for s in range(phases):
        out[s, s] = theta[stay + s]
        for way in (1, -1):
            mass = (1.0 - theta[stay + s]) * _share(theta, up, s, way, phases)
            end = phases - 1 if way > 0 else 0
            r = s
            while r != end:
                r += way
                over = _over(theta, jump, s, r, phases)
                out[s, r] = mass * (1.0 - over)
                mass *= over
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _share(theta: FloatArray, up: int, s: int, way: int, phases: int) -> float:
    """Probability that a move from phase s goes this way."""
    higher = 1.0 if s == 0 else (0.0 if s == phases - 1 else theta[up + s - 1])
    return higher if way > 0 else 1.0 - higher


@njit(cache=True, nogil=True, error_model="numpy")
def _over(theta: FloatArray, jump: int, s: int, r: int, phases: int) -> float:
    """Probability that a move from phase s that has come to phase r passes over it."""
    if jump < 0 or r == 0 or r == phases - 1:
        return 0.0
    out: float = theta[jump + s * (phases - 2) + r - 1]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def chain_back(
    theta: FloatArray,
    stay: int,
    up: int,
    jump: int,
    matrix: FloatArray,
    by_matrix: FloatArray,
    by_theta: FloatArray,
) -> None:
    """Add the slopes by the parameters of `transitions`, given those by its entries (S, S)."""
    phases = len(matrix)
    for s in range(phases):
        leave = 1.0 - theta[stay + s]
        worth = np.zeros(2)
        for side in range(2):
            way = 1 - 2 * side
            end = phases - 1 if way > 0 else 0
            if s == end:
                continue
            worth[side] = by_matrix[s, end]
            r = end - way
            while r != s:
                over = _over(theta, jump, s, r, phases)
                if jump >= 0:
                    come = leave * _share(theta, up, s, way, phases)
                    q = s + way
                    while q != r:
                        come *= _over(theta, jump, s, q, phases)
                        q += way
                    at = jump + s * (phases - 2) + r - 1
                    by_theta[at] += come * (worth[side] - by_matrix[s, r])
                worth[side] = by_matrix[s, r] * (1.0 - over) + over * worth[side]
                r -= way
        higher = _share(theta, up, s, 1, phases)
        if 0 < s < phases - 1:
            by_theta[up + s - 1] += leave * (worth[0] - worth[1])
        by_theta[stay + s] += by_matrix[s, s] - higher * worth[0] - (1.0 - higher) * worth[1]


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solution of a small linear system, by elimination with row exchanges."""
    size = len(right)
    a, x = matrix.copy(), right.copy()
    for i in range(size):
        pivot = i
        for r in range(i + 1, size):
            if abs(a[r, i]) > abs(a[pivot, i]):
                pivot = r
        for c in range(size):
            a[i, c], a[pivot, c] = a[pivot, c], a[i, c]
        x[i], x[pivot] = x[pivot], x[i]
        for r in range(i + 1, size):
            factor = a[r, i] / a[i, i]
            for c in range(i, size):
                a[r, c] -= factor * a[i, c]
            x[r] -= factor * x[i]
    for i in range(size - 1, -1, -1):
        for c in range(i + 1, size):
            x[i] -= a[i, c] * x[c]
        x[i] /= a[i, i]
    return x


@njit(cache=True, nogil=True, error_model="numpy")
def _bordered(matrix: FloatArray) -> FloatArray:
    """I - P + 1: its transpose times the stationary law is a vector of ones."""
    phases = len(matrix)
    out = 1.0 - matrix
    for s in range(phases):
        out[s, s] += 1.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def stationary(matrix: FloatArray) -> FloatArray:
    """Stationary law (S,) of a transition matrix (S, S)."""
    out: FloatArray = _solve(_bordered(matrix).T.copy(), np.ones(len(matrix)))
    total = 0.0
    for s in range(len(out)):
        out[s] = max(out[s], 0.0)
        total += out[s]
    for s in range(len(out)):
        out[s] /= total
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def both_ways(
    begin: FloatArray, matrix: FloatArray, seen: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The forward and the backward pass, side by side: neither waits for the other.

    Parameters
    ----------
    begin : ndarray (S,)
        Law of the first phase.
    matrix : ndarray (S, S)
    seen : ndarray (S, T)
        Probability of what was seen in each period, by phase.

    Returns
    -------
    ahead : ndarray (S, T)
        Filtered probabilities.
    later : ndarray (S, T)
        Proportional to the probability of all later periods, by phase.
    scale : ndarray (T,)
        Probability of each period given those before.
    """
    phases, periods = seen.shape
    ahead = np.empty((phases, periods))
    later = np.empty((phases, periods))
    scale = np.empty(periods)
    come, gone = begin.copy(), np.ones(phases)
    here, there = np.empty(phases), np.empty(phases)
    for t in range(periods):
        r = periods - 1 - t
        total = 0.0
        other = 0.0
        for s in range(phases):
            here[s] = come[s] * seen[s, t]
            total += here[s]
            later[s, r] = gone[s]
            there[s] = gone[s] * seen[s, r]
            other += there[s]
        scale[t] = total
        # Divided after the products, which then need not wait for the division.
        inverse = 1.0 / total
        inverse_other = 1.0 / other
        for s in range(phases):
            ahead[s, t] = here[s] * inverse
            forth = 0.0
            back = 0.0
            for q in range(phases):
                forth += here[q] * matrix[q, s]
                back += there[q] * matrix[s, q]
            come[s] = forth * inverse
            gone[s] = back * inverse_other
    return ahead, later, scale


@njit(cache=True, nogil=True, error_model="numpy")
def smoothed_slopes(
    begin: FloatArray,
    matrix: FloatArray,
    seen: FloatArray,
    ahead: FloatArray,
    later: FloatArray,
    scale: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Smoothed probabilities (S, T), and the slopes (S, S) of the log-likelihood by the matrix.

    The slopes count the first phase's law as the stationary one, which moves with the matrix:
    that law times I - P + 1 is a row of ones, hence its change is the law times the change of P
    times that matrix' inverse.

    Parameters
    ----------
    begin, matrix, seen
        As `both_ways` takes them.
    ahead, later, scale
        As it gives them; `later` is overwritten.
    """
    phases, periods = seen.shape
    weight = np.empty((phases, periods))
    total = np.zeros(periods)
    for s in range(phases):
        for t in range(periods):
            weight[s, t] = ahead[s, t] * later[s, t]
            total[t] += weight[s, t]
    for t in range(periods):
        total[t] = 1.0 / total[t]
    by_matrix = np.zeros((phases, phases))
    first = np.empty(phases)
    for b in range(phases):
        for t in range(periods):
            weight[b, t] *= total[t]
            later[b, t] *= seen[b, t] * total[t] / scale[t]
        first[b] = later[b, 0]
        for a in range(phases):
            by_matrix[a, b] = dot(ahead[a, : periods - 1], later[b, 1:])
    moved = _solve(_bordered(matrix), first)
    for a in range(phases):
        for b in range(phases):
            by_matrix[a, b] += begin[a] * moved[b]
    return weight, by_matrix
