"""Log-likelihood and gradient of the multivariate Hawkes process with exponential mixtures.

The work is done row by row, a row being a receiving stream, and in blocks of its events.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.likelihood.decayed_sums import BLOCK, dot, fill_block, gone_mass, total_of
from escalation.likelihood.exponential import MANTISSA, ONE, _bits_of, _double_of, fade
from escalation.likelihood.hawkes_blocks import (
    IntArray,
    background_rates,
    block_rates,
    log_of_lanes,
    mark_weights,
)
from escalation.parameters import FloatArray

#: Events that are worked on together where one stream is by itself, with fewer arrays.
LINE = 128


@njit(cache=True, nogil=True, error_model="numpy")
def _one_line(times, level, factor, decay, lanes, product, power):  # type: ignore[no-untyped-def]
    """Score a stream by itself, with a constant background and one exponential, at one go.

    Parameters
    ----------
    times : ndarray (n,)
    level, factor, decay : float
        Background rate, what a unit of the decayed sum adds, and how it decays.
    lanes : ndarray (3, BLOCK)
        Added to, lane by lane: reciprocals of the intensities, times the sums, times the ages.
    product, power : ndarray (BLOCK,)
        Mantissas and exponents of the products of intensities.

    Returns
    -------
    bool
        False where an intensity is out of range.
    """
    gaps, fading = np.zeros(LINE), np.empty(LINE)
    sums, ages = np.empty(LINE), np.empty(LINE)
    ones, hits, olds = lanes[0], lanes[1], lanes[2]
    total, age = -1.0, 0.0
    wrong = 0
    for start in range(0, times.size, LINE):
        size = min(LINE, times.size - start)
        now = times[start : start + size]
        gaps[0] = now[0] - times[max(start - 1, 0)]
        for i in range(size - 1):
            gaps[i + 1] = now[i + 1] - now[i]
        for i in range(size):
            fading[i] = fade(-decay * gaps[i])
        for i in range(size):
            total = fading[i] * total + fading[i]
            age = fading[i] * age + gaps[i] * total
            sums[i] = total
            ages[i] = age
        for i in range(size):
            rate = level + factor * sums[i]
            wrong += 0 if (rate > 1e-250) & (rate < 1e15) else 1
            inverse = 1.0 / rate
            ones[i] += inverse
            hits[i] += sums[i] * inverse
            olds[i] += ages[i] * inverse
            bits = _bits_of(product[i] * rate)
            power[i] += (bits >> 52) - 1023
            product[i] = _double_of((bits & MANTISSA) | ONE)
    return wrong == 0


@njit(cache=True, nogil=True, error_model="numpy")
def hawkes_exponential(
    theta: FloatArray,
    values: FloatArray,
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
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the kernels' values.

    .. math:: \lambda_k(t) = \exp(x(t)'b_k)
              + \sum_j \sum_{t_i < t, \kappa_i = j} R^{e_i}_{kj} y_i
                \sum_m w^{kj}_m \beta^{kj}_m e^{-\beta^{kj}_m (t - t_i)}

    Events of different streams at the very same time do not set one another off; within a stream
    a tie is a delay rounded to zero, and each event is set off by those before it in the group,
    which is the usual convention. Cost O(n K E M).

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; those of the kernel are not read.
    values : ndarray (G, 2 M)
        Weights, then rates, of the exponentials of each kernel.
    times : ndarray (n,)
        Stream after stream, each sorted, from the start of the window.
    first : ndarray of int (K + 1,)
        Where each stream begins.
    cell : ndarray of int (n,)
        Row of `design` that holds at each event's time.
    era : ndarray of int (n,)
        Era of each event, 0 to E - 1; not read where there is one.
    sizes : ndarray (n,) or (0,)
        Marks on the scale that the effect is exponential in; empty for none.
    lengths : ndarray (D,)
        Watched length of each stretch of time over which the background is constant.
    design : ndarray (D, P)
    spans : ndarray (I, 2)
        The watched spans; events before the first are history, which sets off and is not scored.
    column : ndarray of int (K, P)
        Place in `theta` of each background coefficient.
    place : ndarray of int (E,)
        Place of R[0, 0] of each era.
    group : ndarray of int (K, K)
        Row of `values` for each pair [receiving, setting off].
    allowed : ndarray of int (K, K)
        0 where R is fixed at zero.
    mark_place : ndarray of int (K,)
        Place of each source's mark exponent.
    vary : ndarray of int (2,)
        First: 0 where the rates do not depend on the parameters, their gradient is left out.
        Second: 1 where events of one stream at the same time do not set one another off.
    targets : ndarray of int (r,)
        The receiving streams whose part of the sum is wanted.

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (G, 2 M)

    References
    ----------
    Ozaki (1979), Annals of the Institute of Statistical Mathematics 31; the recursion for the
    gradient follows by differentiation.
    """
    streams, terms, eras = column.shape[0], values.shape[1] // 2, place.size
    marked, moving, apart = sizes.size > 0, vary[0] > 0, vary[1] > 0
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    rate = background_rates(theta, design, column)
    pull = np.empty(lengths.size)
    weight, slope = mark_weights(theta, sizes, first, mark_place)
    lines = streams * eras * terms
    state = np.empty((4, lines))
    pointer = np.empty(streams, np.int64)
    sums = np.empty((lines, BLOCK))
    ages = np.empty((lines if moving else 1, BLOCK))
    marks = np.empty((lines if marked else 1, BLOCK))
    none = np.empty((1, BLOCK))
    scratch = np.empty((4 + terms, BLOCK))
    intensity = np.empty(BLOCK)
    inverse = np.empty(BLOCK)
    gone = np.empty((4, eras, terms))
    product, power = np.ones(BLOCK), np.zeros(BLOCK, np.int64)
    value = 0.0
    lanes = np.zeros((3, BLOCK))
    simple = lines == 1 and lengths.size == 1 and not marked and not apart and allowed[0, 0] > 0
    simple = simple and moving and (times.size == 0 or times[0] >= spans[0, 0])
    for k in targets:
        for d in range(lengths.size):
            value -= rate[d, k] * lengths[d]
            pull[d] = -lengths[d]
        state[:] = 0.0
        for j in range(streams):
            pointer[j] = first[j]
        scored = first[k] + np.searchsorted(times[first[k] : first[k + 1]], spans[0, 0])
        for start in range(first[k], first[k] if simple else first[k + 1], BLOCK):
            stop = min(start + BLOCK, first[k + 1])
            size = stop - start
            fill_block(
                k, start, stop, times, era, marked, weight, slope, first, eras, values, group,
                allowed, int(moving), apart, state, pointer, sums, ages, none, marks, scratch,
            )  # fmt: skip
            if stop <= scored:
                continue
            if not block_rates(
                k, start, size, scored, theta, values, rate, cell, place, group, allowed, sums,
                intensity, inverse, product, power,
            ):  # fmt: skip
                return -np.inf, np.zeros(theta.size), np.zeros(values.shape)
            if lengths.size == 1:
                pull[0] += total_of(inverse, size)
            else:
                for i in range(size):
                    pull[cell[start + i]] += inverse[i]
            for j in range(streams):
                if not allowed[k, j]:
                    continue
                g = group[k, j]
                for e in range(eras):
                    at, line = place[e] + k * streams + j, (j * eras + e) * terms
                    reach = theta[at]
                    for m in range(terms):
                        w, b = values[g, m], values[g, terms + m]
                        hit = dot(inverse, sums[line + m], size)
                        by_theta[at] += w * b * hit
                        by_values[g, m] += reach * b * hit
                        if moving:
                            aged = dot(inverse, ages[line + m], size)
                            by_values[g, terms + m] += reach * w * (hit - b * aged)
                        if marked:
                            by_theta[mark_place[j]] += (
                                reach * w * b * dot(inverse, marks[line + m], size)
                            )
        if simple:
            reach, w, b = theta[place[0]], values[0, 0], values[0, 1]
            if not _one_line(times, rate[0, 0], reach * w * b, b, lanes, product, power):
                return -np.inf, np.zeros(theta.size), np.zeros(values.shape)
            hit = total_of(lanes[1], BLOCK)
            pull[0] += total_of(lanes[0], BLOCK)
            by_theta[place[0]] += w * b * hit
            by_values[0, 0] += reach * b * hit
            by_values[0, 1] += reach * w * (hit - b * total_of(lanes[2], BLOCK))
        for j in range(streams):
            if not allowed[k, j]:
                continue
            g = group[k, j]
            rates = values[g, terms:]
            gone_mass(first[j], first[j + 1], times, era, marked, weight, slope, spans, rates, gone)
            for e in range(eras):
                at = place[e] + k * streams + j
                for m in range(terms):
                    value -= theta[at] * values[g, m] * gone[0, e, m]
                    by_theta[at] -= values[g, m] * gone[0, e, m]
                    by_values[g, m] -= theta[at] * gone[0, e, m]
                    by_values[g, terms + m] -= theta[at] * values[g, m] * gone[1, e, m]
                    if marked:
                        by_theta[mark_place[j]] -= theta[at] * values[g, m] * gone[2, e, m]
        for d in range(lengths.size):
            for p in range(column.shape[1]):
                by_theta[column[k, p]] += pull[d] * rate[d, k] * design[d, p]
    return value + log_of_lanes(product, power), by_theta, by_values
