"""The function that maximum likelihood and Laplace climb, and how they climb it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from escalation.engines.base import Problem, pool
from escalation.engines.newton import Box, Climb, Parts, climb
from escalation.engines.optimum import SILENT, Optimum, newton_step, positive_part
from escalation.engines.secant import PRECISION, climb_by_scores
from escalation.parameters import BoolArray, FloatArray, WorkingScale

#: Bounds of the optimiser on the working scale, where the support itself has none.
LIMITS = {
    "real": (-30.0, 30.0),
    "positive": (-9.0, 7.0),
    "unit": (-15.0, 15.0),
    "nonnegative": (0.0, 1e6),
}
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


@dataclass(frozen=True)
class Objective:
    """Log-likelihood, or log-posterior, over the free entries on the working scale.

    Attributes
    ----------
    problem : Problem
    posterior : bool
        Add every prior and the Jacobian of the working scale; otherwise the priors of the
        penalised parameters alone.
    data : mapping, optional
        Other data than the problem's, for the bootstrap.
    exact : bool
        Take second differences whatever the problem says.
    """

    problem: Problem
    posterior: bool = False
    data: Mapping[str, Any] | None = None
    exact: bool = False

    @cached_property
    def free(self) -> Any:
        """Positions of the free entries."""
        return self.problem.layout.free

    @cached_property
    def scale(self) -> WorkingScale:
        """The working scale of the free entries."""
        return WorkingScale(tuple(self.problem.layout.supports))

    @cached_property
    def limits(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds (f,)."""
        ends = np.array([LIMITS[s] for s in self.scale.supports])
        lower, upper = ends[:, 0].copy(), ends[:, 1].copy()
        for i, label in enumerate(self.problem.layout.labels):
            low, high = self.problem.bounds.get(label.partition("[")[0], (0.0, np.inf))
            if self.scale.positive[i]:
                lower[i] = max(lower[i], np.log(low)) if low > 0 else lower[i]
                upper[i] = min(upper[i], np.log(high))
            elif self.scale.supports[i] == "nonnegative":
                upper[i] = min(upper[i], high)
        return lower, upper

    def theta(self, x: FloatArray) -> FloatArray:
        """All parameters (..., size) of working vectors (..., f)."""
        out = np.zeros((*x.shape[:-1], self.problem.layout.size))
        out[..., self.free] = self.scale.back(x)
        return out

    def start(self, theta: FloatArray) -> FloatArray:
        """Working vector (f,) of all parameters (size,)."""
        return self.scale.to(theta[self.free])

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Value and gradient (f,)."""
        value, gradient = self._likelihood(x)
        prior, slope = self._prior(x)
        return value + prior, gradient + slope

    def _likelihood(self, x: FloatArray) -> tuple[float, FloatArray]:
        theta = self.theta(x)
        value, gradient = self.problem.evaluate(theta, self.data)
        free = self.free
        return value, gradient[free] * self.scale.slope(theta[free])

    def _prior(self, x: FloatArray) -> tuple[float, FloatArray]:
        if not self.penalised:
            return 0.0, np.zeros(x.size)
        theta = self.theta(x)
        value, slope = self.problem.layout.penalty(theta, self.posterior)
        own = theta[self.free]
        out = slope[self.free] * self.scale.slope(own)
        if self.posterior:
            jacobian, slope = self.scale.jacobian(own)
            value, out = value + jacobian, out + slope
        return value, out

    @cached_property
    def penalised(self) -> bool:
        """Whether any prior has a part in the function."""
        return self.posterior or any(p.penalised for p in self.problem.layout.parameters)

    @cached_property
    def steps(self) -> list[NDArray[np.intp]]:
        """Entries whose second derivatives with one another vanish, changed at once.

        One group for each shared entry, then one entry of every row at a time (Curtis, Powell &
        Reid 1974, IMA Journal of Applied Mathematics 13).
        """
        rows = self.rows
        out = [np.array([i]) for i in np.flatnonzero(rows < 0)]
        members = [np.flatnonzero(rows == row) for row in range(rows.max(initial=-1) + 1)]
        for slot in range(max((len(one) for one in members), default=0)):
            out.append(np.array([one[slot] for one in members if slot < len(one)]))
        return out

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Part of the likelihood of each free entry, -1 for all parts."""
        rows = self.problem.rows
        return np.full(len(self.free), -1) if rows is None else rows[self.free]

    def information(self, x: FloatArray, step: float = 1e-5) -> FloatArray:
        """Minus the Hessian (f, f) by differences of the gradient, one-sided at zero.

        For problems that say so, the outer products of the scores instead.
        """
        if self.problem.outer_information and not self.exact:
            return self.outer(x)
        if self.newton:
            return self._whole(self.parts(x))
        size, rows = x.size, self.rows
        above = step * np.maximum(1.0, np.abs(x))
        below = np.where(self.scale.nonnegative & (x < step), 0.0, above)
        together = rows[:, None] == rows
        out = np.zeros((size, size))
        for places in self.steps:
            change = self._difference(self._likelihood, x, places, above, below)
            for i in places:
                out[i] = np.where(together[i] | (rows[i] < 0), change, 0.0) / (above[i] + below[i])
        # Only the differences by a shared entry tell its second derivatives with the others.
        shared = rows < 0
        out[:, shared] = out[shared].T
        out = (out + out.T) / 2
        return out + self.prior_bend(x, step) if self.penalised else out

    def _whole(self, parts: Parts) -> FloatArray:
        """Minus the Hessian (f, f) from its parts."""
        out = np.zeros((len(self.free), len(self.free)))
        for place, observed in zip(parts.place, parts.observed, strict=True):
            own = place[place >= 0]
            out[np.ix_(own, own)] = observed[: own.size, : own.size]
        return out

    def _difference(
        self,
        function: Callable[[FloatArray], tuple[float, FloatArray]],
        x: FloatArray,
        places: NDArray[np.intp],
        above: FloatArray,
        below: FloatArray,
    ) -> FloatArray:
        high, low = x.copy(), x.copy()
        high[places] += above[places]
        low[places] -= below[places]
        return function(low)[1] - function(high)[1]

    def climb(
        self, start: FloatArray, tolerance: float = 1e-9, close: float = 1e-5
    ) -> tuple[FloatArray, float]:
        """Rise from a point (f,): by scoring where the model has scores, else quasi-Newton.

        Scoring ends where a step promises to rise by less than `close`.
        """
        lower, upper = self.limits
        begin = np.clip(start, lower, upper)
        if self.newton:
            found = self._climb(begin, close)
            if found.settled.all():
                return found.x, found.value
            begin = found.x
        elif self.problem.scores is not None and not self.exact:
            if self.problem.outer_information:
                x, value, settled = climb_by_scores(self, begin, close)
            else:
                x, value, settled = self._score(begin, close)
            if settled:
                return x, value
            begin = x
        return self._quasi_newton(begin, tolerance)

    @property
    def newton(self) -> bool:
        """Whether the second derivatives come from the likelihood itself."""
        return self.problem.curvature is not None and not self.exact

    @cached_property
    def separate(self) -> bool:
        """Whether the function is a sum of functions of different entries."""
        return self.newton and not self.penalised and bool((self.rows >= 0).all())

    @cached_property
    def box(self) -> Box:
        """Where the entries may be."""
        return Box(*self.limits, self.scale.nonnegative)

    @cached_property
    def position(self) -> NDArray[np.int64]:
        """Position of each parameter (size,) among the free entries, -1 for a fixed one."""
        out = np.full(self.problem.layout.size, -1)
        out[self.free] = np.arange(len(self.free))
        return out

    def _climb(self, x: FloatArray, close: float, slope: float = np.inf, steps: int = 100) -> Climb:
        """Rise by Newton's method, each part of a sum of separate functions by itself."""
        return climb(self.parts, x, self.box, close, slope, steps)

    def parts(self, x: FloatArray, wanted: NDArray[np.int64] | None = None) -> Parts:
        """Value and derivatives of separate parts, or of the whole as the only part."""
        theta = self.theta(x)
        separate = self.separate
        found = self.problem.curved(theta, self.data, wanted if separate else None)
        value, member, slope, outer, bend = found
        place = np.where(member >= 0, self.position[member], -1)
        used = place >= 0
        own = theta[self.free]
        first = np.where(used, self.scale.slope(own)[place], 0.0)
        second = np.where(used, self.scale.bend(own)[place], 0.0)
        pairs = first[:, :, None] * first[:, None, :]
        outer, bend = outer * pairs, bend * pairs
        diagonal = np.arange(place.shape[1])
        bend[:, diagonal, diagonal] += slope * second
        slope = slope * first
        if separate:
            return Parts(value, slope, outer, outer - bend, place)
        return self._joined(x, Parts(value, slope, outer, outer - bend, place))

    def _joined(self, x: FloatArray, parts: Parts) -> Parts:
        """The sum of parts that share entries, with the priors, as a single part."""
        from escalation.engines.newton_steps import joined

        size = x.size
        gradient, outer, observed = joined(
            size, parts.place, parts.gradient, parts.outer, parts.observed
        )
        value = parts.value.sum()
        if self.penalised and np.isfinite(value):
            prior, slope = self._prior(x)
            value, gradient = value + prior, gradient + slope
            bent = self.prior_bend(x)
            outer += positive_part(bent)
            observed += bent
        return Parts(
            np.array([value]), gradient[None], outer[None], observed[None], np.arange(size)[None]
        )

    def prior_bend(self, x: FloatArray, step: float = 1e-5) -> FloatArray:
        """Minus the second derivatives (f, f) of the priors, one-sided at zero."""
        above = step * np.maximum(1.0, np.abs(x))
        below = np.where(self.scale.nonnegative & (x < step), 0.0, above)
        out = np.empty((x.size, x.size))
        for i in range(x.size):
            change = self._difference(self._prior, x, np.array([i]), above, below)
            out[i] = change / (above[i] + below[i])
        return np.asarray((out + out.T) / 2)

    def _score(
        self, x: FloatArray, tolerance: float, steps: int = 60
    ) -> tuple[FloatArray, float, bool]:
        """Fisher scoring with the outer products of the scores (Berndt, Hall, Hall & Hausman).

        Returns
        -------
        x : ndarray (f,)
        value : float
        settled : bool
            Whether a step would rise by less than `tolerance`.
        """
        value, gradient = self(x)
        damping = 0.0
        for _ in range(steps):
            if not np.isfinite(value):
                return x, value, False
            step = self.step(x, gradient, self.outer(x), damping, reach=1.0)
            rise = float(gradient @ step)
            if rise < tolerance:
                return x, value, True
            moved = self.line_search(x, value, step)
            if moved is None:
                if damping > 1e3:
                    return x, value, False
                damping = max(10 * damping, 1e-2)
                continue
            gained = moved[1] - value
            damping = 0.0 if gained > 0.25 * rise else max(4 * damping, 1e-2)
            x, value, gradient = moved
        return x, value, False

    def outer(self, x: FloatArray) -> FloatArray:
        """Sum (f, f) of the outer products of the scores, plus the curvature of the priors."""
        theta = self.theta(x)
        if self.newton:
            parts = self.parts(x)
            return self._whole(replace(parts, observed=parts.outer))
        scores = self.problem.outer_scores(theta, self.data)
        if scores is None:
            raise ValueError("this likelihood has no scores of its observations")
        slope = self.scale.slope(theta[self.free])
        out = scores[np.ix_(self.free, self.free)] * np.outer(slope, slope)
        return np.asarray(out + positive_part(self.prior_bend(x)) if self.penalised else out)

    def _quasi_newton(self, begin: FloatArray, tolerance: float) -> tuple[FloatArray, float]:
        """L-BFGS within the bounds: the point (f,) reached and its value.

        Each entry is measured in its standard error at the start, as far as there is one: the
        arrows out of a busy stream are known to a thousandth, those out of a rare one to a half.
        """
        from scipy.optimize import minimize

        lower, upper = self.limits
        curvature = np.abs(np.diag(self.information(begin)))
        unit = 1 / np.sqrt(np.clip(curvature, 1e-2, 1e12))

        def loss(z: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = self(z * unit)
            return (-value, -gradient * unit) if np.isfinite(value) else (1e12, np.zeros_like(z))

        found = minimize(
            loss, begin / unit, jac=True, method="L-BFGS-B",
            bounds=list(zip(lower / unit, upper / unit, strict=True)),
            options={"maxiter": 300, "maxfun": 600, "ftol": tolerance, "gtol": 1e-6, "maxcor": 20},
        )  # fmt: skip
        return np.clip(found.x * unit, lower, upper), -float(found.fun)

    def polish(self, x: FloatArray, tolerance: float = 1e-8, steps: int = 40) -> Optimum:
        """Newton steps over the entries off their bounds, to the maximum."""
        if self.newton:
            found = self._peak(x, tolerance)
            if found is not None:
                return found
        value, gradient = self(x)
        converged = False
        information = None
        for _ in range(steps):
            bound = self._bound(x, gradient)
            if self.peaked(x, value, gradient, tolerance):
                converged = True
                break
            if information is None:
                information = self.information(x)
            step = self.step(x, gradient, information)
            rise = float(gradient @ step)
            if 0 <= rise < PRECISION * max(1.0, abs(value)):
                converged = True
                break
            moved = self.line_search(x, value, step) or self._again(x, value)
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
            information = self.information(x)
        bound = self._bound(x, gradient)
        silent = self._silent(x, value, gradient, information, bound)
        return Optimum(x, value, gradient, information, bound & ~silent, silent, converged)

    def _peak(self, x: FloatArray, tolerance: float) -> Optimum | None:
        """The maximum by the likelihood's own second derivatives, None where they do not lead."""
        begin = self.parts(x)
        steep = tolerance * max(1.0, abs(float(begin.value.sum())))
        found = self._climb(x, close=1e-6, slope=steep)
        x, parts = found.x, found.parts
        gradient = np.zeros(x.size)
        used = parts.place >= 0
        gradient[parts.place[used]] = parts.gradient[used]
        bound = self._bound(x, gradient)
        if not np.abs(gradient[~bound]).max(initial=0.0) < 10 * steep:
            return None
        information = self._whole(parts)
        silent = self._silent(x, found.value, gradient, information, bound)
        return Optimum(x, found.value, gradient, information, bound & ~silent, silent, True)

    def _silent(
        self,
        x: FloatArray,
        value: float,
        gradient: FloatArray,
        information: FloatArray,
        bound: BoolArray,
    ) -> BoolArray:
        """Entries (f,) without slope and curvature, which may be moved far without any change.

        Of many parameters also those that would matter only if an entry at zero were not there, as
        the delay of an arrow without effect: to bootstrap hundreds of entries would take minutes.
        """
        flat = (np.abs(gradient) < 100 * SILENT) & ~self.scale.unit
        seen = information[:, ~bound] if x.size > MANY else information
        flat &= np.abs(seen).max(axis=1, initial=0.0) < 1000 * SILENT
        usual = self.start(self.problem.starts[0])
        for i in np.flatnonzero(flat):
            moved = x.copy()
            moved[i] = usual[i]
            if self.separate:
                own = self.rows[i : i + 1]
                change = self.parts(moved, own).value[0] - self.parts(x, own).value[0]
            else:
                change = self(moved)[0] - value
            flat[i] = abs(change) < LITTLE
        return flat

    def maximise(self, starts: tuple[FloatArray, ...]) -> tuple[Optimum, list[float]]:
        """The best maximum over starting vectors (f,), and the values reached from each.

        A long series is climbed from the best maximum of its beginning; the values are then those
        of the beginning.
        """
        best, reached = self._search(starts)
        if self.problem.outer_information and not best.converged and not self.exact:
            # Products of scores mislead where a rate has no event, or nothing is known of an R.
            best, reached = replace(self, exact=True)._search((*starts, best.x))
        return best, reached

    def _search(self, starts: tuple[FloatArray, ...]) -> tuple[Optimum, list[float]]:
        sketch = self.problem.sketch
        if self.newton:
            return self._newton_search(starts)
        if sketch is None or self.data is not None:
            reached = [self.climb(start) for start in starts]
            best = max(reached, key=lambda one: one[1])
            return self.polish(best[0]), [value for _, value in reached]
        early = replace(self, data=sketch)
        # Not where an evaluation itself asks for the two threads: both would wait for a third.
        climbs = map if self.problem.shares else pool().map
        reached = list(climbs(lambda start: early.climb(start, close=1e-2), starts))
        x = max(reached, key=lambda one: one[1])[0]
        if self.problem.scores is not None or self.exact:
            x = self.climb(x, close=FINAL)[0]
        return self.polish(x), [value for _, value in reached]

    def _newton_search(self, starts: tuple[FloatArray, ...]) -> tuple[Optimum, list[float]]:
        """As `_search`; of separate parts each takes the start that is best for it."""
        sketch = self.problem.sketch
        early, close, steps = self, 1e-5, 100
        if sketch is not None and self.data is None:
            early, close, steps = replace(self, data=sketch), 1e-2, SKETCHED
        found = [early._climb(np.clip(start, *self.limits), close, steps=steps) for start in starts]
        values = np.array([one.parts.value for one in found])
        best = np.argmax(np.where(np.isfinite(values), values, -np.inf), axis=0)
        x = found[best[0]].x.copy()
        for part, start in enumerate(best):
            own = found[start].parts.place[part]
            own = own[own >= 0]
            x[own] = found[start].x[own]
        return self.polish(x), [one.value for one in found]

    def peaked(
        self, x: FloatArray, value: float, gradient: FloatArray, tolerance: float = 1e-8
    ) -> bool:
        """Whether the slope off the bounds is nothing beside the value."""
        worst = np.abs(gradient[~self._bound(x, gradient)]).max(initial=0.0)
        return bool(worst < tolerance * max(1.0, abs(value)))

    def step(
        self,
        x: FloatArray,
        gradient: FloatArray,
        information: FloatArray,
        damping: float = 0.0,
        reach: float = 3.0,
    ) -> FloatArray:
        """Newton step of the quadratic model with the entries that may sit on zero kept there.

        The set of entries at zero is found by adding those that would fall below it and letting go
        of those that the model would have rise.
        """
        bound = self._bound(x, gradient)
        zero = self.scale.nonnegative
        step = np.zeros(x.size)
        for _ in range(12):
            inner = ~bound
            step = np.where(bound & zero, -x, 0.0)
            pull = gradient[inner] - information[np.ix_(inner, bound)] @ step[bound]
            step[inner] = newton_step(information[np.ix_(inner, inner)], pull, damping)
            low = inner & zero & (x + step < 0)
            if low.any():
                bound = bound | low
                continue
            free = bound & zero & (gradient - information @ step > 1e-9)
            if not free.any():
                break
            bound = bound & ~free
        return np.clip(step, np.where(zero, -x, -reach), reach)

    def _bound(self, x: FloatArray, gradient: FloatArray) -> BoolArray:
        lower, upper = self.limits
        low = (x <= lower + 1e-10) & (gradient <= 0)
        high = (x >= upper - 1e-10) & (gradient >= 0)
        return np.asarray(low | high)

    def line_search(
        self, x: FloatArray, value: float, step: FloatArray
    ) -> tuple[FloatArray, float, FloatArray] | None:
        """Point, value and gradient after a step, halved until it rises; None if it never does."""
        for shrink in 0.5 ** np.arange(12):
            trial = np.clip(x + shrink * step, *self.limits)
            new, gradient = self(trial)
            if new > value and np.isfinite(new):
                return trial, new, gradient
        return None

    def _again(self, x: FloatArray, value: float) -> tuple[FloatArray, float, FloatArray] | None:
        """Quasi-Newton once more where a Newton step cannot rise."""
        trial, new = self.climb(x, tolerance=1e-14)
        if new > value + 1e-12 * max(1.0, abs(value)):
            return trial, new, self(trial)[1]
        return None
