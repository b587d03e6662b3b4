r"""Coordinates in which levels and reproduction matrix are easy to sample.

With the streams' mean rates m, row k of an additive model has :math:`z_0 = b_k - \log m_k` for
its level and :math:`z_j = \log R_{kj} + \log(m_j / m_k)` for each allowed arrow. What the data
know best is the mean :math:`u_k = \log\sum_i e^{z_i}`; the rest is how it splits among background
and sources, :math:`c_k = V'z` with V orthonormal contrasts. The Jacobian from (u, c) to z is
constant. The posterior is the same as that of the plain parameters; leapfrog steps are longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from escalation.engines.base import Problem
from escalation.parameters import FloatArray, HalfNormal, Normal

#: Arrays that `to_parameters` and `to_coordinates` take after the coordinates.
ARRAYS = 6


@dataclass(frozen=True)
class Coordinates:
    """The map for one specification and number of streams.

    Attributes
    ----------
    streams, splits : int
        Number of means, and of contrasts, the coordinates that come first.
    arrays : tuple
        mask (K, K + 1) of background and allowed arrows; contrasts (S, K + 1), a row a split with
        zeros outside its own row's entries; places (2 + S,): of the first level and of R[0, 0] in
        theta, then the row of each split; others: place in theta of each further coordinate;
        prior (2 + K K + 1,): mean and sd of the levels, scales of R, radius of stability or 0.
    """

    streams: int
    splits: int
    size: int
    arrays: tuple[Any, ...]

    @staticmethod
    def fit(problem: Problem) -> bool:
        """Whether the problem has levels, one matrix R, and the priors that the map wants."""
        parameters = {p.name: p for p in problem.layout.parameters}
        if not {"level", "reproduction"} <= set(parameters):
            return False
        level, reproduction = parameters["level"], parameters["reproduction"]
        laws = isinstance(level.prior, Normal) and isinstance(reproduction.prior, HalfNormal)
        return laws and len(reproduction.shape) == 2

    @classmethod
    def of(cls, problem: Problem) -> Coordinates:
        """The map for a problem with parameters named level and reproduction."""
        layout = problem.layout
        parameters = {p.name: p for p in layout.parameters}
        level, reproduction = parameters["level"], parameters["reproduction"]
        normal, half = level.prior, reproduction.prior
        if not (isinstance(normal, Normal) and isinstance(half, HalfNormal)):
            raise TypeError("levels want a normal prior and R a half-normal one")
        streams = level.size
        mask = np.column_stack([np.ones(streams, bool), reproduction.mask])
        contrasts, rows = [], []
        for k, row in enumerate(mask):
            inside = np.flatnonzero(row)
            for column in _helmert(inside.size).T:
                full = np.zeros(streams + 1)
                full[inside] = column
                contrasts.append(full)
                rows.append(k)
        first, matrix = layout.start("level"), layout.start("reproduction")
        own = {*range(first, first + streams), *range(matrix, matrix + streams**2)}
        others = [place for place in layout.free if place not in own]
        radius = layout.joint.radius if layout.joint is not None else 0.0
        scale = np.broadcast_to(half.scale, mask[:, 1:].shape).ravel()
        return cls(
            streams=streams,
            splits=len(rows),
            size=layout.size,
            arrays=(
                mask.astype(float),
                np.array(contrasts).reshape(len(rows), streams + 1),
                np.array([first, matrix, layout.size, *rows], np.int64),
                np.array(others, np.int64),
                np.concatenate([[normal.mean, normal.sd], scale, [radius]]),
            ),
        )

    def back(self, x: FloatArray, rates: FloatArray) -> FloatArray:
        """Parameters theta (n, size) of coordinates (n, f)."""
        return np.stack([to_parameters(one, rates, *self.arrays) for one in x])


def _helmert(size: int) -> FloatArray:
    """Orthonormal contrasts (size, size - 1): columns of length one that sum to zero."""
    out = np.zeros((size, size - 1))
    for i in range(1, size):
        out[:i, i - 1] = 1 / i
        out[i, i - 1] = -1.0
        out[:, i - 1] /= np.sqrt(1 + 1 / i)
    return out


@njit(cache=True, nogil=True)
def _log_parts(x, rates, mask, contrasts, places):  # type: ignore[no-untyped-def]
    """The logs z (K, K + 1) of the parts of each row, and their shares of the row's mean."""
    streams = rates.size
    z = np.zeros((streams, streams + 1))
    for s in range(contrasts.shape[0]):
        row = places[3 + s]
        for i in range(streams + 1):
            z[row, i] += contrasts[s, i] * x[streams + s]
    share = np.zeros((streams, streams + 1))
    for k in range(streams):
        highest = -np.inf
        for i in range(streams + 1):
            if mask[k, i] > 0:
                highest = max(highest, z[k, i])
        total = 0.0
        for i in range(streams + 1):
            if mask[k, i] > 0:
                share[k, i] = np.exp(z[k, i] - highest)
                total += share[k, i]
        shift = x[k] - highest - np.log(total)
        for i in range(streams + 1):
            share[k, i] /= total
            z[k, i] += shift
    return z, share


