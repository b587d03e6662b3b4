"""Newton's method for sums of separate functions, all parts a step at a time.

Each part has its own entries, step length and damping; one call evaluates every part that still
climbs. The information is the observed one where that is positive definite, and the sum of the
outer products of the scores elsewhere (Berndt, Hall, Hall & Hausman 1974, Annals of Economic and
Social Measurement 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from escalation.parameters import BoolArray, FloatArray

IntArray = NDArray[np.int64]

#: Relative rounding error of a log-likelihood.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Parts:
    """A sum of functions of separate entries, with first and second derivatives of each.

    Attributes
    ----------
    value : ndarray (P,)
    gradient : ndarray (P, F)
        Zero behind the last entry of a part, as below.
    outer, observed : ndarray (P, F, F)
        Outer products of the scores, and minus the Hessian.
    place : ndarray of int (P, F)
        Position of each entry of a part, -1 behind its last.
    """

    value: FloatArray
    gradient: FloatArray
    outer: FloatArray
    observed: FloatArray
    place: IntArray


@dataclass(frozen=True)
class Box:
    """Where the entries (f,) may be.

    Attributes
    ----------
    lower, upper : ndarray (f,)
    zero : ndarray of bool (f,)
        Entries whose lower bound belongs to the model: steps are cut there, not clipped.
    """

    lower: FloatArray
    upper: FloatArray
    zero: BoolArray


@dataclass(frozen=True)
class Climb:
    """Where a climb ended.

    Attributes
    ----------
    x : ndarray (f,)
    parts : Parts
        There.
    settled : ndarray of bool (P,)
    """

    x: FloatArray
    parts: Parts
    settled: BoolArray

    @property
    def value(self) -> float:
        """Of the sum."""
        return float(self.parts.value.sum())


def climb(
    evaluate: Callable[[FloatArray, IntArray | None], Parts],
    x: FloatArray,
    box: Box,
    close: float,
    slope: float = np.inf,
    steps: int = 80,
) -> Climb:
    """Rise from a point (f,) until a step promises little.

    Parameters
    ----------
    evaluate : callable
        (x (f,), numbers of the parts that are wanted, None for all) -> `Parts` of these alone, in
        their order.
    x : ndarray (f,)
        Within the box.
    box : Box
    close : float
        A part settles where a step would raise it by less,
    slope : float
        and where no slope off the bounds is larger.
    steps : int
        Most evaluations.
    """
    from escalation.engines.newton_steps import newton_steps

    x = x.copy()
    now = evaluate(x, None)
    number = len(now.value)
    damping, shrink = np.zeros(number), np.ones(number)
    step, rise, steepest = np.zeros(now.gradient.shape), np.zeros(number), np.zeros(number)
    active = np.isfinite(now.value)
    settled = np.zeros(number, bool)
    fresh = active.copy()
    for _ in range(steps):
        which = np.flatnonzero(fresh)
        newton_steps(
            which, x, now.gradient, now.outer, now.observed, now.place, box.lower, box.upper,
            box.zero, damping, step, rise, steepest,
        )  # fmt: skip
        # Damped steps promise little everywhere.
        again = np.flatnonzero(fresh & (rise < close) & (damping > 0))
        if again.size:
            damping[again] = 0.0
            newton_steps(
                again, x, now.gradient, now.outer, now.observed, now.place, box.lower, box.upper,
                box.zero, damping, step, rise, steepest,
            )  # fmt: skip
        done = fresh & (rise < close) & (steepest < slope)
        settled |= done
        active &= ~done
        asked = np.flatnonzero(active)
        if asked.size == 0:
            break
        place = now.place[asked]
        used = place >= 0
        trial = x.copy()
        moved = x[place] + shrink[asked, None] * step[asked]
        trial[place[used]] = moved[used]
        trial = np.clip(trial, box.lower, box.upper)
        new = evaluate(trial, asked)
        before = now.value[asked]
        small = rise[asked] < 1e-3
        noise = np.where(small, ROUNDING * np.maximum(1.0, np.abs(before)), 0.0)
        with np.errstate(invalid="ignore"):
            better = np.isfinite(new.value) & (new.value > before - noise)
            gained = new.value - before
        # A step that cannot be seen in the value any more is the last.
        last = better & small & (gained <= noise) & (rise[asked] < noise)
        taken = asked[better]
        accepted = place[better]
        x[accepted[used[better]]] = trial[accepted[used[better]]]
        well = gained > 0.25 * rise[asked]
        damping[taken] = np.where(
            well[better] | small[better], 0.0, np.maximum(4 * damping[taken], 1e-2)
        )
        for name in ("value", "gradient", "outer", "observed"):
            getattr(now, name)[taken] = getattr(new, name)[better]
        failed = asked[~better]
        shrink[taken] = 1.0
        shrink[failed] *= 0.3
        short = failed[shrink[failed] < 1e-2]
        damping[short] = np.maximum(10 * damping[short], 1e-2)
        shrink[short] = 1.0
        fresh = np.zeros(number, bool)
        fresh[taken] = True
        fresh[short] = True
        over = asked[last]
        settled[over] = True
        active[over] = False
        lost = short[damping[short] > 1e3]
        # No ascent at this precision.
        settled[lost] = rise[lost] < 1e-6
        active[lost] = False
        fresh &= active
    return Climb(x, now, settled)
