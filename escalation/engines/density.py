"""The log-posterior of a problem as a sampler sees it: compiled, in standardised coordinates.

One mode and the curvature there give a linear map after which the posterior resembles a standard
normal law. What such a map cannot straighten, `escalation.engines.coordinates` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from escalation.engines.base import Problem
from escalation.engines.centring import to_deviations, to_slopes
from escalation.engines.coordinates import Coordinates
from escalation.engines.mixing import to_coordinates, to_parameters
from escalation.parameters import FloatArray

#: Above so many coordinates the metric is diagonal.
DENSE = 1000
#: A mode this much lower than the highest (in the log-density) is no place to start a chain.
LOWER = 10.0
#: Steps of the search for the mode.
CLIMB = 300


@dataclass(frozen=True)
class Metric:
    """What makes the posterior look like a standard normal law.

    Attributes
    ----------
    centre : ndarray (d,)
    root : ndarray (d, d) or (1, d)
        Lower triangular root of the covariance, or the standard deviations.
    """

    centre: FloatArray
    root: FloatArray

    @classmethod
    def of(cls, centre: FloatArray, covariance: FloatArray) -> Metric:
        """The metric of a covariance (d, d)."""
        if centre.size > DENSE:
            return cls(centre, np.sqrt(np.diag(covariance))[None])
        return cls(centre, np.linalg.cholesky(covariance))

    def to_x(self, z: FloatArray) -> FloatArray:
        """Coordinates of standardised positions (..., d)."""
        if len(self.root) == 1 and self.centre.size > 1:
            return np.asarray(self.centre + z * self.root[0])
        return np.asarray(self.centre + z @ self.root.T)

    def to_z(self, x: FloatArray) -> FloatArray:
        """Standardised positions of coordinates (d,)."""
        if len(self.root) == 1 and self.centre.size > 1:
            return np.asarray((x - self.centre) / self.root[0])
        return np.linalg.solve(self.root, x - self.centre)


class Density:
    """The log-posterior over the coordinates of a problem; each thread has one of its own."""

    def __init__(self, problem: Problem, coordinates: Coordinates) -> None:
        data = {"constants": problem.constants, **problem.data}
        constants = np.asarray(data.pop("constants"))
        size, groups = coordinates.free, np.ascontiguousarray(problem.groups)
        self.coordinates = coordinates
        self.core, self.shape = problem.core, problem.shape
        self.arrays = (*data.values(), *problem.structure)
        self.groups = groups
        self.x, self.by_x, self.by_z = np.zeros(size), np.zeros(size), np.zeros(size)
        self.theta = np.zeros(coordinates.size)
        self.mixture = np.zeros((2, coordinates.arrays[2].size))
        self.inner = np.zeros(groups.shape)
        self.kept = np.empty((size, 2))
        streams = int(coordinates.arrays[-1][1])
        self.powers = np.empty((2, streams, streams))
        self.kernels = [
            (self.inner[g], constants[g] if constants.ndim == 2 else constants)
            for g in range(len(groups))
        ]
        self.several: tuple[FloatArray, FloatArray] | None = None
        self.use(Metric(np.zeros(size), np.ones((1, size))))

    def use(self, metric: Metric) -> None:
        """Take standardised positions of that metric from now on."""
        first, part, offset, contrasts, owner, other, laws, joint = self.coordinates.arrays
        self._forth = (
            metric.centre, metric.root, self.x, self.theta, self.mixture, self.inner, self.groups,
            first, part, offset, contrasts, owner, other,
        )  # fmt: skip
        self._back = (
            self.groups, self.x, self.theta, self.mixture, metric.root, self.by_x, self.by_z,
            first, part, contrasts, owner, other, laws, joint, self.powers,
        )  # fmt: skip

    def __call__(self, z: FloatArray) -> float:
        """Log-posterior at a standardised position, up to a constant; fills `by_z`."""
        to_parameters(z, *self._forth)
        if len(self.kernels) == 1:
            own, jacobian = self.shape(*self.kernels[0])
            values, jacobians = own[None], jacobian[None]
        else:
            values, jacobians = self._several()
        centring, volume = self.coordinates.centred, 0.0
        if centring is not None:
            volume = to_deviations(self.theta, self.kept, *centring.arrays)
        value, by_theta, by_values = self.core(self.theta, values, *self.arrays)
        if centring is not None:
            value += volume + to_slopes(self.theta, by_theta, self.kept, *centring.arrays)
        if self.coordinates.slow:
            value += self.coordinates.slow_priors(self.theta, by_theta)
        found: float = to_coordinates(value, by_theta, by_values, jacobians, *self._back)
        return found

    def plain(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Log-posterior at coordinates x, and its gradient, while the metric is the first one."""
        return self(x), self.by_z.copy()

    def _several(self) -> tuple[FloatArray, FloatArray]:
        found = [self.shape(*one) for one in self.kernels]
        if self.several is None:
            own, jacobian = found[0]
            number = len(found)
            self.several = np.empty((number, *own.shape)), np.empty((number, *jacobian.shape))
        values, jacobians = self.several
        for g, (own, jacobian) in enumerate(found):
            values[g], jacobians[g] = own, jacobian
        return values, jacobians


