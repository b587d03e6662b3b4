"""How maximum likelihood and Laplace climb their function."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from escalation.engines.base import pool
from escalation.engines.newton import Climb
from escalation.engines.newton import climb as climb_parts
from escalation.engines.objective import Objective
from escalation.engines.optimum import SILENT, Optimum
from escalation.engines.secant import PRECISION, climb_by_scores
from escalation.parameters import BoolArray, FloatArray

#: From so many unknowns on a fit is large.
MANY = 60
#: Most Newton steps on the beginning of a long series.
SKETCHED = 15
#: A change of the log-likelihood that says nothing.
LITTLE = 0.02
#: What the last climb of a long series may leave to rise.
FINAL = 1e-12
#: A Newton step that rises by less leaves the information as it was.
CLOSE = 1e-3


def maximise(objective: Objective, starts: tuple[FloatArray, ...]) -> tuple[Optimum, list[float]]:
    """The best maximum over starting vectors (f,), and the values reached from each.

    A long series is climbed from the best maximum of its beginning; the values are then those
    of the beginning.
    """
    best, reached = _search(objective, starts)
    if objective.problem.outer_information and not best.converged and not objective.exact:
        # Products of scores mislead where a rate has no event, or nothing is known of an R.
        best, reached = _search(replace(objective, exact=True), (*starts, best.x))
    return best, reached


def _search(objective: Objective, starts: tuple[FloatArray, ...]) -> tuple[Optimum, list[float]]:
    sketch = objective.problem.sketch
    if objective.newton:
        return _newton_search(objective, starts)
    if sketch is None or objective.data is not None:
        reached = [climb(objective, start) for start in starts]
        best = max(reached, key=lambda one: one[1])
        return polish(objective, best[0]), [value for _, value in reached]
    early = replace(objective, data=sketch)
    # Not where an evaluation itself asks for the two threads: both would wait for a third.
    climbs = map if objective.problem.shares else pool().map
    reached = list(climbs(lambda start: climb(early, start, close=1e-2), starts))
    x = max(reached, key=lambda one: one[1])[0]
    if objective.problem.scores is not None or objective.exact:
        x = climb(objective, x, close=FINAL)[0]
    return polish(objective, x), [value for _, value in reached]


def _newton_search(
    objective: Objective, starts: tuple[FloatArray, ...]
) -> tuple[Optimum, list[float]]:
    """As `_search`; of separate parts each takes the start that is best for it."""
    sketch = objective.problem.sketch
    early, close, steps = objective, 1e-5, 100
    if sketch is not None and objective.data is None:
        early, close, steps = replace(objective, data=sketch), 1e-2, SKETCHED
    found = [
        _by_newton(early, np.clip(start, *objective.limits), close, steps=steps) for start in starts
    ]
    values = np.array([one.parts.value for one in found])
    best = np.argmax(np.where(np.isfinite(values), values, -np.inf), axis=0)
    x = found[best[0]].x.copy()
    for part, start in enumerate(best):
        own = found[start].parts.place[part]
        own = own[own >= 0]
        x[own] = found[start].x[own]
    return polish(objective, x), [one.value for one in found]


def climb(
    objective: Objective, start: FloatArray, tolerance: float = 1e-9, close: float = 1e-5
) -> tuple[FloatArray, float]:
    """Rise from a point (f,): by scoring where the model has scores, else quasi-Newton.

    Scoring ends where a step promises to rise by less than `close`.
    """
    lower, upper = objective.limits
    begin = np.clip(start, lower, upper)
    if objective.newton:
        found = _by_newton(objective, begin, close)
        if found.settled.all():
            return found.x, found.value
        begin = found.x
    elif objective.problem.scores is not None and not objective.exact:
        if objective.problem.outer_information:
            x, value, settled = climb_by_scores(objective, begin, close)
        else:
            x, value, settled = _by_scoring(objective, begin, close)
        if settled:
            return x, value
        begin = x
    return _by_quasi_newton(objective, begin, tolerance)


def _by_newton(
    objective: Objective, x: FloatArray, close: float, slope: float = np.inf, steps: int = 100
) -> Climb:
    """Rise by Newton's method, each part of a sum of separate functions by itself."""
    return climb_parts(objective.parts, x, objective.box, close, slope, steps)


def _by_scoring(
    objective: Objective, x: FloatArray, tolerance: float, steps: int = 60
) -> tuple[FloatArray, float, bool]:
    """Fisher scoring with the outer products of the scores (Berndt, Hall, Hall & Hausman).

    Returns
    -------
    x : ndarray (f,)
    value : float
    settled : bool
        Whether a step would rise by less than `tolerance`.
    """
    value, gradient = objective(x)
    damping = 0.0
    for _ in range(steps):
        if not np.isfinite(value):
            return x, value, False
        step = objective.step(x, gradient, objective.outer(x), damping, reach=1.0)
        rise = float(gradient @ step)
        if rise < tolerance:
            return x, value, True
        moved = objective.line_search(x, value, step)
        if moved is None:
            if damping > 1e3:
                return x, value, False
            damping = max(10 * damping, 1e-2)
            continue
        gained = moved[1] - value
        damping = 0.0 if gained > 0.25 * rise else max(4 * damping, 1e-2)
        x, value, gradient = moved
    return x, value, False


