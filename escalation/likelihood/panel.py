"""Log-likelihood and gradient of a panel of units that do not act on each other."""

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
    lane_sum,
    poisson_row,
)
from escalation.likelihood.count_terms import rising
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def unit_effects(
    theta: FloatArray, mean: IntArray, spread: IntArray, deviation: IntArray
) -> FloatArray:
    """Effects (U, m) of the units: mean + spread × deviation.

    Parameters
    ----------
    theta : ndarray (p,)
    mean, spread : ndarray of int (m,)
        Places in `theta`; -1: a mean of zero, a spread of one.
    deviation : ndarray of int (U, m)
        Places in `theta`; -1: no deviation.
    """
    units, size = deviation.shape
    out = np.zeros((units, size))
    for u in range(units):
        for i in range(size):
            at = deviation[u, i]
            if at >= 0:
                out[u, i] = theta[at] * (theta[spread[i]] if spread[i] >= 0 else 1.0)
            if mean[i] >= 0:
                out[u, i] += theta[mean[i]]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def offspring_of(logits: FloatArray, kinds: int) -> FloatArray:
    r"""Reproduction matrix (S, S) of logits (S * S,), target first.

    .. math:: R_{sj} = \frac{e^{x_{sj}}}{1 + \sum_a e^{x_{aj}}}

    so that all direct offspring of an incident are fewer than one.
    """
    out = np.empty((kinds, kinds))
    for j in range(kinds):
        highest = 0.0
        for s in range(kinds):
            highest = max(highest, logits[s * kinds + j])
        total = np.exp(-highest)
        for s in range(kinds):
            out[s, j] = np.exp(logits[s * kinds + j] - highest)
            total += out[s, j]
        for s in range(kinds):
            out[s, j] /= total
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def shared_rates(
    theta: FloatArray, design: FloatArray, shared: IntArray
) -> tuple[bool, FloatArray]:
    """Factors (S, T) of the background that all units have, and whether none overflows.

    Parameters
    ----------
    theta : ndarray (p,)
    design : ndarray (P, T)
    shared : ndarray of int (S, P)
        Places in `theta` of the coefficients; -1 where each unit has its own.
    """
    out = np.zeros((shared.shape[0], design.shape[1]))
    fine = True
    for s in range(shared.shape[0]):
        for p in range(design.shape[0]):
            if shared[s, p] >= 0:
                add_scaled(out[s], theta[shared[s, p]], design[p])
        fine = exponentials(out[s]) and fine
    return fine, out


@njit(cache=True, nogil=True, error_model="numpy")
def unit_rates(
    out: FloatArray,
    own: FloatArray,
    common: FloatArray,
    design: FloatArray,
    begin: int,
    effect: IntArray,
) -> None:
    """Background rates (n,) of one stream of one unit from a period on, written to `out`.

    Parameters
    ----------
    own : ndarray (m,)
        Effects of the unit.
    common : ndarray (n,)
        Factors that all units have.
    design : ndarray (P, T)
    effect : ndarray of int (P,)
        Which effect is the coefficient of each column; -1: none.
    """
    end = begin + out.size
    out[:] = 0.0
    moving = False
    for p in range(1, effect.size):
        if effect[p] >= 0:
            moving = True
            add_scaled(out, own[effect[p]], design[p, begin:end])
    level = np.exp(own[effect[0]])
    if moving:
        exponentials(out)
        for i in range(out.size):
            out[i] *= level * common[i]
    else:
        for i in range(out.size):
            out[i] = level * common[i]


