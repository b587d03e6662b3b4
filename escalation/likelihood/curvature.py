"""Value, gradient and exact second derivatives of the Hawkes likelihood, row by row, in one pass.

Beside the decayed sums and their ages the second moments of the ages are carried, so that the
Hessian costs one pass over the events instead of two for each parameter.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.likelihood.decayed_sums import BLOCK, dot, fill_block, gone_mass, total_of
from escalation.likelihood.hawkes_blocks import (
    IntArray,
    background_rates,
    block_features,
    block_rates,
    log_of_lanes,
    members,
)
from escalation.parameters import FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def _kernel_parts(  # type: ignore[no-untyped-def]
    k, theta, values, jacobians, curves, groups, place, group, allowed, where, moving, found, slope,
    bend,
):  # fmt: skip
    """Gradient by R and kernels, and the second derivatives that are no products of slopes.

    Parameters
    ----------
    found : ndarray (3, K E M)
        Derivative of the row's log-likelihood by R of each term, less its weight; and what the
        first and the second derivative by the rate add, less R and weight.
    slope : ndarray (F,)
    bend : ndarray (F, F)
        Added to.
    """
    streams, terms, eras, own = group.shape[0], values.shape[1] // 2, place.size, groups.shape[1]
    for j in range(streams):
        if not allowed[k, j]:
            continue
        g = group[k, j]
        for e in range(eras):
            at = place[e] + k * streams + j
            reach, here = theta[at], where[at]
            for m in range(terms):
                line = (j * eras + e) * terms + m
                w = values[g, m]
                first, second, third = found[0, line], found[1, line], found[2, line]
                slope[here] += w * first
                for q in range(own):
                    to = where[groups[g, q]]
                    by_weight, by_rate = jacobians[g, m, q], jacobians[g, terms + m, q]
                    mixed = first * by_weight
                    if moving:
                        mixed += w * second * by_rate
                    slope[to] += reach * mixed
                    bend[here, to] += mixed
                    bend[to, here] += mixed
                    for r in range(own):
                        other = where[groups[g, r]]
                        total = first * curves[g, m, q, r]
                        if moving:
                            weights, rates = jacobians[g, m, r], jacobians[g, terms + m, r]
                            total += second * (by_weight * rates + by_rate * weights)
                            total += w * third * by_rate * rates
                            total += w * second * curves[g, terms + m, q, r]
                        bend[to, other] += reach * total


@njit(cache=True, nogil=True, error_model="numpy")
def hawkes_curvature(
    theta: FloatArray,
    values: FloatArray,
    jacobians: FloatArray,
    curves: FloatArray,
    groups: IntArray,
    times: FloatArray,
    first: IntArray,
    cell: IntArray,
    era: IntArray,
    sizes: FloatArray,
    lengths: FloatArray,
    design: FloatArray,
    spans: FloatArray,
    column: IntArray,
    place: IntArray,
    group: IntArray,
    allowed: IntArray,
    mark_place: IntArray,
    vary: IntArray,
    targets: IntArray,
) -> tuple[FloatArray, IntArray, FloatArray, FloatArray, FloatArray]:
    r"""Log-likelihood of each receiving stream with its first and second derivatives.

    With :math:`s_i = \nabla\log\lambda(t_i)`, minus the Hessian is the sum of the outer products
    :math:`\sum_i s_i s_i'` less what the second derivatives of intensity and compensator add.
    Without marks; arguments as for `escalation.likelihood.hawkes.hawkes_exponential`.

    Parameters
    ----------
    jacobians : ndarray (G, 2 M, q)
        Derivatives of the kernels' values by their parameters.
    curves : ndarray (G, 2 M, q, q)
        Their second derivatives.
    groups : ndarray of int (G, q)
        Places of these parameters.

    Returns
    -------
    value : ndarray (r,)
        Minus infinity where an intensity is out of range; the rest of that row is then not valid.
    member : ndarray of int (r, F)
        Places in `theta` of the parameters of each row, -1 behind the last.
    slope : ndarray (r, F)
        Gradient.
    outer : ndarray (r, F, F)
        Sum of the outer products of the events' scores.
    bend : ndarray (r, F, F)
        The Hessian is `bend - outer`.
    """
    streams, terms, eras = column.shape[0], values.shape[1] // 2, place.size
    moving, apart = vary[0] > 0, vary[1] > 0
    columns, own = column.shape[1], groups.shape[1]
    most = columns + streams * eras + min(streams * own, groups.size)
    rows = targets.size
    value, slope = np.zeros(rows), np.zeros((rows, most))
    outer, bend = np.zeros((rows, most, most)), np.zeros((rows, most, most))
    member, where = np.empty((rows, most), np.int64), np.empty(theta.size, np.int64)
    rate = background_rates(theta, design, column)
    pull = np.empty(lengths.size)
    lines = streams * eras * terms
    state, pointer = np.empty((4, lines)), np.empty(streams, np.int64)
    sums = np.empty((lines, BLOCK))
    ages = np.empty((lines if moving else 1, BLOCK))
    squares = np.empty((lines if moving else 1, BLOCK))
    none, scratch = np.empty((1, BLOCK)), np.empty((4 + terms, BLOCK))
    nothing = np.empty(0)
    intensity, inverse = np.empty(BLOCK), np.empty(BLOCK)
    product, power = np.empty(BLOCK), np.empty(BLOCK, np.int64)
    found = np.empty((3, lines))
    gone, known = np.empty((streams, 4, eras, terms)), np.full(streams, -1)
    for r in range(rows):
        k = targets[r]
        local = members(
            k, column, place, group, allowed, groups, False, mark_place, where, member[r]
        )
        features = np.empty((local, BLOCK))
        inner = np.zeros((local, local))
        for d in range(lengths.size):
            value[r] -= rate[d, k] * lengths[d]
            pull[d] = -lengths[d]
        state[:] = 0.0
        found[:] = 0.0
        product[:] = 1.0
        power[:] = 0
        for j in range(streams):
            pointer[j] = first[j]
        scored = first[k] + np.searchsorted(times[first[k] : first[k + 1]], spans[0, 0])
        valid = True
        for start in range(first[k], first[k + 1], BLOCK):
            stop = min(start + BLOCK, first[k + 1])
            size = stop - start
            fill_block(
                k, start, stop, times, era, False, nothing, nothing, first, eras, values, group,
                allowed, 2 * int(moving), apart, state, pointer, sums, ages, squares, none,
                scratch,
            )  # fmt: skip
            if stop <= scored:
                continue
            valid = block_rates(
                k, start, size, scored, theta, values, rate, cell, place, group, allowed, sums,
                intensity, inverse, product, power,
            )  # fmt: skip
            if not valid:
                break
            if lengths.size == 1:
                pull[0] += total_of(inverse, size)
            else:
                for i in range(size):
                    pull[cell[start + i]] += inverse[i]
            for j in range(streams):
                if not allowed[k, j]:
                    continue
                for e in range(eras):
                    for m in range(terms):
                        line = (j * eras + e) * terms + m
                        b = values[group[k, j], terms + m]
                        hit = dot(inverse, sums[line], size)
                        found[0, line] += b * hit
                        if moving:
                            aged = dot(inverse, ages[line], size)
                            found[1, line] += hit - b * aged
                            if theta[place[e] + k * streams + j] != 0.0:
                                squared = dot(inverse, squares[line], size)
                                found[2, line] += b * squared - 2.0 * aged
            block_features(
                k, start, size, theta, values, jacobians, groups, rate, cell, design, column,
                place, group, allowed, False, mark_place, where, sums, ages, moving, none,
                inverse, features,
            )  # fmt: skip
            for a in range(local):
                for b_ in range(a + 1):
                    inner[a, b_] += dot(features[a], features[b_], size)
        if not valid:
            value[r] = -np.inf
            continue
        value[r] += log_of_lanes(product, power)
        for a in range(local):
            for b_ in range(a + 1):
                outer[r, a, b_] = outer[r, b_, a] = inner[a, b_]
        for j in range(streams):
            if not allowed[k, j]:
                continue
            g = group[k, j]
            if known[j] != g:
                gone_mass(
                    first[j], first[j + 1], times, era, False, nothing, nothing, spans,
                    values[g, terms:], gone[j],
                )  # fmt: skip
                known[j] = g
            for e in range(eras):
                reach = theta[place[e] + k * streams + j]
                for m in range(terms):
                    line = (j * eras + e) * terms + m
                    value[r] -= reach * values[g, m] * gone[j, 0, e, m]
                    found[0, line] -= gone[j, 0, e, m]
                    found[1, line] -= gone[j, 1, e, m]
                    found[2, line] -= gone[j, 3, e, m]
        _kernel_parts(
            k, theta, values, jacobians, curves, groups, place, group, allowed, where, moving,
            found, slope[r], bend[r],
        )  # fmt: skip
        for d in range(lengths.size):
            weight = pull[d] * rate[d, k]
            for p in range(columns):
                a = where[column[k, p]]
                slope[r, a] += weight * design[d, p]
                for p_ in range(columns):
                    bend[r, a, where[column[k, p_]]] += weight * design[d, p] * design[d, p_]
    return value, member, slope, outer, bend
