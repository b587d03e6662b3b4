"""Projection of many points onto the half-space of vectors that are not negative, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.parameters import FloatArray


@njit(cache=True, nogil=True)
def nearest_nonnegative(
    points: FloatArray, precision: FloatArray, tolerance: float = 1e-7
) -> FloatArray:
    """Nearest points (n, f) without negative entries, in the metric of `precision` (f, f).

    Coordinate descent, which converges for a positive definite metric.
    """
    draws, size = points.shape
    out = np.empty((draws, size))
    pull = np.empty(size)
    spread = np.empty(size)
    for i in range(size):
        spread[i] = 1.0 / np.sqrt(precision[i, i])
    for n in range(draws):
        settled = True
        for i in range(size):
            out[n, i] = max(points[n, i], 0.0)
            if points[n, i] < 0.0:
                settled = False
        if settled:
            continue
        for i in range(size):
            total = 0.0
            for j in range(size):
                # Few entries were cut: most differences are zero.
                if out[n, j] != points[n, j]:
                    total += precision[i, j] * (out[n, j] - points[n, j])
            pull[i] = total
        for _ in range(1000):
            largest = 0.0
            for i in range(size):
                moved = max(0.0, out[n, i] - pull[i] / precision[i, i]) - out[n, i]
                if moved != 0.0:
                    largest = max(largest, abs(moved) / spread[i])
                    out[n, i] += moved
                    # A row, which is a column of a symmetric matrix, lies together in memory.
                    row = precision[i]
                    for j in range(size):
                        pull[j] += row[j] * moved
            if largest < tolerance:
                break
    return out