@njit(cache=True, nogil=True)
def to_parameters(x, rates, mask, contrasts, places, others, prior):  # type: ignore[no-untyped-def]
    """All parameters (size,) of the coordinates (f,)."""
    streams = rates.size
    z, _ = _log_parts(x, rates, mask, contrasts, places)
    theta = np.zeros(places[2])
    for k in range(streams):
        theta[places[0] + k] = z[k, 0] + np.log(rates[k])
        for j in range(streams):
            if mask[k, j + 1] > 0:
                theta[places[1] + k * streams + j] = np.exp(z[k, j + 1]) * rates[k] / rates[j]
    first = streams + contrasts.shape[0]
    for i in range(others.size):
        theta[others[i]] = x[first + i]
    return theta


@njit(cache=True, nogil=True)
def to_coordinates(  # type: ignore[no-untyped-def]
    x, theta, value, gradient, rates, mask, contrasts, places, others, prior
):
    """Log-likelihood plus priors of levels and R, with the gradient (f,) by the coordinates."""
    streams = rates.size
    _, share = _log_parts(x, rates, mask, contrasts, places)
    matrix = theta[places[1] : places[1] + streams * streams].reshape((streams, streams)).copy()
    slope = np.zeros((streams, streams))
    radius = prior[2 + streams * streams]
    if radius > 0:
        scaled = matrix / radius
        second = _product(scaled, scaled)
        fourth = _product(second, second)
        seventh = _product(_product(fourth, second), scaled)
        for i in range(streams):
            for j in range(streams):
                value -= fourth[i, j] * fourth[j, i]
                slope[i, j] = -8 / radius * seventh[j, i]
    by_log = np.zeros((streams, streams + 1))
    for k in range(streams):
        gap = (theta[places[0] + k] - prior[0]) / prior[1]
        value -= 0.5 * gap * gap
        by_log[k, 0] = gradient[places[0] + k] - gap / prior[1]
        for j in range(streams):
            if mask[k, j + 1] > 0:
                at = k * streams + j
                ratio = matrix[k, j] / prior[2 + at]
                # The last term is the Jacobian of the logarithm of R.
                value += np.log(max(matrix[k, j], 1e-300)) - 0.5 * ratio * ratio
                by_entry = gradient[places[1] + at] + slope[k, j]
                by_log[k, j + 1] = matrix[k, j] * by_entry - ratio * ratio + 1.0
    out = np.zeros(x.size)
    for k in range(streams):
        for i in range(streams + 1):
            out[k] += by_log[k, i]
    for s in range(contrasts.shape[0]):
        row = places[3 + s]
        for i in range(streams + 1):
            out[streams + s] += contrasts[s, i] * (by_log[row, i] - share[row, i] * out[row])
    first = streams + contrasts.shape[0]
    for i in range(others.size):
        out[first + i] = gradient[others[i]]
    return value, out


@njit(cache=True, nogil=True)
def _product(a, b):  # type: ignore[no-untyped-def]
    size = a.shape[0]
    out = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            for m in range(size):
                out[i, j] += a[i, m] * b[m, j]
    return out
