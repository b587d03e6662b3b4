"""Nested Laplace approximations: many normal parameters integrated out, few others weighted.

The joint maximum of a scale and of the moves that it multiplies means nothing: it runs to the edge.
Nor does that of what competes with a path for the same counts: the mode of a path of a hundred
moves takes all that it can. Here whatever has a normal prior is integrated out by Laplace's
approximation at each value of the few other parameters, which are then found, and drawn, by that
integral (Rue, Martino & Chopin 2009, Journal of the Royal Statistical Society B 71(2)).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, override

import numpy as np

from escalation.engines.base import IntArray, Posterior, Problem
from escalation.engines.laplace import Laplace
from escalation.engines.loo import importance_weights
from escalation.engines.optimum import SINGULAR
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
#: Least information that a scale is taken to have, on the working scale: its prior has more.
LEAST = 0.25
#: Scales that draws are made of, and degrees of freedom of the law that proposes them. Of more
#: than `MANY` scales: as many degrees as scales, for heavy tails lie far out in many dimensions.
POINTS, FREEDOM, MANY = 200, 5.0, 10
#: Weights that come down to fewer effective points are taken to a power below one.
EFFECTIVE = 40.0
#: Paths that are drawn for each that is kept, the fewest of them, and the share of the kept that
#: their weights must be worth, lest these are taken to a power below one.
TIMES, FEWEST, WORTH = 4, 400, 0.5
#: Where the width of the density is measured, in standard errors.
ASIDE = 1.5
#: A slope of the marginal density, in standard errors of a scale, that says nothing.
FLAT = 0.1

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


@dataclass(frozen=True)
class Summit:
    """The most probable scales, and the normal law about them.

    Attributes
    ----------
    peak : Peak
    gradient : ndarray (s,)
    covariance : ndarray (s, s)
        On the working scale.
    least : float
        Smallest eigenvalue of the information, of which the covariance takes at least `LEAST`.
    """

    peak: Peak
    gradient: FloatArray
    covariance: FloatArray
    least: float = np.inf

    def diagnostics(self, marginal: Marginal) -> dict[str, Any]:
        """Whether it was reached, how flat it is, and which scales sit on a limit."""
        error = np.sqrt(np.diag(self.covariance))
        steep = float(np.abs(self.gradient * np.minimum(error, 1.0)).max(initial=0.0))
        stuck = np.abs(self.peak.scales[:, None] - LIMITS).min(axis=1, initial=np.inf) < STRIDE
        return {
            "converged": bool(steep < FLAT and self.peak.settled),
            "gradient": steep,
            "at_bound": [marginal.labels[i] for i in np.flatnonzero(stuck)],
            "singular": self.least < SINGULAR,
            "marginal_log_density": self.peak.value,
        }


def summit(marginal: Marginal) -> Summit:
    """Climb the marginal density from the problem's first start."""
    from scipy.optimize import minimize

    theta = marginal.problem.starts[0]
    scales = marginal.start(theta)
    first = Peak(scales, theta, (), -np.inf, False)
    latest = [marginal.peak(scales, first)]
    if not scales.size:
        return Summit(latest[0], np.zeros(0), np.zeros((0, 0)))

    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        here = marginal.peak(x, latest[0])
        if not np.isfinite(here.value):
            return 1e10, np.zeros(x.size)
        latest[0] = here
        return -here.value, -marginal.slopes(here)

    found = minimize(
        loss, scales, jac=True, method="L-BFGS-B", bounds=[LIMITS] * scales.size,
        options={"maxiter": 60, "ftol": 1e-7, "gtol": 1e-3},
    )  # fmt: skip
    best = marginal.peak(np.asarray(found.x), latest[0])
    gradient = marginal.slopes(best)
    size = best.scales.size
    information = np.empty((size, size))
    for i in range(size):
        step = 5 * STRIDE * (np.arange(size) == i)
        ends = [marginal.slopes(marginal.peak(best.scales + s, best)) for s in (step, -step)]
        information[i] = (ends[1] - ends[0]) / (10 * STRIDE)
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    covariance = (vectors / np.maximum(values, LEAST)) @ vectors.T
    return Summit(best, gradient, covariance, float(values[0]))


@dataclass(frozen=True)
class Proposed:
    """Modes of the paths at several scales.

    Attributes
    ----------
    points : list of Peak
    weights : ndarray (n,)
        Summing to one.
    shape : float
        Pareto shape of the weights.
    power : float
        To which the weights were taken; 1 where enough of them count.
    evidence : float
        Log of the integral of the marginal density.
    """

    points: list[Peak]
    weights: FloatArray
    shape: float
    power: float
    evidence: float


