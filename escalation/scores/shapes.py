"""What arrays of draws must look like, and how a score walks over many cells."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from escalation.window import FloatArray

BLOCK = 2**18
"""Draws that are looked at together: two megabytes, which stay in a processor's cache."""


def checked(draws: ArrayLike) -> NDArray[Any]:
    """Draws as an array of numbers, (n, ...).

    Raises
    ------
    ValueError
        For no draws.
    """
    array = np.asarray(draws)
    if array.dtype.kind not in "biuf":
        array = array.astype(np.float64)
    if array.ndim == 0 or len(array) == 0:
        raise ValueError(f"draws must be an array (n, ...) with n >= 1, not of shape {array.shape}")
    return array


def paired(draws: ArrayLike, observed: ArrayLike) -> tuple[NDArray[Any], FloatArray]:
    """Draws (n, ...) and the observations (...) of the same cells.

    Raises
    ------
    ValueError
        For shapes that do not fit.
    """
    array, values = checked(draws), np.asarray(observed, dtype=np.float64)
    if array.shape[1:] != values.shape:
        raise ValueError(
            f"draws of shape {array.shape} need observations of shape {array.shape[1:]}, "
            f"not {values.shape}"
        )
    return array, values


def probability_between(level: float) -> float:
    """A level between 0 and 1, or a ValueError."""
    if not 0 < level < 1:
        raise ValueError(f"a level must lie between 0 and 1, not {level}")
    return level


def over_cells(
    function: Callable[..., FloatArray], draws: NDArray[Any], *values: ArrayLike
) -> FloatArray:
    """Apply a function of the draws of many cells, some cells at a time.

    Parameters
    ----------
    function : callable
        Takes (m, n) draws of m cells, a copy of its own, and (m,) arrays; gives (..., m).
    draws : array, shape (n, ...)
    *values : array_like
        (...) one number a cell, or one for all.

    Returns
    -------
    numpy.ndarray
        What the function gives, its last axis in the shape of the cells.
    """
    cells = draws.shape[1:]
    flat = draws.reshape(len(draws), -1)
    rows = [np.broadcast_to(np.asarray(v, dtype=np.float64), cells).ravel() for v in values]
    width = max(1, BLOCK // len(draws))
    parts = []
    for start in range(0, max(1, flat.shape[1]), width):
        here = slice(start, start + width)
        block = np.array(flat[:, here].T, dtype=np.float64, order="C")
        parts.append(function(block, *(row[here] for row in rows)))
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    return np.asarray(whole.reshape((*whole.shape[:-1], *cells)))
