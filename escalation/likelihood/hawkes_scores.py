"""Outer products of the scores of the Hawkes likelihood with exponential mixtures."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.likelihood.decayed_sums import BLOCK, dot, fill_block
from escalation.likelihood.hawkes_blocks import (
    IntArray,
    background_rates,
    block_features,
    block_rates,
    mark_weights,
    members,
)
from escalation.parameters import FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def hawkes_scores(
    theta: FloatArray,
    values: FloatArray,
    jacobians: FloatArray,
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
) -> FloatArray:
    r"""Sum over events of the outer products of :math:`\nabla\log\lambda`, ndarray (p, p).

    Its expectation is the information; at fixed kernels and a constant background it is the
    observed information itself. Arguments as for `hawkes_exponential`, and `jacobians` (G, 2 M, q)
    and `groups` (G, q) of the kernels' parameters.
    """
    streams, terms, eras = column.shape[0], values.shape[1] // 2, place.size
    marked, moving, apart = sizes.size > 0, vary[0] > 0, vary[1] > 0
    out = np.zeros((theta.size, theta.size))
    rate = background_rates(theta, design, column)
    weight, slope = mark_weights(theta, sizes, first, mark_place)
    lines = streams * eras * terms
    state = np.empty((4, lines))
    pointer = np.empty(streams, np.int64)
    sums = np.empty((lines, BLOCK))
    ages = np.empty((lines if moving else 1, BLOCK))
    marks = np.empty((lines if marked else 1, BLOCK))
    none = np.empty((1, BLOCK))
    scratch = np.empty((4 + terms, BLOCK))
    intensity, inverse = np.empty(BLOCK), np.empty(BLOCK)
    product, power = np.ones(BLOCK), np.zeros(BLOCK, np.int64)
    member, where = np.empty(theta.size, np.int64), np.empty(theta.size, np.int64)
    for k in targets:
        local = members(k, column, place, group, allowed, groups, marked, mark_place, where, member)
        features = np.empty((local, BLOCK))
        inner = np.zeros((local, local))
        state[:] = 0.0
        for j in range(streams):
            pointer[j] = first[j]
        scored = first[k] + np.searchsorted(times[first[k] : first[k + 1]], spans[0, 0])
        for start in range(first[k], first[k + 1], BLOCK):
            stop = min(start + BLOCK, first[k + 1])
            size = stop - start
            fill_block(
                k, start, stop, times, era, marked, weight, slope, first, eras, values, group,
                allowed, int(moving), apart, state, pointer, sums, ages, none, marks, scratch,
            )  # fmt: skip
            if stop <= scored:
                continue
            block_rates(
                k, start, size, scored, theta, values, rate, cell, place, group, allowed, sums,
                intensity, inverse, product, power,
            )  # fmt: skip
            block_features(
                k, start, size, theta, values, jacobians, groups, rate, cell, design, column,
                place, group, allowed, marked, mark_place, where, sums, ages, moving, marks,
                inverse, features,
            )  # fmt: skip
            for a in range(local):
                for b in range(a + 1):
                    inner[a, b] += dot(features[a], features[b], size)
        for a in range(local):
            for b in range(a + 1):
                out[member[a], member[b]] += inner[a, b]
                if a != b:
                    out[member[b], member[a]] += inner[a, b]
    return out