def _proposed(marginal: Marginal, best: Summit, number: int, rng: np.random.Generator) -> Proposed:
    from scipy.special import gammaln, logsumexp

    size = best.peak.scales.size
    values, vectors = np.linalg.eigh(best.covariance)
    root = vectors * np.sqrt(values)
    wide = np.array([[_reach(marginal, best, side * axis) for axis in root.T] for side in (-1, 1)])
    normal = rng.standard_normal((number, size))
    freedom = FREEDOM if size <= MANY else float(size)
    student = normal * np.sqrt(freedom / rng.chisquare(freedom, (number, 1)))
    points, ratios = [], np.empty(number)
    for i, y in enumerate(student):
        own = np.where(y > 0, wide[1], wide[0])
        points.append(marginal.peak(best.peak.scales + root @ (own * y), best.peak))
        # A side is taken as often as the other, however wide.
        ratios[i] = points[-1].value + 0.5 * (freedom + size) * np.log1p(y @ y / freedom)
        ratios[i] += np.log(own).sum()
    constant = gammaln((freedom + size) / 2) - gammaln(freedom / 2)
    constant -= 0.5 * (size * np.log(freedom * np.pi) + np.log(values).sum())
    evidence = float(logsumexp(ratios) - np.log(number) - constant)
    weights, shape = importance_weights(ratios)
    weights, power = tempered(weights, min(EFFECTIVE, 0.5 * number))
    return Proposed(points, weights, shape, power, evidence)


def tempered(weights: FloatArray, effective: float) -> tuple[FloatArray, float]:
    """Weights (n,) to the largest power up to one that leaves so many effective points, and it.

    Between the weights, whose few points say nothing of a spread, and none, which take the law that
    proposed the points as it is.

    References
    ----------
    Koblents & Miguez (2015), Statistics and Computing 25, for the powers.
    """
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    effective = min(effective, float(np.count_nonzero(weights)))

    def to(power: float) -> FloatArray:
        # What weighs nothing does so to every power.
        out = np.where(weights > 0, np.exp(power * (logs - logs.max())), 0.0)
        return np.asarray(out / out.sum())

    if 1 / np.sum(weights**2) >= effective * (1 - 1e-9):
        return weights, 1.0
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        if 1 / np.sum(to(middle) ** 2) >= effective:
            low = middle
        else:
            high = middle
    return to(low), low


def _reach(marginal: Marginal, best: Summit, axis: FloatArray) -> float:
    """How many times wider than the normal law the density is along an axis (s,), to one side.

    As in the integration of Rue, Martino & Chopin (2009), section 6.5.
    """
    fall = best.peak.value - marginal.peak(best.peak.scales + ASIDE * axis, best.peak).value
    return float(np.clip(ASIDE / np.sqrt(2 * max(fall, 1e-9)), 0.5, 3.0))


def _paths(
    marginal: Marginal, found: Proposed, draws: int, rng: np.random.Generator
) -> tuple[FloatArray, float, float]:
    """Draws (n, p) of all parameters, the Pareto shape of their weights, and the power of these."""
    times = rng.multinomial(max(TIMES * draws, FEWEST), found.weights)
    parts = [
        marginal.drawn(peak, int(number), rng)
        for peak, number in zip(found.points, times, strict=True)
        if number
    ]
    theta, ratios = (np.concatenate(part) for part in zip(*parts, strict=True))
    weights, shape = importance_weights(ratios)
    weights, power = tempered(weights, WORTH * draws)
    return theta[resampled(weights, draws, rng)], shape, power


def resampled(weights: FloatArray, number: int, rng: np.random.Generator) -> IntArray:
    """Rows (number,) in random order, each as often as its weight (n,) says, up to rounding.

    References
    ----------
    Carpenter, Clifford & Fearnhead (1999), IEE Proceedings - Radar, Sonar and Navigation 146(1),
    for systematic resampling.
    """
    whole = np.cumsum(weights)
    places = (rng.random() + np.arange(number)) / number
    return rng.permutation(np.searchsorted(whole / whole[-1], places, side="right"))


def nested(marginal: Marginal, draws: int, rng: np.random.Generator) -> Posterior:
    """Draws of all parameters by nested Laplace approximations.

    The scales come from a Student law about the mode of their marginal posterior density, weighted
    by that density; the paths given each of these from the normal law about their mode, weighted
    by the posterior density of all: where counts are few the law of a log-rate is skewed.

    References
    ----------
    Rue, Martino & Chopin (2009), Journal of the Royal Statistical Society B 71(2), section 3;
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), Journal of Machine Learning Research 25, for the
    weights.
    """
    problem = marginal.problem
    best = summit(marginal)
    found = _proposed(marginal, best, POINTS if marginal.labels else 1, rng)
    theta, shape, power = _paths(marginal, found, draws, rng)
    estimate = theta.mean(axis=0)
    layout = problem.layout
    return Posterior(
        draws=layout.unpack(theta),
        estimate=layout.unpack(estimate),
        log_likelihood=float(problem.evaluate(estimate)[0]),
        diagnostics={
            **best.diagnostics(marginal),
            "evidence": found.evidence,
            "pareto_shape": found.shape,
            "weights_power": found.power,
            "path_shape": shape,
            "path_power": power,
            "intervals": "weighted scales, weighted normal law of the paths given each",
            "parameters": len(layout.labels),
        },
    )


@dataclass(frozen=True)
class NestedLaplace(Laplace, ABC):
    """Laplace approximations of a model's scales, and of its paths given each of them."""

    @abstractmethod
    def marginal(self, problem: Problem) -> Marginal:
        """The density of the scales."""

    @override
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        return nested(self.marginal(problem), self.draws, rng)
