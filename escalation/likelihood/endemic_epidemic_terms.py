"""Log-likelihood and gradient of the endemic-epidemic model with predictors in every component."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import (
    add_scaled,
    assign,
    dispersed_row,
    dot,
    exponentials,
    lag_slopes,
    lagged_sums,
    poisson_row,
)
from escalation.likelihood.count_terms import rising
from escalation.likelihood.neighbour_weights import neighbour_weights
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Entries of `place`; from HEAD on come the places of the dispersions.
MATRIX, ERAS, DISPERSED, SHOCK, NEIGHBOURS, KIND, LONGEST, NORMALISED = range(8)
OWN, CROSS, WEIGHTS, NUMBER, HEAD = range(8, 13)


@njit(cache=True, nogil=True, error_model="numpy")
def _predict(
    theta: FloatArray,
    offset: FloatArray,
    design: FloatArray,
    column: IntArray,
    multiplier: IntArray,
    first: int,
    last: int,
    out: FloatArray,
) -> bool:
    """Exponential of one stream's predictor in one component; false where it would overflow."""
    assign(out, offset)
    for p in range(first, last):
        factor = theta[column[p]]
        if multiplier[p] >= 0:
            factor *= theta[multiplier[p]]
        if factor != 0.0:
            add_scaled(out, factor, design[p])
    ok: bool = exponentials(out)
    return ok


@njit(cache=True, nogil=True, error_model="numpy")
def _predict_back(
    theta: FloatArray,
    slope: FloatArray,
    design: FloatArray,
    column: IntArray,
    multiplier: IntArray,
    first: int,
    last: int,
    by_theta: FloatArray,
) -> None:
    """Add the slopes by one component's coefficients, given those by its predictor."""
    for p in range(first, last):
        change = dot(slope, design[p])
        if multiplier[p] >= 0:
            by_theta[column[p]] += change * theta[multiplier[p]]
            by_theta[multiplier[p]] += change * theta[column[p]]
        else:
            by_theta[column[p]] += change


@njit(cache=True, nogil=True, error_model="numpy")
def _reach(
    matrix: FloatArray,
    spans: IntArray,
    past: FloatArray,
    k: int,
    own: FloatArray,
    cross: FloatArray,
) -> None:
    """What stream k's own past and the others' bring, before their predictors."""
    own[:] = 0.0
    cross[:] = 0.0
    for e in range(matrix.shape[0]):
        a, b = spans[e], spans[e + 1]
        for j in range(past.shape[0]):
            if matrix[e, k, j] != 0.0:
                into = own if j == k else cross
                add_scaled(into[a:b], matrix[e, k, j], past[j, a:b])


@njit(cache=True, nogil=True, error_model="numpy")
def _reach_back(
    matrix: FloatArray,
    spans: IntArray,
    past: FloatArray,
    k: int,
    own: FloatArray,
    cross: FloatArray,
    by_matrix: FloatArray,
    back: FloatArray,
) -> None:
    """Slopes by the entries of R and by the past, given those by the two parts of the mean."""
    for e in range(matrix.shape[0]):
        a, b = spans[e], spans[e + 1]
        for j in range(past.shape[0]):
            part = own if j == k else cross
            by_matrix[e, k, j] += dot(part[a:b], past[j, a:b])
            if matrix[e, k, j] != 0.0:
                add_scaled(back[j, a:b], matrix[e, k, j], part[a:b])


@njit(cache=True, nogil=True, error_model="numpy")
def forward(
    theta: FloatArray,
    weights: FloatArray,
    counts: FloatArray,
    scale: FloatArray,
    offset: FloatArray,
    design: FloatArray,
    begins: IntArray,
    column: IntArray,
    multiplier: IntArray,
    bounds: IntArray,
    order: FloatArray,
    place: IntArray,
) -> tuple[bool, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, IntArray]:
    """Means (K, T - L) and what they are made of.

    Returns
    -------
    ok : bool
        False where a predictor would overflow.
    mean : ndarray (K, T - L)
    past : ndarray (K, T - L)
        Lag-weighted counts.
    parts : ndarray (3, K, T - L)
        Background, and the factors of the own and the cross component.
    reach : ndarray (2, K, T - L)
        What own past and that of others bring before those factors.
    matrix : ndarray (E, K, K)
    changes : ndarray (q, K, K)
        Slopes of the neighbours' weights.
    spans : ndarray of int (E + 1,)
        First period of each era, counted from L.
    """
    streams, periods = counts.shape
    lags = weights.size
    size = periods - lags
    inner = theta[place[WEIGHTS] : place[WEIGHTS] + place[NUMBER]]
    near, changes = neighbour_weights(
        inner, order, place[KIND], place[LONGEST], place[NORMALISED] > 0
    )
    eras = place[ERAS]
    matrix = np.zeros((eras, streams, streams))
    spans = np.empty(eras + 1, np.int64)
    for e in range(eras + 1):
        spans[e] = min(max(begins[e] - lags, 0), size)
    for e in range(eras):
        for k in range(streams):
            for j in range(streams):
                if place[NEIGHBOURS] == 0:
                    matrix[e, k, j] = theta[place[MATRIX] + (e * streams + k) * streams + j]
                else:
                    matrix[e, k, j] = 1.0 if k == j else near[k, j]
    past = np.zeros((streams, size))
    lagged_sums(weights, counts, past)
    parts = np.ones((3, streams, size))
    reach = np.empty((2, streams, size))
    mean = np.empty((streams, size))
    ok = True
    for k in range(streams):
        _reach(matrix, spans, past, k, reach[0, k], reach[1, k])
        for c in range(3):
            if c == 0 or place[OWN + c - 1] > 0:
                ok &= _predict(
                    theta, offset[c, k, lags:], design[k, :, lags:], column[k], multiplier[k],
                    bounds[c], bounds[c + 1], parts[c, k],
                )  # fmt: skip
        for i in range(size):
            mean[k, i] = scale[lags + i] * (
                parts[0, k, i] + parts[1, k, i] * reach[0, k, i] + parts[2, k, i] * reach[1, k, i]
            )
    return ok, mean, past, parts, reach, matrix, changes, spans


