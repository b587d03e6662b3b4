"""Intervals of draws."""

import numpy as np
from numpy.typing import ArrayLike

from escalation.scores.quantiles import ranks
from escalation.scores.shapes import probability_between
from escalation.window import FloatArray


def shortest(draws: ArrayLike, level: float) -> FloatArray:
    """The shortest closed interval that holds at least the share `level` of the draws.

    Parameters
    ----------
    draws : array_like, shape (n, ...)
        Infinity allowed.
    level : float
        Between 0 and 1.

    Returns
    -------
    numpy.ndarray
        (2, ...) lower and upper ends, both of them draws; the lowest of several as short.

    References
    ----------
    Hyndman (1996), The American Statistician 50, "Computing and graphing highest density regions".

    Examples
    --------
    >>> shortest([0, 0, 0, 1, 9], 0.8).tolist()
    [0.0, 1.0]
    """
    ordered = np.sort(np.asarray(draws, dtype=np.float64), axis=0)
    n = len(ordered)
    held = int(ranks(n, np.asarray(probability_between(level)))) + 1
    lower, upper = ordered[: n - held + 1], ordered[held - 1 :]
    width = np.full(lower.shape, np.inf)
    np.subtract(upper, lower, out=width, where=np.isfinite(lower))
    at = width.argmin(axis=0)[None]
    return np.concatenate([np.take_along_axis(ends, at, axis=0) for ends in (lower, upper)])
