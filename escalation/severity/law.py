"""Probabilities, quantiles and means of the law of deaths, for many draws at once."""

from __future__ import annotations

import numpy as np

from escalation.parameters import FloatArray

#: Terms of a mean that are summed one by one; the rest is an integral.
SUMMED = 2000
#: No number of deaths is larger: beyond it floating-point numbers are no longer whole ones.
LARGEST = 1e15


def survival(deaths: FloatArray, law: FloatArray, threshold: float) -> FloatArray:
    """Probability of more deaths than a number.

    Parameters
    ----------
    deaths : ndarray (...)
        Whole numbers, in a shape that goes with that of the draws.
    law : ndarray (..., 5)
        p0, mu, sigma, beta, xi.
    threshold : float
        Infinite without a Pareto tail.
    """
    from scipy.special import ndtr

    none, level, spread, scale, index = np.moveaxis(law, -1, 0)
    body = np.minimum(deaths, threshold)
    with np.errstate(divide="ignore"):
        out = (1 - none) * ndtr((level - np.log(np.maximum(body, 0.0))) / spread)
    beyond = np.maximum(deaths - threshold, 0.0)
    if np.isfinite(threshold):
        out = out * pareto_survival(beyond, scale, index)
    return np.asarray(np.where(deaths < 0, 1.0, out))


def pareto_survival(x: FloatArray, scale: FloatArray, index: FloatArray) -> FloatArray:
    """Probability that a generalised Pareto number exceeds x >= 0."""
    small = np.maximum(index, 1e-9)
    return np.asarray(np.exp(-np.log1p(small * x / scale) / small))


def deaths_at(share: FloatArray, law: FloatArray, threshold: float) -> FloatArray:
    """The smallest number of deaths that is not exceeded with at least the given probability.

    Parameters
    ----------
    share : ndarray (...)
        Probabilities, from 0 to below 1; of uniform ones come draws of the law.
    law : ndarray (..., 5)
    threshold : float

    Returns
    -------
    ndarray (...)
        At most 1e15.
    """
    from scipy.special import ndtr, ndtri

    none, level, spread, scale, index = np.moveaxis(law, -1, 0)
    # The probability of more, given any.
    above = np.minimum((1 - share) / (1 - none), 1.0)
    out = np.ceil(np.exp(np.minimum(level - spread * ndtri(above), np.log(LARGEST))))
    if np.isfinite(threshold):
        weight = ndtr((level - np.log(threshold)) / spread)
        small = np.maximum(index, 1e-9)
        with np.errstate(over="ignore", divide="ignore"):
            excess = scale * np.expm1(small * np.log(np.maximum(weight / above, 1.0))) / small
            beyond = threshold + np.maximum(np.ceil(excess), 1.0)
        out = np.where(above < weight, beyond, np.minimum(out, threshold))
    return np.asarray(np.where(share <= none, 0.0, np.clip(out, 1.0, LARGEST)), float)


def means(law: FloatArray, threshold: float) -> FloatArray:
    """Expected deaths (...) of laws (..., 5); infinite where the tail index is 1 or more."""
    from scipy.special import ndtr

    flat = law.reshape(-1, 5)
    none, level, spread, scale, index = flat.T
    last = min(int(min(threshold, SUMMED)), SUMMED)
    steps = np.arange(last, dtype=float)
    some = flat.copy()
    some[:, 0] = 0.0
    out = survival(steps[:, None], some[None], np.inf).sum(axis=0)
    if threshold <= SUMMED:
        grid = np.arange(SUMMED, dtype=float)[:, None]
        weight = ndtr((level - np.log(threshold)) / spread)
        summed = pareto_survival(grid, scale, index).sum(axis=0)
        # The rest of the sum by its integral and half of its first term (Euler-Maclaurin).
        edge = pareto_survival(np.array(float(SUMMED)), scale, index)
        finite = index < 1
        safe = np.where(finite, index, 0.0)
        rest = edge * (scale + safe * SUMMED) / (1 - safe) + edge / 2
        out = out + weight * np.where(finite, summed + rest, np.inf)
    else:
        shift = (level + spread**2 - np.log(last)) / spread
        edge = ndtr((level - np.log(last)) / spread)
        out = out + np.exp(level + spread**2 / 2) * ndtr(shift) - last * edge + edge / 2
    return np.asarray(((1 - none) * out).reshape(law.shape[:-1]))
