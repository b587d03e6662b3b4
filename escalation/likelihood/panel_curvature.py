"""Second derivatives of a panel's log-likelihood by the effects of each unit."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import HIGHEST, LOWEST, add_scaled, assign, dot, lane_sum
from escalation.likelihood.exponential import logarithm
from escalation.likelihood.panel import offspring_of, shared_rates, unit_effects, unit_rates
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: A dispersion below this is taken as this: the law is then the Poisson law to twelve digits.
FAINT = 1e-12


@njit(cache=True, nogil=True, error_model="numpy")
def bent_row(
    y: FloatArray,
    mean: FloatArray,
    used: FloatArray,
    psi: float,
    slope: FloatArray,
    curve: FloatArray,
    cross: FloatArray,
    scratch: FloatArray,
) -> tuple[float, float, float]:
    r"""Negative binomial terms (but for what `rising` gives) with two derivatives.

    Parameters
    ----------
    y, mean, used : ndarray (n,)
    psi : float
        Zero: Poisson.
    slope, curve, cross : ndarray (n,)
        Filled: derivatives by the mean, twice by the mean, by mean and psi.
    scratch : ndarray (3, n)

    Returns
    -------
    value, by_psi, by_psi_twice : float
        Minus infinity where a mean is not one of counts.
    """
    bad = 0
    for i in range(y.size):
        bad += 0 if (mean[i] > LOWEST) & (mean[i] < HIGHEST) else 1
    if bad > 0:
        return -np.inf, 0.0, 0.0
    spread = max(psi, FAINT)
    inverse = 1.0 / spread
    at, by, twice = scratch[0], scratch[1], scratch[2]
    for i in range(y.size):
        m = mean[i]
        x = spread * m
        u = 1.0 + x
        both = 1.0 / (m * u)
        over = m * both
        part = m * over
        # The second part mends what the rounding of 1 + x has lost.
        log_u = logarithm(u) + (x - (u - 1.0)) * over
        gap = (y[i] - m) * both
        at[i] = used[i] * (y[i] * logarithm(m) - (y[i] + inverse) * log_u)
        by[i] = used[i] * ((log_u * inverse - part) * inverse - y[i] * part)
        twice[i] = used[i] * (
            y[i] * part * part - (2 * (log_u * inverse - part) * inverse - part * part) * inverse
        )
        slope[i] = used[i] * gap
        curve[i] = -used[i] * both * (1.0 + gap * (1.0 + 2.0 * x))
        cross[i] = -used[i] * gap * part
    return lane_sum(at), lane_sum(by), lane_sum(twice)


@njit(cache=True, nogil=True, error_model="numpy")
def add_stream(
    y: FloatArray,
    counted: FloatArray,
    watched: FloatArray,
    rate: FloatArray,
    past: FloatArray,
    row: FloatArray,
    psi: float,
    columns: FloatArray,
    slope: FloatArray,
    bend: FloatArray,
) -> float:
    """Log-likelihood of a stream, with derivatives by coefficients, row of R, and psi.

    Parameters
    ----------
    y, counted, watched, rate : ndarray (n,)
        Counts, 1 where in use, exposure, background.
    past : ndarray (S, n)
    row : ndarray (S,)
        Row of R.
    psi : float
        Zero: Poisson.
    columns : ndarray (Q, n)
        Design of the coefficients that are the unit's own.
    slope, bend : ndarray (Q + S + 1,), (Q + S + 1, Q + S + 1)
        Filled, of `bend` the lower triangle.
    """
    own, kinds, size = columns.shape[0], past.shape[0], y.size
    last = own + kinds
    change = np.empty((last, size))
    mean, by_mean, curve, cross = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    for i in range(size):
        mean[i] = watched[i] * rate[i]
    for p in range(own):
        for i in range(size):
            change[p, i] = mean[i] * columns[p, i]
    for j in range(kinds):
        for i in range(size):
            change[own + j, i] = watched[i] * past[j, i]
        add_scaled(mean, row[j], change[own + j])
    value: float
    value, by_psi, twice = bent_row(
        y, mean, counted, psi, by_mean, curve, cross, np.empty((3, size))
    )
    weighted = mean
    for a in range(last):
        slope[a] = dot(by_mean, change[a])
        for i in range(size):
            weighted[i] = curve[i] * change[a, i]
        for b in range(a + 1):
            bend[a, b] = dot(weighted, change[b])
        bend[last, a] = dot(cross, change[a])
    for a in range(own):
        for i in range(size):
            weighted[i] = by_mean[i] * change[a, i]
        for b in range(a + 1):
            bend[a, b] += dot(weighted, columns[b])
    slope[last] = by_psi
    bend[last, last] = twice
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def panel_curvature(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    used: FloatArray,
    scale: FloatArray,
    span: IntArray,
    exceed: FloatArray,
    constant: FloatArray,
    design: FloatArray,
    mean: IntArray,
    spread: IntArray,
    deviation: IntArray,
    shared: IntArray,
    effect: IntArray,
    first: IntArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log-likelihood of each unit, with first and second derivatives by its effects.

    The arguments are those of `escalation.likelihood.panel.panel`.

    Returns
    -------
    value : ndarray (U,)
        Without the factorials; minus infinity where it is undefined.
    slope : ndarray (U, m)
    bend : ndarray (U, m, m)
    """
    units, size = deviation.shape
    kinds = effect.shape[0]
    lags = values.shape[1]
    value, slope = np.zeros(units), np.zeros((units, size))
    bend = np.zeros((units, size, size))
    effects = unit_effects(theta, mean, spread, deviation)
    fine, common = shared_rates(theta, design, shared)
    if not fine:
        value[:] = -np.inf
        return value, slope, bend
    for u in range(units):
        begin, end = span[u, 0], span[u, 1]
        if end <= begin:
            continue
        matrix = offspring_of(effects[u, first[0] : first[0] + kinds * kinds], kinds)
        past = np.zeros((kinds, end - begin))
        for j in range(kinds):
            for lag in range(lags):
                if values[0, lag] != 0.0:
                    before = counts[u * kinds + j, begin - 1 - lag : end - 1 - lag]
                    add_scaled(past[j], values[0, lag], before)
        rate = np.empty(end - begin)
        for s in range(kinds):
            own = 0
            for p in range(effect.shape[1]):
                own += 1 if effect[s, p] >= 0 else 0
            places = np.empty(own, np.int64)
            columns = np.empty((own, end - begin))
            own = 0
            for p in range(effect.shape[1]):
                if effect[s, p] >= 0:
                    places[own] = effect[s, p]
                    assign(columns[own], design[p, begin:end])
                    own += 1
            k = u * kinds + s
            psi = np.exp(effects[u, first[1] + s]) if first[1] >= 0 else 0.0
            unit_rates(rate, effects[u], common[s, begin:end], design, begin, effect[s])
            by_local = np.zeros(own + kinds + 1)
            local = np.zeros((own + kinds + 1, own + kinds + 1))
            value[u] += add_stream(
                counts[k, begin:end], used[u, begin:end], scale[u, begin:end], rate, past,
                matrix[s], psi, columns, by_local, local,
            )  # fmt: skip
            if psi > 0.0:
                last = own + kinds
                for i in range(1, exceed.shape[1]):
                    if exceed[k, i] == 0.0:
                        break
                    share = i / (1.0 + i * psi)
                    value[u] += exceed[k, i] * np.log1p(i * psi)
                    by_local[last] += exceed[k, i] * share
                    local[last, last] -= exceed[k, i] * share * share
            _add_by_effects(s, matrix, psi, places, by_local, local, first, slope[u], bend[u])
        for a in range(size):
            for b in range(a):
                bend[u, b, a] = bend[u, a, b]
    return value, slope, bend


