"""Blocks of events of a receiving stream: intensities, and the slopes of their logarithms.

The likelihood, its scores and its curvature are made of these parts.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.decayed_sums import BLOCK
from escalation.likelihood.exponential import MANTISSA, ONE, _bits_of, _double_of

IntArray = NDArray[np.int64]

LOG2 = 0.6931471805599453


@njit(cache=True, nogil=True, error_model="numpy")
def log_of_lanes(product, power):  # type: ignore[no-untyped-def]
    """Logarithm of the product of all lanes, from their mantissas and exponents.

    Parameters
    ----------
    product : ndarray (BLOCK,)
        From 1 up to 2; overwritten.
    power : ndarray of int (BLOCK,)
    """
    width = BLOCK
    while width > 8:
        width //= 2
        for i in range(width):
            product[i] *= product[width + i]
    value, exponents = 0.0, 0
    for i in range(width):
        value += np.log(product[i])
    for i in range(BLOCK):
        exponents += power[i]
    return value + exponents * LOG2


@njit(cache=True, nogil=True, error_model="numpy")
def mark_weights(theta, sizes, first, mark_place):  # type: ignore[no-untyped-def]
    """Effect of each event relative to the mean of its stream, and its slope by the exponent.

    Parameters
    ----------
    theta : ndarray (p,)
    sizes : ndarray (n,) or (0,)
        Marks, or their log(1 + m), stream after stream; the effect is exp(exponent * size) divided
        by its mean over the stream. Empty: every effect is one.
    first : ndarray of int (K + 1,)
    mark_place : ndarray of int (K,)
        Place in `theta` of each stream's exponent.

    Returns
    -------
    weight, slope : ndarray (n,) or (0,)
    """
    weight = np.empty(sizes.size)
    slope = np.empty(sizes.size)
    if sizes.size == 0:
        return weight, slope
    for j in range(first.size - 1):
        begin, end = first[j], first[j + 1]
        exponent = theta[mark_place[j]]
        highest = 0.0
        for i in range(begin, end):
            highest = max(highest, exponent * sizes[i])
        total, moment = 0.0, 0.0
        for i in range(begin, end):
            weight[i] = np.exp(exponent * sizes[i] - highest)
            total += weight[i]
            moment += weight[i] * sizes[i]
        for i in range(begin, end):
            slope[i] = (end - begin) * weight[i] / total * (sizes[i] - moment / total)
            weight[i] *= (end - begin) / total
    return weight, slope


@njit(cache=True, nogil=True, error_model="numpy")
def background_rates(theta, design, column):  # type: ignore[no-untyped-def]
    """Rates (D, K) of each cell and stream."""
    cells, columns = design.shape
    streams = column.shape[0]
    out = np.empty((cells, streams))
    for k in range(streams):
        for d in range(cells):
            exponent = 0.0
            for p in range(columns):
                exponent += design[d, p] * theta[column[k, p]]
            out[d, k] = np.exp(min(exponent, 500.0))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def block_rates(  # type: ignore[no-untyped-def]
    k, start, size, scored, theta, values, rate, cell, place, group, allowed, sums, intensity,
    inverse, product, power,
):  # fmt: skip
    """Intensities of a block and their reciprocals; false where one is out of range."""
    streams, terms, eras = group.shape[0], values.shape[1] // 2, place.size
    if rate.shape[0] == 1:
        for i in range(size):
            intensity[i] = rate[0, k]
    else:
        for i in range(size):
            intensity[i] = rate[cell[start + i], k]
    for j in range(streams):
        for e in range(eras):
            reach = theta[place[e] + k * streams + j]
            if not allowed[k, j] or reach == 0.0:
                continue
            g, line = group[k, j], (j * eras + e) * terms
            for m in range(terms):
                factor = reach * values[g, m] * values[g, terms + m]
                row = sums[line + m]
                for i in range(size):
                    intensity[i] += factor * row[i]
    early = max(scored - start, 0)
    for i in range(early):
        intensity[i] = 1.0
    # A count of what is out of range vectorises, a smallest and a largest do not. Mantissas are
    # multiplied and exponents added, so that one logarithm a lane is left at the end.
    wrong = 0
    for i in range(size):
        here_rate = intensity[i]
        wrong += 0 if (here_rate > 1e-250) & (here_rate < 1e15) else 1
        inverse[i] = 1.0 / here_rate
        bits = _bits_of(product[i] * here_rate)
        power[i] += (bits >> 52) - 1023
        product[i] = _double_of((bits & MANTISSA) | ONE)
    for i in range(early):
        inverse[i] = 0.0
    return wrong == 0


@njit(cache=True, nogil=True, error_model="numpy")
def members(  # type: ignore[no-untyped-def]
    k, column, place, group, allowed, groups, marked, mark_place, where, member
):
    """List the parameters of row k: background, R of each source and era, marks, kernels.

    Parameters
    ----------
    where : ndarray of int (p,)
        Filled: place of each parameter in the list, -1 if it is not in it.
    member : ndarray of int (F,)
        Filled: the list, -1 behind its end.

    Returns
    -------
    int
        Length of the list.
    """
    streams = column.shape[0]
    where[:] = -1
    member[:] = -1
    local = 0
    for p in range(column.shape[1]):
        if where[column[k, p]] < 0:
            where[column[k, p]] = local
            member[local] = column[k, p]
            local += 1
    for j in range(streams):
        if not allowed[k, j]:
            continue
        for e in range(place.size):
            at = place[e] + k * streams + j
            where[at] = local
            member[local] = at
            local += 1
        if marked and where[mark_place[j]] < 0:
            where[mark_place[j]] = local
            member[local] = mark_place[j]
            local += 1
        for q in range(groups.shape[1]):
            at = groups[group[k, j], q]
            if where[at] < 0:
                where[at] = local
                member[local] = at
                local += 1
    return local


@njit(cache=True, nogil=True, error_model="numpy")
def block_features(  # type: ignore[no-untyped-def]
    k, start, size, theta, values, jacobians, groups, rate, cell, design, column, place, group,
    allowed, marked, mark_place, where, sums, ages, moving, marks, inverse, features,
):  # fmt: skip
    """Slopes of the log-intensities of a block by the parameters of row k."""
    streams, terms, eras = group.shape[0], values.shape[1] // 2, place.size
    columns, own = column.shape[1], groups.shape[1]
    features[:, :] = 0.0
    if rate.shape[0] == 1 and columns == 1:
        feature, level = features[where[column[k, 0]]], rate[0, k] * design[0, 0]
        for i in range(size):
            feature[i] = level
    else:
        for i in range(size):
            d = cell[start + i]
            for p in range(columns):
                features[where[column[k, p]], i] += rate[d, k] * design[d, p]
    for j in range(streams):
        if not allowed[k, j]:
            continue
        g = group[k, j]
        for e in range(eras):
            at, line = place[e] + k * streams + j, (j * eras + e) * terms
            reach = theta[at]
            effect = features[where[at]]
            for m in range(terms):
                w, b = values[g, m], values[g, terms + m]
                row = sums[line + m]
                for i in range(size):
                    effect[i] += w * b * row[i]
                if reach == 0.0:
                    continue
                for q in range(own):
                    by_weight = reach * b * jacobians[g, m, q]
                    by_rate = reach * w * jacobians[g, terms + m, q]
                    feature = features[where[groups[g, q]]]
                    if by_weight != 0.0:
                        for i in range(size):
                            feature[i] += by_weight * row[i]
                    if moving and by_rate != 0.0:
                        aged = ages[line + m]
                        for i in range(size):
                            feature[i] += by_rate * (row[i] - b * aged[i])
    for a in range(features.shape[0]):
        feature = features[a]
        for i in range(size):
            feature[i] *= inverse[i]
