"""Simulated counts of a period, of one path or of several that share their random numbers."""

from __future__ import annotations

import numpy as np

from escalation.parameters import FloatArray

#: A path is stopped where a period's expected count exceeds this.
CAP = 1e6


def draw_counts(
    mean: FloatArray, dispersion: FloatArray | None, rng: np.random.Generator
) -> FloatArray:
    """Counts (c, n, K) with means (c, n, K); the c copies are as alike as their means allow.

    The copies share the gamma multiplier of the negative binomial law and the incidents that
    their smallest mean brings; each has the law of its own mean.

    Parameters
    ----------
    mean : ndarray (c, n, K)
    dispersion : ndarray (n, K), optional
        Poisson if not given.
    rng : numpy.random.Generator
    """
    if dispersion is not None:
        shape = 1 / np.maximum(dispersion, 1e-9)
        mean = mean * (rng.gamma(shape) / shape)
    if len(mean) == 1:
        return rng.poisson(mean).astype(float)
    common = mean.min(axis=0)
    return (rng.poisson(common) + rng.poisson(mean - common)).astype(float)
