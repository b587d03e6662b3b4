"""Past origins from which the common parameters are learned."""

from __future__ import annotations

import numpy as np

from escalation.own_history.history import History
from escalation.window import FloatArray, IntArray

WARM_UP = 36
"""Periods that only feed the memories; a third of a shorter history."""

ONE_OF = 4
"""Of the origins of quiet units one in so many is taken, and counts as that many."""

MOST = 400_000
"""About how many origins are taken; of longer or wider panels evenly fewer."""


def past_origins(
    history: History, step: int, age: float, most: int = MOST
) -> tuple[IntArray, IntArray, FloatArray]:
    """Origins whose outcome `step` periods later is known.

    Parameters
    ----------
    history : History
    step : int
        Periods ahead.
    age : float
        Half-life of the weight by the age of the outcome, in periods.
    most : int
        About how many origins at most.

    Returns
    -------
    at, unit : array of int, shape (R,)
        Last period known, and the unit.
    weight : array, shape (R,)
    """
    end, units = history.level.shape
    origins = np.arange(min(WARM_UP, end // 3), max(end - step, 0))
    if len(origins) == 0:
        empty = np.zeros(0, np.int64)
        return empty, empty, np.zeros(0)
    known = history.known
    both = known[origins] & known[origins + step]
    quiet = history.quiet[origins]
    taken = both & (~quiet | ((origins[:, None] + np.arange(units) + step) % ONE_OF == 0))
    row, unit = np.nonzero(taken)
    weight = history.weight[origins + step][row, unit] * np.where(quiet[row, unit], ONE_OF, 1.0)
    weight = weight * 0.5 ** ((end - 1 - step - origins[row]) / age)
    thin = max(1, -(-len(row) // most))
    return origins[row][::thin], unit[::thin], weight[::thin] * thin
