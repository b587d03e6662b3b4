"""Maximum likelihood, with draws from the sampling distribution of the estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, override

import numpy as np

from escalation.engines.base import Engine, Posterior, Problem
from escalation.parameters import (
    BoolArray,
    FloatArray,
    from_working,
    to_working,
    working_slope,
)

#: Bounds of the optimiser on the working scale, where the support itself has none.
LIMITS = {
    "real": (-30.0, 30.0),
    "positive": (-9.0, 7.0),
    "unit": (-15.0, 15.0),
    "nonnegative": (0.0, 1e6),
}
#: An entry this many standard errors above its bound at zero is drawn on the log scale.
FAR = 3.0
#: Smallest eigenvalue of the scaled information that still counts as information.
SINGULAR = 1e-7


@dataclass(frozen=True)
class Optimum:
    """A maximum on the working scale.

    Attributes
    ----------
    x : ndarray (f,)
        Free entries: logs of the positive ones, the others as they are.
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


class Objective:
    """The log-likelihood over the free entries on the working scale."""

    def __init__(self, problem: Problem, data: Mapping[str, Any] | None = None) -> None:
        self.problem = problem
        self.data = data
        self.free = problem.layout.free
        self.supports = problem.layout.supports
        self.lower = np.array([LIMITS[s][0] for s in self.supports])
        self.upper = np.array([LIMITS[s][1] for s in self.supports])

    def theta(self, x: FloatArray) -> FloatArray:
        """All parameters (size,) or (..., size) of working vectors (..., f)."""
        out = np.zeros((*x.shape[:-1], self.problem.layout.size))
        out[..., self.free] = from_working(x, self.supports)
        return out

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Value and gradient (f,)."""
        theta = self.theta(x)
        value, gradient = self.problem.evaluate(theta, self.data)
        return value, gradient[self.free] * working_slope(theta[self.free], self.supports)

    def information(self, x: FloatArray, step: float = 1e-5) -> FloatArray:
        """Minus the Hessian (f, f) by central differences of the gradient."""
        size = x.size
        out = np.empty((size, size))
        for i in range(size):
            h = step * max(1.0, abs(x[i]))
            above, below = x.copy(), x.copy()
            above[i] += h
            below[i] -= h
            out[i] = (self(below)[1] - self(above)[1]) / (2 * h)
        return (out + out.T) / 2

    def maximise(self, start: FloatArray, tolerance: float = 1e-7) -> Optimum:
        """Quasi-Newton with bounds, then Newton steps over the entries off their bounds."""
        from scipy.optimize import minimize

        def loss(x: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = self(x)
            return (-value, -gradient) if np.isfinite(value) else (1e12, np.zeros_like(x))

        x = np.clip(start, self.lower, self.upper)
        found = minimize(
            loss, x, jac=True, method="L-BFGS-B",
            bounds=list(zip(self.lower, self.upper, strict=True)),
            options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-12, "gtol": 1e-7, "maxcor": 20},
        )  # fmt: skip
        x = np.clip(found.x, self.lower, self.upper)
        value, gradient = self(x)
        converged = False
        information = self.information(x)
        bound = self._bound(x, gradient)
        for _ in range(25):
            inner = ~bound
            if np.abs(gradient[inner]).max(initial=0.0) < tolerance * max(1.0, abs(value)):
                converged = True
                break
            step = _newton(information[np.ix_(inner, inner)], gradient[inner])
            moved = self._line_search(x, value, inner, step)
            if moved is None:
                # No ascent is possible at this precision: the gradient decides if that is a peak.
                converged = bool(np.abs(gradient[inner]).max() < 1e-4 * max(1.0, abs(value)))
                break
            x, value, gradient = moved
            information = self.information(x)
            bound = self._bound(x, gradient)
        return Optimum(x, value, gradient, information, bound, converged)

    def _bound(self, x: FloatArray, gradient: FloatArray) -> BoolArray:
        low = (x <= self.lower + 1e-10) & (gradient <= 0)
        high = (x >= self.upper - 1e-10) & (gradient >= 0)
        return np.asarray(low | high)

    def _line_search(
        self, x: FloatArray, value: float, inner: BoolArray, step: FloatArray
    ) -> tuple[FloatArray, float, FloatArray] | None:
        for shrink in 0.5 ** np.arange(30):
            trial = x.copy()
            trial[inner] += shrink * step
            trial = np.clip(trial, self.lower, self.upper)
            new, gradient = self(trial)
            if new > value and np.isfinite(new):
                return trial, new, gradient
        return None


def _newton(information: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton step, with negative or vanishing curvature replaced by its size."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-10))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    values = np.maximum(np.abs(values), 1e-9)
    step = vectors @ ((vectors.T @ (gradient / scale)) / values) / scale
    return np.asarray(np.clip(step, -2.0, 2.0))


@dataclass(frozen=True)
class MaximumLikelihood(Engine):
    """Maximum likelihood with draws that stand for the uncertainty of the estimate.

    Inside the parameter space the draws are normal on the working scale, with the observed
    information. Entries that may sit on zero and are within three standard errors of it are drawn
    on their own scale and projected, in the metric of the information, onto the half-space where
    they are not negative: this is the limit law of the estimator near a boundary (Self & Liang
    1987, Journal of the American Statistical Association 82), and what a parametric bootstrap
    gives in large samples, zeros included. A singular information, or `bootstrap` > 0, calls the
    parametric bootstrap itself: simulate, refit, keep the estimates.

    Attributes
    ----------
    draws : int
    starts : int
        How many of the model's starting points are tried; the best maximum wins.
    bootstrap : int
        Number of parametric bootstrap samples; 0 uses the limit law wherever it exists.
    """

    draws: int = 1000
    starts: int = 4
    bootstrap: int = 0
    name = "maximum likelihood"

    @override
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        objective = Objective(problem)
        found = [
            objective.maximise(to_working(start[objective.free], objective.supports))
            for start in problem.starts[: self.starts]
        ]
        best = max(found, key=lambda optimum: optimum.value)
        singular = _singular(best)
        samples = self.bootstrap or (100 if singular else 0)
        if samples:
            x, failed = _refit(objective, best, samples, rng)
            values = from_working(x, objective.supports)
            values = values[rng.integers(len(values), size=self.draws)]
        else:
            values, failed = _limit_law(best, objective.supports, self.draws, rng), 0
        theta = np.zeros((len(values), problem.layout.size))
        theta[:, objective.free] = values
        labels = problem.layout.labels
        return Posterior(
            draws=problem.layout.unpack(theta),
            estimate=problem.layout.unpack(objective.theta(best.x)),
            log_likelihood=float(best.value),
            diagnostics={
                "converged": bool(best.converged),
                "gradient": float(np.abs(best.gradient[~best.bound]).max(initial=0.0)),
                "at_bound": [labels[i] for i in np.flatnonzero(best.bound)],
                "singular": bool(singular),
                "intervals": f"parametric bootstrap of {samples}" if samples else "limit law",
                "bootstrap_failures": failed,
                "optima": [float(optimum.value) for optimum in found],
                "parameters": len(labels),
            },
        )


def _singular(optimum: Optimum) -> bool:
    inner = ~optimum.bound
    information = optimum.information[np.ix_(inner, inner)]
    if not inner.any():
        return False
    diagonal = np.diag(information)
    if not np.all(diagonal > 0):
        return True
    scale = np.sqrt(diagonal)
    smallest = np.linalg.eigvalsh(information / np.outer(scale, scale))[0]
    return bool(smallest < SINGULAR)


def _refit(
    objective: Objective, best: Optimum, samples: int, rng: np.random.Generator
) -> tuple[FloatArray, int]:
    """Estimates (n, f) from series simulated at the maximum, and how many refits failed."""
    problem = objective.problem
    theta = objective.theta(best.x)
    out = []
    for _ in range(samples):
        again = Objective(problem, problem.resample(theta, rng))
        optimum = again.maximise(best.x)
        if np.isfinite(optimum.value):
            out.append(optimum.x)
    return np.array(out or [best.x]), samples - len(out)


def _limit_law(
    best: Optimum, supports: Sequence[str], draws: int, rng: np.random.Generator
) -> FloatArray:
    """Draws (draws, f) of the free entries on their own scale."""
    kinds = np.array(supports)
    zero = kinds == "nonnegative"
    stuck = best.bound & ~zero
    x, information = best.x.copy(), best.information.copy()
    # An entry stuck at a bound of the optimiser that is not one of the model carries no
    # information; it stays where it is, and the diagnostics name it. At zero, an information
    # that is not positive is replaced by the slope, which the multiplier bounds.
    keep = np.flatnonzero(~stuck)
    for i in np.flatnonzero(best.bound & zero):
        if information[i, i] <= 0:
            information[i, :] = information[:, i] = 0.0
            information[i, i] = max(best.gradient[i] ** 2, 1e-8)
    covariance = _inverse(information[np.ix_(keep, keep)])
    error = np.zeros(x.size)
    error[keep] = np.sqrt(np.diag(covariance))
    log_scale = zero & (x > FAR * error) & ~stuck
    slope = np.where(log_scale, x, 1.0)
    centre = np.where(log_scale, np.log(np.where(log_scale, x, 1.0)), x)
    covariance = covariance / np.outer(slope[keep], slope[keep])
    near = zero[keep] & ~log_scale[keep]

    normal = rng.multivariate_normal(np.zeros(keep.size), covariance, draws, method="eigh")
    moved = centre[keep] + normal
    if near.any():
        moved = _project(moved, covariance, near)
    out = np.tile(centre, (draws, 1))
    out[:, keep] = moved
    out[:, log_scale] = np.exp(out[:, log_scale])
    return from_working(out, supports)


def _inverse(information: FloatArray) -> FloatArray:
    scale = np.sqrt(np.maximum(np.diag(information), 1e-12))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    values = np.maximum(values, SINGULAR)
    return np.asarray((vectors / values) @ vectors.T / np.outer(scale, scale))


def _project(points: FloatArray, covariance: FloatArray, near: BoolArray) -> FloatArray:
    """Nearest points, in the metric of the inverse covariance, with the near entries >= 0."""
    inside = np.flatnonzero(near)
    block = covariance[np.ix_(inside, inside)]
    precision = np.linalg.inv(block)
    target = points[:, inside]
    solution = np.maximum(target, 0.0)
    for _ in range(500):
        before = solution.copy()
        for i in range(inside.size):
            pull = (solution - target) @ precision[:, i]
            solution[:, i] = np.maximum(0.0, solution[:, i] - pull / precision[i, i])
        if np.abs(solution - before).max() < 1e-10:
            break
    out = points + (solution - target) @ precision @ covariance[inside]
    out[:, inside] = solution
    return out