@njit(cache=True, nogil=True, error_model="numpy")
def panel(
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
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the lag weights.

    For stream s of unit u, with the effects of the unit in the coefficients c, in R and in psi,

    .. math:: \mu_{ts} = e_{tu}\Big\{\exp(x_t'(\beta_s + c_{us})) + \sum_j R_{u,sj} \sum_l w_l\,
              y_{t-l,uj}\Big\}, \quad y_{ts} \sim \mathrm{NB}(\mu_{ts}, \mathrm{var} = \mu_{ts}
              (1 + \psi_{us}\mu_{ts}))

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; those of the kernel are not read.
    values : ndarray (1, L)
        Lag weights.
    counts : ndarray (U * S, T)
        Streams of the first unit, of the second, ...
    used, scale : ndarray (U, T)
        1 where the period of the unit is in the likelihood (never one of its first L), else 0;
        its exposure, any positive number where it is not used.
    span : ndarray of int (U, 2)
        First period in use, and the one after the last.
    exceed, constant : ndarray (U * S, M), (1,)
        Of `escalation.likelihood.count_terms.count_tables`, of the periods in use.
    design : ndarray (P, T)
    mean, spread, deviation
        Of `unit_effects`.
    shared, effect : ndarray of int (S, P)
        Of `shared_rates` and `unit_rates`.
    first : ndarray of int (2,)
        Which effects are the first logit of R, and the first log-dispersion (-1: Poisson).

    Returns
    -------
    value : float
        Constants (the factorials) included.
    by_theta : ndarray (p,)
    by_values : ndarray (1, L)
    """
    units, size = deviation.shape
    kinds, columns = effect.shape
    lags = values.shape[1]
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, lags))
    nothing = np.zeros(theta.size), np.zeros((1, lags))
    effects = unit_effects(theta, mean, spread, deviation)
    by_effects = np.zeros((units, size))
    fine, common = shared_rates(theta, design, shared)
    if not fine:
        return -np.inf, nothing[0], nothing[1]
    by_common = np.zeros(common.shape)
    dispersed = first[1] >= 0
    value = constant[0]
    psi, by_psi = np.zeros(units * kinds), np.zeros(units * kinds)
    if dispersed:
        for u in range(units):
            for s in range(kinds):
                psi[u * kinds + s] = np.exp(effects[u, first[1] + s])
        risen, by_psi = rising(exceed, psi, np.arange(units * kinds))
        value += risen
    length = -1
    for u in range(units):
        begin, end = span[u, 0], span[u, 1]
        if end <= begin:
            continue
        if end - begin != length:
            length = end - begin
            past, back = np.empty((kinds, length)), np.empty((kinds, length))
            endemic, expected, slope = np.empty(length), np.empty(length), np.empty(length)
            scratch = np.empty((2, length))
        matrix = offspring_of(effects[u, first[0] : first[0] + kinds * kinds], kinds)
        by_matrix = np.zeros((kinds, kinds))
        watched, counted = scale[u, begin:end], used[u, begin:end]
        past[:] = 0.0
        back[:] = 0.0
        for j in range(kinds):
            for lag in range(lags):
                if values[0, lag] != 0.0:
                    before = counts[u * kinds + j, begin - 1 - lag : end - 1 - lag]
                    add_scaled(past[j], values[0, lag], before)
        for s in range(kinds):
            k = u * kinds + s
            unit_rates(endemic, effects[u], common[s, begin:end], design, begin, effect[s])
            assign(expected, endemic)
            for j in range(kinds):
                add_scaled(expected, matrix[s, j], past[j])
            for i in range(length):
                expected[i] *= watched[i]
            y = counts[k, begin:end]
            if dispersed:
                term, change = dispersed_row(y, expected, counted, psi[k], slope, scratch)
                by_effects[u, first[1] + s] = psi[k] * (change + by_psi[k])
            else:
                term = poisson_row(y, expected, counted, slope, scratch[0])
            value += term
            if not value > -np.inf:
                return -np.inf, nothing[0], nothing[1]
            for i in range(length):
                slope[i] *= watched[i]
                endemic[i] *= slope[i]
            by_effects[u, effect[s, 0]] = lane_sum(endemic)
            for p in range(1, columns):
                if effect[s, p] >= 0:
                    by_effects[u, effect[s, p]] = dot(endemic, design[p, begin:end])
            add_scaled(by_common[s, begin:end], 1.0, endemic)
            for j in range(kinds):
                by_matrix[s, j] = dot(slope, past[j])
                add_scaled(back[j], matrix[s, j], slope)
        for j in range(kinds):
            whole = 0.0
            for s in range(kinds):
                whole += by_matrix[s, j] * matrix[s, j]
            for s in range(kinds):
                by_effects[u, first[0] + s * kinds + j] = matrix[s, j] * (by_matrix[s, j] - whole)
            for lag in range(lags):
                before = counts[u * kinds + j, begin - 1 - lag : end - 1 - lag]
                by_values[0, lag] += dot(back[j], before)
    for s in range(kinds):
        for p in range(columns):
            if shared[s, p] >= 0:
                by_theta[shared[s, p]] += dot(by_common[s], design[p])
    for u in range(units):
        for i in range(size):
            slope_of = by_effects[u, i]
            if mean[i] >= 0:
                by_theta[mean[i]] += slope_of
            at = deviation[u, i]
            if at >= 0:
                if spread[i] >= 0:
                    by_theta[spread[i]] += slope_of * theta[at]
                    slope_of *= theta[spread[i]]
                by_theta[at] += slope_of
    return value, by_theta, by_values
