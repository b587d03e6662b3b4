"""A chain of ordered phases: its matrix, its stationary law, and passes along the periods."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.likelihood.count_sums import assign, dot
from escalation.parameters import FloatArray

#: Most phases.
FEW = 4
#: Below this the probabilities of a pass are brought back to a sum of one.
FAINT = 1e-8


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
    size = right.size
    a, x = np.empty((size, size)), np.empty(size)
    assign(x, right)
    for i in range(size):
        assign(a[i], matrix[i])
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
def _bordered(matrix: FloatArray, turned: bool) -> FloatArray:
    """I - P + 1, or its transpose, which times the stationary law is a vector of ones."""
    phases = matrix.shape[0]
    out = np.empty((phases, phases))
    for s in range(phases):
        for q in range(phases):
            out[s, q] = (2.0 if s == q else 1.0) - (matrix[q, s] if turned else matrix[s, q])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def stationary(matrix: FloatArray) -> FloatArray:
    """Stationary law (S,) of a transition matrix (S, S)."""
    phases = matrix.shape[0]
    ones = np.empty(phases)
    for s in range(phases):
        ones[s] = 1.0
    out: FloatArray = _solve(_bordered(matrix, True), ones)
    total = 0.0
    for s in range(phases):
        out[s] = out[s] if out[s] > 0.0 else 0.0
        total += out[s]
    for s in range(phases):
        out[s] /= total
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _both_ways(
    begin: FloatArray,
    matrix: FloatArray,
    seen: FloatArray,
    ahead: FloatArray,
    later: FloatArray,
    whole: FloatArray,
    scale: FloatArray,
) -> None:
    """Fill what `both_ways` gives for four phases: all that goes on stays in registers."""
    m00, m01, m02, m03 = matrix[0, 0], matrix[0, 1], matrix[0, 2], matrix[0, 3]
    m10, m11, m12, m13 = matrix[1, 0], matrix[1, 1], matrix[1, 2], matrix[1, 3]
    m20, m21, m22, m23 = matrix[2, 0], matrix[2, 1], matrix[2, 2], matrix[2, 3]
    m30, m31, m32, m33 = matrix[3, 0], matrix[3, 1], matrix[3, 2], matrix[3, 3]
    a0, a1, a2, a3 = begin[0], begin[1], begin[2], begin[3]
    b0, b1, b2, b3 = 1.0, 1.0, 1.0, 1.0
    before = 1.0
    for t in range(scale.size):
        r = scale.size - 1 - t
        a0, a1, a2, a3 = a0 * seen[0, t], a1 * seen[1, t], a2 * seen[2, t], a3 * seen[3, t]
        later[0, r], later[1, r], later[2, r], later[3, r] = b0, b1, b2, b3
        b0, b1, b2, b3 = b0 * seen[0, r], b1 * seen[1, r], b2 * seen[2, r], b3 * seen[3, r]
        ahead[0, t], ahead[1, t], ahead[2, t], ahead[3, t] = a0, a1, a2, a3
        total, other = (a0 + a1) + (a2 + a3), (b0 + b1) + (b2 + b3)
        whole[t] = total
        scale[t] = total / before
        before = total
        # No probability of a period exceeds one, so that these can only become too small.
        if total < FAINT:
            forth = 1.0 / total
            a0, a1, a2, a3 = a0 * forth, a1 * forth, a2 * forth, a3 * forth
            before = 1.0
        if other < FAINT:
            back = 1.0 / other
            b0, b1, b2, b3 = b0 * back, b1 * back, b2 * back, b3 * back
        a0, a1, a2, a3 = (
            (a0 * m00 + a1 * m10) + (a2 * m20 + a3 * m30),
            (a0 * m01 + a1 * m11) + (a2 * m21 + a3 * m31),
            (a0 * m02 + a1 * m12) + (a2 * m22 + a3 * m32),
            (a0 * m03 + a1 * m13) + (a2 * m23 + a3 * m33),
        )
        b0, b1, b2, b3 = (
            (b0 * m00 + b1 * m01) + (b2 * m02 + b3 * m03),
            (b0 * m10 + b1 * m11) + (b2 * m12 + b3 * m13),
            (b0 * m20 + b1 * m21) + (b2 * m22 + b3 * m23),
            (b0 * m30 + b1 * m31) + (b2 * m32 + b3 * m33),
        )


@njit(cache=True, nogil=True, error_model="numpy")
def both_ways(
    begin: FloatArray, matrix: FloatArray, seen: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The forward and the backward pass, side by side: neither waits for the other.

    At most four phases: fewer are taken as four, of which the last are never met.

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
    ahead, later = np.empty((FEW, periods)), np.empty((FEW, periods))
    whole, scale = np.empty(periods), np.empty(periods)
    first, moves, there = np.zeros(FEW), np.zeros((FEW, FEW)), np.zeros((FEW, periods))
    for s in range(phases):
        first[s] = begin[s]
        assign(there[s], seen[s])
        for q in range(phases):
            moves[s, q] = matrix[s, q]
    _both_ways(first, moves, there, ahead, later, whole, scale)
    for t in range(periods):
        whole[t] = 1.0 / whole[t]
    for s in range(phases):
        for t in range(periods):
            ahead[s, t] *= whole[t]
    return ahead[:phases], later[:phases], scale


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
    ratio = np.empty(periods)
    for t in range(periods):
        total[t] = 1.0 / total[t]
        ratio[t] = total[t] / scale[t]
    by_matrix = np.zeros((phases, phases))
    first = np.empty(phases)
    for b in range(phases):
        for t in range(periods):
            weight[b, t] *= total[t]
            later[b, t] *= seen[b, t] * ratio[t]
        first[b] = later[b, 0]
        for a in range(phases):
            by_matrix[a, b] = dot(ahead[a, : periods - 1], later[b, 1:])
    moved = _solve(_bordered(matrix, False), first)
    for a in range(phases):
        for b in range(phases):
            by_matrix[a, b] += begin[a] * moved[b]
    return weight, by_matrix
