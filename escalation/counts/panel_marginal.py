"""The population of a panel with its units integrated out, and draws of both.

The joint maximum of a spread and of the deviations that it multiplies means nothing: it runs to the
largest spread that the prior allows. Here the deviations z of each unit are integrated out by
Laplace's approximation, one small integral a unit, and the population is found by the integral
(as `escalation.counts.random_scales` does for one scale at a time on a grid).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from escalation.engines import Problem
from escalation.engines.optimum import inverse
from escalation.parameters import FloatArray, WorkingScale

IntArray = NDArray[np.int64]

#: Step of differences by the population's parameters, and of differences of these.
STEP, STRIDE = 1e-4, 1e-3
#: A unit's climb ends where a Newton step would raise it by less.
SETTLED = 1e-16
#: Climbs to the population, and the slope (in rough standard errors) that needs no further one.
ROUNDS, CLOSE = 3, 0.1
#: Curvature of a unit below this (the prior's alone is one) is taken as this.
LEAST = 0.1


@dataclass(frozen=True)
class Units:
    """Log-density of each unit's counts and deviations at one point, with derivatives by them.

    Attributes
    ----------
    value : ndarray (U,)
    slope : ndarray (U, m)
    information : ndarray (U, m, m)
        Minus the second derivatives.
    by_effects, bend : ndarray (U, m), (U, m, m)
        Derivatives of the log-likelihood alone, by the effects.
    """

    value: FloatArray
    slope: FloatArray
    information: FloatArray
    by_effects: FloatArray
    bend: FloatArray

    @cached_property
    def roots(self) -> tuple[FloatArray, FloatArray]:
        """Eigenvalues (U, m) of the information, none below `LEAST`, and the vectors (U, m, m)."""
        values, vectors = np.linalg.eigh(self.information)
        return np.maximum(np.abs(values), LEAST), vectors

    def solve(self, right: FloatArray) -> FloatArray:
        """Inverse information times vectors (U, m, q)."""
        values, vectors = self.roots
        return np.asarray(vectors @ ((vectors.swapaxes(1, 2) @ right) / values[:, :, None]))

    @property
    def step(self) -> FloatArray:
        """Newton step (U, m)."""
        return self.solve(self.slope[:, :, None])[:, :, 0]

    @property
    def integral(self) -> float:
        """Laplace's approximation of the log of the integral over all deviations.

        Near a maximum: what a Newton step would rise by is added.
        """
        gain = 0.5 * float((self.slope * self.step).sum())
        return float(self.value.sum()) + gain - 0.5 * float(np.log(self.roots[0]).sum())


@dataclass(frozen=True)
class Peak:
    """Deviations (U, m) at their mode given the population, and the derivatives there."""

    deviations: FloatArray
    units: Units


class Marginal:
    """Log-probability of a panel's counts by the parameters that are no unit's own.

    Parameters
    ----------
    problem : Problem
        Its structure begins with the places of mean, spread and deviation of the effects.
    curvature : callable
        Compiled: log-likelihood of each unit with two derivatives by its effects.
    posterior : bool
        Add priors and Jacobian; spreads are then logs on the working scale.
    """

    def __init__(self, problem: Problem, curvature: Callable[..., Any], posterior: bool) -> None:
        self.problem, self.curvature, self.posterior = problem, curvature, posterior
        self.mean, self.spread, self.deviation = problem.structure[:3]
        layout = problem.layout
        own = np.isin(layout.free, self.deviation)
        self.places = layout.free[~own]
        supports = [s for s, mine in zip(layout.supports, own, strict=True) if not mine]
        self.labels = [s for s, mine in zip(layout.labels, own, strict=True) if not mine]
        if posterior:
            supports = ["positive" if s == "nonnegative" else s for s in supports]
        self.scale = WorkingScale(tuple(supports))
        self.latest: FloatArray = problem.starts[0][self.deviation]

    @cached_property
    def shared(self) -> IntArray:
        """Positions among the population's parameters of those that are no mean and no spread."""
        return np.flatnonzero(~np.isin(self.places, [*self.mean, *self.spread]))

    def start(self, theta: FloatArray) -> FloatArray:
        """Working vector (f,) of the population's part of all parameters."""
        return self.scale.to(theta[self.places])

    def theta(self, x: FloatArray, deviations: FloatArray) -> FloatArray:
        """All parameters (size,)."""
        out = np.zeros(self.problem.layout.size)
        out[self.places] = self.scale.back(x)
        out[self.deviation] = deviations
        return out

    def units(self, x: FloatArray, deviations: FloatArray) -> Units:
        """Each unit's log-density and derivatives."""
        theta = self.theta(x, deviations)
        values, _ = self.problem.kernels(theta)
        value, slope, bend = self.curvature(
            theta, values, *self.problem.data.values(), *self.problem.structure
        )
        spread = theta[self.spread]
        information = np.eye(spread.size) - spread[:, None] * bend * spread
        broken = ~(np.isfinite(value) & np.isfinite(bend).all(axis=(1, 2)))
        value = np.where(broken, -np.inf, value) - 0.5 * np.square(deviations).sum(axis=1)
        information[broken] = np.eye(spread.size)
        return Units(value, spread * slope - deviations, information, slope, bend)

    def peak(self, x: FloatArray, begin: FloatArray | None = None) -> Peak:
        """The deviations' modes, by Newton steps of all units at once."""
        z = (self.latest if begin is None else begin).copy()
        now = self.units(x, z)
        lost = ~np.isfinite(now.value)
        if lost.any():
            z[lost] = 0.0
            now = self.units(x, z)
        shrink = np.ones(len(z))
        for _ in range(60):
            step = now.step
            rise = (step * now.slope).sum(axis=1)
            active = (rise > SETTLED) & (shrink > 1e-4)
            if not active.any():
                break
            reach = np.minimum(1.0, 3.0 / np.maximum(np.abs(step).max(axis=1), 1e-12))
            trial = z + (active * shrink * reach)[:, None] * step
            new = self.units(x, trial)
            with np.errstate(invalid="ignore"):
                better = new.value > now.value - 1e-9 * (1 + np.abs(now.value))
            shrink = np.where(better, 1.0, 0.3 * shrink)
            z = np.where(better[:, None], trial, z)
            now = Units(*(_chosen(better, a, b) for a, b in zip(_of(new), _of(now), strict=True)))
        self.latest = z
        return Peak(z, now)

    def derivatives(self, x: FloatArray, peak: Peak) -> tuple[FloatArray, FloatArray]:
        """Gradient (f,) at a peak, and derivatives (U, m, f) of the deviations' modes.

        By differences along the means, which move the effects, and along what is no mean and no
        spread; the rest is the chain rule.
        """
        z, now = peak.deviations, peak.units
        theta = self.theta(x, z)
        spread, bend = theta[self.spread], now.bend
        sizes = self.scale.slope(theta[self.places])
        units, number = z.shape
        # Of each parameter: how the effects move with it at fixed deviations, ...
        effects = np.zeros((units, number, x.size))
        # ... the slopes by the deviations and the second derivatives, and the value.
        slopes, bends = np.zeros(effects.shape), np.zeros((units, number, number, x.size))
        gradient = np.zeros(x.size)
        third = np.zeros((units, number, number, number))
        for c in range(number):
            mean, scale = self.at(self.mean[c]), self.at(self.spread[c])
            high, low = (self.units(self._moved(x, mean, side * STEP), z) for side in (1, -1))
            third[..., c] = (high.bend - low.bend) / (2 * STEP)
            for at, by in ((mean, np.ones(units)), (scale, z[:, c] * sizes[scale])):
                effects[:, c, at] = by
                slopes[:, :, at] = spread * bend[:, :, c] * by[:, None]
                gradient[at] = now.by_effects[:, c] @ by
            slopes[:, c, scale] += now.by_effects[:, c] * sizes[scale]
        for at in self.shared:
            high, low = (self.units(self._moved(x, at, side * STEP), z) for side in (1, -1))
            slopes[:, :, at] = (high.slope - low.slope) / (2 * STEP)
            bends[..., at] = (high.bend - low.bend) / (2 * STEP)
            gradient[at] = (high.value - low.value).sum() / (2 * STEP)
        moves = now.solve(slopes)
        bends += np.einsum("uabc,ucf->uabf", third, effects + spread[:, None] * moves)
        bends *= spread[:, None, None] * spread[:, None]
        for c in range(number):
            scale = self.at(self.spread[c])
            along = spread * bend[:, c] * sizes[scale]
            bends[:, c, :, scale] += along
            bends[:, :, c, scale] += along
        inside = now.solve(np.broadcast_to(np.eye(number), bend.shape))
        gradient += 0.5 * np.einsum("uab,uabf->f", inside, bends)
        return gradient + self._prior(x)[1], moves

    def at(self, place: int) -> int:
        """Position among the population's parameters of a place in theta."""
        return int(np.flatnonzero(self.places == place)[0])

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Log marginal density and its gradient (f,)."""
        value, peak = self.value(x)
        if not np.isfinite(value):
            return -np.inf, np.zeros(x.size)
        return value, self.derivatives(x, peak)[0]

    def value(self, x: FloatArray) -> tuple[float, Peak]:
        """Log marginal density, and the peak that it was found at."""
        peak = self.peak(x)
        value = peak.units.integral + float(self.problem.data["constant"][0])
        return value + self._prior(x)[0], peak

    def information(self, x: FloatArray, gradient: FloatArray) -> FloatArray:
        """Minus the second derivatives (f, f), by differences of the gradient (f,)."""
        begin = self.latest
        out = np.empty((x.size, x.size))
        for i in range(x.size):
            self.latest = begin
            out[i] = (gradient - self(self._moved(x, i, STRIDE))[1]) / STRIDE
        self.latest = begin
        return np.asarray((out + out.T) / 2)

    def guess(self, x: FloatArray) -> FloatArray:
        """Rough standard errors (f,) of the population's parameters."""
        peak = self.peak(x)
        theta = self.theta(x, peak.deviations)
        sizes = self.scale.slope(theta[self.places])
        curve = np.ones(x.size)
        for c, spread in enumerate(theta[self.spread]):
            known = np.maximum(-peak.units.bend[:, c, c], 1e-6)
            total = spread**2 + 1 / known
            scale = self.at(self.spread[c])
            curve[self.at(self.mean[c])] = (1 / total).sum()
            curve[scale] = 2 * (spread**2 / total**2).sum() * sizes[scale] ** 2
        for at in self.shared:
            ends = [
                self.units(self._moved(x, at, side * STRIDE), peak.deviations).value.sum()
                for side in (-1, 0, 1)
            ]
            curve[at] = (2 * ends[1] - ends[0] - ends[2]) / STRIDE**2
        return 1 / np.sqrt(np.maximum(np.abs(curve), 1.0))

    def _prior(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Log-priors that have a part in the density, and their gradient (f,)."""
        theta = self.theta(x, np.zeros(self.deviation.shape))
        value, gradient = self.problem.layout.penalty(theta, self.posterior)
        gradient = gradient[self.places] * self.scale.slope(theta[self.places])
        if not self.posterior:
            return value, gradient
        # The deviations' own prior is in the units' values already.
        value += 0.5 * np.log(2 * np.pi) * self.deviation.size
        jacobian, slope = self.scale.jacobian(theta[self.places])
        return value + jacobian, gradient + slope

    @staticmethod
    def _moved(x: FloatArray, at: int, by: float) -> FloatArray:
        out = x.copy()
        out[at] += by
        return out


def _of(units: Units) -> tuple[FloatArray, ...]:
    return units.value, units.slope, units.information, units.by_effects, units.bend


def _chosen(better: NDArray[np.bool_], new: FloatArray, old: FloatArray) -> FloatArray:
    return np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)


@dataclass(frozen=True)
class Summit:
    """The most probable population, and the normal law about it.

    Attributes
    ----------
    x, gradient : ndarray (f,)
    value : float
    information : ndarray (f, f)
    peak : Peak
    moves : ndarray (U, m, f)
    """

    x: FloatArray
    value: float
    gradient: FloatArray
    information: FloatArray
    peak: Peak
    moves: FloatArray

    @property
    def covariance(self) -> FloatArray:
        """Of the population's parameters (f, f), on the working scale."""
        return inverse(self.information)


def summit(marginal: Marginal) -> Summit:
    """Climb the marginal density from the problem's first start."""
    x = marginal.start(marginal.problem.starts[0])
    for _ in range(ROUNDS):
        x, gradient, error = _climbed(marginal, x)
        if np.abs(gradient * error).max() < CLOSE:
            break
    if not marginal.posterior:
        # The density is even in a spread.
        x = np.where(marginal.scale.nonnegative, np.abs(x), x)
    value, peak = marginal.value(x)
    gradient, moves = marginal.derivatives(x, peak)
    return Summit(x, value, gradient, marginal.information(x, gradient), peak, moves)


def _climbed(marginal: Marginal, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Where a climb from x (f,) ends, the gradient there, and the units of its steps."""
    from escalation.engines.density import climb

    error = marginal.guess(x)

    def along(y: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = marginal(x + error * y)
        return value, error * gradient

    there = x + error * climb(along, np.zeros(x.size))[0]
    return there, marginal(there)[1], error