def modes(density: Density, problem: Problem) -> list[tuple[FloatArray, float]]:
    """Where a climb from each of the problem's starts ends, and how high that is."""
    out = []
    for theta in problem.starts[:3]:
        x, value = climb(density.plain, density.coordinates.to(theta))
        if np.isfinite(value):
            out.append((x, value))
    if not out:
        raise ValueError("the log-posterior is not finite at any starting point of the model")
    return out


def climb(
    density: Callable[[FloatArray], tuple[float, FloatArray]], x: FloatArray
) -> tuple[FloatArray, float]:
    """A maximum by quasi-Newton steps (BFGS) with halved steps, and its value."""
    value, gradient = density(x)
    inverse = np.eye(x.size) / max(1.0, float(np.abs(gradient).max()))
    for _ in range(CLIMB):
        direction = inverse @ gradient
        rise = float(gradient @ direction)
        if not rise > 1e-4:
            break
        longest = float(np.abs(direction).max())
        step = min(1.0, 3.0 / longest)
        for _ in range(25):
            there = x + step * direction
            higher, slope = density(there)
            if np.isfinite(slope).all() and higher > value + 1e-4 * step * rise:
                break
            step *= 0.4
        else:
            break
        moved, change = there - x, gradient - slope
        x, value, gradient = there, higher, slope
        along = float(moved @ change)
        if along > 1e-12:
            side = inverse @ change
            factor = (1 + float(change @ side) / along) / along
            inverse = (
                inverse
                + factor * np.outer(moved, moved)
                - (np.outer(side, moved) + np.outer(moved, side)) / along
            )
    return x, value


def covariance_at(density: Density, mode: FloatArray) -> FloatArray:
    """Inverse of minus the Hessian at a mode, directions without curvature made standard."""
    size = mode.size
    step = 1e-4
    hessian = np.empty((size, size))
    for i in range(size):
        shift = step * (np.arange(size) == i)
        hessian[i] = (density.plain(mode - shift)[1] - density.plain(mode + shift)[1]) / (2 * step)
    hessian = 0.5 * (hessian + hessian.T)
    if not np.isfinite(hessian).all():
        return np.eye(size)
    # Scaled, so that a direction is judged by itself and not by its unit.
    scale = np.sqrt(np.maximum(np.diag(hessian), 1e-2))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    values = np.where(values > 1e-3, values, 1.0)
    return np.asarray((vectors / values) @ vectors.T / np.outer(scale, scale))


def learned(x: FloatArray, covariance: FloatArray) -> Metric:
    """The metric of draws (n, d), drawn a little towards a first guess of the covariance."""
    centre = x.mean(axis=0)
    size = centre.size
    if size > DENSE:
        variance = (len(x) * x.var(axis=0) + 10 * np.diag(covariance)) / (len(x) + 10)
        return Metric(centre, np.sqrt(variance)[None])
    sample = np.cov(x, rowvar=False).reshape(size, size)
    weight = len(x) / (len(x) + size)
    return Metric.of(centre, weight * sample + (1 - weight) * covariance)