@njit(cache=True, nogil=True, error_model="numpy")
def backward(
    theta: FloatArray,
    slope: FloatArray,
    counts: FloatArray,
    scale: FloatArray,
    design: FloatArray,
    column: IntArray,
    multiplier: IntArray,
    bounds: IntArray,
    place: IntArray,
    past: FloatArray,
    parts: FloatArray,
    reach: FloatArray,
    matrix: FloatArray,
    changes: FloatArray,
    spans: IntArray,
    by_theta: FloatArray,
    by_weights: FloatArray,
) -> None:
    """Add the slopes by the parameters and by the lag weights, given those by the means.

    `slope` and `parts` are overwritten; the others are those of `forward`.
    """
    streams, size = slope.shape
    lags = by_weights.size
    by_matrix = np.zeros(matrix.shape)
    back = np.zeros((streams, size))
    down = np.empty(size)
    for k in range(streams):
        for i in range(size):
            slope[k, i] *= scale[lags + i]
        for c in range(3):
            if c == 0 or place[OWN + c - 1] > 0:
                for i in range(size):
                    down[i] = slope[k, i] * parts[c, k, i]
                    if c > 0:
                        down[i] *= reach[c - 1, k, i]
                _predict_back(
                    theta, down, design[k, :, lags:], column[k], multiplier[k], bounds[c],
                    bounds[c + 1], by_theta,
                )  # fmt: skip
        for i in range(size):
            parts[1, k, i] *= slope[k, i]
            parts[2, k, i] *= slope[k, i]
        _reach_back(matrix, spans, past, k, parts[1, k], parts[2, k], by_matrix, back)
    lag_slopes(back, counts, by_weights)
    if place[NEIGHBOURS] == 0:
        flat = by_matrix.ravel()
        for i in range(flat.size):
            by_theta[place[MATRIX] + i] += flat[i]
        return
    for q in range(place[NUMBER]):
        for k in range(streams):
            for j in range(streams):
                if k != j:
                    by_theta[place[WEIGHTS] + q] += by_matrix[0, k, j] * changes[q, k, j]


@njit(cache=True, nogil=True, error_model="numpy")
def endemic_epidemic_terms(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    used: FloatArray,
    scale: FloatArray,
    exceed: FloatArray,
    constant: FloatArray,
    offset: FloatArray,
    design: FloatArray,
    begins: IntArray,
    column: IntArray,
    multiplier: IntArray,
    bounds: IntArray,
    order: FloatArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the lag weights.

    .. math:: \mu_{tk} = e_t\Big\{e^{\eta^B_{tk}} + e^{\eta^O_{tk}} M_{kk} z_{tk}
              + e^{\eta^C_{tk}} \sum_{j \ne k} M_{kj} z_{tj}\Big\}, \qquad
              z_{tj} = \sum_l w_l y_{t-l,j}

    with M the reproduction matrix of the period's era, or ones on the diagonal and the neighbours'
    weights off it.

    Parameters
    ----------
    theta : ndarray (p,)
    values : ndarray (1, L)
        Lag weights.
    counts : ndarray (K, T)
    used, scale : ndarray (T,)
        As `endemic_epidemic` takes them.
    exceed, constant : ndarray (K + 1, M), (1,)
        Of `count_tables`; the last row is that of the streams' sum.
    offset : ndarray (3, K, T)
        Of the background, the own and the cross component.
    design : ndarray (K, P, T)
    begins : ndarray of int (E + 1,)
        First period of each era, and T.
    column, multiplier : ndarray of int (K, P)
        Place in `theta` of each coefficient, and of what it is multiplied by (-1: nothing).
    bounds : ndarray of int (4,)
        First column of each component, and P.
    order : ndarray (K, K)
        Of the neighbours.
    place : ndarray of int (13 + K,)
        By the names above: place of R, number of eras, number of dispersions, place of the
        shock's variance, whether neighbours have weights, their kind, the highest order, whether
        they are normalised, whether own and cross have a predictor, place and number of the
        weights' parameters; then the place of each stream's dispersion.

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (1, L)
    """
    streams, periods = counts.shape
    lags = values.shape[1]
    size = periods - lags
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, lags))
    ok, mean, past, parts, reach, matrix, changes, spans = forward(
        theta, values[0], counts, scale, offset, design, begins, column, multiplier, bounds,
        order, place,
    )  # fmt: skip
    value = constant[0] if ok else -np.inf
    slope = np.empty((streams, size))
    scratch = np.empty((2, size))
    dispersed = place[DISPERSED] > 0
    places = place[HEAD : HEAD + streams]
    if dispersed:
        risen, by_psi = rising(exceed[:streams], theta, places)
        value += risen
        for k in range(streams):
            by_theta[places[k]] += by_psi[k]
    for k in range(streams):
        y = counts[k, lags:]
        if dispersed:
            psi = theta[places[k]]
            term, change = dispersed_row(y, mean[k], used[lags:], psi, slope[k], scratch)
            by_theta[places[k]] += change
        else:
            term = poisson_row(y, mean[k], used[lags:], slope[k], scratch[0])
        value += term
    if not value > -np.inf:
        return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
    backward(
        theta, slope, counts, scale, design, column, multiplier, bounds, place, past, parts,
        reach, matrix, changes, spans, by_theta, by_values[0],
    )  # fmt: skip
    return value, by_theta, by_values
