"""The function that maximum likelihood and Laplace climb, and how they climb it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from escalation.engines.base import Problem
from escalation.parameters import BoolArray, FloatArray, WorkingScale

#: Bounds of the optimiser on the working scale, where the support itself has none.
LIMITS = {
    "real": (-30.0, 30.0),
    "positive": (-9.0, 7.0),
    "unit": (-15.0, 15.0),
    "nonnegative": (0.0, 1e6),
}
#: Smallest eigenvalue of the scaled information that still counts as information.
SINGULAR = 1e-7


@dataclass(frozen=True)
class Optimum:
    """A maximum on the working scale.

    Attributes
    ----------
    x : ndarray (f,)
        Free entries on the working scale.
    value : float
    gradient : ndarray (f,)
    information : ndarray (f, f)
        Minus the Hessian on the working scale.
    bound : ndarray of bool (f,)
        Entries that sit on a bound.
    converged : bool
    """

    x: FloatArray
    value: float
    gradient: FloatArray
    information: FloatArray
    bound: BoolArray
    converged: bool

    @property
    def singular(self) -> bool:
        """Whether some direction off the bounds carries no information."""
        inner = ~self.bound
        information = self.information[np.ix_(inner, inner)]
        diagonal = np.diag(information)
        if not np.all(diagonal > 0):
            return True
        scale = np.sqrt(diagonal)
        values = np.linalg.eigvalsh(information / np.outer(scale, scale))
        return bool(values.size and values[0] < SINGULAR)

    @property
    def evidence(self) -> float:
        """Laplace's approximation of the log of the integral, for a log-posterior.

        An entry on its bound contributes the integral of the exponential that falls from there.
        """
        inner = ~self.bound
        _, log_determinant = np.linalg.slogdet(self.information[np.ix_(inner, inner)])
        falling = np.maximum(np.abs(self.gradient[self.bound]), 1e-3)
        volume = 0.5 * inner.sum() * np.log(2 * np.pi) - 0.5 * log_determinant
        return float(self.value + volume - np.log(falling).sum())


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
    """

    problem: Problem
    posterior: bool = False
    data: Mapping[str, Any] | None = None

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
        return ends[:, 0], ends[:, 1]

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
        theta = self.theta(x)
        value, gradient = self.problem.evaluate(theta, self.data)
        prior, slope = self.problem.layout.penalty(theta, self.posterior)
        own = theta[self.free]
        out = (gradient + slope)[self.free] * self.scale.slope(own)
        value += prior
        if self.posterior:
            jacobian, slope = self.scale.jacobian(own)
            value, out = value + jacobian, out + slope
        return value, out

    def information(self, x: FloatArray, step: float = 1e-5) -> FloatArray:
        """Minus the Hessian (f, f) by differences of the gradient, one-sided at zero."""
        size = x.size
        out = np.empty((size, size))
        at_zero = self.scale.nonnegative & (x < step)
        middle = self(x)[1]
        for i in range(size):
            h = step * max(1.0, abs(x[i]))
            above = x.copy()
            above[i] += h
            if at_zero[i]:
                out[i] = (middle - self(above)[1]) / h
                continue
            below = x.copy()
            below[i] -= h
            out[i] = (self(below)[1] - self(above)[1]) / (2 * h)
        return (out + out.T) / 2

    def climb(self, start: FloatArray, tolerance: float = 1e-9) -> tuple[FloatArray, float]:
        """Quasi-Newton within the bounds: the point (f,) reached and its value.

        Each entry is measured in its standard error at the start, as far as there is one: the
        arrows out of a busy stream are known to a thousandth, those out of a rare one to a half.
        """
        from scipy.optimize import minimize

        lower, upper = self.limits
        begin = np.clip(start, lower, upper)
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
        value, gradient = self(x)
        converged = False
        for _ in range(steps):
            bound = self._bound(x, gradient)
            if np.abs(gradient[~bound]).max(initial=0.0) < tolerance * max(1.0, abs(value)):
                converged = True
                break
            information = self.information(x)
            # Entries near zero that are pulled down go there in this step (Bertsekas 1982).
            falling = self.scale.nonnegative & ~bound & (x < 0.02) & (gradient < 0)
            inner = ~(bound | falling)
            step = np.where(falling, -x, 0.0)
            step[inner] = _newton(information[np.ix_(inner, inner)], gradient[inner])
            moved = self._line_search(x, value, step) or self._again(x, value)
            if moved is None:
                # No ascent at this precision: the gradient decides whether that is a peak.
                converged = bool(np.abs(gradient[~bound]).max() < 1e-5 * max(1.0, abs(value)))
                break
            x, value, gradient = moved
        information, bound = self.information(x), self._bound(x, gradient)
        return Optimum(x, value, gradient, information, bound, converged)

    def maximise(self, starts: tuple[FloatArray, ...]) -> tuple[Optimum, list[float]]:
        """The best maximum over starting vectors (f,), and the values reached from each."""
        reached = [self.climb(start) for start in starts]
        best = max(reached, key=lambda one: one[1])
        return self.polish(best[0]), [value for _, value in reached]

    def _bound(self, x: FloatArray, gradient: FloatArray) -> BoolArray:
        lower, upper = self.limits
        low = (x <= lower + 1e-10) & (gradient <= 0)
        high = (x >= upper - 1e-10) & (gradient >= 0)
        return np.asarray(low | high)

    def _line_search(
        self, x: FloatArray, value: float, step: FloatArray
    ) -> tuple[FloatArray, float, FloatArray] | None:
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


def _newton(information: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton step, with negative or vanishing curvature replaced by its size."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-10))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    values = np.maximum(np.abs(values), 1e-9)
    step = vectors @ ((vectors.T @ (gradient / scale)) / values) / scale
    return np.asarray(np.clip(step, -3.0, 3.0))


def inverse(information: FloatArray) -> FloatArray:
    """Covariance of an information matrix, directions without information kept wide."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-12))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    values = np.maximum(values, SINGULAR)
    return np.asarray((vectors / values) @ vectors.T / np.outer(scale, scale))
