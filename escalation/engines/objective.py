"""The function that maximum likelihood and Laplace climb, with its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from escalation.engines.base import Problem
from escalation.engines.newton import Box, Parts
from escalation.engines.optimum import newton_step, positive_part
from escalation.parameters import BoolArray, FloatArray, WorkingScale

#: Bounds of the optimiser on the working scale, where the support itself has none.
LIMITS = {
    "real": (-30.0, 30.0),
    "positive": (-9.0, 7.0),
    "unit": (-15.0, 15.0),
    "nonnegative": (0.0, 1e6),
}


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
            return self.sum_of(self.parts(x))
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

    def sum_of(self, parts: Parts) -> FloatArray:
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

    def outer(self, x: FloatArray) -> FloatArray:
        """Sum (f, f) of the outer products of the scores, plus the curvature of the priors."""
        theta = self.theta(x)
        if self.newton:
            parts = self.parts(x)
            return self.sum_of(replace(parts, observed=parts.outer))
        scores = self.problem.outer_scores(theta, self.data)
        if scores is None:
            raise ValueError("this likelihood has no scores of its observations")
        slope = self.scale.slope(theta[self.free])
        out = scores[np.ix_(self.free, self.free)] * np.outer(slope, slope)
        return np.asarray(out + positive_part(self.prior_bend(x)) if self.penalised else out)

    def peaked(
        self, x: FloatArray, value: float, gradient: FloatArray, tolerance: float = 1e-8
    ) -> bool:
        """Whether the slope off the bounds is nothing beside the value."""
        worst = np.abs(gradient[~self.at_bounds(x, gradient)]).max(initial=0.0)
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
        bound = self.at_bounds(x, gradient)
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

    def at_bounds(self, x: FloatArray, gradient: FloatArray) -> BoolArray:
        """Entries (f,) that stand at a bound and are pulled beyond it."""
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
