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
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import BoolArray, FloatArray

IntArray = NDArray[np.int64]

#: Smallest pivot of a scaled information that counts as positive definite.
PIVOT = 1e-9
#: What is added to a scaled information that is not positive definite, in turn.
SHIFTS = (0.1, 0.5)
#: Longest step of an entry.
REACH = 2.0
#: Curvature and slope below these are taken as none: the entry stays.
FLAT, LEVEL = 1e-6, 1e-6
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
        _newton_steps(
            which, x, now.gradient, now.outer, now.observed, now.place, box.lower, box.upper,
            box.zero, damping, step, rise, steepest,
        )  # fmt: skip
        # Damped steps promise little everywhere.
        again = np.flatnonzero(fresh & (rise < close) & (damping > 0))
        if again.size:
            damping[again] = 0.0
            _newton_steps(
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


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"}, error_model="numpy")
def _dot(a, b, size):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(size):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_inner(  # type: ignore[no-untyped-def]
    matrix, pull, index, size, damping, half, scale, solved, out
):
    """Solve for the entries of `index` by Cholesky's method; false if not positive definite.

    Parameters
    ----------
    matrix : ndarray (F, F)
    pull : ndarray (F,)
    index : ndarray of int (F,)
        Entries that are solved for, `size` of them.
    damping : float
        Added to the diagonal of the scaled matrix.
    half, scale, solved : ndarray (F, F), (F,), (F,)
        Work space.
    out : ndarray (F,)
        Written at the entries of `index`.
    """
    for a in range(size):
        scale[a] = 1.0 / np.sqrt(max(abs(matrix[index[a], index[a]]), 1e-10))
    for a in range(size):
        i = index[a]
        for b in range(a):
            entry = matrix[i, index[b]] * scale[a] * scale[b]
            half[a, b] = (entry - _dot(half[a], half[b], b)) / half[b, b]
        entry = matrix[i, i] * scale[a] * scale[a] + damping
        pivot = entry - _dot(half[a], half[a], a)
        if not pivot > PIVOT:
            return False
        half[a, a] = np.sqrt(pivot)
    for a in range(size):
        entry = pull[index[a]] * scale[a]
        solved[a] = (entry - _dot(half[a], solved, a)) / half[a, a]
    for a in range(size - 1, -1, -1):
        solved[a] /= half[a, a]
        for b in range(a):
            solved[b] -= half[a, b] * solved[a]
        out[index[a]] = solved[a] * scale[a]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _cut_step(  # type: ignore[no-untyped-def]
    matrix, gradient, here, zero, held, free, damping, step, spaces
):
    """Newton step with the entries that may sit on zero kept there, or let go of.

    Parameters
    ----------
    matrix : ndarray (F, F)
    gradient, here : ndarray (F,)
    zero, held, free : ndarray of bool (F,)
        Entries bounded by zero; those on a bound now; those that move at all. `held` is changed.
    damping : float
    step : ndarray (F,)
        Filled.
    spaces : tuple
        Work space of `_solve_inner`, then ndarray of int (F,) and ndarray (F,).

    Returns
    -------
    bool
        False where the matrix is not positive definite off the bounds.
    """
    half, scale, solved, index, pull = spaces
    size = gradient.size
    for _ in range(12):
        inner = 0
        for i in range(size):
            step[i] = 0.0
            if held[i]:
                step[i] = -here[i] if zero[i] else 0.0
            elif free[i]:
                index[inner] = i
                inner += 1
        for i in range(size):
            pull[i] = gradient[i]
            for j in range(size):
                if held[j] and step[j] != 0.0:
                    pull[i] -= matrix[i, j] * step[j]
        if not _solve_inner(matrix, pull, index, inner, damping, half, scale, solved, step):
            return False
        low = False
        for a in range(inner):
            i = index[a]
            if zero[i] and here[i] + step[i] < 0.0:
                held[i] = low = True
        if low:
            continue
        let_go = False
        for i in range(size):
            if held[i] and zero[i]:
                slope = gradient[i] - _dot(matrix[i], step, size)
                if slope > 1e-9:
                    held[i] = False
                    let_go = True
        if not let_go:
            break
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _newton_steps(  # type: ignore[no-untyped-def]
    which, x, gradient, outer, observed, place, lower, upper, zero, damping, step, rise, steepest
):
    """Steps of the parts `which`, what they promise, and the steepest slopes off the bounds.

    Parameters
    ----------
    step : ndarray (P, F)
        Filled.
    rise, steepest : ndarray (P,)
        Filled.
    """
    size = gradient.shape[1]
    half, scale, solved = np.empty((size, size)), np.empty(size), np.empty(size)
    index, pull = np.empty(size, np.int64), np.empty(size)
    spaces = (half, scale, solved, index, pull)
    held, begun, free = np.empty(size, np.bool_), np.empty(size, np.bool_), np.empty(size, np.bool_)
    bounded, here = np.zeros(size, np.bool_), np.zeros(size)
    for r in which:
        steepest[r] = 0.0
        for i in range(size):
            at = place[r, i]
            free[i], begun[i], bounded[i], here[i] = at >= 0, False, False, 0.0
            if at < 0:
                continue
            slope, here[i], bounded[i] = gradient[r, i], x[at], zero[at]
            low = x[at] <= lower[at] + 1e-10 and slope <= 0.0
            high = x[at] >= upper[at] - 1e-10 and slope >= 0.0
            begun[i] = low or high
            if not begun[i]:
                steepest[r] = max(steepest[r], abs(slope))
                if abs(slope) < LEVEL and abs(observed[r, i, i]) < FLAT:
                    free[i] = False
        held[:] = begun
        found = _cut_step(
            observed[r], gradient[r], here, bounded, held, free, damping[r], step[r], spaces
        )
        for shift in SHIFTS:
            if found:
                break
            held[:] = begun
            found = _cut_step(
                observed[r], gradient[r], here, bounded, held, free, max(damping[r], shift),
                step[r], spaces,
            )  # fmt: skip
        if not found:
            held[:] = begun
            found = _cut_step(
                outer[r], gradient[r], here, bounded, held, free, max(damping[r], 1e-6), step[r],
                spaces,
            )  # fmt: skip
        if not found:
            step[r] = 0.0
            rise[r] = 1.0
            continue
        rise[r] = 0.0
        for i in range(size):
            least = -here[i] if bounded[i] else -REACH
            step[r, i] = min(max(step[r, i], least), REACH)
            rise[r] += step[r, i] * gradient[r, i]