@njit(cache=True, nogil=True, error_model="numpy")
def _add_by_effects(  # type: ignore[no-untyped-def]
    s, matrix, psi, places, by_local, local, first, slope, bend
):
    """From derivatives by coefficients, row of R and psi to those by the effects, added in place.

    The lower triangle alone; `local` holds a lower triangle.
    """
    kinds, own = matrix.shape[0], places.size
    last, width = own + kinds, own + kinds * kinds + 1
    # Which effect each column of the Jacobian belongs to.
    where = np.full(width, -1)
    jacobian = np.zeros((last + 1, width))
    for p in range(own):
        where[p] = places[p]
        jacobian[p, p] = 1.0
    for j in range(kinds):
        for a in range(kinds):
            at = own + a * kinds + j
            where[at] = first[0] + a * kinds + j
            jacobian[own + j, at] = matrix[s, j] * ((1.0 if a == s else 0.0) - matrix[a, j])
    if psi > 0.0:
        where[width - 1] = first[1] + s
        jacobian[last, width - 1] = psi
    for a in range(width):
        if where[a] < 0:
            continue
        for i in range(last + 1):
            if jacobian[i, a] == 0.0:
                continue
            slope[where[a]] += by_local[i] * jacobian[i, a]
            for b in range(width):
                if where[b] < 0 or where[b] > where[a]:
                    continue
                for c in range(last + 1):
                    if jacobian[c, b] != 0.0:
                        both = local[i, c] if c <= i else local[c, i]
                        bend[where[a], where[b]] += both * jacobian[i, a] * jacobian[c, b]
    for j in range(kinds):
        for a in range(kinds):
            for b in range(a + 1):
                same = 1.0 if a == b else 0.0
                to_a = (1.0 if a == s else 0.0) - matrix[a, j]
                to_b = (1.0 if b == s else 0.0) - matrix[b, j]
                second = matrix[s, j] * (to_a * to_b - matrix[a, j] * (same - matrix[b, j]))
                row, column = first[0] + a * kinds + j, first[0] + b * kinds + j
                bend[row, column] += by_local[own + j] * second
    if psi > 0.0:
        at = first[1] + s
        bend[at, at] += by_local[last] * psi
