"""The density of a model's scales, with its paths integrated out by Laplace's approximation.

Paths are the parameters with a normal prior, scales all others: `nested` finds and draws these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from escalation.engines.base import Problem
from escalation.parameters import FloatArray, WorkingScale
from escalation.priors import Normal

#: Step of differences by the scales, on the working scale.
STRIDE = 1e-2
#: A climb of the paths ends where a Newton step would raise the density by less.
SETTLED = 1e-6
#: Steps with the curvature of a mode nearby, before that of the place itself is asked for.
CHORDS = 8
#: Farthest that a scale or memory may go on the working scale (logs and logits).
LIMITS = (-12.0, 6.0)

type Root = tuple[FloatArray, ...]


@dataclass(frozen=True)
class Peak:
    """The paths' mode given the scales.

    Attributes
    ----------
    scales : ndarray (s,)
        On the working scale.
    theta : ndarray (p,)
        All parameters, the paths at their mode.
    root : tuple of ndarray (m, m)
        Lower Cholesky factor of the paths' information, a block for each separate part of them;
        none where it is not known.
    value : float
        Laplace's approximation of the log marginal density.
    settled : bool
        Whether the mode was reached.
    """

    scales: FloatArray
    theta: FloatArray
    root: Root
    value: float
    settled: bool


class Marginal(ABC):
    """Log marginal posterior density of a model by the parameters without a normal prior.

    These are called scales here, the others, which are integrated out, paths.

    Parameters
    ----------
    problem : Problem

    Attributes
    ----------
    paths : ndarray of int (n,)
        Places of the paths among all parameters, those of a block side by side.
    places : ndarray of int (s,)
        Places of the scales.
    labels : list of str
        Of the scales.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        layout = problem.layout
        laws = [(p.prior.at(p.mask), int(p.mask.sum())) for p in layout.parameters]
        inside = np.concatenate([np.full(n, isinstance(law, Normal), bool) for law, n in laws])
        self.paths, self.places = layout.free[inside], layout.free[~inside]
        supports = [s for s, one in zip(layout.supports, inside, strict=True) if not one]
        self.labels = [s for s, one in zip(layout.labels, inside, strict=True) if not one]
        self.scale = WorkingScale(tuple("positive" if s == "nonnegative" else s for s in supports))
        normal = [(law, n) for law, n in laws if isinstance(law, Normal)]
        self.middle = np.concatenate([np.broadcast_to(law.mean, n) for law, n in normal])
        self.precision = np.concatenate([np.broadcast_to(law.sd, n) for law, n in normal]) ** -2.0

    @abstractmethod
    def held(self, theta: FloatArray) -> Any:
        """What `root` needs that depends on the scales alone."""

    @abstractmethod
    def root(self, theta: FloatArray, held: Any) -> Root:
        """Lower Cholesky factors of the paths' information at a vector (p,), a block each."""

    def carried(self, scales: FloatArray, near: Peak) -> FloatArray:
        """All parameters (p,) at new scales, from which the paths' mode is looked for."""
        theta = near.theta.copy()
        theta[self.places] = self.scale.back(scales)
        return theta

    def start(self, theta: FloatArray) -> FloatArray:
        """Working vector (s,) of the scales among all parameters."""
        return np.clip(self.scale.to(theta[self.places]), *LIMITS)

    def _density(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Log-likelihood and prior of the paths (no constants), and its slopes (n,) by them."""
        value, gradient = self.problem.evaluate(theta)
        away = theta[self.paths] - self.middle
        pull = self.precision * away
        return value - 0.5 * float(pull @ away), gradient[self.paths] - pull

    def peak(self, scales: FloatArray, near: Peak) -> Peak:
        """The paths' mode at given scales, from the mode at others, by Newton steps."""
        theta = self.carried(scales, near)
        value, slope = self._density(theta)
        if not np.isfinite(value):
            theta[self.paths] = self.problem.starts[0][self.paths]
            value, slope = self._density(theta)
        settled, shrink, held = False, 1.0, self.held(theta)
        theta, value, slope = self._approached(theta, value, slope, near.root)
        root = self.root(theta, held)
        for _ in range(60):
            step = solved(root, slope)
            rise = float(step @ slope)
            settled = rise < SETTLED
            if settled or shrink < 1e-4:
                break
            trial = theta.copy()
            trial[self.paths] += shrink * step
            new, by = self._density(trial)
            if new > value - 1e-9 * (1 + abs(value)):
                theta, value, slope, shrink = trial, new, by, 1.0
                root = self.root(theta, held)
            else:
                shrink *= 0.3
        away = theta[self.paths] - self.middle
        prior = self.problem.layout.penalty(theta, True)[0]
        integral = value + prior + 0.5 * float(self.precision @ away**2)
        integral += self.scale.jacobian(theta[self.places])[0]
        integral += 0.5 * self.paths.size * np.log(2 * np.pi)
        integral -= sum(np.log(np.diag(block)).sum() for block in root)
        if not np.isfinite(integral):
            integral = -np.inf
        return Peak(scales, theta, root, float(integral), settled)

    def _approached(
        self, theta: FloatArray, value: float, slope: FloatArray, root: Root
    ) -> tuple[FloatArray, float, FloatArray]:
        """Nearer the paths' mode, by steps that cost a gradient and no curvature."""
        left = np.inf
        for _ in range(CHORDS if root else 0):
            step = solved(root, slope)
            rise = float(step @ slope)
            if not SETTLED < rise < 0.5 * left:
                break
            trial = theta.copy()
            trial[self.paths] += step
            new, by = self._density(trial)
            if not new > value:
                break
            theta, value, slope, left = trial, new, by, rise
        return theta, value, slope

    def slopes(self, peak: Peak) -> FloatArray:
        """Slopes (s,) of the marginal density by the scales; by differences, unless overridden."""
        return np.array([self.difference(peak, i) for i in range(peak.scales.size)])

    def difference(self, peak: Peak, i: int) -> float:
        """Slope of the marginal density by one scale, by differences."""
        step = STRIDE * (np.arange(peak.scales.size) == i)
        ends = [self.peak(peak.scales + s, peak).value for s in (step, -step)]
        return (ends[0] - ends[1]) / (2 * STRIDE)

    def drawn(
        self, peak: Peak, number: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """All parameters (n, p), the paths from the normal law about their mode.

        With each the log (n,) of its posterior density over that by the normal law, as if the
        marginal density of its scales were that of the peak.
        """
        from scipy.linalg.lapack import dtrtrs

        theta = np.tile(peak.theta, (number, 1))
        normal = rng.standard_normal((self.paths.size, number))
        theta[:, self.paths] += np.concatenate([
            dtrtrs(block, part, lower=1, trans=1)[0]
            for block, part in zip(peak.root, _parts(peak.root, normal), strict=True)
        ]).T  # fmt: skip
        # A rate beyond all numbers has no density.
        with np.errstate(over="ignore", invalid="ignore"):
            ratios = np.array([self._density(one)[0] for one in theta])
        return theta, ratios - self._density(peak.theta)[0] + 0.5 * np.sum(normal**2, axis=0)


def definite_root(information: FloatArray, least: float) -> FloatArray:
    """Lower Cholesky factor (m, m); eigenvalues below zero count by their size, at least `least`.

    Parameters
    ----------
    information : ndarray (m, m)
    least : float
    """
    try:
        return np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(information)
        raised = (vectors * np.maximum(np.abs(values), least)) @ vectors.T
        return np.linalg.cholesky((raised + raised.T) / 2)


def _parts(root: Root, vector: FloatArray) -> list[FloatArray]:
    """Pieces of a vector (n,), or of several (n, m), one a block."""
    return np.split(vector, np.cumsum([len(block) for block in root])[:-1])


def solved(root: Root, right: FloatArray) -> FloatArray:
    """Solution (n,) of a linear system by the lower Cholesky factors of its blocks."""
    # Not cho_solve: of small systems its checks take most of the time.
    from scipy.linalg.lapack import dpotrs

    return np.concatenate([
        dpotrs(block, part, lower=1)[0]
        for block, part in zip(root, _parts(root, right), strict=True)
    ])  # fmt: skip
