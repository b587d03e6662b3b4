"""Scoring that seldom asks for scores: the information is carried from step to step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from escalation.parameters import FloatArray

if TYPE_CHECKING:
    from escalation.engines.objective import Objective

#: Bounds of the rise over the foreseen one within which an information is kept.
KEPT = (0.6, 1.6)
#: A promised rise that is less than this share of the value itself is below its precision.
PRECISION = 1e-14
#: Promised rises below this drown in rounding where no ascent is found.
ROUNDING = 1e-7


def climb_by_scores(
    objective: Objective, x: FloatArray, tolerance: float, steps: int = 100
) -> tuple[FloatArray, float, bool]:
    """Fisher scoring for likelihoods whose scores cost as much as many gradients.

    The sum of the scores' outer products (Berndt, Hall, Hall & Hausman 1974, Annals of Economic
    and Social Measurement 3) is made anew only after a step that rose by much less or more than
    it foresaw; else a secant update (Broyden, Fletcher, Goldfarb & Shanno) carries it on.

    Parameters
    ----------
    objective : Objective
    x : ndarray (f,)
        Where to start, on the working scale.
    tolerance : float
        Ends where a step promises to rise by less.
    steps : int

    Returns
    -------
    x : ndarray (f,)
    value : float
    settled : bool
    """
    value, gradient = objective(x)
    information: FloatArray | None = None
    fresh, damping = False, 0.0
    for _ in range(steps):
        if not np.isfinite(value):
            return x, value, False
        if objective.peaked(x, value, gradient):
            return x, value, True
        if information is None:
            information, fresh = objective.outer(x), True
        step = objective.step(x, gradient, information, damping, reach=np.inf)
        # Shortened as a whole: cut entry by entry it might point downwards.
        step /= max(1.0, float(np.abs(step).max(initial=0.0)))
        promised = float(gradient @ step)
        if promised < max(tolerance, PRECISION * abs(value)):
            return x, value, True
        moved = objective.line_search(x, value, step)
        if moved is None:
            if promised < ROUNDING:
                return x, value, True
            if not fresh:
                information = None
                continue
            if damping > 1e3:
                return x, value, False
            damping = max(10 * damping, 1e-2)
            continue
        way, bend = moved[0] - x, gradient - moved[2]
        foreseen = float(gradient @ way - 0.5 * way @ information @ way)
        gained = moved[1] - value
        if KEPT[0] * foreseen < gained < KEPT[1] * foreseen:
            information, fresh, damping = updated(information, way, bend), False, 0.0
        else:
            information = None
            damping = 0.0 if gained > 0.25 * promised else max(4 * damping, 1e-2)
        x, value, gradient = moved
    return x, value, False


def updated(information: FloatArray, way: FloatArray, bend: FloatArray) -> FloatArray | None:
    """The information (f, f) with the curvature seen along a step, positive as before.

    None where the function bent upwards along the step.
    """
    along = information @ way
    length, seen = float(way @ along), float(way @ bend)
    if not seen > 0.05 * length:
        return None
    return np.asarray(information - np.outer(along, along) / length + np.outer(bend, bend) / seen)