def _by_quasi_newton(
    objective: Objective, begin: FloatArray, tolerance: float
) -> tuple[FloatArray, float]:
    """L-BFGS within the bounds: the point (f,) reached and its value.

    Each entry is measured in its standard error at the start, as far as there is one: the
    arrows out of a busy stream are known to a thousandth, those out of a rare one to a half.
    """
    from scipy.optimize import minimize

    lower, upper = objective.limits
    curvature = np.abs(np.diag(objective.information(begin)))
    unit = 1 / np.sqrt(np.clip(curvature, 1e-2, 1e12))

    def loss(z: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = objective(z * unit)
        return (-value, -gradient * unit) if np.isfinite(value) else (1e12, np.zeros_like(z))

    found = minimize(
        loss, begin / unit, jac=True, method="L-BFGS-B",
        bounds=list(zip(lower / unit, upper / unit, strict=True)),
        options={"maxiter": 300, "maxfun": 600, "ftol": tolerance, "gtol": 1e-6, "maxcor": 20},
    )  # fmt: skip
    return np.clip(found.x * unit, lower, upper), -float(found.fun)


def polish(
    objective: Objective, x: FloatArray, tolerance: float = 1e-8, steps: int = 40
) -> Optimum:
    """Newton steps over the entries off their bounds, to the maximum."""
    if objective.newton:
        found = _peak(objective, x, tolerance)
        if found is not None:
            return found
    value, gradient = objective(x)
    converged = False
    information = None
    for _ in range(steps):
        bound = objective.at_bounds(x, gradient)
        if objective.peaked(x, value, gradient, tolerance):
            converged = True
            break
        if information is None:
            information = objective.information(x)
        step = objective.step(x, gradient, information)
        rise = float(gradient @ step)
        if 0 <= rise < PRECISION * max(1.0, abs(value)):
            converged = True
            break
        moved = objective.line_search(x, value, step) or _again(objective, x, value)
        if moved is None:
            # No ascent at this precision: the gradient decides whether that is a peak.
            worst = np.abs(gradient[~bound]).max(initial=0.0)
            converged = bool(worst < 1e-5 * max(1.0, abs(value)))
            break
        before = np.abs(gradient[~bound]).max(initial=0.0)
        x, value, gradient = moved
        # An information that foresaw the step well is kept.
        if rise > CLOSE or np.abs(gradient[~bound]).max(initial=0.0) > 0.1 * before:
            information = None
    if information is None:
        information = objective.information(x)
    bound = objective.at_bounds(x, gradient)
    silent = _silent(objective, x, value, gradient, information, bound)
    return Optimum(x, value, gradient, information, bound & ~silent, silent, converged)


def _peak(objective: Objective, x: FloatArray, tolerance: float) -> Optimum | None:
    """The maximum by the likelihood's own second derivatives, None where they do not lead."""
    begin = objective.parts(x)
    steep = tolerance * max(1.0, abs(float(begin.value.sum())))
    found = _by_newton(objective, x, close=1e-6, slope=steep)
    x, parts = found.x, found.parts
    gradient = np.zeros(x.size)
    used = parts.place >= 0
    gradient[parts.place[used]] = parts.gradient[used]
    bound = objective.at_bounds(x, gradient)
    if not np.abs(gradient[~bound]).max(initial=0.0) < 10 * steep:
        return None
    information = objective.sum_of(parts)
    silent = _silent(objective, x, found.value, gradient, information, bound)
    return Optimum(x, found.value, gradient, information, bound & ~silent, silent, True)


def _silent(
    objective: Objective,
    x: FloatArray,
    value: float,
    gradient: FloatArray,
    information: FloatArray,
    bound: BoolArray,
) -> BoolArray:
    """Entries (f,) without slope and curvature, which may be moved far without any change.

    Of many parameters also those that would matter only if an entry at zero were not there, as
    the delay of an arrow without effect: to bootstrap hundreds of entries would take minutes. Of
    few, those of them that rest on a bound, which would else be kept there.
    """
    flat = (np.abs(gradient) < 100 * SILENT) & ~objective.scale.unit
    alone = (bound & ~objective.scale.nonnegative) | (x.size > MANY)
    seen = np.where(alone[:, None] & bound, 0.0, information)
    flat &= np.abs(seen).max(axis=1, initial=0.0) < 1000 * SILENT
    usual = objective.start(objective.problem.starts[0])
    for i in np.flatnonzero(flat):
        moved = x.copy()
        moved[i] = usual[i]
        if objective.separate:
            own = objective.rows[i : i + 1]
            change = objective.parts(moved, own).value[0] - objective.parts(x, own).value[0]
        else:
            change = objective(moved)[0] - value
        flat[i] = abs(change) < LITTLE
    return flat


def _again(
    objective: Objective, x: FloatArray, value: float
) -> tuple[FloatArray, float, FloatArray] | None:
    """Quasi-Newton once more where a Newton step cannot rise."""
    trial, new = climb(objective, x, tolerance=1e-14)
    if new > value + 1e-12 * max(1.0, abs(value)):
        return trial, new, objective(trial)[1]
    return None
