"""The Hawkes likelihood where the rates of the exponentials are given: decayed sums are kept.

What costs time in `escalation.likelihood.hawkes` then depends on the data alone; an evaluation is
a few products an event and source.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.likelihood.decayed_sums import BLOCK, dot, fill_block, gone_mass, total_of
from escalation.likelihood.exponential import sum_of_logs
from escalation.likelihood.hawkes_blocks import (
    IntArray,
    background_rates,
)
from escalation.parameters import FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def held_sums(  # type: ignore[no-untyped-def]
    values: FloatArray,
    times: FloatArray,
    first: IntArray,
    era: IntArray,
    eras: int,
    spans: FloatArray,
    group: IntArray,
    allowed: IntArray,
    apart: bool,
):
    """Decayed sums at every event, and masses within the watch.

    Parameters
    ----------
    values : ndarray (G, 2 M)
        Only the rates are read.
    times, first, era, spans, group, allowed
        As in `escalation.likelihood.hawkes.hawkes_exponential`.
    eras : int
    apart : bool
        Whether events of one stream at the same time do not set one another off.

    Returns
    -------
    held : ndarray (K E M, n)
        For each event, of its own stream as the receiving one, by source, era and exponential.
    gone : ndarray (K, K, E, M)
        Mass of the exponentials within the watch, summed over the events of each source, for each
        receiving stream and source.
    """
    streams, terms = first.size - 1, values.shape[1] // 2
    lines = streams * eras * terms
    held = np.zeros((lines, times.size))
    gone = np.zeros((streams, streams, eras, terms))
    none = np.empty(0)
    sums, ages, marks = np.empty((lines, BLOCK)), np.empty((1, BLOCK)), np.empty((1, BLOCK))
    scratch = np.empty((4 + terms, BLOCK))
    mass = np.empty((4, eras, terms))
    state = np.empty((4, lines))
    pointer = np.empty(streams, np.int64)
    for k in range(streams):
        for line in range(lines):
            state[:, line] = 0.0
        for j in range(streams):
            pointer[j] = first[j]
        for start in range(first[k], first[k + 1], BLOCK):
            stop = min(start + BLOCK, first[k + 1])
            fill_block(
                k, start, stop, times, era, False, none, none, first, eras, values, group,
                allowed, 0, apart, state, pointer, sums, ages, ages, marks, scratch,
            )  # fmt: skip
            for j in range(streams):
                if allowed[k, j]:
                    for line in range(j * eras * terms, (j + 1) * eras * terms):
                        for i in range(stop - start):
                            held[line, start + i] = sums[line, i]
        for j in range(streams):
            rates = values[group[k, j], terms:]
            gone_mass(first[j], first[j + 1], times, era, False, none, none, spans, rates, mass)
            for e in range(eras):
                for m in range(terms):
                    gone[k, j, e, m] = mass[0, e, m]
    return held, gone


@njit(cache=True, nogil=True, error_model="numpy")
def hawkes_fixed_rates(
    theta: FloatArray,
    values: FloatArray,
    held: FloatArray,
    gone: FloatArray,
    first: IntArray,
    scored: IntArray,
    cell: IntArray,
    lengths: FloatArray,
    design: FloatArray,
    column: IntArray,
    place: IntArray,
    group: IntArray,
    allowed: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    """Log-likelihood with its gradients; those by the rates are left at zero.

    Parameters
    ----------
    theta, values, first, cell, lengths, design, column, place, group, allowed
        As in `escalation.likelihood.hawkes.hawkes_exponential`.
    held, gone
        From `held_sums`.
    scored : ndarray of int (K,)
        First event of each stream that is scored; those before it are history.

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (G, 2 M)
    """
    streams, terms, eras = column.shape[0], values.shape[1] // 2, place.size
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    rate = background_rates(theta, design, column)
    pull = np.empty(lengths.size)
    intensity, scratch = np.empty(BLOCK), np.empty(BLOCK)
    value = 0.0
    for k in range(streams):
        for d in range(lengths.size):
            value -= rate[d, k] * lengths[d]
            pull[d] = -lengths[d]
        for start in range(scored[k], first[k + 1], BLOCK):
            stop = min(start + BLOCK, first[k + 1])
            size = stop - start
            here = cell[start:stop]
            for i in range(size):
                intensity[i] = rate[here[i], k]
            for j in range(streams):
                g = group[k, j]
                for e in range(eras):
                    reach = theta[place[e] + k * streams + j]
                    if not allowed[k, j] or reach == 0.0:
                        continue
                    for m in range(terms):
                        factor = reach * values[g, m] * values[g, terms + m]
                        row = held[(j * eras + e) * terms + m][start:stop]
                        for i in range(size):
                            intensity[i] += factor * row[i]
            wrong = 0
            for i in range(size):
                wrong += 0 if (intensity[i] > 1e-250) & (intensity[i] < 1e15) else 1
            if wrong > 0:
                return -np.inf, np.zeros(theta.size), np.zeros(values.shape)
            value += sum_of_logs(intensity, scratch, size)
            for i in range(size):
                intensity[i] = 1.0 / intensity[i]
            if lengths.size == 1:
                pull[0] += total_of(intensity, size)
            else:
                for i in range(size):
                    pull[here[i]] += intensity[i]
            for j in range(streams):
                if not allowed[k, j]:
                    continue
                g = group[k, j]
                for e in range(eras):
                    at = place[e] + k * streams + j
                    for m in range(terms):
                        row = held[(j * eras + e) * terms + m][start:stop]
                        hit = values[g, terms + m] * dot(intensity, row, size)
                        by_theta[at] += values[g, m] * hit
                        by_values[g, m] += theta[at] * hit
        for j in range(streams):
            if not allowed[k, j]:
                continue
            g = group[k, j]
            for e in range(eras):
                at = place[e] + k * streams + j
                for m in range(terms):
                    mass = gone[k, j, e, m]
                    value -= theta[at] * values[g, m] * mass
                    by_theta[at] -= values[g, m] * mass
                    by_values[g, m] -= theta[at] * mass
        for d in range(lengths.size):
            for p in range(column.shape[1]):
                by_theta[column[k, p]] += pull[d] * rate[d, k] * design[d, p]
    return value, by_theta, by_values


@njit(cache=True, nogil=True, error_model="numpy")
def fixed_rates_scores(
    theta: FloatArray,
    values: FloatArray,
    jacobians: FloatArray,
    groups: IntArray,
    held: FloatArray,
    gone: FloatArray,
    first: IntArray,
    scored: IntArray,
    cell: IntArray,
    lengths: FloatArray,
    design: FloatArray,
    column: IntArray,
    place: IntArray,
    group: IntArray,
    allowed: IntArray,
) -> FloatArray:
    r"""Sum over events of the outer products of :math:`\nabla\log\lambda`, ndarray (p, p).

    As `escalation.likelihood.hawkes.hawkes_scores`; with one exponential and a constant background
    it is the observed information.
    """
    streams, terms, eras = column.shape[0], values.shape[1] // 2, place.size
    out = np.zeros((theta.size, theta.size))
    rate = background_rates(theta, design, column)
    own, columns = groups.shape[1], column.shape[1]
    where = np.empty(theta.size, np.int64)
    member = np.empty(theta.size, np.int64)
    features = np.empty((columns + streams * (eras + own), BLOCK))
    intensity = np.empty(BLOCK)
    for k in range(streams):
        local = 0
        for at in range(theta.size):
            where[at] = -1
        for p in range(columns):
            if where[column[k, p]] < 0:
                where[column[k, p]] = local
                member[local] = column[k, p]
                local += 1
        for j in range(streams):
            if not allowed[k, j]:
                continue
            for e in range(eras):
                where[place[e] + k * streams + j] = local
                member[local] = place[e] + k * streams + j
                local += 1
            for q in range(own):
                if where[groups[group[k, j], q]] < 0:
                    where[groups[group[k, j], q]] = local
                    member[local] = groups[group[k, j], q]
                    local += 1
        for start in range(scored[k], first[k + 1], BLOCK):
            stop = min(start + BLOCK, first[k + 1])
            size = stop - start
            for a in range(local):
                for i in range(size):
                    features[a, i] = 0.0
            for i in range(size):
                d = cell[start + i]
                intensity[i] = rate[d, k]
                for p in range(columns):
                    features[where[column[k, p]], i] += rate[d, k] * design[d, p]
            for j in range(streams):
                if not allowed[k, j]:
                    continue
                g = group[k, j]
                for e in range(eras):
                    at = place[e] + k * streams + j
                    effect = features[where[at]]
                    for m in range(terms):
                        row = held[(j * eras + e) * terms + m][start:stop]
                        b = values[g, terms + m]
                        for i in range(size):
                            effect[i] += values[g, m] * b * row[i]
                        for q in range(own):
                            feature = features[where[groups[g, q]]]
                            factor = theta[at] * b * jacobians[g, m, q]
                            for i in range(size):
                                feature[i] += factor * row[i]
                    for i in range(size):
                        intensity[i] += theta[at] * effect[i]
            for i in range(size):
                intensity[i] = 1.0 / intensity[i]
            for a in range(local):
                for i in range(size):
                    features[a, i] *= intensity[i]
            for a in range(local):
                for b_ in range(a + 1):
                    out[member[a], member[b_]] += dot(features[a], features[b_], size)
    for a in range(theta.size):
        for b_ in range(a):
            total = out[a, b_] + out[b_, a]
            out[a, b_] = out[b_, a] = total
    return out
